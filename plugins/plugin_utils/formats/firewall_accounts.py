# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The accounts of a firewall rule: tokens LUAuth and RUAuth, a security descriptor in SDDL.

Only the DACL counts (``O:LSD:(D;;CC;;;S-1-5-21-…-1005)(A;;CC;;;WD)``): an entry A grants the rule to
an account, an entry D takes it away, and the first entry that matches an account decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..text import first_words
from .security_descriptor import NAMES, AccessEntry, parse

MAX_NAMED = 4
"""Accounts in a sentence."""


def parse_accounts(text: str) -> tuple[AccessEntry, ...]:
    """Return the entries of the DACL. Raises ValueError where they cannot be read."""
    return parse(text).entries


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
