# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether ordinary users of a PC can put another program in the place of a file.

Windows' own descriptors decide, of the file and of every folder above it. MS-FSA 2.1.5.10.37: who
may write the attributes of an empty folder can make a link of it.
"""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from ...module_utils.names import fold
from ..formats import security_descriptor
from ..formats.security_descriptor import NAMES, AccessEntry, SecurityDescriptor
from ..snapshot import PathAccess

TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
_ADMINISTRATORS = frozenset({
    "S-1-5-18", "S-1-5-32-544", TRUSTED_INSTALLER, "LA", "DA", "EA",
})  # fmt: skip
"""SYSTEM, Administrators, TrustedInstaller, and SDDL's words for the accounts below."""
_ADMINISTRATOR_ACCOUNT = re.compile(r"S-1-5-21(?:-\d{1,10}){3}-(?:500|512|519)", re.ASCII)
"""Administrator, Domain Admins and Enterprise Admins (MS-DTYP 2.4.2.4)."""
_PLACEHOLDERS = frozenset({"S-1-3-0", "S-1-3-1", "S-1-3-4"})
"""CREATOR OWNER, CREATOR GROUP and OWNER RIGHTS: no account has these SIDs (MS-DTYP 2.4.2.4)."""

_READ = 0xA01200A9
"""Generic read and execute, and what they mean for a file: all that cannot change it."""
_CREATE = 0x6
"""To create files and folders: in a folder further up that harms nothing below it."""
_USUAL_PATH = re.compile(r"[A-Za-z]:(?:\\[^\\/:*?\"<>|\x00-\x1f]*[^\\/:*?\"<>|\x00-\x1f .])+")
"""A path whose names Windows takes as they are: it drops blanks and dots at the end of a name."""
_LINK = 0x400
"""FILE_ATTRIBUTE_REPARSE_POINT (MS-FSCC 2.6)."""


class Writers(Enum):
    """Who can put a program in the place of a file."""

    ADMINISTRATORS = "administrators"
    USERS = "users"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class WriteAccess:
    """Who can write, and, unless these are administrators alone, why that is said."""

    writers: Writers
    reason: str = ""


class AccessJudge:
    """The access of one PC. access: what was read of paths, None where nothing was."""

    def __init__(self, access: Mapping[str, PathAccess] | None, error: str) -> None:
        self._access = access
        self._error = error

    def judge(self, path: str) -> WriteAccess:
        r"""Return who can put another program in the place of a file (``C:\Tools\ETS6N.exe``)."""
        if self._access is None:
            return WriteAccess(Writers.UNKNOWN, self._error)
        if not _USUAL_PATH.fullmatch(path) or ntpath.normpath(path) != path:
            return WriteAccess(Writers.UNKNOWN, "the path is not in its usual form")
        unknown = []
        for part, harmless in _parts(path):
            found = self._judge_part(part, harmless)
            if found.writers is Writers.USERS:
                return found
            if found.writers is Writers.UNKNOWN:
                unknown.append(found)
        return unknown[0] if unknown else WriteAccess(Writers.ADMINISTRATORS)

    def _judge_part(self, part: str, harmless: int) -> WriteAccess:
        access = (self._access or {}).get(fold(part))
        if access is None:
            return WriteAccess(Writers.UNKNOWN, f"the PC did not report the access of {part}")
        if access.error:
            return WriteAccess(Writers.UNKNOWN, f"{part}: {access.error}")
        try:
            descriptor = security_descriptor.parse(access.sddl)
        except ValueError as error:
            return WriteAccess(Writers.UNKNOWN, f"the access of {part} could not be read: {error}")
        writer = _first_writer(descriptor, harmless)
        if writer:
            return WriteAccess(Writers.USERS, f"{writer} can change {part}")
        # The descriptor may be that of the link's target: who may change either is one too many.
        if access.attributes & _LINK:
            return WriteAccess(Writers.UNKNOWN, f"{part} is a link")
        return WriteAccess(Writers.ADMINISTRATORS)


def _parts(path: str) -> Iterator[tuple[str, int]]:
    r"""Yield ``C:\``, each folder, and the file, each with the rights that are harmless there."""
    drive, below = path[:3], path[3:]
    names = below.split("\\")
    last_folder = len(names) - 1
    for number in range(len(names) + 1):
        harmless = _READ | _CREATE if number < last_folder else _READ
        yield drive + "\\".join(names[:number]), harmless


def _first_writer(descriptor: SecurityDescriptor, harmless: int) -> str:
    """Return who besides administrators owns it, or has other rights; empty without one.

    An entry that denies is left out: it can only take rights away.
    """
    if not _is_administrator(descriptor.owner):
        return f"its owner, {_name(descriptor.owner)},"
    for entry in descriptor.entries:
        if _lets_change(entry, harmless):
            return _name(entry.account)
    return ""


def _lets_change(entry: AccessEntry, harmless: int) -> bool:
    if not entry.grants or entry.inherit_only or entry.account in _PLACEHOLDERS:
        return False
    return bool(entry.rights & ~harmless) and not _is_administrator(entry.account)


def _is_administrator(account: str) -> bool:
    return account in _ADMINISTRATORS or _ADMINISTRATOR_ACCOUNT.fullmatch(account) is not None


def _name(account: str) -> str:
    return NAMES.get(account, account) or "who is not named"
