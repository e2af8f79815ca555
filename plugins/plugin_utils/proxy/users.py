# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The users of a PC: how findings name them, and whose proxy settings ETS6 uses."""

from __future__ import annotations

from ..snapshot import Snapshot, User

DEFAULT_USER = "default"
"""The SID of the profile from which new users start."""
UNAVAILABLE = "unavailable"
"""The state of a hive that could not be loaded."""


def name_of(user: User) -> str:
    """Return how a finding names a user."""
    if user.sid == DEFAULT_USER:
        return "new users"
    return user.name or user.sid


def relevant_users(snapshot: Snapshot) -> list[User]:
    """Return the users whose settings ETS6 uses.

    These are the users who are logged on; without any, all users with a profile; without any, the
    default profile.
    """
    users = snapshot.users or ()
    # The settings of a user who is logged on count even where they cannot be read: which proxy ETS6
    # uses could not be determined then.
    logged_on = [user for user in users if user.logged_on]
    if logged_on:
        return logged_on
    readable = [user for user in users if user.hive != UNAVAILABLE]
    return [user for user in readable if user.sid != DEFAULT_USER] or readable
