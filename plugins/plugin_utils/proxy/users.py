# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The users of a PC: how findings name them, and whose proxy settings ETS6 uses."""

from __future__ import annotations

from collections.abc import Sequence

from ..snapshot import Snapshot, User

DEFAULT_USER = "default"
"""The SID of the profile from which new users start."""
UNAVAILABLE = "unavailable"
"""The state of a hive that could not be loaded."""
MISSING = "missing"
"""The state of a hive whose profile or file is gone.

That is usual for roaming and FSLogix profiles while their users are not logged on, for mandatory
profiles, and for entries that a deleted profile left behind.
"""


def name_of(user: User) -> str:
    """Return how a finding names a user."""
    if user.sid == DEFAULT_USER:
        return "new users"
    return user.name or user.sid


def users_with_hive(snapshot: Snapshot) -> list[User]:
    """Return the users whose profile is on the PC, and the default profile."""
    return [user for user in snapshot.users or () if user.hive != MISSING]


def users_without_hive(snapshot: Snapshot) -> list[str]:
    """Return the names of the users whose profile is not on the PC."""
    names = []
    for user in snapshot.users or ():
        if user.hive == MISSING:
            names.append(name_of(user))
    return names


def relevant_users(snapshot: Snapshot) -> Sequence[User]:
    """Return the users whose settings ETS6 uses.

    These are the users who are logged on; without any, all users with a profile; without any, the
    default profile.
    """
    users = users_with_hive(snapshot)
    # Settings count even where they cannot be read: then which proxy ETS6 uses is not known.
    logged_on = [user for user in users if user.logged_on]
    if logged_on:
        return logged_on
    people = []
    defaults = []
    for user in users:
        if user.sid == DEFAULT_USER:
            defaults.append(user)
        else:
            people.append(user)
    return people or defaults
