# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed since the last report."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import (
    drift,
    hashes,
    reading,
    terminal,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import Report

from .samples import AWAY, BROKEN, CONTROLS, build, result

IDS = [control["id"] for control in CONTROLS]


def between(
    earlier: dict[str, Any], now: dict[str, Any], inventory: tuple[str, ...] = ()
) -> Report:
    return drift.between(build(**earlier), build(**now), inventory)


def test_nothing_changed() -> None:
    fleet = {"a": result("fail", "waived", "pass"), "b": AWAY}
    found = between(fleet, fleet)
    assert found.pop("since") == "2026-11-24T10:00:00Z"
    assert not any(found.values())


def test_newly_failing_and_resolved() -> None:
    found = between(
        {"a": result("pass", "fail", "unknown"), "b": result("fail", "waived", "not_applicable")},
        {"a": result("would_fix", "fixed", "pass"), "b": result("waived", "unknown", "fail")},
    )
    assert found["failing"] == [
        {"host": "a", "control": IDS[0], "was": "pass", "is": "would_fix"},
        {"host": "b", "control": IDS[1], "was": "waived", "is": "unknown"},
        {"host": "b", "control": IDS[2], "was": "not_applicable", "is": "fail"},
    ]
    assert found["fixed"] == [
        {"host": "a", "control": IDS[1], "was": "fail", "is": "fixed"},
        {"host": "a", "control": IDS[2], "was": "unknown", "is": "pass"},
    ], "what is waived is not resolved"


def test_a_new_control_that_fails_is_news() -> None:
    earlier = result("pass", "pass", "pass")
    earlier["findings"].pop()
    found = between({"a": earlier}, {"a": result("pass", "pass", "fail")})
    assert found["failing"] == [{"host": "a", "control": IDS[2], "was": None, "is": "fail"}]


FINE = result("pass", "pass", "pass")
IMAGE = {**FINE, "facts": {"kind": "image"}}


def test_pcs_are_not_gone_where_a_run_is_about_images() -> None:
    pcs, images = build(a=FINE, b=FINE), build(**{"old.wim": IMAGE, "win.wim": IMAGE})
    assert not drift.is_comparable(pcs, images)
    assert drift.is_comparable(images, build(**{"win.wim": IMAGE}))
    known = drift.baseline(pcs, images, (), images=False)
    assert [host["name"] for host in known["hosts"]] == ["a", "b", "old.wim", "win.wim"]
    assert drift.between(known, build(a=FINE), ())["gone_hosts"] == ["b"]
    assert drift.between(known, build(**{"win.wim": IMAGE}), ())["gone_hosts"] == ["old.wim"]
    assert drift.between(known, build(a=FINE, **{"win.wim": IMAGE}), ())["gone_hosts"] == [
        "b",
        "old.wim",
    ], "a merged report may have both"
    again = drift.baseline(build(**{"win.wim": IMAGE}), known, (), images=True)
    assert [host["name"] for host in again["hosts"]] == ["a", "b", "win.wim"]


def test_an_image_that_could_not_be_read_is_an_image() -> None:
    known = build(groups={"win.wim": ["ets6_network_images"]}, a=FINE, **{"win.wim": AWAY})
    assert drift.between(known, build(a=FINE), ())["gone_hosts"] == []


def test_hosts_come_and_go() -> None:
    one = result("fail", "pass", "pass")
    found = between(
        {"stays": one, "gone": one, "limited": one, "lost": one, "found": AWAY, "broke": one},
        {"stays": one, "new": one, "lost": AWAY, "found": one, "broke": BROKEN},
        inventory=("limited", "stays"),
    )
    assert (found["new_hosts"], found["gone_hosts"]) == (["new"], ["gone"])
    assert (found["lost_hosts"], found["found_hosts"]) == (["broke", "lost"], ["found"])
    assert found["failing"] == found["fixed"] == [], (
        "an unreachable host is one piece of news and not one for each control"
    )


def baseline(*runs: dict[str, Any], inventory: tuple[str, ...] = ()) -> Report:
    """Return what is known after these runs, the oldest first."""
    known = None
    for run in runs:
        known = drift.baseline(build(**run), known, inventory, images=False)
    assert known is not None
    return known


def test_a_run_over_a_part_makes_no_news_of_the_rest() -> None:
    fleet = {"a": result("fail", "pass", "pass"), "b": result("pass", "pass", "pass")}
    known = baseline(fleet, {"a": result("fail", "pass", "pass")}, inventory=("a", "b"))
    assert [host["name"] for host in known["hosts"]] == ["a", "b"]
    assert reading.check(report_json.render(known), "previous.json") == known
    now = build(a=fleet["a"], b=result("pass", "fail", "pass"))
    found = drift.between(known, now, ("a", "b"))
    assert (found["new_hosts"], [one["host"] for one in found["failing"]]) == ([], ["b"])


def test_a_host_that_left_the_inventory_is_gone_once() -> None:
    fleet = {"a": result("pass", "pass", "pass"), "b": result("pass", "pass", "pass")}
    rest = {"a": fleet["a"]}
    assert drift.between(baseline(fleet, inventory=("a",)), build(**rest), ("a",))[
        "gone_hosts"
    ] == ["b"]
    assert (
        drift.between(baseline(fleet, rest, inventory=("a",)), build(**rest), ("a",))["gone_hosts"]
        == []
    )


@pytest.mark.parametrize("away", [AWAY, BROKEN, None])
def test_a_host_that_comes_back_is_compared_with_what_was_found_the_last_time(away: Any) -> None:
    known = baseline(
        {"a": result("pass", "fail", "pass")}, {"a": away}, {"a": away}, inventory=("a",)
    )
    found = drift.between(known, build(a=result("fail", "pass", "pass")), ("a",))
    assert found["found_hosts"] == ["a"]
    assert [(one["control"], one["was"]) for one in (*found["failing"], *found["fixed"])] == [
        (IDS[0], "pass"),
        (IDS[1], "fail"),
    ]
    still = drift.between(known, build(a=away), ("a",))
    still.pop("since")
    assert not any(still.values()), "that it is away was said the first time"


def test_of_a_host_that_broke_half_way_counts_what_was_judged() -> None:
    broken = result("fail", "pass", "pass", failed=True, msg="Not everything could be changed.")
    found = between({"a": result("pass", "pass", "pass")}, {"a": broken})
    assert (found["lost_hosts"], [one["control"] for one in found["failing"]]) == (["a"], [IDS[0]])


def test_it_is_told_on_the_terminal() -> None:
    report = build(a=result("fail", "fail", "pass"), new=result("pass", "pass", "pass"))
    report["drift"] = drift.between(build(a=result("pass", "pass", "fail"), gone=AWAY), report, ())
    assert (
        "since 2026-11-24T10:00:00Z: newly failing 2 (a), resolved 1 (a), new hosts 1 (new), gone hosts 1 (gone)"
        in terminal.lines(report, ["/r/report.json"])
    )


def test_it_is_no_part_of_the_hash() -> None:
    report = build(a=result("pass", "pass", "pass"))
    assert (
        hashes.seal({**report, "drift": drift.between(report, report, ())})["sha256"]
        == report["sha256"]
    )
