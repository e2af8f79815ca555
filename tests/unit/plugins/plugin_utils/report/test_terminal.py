# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines: at most twelve, the verdict first."""

from __future__ import annotations

from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.report import drift, terminal
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import Report

from .samples import AWAY, BROKEN, CONTROLS, HOSTILE, build, finding, result

FILES = ["/srv/ets6-report/report.json", "/srv/ets6-report/junit.xml"]


def told(**fleet: Any) -> list[str]:
    return terminal.lines(build(**fleet), FILES)


def test_all_is_well_in_two_lines() -> None:
    assert told(
        one=result("pass", "fixed", "not_applicable"), two=result("pass", "pass", "waived")
    ) == [
        "ets6.network: all 2 hosts comply (1 fixed, 1 waived)",
        "report: /srv/ets6-report (report.json, junit.xml)",
    ]


def test_the_worst_control_comes_first_with_its_first_hosts() -> None:
    lines = told(
        **{f"pc-{number}": result("fail", "pass", "pass") for number in range(6)},
        pc=result("pass", "fail", "pass"),
        away=AWAY,
    )
    assert lines == [
        "ets6.network: 8 of 8 hosts do not comply (1 unreachable, 7 fail)",
        "not reached, no route to host: 1 (away)",
        "firewall.rule.ets6n.tcp: 6 (pc-0, pc-1, pc-2, pc-3 and 2 more)",
        "proxy.wininet: 1 (pc)",
        "the run fails: Controls of severity low or above are not met on 7 hosts. 1 host could not be reached.",
        "report: /srv/ets6-report (report.json, junit.xml)",
    ]


def worst_case() -> Report:
    """Return a run in which there is something to say of everything that the closing lines can tell."""
    controls = [{**CONTROLS[0], "id": f"custom.{number}"} for number in range(50)]
    findings = [finding(one["id"], "fail") for one in controls]
    waiver = {
        "control": "custom.1",
        "controls": ["custom.1"],
        "hosts": ["x"],
        "groups": [],
        "reason": "So.",
        "owner": "jane",
        "ticket": "",
    }
    waivers = [{**waiver, "expires": day} for day in ("2026-11-01", "2027-12-31")]
    hosts = {
        f"pc-with-quite-a-long-name-{number}": {"findings": findings, "controls": controls}
        for number in range(300)
    }
    report = build(
        ("low", "unreachable"), **hosts, away=AWAY, broken={**BROKEN, "waivers": waivers}
    )
    report["drift"] = drift.between(build(gone=result("pass", "pass", "pass")), report, ())
    return report


def test_never_more_than_twelve_lines_nor_wider_than_a_terminal() -> None:
    report = worst_case()
    lines = terminal.lines(report, FILES)
    assert len(lines) == 12
    assert all(len(line) <= terminal.WIDTH for line in lines)
    starts = (
        "ets6.network: ",
        "not reached, no route to host: ",
        "not judged: ",
        "custom.",
        "and 47 more controls",
        "since ",
        "waivers: ",
        "waivers that match nothing: ",
    )
    starts += ("the run fails: ", "report: ")
    assert {start for start in starts if any(line.startswith(start) for line in lines)} == set(
        starts
    )
    report["merged"] = {
        "reports": [],
        "missing": ["pc-x"],
        "conflicts": ["One is so and one is not."],
    }
    merged = terminal.lines(report, FILES)
    assert len(merged) == 12
    assert "in no report: pc-x" in merged
    assert "conflicts: 1, for example One is so and one is not." in merged
    assert "and 49 more controls" in merged


def test_a_host_that_broke_half_way_is_told_with_its_findings() -> None:
    lines = told(
        pc=result("unknown", "pass", "pass", failed=True, msg="Not everything could be changed.")
    )
    assert lines[1:3] == ["not judged: pc", "firewall.rule.ets6n.tcp: 1 (pc)"]


def test_no_host_can_rewrite_the_screen() -> None:
    for line in told(**{HOSTILE: result("fail", "fail", "fail"), HOSTILE + "2": AWAY}):
        assert line.isprintable()
