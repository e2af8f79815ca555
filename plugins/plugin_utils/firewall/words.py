# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sentences, and text from a PC in them: it may hold anything, and ends up in terminals, logs and reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ..finding import Change, Finding

MAX_REASON = 4_000
MAX_TEXT = 1_000
"""Longer than any path, name or setting that Windows writes; the evidence and the reason are cut there."""


def sentence(text: str) -> str:
    """Return text with a capital at its beginning and nothing else changed: it may hold paths and ids."""
    return text[:1].upper() + text[1:]


def listed(words: Iterable[str]) -> str:
    """Return words as a list in a sentence: ``a, b and c``."""
    items = list(dict.fromkeys(words))
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"


def presentable(finding: Finding) -> Finding:
    """Return a finding without control characters, lone surrogates and endless texts. What its remedies do stays as it was."""
    return dataclasses.replace(
        finding,
        reason=_cut(_printable(finding.reason), MAX_REASON),
        evidence=_clean(finding.evidence),
        remedy=[_presentable_change(change) for change in finding.remedy],
    )


def _presentable_change(change: Change) -> Change:
    # The subject is what tells changes apart: it is never cut.
    return Change(_printable(change.subject), _clean(change.before), _clean(change.after), change.operations)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _cut(_printable(value), MAX_TEXT)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
