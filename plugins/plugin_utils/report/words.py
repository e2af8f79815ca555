# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Parts of a report in words, for the formats that are text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def changes(finding: Mapping[str, Any]) -> list[str]:
    """Return what was changed or what would be, a line each: ``firewall rule X: enabled false → true``."""
    lines = []
    for change in finding["changes"]:
        fields = [
            f"{name} {_value(change['before'].get(name))} → {_value(value)}"
            for name, value in change["after"].items()
            if change["before"].get(name) != value
        ]
        lines.append(f"{change['subject']}: {'; '.join(fields)}")
    return lines


def hosts(count: int) -> str:
    """Return how many hosts it is."""
    return "1 host" if count == 1 else f"{count} hosts"


def cut(text: str, most: int) -> str:
    """Return the text, at most so many letters of it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def first(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def visible(text: str) -> str:
    """Return text in which control characters, and those that turn its direction, are told instead of obeyed."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _value(value: object) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
