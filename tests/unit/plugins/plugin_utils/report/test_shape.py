# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Our reader of schema.json, held against the library that tests can have and users need not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import drift, shape

from .samples import AWAY, CONTROLS, build, finding, result

VALIDATOR = jsonschema.Draft202012Validator(shape.schema())


def whole() -> dict[str, Any]:
    """Return a report in which everything occurs that the schema knows."""
    waiver = {"control": CONTROLS[0]["id"], "hosts": ["a"], "groups": [], "reason": "So.", "owner": "jane", "ticket": ""}
    waiver["expires"] = "2027-03-31"
    found = result("waived", "fail", "pass", waivers=[waiver])
    found["findings"][0]["waiver"] = {**waiver, "status": "fail", "expired": False}
    change = {"subject": "x", "before": {}, "after": {"a": 1}}
    found["findings"][1] = finding(CONTROLS[1]["id"], "fail", changes=[change], at="2026-11-01T00:00:00Z")
    report = build(a=found, b=AWAY)
    report["drift"] = drift.between(build(a=result("pass", "pass", "fail")), report, ())
    report["merged"] = {"reports": [{"run": report["run"], "sha256": report["sha256"]}], "conflicts": ["x"], "missing": ["y"]}
    return report


def test_a_whole_report_has_no_problem() -> None:
    VALIDATOR.validate(whole())
    assert shape.problem(whole()) == ""


def test_no_word_of_the_schema_is_passed_over() -> None:
    def words(schema: Any, names: bool = False) -> Iterator[str]:
        if isinstance(schema, dict):
            for word, value in schema.items():
                if not names:
                    yield word
                yield from words(value, names=not names and word in ("properties", "$defs"))
        elif isinstance(schema, list):
            for value in schema:
                yield from words(value)

    assert set(words(shape.schema())) <= shape.KNOWN


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(content, (dict, list)):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield (*path, key)
            yield from places(value, (*path, key))


WRONG = (None, True, -1, 7, "", "x", "green", [], {}, [None], {"x": None})


@pytest.mark.parametrize("path", list(places(whole())), ids=lambda path: ".".join(map(str, path)))
def test_whatever_is_put_anywhere_or_is_lacking_it_says_what_the_library_says(path: tuple[Any, ...]) -> None:
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
        errors = [error for error in VALIDATOR.iter_errors(report) if error.validator != "additionalProperties"]
        told = shape.problem(report)
        assert bool(told) is bool(errors), (wrong, told, errors)


def test_it_says_where() -> None:
    report = whole()
    report["hosts"][1]["findings"][0]["status"] = "green"
    assert shape.problem(report) == 'hosts[1].findings[0].status: "green" is not accepted'
    del report["hosts"][0]["at"]
    assert shape.problem(report) == "hosts[0].at is missing"
    report["waivers"][0]["expires"] = "2027-02-30"
    assert shape.problem(report) == 'waivers[0].expires: "2027-02-30" is not accepted'
    report["run"]["ended"] = "2026-02-30T10:00:00Z"
    assert shape.problem(report) == 'run.ended: "2026-02-30T10:00:00Z" is not accepted'
    assert shape.problem({**report, "run": 7}) == "run: 7 is not accepted; an object is expected"
