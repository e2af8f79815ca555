# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""junit.xml: a suite for each host, a case for each control.

Its form is that of Jenkins' junit-10.xsd, which GitLab, GitHub and Azure DevOps read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ...text import printable
from ..causes import CONTACTS, contact_of, remedy_of
from ..hosts import HostResult, all_hosts, change_lines, earlier_runs, repeats_reason
from ..model import OPEN, ControlRecord, FindingRecord, Host, Report

FILE = "junit.xml"
MARK = '<testsuites name="ets6.network"'
MAX_BYTES = 28_000_000
"""GitLab ignores a file of more than 30 MB, an MB being 10^6 or 2^20 bytes."""
MAX_EVIDENCE = (1_000, 100)
"""Characters of a finding's evidence, and those where the file would become too large."""

Controls = Mapping[str, ControlRecord]


def render(report: Report) -> str:
    """Return the text of junit.xml."""
    text = ""
    for max_evidence in MAX_EVIDENCE:
        text = _render(report, max_evidence)
        if len(text.encode()) <= MAX_BYTES:
            break
    return text


def _render(report: Report, max_evidence: int) -> str:
    controls = {control["id"]: control for control in report["controls"]}
    run = report["run"]
    hosts = all_hosts(report)
    if not hosts:
        # No case at all would look like a success.
        nothing = HostResult("ets6.network", "unknown", run["ended"], run["verdict"])
        hosts.append(nothing.to_record({}))
    suites = [_suite(host, controls, run["ended"], max_evidence) for host in hosts]
    totals = {name: str(_total(suites, name)) for name in ("tests", "failures", "errors")}
    root = Element("testsuites", {"name": "ets6.network", **totals, "time": "0"})
    root.extend(suites)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _total(suites: Sequence[Element], name: str) -> int:
    return sum(int(suite.get(name, "0")) for suite in suites)


def _suite(host: Host, controls: Controls, ended: str, max_evidence: int) -> Element:
    # Characters that XML forbids become escapes instead of one replacement: GitLab ignores a case
    # that has the name of another one.
    name = printable(host["name"])
    cases = []
    if host["reason"]:
        # A host that could not be judged is an error even where no control is known.
        case = _new_case(name, "host is judged")
        _add(case, "error", host["reason"], host["status"])
        cases.append(case)
    for finding in host["findings"]:
        control = controls.get(finding["control"])
        if repeats_reason(host, finding):
            # The host is one error, and not one for each control.
            cases.append(_skipped_case(name, finding, control))
        else:
            cases.append(_case(name, finding, control, max_evidence))
    attributes = {
        "name": name,
        "hostname": name,
        # The schema has no zone in a timestamp.
        "timestamp": ended.removesuffix("Z"),
        "tests": str(len(cases)),
        "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
        "skipped": _count(cases, "skipped"),
        "time": "0",
    }
    suite = Element("testsuite", attributes)
    properties = SubElement(suite, "properties")
    SubElement(properties, "property", {"name": "status", "value": host["status"]})
    suite.extend(cases)
    note = earlier_runs(host)
    if note:
        # Neither a failure nor an error: what the host is now was judged.
        SubElement(suite, "system-err").text = printable(note)
    return suite


def _count(cases: Sequence[Element], tag: str) -> str:
    return str(sum(case.find(tag) is not None for case in cases))


def _new_case(host: str, name: str) -> Element:
    return Element("testcase", {"classname": host, "name": name, "time": "0"})


def _add(case: Element, tag: str, message: str, outcome_type: str = "") -> Element:
    attributes = {"message": printable(message)}
    if outcome_type:
        attributes["type"] = outcome_type
    return SubElement(case, tag, attributes)


def _finding_case(host: str, finding: FindingRecord, control: ControlRecord | None) -> Element:
    title = control["title"] if control else ""
    return _new_case(host, printable(f"{finding['control']} {title}".strip()))


def _skipped_case(host: str, finding: FindingRecord, control: ControlRecord | None) -> Element:
    case = _finding_case(host, finding, control)
    _add(case, "skipped", "The host was not judged.")
    return case


def _case(
    host: str, finding: FindingRecord, control: ControlRecord | None, max_evidence: int
) -> Element:
    case = _finding_case(host, finding, control)
    reason, status = finding["reason"], finding["status"]
    if status == "waived":
        _add(case, "skipped", f"{_waived(finding)} ({reason})")
    elif status == "not_applicable":
        _add(case, "skipped", f"not applicable: {reason}")
    elif status == "unknown":
        _add(case, "error", reason, "unknown")
    elif status in OPEN:
        severity = control["severity"] if control else "high"
        failure = _add(case, "failure", reason, severity)
        failure.text = _failure_text(finding, control, max_evidence)
    return case


def _waived(finding: FindingRecord) -> str:
    waiver = finding.get("waiver")
    if not waiver:
        return "waived"
    return f"waived until {waiver['expires']}: {waiver['reason']}"


def _failure_text(finding: FindingRecord, control: ControlRecord | None, max_evidence: int) -> str:
    lines = [finding["reason"]]
    if control:
        lines.append(f"Why it matters: {control['rationale']}")
    lines.append(f"What to do ({CONTACTS[contact_of(finding)]}): {remedy_of(finding, control)}")
    if "caused_by" in finding:
        lines.append(f"It follows from {finding['caused_by']}.")
    for line in change_lines(finding):
        lines.append(f"Change: {line}")
    evidence = json.dumps(finding["evidence"], ensure_ascii=False)
    if len(evidence) > max_evidence:
        evidence = f"{evidence[:max_evidence]}… (report.json has all of it)"
    lines.append(f"Evidence: {evidence}")
    return "\n".join(printable(line) for line in lines)
