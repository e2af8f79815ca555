# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as data: what is in report.json, from which every other format is made.

Controls are sorted by family and id, hosts by name. The same state gives the same document but for
the times (hashes.TIMES).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..finding import SEVERITIES, Severity
from ..text import count
from .hashes import seal
from .hosts import complies, control_key, plain
from .model import (
    OPEN,
    SCHEMA,
    UNREACHABLE,
    WORST_FIRST,
    Control,
    Host,
    Merged,
    Report,
    Run,
    WaiverRecord,
)


def controls_of(results: Iterable[Any], default: Sequence[Control]) -> list[Control]:
    """Return the controls that results of hosts or reports name, each once as the first has it.

    default: the controls where none names any.
    """
    controls: dict[str, Control] = {}
    for result in results:
        if isinstance(result, Mapping):
            for control in result.get("controls") or ():
                controls.setdefault(control["id"], plain(control))
    return sorted(controls.values() or default, key=lambda control: control_key(control["id"]))


def build(
    run: Run,
    controls: Sequence[Control],
    hosts: Sequence[Host],
    waivers: Sequence[WaiverRecord],
    fail_on: Sequence[str],
    merged: Merged | None = None,
    problems: Sequence[str] = (),
) -> Report:
    """Return the document, with verdict, counts and hash.

    As long as run names pending hosts, nothing complies. hosts are in order. problems are what was
    wrong with the run itself; they fail it whatever fail_on says.
    """
    failing = sum(not complies(host) for host in hosts)
    finished = bool(hosts) and not run["pending"] and not problems
    statuses = Counter(host["status"] for host in hosts)
    return seal(
        {
            "schema": SCHEMA,
            "run": {
                **run,
                "fail_on": list(fail_on),
                "complies": finished and not failing,
                "verdict": _verdict(run, len(hosts), failing, problems),
                "fails_because": list(problems) or _fails_because(controls, hosts, fail_on),
                "hosts": {status: statuses[status] for status in WORST_FIRST if statuses[status]},
            },
            "drift": None,
            "waivers": list(waivers),
            "merged": merged,
            "controls": list(controls),
            "hosts": list(hosts),
            "sha256": "",
        }
    )


def _verdict(run: Run, hosts: int, failing: int, problems: Sequence[str]) -> str:
    if not hosts or problems:
        verdict = "no host was judged"
    elif failing:
        verb = "does" if failing == 1 else "do"
        verdict = f"{failing} of {count(hosts, 'host')} {verb} not comply"
    elif hosts == 1:
        verdict = "the host complies"
    else:
        verdict = f"all {hosts} hosts comply"
    if run["pending"]:
        verdict = f"{count(len(run['pending']), 'host')} not judged yet; so far {verdict}"
    return verdict


def _fails_because(
    controls: Sequence[Control], hosts: Sequence[Host], fail_on: Sequence[str]
) -> list[str]:
    """Return why the run fails, a sentence each. Without any host it always does."""
    if not hosts:
        return ["No host was judged."]
    reasons = _failing_severity(controls, hosts, fail_on)
    unreachable = sum(host["status"] == UNREACHABLE for host in hosts)
    if UNREACHABLE in fail_on and unreachable:
        reasons.append(f"{count(unreachable, 'host')} could not be reached.")
    expired = sum(_has_expired_waiver(host) for host in hosts)
    if "expired" in fail_on and expired:
        reasons.append(f"Waivers have expired on {count(expired, 'host')}.")
    return reasons


def _failing_severity(
    controls: Sequence[Control], hosts: Sequence[Host], fail_on: Sequence[str]
) -> list[str]:
    severities = [severity for severity in SEVERITIES if severity in fail_on]
    if not severities:
        return []
    lowest = severities[0]
    severity_of = {control["id"]: Severity(control["severity"]) for control in controls}
    failing = sum(_fails_at(host, severity_of, lowest) for host in hosts)
    if not failing:
        return []
    above = "" if lowest is SEVERITIES[-1] else " or above"
    return [f"Controls of severity {lowest}{above} are not met on {count(failing, 'host')}."]


def _fails_at(host: Host, severity_of: Mapping[str, Severity], lowest: Severity) -> bool:
    """Return whether a host that was reached has an open finding of this severity or above."""
    if host["status"] == UNREACHABLE:
        return False
    if host["reason"] or not host["findings"]:
        return True
    for finding in host["findings"]:
        severity = severity_of.get(finding["control"], Severity.HIGH)
        if finding["status"] in OPEN and SEVERITIES.index(severity) >= SEVERITIES.index(lowest):
            return True
    return False


def _has_expired_waiver(host: Host) -> bool:
    for finding in host["findings"]:
        waiver = finding.get("waiver")
        if finding["status"] in OPEN and waiver and waiver["expired"]:
            return True
    return False
