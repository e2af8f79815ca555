# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.hdf.json against what exec-json.json of MITRE's inspecjs requires, restated here.

EXECUTION says the same in short: every required key, and the type of each key that is written.
tests/integration/test_heimdall.py has inspecjs itself read the file.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_hdf

from .samples import AWAY, HOSTILE, build, hostile, large, result, waived

TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}


def record(required: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object whose other keys are not looked at."""
    return {"type": "object", "required": required.split(), "properties": properties}


def several(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


RESULT = record(
    "code_desc start_time",
    status={"enum": ["passed", "failed", "skipped", "error"]},
    code_desc=TEXT,
    start_time=TEXT,
    run_time={"type": ["number", "null"]},
    resource=TEXT_OR_NULL,
    message=TEXT_OR_NULL,
    skip_message=TEXT_OR_NULL,
)
WAIVER = record(
    "",
    expiration_date=TEXT_OR_NULL,
    justification=TEXT_OR_NULL,
    message=TEXT_OR_NULL,
    run={"type": ["boolean", "null"]},
    skipped_due_to_waiver={"type": ["boolean", "string", "null"]},
)
CONTROL = record(
    "id impact refs tags source_location results",
    id=TEXT,
    title=TEXT_OR_NULL,
    desc=TEXT_OR_NULL,
    descriptions=several(record("label data", label=TEXT, data=TEXT)),
    impact={"type": "number", "minimum": 0, "maximum": 1},
    refs={"type": "array"},
    tags={"type": "object"},
    code=TEXT_OR_NULL,
    source_location={"type": "object"},
    results=several(RESULT),
    waiver_data=WAIVER,
)
PROFILE = record(
    "name sha256 supports attributes groups controls",
    name=TEXT,
    title=TEXT_OR_NULL,
    summary=TEXT_OR_NULL,
    version=TEXT_OR_NULL,
    sha256=TEXT,
    supports={"type": "array"},
    attributes={"type": "array"},
    groups={"type": "array"},
    controls=several(CONTROL),
)
EXECUTION = record(
    "platform profiles statistics version",
    platform=record("name release", name=TEXT, release=TEXT, target_id=TEXT_OR_NULL),
    profiles=several(PROFILE),
    statistics=record("", duration={"type": ["number", "null"]}),
    version=TEXT,
)


def rendered(**hosts: Any) -> dict[str, Any]:
    content = json.loads(report_hdf.render(build(**hosts)))
    jsonschema.Draft202012Validator(EXECUTION).validate(content)
    return content["profiles"][0]


def results(control: int, **hosts: Any) -> dict[str, str]:
    """Return the status by host of a control."""
    found = rendered(**hosts)["controls"][control]["results"]
    return {item["resource"]: item["status"] for item in found}


def test_every_status_has_its_counterpart_and_nothing_unknown_passes() -> None:
    hosts = {
        "a": result("pass", "fail", "unknown"),
        "b": result("fixed", "would_fix", "not_applicable"),
        "c": AWAY,
    }
    assert results(0, **hosts) == {"a": "passed", "b": "passed", "c": "error"}
    skipped = {"a": "failed", "b": "failed", "c": "skipped"}
    assert results(1, **hosts) == skipped, "an error would hide that the control fails"
    assert results(2, **hosts) == {"a": "error", "b": "skipped", "c": "error"}


def test_severity_is_the_impact_and_the_remedy_is_the_fix() -> None:
    controls = rendered(a=result("fail", "pass", "pass"))["controls"]
    assert [control["impact"] for control in controls] == [0.7, 0.5, 0.3]
    (failed,) = controls[0]["results"]
    assert "What to do (the administrators of the PC): Make the rule." in failed["message"]
    assert {"label": "fix", "data": "Make the rule."} in controls[0]["descriptions"]


def test_a_waiver_is_named_with_its_end() -> None:
    control = rendered(a=waived("2026-12-24", "jane"), b=result("pass", "pass", "pass"))[
        "controls"
    ][0]
    assert control["waiver_data"]["expiration_date"] == "2026-12-24"
    assert control["waiver_data"]["skipped_due_to_waiver"] is False, "of two hosts one is waived"
    assert [item["status"] for item in control["results"]] == ["skipped", "passed"]


def test_hostile_texts_and_large_fleets_are_of_the_form() -> None:
    assert HOSTILE not in json.dumps(rendered(a=hostile()), ensure_ascii=False)
    assert len(rendered(**large(200))["controls"]) == 25
