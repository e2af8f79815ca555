# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The accounts of a firewall rule: tokens LUAuth and RUAuth, a security descriptor in SDDL.

The grammar is MS-DTYP 2.5.1. Only the DACL counts (``O:LSD:(D;;CC;;;S-1-5-21-…-1005)(A;;CC;;;WD)``):
an entry A grants the rule to an account, an entry D takes it away, and the first entry that
matches an account decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..text import first_words

MAX_ENTRIES = 200
MAX_NAMED = 4
"""Accounts in a sentence."""

_SID = r"S-1-\d{1,15}(?:-\d{1,10}){1,15}"
_ACCOUNT = rf"(?:{_SID}|[A-Z]{{2}})"
_DESCRIPTOR = re.compile(
    rf"(?:O:{_ACCOUNT})?(?:G:{_ACCOUNT})?D:[A-Z]*(?P<entries>(?:\([^()]*\))*)(?:S:.*)?",
    re.IGNORECASE,
)

WELL_KNOWN = {
    "WD": "S-1-1-0",
    "IU": "S-1-5-4",
    "AU": "S-1-5-11",
    "AN": "S-1-5-7",
    "SU": "S-1-5-6",
    "SY": "S-1-5-18",
    "LS": "S-1-5-19",
    "NS": "S-1-5-20",
    "BA": "S-1-5-32-544",
    "BU": "S-1-5-32-545",
    "BG": "S-1-5-32-546",
    "UD": "S-1-5-84-0-0-0-0-0",
    "AC": "S-1-15-2-1",
}
"""The SIDs of SDDL's two-letter accounts that firewall rules use (MS-DTYP 2.5.1.1)."""
NAMES = {
    "S-1-1-0": "Everyone",
    "S-1-2-0": "local logons",
    "S-1-2-1": "console logons",
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
    "S-1-5-84-0-0-0-0-0": "user-mode drivers",
    "S-1-15-2-1": "all app packages",
}
"""Names of well-known SIDs (MS-DTYP 2.4.2.4)."""


@dataclass(frozen=True)
class AccessEntry:
    """One entry of a DACL: whether it grants, and the account, a SID or an SDDL abbreviation."""

    grants: bool
    account: str


def parse_accounts(text: str) -> tuple[AccessEntry, ...]:
    """Return the entries of the DACL. Raises ValueError where they cannot be read."""
    match = _DESCRIPTOR.fullmatch(text)
    if match is None:
        raise ValueError("it is not a security descriptor with a DACL")
    entries = re.findall(r"\(([^()]*)\)", match["entries"])
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"it has more than {MAX_ENTRIES} entries")
    return tuple(map(_parse_entry, entries))


def _parse_entry(text: str) -> AccessEntry:
    """Return an entry ``type;flags;rights;object;inherited object;account``."""
    fields = text.split(";")
    if len(fields) != 6 or fields[0].upper() not in ("A", "D"):
        raise ValueError(f"entry ({text[:40]}) is not of the type A or D")
    account = fields[5].upper()
    if not re.fullmatch(_ACCOUNT, account):
        raise ValueError(f"entry ({text[:40]}) does not name an account")
    return AccessEntry(fields[0].upper() == "A", WELL_KNOWN.get(account, account))


def account_words(text: str) -> str:
    """Return the accounts of a descriptor as names: ``Everyone``, ``all but Administrators``."""
    try:
        entries = parse_accounts(text)
    except ValueError as error:
        return f"could not be read ({error})"
    return describe_accounts(entries, {})


def describe_accounts(entries: Iterable[AccessEntry], names: Mapping[str, str]) -> str:
    """Return the accounts of entries as names. names: those of the PC's users by their SIDs."""
    granted: list[str] = []
    denied: list[str] = []
    for entry in entries:
        name = names.get(entry.account) or NAMES.get(entry.account, entry.account)
        if entry.grants:
            granted.append(name)
        else:
            denied.append(name)
    words = first_words(granted, MAX_NAMED) or "all"
    if denied:
        words += f" but {first_words(denied, MAX_NAMED)}"
    return words
