# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.sarif: SARIF 2.1.0 (OASIS), for code scanning: open and waived findings, since GitHub takes 25,000 at most.

GitHub wants a physical location of each, so that is report.json; the host is the logical one.
"""

from __future__ import annotations

import hashlib
import json
import re

from .document import OPEN, Json, everybody
from .words import changes, visible

FILE = "report.sarif"
MARK = '"name": "ets6.network"'
MOST = 25_000
LEVELS = {"high": "error", "medium": "warning", "low": "note"}
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(document: Json) -> str:
    """Return the text of report.sarif; a host that was not judged has each of its controls open."""
    rules = [
        {
            "id": control["id"],
            "shortDescription": {"text": visible(control["title"])},
            "help": {"text": visible(f"{control['rationale']} {control['remedy']}".strip() or control["title"])},
            "defaultConfiguration": {"level": LEVELS[control["severity"]]},
        }
        for control in document["controls"]
    ]
    at = {rule["id"]: index for index, rule in enumerate(rules)}
    found = [(host, item) for host in document["hosts"] for item in host["findings"] if item["status"] in (*OPEN, "waived")]
    found.sort(key=lambda one: one[1]["status"] == "waived")
    levels = {control["id"]: LEVELS[control["severity"]] for control in document["controls"]}
    results = [_result(host["name"], item, at, levels) for host, item in found[:MOST]]
    run = document["run"]
    driver = {"name": "ets6.network", "version": run["collection"], "rules": rules}
    notes = [f"{len(found) - MOST} more findings stand in report.json."] if len(found) > MOST else []
    invocation = {
        "executionSuccessful": bool(document["hosts"]) and not any(host["reason"] for host in everybody(document)),
        "endTimeUtc": run["ended"],
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": note}} for note in notes],
    }
    content = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "invocations": [invocation], "results": results}],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _message(parts: list[str]) -> str:
    """Return a message of one line; brackets would make links of it (SARIF 3.11.6)."""
    return re.sub(r"([\\\[\]])", r"\\\1", visible(" ".join(" ".join(parts).split())))


def _result(host: str, item: Json, at: dict[str, int], levels: dict[str, str]) -> Json:
    result: Json = {
        "ruleId": item["control"],
        "level": levels.get(item["control"], "error"),
        "message": {"text": _message([f"{host}: {item['reason']}", *changes(item)])},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": "report.json"}, "region": {"startLine": 1}},
                "logicalLocations": [{"name": visible(host), "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"hostAndControl/v1": hashlib.sha256(f"{host}\0{item['control']}".encode()).hexdigest()},
    }
    if item["control"] in at:
        result["ruleIndex"] = at[item["control"]]
    if item["status"] == "waived":
        waiver = item.get("waiver") or {}
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": visible(str(waiver.get("reason") or item["reason"]))}
        ]
    return result
