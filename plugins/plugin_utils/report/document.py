# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as data: what stands in report.json, and what every other format is made from.

Shape, version 1::

    {"schema": 1,
     "run": {"mode", "ended", "collection", "ansible", "complies", "verdict", "hosts": {status: count}},
     "controls": [{"id", "title", "severity", "rationale", "remedy"}],
     "hosts": [{"name", "status", "reason", "findings": [{"control", "status", "reason", "evidence", "changed"}]}]}

Controls are sorted by their family and id, hosts by name: the same state gives the same document but for the times.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..finding import Severity, Status

SCHEMA = 1
UNREACHABLE = "unreachable"
WORST_FIRST = (UNREACHABLE, "fail", "unknown", "would_fix", "fixed", "waived", "pass", "not_applicable")
"""A host has the worst status of its findings; one without any is unknown."""
OPEN = frozenset({Status.FAIL, Status.UNKNOWN, Status.WOULD_FIX})
"""Statuses of findings that do not comply."""
SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)

Json = dict[str, Any]


@dataclass(frozen=True)
class Host:
    """One host of the play and what became of it. reason is there where it has no findings of its own."""

    name: str
    status: str
    reason: str = ""
    findings: Sequence[Json] = field(default_factory=tuple)

    @classmethod
    def of(cls, name: str, result: Any, controls: Sequence[Json]) -> Host:
        """Read the registered result of the task ets6.network.policy; None where the host never got that far.

        A host that could not be judged has every control unknown, with the reason.
        """
        if not isinstance(result, Mapping):
            return cls._unjudged(name, "unknown", "The host was not judged: the run ended for it before that.", controls)
        if result.get("unreachable"):
            return cls._unjudged(name, UNREACHABLE, f"The host could not be reached: {_line(result.get('msg'))}", controls)
        if not isinstance(result.get("findings"), (list, tuple)):
            return cls._unjudged(name, "unknown", f"The host could not be judged: {_line(result.get('msg'))}", controls)
        # A round trip leaves plain data: ansible-core tags what it hands to plugins.
        findings = sorted(json.loads(json.dumps(result["findings"])), key=lambda finding: control_key(finding["control"]))
        statuses = {finding["status"] for finding in findings}
        reason = _line(result.get("msg")) if result.get("failed") else ""
        return cls(name, next((status for status in WORST_FIRST if status in statuses), "unknown"), reason, findings)

    @classmethod
    def _unjudged(cls, name: str, status: str, reason: str, controls: Sequence[Json]) -> Host:
        findings = [
            {"control": control["id"], "status": "unknown", "reason": reason, "evidence": {}, "changed": False}
            for control in controls
        ]
        return cls(name, status, reason, findings)

    def to_wire(self) -> Json:
        """Return the host as it stands in report.json."""
        return {"name": self.name, "status": self.status, "reason": self.reason, "findings": list(self.findings)}


def controls_of(results: Iterable[Any], default: Sequence[Json]) -> list[Json]:
    """Return the controls of all hosts' results, each once; the default where no host got as far as to name any."""
    found: dict[str, Json] = {}
    for result in results:
        for control in (result.get("controls") or ()) if isinstance(result, Mapping) else ():
            found.setdefault(control["id"], json.loads(json.dumps(control)))
    return sorted(found.values() or default, key=lambda control: control_key(control["id"]))


def control_key(control_id: str) -> tuple[int, str]:
    """Return what controls are sorted by: firewall, proxy, reach, custom; then the id."""
    families = ("firewall", "proxy", "reach", "custom")
    family = control_id.partition(".")[0]
    return (families.index(family) if family in families else len(families), control_id)


def build(run: Mapping[str, Any], controls: Sequence[Json], hosts: Iterable[Host], fail_on: str) -> Json:
    """Return the document. run has mode, ended, collection and ansible; the verdict is added here."""
    ordered = sorted(hosts, key=lambda host: host.name)
    severity = {control["id"]: control["severity"] for control in controls}
    failing = [host for host in ordered if not complies(host, severity, fail_on)]
    counts = Counter(host.status for host in ordered)
    verdict = f"{len(failing)} of {len(ordered)} hosts do not comply" if failing else f"all {len(ordered)} hosts comply"
    if not ordered:
        verdict = "no host was judged"
    return {
        "schema": SCHEMA,
        "run": {
            **run,
            "fail_on": fail_on,
            "complies": bool(ordered) and not failing,
            "verdict": verdict,
            "hosts": {status: counts[status] for status in WORST_FIRST if counts[status]},
        },
        "controls": list(controls),
        "hosts": [host.to_wire() for host in ordered],
    }


def complies(host: Host, severity: Mapping[str, str], fail_on: str) -> bool:
    """Return whether a host is good enough: no open finding of the severity in fail_on or above.

    Who cannot be reached or judged never complies, whatever fail_on says.
    """
    if host.status == UNREACHABLE or host.reason or not host.findings:
        return False
    least = 0 if fail_on == "never" else SEVERITIES.index(Severity(fail_on))
    return not any(
        finding["status"] in OPEN and SEVERITIES.index(Severity(severity.get(finding["control"], "high"))) >= least
        for finding in host.findings
    )


def _line(text: Any) -> str:
    """Return a message on one line."""
    return " ".join(str(text or "no reason was given").split())
