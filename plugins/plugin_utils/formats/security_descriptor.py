# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Security descriptors in SDDL: the owner, and the entries of the DACL.

The grammar is MS-DTYP 2.5.1, without conditional and object entries. A descriptor that names no
DACL is refused: SDDL leaves out what was not read, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_ENTRIES = 200
MAX_EXCERPT = 40
"""Characters of an entry in an error."""

_SID = r"S-1-\d{1,15}(?:-\d{1,10}){1,15}"
_ACCOUNT = rf"(?:{_SID}|[A-Z]{{2}})"
_DESCRIPTOR = re.compile(
    rf"(?:O:(?P<owner>{_ACCOUNT}))?(?:G:{_ACCOUNT})?"
    r"D:(?P<flags>[A-Z_]*)(?P<entries>(?:\([^()]*\))*)(?:S:.*)?",
    re.IGNORECASE | re.ASCII,
)
_ENTRY_FLAGS = re.compile(r"(?:CI|OI|NP|IO|ID|SA|FA)*", re.IGNORECASE)
_CONTROL_FLAGS = re.compile(r"(?:P|AR|AI|NO_ACCESS_CONTROL)*", re.IGNORECASE)

WELL_KNOWN = {
    "WD": "S-1-1-0",
    "CO": "S-1-3-0",
    "CG": "S-1-3-1",
    "OW": "S-1-3-4",
    "IU": "S-1-5-4",
    "SU": "S-1-5-6",
    "AN": "S-1-5-7",
    "AU": "S-1-5-11",
    "SY": "S-1-5-18",
    "LS": "S-1-5-19",
    "NS": "S-1-5-20",
    "BA": "S-1-5-32-544",
    "BU": "S-1-5-32-545",
    "BG": "S-1-5-32-546",
    "PU": "S-1-5-32-547",
    "UD": "S-1-5-84-0-0-0-0-0",
    "AC": "S-1-15-2-1",
}
"""The SIDs of SDDL's two-letter accounts (MS-DTYP 2.5.1.1)."""
NAMES = {
    "S-1-1-0": "Everyone",
    "S-1-2-0": "local logons",
    "S-1-2-1": "console logons",
    "S-1-3-0": "CREATOR OWNER",
    "S-1-5-4": "interactive logons",
    "S-1-5-6": "services",
    "S-1-5-7": "anonymous logons",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-18": "SYSTEM",
    "S-1-5-19": "LOCAL SERVICE",
    "S-1-5-20": "NETWORK SERVICE",
    "S-1-5-32-544": "Administrators",
    "S-1-5-32-545": "Users",
    "S-1-5-32-546": "Guests",
    "S-1-5-32-547": "Power Users",
    "DU": "Domain Users",
    "DC": "Domain Computers",
    "S-1-5-84-0-0-0-0-0": "user-mode drivers",
    "S-1-15-2-1": "all app packages",
}
"""Names of well-known SIDs (MS-DTYP 2.4.2.4), and of SDDL's words for groups of any domain."""

_RIGHTS = {
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,
    "SD": 0x10000,
    "RC": 0x20000,
    "WD": 0x40000,
    "WO": 0x80000,
    "CC": 0x1,
    "DC": 0x2,
    "LC": 0x4,
    "SW": 0x8,
    "RP": 0x10,
    "WP": 0x20,
    "DT": 0x40,
    "LO": 0x80,
    "CR": 0x100,
    "FA": 0x1F01FF,
    "FX": 0x1200A0,
    "FW": 0x120116,
    "FR": 0x120089,
    "KA": 0xF003F,
    "KR": 0x20019,
    "KX": 0x20019,
    "KW": 0x20006,
}
"""The masks of SDDL's two-letter rights (MS-DTYP 2.5.1.1)."""


@dataclass(frozen=True)
class AccessEntry:
    """One entry of a DACL.

    grants: it allows, and does not deny. account is a SID, or an SDDL abbreviation that is not in
    WELL_KNOWN. rights is the access mask. inherit_only: it counts only for what is created below.
    """

    grants: bool
    account: str
    rights: int = 0
    inherit_only: bool = False


_EVERYBODY_MAY = AccessEntry(True, WELL_KNOWN["WD"], _RIGHTS["GA"])
"""What a DACL that is null means: everybody may do everything (MS-DTYP 2.5.1.1)."""


@dataclass(frozen=True)
class SecurityDescriptor:
    """The owner's account, empty where it is not named, and the entries of the DACL."""

    owner: str
    entries: tuple[AccessEntry, ...]


def parse(text: str) -> SecurityDescriptor:
    """Return what a text in SDDL says. Raises ValueError where it cannot be read."""
    match = _DESCRIPTOR.fullmatch(text)
    if match is None or not _CONTROL_FLAGS.fullmatch(match["flags"]):
        raise ValueError("it is not a security descriptor with a DACL")
    entries = re.findall(r"\(([^()]*)\)", match["entries"])
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"it has more than {MAX_ENTRIES} entries")
    parsed = [_parse_entry(entry) for entry in entries]
    if "NO_ACCESS_CONTROL" in match["flags"].upper():
        parsed.append(_EVERYBODY_MAY)
    return SecurityDescriptor(_sid(match["owner"] or ""), tuple(parsed))


def _sid(account: str) -> str:
    return WELL_KNOWN.get(account.upper(), account.upper())


def _parse_entry(text: str) -> AccessEntry:
    """Return an entry ``type;flags;rights;object;inherited object;account``."""
    fields = [field.strip() for field in text.split(";")]
    if len(fields) != 6 or fields[0].upper() not in ("A", "D"):
        raise ValueError(f"entry ({text[:MAX_EXCERPT]}) is not of the type A or D")
    kind, flags, rights, _object, _inherited, account = fields
    if not re.fullmatch(_ACCOUNT, account, re.IGNORECASE | re.ASCII):
        raise ValueError(f"entry ({text[:MAX_EXCERPT]}) does not name an account")
    if not _ENTRY_FLAGS.fullmatch(flags):
        raise ValueError(f"entry ({text[:MAX_EXCERPT]}) has flags that are not known")
    words = re.findall("..", flags.upper())
    return AccessEntry(kind.upper() == "A", _sid(account), _parse_rights(rights), "IO" in words)


def _parse_rights(text: str) -> int:
    """Return the mask of ``0x1301bf``, ``1179817`` or ``SDGXGWGR``. Raises ValueError."""
    if re.fullmatch(r"0x[0-9a-f]{1,8}", text, re.IGNORECASE):
        return int(text, 16)
    if re.fullmatch(r"[1-9][0-9]{0,9}", text, re.ASCII) and int(text) < 1 << 32:
        return int(text)
    mask = 0
    for word in re.findall(".{1,2}", text.upper()):
        if word not in _RIGHTS:
            raise ValueError(f"its rights {text[:MAX_EXCERPT]} are not known")
        mask |= _RIGHTS[word]
    return mask
