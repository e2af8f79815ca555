# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The data of report.html for its script: columns, in which each text is stored once."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...finding import Status
from ...text import printable, printable_data, shorten
from ..causes import CONTACTS, contact_of
from ..hosts import earlier_runs
from ..model import (
    OPEN,
    UNREACHABLE,
    ControlRecord,
    FindingRecord,
    Host,
    Json,
    Report,
    StatusChange,
)
from .stages import lines_of

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
"""A symbol and a word for each status: some people, and printers, do not see colors."""
LETTERS = dict(zip(SYMBOLS, "xfuwdvpn", strict=True))
"""A letter for each status, in the matrix."""
NO_CONTROL = "."
"""In the matrix, a control that the host does not have."""
MAX_REASON = 200
"""Characters of the reason why a host was not judged: a network that is down gives thousands."""
MAX_TEXT = 10_000
"""Characters of a text in evidence or changes."""
DETAIL_COLUMNS = (
    "reasons",
    "times",
    "evidence",
    "changes",
    "waivers",
    "remedies",
    "contacts",
    "causes",
    "stages",
)


def matrix_data(report: Report, with_evidence: Collection[str]) -> Json:
    """Return what the matrix shows. with_evidence: statuses of findings that have their evidence."""
    groups = _all_groups(report["hosts"])
    controls = _control_indexes(report)
    names, members, reasons, matrix = [], [], [], []
    status_letters = ""
    left_out = False
    for host in report["hosts"]:
        names.append(printable(host["name"]))
        members.append([groups.index(group) for group in host["groups"]])
        reasons.append(shorten(printable(host["reason"]), MAX_REASON))
        status_letters += LETTERS[host["status"]]
        letters = [NO_CONTROL] * len(controls)
        for finding in host["findings"]:
            left_out |= bool(finding["evidence"]) and finding["status"] not in with_evidence
            if finding["control"] in controls:
                letters[controls[finding["control"]]] = LETTERS[finding["status"]]
        matrix.append("".join(letters))
    newly_failing, resolved = _drift(report, controls)
    return {
        "controls": _control_rows(report["controls"]),
        "statuses": _statuses(),
        "open": _open_letters(),
        "hosts": names,
        "status": status_letters,
        "groups": printable_data(groups, MAX_TEXT),
        "member": members,
        "reason": reasons,
        "matrix": matrix,
        "newly_failing": newly_failing,
        "resolved": resolved,
        "left_out": left_out,
    }


def packed_details(report: Report, with_evidence: Collection[str]) -> Json:
    """Return what the dialogs show, compressed: the texts, and by control and host their numbers.

    The text 0 is empty.
    """
    controls = _control_indexes(report)
    texts = _Texts()
    columns: dict[str, list[list[int]]] = {}
    for name in DETAIL_COLUMNS:
        columns[name] = [[0] * len(report["hosts"]) for _control in controls]
    for host_index, host in enumerate(report["hosts"]):
        for finding in host["findings"]:
            if finding["control"] in controls:
                control_index = controls[finding["control"]]
                details = _details(host, finding, with_evidence)
                for name, text in zip(DETAIL_COLUMNS, details, strict=True):
                    columns[name][control_index][host_index] = texts.number(text)
    facts = [texts.number(_json_text(_fact_rows(host))) for host in report["hosts"]]
    content = _compact({"texts": list(texts.numbers), "facts": facts, **columns})
    compressed = gzip.compress(content.encode(), 9, mtime=0)
    return {"gzip": base64.b64encode(compressed).decode("ascii")}


def _fact_rows(host: Host) -> list[list[str]]:
    """Return what is known of a host as names and texts: a run that did not end, and its facts."""
    note = earlier_runs(host)
    rows = [["Earlier run", note]] if note else []
    if host.get("facts"):
        rows += _facts(host["at"], host["facts"])
    return rows


