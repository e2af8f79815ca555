# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The data of report.html for its script: columns, in which a text that many findings share stands once."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any

from .document import OPEN, UNREACHABLE, Json
from .words import cut, visible

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
MAX_REASON = 200
"""Letters of the reason why a host was not judged: a network that is down gives thousands of them. report.json has the whole."""
NOT_ASKED = "."
"""In the matrix, a control that this host does not have."""


def of(document: Json, wanted: Callable[[str], bool]) -> tuple[Json, Json]:
    """Return the columns for the matrix, and the packed details: texts, and by control and host their numbers.

    wanted says of a status whether the evidence of such findings has room.
    """
    ids = [control["id"] for control in document["controls"]]
    hosts = document["hosts"]
    findings = [{item["control"]: item for item in host["findings"]} for host in hosts]
    groups = sorted({group for host in hosts for group in host["groups"]})
    drift = document["drift"] or {"failing": [], "fixed": []}
    at = {host["name"]: index for index, host in enumerate(hosts)}
    place = {one: index for index, one in enumerate(ids)}
    news, mended = (
        [[at[change["host"]], place[change["control"]]] for change in drift[key] if change["control"] in place]
        for key in ("failing", "fixed")
    )
    data = {
        "controls": [
            [visible(control[name]) for name in ("id", "title", "severity", "rationale", "remedy")]
            for control in document["controls"]
        ],
        "statuses": {letter: [status, *SYMBOLS[status]] for status, letter in LETTERS.items()},
        "open": "".join(letter for status, letter in LETTERS.items() if status in OPEN or status == UNREACHABLE),
        "hosts": [visible(host["name"]) for host in hosts],
        "status": "".join(LETTERS[host["status"]] for host in hosts),
        "groups": [visible(group) for group in groups],
        "member": [[groups.index(group) for group in host["groups"]] for host in hosts],
        "reason": [cut(visible(host["reason"]), MAX_REASON) for host in hosts],
        "matrix": ["".join(LETTERS[found[one]["status"]] if one in found else NOT_ASKED for one in ids) for found in findings],
        "news": news,
        "mended": mended,
        "left_out": any(item["evidence"] and not wanted(item["status"]) for found in findings for item in found.values()),
    }
    packed = json.dumps(_details(ids, hosts, findings, wanted), ensure_ascii=False, separators=(",", ":")).encode()
    return data, {"gzip": base64.b64encode(gzip.compress(packed, 9, mtime=0)).decode("ascii")}


def _details(
    ids: Sequence[str], hosts: Sequence[Json], findings: Sequence[dict[str, Json]], wanted: Callable[[str], bool]
) -> Json:
    """Return the texts of all findings, each once, and by kind, control and host the number of its text; the text 0 is empty."""
    numbers: dict[str, int] = {"": 0}

    def texts(host: Json, item: Json) -> dict[str, str]:
        return {
            "reasons": visible(item["reason"]),
            "times": str(item.get("at", host["at"])),
            "evidence": _packed(item["evidence"] if wanted(item["status"]) else None),
            "changes": _packed(item["changes"]),
            "waivers": _packed(item.get("waiver")),
        }

    columns: dict[str, list[list[int]]] = {name: [] for name in ("reasons", "times", "evidence", "changes", "waivers")}
    for one in ids:
        told = [texts(host, found[one]) if one in found else {} for host, found in zip(hosts, findings, strict=True)]
        for name, column in columns.items():
            column.append([numbers.setdefault(text.get(name, ""), len(numbers)) for text in told])
    return {"texts": list(numbers), **columns}


def _packed(content: Any) -> str:
    """Return JSON data as a text, which is empty where there is nothing to say."""
    return json.dumps(_visible_data(content), ensure_ascii=False, separators=(",", ":")) if content else ""


def _visible_data(content: Any) -> Any:
    """Return JSON data with every text in it made visible."""
    if isinstance(content, dict):
        return {visible(str(key)): _visible_data(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_visible_data(item) for item in content]
    return visible(content) if isinstance(content, str) else content
