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

from .model import Host, Report

TIMES = frozenset({"at", "ended", "elapsed_ms", "since"})
"""Keys whose values say when, and how long it took. They do not count in a host's hash, so that the same
state has the same one; in the report's they do."""
COMPARISONS = ("drift", "scores", "history")
"""Parts of a report that depend on the runs before it."""


def seal(report: Report) -> Report:
    """Return the report with the hash over all of it, times included.

    Hosts count by their names, hashes and times. What depends on earlier runs (COMPARISONS) does
    not.
    """
    content: dict[str, object] = dict(report)
    for name in COMPARISONS:
        content.pop(name, None)
    content["hosts"] = [
        [host["name"], host["sha256"], host["at"], *further_times(host)] for host in report["hosts"]
    ]
    return {**report, "sha256": _digest(content)}


def digest(host: Mapping[str, object]) -> str:
    """Return the SHA-256 of a host without the keys in TIMES, in hexadecimal digits."""
    return _digest(without(host, TIMES))


def _digest(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of JSON with sorted keys and without blanks, in UTF-8, and without its own."""
    hashed = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def further_times(host: Host) -> list[str]:
    """Return the times beside the host's own.

    They are those of earlier runs, and of findings that have one: of a merged report.
    """
    times = [sent["at"] for sent in host.get("unreported", ())]
    if "interrupted" in host:
        times.append(host["interrupted"]["at"])
    return times + [finding["at"] for finding in host["findings"] if "at" in finding]


def without(content: Any, keys: frozenset[str]) -> Any:
    """Return JSON data without these keys, at any depth."""
    if isinstance(content, dict):
        return {key: without(value, keys) for key, value in content.items() if key not in keys}
    if isinstance(content, list):
        return [without(item, keys) for item in content]
    return content
