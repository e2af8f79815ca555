# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""summary.md: what a CI job shows on its page. GitHub drops a step's summary above 1 MiB, so it stays below MAX_BYTES."""

from __future__ import annotations

import re

from ..finding import SEVERITIES
from .document import Json, open_findings
from .unreachable import groups, is_away
from .words import cut, first, visible

FILE = "summary.md"
MARK = "# ets6.network: "
MAX_BYTES = 900_000
MAX_CELL = 300
MOST_LISTED = 20


def render(document: Json) -> str:
    """Return the text of summary.md.

    The verdict, hosts that were not reached by reason, those that were not judged, and open
    findings, the worst first.
    """
    run = document["run"]
    lines = [f"{MARK}{_cell(run['verdict'])}", ""]
    if run["hosts"]:
        lines += ["| Status | Hosts |", "|---|---:|"]
        lines += [f"| {_cell(status.replace('_', ' '))} | {count} |" for status, count in run["hosts"].items()]
        lines.append("")
    lines += [f"**The run fails:** {_cell(' '.join(run['fails_because']))}", ""] if run["fails_because"] else []
    if document["drift"]:
        counts = ", ".join(
            f"{len(document['drift'][key])} {word}" for key, word in (("failing", "newly failing"), ("fixed", "mended"))
        )
        lines += [f"Since {document['drift']['since']}: {counts}.", ""]
    lines += _merged(document)
    rows = _rows(document)
    if rows:
        lines += ["| Host | Severity | Control | Status | Reason | What to do |", "|---|---|---|---|---|---|"]
    end = f"{run['mode']}, {run['ended']}, {_cell(run['user'])} on {_cell(run['controller'])}. report.json has all."
    size = sum(len(line.encode()) + 1 for line in (*lines, end)) + 100
    for at, row in enumerate(rows):
        size += len(row.encode()) + 1
        if size > MAX_BYTES:
            lines += ["", f"and {len(rows) - at} more"]
            break
        lines.append(row)
    return "\n".join([*lines, "", end, ""])


def _merged(document: Json) -> list[str]:
    merged = document["merged"]
    if merged is None:
        return []
    lines = [f"Merged from {len(merged['reports'])} reports.", ""]
    lines += [f"**Expected, and in no report:** {_cell(first(merged['missing'], MOST_LISTED))}", ""] if merged["missing"] else []
    if merged["conflicts"]:
        listed = merged["conflicts"][:MOST_LISTED]
        lines += ["**Conflicts:**", "", *(f"- {_cell(conflict)}" for conflict in listed)]
        lines += [f"- and {len(merged['conflicts']) - len(listed)} more"] if len(listed) < len(merged["conflicts"]) else []
        lines.append("")
    return lines


def _rows(document: Json) -> list[str]:
    controls = {control["id"]: control for control in document["controls"]}
    rows = []
    for group in groups(document):
        names, reason = first(group.hosts, MOST_LISTED), f"{group.title}. {group.example}" if group.example else group.title
        rows.append(f"| {_cell(names)} | | | unreachable | {_cell(reason)} | {_cell(group.remedy)} |")
    rows += [
        f"| {_cell(host['name'])} | | | {_cell(host['status'])} | {_cell(host['reason'])} | |"
        for host in document["hosts"]
        if host["reason"] and not is_away(host)
    ]
    found = [
        (controls.get(item["control"], {}), host["name"], item) for host in document["hosts"] for item in open_findings(host)
    ]
    found.sort(key=lambda one: -SEVERITIES.index(one[0].get("severity", "high")))
    for control, name, item in found:
        cells = [name, control.get("severity", "high"), item["control"], item["status"].replace("_", " "), item["reason"]]
        rows.append(f"| {' | '.join(_cell(cell) for cell in (*cells, control.get('remedy', '')))} |")
    return rows


def _cell(text: str) -> str:
    """Return text in which no character is markup of Markdown or HTML, on one line."""
    text = cut(visible(" ".join(text.split())), MAX_CELL)
    text = re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;").replace("://", "&#58;//")
    # GitHub makes a link of it without any protocol.
    return re.sub(r"www\.", "www&#46;", text, flags=re.IGNORECASE)
