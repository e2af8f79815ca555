# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""summary.md: what a CI job shows on its page.

GitHub drops a step's summary above 1 MiB, so it stays below MAX_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...finding import SEVERITIES
from ...text import first_words, printable, shorten
from ..causes import CONTACTS, contact_of, remedy_of
from ..hosts import open_findings
from ..model import Control, Drift, Finding, Merged, Report
from ..unreachable import groups, not_judged

FILE = "summary.md"
MARK = "# ets6.network: "
MAX_BYTES = 900_000
MAX_CELL = 300
"""Characters of a cell."""
MAX_LISTED = 20
"""Hosts or conflicts that are listed."""


def render(report: Report) -> str:
    """Return the text of summary.md.

    It has the verdict, hosts that were not reached by reason, those that were not judged, and open
    findings, the worst first.
    """
    run = report["run"]
    lines = [f"{MARK}{_escape(run['verdict'])}", ""]
    if run["hosts"]:
        lines += ["| Status | Hosts |", "|---|---:|"]
        for status, number in run["hosts"].items():
            lines.append(f"| {_escape(status.replace('_', ' '))} | {number} |")
        lines.append("")
    if run["fails_because"]:
        lines += [f"**The run fails:** {_escape(' '.join(run['fails_because']))}", ""]
    lines += _drift(report["drift"])
    lines += _merged(report["merged"])
    rows = _rows(report)
    if rows:
        heads = ("Host", "Severity", "Control", "Status", "Reason", "What to do")
        lines += [f"| {' | '.join(heads)} |", "|---|---|---|---|---|---|"]
    origin = f"{_escape(run['user'])} on {_escape(run['controller'])}"
    end = f"{run['mode']}, {run['ended']}, {origin}. report.json has all of it."
    return "\n".join([*_bounded(lines, rows, end), "", end, ""])


def _bounded(lines: Sequence[str], rows: Sequence[str], end: str) -> list[str]:
    """Return the lines and as many rows as there is room for."""
    bounded = list(lines)
    size = sum(len(line.encode()) + 1 for line in (*lines, end)) + 100
    for index, row in enumerate(rows):
        size += len(row.encode()) + 1
        if size > MAX_BYTES:
            bounded += ["", f"and {len(rows) - index} more"]
            break
        bounded.append(row)
    return bounded


def _drift(drift: Drift | None) -> list[str]:
    if drift is None:
        return []
    counts = f"{len(drift['failing'])} newly failing, {len(drift['fixed'])} resolved"
    return [f"Since {drift['since']}: {counts}.", ""]


def _merged(merged: Merged | None) -> list[str]:
    if merged is None:
        return []
    lines = [f"Merged from {len(merged['reports'])} reports.", ""]
    if merged["missing"]:
        missing = first_words(merged["missing"], MAX_LISTED)
        lines += [f"**Expected, and in no report:** {_escape(missing)}", ""]
    conflicts = merged["conflicts"]
    if conflicts:
        lines += ["**Conflicts:**", ""]
        for conflict in conflicts[:MAX_LISTED]:
            lines.append(f"- {_escape(conflict)}")
        if len(conflicts) > MAX_LISTED:
            lines.append(f"- and {len(conflicts) - MAX_LISTED} more")
        lines.append("")
    return lines


def _rows(report: Report) -> list[str]:
    rows = []
    for group in groups(report):
        reason = group.title
        if group.example:
            reason += f". {group.example}"
        names = first_words(group.hosts, MAX_LISTED)
        rows.append(_row(names, "", "", "unreachable", reason, group.remedy))
    for host in not_judged(report):
        rows.append(_row(host["name"], "", "", host["status"], host["reason"], ""))
    for name, finding, control in _worst_first(report):
        severity = control["severity"] if control else "high"
        remedy = f"({CONTACTS[contact_of(finding)]}) {remedy_of(finding, control)}"
        status = finding["status"].replace("_", " ")
        rows.append(_row(name, severity, finding["control"], status, finding["reason"], remedy))
    return rows


def _worst_first(report: Report) -> list[tuple[str, Finding, Control | None]]:
    """Return the open findings with their hosts' names and their controls."""
    controls = {control["id"]: control for control in report["controls"]}
    findings: dict[str, list[tuple[str, Finding, Control | None]]] = {}
    for host in report["hosts"]:
        for finding in open_findings(host):
            control = controls.get(finding["control"])
            severity = control["severity"] if control else "high"
            findings.setdefault(severity, []).append((host["name"], finding, control))
    ordered = []
    for severity in reversed(SEVERITIES):
        ordered += findings.get(severity, [])
    return ordered


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escape(cell) for cell in cells)} |"


def _escape(text: str) -> str:
    """Return text on one line in which no character is markup of Markdown or HTML."""
    text = shorten(printable(" ".join(text.split())), MAX_CELL)
    text = re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("@", "&#64;").replace("://", "&#58;//")
    # GitHub makes a link of it without any protocol.
    return re.sub(r"www\.", "www&#46;", text, flags=re.IGNORECASE)
