# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which of the accounts that may run ETS6 a rule is for (tokens LUAuth and LUOwn)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...module_utils.names import fold
from ..formats.firewall_accounts import describe_accounts, parse_accounts
from ..formats.firewall_address import Span
from ..formats.security_descriptor import AccessEntry
from ..snapshot import LocalAccount, Snapshot, User
from .traffic_set import Spans, merge_spans

_CONSOLE = frozenset({"S-1-1-0", "S-1-2-0", "S-1-2-1", "S-1-5-4", "S-1-5-11"})
"""Accounts that the access token of every user at the console has."""
_NEVER = frozenset({"S-1-5-6", "S-1-5-7", "S-1-5-18", "S-1-5-19", "S-1-5-20"})
_NEVER_BELOW = ("S-1-5-80-", "S-1-5-84-", "S-1-15-2-")
"""Accounts that ETS6 never runs under, and the beginnings of others: services, drivers and app
packages."""
_USERS = ("S-1-5-21-", "S-1-12-1-")
"""Beginnings of the SIDs of users, and of groups of a domain."""
HIDDEN_USERS = (
    r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\SpecialAccounts\UserList"
)
"""The users that the sign-in screen does not show, by name with the value 0: tools' accounts."""
_DOMAIN_GROUPS = range(512, 1000)
"""Relative ids of a domain's predefined groups (MS-DTYP 2.4.2.4), for example 513, Domain Users."""


@dataclass(frozen=True)
class AccountScope:
    """The accounts that a rule is for: certainly, and perhaps. words names them."""

    certain: Spans
    doubtful: Spans
    words: str


class Accounts:
    """The accounts that may run ETS6 on a PC.

    They are the users who are logged on, or all users where none is, without those that the
    sign-in screen hides. An account that is not known yet takes their place where the PC has no
    user.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        users = [user for user in snapshot.users or () if user.sid != "default"]
        self._local = {}
        for account in snapshot.local_accounts or ():
            self._local[account.sid.upper()] = account
        self._names = _names(self._local, users)
        self._known_users = {user.sid.upper() for user in users}
        self._users = _users_of_ets6(users, _hidden_users(snapshot))
        is_anyone_logged_on = any(user.logged_on for user in self._users)
        self._undecided = not is_anyone_logged_on and len(self._users) > 1
        """Whether any one of several users may run ETS6, and another may not."""
        self._pc = _first_domain(self._local)
        self.everyone: Spans = ((0, max(len(self._users), 1) - 1),)

    def scope(self, descriptor: str) -> AccountScope:
        """Return the accounts of a security descriptor. Raises ValueError."""
        entries = parse_accounts(descriptor)
        certain: list[Span] = []
        doubtful: list[Span] = []
        for number in range(self.everyone[0][1] + 1):
            grants = self._grants(entries, number)
            if grants is None:
                doubtful.append((number, number))
            elif grants:
                certain.append((number, number))
        words = f"the accounts {describe_accounts(entries, self._names)}"
        if doubtful and self._undecided:
            words += " (no user is logged on)"
        return AccountScope(merge_spans(certain), merge_spans(doubtful), words)

    def _grants(self, entries: Sequence[AccessEntry], number: int) -> bool | None:
        """Return whether the rule is for an account; None where that could not be determined."""
        possible: set[bool] = set()
        for entry in entries:
            matches = self._matches(entry.account, number)
            if matches is None:
                possible.add(entry.grants)
            elif matches:
                possible.add(entry.grants)
                return _only(possible)
        if entries and not any(entry.grants for entry in entries):
            # Published rules deny accounts and grant none, to mean all others. Whether Windows
            # takes it so is not documented.
            return None
        possible.add(False)
        return _only(possible)

    def _matches(self, account: str, number: int) -> bool | None:
        """Return whether an account of a rule stands for the user with this number."""
        if account in _CONSOLE:
            return True
        if account in _NEVER or account.startswith(_NEVER_BELOW):
            return False
        if not account.startswith(_USERS) or _is_domain_group(account):
            return None
        if not self._users:
            return None
        user = self._users[number].sid.upper()
        if user == account:
            return None if self._undecided else True
        if account in self._known_users:
            return False
        return self._is_member(user, account)

    def _is_member(self, user: str, account: str) -> bool | None:
        """Return whether a user may be a member of an account that may be a group."""
        local = self._local.get(account)
        if local is not None:
            return None if local.group else False
        if not self._pc:
            return None
        if account.startswith(self._pc):
            # It was deleted.
            return False
        # A group of a domain does not have the PC's own users as members.
        return False if user.startswith(self._pc) else None


def _names(local: Mapping[str, LocalAccount], users: Iterable[User]) -> dict[str, str]:
    """Return the names of accounts by their SIDs in upper case."""
    names = {sid: account.name for sid, account in local.items()}
    for user in users:
        names[user.sid.upper()] = user.name or user.sid
    return names


def _users_of_ets6(users: Sequence[User], hidden: Collection[str]) -> Sequence[User]:
    """Return the users who may run ETS6: of those that the sign-in screen shows, the logged-on ones.

    Where there are none, all of them count.
    """
    visible = [user for user in users if fold(user.name) not in hidden] or users
    return [user for user in visible if user.logged_on] or visible


def _hidden_users(snapshot: Snapshot) -> set[str]:
    """Return the names of the users that the sign-in screen hides, folded."""
    names = set()
    for name, value in snapshot.registry.key(HIDDEN_USERS).values.items():
        if value.data == 0:
            names.add(fold(name))
    return names


def _first_domain(sids: Iterable[str]) -> str:
    """Return how the SIDs of the PC's own users begin; empty where that is not known."""
    for sid in sids:
        if sid.startswith("S-1-5-21-"):
            return sid.rpartition("-")[0] + "-"
    return ""


def _only(possible: set[bool]) -> bool | None:
    return possible.pop() if len(possible) == 1 else None


def _is_domain_group(sid: str) -> bool:
    relative_id = sid.rpartition("-")[2]
    return sid.startswith("S-1-5-21-") and int(relative_id) in _DOMAIN_GROUPS
