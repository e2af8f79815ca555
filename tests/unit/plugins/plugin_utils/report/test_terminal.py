# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines: at most twelve, the verdict first."""

from __future__ import annotations

from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.report import terminal

from .samples import AWAY, BROKEN, CONTROLS, HOSTILE, build, result

FILES = ["/srv/ets6-report/report.json", "/srv/ets6-report/junit.xml"]


def told(**fleet: Any) -> list[str]:
    return terminal.lines(build(**fleet), FILES)


def test_all_is_well_in_two_lines() -> None:
    assert told(one=result("pass", "fixed", "not_applicable"), two=result("pass", "pass", "waived")) == [
        "ets6.network: all 2 hosts comply (1 fixed, 1 waived)",
        "report: /srv/ets6-report (report.json, junit.xml)",
    ]


def test_the_worst_control_comes_first_with_its_first_hosts() -> None:
    lines = told(
        **{f"pc-{number}": result("fail", "pass", "pass") for number in range(6)}, pc=result("pass", "fail", "pass"), away=AWAY
    )
    assert lines == [
        "ets6.network: 8 of 8 hosts do not comply (1 unreachable, 7 fail)",
        "not judged: away",
        "firewall.rule.ets6n.tcp: 6 (pc-0, pc-1, pc-2, pc-3 and 2 more)",
        "proxy.wininet: 1 (pc)",
        "the run fails: Controls of severity low or above are not met on 7 hosts. 1 host could not be reached.",
        "report: /srv/ets6-report (report.json, junit.xml)",
    ]


def test_never_more_than_twelve_lines_nor_wider_than_a_terminal() -> None:
    controls = [{**CONTROLS[0], "id": f"custom.{number}"} for number in range(50)]
    findings = [
        {"control": one["id"], "status": "fail", "reason": "", "evidence": {}, "changed": False, "changes": []}
        for one in controls
    ]
    hosts = {f"pc-with-quite-a-long-name-{number}": {"findings": findings, "controls": controls} for number in range(300)}
    lines = told(**hosts, away=AWAY, broken=BROKEN)
    assert len(lines) <= 12
    assert all(len(line) <= terminal.WIDTH for line in lines)
    assert any("45 more controls" in line for line in lines)


def test_no_host_can_rewrite_the_screen() -> None:
    for line in told(**{HOSTILE: result("fail", "fail", "fail"), HOSTILE + "2": AWAY}):
        assert line.isprintable()
