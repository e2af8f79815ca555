# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which hosts fail a run, each with one line."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import verdict

from .samples import AWAY, BROKEN, CONTROLS, HOSTILE, build, result

EXPIRED = result("pass", "pass", "fail")
EXPIRED["findings"][2]["waiver"] = {"expired": True}


@pytest.mark.parametrize(
    ("found", "fail_on", "expected"),
    [
        (result("pass", "fixed", "waived"), ["low", "unreachable"], ""),
        (
            result("fail", "unknown", "pass"),
            ["low"],
            "2 open findings, worst: firewall.rule.ets6n.tcp (No rule lets TCP in)",
        ),
        (
            result("pass", "pass", "fail"),
            ["low"],
            "1 open finding, worst: reach.updates (Updates are not reached)",
        ),
        (
            result("unknown", "unknown", "fail"),
            ["low"],
            "3 open findings, worst: firewall.rule.ets6n.tcp (could not be determined)",
        ),
        (result("pass", "pass", "fail"), ["medium"], ""),
        (result("fail", "fail", "fail"), ["never"], ""),
        (EXPIRED, ["expired"], "1 open finding, worst: reach.updates (Updates are not reached)"),
        (AWAY, ["low"], ""),
        (AWAY, ["unreachable"], "Not reached: no route to host"),
        (
            {"unreachable": True, "msg": "No connection was tried. ansible_user is empty. Set X."},
            ["unreachable"],
            "Not reached: no connection was tried",
        ),
        (BROKEN, ["high"], "The host could not be judged: The PC could not be read: rubbish"),
        (None, ["high"], "The host was not judged: the run ended for it before that."),
    ],
)
def test_why_a_host_fails_the_run(found: Any, fail_on: list[str], expected: str) -> None:
    (host,) = build(pc=found)["hosts"]
    assert verdict.host_fails_because(host, CONTROLS, fail_on) == expected


def test_what_to_do_about_a_host_that_could_not_be_judged_is_not_cut_off() -> None:
    message = f"/images/{'x' * 150}/win11.qcow2 is damaged. Repair it: qemu-img check -r all IMAGE"
    (host,) = build(pc={"failed": True, "msg": message})["hosts"]
    assert verdict.host_fails_because(host, CONTROLS, ["low"]).endswith(message)


def test_a_cause_is_worse_than_what_follows_from_it() -> None:
    controls = [{**control, "severity": "high"} for control in CONTROLS]
    found = result("fail", "fail", "pass")
    found["findings"][0]["caused_by"] = "proxy.wininet"
    (host,) = build(pc=found)["hosts"]
    line = verdict.host_fails_because(host, controls, ["low"])
    assert line == "2 open findings, worst: proxy.wininet (The users have another proxy)"


def test_it_is_one_line_whatever_the_host_says() -> None:
    found = result("fail", "pass", "pass")
    (host,) = build(pc={**found, "failed": True, "msg": f"{HOSTILE}\n" * 100})["hosts"]
    line = verdict.host_fails_because(host, CONTROLS, ["low"])
    assert line.isprintable()
    assert len(line) <= verdict.MAX_REASON
