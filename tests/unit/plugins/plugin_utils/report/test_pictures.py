# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The pictures of report.html: well-formed, described, and right in what they show."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import pictures

from .samples import HOSTILE, finding


def svg(picture: str) -> ElementTree.Element:
    root = ElementTree.fromstring(picture)
    element = root if root.tag == "svg" else root.find("svg")
    assert element is not None
    assert element.get("role") == "img"
    return element


def label(picture: str) -> str:
    return svg(picture).get("aria-label") or ""


def test_a_bar_has_a_part_for_each_status_and_fills_its_width() -> None:
    picture = pictures.status_bar({"fail": 1, "pass": 3}, "site Bonn")
    assert label(picture) == "Site Bonn: 1 fails and 3 passes"
    parts = svg(picture).findall("rect")
    assert [part.get("class") for part in parts] == ["bar fail", "bar pass"]
    assert sum(float(part.get("width") or 0) for part in parts) == pytest.approx(300)


def test_the_history_goes_up_where_more_hosts_comply() -> None:
    runs: list[Any] = []
    for day, complying in (("21", 0), ("22", 5), ("23", 10)):
        ended = f"2026-11-{day}T10:00:00Z"
        runs.append({"ended": ended, "mode": "verify", "complying": complying, "hosts": 10})
    picture = pictures.history_chart(runs)
    heights = [float(point.get("cy") or 0) for point in svg(picture).findall("circle")]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 3
    assert label(picture) == (
        "Share of complying hosts over 3 runs: 0 of 10 on 2026-11-21, 10 of 10 on 2026-11-23"
    )


def test_a_history_of_one_day_has_times() -> None:
    runs: list[Any] = []
    for hour in ("08", "17"):
        ended = f"2026-11-24T{hour}:00:00Z"
        runs.append({"ended": ended, "mode": "verify", "complying": 1, "hosts": 2})
    texts = [element.text for element in svg(pictures.history_chart(runs)).iter("text")]
    assert texts[-2:] == ["2026-11-24 08:00", "2026-11-24 17:00"]


def test_a_probes_way_ends_with_the_stage_that_failed() -> None:
    line = "update.knx.org:443 → proxy 10.0.0.1:8080 → CONNECT 403 → failed at connect: closed"
    evidence = {"ways": [{"outcome": "proxy_refuses", "line": line}]}
    picture = pictures.finding_picture(finding("reach.updates", "fail", "No.", evidence=evidence))
    stages = svg(picture).findall("g")
    assert [stage.get("class") for stage in stages] == ["stage"] * 3 + ["stage fail"]
    assert label(picture).endswith("then CONNECT 403, then failed at connect: closed")


def test_a_probe_that_came_to_an_end_has_its_outcome_as_the_last_stage() -> None:
    line = "update.knx.org:443 → 192.0.2.1 → TLS by CN=Inspector → HTTP 200"
    evidence = {"ways": [{"outcome": "tls_intercepted", "line": line}]}
    picture = pictures.finding_picture(finding("reach.updates", "fail", "No.", evidence=evidence))
    assert label(picture).endswith("then outcome tls intercepted")


def test_a_packet_goes_through_profile_policy_and_rule_to_its_verdict() -> None:
    allowed = {"program": r"C:\ETS6\ETS6N.exe", "profile": "domain", "outcome": "allowed"}
    decision = {"passes": False, "rule": "{1}", "name": "No ETS", "store": "Group Policy"}
    blocked = {**allowed, "profile": "private", "outcome": "blocked"}
    blocked["decided_by"] = [{"passes": True, "rule": "{0}"}, decision]  # type: ignore[assignment]
    evidence = {"traffic": [allowed, blocked]}
    control = "firewall.inbound.ets6n.tcp"
    picture = pictures.finding_picture(finding(control, "fail", "No.", evidence=evidence))
    assert label(picture) == (
        "Way of the packet: packet TCP to ETS6N.exe, then profile private, then policy Group "
        "Policy, then rule No ETS ({1}), then verdict blocked"
    )


def test_without_a_rule_the_setting_that_decides_is_named() -> None:
    reason = "blocked by default: no rule decides"
    decision = {"passes": False, "rule": None, "store": None, "reason": reason}
    traffic = {"program": "ETS6N.exe", "profile": "private", "outcome": "blocked"}
    evidence = {"traffic": [{**traffic, "decided_by": [decision]}]}
    control = "firewall.outbound.ets6n.udp"
    picture = pictures.finding_picture(finding(control, "fail", "No.", evidence=evidence))
    assert "UDP from ETS6N.exe" in label(picture)
    assert "policy By default: no rule decides" in label(picture)


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"ways": [], "traffic": []},
        {"ways": "x", "traffic": "x"},
        {"ways": [1], "traffic": [1]},
        {"ways": [{"line": 1}], "traffic": [{"outcome": "allowed"}]},
    ],
)
@pytest.mark.parametrize("control", ["reach.updates", "firewall.inbound.ets6n.tcp"])
def test_evidence_of_another_form_has_no_picture(control: str, evidence: dict[str, Any]) -> None:
    assert pictures.finding_picture(finding(control, "fail", "No.", evidence=evidence)) == ""


def test_whatever_a_host_says_stays_text() -> None:
    evidence = {"ways": [{"outcome": HOSTILE, "line": f"{HOSTILE} → {HOSTILE}"}]}
    picture = pictures.finding_picture(finding("reach.updates", "fail", "No.", evidence=evidence))
    assert "<script" not in picture
    assert svg(picture).iter("script") is not None
    assert not list(svg(picture).iter("script"))
