# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Exceptions: for whom and how long they hold."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import (
    Change,
    Control,
    Finding,
    Severity,
    Status,
    remedies,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import (
    Policy,
    PolicyError,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.waivers import (
    apply_waivers,
    parse_waivers,
)

CONTROL = Control("firewall.one", "One", "A headline", Severity.HIGH, "Because.", "Set it.")
ENTRY = {
    "control": "firewall.one",
    "hosts": ["pc"],
    "reason": "It is a kiosk.",
    "owner": "jane",
    "expires": "2027-03-31",
}
CHANGE = Change("Acme", {"x": 1}, {"x": 2}, ())


def applied(
    status: Status,
    today: date,
    *entries: dict[str, Any],
    host: str = "pc",
    groups: tuple[str, ...] = (),
) -> Finding:
    finding = Finding(CONTROL, status, "So.", remedy=[CHANGE])
    (judged,) = apply_waivers([finding], parse_waivers(list(entries)), host, groups, today)
    return judged


def test_it_holds_until_the_end_of_its_last_day_and_fails_again_on_the_day_after() -> None:
    last = applied(Status.FAIL, date(2027, 3, 31), ENTRY)
    assert last.status is Status.WAIVED
    assert last.reason == "So.", "what is wrong is still said"
    assert last.to_wire()["waiver"] == {
        **parse_waivers([ENTRY])[0].to_wire(),
        "expires": "2027-03-31",
        "status": "fail",
        "expired": False,
    }
    after = applied(Status.FAIL, date(2027, 4, 1), ENTRY)
    assert after.status is Status.FAIL
    assert after.to_wire()["waiver"]["expired"] is True


def test_what_is_waived_is_left_alone() -> None:
    assert remedies([applied(Status.FAIL, date(2027, 1, 1), ENTRY)]) == []
    assert remedies([applied(Status.FAIL, date(2027, 4, 1), ENTRY)]) == [CHANGE]


def test_only_what_fails_or_is_not_known_is_waived() -> None:
    found = {status: applied(status, date(2027, 1, 1), ENTRY).status for status in Status}
    waived = {status for status, now in found.items() if now is Status.WAIVED}
    assert waived == {Status.FAIL, Status.UNKNOWN, Status.WAIVED}
    assert applied(Status.PASS, date(2027, 1, 1), ENTRY).waiver is None


def test_for_whom_it_is() -> None:
    today = date(2027, 1, 1)
    other = {**ENTRY, "hosts": ["other"]}
    assert applied(Status.FAIL, today, other).status is Status.FAIL
    assert (
        applied(Status.FAIL, today, {**other, "groups": ["kiosks"]}, groups=("kiosks",)).status
        is Status.WAIVED
    )
    assert (
        applied(Status.FAIL, today, {**other, "groups": ["kiosks"]}, groups=("offices",)).status
        is Status.FAIL
    )
    assert applied(Status.FAIL, today, {**other, "groups": ["all"]}).status is Status.WAIVED
    assert applied(Status.FAIL, today, {**ENTRY, "control": "firewall.two"}).status is Status.FAIL


def test_of_several_the_one_that_holds_longest_counts() -> None:
    today = date(2027, 1, 1)
    found = applied(
        Status.FAIL,
        today,
        {**ENTRY, "expires": "2026-12-31"},
        ENTRY,
        {**ENTRY, "expires": "2027-01-02"},
    )
    assert found.status is Status.WAIVED
    assert found.waiver is not None
    assert found.waiver["expires"] == "2027-03-31"


def test_it_takes_a_list_of_controls_and_patterns() -> None:
    today = date(2027, 1, 1)
    for control in ("firewall.*", "*", ["proxy.x", "firewall.one"], ["fire*.one"]):
        assert applied(Status.FAIL, today, {**ENTRY, "control": control}).status is Status.WAIVED
    for control in ("firewall", "firewall.o", ["proxy.*", "firewall.two"]):
        assert applied(Status.FAIL, today, {**ENTRY, "control": control}).status is Status.FAIL
    wire = parse_waivers([{**ENTRY, "control": ["firewall.*", "proxy.x"]}])[0].to_wire()
    assert (wire["control"], wire["controls"]) == ("firewall.*, proxy.x", ["firewall.*", "proxy.x"])


def test_it_covers_what_follows_from_what_it_covers() -> None:
    def finding(name: str, cause: str = "", status: Status = Status.FAIL) -> Finding:
        control = dataclasses.replace(CONTROL, id=name)
        return Finding(control, status, "So.", caused_by=cause)

    findings = [
        finding("firewall.one"),
        finding("firewall.follows", "firewall.one"),
        finding("firewall.follows_that", "firewall.follows", Status.UNKNOWN),
        finding("firewall.other"),
        finding("firewall.circle", "firewall.circle"),
    ]
    applied_findings = apply_waivers(findings, parse_waivers([ENTRY]), "pc", (), date(2027, 1, 1))
    assert [one.status.value for one in applied_findings] == ["waived"] * 3 + ["fail"] * 2
    assert applied_findings[1].to_wire()["caused_by"] == "firewall.one"
    only_consequence = {**ENTRY, "control": "firewall.follows"}
    applied_findings = apply_waivers(
        findings, parse_waivers([only_consequence]), "pc", (), date(2027, 1, 1)
    )
    assert applied_findings[0].status is Status.FAIL, "a cause is not waived with a consequence"


@pytest.mark.parametrize("expires", [date(2027, 3, 31), "2027-03-31"])
def test_a_day_comes_as_yaml_or_the_command_line_gives_it(expires: Any) -> None:
    assert parse_waivers([{**ENTRY, "expires": expires}])[0].expires == date(2027, 3, 31)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"control": []}, "entry 2.control: the list is empty"),
        ({"control": ["firewall.one", 7]}, "entry 2.control: ['firewall.one', 7] is not accepted"),
        ({"control": "firewall.[o]ne"}, "entry 2.control: 'firewall.[o]ne' is not accepted"),
        ({"expires": None}, "entry 2.expires: None is not accepted"),
        ({"expires": "31.3.2027"}, "such as 2027-03-31"),
        ({"expires": "2027-02-30"}, "such as 2027-03-31"),
        ({"expires": datetime(2027, 3, 31, 12, 0)}, "such as 2027-03-31"),
        ({"expires": "2027-03-31T00:00:00+02:00"}, "such as 2027-03-31"),
        ({"reason": " "}, "entry 2.reason: ' ' is not accepted"),
        ({"owner": None}, "entry 2.owner"),
        ({"hosts": []}, "entry 2: hosts or groups must say which hosts it is for"),
        ({"hosts": "pc"}, "entry 2.hosts: 'pc' is not accepted"),
        ({"expire": "2027-03-31"}, "entry 2: 'expire' is not accepted"),
        (
            {"owner": 7, "expires": "soon"},
            "entry 2: owner: 7 is not accepted; a text is expected; expires: 'soon' is not",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(change: dict[str, Any], told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_variables({"waivers": [ENTRY, {**ENTRY, **change}]})
    (problem,) = caught.value.problems
    assert problem.startswith("ets6_network_waivers: ")
    assert told in problem


def test_everything_that_a_waiver_lacks_is_told_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_variables({"waivers": [{"control": "firewall.one", "until": "2027-03-31"}]})
    (problem,) = caught.value.problems
    assert "entry 1: 'until' is not accepted; accepted are control, reason" in problem
    assert problem.endswith("; reason, owner and expires are missing")
