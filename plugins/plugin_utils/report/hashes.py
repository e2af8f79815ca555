# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hashes in report.json: one over each host, and one over the whole.

docs/reports.md has a program that checks them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .model import Report

TIMES = frozenset({"at", "ended", "elapsed_ms", "since"})
"""Keys whose values say when, and how long it took. They do not count in the hashes."""
COMPARISONS = ("drift", "scores", "history")
"""Parts of a report that depend on the runs before it."""


def seal(report: Report) -> Report:
    """Return the report with the hash over all of it.

    Hosts count by their names and hashes. What depends on earlier runs (COMPARISONS) does not.
    """
    content: dict[str, object] = dict(report)
    for name in COMPARISONS:
        content.pop(name, None)
    content["hosts"] = [[host["name"], host["sha256"]] for host in report["hosts"]]
    return {**report, "sha256": digest(content)}


def digest(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a host or a report, in hexadecimal digits.

    It is over the JSON with sorted keys and without blanks, in UTF-8, without its own sha256 and
    the keys in TIMES.
    """
    hashed = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(
        without(hashed, TIMES), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def without(content: Any, keys: frozenset[str]) -> Any:
    """Return JSON data without these keys, at any depth."""
    if isinstance(content, dict):
        return {key: without(value, keys) for key, value in content.items() if key not in keys}
    if isinstance(content, list):
        return [without(item, keys) for item in content]
    return content
