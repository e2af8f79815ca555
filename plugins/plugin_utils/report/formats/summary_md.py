# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""summary.md: what a CI job shows on its page.

GitHub drops a step's summary above 1 MiB, so it stays below MAX_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...finding import Severity, severity_rank
from ...text import count, first_words, printable, shorten
from ..causes import CONTACTS, contact_of, remedy_of
from ..hosts import NOT_YET, earlier_runs, open_findings
from ..model import ControlRecord, Drift, Merged, Report
from ..unreachable import groups, not_judged

FILE = "summary.md"
MARK = "# ets6.network: "
MAX_BYTES = 900_000
MAX_CELL = 300
"""Characters of a cell."""
MAX_REASONS = 5
"""Rows of a control, one for each reason."""
MAX_LISTED = 20
"""Hosts or conflicts that are listed."""


def render(report: Report) -> str:
    """Return the text of summary.md.

    It has the verdict, hosts that were not reached by reason, those that were not judged, and open
    findings by control and reason, the most severe first.
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
        heads = ("Hosts", "Severity", "Control", "Status", "Reason", "What to do")
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
        names = _names(group.hosts)
        rows.append(_row(names, "", "", "unreachable", reason, group.remedy))
    for (status, reason), hosts in _host_reasons(report).items():
        rows.append(_row(_names(hosts), "", "", status, reason, ""))
    for open_group in _open_groups(report):
        rows += _group_rows(open_group)
    return rows


def _host_reasons(report: Report) -> dict[tuple[str, str], list[str]]:
    """Return what is reported about hosts as a whole: names by status and reason.

    It is why they were not judged, and what an earlier run left.
    """
    hosts: dict[tuple[str, str], list[str]] = {}
    for host in not_judged(report):
        hosts.setdefault((host["status"], host["reason"]), []).append(host["name"])
    if report["run"]["pending"]:
        hosts["unknown", NOT_YET] = report["run"]["pending"]
    for host in report["hosts"]:
        note = earlier_runs(host)
        if note:
            hosts.setdefault((host["status"], note), []).append(host["name"])
    return hosts


@dataclass
class _Group:
    """The open findings of a control: the names of hosts by status, reason and remedy."""

    control_id: str
    control: ControlRecord | None
    hosts: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """The severity of the control."""
        return self.control["severity"] if self.control else Severity.HIGH.value

    @property
    def number(self) -> int:
        """How many findings there are."""
        return sum(len(names) for names in self.hosts.values())


def _open_groups(report: Report) -> list[_Group]:
    """Return the open findings by control, the most severe first, then those of most hosts."""
    controls = {control["id"]: control for control in report["controls"]}
    by_control: dict[str, _Group] = {}
    for host in report["hosts"]:
        for finding in open_findings(host):
            control_id = finding["control"]
            control = controls.get(control_id)
            group = by_control.setdefault(control_id, _Group(control_id, control))
            remedy = f"({CONTACTS[contact_of(finding)]}) {remedy_of(finding, control)}"
            key = (finding["status"], finding["reason"], remedy)
            group.hosts.setdefault(key, []).append(host["name"])

    def order(group: _Group) -> tuple[int, int, str]:
        return -severity_rank(group.severity), -group.number, group.control_id

    return sorted(by_control.values(), key=order)


def _group_rows(group: _Group) -> list[str]:
    """Return a row for each of the most frequent reasons, and one for the rest."""
    entries = sorted(group.hosts.items(), key=lambda entry: (-len(entry[1]), entry[1]))
    rows = []
    for (status, reason, remedy), names in entries[:MAX_REASONS]:
        status = status.replace("_", " ")
        rows.append(_row(_names(names), group.severity, group.control_id, status, reason, remedy))
    rest = sum(len(names) for _key, names in entries[MAX_REASONS:])
    if rest:
        other = f"other reasons on {count(rest, 'host')}"
        rows.append(_row(str(rest), group.severity, group.control_id, "", other, ""))
    return rows


def _names(hosts: Sequence[str]) -> str:
    """Return how many hosts there are, and as many of their names as fit into a cell."""
    if len(hosts) == 1:
        return hosts[0]
    names = ""
    for number in range(min(MAX_LISTED, len(hosts)), 0, -1):
        names = f"{len(hosts)}: {first_words(hosts, number)}"
        if len(printable(names)) <= MAX_CELL:
            break
    return names


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
