# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines: at most twelve, the verdict first."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.finding import Contact
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


def test_the_worst_control_of_a_contact_comes_first_with_its_first_hosts() -> None:
    lines = told(
        **{f"pc-{number}": result("fail", "pass", "pass") for number in range(6)},
        pc=result("pass", "fail", "pass"),
        away=AWAY,
    )
    assert lines == [
        "ets6.network: 8 of 8 hosts do not comply (1 unreachable, 7 fail)",
        "for the administrators of the PC: firewall.rule.ets6n.tcp 6, proxy.wininet 1 "
        "(pc-0, pc-1, pc-2 and 4 more)",
        "not reached, no route to host: 1 (away)",
        "the run fails: Controls of severity low or above are not met on 7 hosts. 1 host could not be reached.",
        "report: /srv/ets6-report (report.json, junit.xml)",
    ]


def worst_case() -> Report:
    """Return a run in which there is something to say of everything that the closing lines can tell."""
    controls = [{**CONTROLS[0], "id": f"custom.{number}"} for number in range(50)]
    findings = []
    for number, one in enumerate(controls):
        contact = list(Contact)[number % len(Contact)].value
        findings.append(finding(one["id"], "fail", remedy="Run x. It changes y.", contact=contact))
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
        "not judged, ",
        "Run x: custom.",
        "for the administrators of the firewall: custom.",
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
    assert any(re.fullmatch("for [78] other contacts: see the report", line) for line in merged)


def test_what_a_playbook_would_fix_is_an_instruction() -> None:
    fixable = result("fail", "pass", "pass")
    fixable["findings"][0] |= {
        "remedy": "Run ets6.network.enforce. It changes: firewall rule X.",
        "contact": "enforce",
    }
    assert told(pc=fixable)[1] == "Run ets6.network.enforce: firewall.rule.ets6n.tcp 1 (pc)"


def test_names_make_room_for_how_many_more_there_are_and_no_date_is_cut() -> None:
    names = {f"{number}-{'x' * 30}": result("fail", "pass", "pass") for number in range(5)}
    lines = told(**names)
    assert lines[1].endswith(" and 4 more)")
    waiver = {"controls": ["custom.1"], "hosts": ["x"], "groups": [], "reason": "So.", "ticket": ""}
    waiver |= {"control": f"custom.{'y' * 40}", "owner": "jane", "expires": "2026-11-01"}
    waivers = [{**waiver, "owner": f"jane {number}"} for number in range(3)]
    lines = told(pc=result("pass", "pass", "pass", waivers=waivers))
    (line,) = [line for line in lines if line.startswith("waivers: ")]
    assert line.endswith("ended 2026-11-01 (jane 0) and 2 more")


def test_a_host_that_broke_half_way_is_told_with_its_findings() -> None:
    half_way = result(
        "unknown", "pass", "pass", failed=True, msg="Not everything could be changed."
    )
    lines = told(pc=half_way)
    assert lines[1:3] == [
        "for the administrators of the PC: firewall.rule.ets6n.tcp 1 (pc)",
        "incomplete, Not everything could be changed: 1 (pc)",
    ]
    lines = told(pc=half_way, broken=BROKEN)
    assert lines[2] == "not judged or incomplete, several reasons: 2 (broken, pc)"


def test_hosts_that_are_in_no_merged_report_are_named_once() -> None:
    report = build(pc=result("pass", "pass", "pass"), gone=BROKEN)
    report["merged"] = {"reports": [], "missing": ["gone"], "conflicts": []}
    lines = terminal.lines(report, FILES)
    assert [line for line in lines if "gone" in line] == ["in no report: gone"]


def test_no_host_can_rewrite_the_screen() -> None:
    for line in told(**{HOSTILE: result("fail", "fail", "fail"), HOSTILE + "2": AWAY}):
        assert line.isprintable()
