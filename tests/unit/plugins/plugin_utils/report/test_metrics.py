# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""ets6_network.prom, as Prometheus' own parsers read it: OpenMetrics, and what node_exporter takes."""

from __future__ import annotations

from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import metrics_prom
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics

from .samples import AWAY, HOSTILE, build, result, waived


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the values by the metric's name and its labels' values; both formats say the same."""
    parsed = []
    for parse in (
        openmetrics.text_string_to_metric_families,
        text_format.text_string_to_metric_families,
    ):
        values = {}
        for family in parse(text):
            assert family.type == "gauge"
            for sample in family.samples:
                key = (sample.name.removeprefix("ets6_network_"), tuple(sample.labels.values()))
                assert key not in values, "a series twice"
                values[key] = sample.value
        parsed.append(values)
    assert parsed[0] == parsed[1]
    return parsed[0]


def test_hosts_findings_and_time_are_there() -> None:
    hosts: dict[str, Any] = {
        "a": result("fail", "pass", "pass"),
        "b": result("fail", "pass", "unknown"),
        "c": result("pass", "pass", "pass"),
        "d": AWAY,
    }
    values = samples(metrics_prom.render(build(groups={"a": ["bonn"], "c": ["bonn"]}, **hosts)))
    assert values["run_timestamp_seconds", ()] == 1795514400
    assert values["run_complies", ()] == 0
    assert values["hosts", ("fail",)] == 2
    assert values["hosts", ("fixed",)] == 0, "a status without hosts is 0, and not absent"
    assert values["group_hosts", ("bonn",)] == 2
    assert values["group_compliant_hosts", ("bonn",)] == 1
    assert values["group_compliant_hosts", ("all",)] == 1
    assert values["open_findings", ("firewall.rule.ets6n.tcp", "high")] == 2
    assert values["open_findings", ("proxy.wininet", "medium")] == 0
    assert values["open_findings", ("reach.updates", "low")] == 1, "without those of a host away"


def test_waivers_have_their_days() -> None:
    found = build(a=waived("2026-12-24", "jane"), b=waived("2026-11-20", "joe"))
    values = samples(metrics_prom.render(found))
    days = {key[1][1]: value for key, value in values.items() if key[0] == "waiver_remaining_days"}
    assert days == {"jane": 30, "joe": -4}


def test_whatever_a_name_is_the_text_can_be_parsed() -> None:
    found = build(groups={"a": [HOSTILE, 'x"y\\z\n# EOF']}, a=result("pass", "pass", "pass"))
    assert len([key for key in samples(metrics_prom.render(found)) if key[0] == "group_hosts"]) == 3