def _facts(at: str, facts: Json) -> list[list[str]]:
    """Return the facts of a host that was read at that time."""
    rows = [["Read", f"{at} by ets6.network {facts.get('collection', '')}"]]
    windows = " ".join(str(facts[name]) for name in ("edition", "windows") if name in facts)
    if windows:
        rows.append(["Windows", windows])
    for program in facts.get("programs", ()):
        rows.append(["Program", f"{program['path']} {program['version']}"])
    if "domain" in facts:
        rows.append(["Domain", facts["domain"] or "none (workgroup)"])
    for name, title in (("addresses", "Addresses"), ("profiles", "Active profiles")):
        if facts.get(name):
            rows.append([title, ", ".join(facts[name])])
    return rows


@dataclass
class _Texts:
    """Texts by the order in which they were first used."""

    numbers: dict[str, int] = field(default_factory=lambda: {"": 0})

    def number(self, text: str) -> int:
        """Return the number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))


def _details(host: Host, finding: FindingRecord, with_evidence: Collection[str]) -> tuple[str, ...]:
    """Return a finding's texts, in the order of DETAIL_COLUMNS."""
    evidence: Json = {}
    lines: Json = {}
    if finding["status"] in with_evidence:
        evidence = finding["evidence"]
        lines = _stage_lines(finding)
    return (
        printable(finding["reason"]),
        finding.get("at", host["at"]),
        _json_text(evidence),
        _json_text(_changes(finding)),
        _json_text(finding.get("waiver")),
        printable(finding.get("remedy", "")),
        CONTACTS[contact_of(finding)] if "contact" in finding else "",
        printable(finding.get("caused_by", "")),
        _json_text(lines),
    )


def _changes(finding: FindingRecord) -> Json:
    """Return the changes of a finding with what became of them; empty without any."""
    if not finding["changes"]:
        return {}
    title = "The exact change"
    if finding["changed"] and finding["status"] == Status.FIXED:
        title = "What was changed"
    elif finding.get("sent"):
        title = "What was sent; whether it took effect is not known"
    return {"title": title, "changes": finding["changes"]}


def _stage_lines(finding: FindingRecord) -> Json:
    """Return the lines of stages of a finding; empty where it has none."""
    found = lines_of(finding)
    return asdict(found) if found.lines else {}


def _json_text(content: Any) -> str:
    """Return JSON data as a text; empty where there is none."""
    return _compact(printable_data(content, MAX_TEXT)) if content else ""


def _compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _all_groups(hosts: Sequence[Host]) -> list[str]:
    groups: set[str] = set()
    for host in hosts:
        groups.update(host["groups"])
    return sorted(groups)


def _control_indexes(report: Report) -> dict[str, int]:
    return {control["id"]: index for index, control in enumerate(report["controls"])}


def _control_rows(controls: Sequence[ControlRecord]) -> list[list[str]]:
    rows = []
    for control in controls:
        texts = [
            control["id"],
            control["title"],
            control["headline"],
            control["severity"],
            control["rationale"],
            control["remedy"],
        ]
        rows.append(printable_data(texts, MAX_TEXT))
    return rows


def _statuses() -> Json:
    """Return status, symbol and word by letter, the worst first."""
    statuses = {}
    for status, (symbol, word) in SYMBOLS.items():
        statuses[LETTERS[status]] = [status, symbol, word]
    return statuses


def _open_letters() -> str:
    letters = LETTERS[UNREACHABLE]
    for status in sorted(OPEN):
        letters += LETTERS[status]
    return letters


Cells = list[tuple[int, int]]
"""Cells of the matrix: the host's index and the control's."""


def _drift(report: Report, controls: Mapping[str, int]) -> tuple[Cells, Cells]:
    """Return the cells that fail newly, and those that are resolved."""
    drift = report["drift"]
    if drift is None:
        return [], []
    hosts = {host["name"]: index for index, host in enumerate(report["hosts"])}
    newly_failing = _cells(drift["failing"], hosts, controls)
    return newly_failing, _cells(drift["fixed"], hosts, controls)


def _cells(
    changes: Sequence[StatusChange], hosts: Mapping[str, int], controls: Mapping[str, int]
) -> Cells:
    cells = []
    for change in changes:
        if change["control"] in controls:
            cells.append((hosts[change["host"]], controls[change["control"]]))
    return cells
