# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What fails a run, and which of its hosts, by ets6_network_fail_on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..finding import SEVERITIES, Severity, Status, severity_rank
from ..text import count, one_line
from . import unreachable
from .hosts import open_findings
from .model import OPEN, UNREACHABLE, ControlRecord, FindingRecord, Host

MAX_LINE = 200
"""Characters of the line about one host."""
MAX_REASON = 500
"""The same of a host that could not be judged: what to do comes last in it."""


def fails_because(
    controls: Sequence[ControlRecord], hosts: Sequence[Host], fail_on: Sequence[str]
) -> list[str]:
    """Return why the run fails, a sentence each. Without any host it always does."""
    if not hosts:
        return ["No host was judged."]
    reasons = _failing_severity(controls, hosts, fail_on)
    away = sum(host["status"] == UNREACHABLE for host in hosts)
    if UNREACHABLE in fail_on and away:
        reasons.append(f"{count(away, 'host')} could not be reached.")
    expired = sum(_has_expired_waiver(host) for host in hosts)
    if "expired" in fail_on and expired:
        reasons.append(f"Waivers have expired on {count(expired, 'host')}.")
    return reasons


def _failing_severity(
    controls: Sequence[ControlRecord], hosts: Sequence[Host], fail_on: Sequence[str]
) -> list[str]:
    severities = [severity for severity in SEVERITIES if severity in fail_on]
    if not severities:
        return []
    lowest = severities[0]
    severity_of = {control["id"]: control["severity"] for control in controls}
    failing = sum(_fails_at(host, severity_of, lowest) for host in hosts)
    if not failing:
        return []
    above = "" if lowest is SEVERITIES[-1] else " or above"
    return [f"Controls of severity {lowest}{above} are not met on {count(failing, 'host')}."]


def _fails_at(host: Host, severity_of: Mapping[str, str], lowest: Severity) -> bool:
    """Return whether a host that was reached has an open finding of this severity or above."""
    if host["status"] == UNREACHABLE:
        return False
    if host["reason"] or not host["findings"]:
        return True
    for finding in host["findings"]:
        severity = severity_of.get(finding["control"], Severity.HIGH)
        if finding["status"] in OPEN and severity_rank(severity) >= severity_rank(lowest):
            return True
    return False


def _has_expired_waiver(host: Host) -> bool:
    for finding in host["findings"]:
        waiver = finding.get("waiver")
        if finding["status"] in OPEN and waiver and waiver["expired"]:
            return True
    return False


def host_fails_because(
    host: Host, controls: Sequence[ControlRecord], fail_on: Sequence[str]
) -> str:
    """Return in one line why a host fails the run; empty where it does not."""
    if not fails_because(controls, [host], fail_on):
        return ""
    findings = open_findings(host)
    if host["status"] == UNREACHABLE:
        return one_line(f"Not reached: {unreachable.title(host['reason'])}", MAX_LINE)
    if host["reason"] or not findings:
        return one_line(host["reason"] or "No control was judged.", MAX_REASON)
    by_id = {control["id"]: control for control in controls}

    def rank(finding: FindingRecord) -> tuple[int, bool, bool]:
        control = by_id.get(finding["control"])
        severity = control["severity"] if control else Severity.HIGH
        is_root = not finding.get("caused_by")
        return severity_rank(severity), finding["status"] != Status.UNKNOWN, is_root

    worst = max(findings, key=rank)
    text = f"{count(len(findings), 'open finding')}, worst: {worst['control']}"
    if worst["status"] == Status.UNKNOWN:
        # The headline says what is wrong, which is not known here.
        text += " (could not be determined)"
    elif worst["control"] in by_id:
        text += f" ({by_id[worst['control']]['headline']})"
    return one_line(text, MAX_LINE)
