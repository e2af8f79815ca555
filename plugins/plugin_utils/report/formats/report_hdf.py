# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.hdf.json: the Heimdall Data Format, which auditors' tools such as Heimdall and SAF open.

Its form is that of MITRE's schema exec-json.json: a profile with the controls, and for each control
a result for each host.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...text import count, printable, printable_data
from ..causes import CONTACTS, contact_of, remedy_of
from ..hosts import all_hosts
from ..model import AppliedWaiver, ControlRecord, FindingRecord, Host, Report

FILE = "report.hdf.json"
MARK = '"name": "ets6.network"'
IMPACTS = {"high": 0.7, "medium": 0.5, "low": 0.3}
"""Heimdall's own limits of these severities."""
NOT_APPLICABLE = 0.0
"""The impact by which Heimdall knows a control that does not apply."""
STATUSES = {
    "pass": "passed",
    "fixed": "passed",
    "fail": "failed",
    "would_fix": "failed",
    "unknown": "error",
    "waived": "skipped",
    "not_applicable": "skipped",
}
MAX_TEXT = 4_000

Json = dict[str, Any]


def render(report: Report) -> str:
    """Return the text of report.hdf.json."""
    run = report["run"]
    hosts = all_hosts(report)
    controls = [_control(control, hosts) for control in report["controls"]]
    profile = {
        "name": "ets6.network",
        "title": "Readiness of Windows PCs for KNX ETS6",
        "version": run["collection"],
        "summary": run["verdict"],
        "sha256": report["sha256"],
        "supports": [],
        "attributes": [],
        "groups": [],
        "controls": controls,
    }
    content = {
        "platform": {
            "name": "ets6.network",
            "release": run["collection"],
            "target_id": count(len(hosts), "host"),
        },
        "version": run["collection"],
        "statistics": {"duration": None},
        "profiles": [profile],
    }
    return json.dumps(printable_data(content, MAX_TEXT), ensure_ascii=False, indent=1) + "\n"


def _control(control: ControlRecord, hosts: Sequence[Host]) -> Json:
    found = _findings(control, hosts)
    results = _results(found, control)
    impact = IMPACTS[control["severity"]]
    if {finding["status"] for _host, finding in found} == {"not_applicable"}:
        impact = NOT_APPLICABLE
    record: Json = {
        "id": control["id"],
        "title": control["title"],
        "desc": control["rationale"],
        "descriptions": [
            {"label": "rationale", "data": control["rationale"]},
            {"label": "fix", "data": control["remedy"]},
        ],
        "impact": impact,
        "refs": [],
        "tags": {"severity": control["severity"], "headline": control["headline"]},
        "code": "",
        "source_location": {},
        "results": results,
    }
    waivers = [finding["waiver"] for _host, finding in found if _is_waived(finding)]
    if waivers:
        all_skipped = all(result["status"] == "skipped" for result in results)
        record["waiver_data"] = _waiver_data(waivers, all_skipped)
    return record


def _waiver_data(waivers: Sequence[AppliedWaiver], all_skipped: bool) -> Json:
    """Return the terms of the waiver that ends last."""
    last = max(waivers, key=lambda waiver: waiver["expires"])
    return {
        "justification": f"{last['reason']} ({last['owner']})",
        "expiration_date": last["expires"],
        "run": True,
        "skipped_due_to_waiver": all_skipped,
        "message": f"Waived on {count(len(waivers), 'host')}.",
    }


def _findings(control: ControlRecord, hosts: Sequence[Host]) -> list[tuple[Host, FindingRecord]]:
    """Return the findings of a control, each with its host."""
    found = []
    for host in hosts:
        for finding in host["findings"]:
            if finding["control"] == control["id"]:
                found.append((host, finding))
    return found


def _results(found: Sequence[tuple[Host, FindingRecord]], control: ControlRecord) -> list[Json]:
    results = [_result(host, finding, control) for host, finding in found]
    if any(result["status"] == "failed" for result in results):
        results = [_without_error(result) for result in results]
    return results


def _is_waived(finding: FindingRecord) -> bool:
    return finding["status"] == "waived" and "waiver" in finding


def _without_error(result: Json) -> Json:
    """Return the result of a control that fails on some host.

    Readers show a control with any error as an error, which would hide that it fails.
    """
    if result["status"] != "error":
        return result
    skipped = {**result, "status": "skipped", "skip_message": result["message"]}
    del skipped["message"]
    return skipped


def _result(host: Host, finding: FindingRecord, control: ControlRecord) -> Json:
    status = STATUSES[finding["status"]]
    result: Json = {
        "status": status,
        "code_desc": f"{printable(host['name'])}: {control['title']}",
        "start_time": finding.get("at", host["at"]),
        "run_time": None,
        "resource": host["name"],
    }
    if status == "skipped":
        result["skip_message"] = finding["reason"]
        return result
    message = finding["reason"]
    if status != "passed":
        message += f"\nWhat to do ({CONTACTS[contact_of(finding)]}): {remedy_of(finding, control)}"
    result["message"] = message
    return result
