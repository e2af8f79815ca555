# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed since the last report."""

from __future__ import annotations

from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.report import document, drift, terminal

from .samples import AWAY, BROKEN, CONTROLS, build, result

IDS = [control["id"] for control in CONTROLS]


def between(earlier: dict[str, Any], now: dict[str, Any], inventory: tuple[str, ...] = ()) -> document.Json:
    return drift.between(build(**earlier), build(**now), inventory)


def test_nothing_changed() -> None:
    fleet = {"a": result("fail", "waived", "pass"), "b": AWAY}
    found = between(fleet, fleet)
    assert found.pop("since") == "2026-11-24T10:00:00Z"
    assert not any(found.values())


def test_newly_failing_and_mended() -> None:
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
    ], "what is waived is not mended"


def test_a_new_control_that_fails_is_news() -> None:
    earlier = result("pass", "pass", "pass")
    earlier["findings"].pop()
    found = between({"a": earlier}, {"a": result("pass", "pass", "fail")})
    assert found["failing"] == [{"host": "a", "control": IDS[2], "was": None, "is": "fail"}]


def test_hosts_come_and_go() -> None:
    one = result("fail", "pass", "pass")
    found = between(
        {"stays": one, "gone": one, "limited": one, "lost": one, "found": AWAY, "broke": one},
        {"stays": one, "new": one, "lost": AWAY, "found": one, "broke": BROKEN},
        inventory=("limited", "stays"),
    )
    assert (found["new_hosts"], found["gone_hosts"]) == (["new"], ["gone"])
    assert (found["lost_hosts"], found["found_hosts"]) == (["broke", "lost"], ["found"])
    assert found["failing"] == found["fixed"] == [], "an unreachable host is one piece of news and not one for each control"


def test_it_is_told_on_the_terminal() -> None:
    report = build(a=result("fail", "fail", "pass"), new=result("pass", "pass", "pass"))
    report["drift"] = drift.between(build(a=result("pass", "pass", "fail"), gone=AWAY), report, ())
    assert (
        "since 2026-11-24T10:00:00Z: newly failing 2 (a), mended 1 (a), new hosts 1 (new), gone hosts 1 (gone)"
        in terminal.lines(report, ["/r/report.json"])
    )


def test_it_is_no_part_of_the_hash() -> None:
    report = build(a=result("pass", "pass", "pass"))
    assert document.seal({**report, "drift": drift.between(report, report, ())})["sha256"] == report["sha256"]
