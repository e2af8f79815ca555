# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.sarif: SARIF 2.1.0 (OASIS), for code scanning.

It has the open and the waived findings, since GitHub accepts 25,000 at most. GitHub requires a
physical location for each, which is report.json; the host is the logical one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from ...text import printable
from ..hosts import all_hosts, change_lines, repeats_reason
from ..model import OPEN, ControlRecord, FindingRecord, Host, Json, Report
from .report_json import FILE as REPORT_JSON

FILE = "report.sarif"
MARK = '"name": "ets6.network"'
MAX_RESULTS = 25_000
LEVELS = {"high": "error", "medium": "warning", "low": "note"}
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def render(report: Report) -> str:
    """Return the text of report.sarif. A host that was not judged has each of its controls open."""
    findings = _findings(report)
    rules = [_rule(control) for control in report["controls"]]
    indexes = {control["id"]: index for index, control in enumerate(report["controls"])}
    results = []
    for host, finding in findings[:MAX_RESULTS]:
        results.append(_result(host["name"], finding, indexes, report["controls"]))
    driver = {"name": "ets6.network", "version": report["run"]["collection"], "rules": rules}
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(report, len(findings) - len(results))],
        "results": results,
    }
    content = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _findings(report: Report) -> list[tuple[Host, FindingRecord]]:
    """Return the findings with their hosts: open ones, waived ones, those that were not judged.

    So hosts that are away do not take the room of what fails.
    """
    failing, waived, not_judged = [], [], []
    for host in report["hosts"]:
        for finding in host["findings"]:
            if repeats_reason(host, finding):
                not_judged.append((host, finding))
            elif finding["status"] in OPEN:
                failing.append((host, finding))
            elif finding["status"] == "waived":
                waived.append((host, finding))
    return failing + waived + not_judged


def _rule(control: ControlRecord) -> Json:
    text = f"{control['rationale']} {control['remedy']}".strip() or control["title"]
    return {
        "id": control["id"],
        "shortDescription": {"text": printable(control["title"])},
        "help": {"text": printable(text)},
        "defaultConfiguration": {"level": LEVELS[control["severity"]]},
    }


def _invocation(report: Report, missing: int) -> Json:
    """Return the notes on the run. missing: the number of findings that are left out."""
    notifications = []
    if missing:
        text = f"{missing} more findings are in {REPORT_JSON}."
        notifications.append({"level": "warning", "message": {"text": text}})
    judged = bool(report["hosts"]) and not any(host["reason"] for host in all_hosts(report))
    return {
        "executionSuccessful": judged,
        "endTimeUtc": report["run"]["ended"],
        "toolExecutionNotifications": notifications,
    }


def _result(
    host: str, finding: FindingRecord, indexes: Mapping[str, int], controls: Sequence[ControlRecord]
) -> Json:
    control = finding["control"]
    fingerprint = hashlib.sha256(f"{host}\0{control}".encode()).hexdigest()
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": REPORT_JSON},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"name": printable(host), "kind": "resource"}],
    }
    result: Json = {
        "ruleId": control,
        "level": "error",
        "message": {"text": _message([f"{host}: {finding['reason']}", *change_lines(finding)])},
        "locations": [location],
        "partialFingerprints": {"hostAndControl/v1": fingerprint},
    }
    if control in indexes:
        index = indexes[control]
        result["ruleIndex"] = index
        result["level"] = LEVELS[controls[index]["severity"]]
    if finding["status"] == "waived":
        reason = finding["reason"]
        if "waiver" in finding:
            reason = finding["waiver"]["reason"]
        suppression = {
            "kind": "external",
            "status": "accepted",
            "justification": printable(reason),
        }
        result["suppressions"] = [suppression]
    return result


def _message(parts: Sequence[str]) -> str:
    """Return a message of one line. Brackets would make links of it (SARIF 3.11.6)."""
    text = printable(" ".join(" ".join(parts).split()))
    return re.sub(r"([\\\[\]])", r"\\\1", text)
