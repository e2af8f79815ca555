# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines on the terminal: at most twelve."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .document import OPEN, Json

MOST_CONTROLS = 6
MOST_HOSTS = 4
WIDTH = 110


def lines(document: Json, files: Sequence[str]) -> list[str]:
    """Return the lines: the verdict, hosts by status, the controls that fail most with their first hosts, and the files."""
    run = document["run"]
    counts = ", ".join(f"{count} {status}" for status, count in run["hosts"].items())
    told = [f"ets6.network: {run['verdict']}" + (f" ({counts})" if counts else "")]
    absent = [host["name"] for host in document["hosts"] if host["reason"]]
    if absent:
        told.append(_cut(f"not judged: {_first(absent)}"))
    failing: dict[str, list[str]] = {}
    for host in document["hosts"]:
        if host["reason"] and host["status"] != "fail":
            continue
        for finding in host["findings"]:
            if finding["status"] in OPEN:
                failing.setdefault(finding["control"], []).append(host["name"])
    ranked = sorted(failing.items(), key=lambda item: (-len(item[1]), item[0]))
    told += [_cut(f"{control}: {len(hosts)} ({_first(hosts)})") for control, hosts in ranked[:MOST_CONTROLS]]
    if len(ranked) > MOST_CONTROLS:
        told.append(f"and {len(ranked) - MOST_CONTROLS} more controls")
    if files:
        told.append("report: " + ", ".join(files))
    return told


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_HOSTS} more" if len(names) > MOST_HOSTS else ""
    return ", ".join(names[:MOST_HOSTS]) + more


def _cut(line: str) -> str:
    """Keep a line short, and what comes from hosts harmless: control characters could rewrite the screen."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", line)
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
