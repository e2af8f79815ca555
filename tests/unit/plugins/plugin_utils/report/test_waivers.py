# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What became of the waivers of a run."""

from __future__ import annotations

from datetime import date
from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.report import terminal, waivers

from .samples import AWAY, CONTROLS, build, result

RULE = CONTROLS[0]["id"]
WAIVER = {
    "control": RULE,
    "controls": [RULE],
    "hosts": ["pc"],
    "groups": [],
    "reason": "A kiosk.",
    "owner": "jane",
    "expires": "2027-03-31",
    "ticket": "",
}


def fleet(waiver: dict[str, Any], status: str = "waived", name: str = "pc") -> dict[str, Any]:
    found = result(status, "pass", "pass", waivers=[waiver])
    if status in ("waived", "fail"):
        found["findings"][0]["waiver"] = {**waiver, "status": "fail", "expired": status == "fail"}
    return {name: found}


def state(report: dict[str, Any]) -> tuple[str, int]:
    (one,) = report["waivers"]
    assert bool(one["note"]) is (one["state"] != "in_force")
    return one["state"], one["findings"]


def test_one_that_waives_is_in_force() -> None:
    report = build(**fleet(WAIVER))
    assert state(report) == ("in_force", 1)
    assert report["run"]["complies"] is True
    assert report["hosts"][0]["status"] == "waived"


def test_one_that_has_ended_says_so_whether_or_not_it_still_matters() -> None:
    over = {**WAIVER, "expires": "2026-11-23"}
    assert state(build(**fleet(over, "fail"))) == ("expired", 1)
    assert state(build(**fleet(over, "pass"))) == ("expired", 0)


def test_its_last_day_counts() -> None:
    assert state(build(**fleet({**WAIVER, "expires": "2026-11-24"}))) == ("in_force", 1)


def test_one_that_matches_nothing_is_unused() -> None:
    assert state(build(**fleet(WAIVER, "pass"))) == ("unused", 0)
    assert state(build(**fleet({**WAIVER, "hosts": ["pc-17"]}, "pass"))) == ("unused", 0)
    assert state(build(**fleet({**WAIVER, "hosts": [], "groups": ["kiosks"]}, "pass"))) == (
        "unused",
        0,
    )
    told = terminal.lines(build(**fleet(WAIVER, "pass")), ["/r/report.json"])
    assert f"waivers that match nothing: {RULE} (jane)" in told


def test_what_nobody_could_see_is_not_called_unused() -> None:
    others = {**WAIVER, "hosts": ["away"]}
    assert state(build(**fleet(others, "pass"), away=AWAY)) == ("not_judged", 0)
    hosts = build(**fleet(WAIVER, "pass"))["hosts"]
    (one,) = waivers.records(
        [{"waivers": [{**WAIVER, "hosts": ["elsewhere"]}]}],
        hosts,
        ["elsewhere"],
        date(2026, 11, 24),
    )
    assert one["state"] == "not_judged"


def test_the_same_one_of_many_hosts_stands_once() -> None:
    waiver = {**WAIVER, "hosts": [], "groups": ["all"]}
    report = build(
        **fleet(waiver, name="a"), **fleet(waiver, name="b"), **fleet(waiver, "pass", name="c")
    )
    assert state(report) == ("in_force", 2)


def test_the_terminal_names_what_ended_or_ends_soon() -> None:
    soon, later = {**WAIVER, "expires": "2026-12-24"}, {**WAIVER, "expires": "2026-12-25"}
    assert f"waivers: {RULE} ends 2026-12-24 (jane)" in terminal.lines(
        build(**fleet(soon)), ["/r/report.json"]
    )
    assert not any(
        "waivers: " in line for line in terminal.lines(build(**fleet(later)), ["/r/report.json"])
    )
    over = terminal.lines(
        build(**fleet({**WAIVER, "expires": "2026-01-01"}, "fail")), ["/r/report.json"]
    )
    assert f"waivers: {RULE} ended 2026-01-01 (jane)" in over
