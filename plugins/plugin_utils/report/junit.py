# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""junit.xml, as Jenkins' junit-10.xsd has it and GitLab, GitHub and Azure DevOps take it: a suite a host, a case a control."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from . import words
from .document import OPEN, Json

FILE = "junit.xml"

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 does not allow, even escaped."""


def render(document: Json) -> str:
    """Return the text of junit.xml."""
    controls = {control["id"]: control for control in document["controls"]}
    suites = [_suite(host, controls, document["run"]) for host in document["hosts"]]
    root = ElementTree.Element("testsuites", {"name": "ets6.network", **_sums(suites), "time": "0"})
    root.extend(suites)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(host: Json, controls: dict[str, Json], run: Json) -> ElementTree.Element:
    cases = [_case(host["name"], finding, controls.get(finding["control"], {})) for finding in host["findings"]]
    if host["reason"]:
        # A host that could not be judged is an error even where no control is known.
        case = ElementTree.Element("testcase", {"classname": _clean(host["name"]), "name": "host is judged", "time": "0"})
        ElementTree.SubElement(case, "error", {"message": _clean(host["reason"]), "type": host["status"]})
        cases.insert(0, case)
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    name = _clean(host["name"])
    suite = ElementTree.Element(
        "testsuite", {"name": name, "hostname": name, "timestamp": run["ended"][:19], **counts, "time": "0"}
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", {"name": "status", "value": host["status"]})
    suite.extend(cases)
    return suite


def _case(host: str, finding: Json, control: Json) -> ElementTree.Element:
    title = f"{finding['control']} {control.get('title', '')}".strip()
    case = ElementTree.Element("testcase", {"classname": _clean(host), "name": _clean(title), "time": "0"})
    reason = _clean(finding["reason"])
    if finding["status"] in ("waived", "not_applicable"):
        ElementTree.SubElement(case, "skipped", {"message": f"{finding['status']}: {reason}"})
    elif finding["status"] == "unknown":
        ElementTree.SubElement(case, "error", {"message": reason, "type": "unknown"})
    elif finding["status"] in OPEN:
        failure = ElementTree.SubElement(case, "failure", {"message": reason, "type": control.get("severity", "high")})
        told = [reason, f"Why: {control.get('rationale', '')}", f"What to do: {control.get('remedy', '')}"]
        told += [f"Change: {change}" for change in words.changes(finding)]
        told.append(f"Evidence: {words.evidence(finding)}")
        failure.text = _clean("\n".join(told))
    return case


def _sums(suites: list[ElementTree.Element]) -> dict[str, str]:
    return {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in ("tests", "failures", "errors")}


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
