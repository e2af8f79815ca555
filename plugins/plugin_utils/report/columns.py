# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The data of report.html for its script: columns, in which a text that many findings share stands once."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

from .document import OPEN, Json
from .words import visible

SYMBOLS = {
    "unreachable": ("∅", "unreachable"),
    "fail": ("✗", "fails"),
    "unknown": ("?", "unknown"),
    "would_fix": ("◐", "would be fixed"),
    "fixed": ("✚", "fixed"),
    "waived": ("⊘", "waived"),
    "pass": ("✓", "passes"),
    "not_applicable": ("–", "not applicable"),
}
"""A symbol and a word for each status: colour alone tells nothing to some people, and to printers."""
LETTERS = dict(zip(SYMBOLS, "xfuwdvpn", strict=True))
"""A letter for each status, in the matrix."""
NOT_ASKED = "."
"""In the matrix, a control that this host does not have."""


def of(document: Json, wanted: Callable[[str], bool]) -> tuple[Json, Json]:
    """Return the columns for the matrix, and the packed details: texts, and by control and host their numbers."""
    ids = [control["id"] for control in document["controls"]]
    hosts = document["hosts"]
    findings = [{item["control"]: item for item in host["findings"]} for host in hosts]
    groups = sorted({group for host in hosts for group in host["groups"]})
    matrix = ["".join(LETTERS[found[one]["status"]] if one in found else NOT_ASKED for one in ids) for found in findings]
    numbers: dict[str, int] = {"": 0}

    def number(text: str) -> int:
        return numbers.setdefault(text, len(numbers))

    columns: dict[str, list[list[int]]] = {"reasons": [], "times": [], "evidence": [], "changes": [], "waivers": []}
    left_out = False
    for one in ids:
        items = [found.get(one) for found in findings]
        columns["reasons"].append([number(visible(item["reason"])) if item else 0 for item in items])
        columns["times"].append(
            [number(item.get("at", host["at"])) if item else 0 for item, host in zip(items, hosts, strict=True)]
        )
        for name, key in (("evidence", "evidence"), ("changes", "changes"), ("waivers", "waiver")):
            column = []
            for item in items:
                content = item.get(key) if item else None
                if content and key == "evidence" and item and not wanted(item["status"]):
                    content, left_out = None, True
                column.append(number(_packed(content)) if content else 0)
            columns[name].append(column)
    drift = document["drift"] or {"failing": [], "fixed": []}
    at = {host["name"]: index for index, host in enumerate(hosts)}
    place = {one: index for index, one in enumerate(ids)}
    data = {
        "controls": [
            [visible(control[name]) for name in ("id", "title", "severity", "rationale", "remedy")]
            for control in document["controls"]
        ],
        "statuses": {letter: [status, *SYMBOLS[status]] for status, letter in LETTERS.items()},
        "open": "".join(letter for status, letter in LETTERS.items() if status in OPEN or status == "unreachable"),
        "hosts": [visible(host["name"]) for host in hosts],
        "status": "".join(LETTERS[host["status"]] for host in hosts),
        "groups": [visible(group) for group in groups],
        "member": [[groups.index(group) for group in host["groups"]] for host in hosts],
        "reason": [visible(host["reason"]) for host in hosts],
        "matrix": matrix,
        "news": [[at[change["host"]], place[change["control"]]] for change in drift["failing"] if change["control"] in place],
        "mended": [[at[change["host"]], place[change["control"]]] for change in drift["fixed"] if change["control"] in place],
        "left_out": left_out,
    }
    packed = json.dumps({"texts": list(numbers), **columns}, ensure_ascii=False, separators=(",", ":")).encode()
    return data, {"gzip": base64.b64encode(gzip.compress(packed, 9, mtime=0)).decode("ascii")}


def _packed(content: Any) -> str:
    return json.dumps(_visible_data(content), ensure_ascii=False, separators=(",", ":"))


def _visible_data(content: Any) -> Any:
    """Return JSON data with every text in it made visible."""
    if isinstance(content, dict):
        return {visible(str(key)): _visible_data(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_visible_data(item) for item in content]
    return visible(content) if isinstance(content, str) else content
