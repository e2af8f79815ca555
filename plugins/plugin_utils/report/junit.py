# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""junit.xml, as Jenkins' junit-10.xsd has it and GitLab, GitHub and Azure DevOps take it: a suite a host, a case a control."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from .document import OPEN, Json, everybody
from .words import changes, visible

FILE = "junit.xml"
MARK = '<testsuites name="ets6.network"'
MAX_BYTES = 28_000_000
"""GitLab leaves a file of more than 30 MB aside, a MB being 10^6 or 2^20 bytes."""
EVIDENCE = (1_000, 100)
"""How many letters of a finding's evidence are shown, and how many where the file would become too large; report.json has all."""


def render(document: Json) -> str:
    """Return the text of junit.xml."""
    text = ""
    for most in EVIDENCE:
        text = _render(document, most)
        if len(text.encode()) <= MAX_BYTES:
            break
    return text


def _render(document: Json, most: int) -> str:
    controls = {control["id"]: control for control in document["controls"]}
    run = document["run"]
    suites = [_suite(host, controls, run, most) for host in everybody(document)]
    if not suites:
        # No case at all would look like a success.
        nobody = {"name": "ets6.network", "status": "unknown", "reason": run["verdict"], "findings": []}
        suites.append(_suite(nobody, controls, run, most))
    root = ElementTree.Element("testsuites", {"name": "ets6.network", **_sums(suites), "time": "0"})
    root.extend(suites)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(host: Json, controls: dict[str, Json], run: Json, most: int) -> ElementTree.Element:
    # What XML forbids is told and not replaced: GitLab drops a case that has the name of another one.
    name = visible(host["name"])
    cases = [_case(name, finding, controls.get(finding["control"], {}), most) for finding in host["findings"]]
    if host["reason"]:
        # A host that could not be judged is an error even where no control is known.
        case = ElementTree.Element("testcase", {"classname": name, "name": "host is judged", "time": "0"})
        ElementTree.SubElement(case, "error", {"message": visible(host["reason"]), "type": host["status"]})
        cases.insert(0, case)
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    # The schema has no zone in a timestamp.
    timestamp = run["ended"].removesuffix("Z")
    suite = ElementTree.Element("testsuite", {"name": name, "hostname": name, "timestamp": timestamp, **counts, "time": "0"})
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", {"name": "status", "value": host["status"]})
    suite.extend(cases)
    return suite


def _case(host: str, finding: Json, control: Json, most: int) -> ElementTree.Element:
    title = visible(f"{finding['control']} {control.get('title', '')}".strip())
    case = ElementTree.Element("testcase", {"classname": host, "name": title, "time": "0"})
    reason, status = visible(finding["reason"]), finding["status"]
    if status == "waived":
        waiver = finding.get("waiver") or {}
        told = visible(f"waived until {waiver.get('expires')}: {waiver.get('reason')}")
        ElementTree.SubElement(case, "skipped", {"message": f"{told} ({reason})"})
    elif status == "not_applicable":
        ElementTree.SubElement(case, "skipped", {"message": f"not applicable: {reason}"})
    elif status == "unknown":
        ElementTree.SubElement(case, "error", {"message": reason, "type": "unknown"})
    elif status in OPEN:
        failure = ElementTree.SubElement(case, "failure", {"message": reason, "type": control.get("severity", "high")})
        lines = [finding["reason"], f"Why: {control.get('rationale', '')}", f"What to do: {control.get('remedy', '')}"]
        lines += [f"Change: {change}" for change in changes(finding)]
        lines.append(f"Evidence: {_evidence(finding, most)}")
        failure.text = "\n".join(map(visible, lines))
    return case


def _evidence(finding: Json, most: int) -> str:
    text = json.dumps(finding["evidence"], ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}… (report.json has all)"


def _sums(suites: list[ElementTree.Element]) -> dict[str, str]:
    return {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in ("tests", "failures", "errors")}
