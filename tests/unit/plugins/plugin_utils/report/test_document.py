# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report's model: who complies, what fails a run, and that the same state gives the same bytes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import jsonschema
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import (
    document,
    hashes,
    validation,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json
from ansible_collections.ets6.network.plugins.plugin_utils.report.hosts import MAX_REASON, plain
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import Report

from .samples import AWAY, BROKEN, CONTROLS, HOSTILE, RUN, build, finding, result

SCHEMA = validation.schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def host(report: Report, name: str) -> dict[str, Any]:
    return next(one for one in report["hosts"] if one["name"] == name)


FLEET: dict[str, Any] = {
    "pc-b": result("pass", "fixed", "not_applicable"),
    "pc-a": result("fail", "unknown", "pass"),
    "pc-away": AWAY,
    "pc-broken": BROKEN,
    "pc-never": None,
    HOSTILE: result("would_fix", "waived", "pass"),
}


@pytest.mark.parametrize(
    "fleet", [FLEET, {}, {"pc-away": AWAY}], ids=["all kinds", "no host", "all away"]
)
def test_every_report_is_as_its_schema_says(fleet: dict[str, Any]) -> None:
    VALIDATOR.check_schema(SCHEMA)
    written = json.loads(report_json.render(build(**fleet)))
    VALIDATOR.validate(written)
    assert [one["name"] for one in written["hosts"]] == sorted(plain(name) for name in fleet)


def test_the_schema_refuses_what_it_does_not_know() -> None:
    report = build(**FLEET)
    for spoil in (
        lambda one: one.update(schema=2),
        lambda one: one["run"].pop("user"),
        lambda one: one["hosts"][0].update(status="green"),
        lambda one: one["hosts"][0]["findings"][0].update(password="x"),
        lambda one: one["controls"][0].update(severity="critical"),
    ):
        broken = copy.deepcopy(report)
        spoil(broken)
        assert not VALIDATOR.is_valid(broken)


def test_a_host_has_the_worst_status_of_its_findings() -> None:
    report = build(**FLEET)
    statuses = {one["name"]: one["status"] for one in report["hosts"]}
    assert statuses["pc-a"] == "fail"
    assert statuses["pc-b"] == "fixed"
    assert statuses["pc-away"] == "unreachable"
    assert statuses["pc-broken"] == statuses["pc-never"] == "unknown"
    assert report["run"]["hosts"] == {
        "unreachable": 1,
        "fail": 1,
        "unknown": 2,
        "would_fix": 1,
        "fixed": 1,
    }
    assert report["run"]["verdict"] == "5 of 6 hosts do not comply"


def test_a_host_that_was_not_judged_has_every_control_unknown_with_the_reason() -> None:
    report = build(**FLEET)
    away = host(report, "pc-away")
    assert away["reason"] == "The host could not be reached: no route to host"
    assert [one["control"] for one in away["findings"]] == [control["id"] for control in CONTROLS]
    assert {one["status"] for one in away["findings"]} == {"unknown"}
    assert "rubbish" in host(report, "pc-broken")["reason"]
    assert "before that" in host(report, "pc-never")["reason"]


def test_nothing_to_judge_is_not_green() -> None:
    for fail_on in (("low", "unreachable"), ("never",)):
        report = build(fail_on)
        assert not report["run"]["complies"]
        assert report["run"]["fails_because"] == ["No host was judged."]
    without_controls = build(pc={"findings": [], "controls": []})
    assert not without_controls["run"]["complies"]
    assert without_controls["run"]["fails_because"]


def test_a_host_whose_change_failed_does_not_comply_even_if_all_passes() -> None:
    report = build(
        pc=result("pass", "pass", "pass", failed=True, msg="Not everything could be changed.")
    )
    assert not report["run"]["complies"]
    assert report["run"]["fails_because"]


@pytest.mark.parametrize(
    ("fail_on", "fails"),
    [
        (("low",), ["open", "broken", "never"]),
        (("medium",), ["broken", "never", "proxy"]),
        (("high",), ["broken", "never"]),
        (("unreachable",), ["away"]),
        (("expired",), ["ended"]),
        (("never",), []),
    ],
)
def test_what_fails_a_run_is_the_users_to_say(fail_on: tuple[str, ...], fails: list[str]) -> None:
    ended = result("pass", "pass", "fail")
    ended["findings"][2]["waiver"] = {"expired": True}
    fleet = {
        "open": result("pass", "pass", "fail"),
        "proxy": result("pass", "unknown", "pass"),
        "away": AWAY,
        "broken": BROKEN,
        "never": None,
        "ended": ended,
        "fine": result("pass", "fixed", "waived"),
    }
    for name, found in fleet.items():
        report = build(fail_on, **{name: found})
        expected = name in fails or ("low" in fail_on and name in ("proxy", "ended"))
        assert bool(report["run"]["fails_because"]) is expected, name
        assert report["run"]["complies"] is (name == "fine"), (
            "what complies is not what fail_on says"
        )


def test_a_report_between_two_batches_does_not_comply() -> None:
    hosts = build(pc=result("pass", "pass", "pass"))["hosts"]
    report = document.build({**RUN, "pending": ["later"]}, CONTROLS, hosts, [], ["low"])
    assert not report["run"]["complies"]
    assert "1 host not judged yet" in report["run"]["verdict"]


def test_the_same_state_gives_the_same_bytes_but_for_the_times() -> None:
    names = list(FLEET)
    first = build(**FLEET)
    random.Random(1).shuffle(names)
    fleet = copy.deepcopy({name: FLEET[name] for name in names})
    for found in fleet.values():
        if isinstance(found, dict) and "findings" in found:
            found["at"] = "2026-12-01T00:00:00Z"
            found["findings"].reverse()
    second = build(**fleet)
    assert report_json.render(first) != report_json.render(second), "the times differ"
    one, other = (
        {**hashes.without(report, hashes.TIMES), "sha256": ""} for report in (first, second)
    )
    assert report_json.render(one) == report_json.render(other)
    sums = [[host["sha256"] for host in report["hosts"]] for report in (first, second)]
    assert sums[0] == sums[1]
    assert first["sha256"] != second["sha256"], "a report that was given other times is another"


def test_a_hash_covers_whatever_a_report_says() -> None:
    report = build(**FLEET)
    for change in (
        lambda one: one["findings"][0].update(status="pass"),
        lambda one: one["findings"][0].update(reason="All is well."),
        lambda one: one["findings"][0]["evidence"].update(x=1),
        lambda one: one["findings"][0]["evidence"].update(sha256="of a page"),
        lambda one: one.update(reason="It is away."),
        lambda one: one.update(name="other"),
        lambda one: one["variables"].update(x=1),
    ):
        forged = copy.deepcopy(host(report, "pc-a"))
        assert hashes.digest(forged) == forged["sha256"]
        change(forged)
        assert hashes.digest(forged) != forged["sha256"]
    report["merged"] = {
        "reports": [{"run": report["run"], "sha256": report["sha256"]}],
        "conflicts": [],
        "missing": [],
    }
    report = hashes.seal(report)
    for change in (
        lambda one: one["run"].update(user="another"),
        lambda one: one["run"].update(ended="2030-01-01T00:00:00Z"),
        lambda one: one["hosts"][0].update(at="2030-01-01T00:00:00Z"),
        lambda one: host(one, "pc-a")["findings"][0].update(at="2030-01-01T00:00:00Z"),
        lambda one: one["controls"][0].update(severity="low"),
        lambda one: one["hosts"].pop(),
        lambda one: one["hosts"][0].update(sha256="0" * 64),
        lambda one: one["merged"]["reports"][0].update(sha256="0" * 64),
    ):
        forged = copy.deepcopy(report)
        assert hashes.seal(forged)["sha256"] == report["sha256"]
        change(forged)
        assert hashes.seal(forged)["sha256"] != report["sha256"]


def test_how_long_something_took_is_no_part_of_the_hash() -> None:
    hashes = set()
    for elapsed in (1, 2):
        found = result("pass", "pass", "pass")
        found["findings"][2]["evidence"] = {"ways": [{"elapsed_ms": {"dns": elapsed}}]}
        hashes.add(build(pc=found)["sha256"])
    assert len(hashes) == 1


def test_variables_that_all_hosts_share_stand_once() -> None:
    report = build(
        one=result("pass", "pass", "pass", variables={"state": "present", "profiles": ["domain"]}),
        two=result("pass", "pass", "pass", variables={"state": "present", "profiles": ["public"]}),
        away=AWAY,
    )
    assert report["run"]["variables"] == {"state": "present"}
    assert host(report, "one")["variables"] == {"profiles": ["domain"]}
    assert host(report, "away")["variables"] == {}


def test_what_no_reader_could_take_is_made_harmless() -> None:
    found = result("pass", "pass", "pass")
    found["findings"][0] = finding(
        CONTROLS[0]["id"], "fail", HOSTILE, evidence={"number": float("nan"), HOSTILE: HOSTILE}
    )
    text = report_json.render(build(pc=found))
    text.encode("utf-8")
    parsed = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert "<script>" in parsed["hosts"][0]["findings"][0]["reason"], (
        "escaping is a matter of each format"
    )


def test_an_endless_message_is_cut() -> None:
    report = build(pc={"failed": True, "msg": "x" * 1_000_000})
    assert len(host(report, "pc")["reason"]) == MAX_REASON + len("The host could not be judged: ")
