# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""ets6_network.prom: metrics for the textfile collector of Prometheus' node_exporter.

The text is valid as OpenMetrics 1.0 and in Prometheus' older format 0.0.4. Every metric is a gauge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from ...text import printable
from ..hosts import open_findings
from ..model import WORST_FIRST, Report
from ..scores import scores_of
from ..waivers import EXPIRED, IN_FORCE, day_of

FILE = "ets6_network.prom"
MARK = "# HELP ets6_network_run_timestamp_seconds"
NO_SEVERITY = "high"
"""The severity of a control that the report does not define."""

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def render(report: Report) -> str:
    """Return the text of ets6_network.prom."""
    run = report["run"]
    ended = datetime.fromisoformat(run["ended"])
    lines = [
        *_family("run_timestamp_seconds", "When the run ended.", [({}, ended.timestamp())]),
        *_family("run_complies", "Whether every host complies.", [({}, int(run["complies"]))]),
        *_family("hosts", "Hosts by status.", _hosts(report)),
        *_groups(report),
        *_family("open_findings", "Findings that do not comply.", _findings(report)),
        *_family(
            "waiver_remaining_days",
            "Days until the last day of a waiver; negative once it is over.",
            _waivers(report),
        ),
    ]
    return "\n".join([*lines, "# EOF", ""])


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> list[str]:
    name = f"ets6_network_{name}"
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        pairs = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{pairs}}} {value:.15g}" if pairs else f"{name} {value:.15g}")
    return lines


def _escape(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _hosts(report: Report) -> list[Sample]:
    counts = report["run"]["hosts"]
    return [({"status": status}, counts.get(status, 0)) for status in WORST_FIRST]


def _groups(report: Report) -> list[str]:
    """Return the hosts of each group, and those that comply."""
    complying: list[Sample] = []
    total: list[Sample] = []
    for name, score in scores_of(report["controls"], report["hosts"])["groups"].items():
        complying.append(({"group": name}, score["met"]))
        total.append(({"group": name}, score["of"]))
    return [
        *_family("group_hosts", "Hosts by inventory group.", total),
        *_family("group_compliant_hosts", "Hosts that comply by inventory group.", complying),
    ]


def _findings(report: Report) -> list[Sample]:
    counts = {control["id"]: 0 for control in report["controls"]}
    severities = {control["id"]: control["severity"] for control in report["controls"]}
    for host in report["hosts"]:
        for finding in open_findings(host):
            counts[finding["control"]] = counts.get(finding["control"], 0) + 1
    samples: list[Sample] = []
    for control, number in counts.items():
        severity = severities.get(control, NO_SEVERITY)
        samples.append(({"control": control, "severity": severity}, number))
    return samples


def _waivers(report: Report) -> list[Sample]:
    """Return the waivers that matter; of several with the same labels the one that ends first."""
    today = day_of(report)
    days: dict[tuple[str, str], int] = {}
    for waiver in report["waivers"]:
        if waiver["state"] in (IN_FORCE, EXPIRED):
            labels = (waiver["control"], waiver["owner"])
            remaining = (date.fromisoformat(waiver["expires"]) - today).days
            days[labels] = min(days.get(labels, remaining), remaining)
    return [
        ({"control": control, "owner": owner}, remaining)
        for (control, owner), remaining in days.items()
    ]
