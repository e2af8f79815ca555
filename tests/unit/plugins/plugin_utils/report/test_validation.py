# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reports held against schema.json, by fastjsonschema and, for a second opinion, by jsonschema."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import drift, validation

from .samples import AWAY, CONTROLS, HOSTILE, build, finding, large, result

VALIDATOR = jsonschema.Draft202012Validator(validation.schema())


def whole() -> dict[str, Any]:
    """Return a report in which everything occurs that the schema knows."""
    waiver = {
        "control": CONTROLS[0]["id"],
        "controls": [CONTROLS[0]["id"]],
        "hosts": ["a"],
        "groups": [],
        "reason": "So.",
        "owner": "jane",
        "ticket": "",
    }
    waiver["expires"] = "2027-03-31"
    found = result("waived", "fail", "pass", waivers=[waiver])
    found["findings"][0]["waiver"] = {**waiver, "status": "fail", "expired": False}
    change = {"subject": "x", "before": {}, "after": {"a": 1}}
    found["findings"][1] = finding(
        CONTROLS[1]["id"], "fail", changes=[change], at="2026-11-01T00:00:00Z"
    )
    report = build(a=found, b=AWAY)
    report["drift"] = drift.between(build(a=result("pass", "pass", "fail")), report, ())
    report["merged"] = {
        "reports": [{"run": report["run"], "sha256": report["sha256"]}],
        "conflicts": ["x"],
        "missing": ["y"],
    }
    return report


def test_a_whole_report_has_no_problem() -> None:
    VALIDATOR.validate(whole())
    assert validation.problem(whole()) == ""


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(content, (dict, list)):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield (*path, key)
            yield from places(value, (*path, key))


WRONG = (None, True, -1, 7, "", "x", "green", [], {}, [None], {"x": None})


@pytest.mark.parametrize("path", list(places(whole())), ids=lambda path: ".".join(map(str, path)))
def test_whatever_is_put_anywhere_or_is_lacking_it_says_what_the_library_says(
    path: tuple[Any, ...],
) -> None:
    *before, last = path
    for wrong in (*WRONG, ...):
        report = whole()
        at = report
        for key in before:
            at = at[key]
        if wrong is ...:
            del at[last]
        else:
            at[last] = copy.deepcopy(wrong)
        errors = [
            error
            for error in VALIDATOR.iter_errors(report)
            if error.validator != "additionalProperties"
        ]
        told = validation.problem(report)
        assert bool(told) is bool(errors), (wrong, told, errors)


def test_it_says_where() -> None:
    report = whole()
    report["hosts"][1]["findings"][0]["status"] = "green"
    statuses = "['pass', 'fail', 'fixed', 'would_fix', 'waived', 'not_applicable', 'unknown']"
    assert validation.problem(report) == f"hosts[1].findings[0].status must be one of {statuses}"
    del report["hosts"][0]["at"]
    assert validation.problem(report) == "hosts[0] must contain ['at'] properties"
    report["waivers"][0]["expires"] = "2027-02-30"
    assert validation.problem(report) == "waivers[0].expires must be date"
    report["run"]["ended"] = "2026-02-30T10:00:00Z"
    assert validation.problem(report) == "run.ended must be date-time"
    assert validation.problem({**report, "run": 7}) == "run must be object"


def test_the_keys_of_a_report_do_not_steer_the_terminal() -> None:
    report = whole()
    report["run"]["hosts"] = {HOSTILE * 100: "x"}
    problem = validation.problem(report)
    assert problem.isprintable()
    assert len(problem) <= validation.MAX_PROBLEM


def test_a_large_report_is_checked_in_time() -> None:
    report = build(**large(500))
    started = time.perf_counter()
    assert validation.problem(report) == ""
    assert time.perf_counter() - started < 2


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    report = whole()
    report["hosts"][0]["findings"][0]["new"] = 1
    assert validation.problem(report) == ""
    assert not VALIDATOR.is_valid(report), "what is written has no such field"
