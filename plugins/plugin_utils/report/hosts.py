# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hosts of a report: what a run found on each, and which of them comply."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..record import Interrupted as Record
from ..text import first_words, one_line, shorten
from .hashes import digest
from .model import (
    OPEN,
    UNREACHABLE,
    WORST_FIRST,
    ControlRecord,
    FindingRecord,
    Host,
    Interrupted,
    Json,
    Report,
    UnreportedChanges,
)

NOT_YET = "This host has not been judged yet."
MAX_REASON = 4_000
"""Characters of a message that Ansible hands over."""
MAX_SUBJECTS = 5
"""Changes of an earlier run that are named in its sentence."""
MAX_SUBJECT = 200
MAX_EARLIER_RUNS = 5
_UNREPORTED = {
    "made": "changed it at {at}",
    "failed": "sent it changes at {at} that were not, or not completely, made",
    "unknown": "sent it changes at {at}, and whether they were made is not known",
}
FAMILIES = ("firewall", "proxy", "reach", "custom")
"""The first parts of control ids, in the order of a report."""


@dataclass(frozen=True)
class HostResult:
    """One host of a run and what became of it.

    reason is set where the host as a whole was not judged, or not to the end. at is when it was
    judged. variables are the ones that it was judged by. facts: see plugin_utils.facts.
    interrupted is what the PC has of an earlier run that did not end, unreported what is noted
    beside the reports of changes that are in none.
    """

    name: str
    status: str
    at: str
    reason: str = ""
    groups: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[FindingRecord] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    interrupted: Interrupted | None = None
    unreported: Sequence[UnreportedChanges] = ()

    @classmethod
    def from_task(
        cls,
        name: str,
        result: Any,
        controls: Sequence[ControlRecord],
        groups: Sequence[str],
        ended: str,
    ) -> HostResult:
        """Read the registered result of the task ets6.network.policy.

        It is None where the task did not run. A host that could not be judged has every control
        unknown, with the reason.
        """
        name = plain(name)
        groups = plain(sorted(set(groups) - {"all", "ungrouped"}))
        status, reason = _why_not_judged(result)
        if reason:
            return cls.not_judged(name, status, reason, controls, groups, ended)
        names = ("at", "findings", "variables", "facts", "interrupted")
        content = plain({key: result.get(key) for key in names})
        findings: list[FindingRecord] = content["findings"]
        findings.sort(key=lambda finding: control_key(finding["control"]))
        if result.get("failed"):
            reason = _message(result)
        at = content["at"] or ended
        variables = content["variables"] or {}
        facts = content["facts"] or {}
        interrupted = content["interrupted"]
        status = worst_status(findings)
        return cls(name, status, at, reason, groups, variables, findings, facts, interrupted)

    @classmethod
    def not_judged(
        cls,
        name: str,
        status: str,
        reason: str,
        controls: Sequence[ControlRecord],
        groups: Sequence[str],
        ended: str,
    ) -> HostResult:
        """Return a host of which nothing is known: every control is unknown, for that reason."""
        findings: list[FindingRecord] = []
        for control in controls:
            findings.append(
                {
                    "control": control["id"],
                    "status": "unknown",
                    "reason": reason,
                    "evidence": {},
                    "changed": False,
                    "changes": [],
                }
            )
        return cls(name, status, ended, reason, groups, {}, findings)

    def to_record(self, common: Mapping[str, Any]) -> Host:
        """Return the host as it is in report.json; the common variables are in the run."""
        host: Host = {
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "at": self.at,
            "groups": list(self.groups),
            "variables": {},
            "findings": list(self.findings),
            "sha256": "",
        }
        for name, value in sorted(self.variables.items()):
            if name not in common:
                host["variables"][name] = value
        if self.facts:
            host["facts"] = dict(self.facts)
        if self.interrupted:
            host["interrupted"] = self.interrupted
        if self.unreported:
            host["unreported"] = list(self.unreported)
        host["sha256"] = digest(host)
        return host


def _why_not_judged(result: Any) -> tuple[str, str]:
    """Return status and reason of a host that was not judged; the reason of others is empty."""
    if not isinstance(result, Mapping):
        return "unknown", "The host was not judged: the run ended for it before that."
    if result.get("unreachable"):
        return UNREACHABLE, f"The host could not be reached: {_message(result)}"
    if not isinstance(result.get("findings"), (list, tuple)):
        return "unknown", f"The host could not be judged: {_message(result)}"
    return "", ""


def _message(result: Mapping[str, Any]) -> str:
    """Return a task's message on one line."""
    message = str(result.get("msg") or "no reason was given")
    return one_line(str(plain(message)), MAX_REASON)


def plain(content: Any) -> Any:
    """Return JSON data that any reader accepts.

    It has no tags of ansible-core, no lone surrogates and no NaN.
    """
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return json.loads(text, parse_constant=str)


def control_key(control_id: str) -> tuple[int, str]:
    """Return the key by which controls are sorted: the family, then the id."""
    family = control_id.partition(".")[0]
    if family in FAMILIES:
        return FAMILIES.index(family), control_id
    return len(FAMILIES), control_id


def worst_status(findings: Iterable[FindingRecord]) -> str:
    """Return the worst status of the findings, unknown without any."""
    statuses = {finding["status"] for finding in findings}
    for status in WORST_FIRST:
        if status in statuses:
            return status
    return "unknown"


def common_variables(hosts: Sequence[HostResult]) -> Json:
    """Return the variables that all judged hosts have in common."""
    judged = [host.variables for host in hosts if host.variables]
    if not judged:
        return {}
    common: Json = {}
    for name, value in sorted(judged[0].items()):
        if all(name in variables and variables[name] == value for variables in judged):
            common[name] = value
    return common


def complies(host: Host) -> bool:
    """Return whether a host complies: it was judged to the end, and no finding is open."""
    if host["reason"] or not host["findings"]:
        return False
    return all(finding["status"] not in OPEN for finding in host["findings"])


def repeats_reason(host: Host, finding: FindingRecord) -> bool:
    """Return whether a finding only repeats why its host was not judged."""
    return bool(host["reason"]) and finding["reason"] == host["reason"]


def has_own_findings(host: Host) -> bool:
    """Return whether a host was judged, if only in part: it was reached, and may be changed."""
    return not all(repeats_reason(host, finding) for finding in host["findings"])


def any_judged(report: Report) -> bool:
    """Return whether any host was judged, if only in part."""
    return any(has_own_findings(host) for host in report["hosts"])


def open_findings(host: Host) -> list[FindingRecord]:
    """Return the findings that do not comply, without those that only repeat the host's reason."""
    findings = []
    for finding in host["findings"]:
        if finding["status"] in OPEN and not repeats_reason(host, finding):
            findings.append(finding)
    return findings


def all_hosts(report: Report) -> list[Host]:
    """Return the hosts of a report, and after them those that are pending, as not judged."""
    hosts = list(report["hosts"])
    for name in report["run"]["pending"]:
        pending = HostResult(name, "unknown", report["run"]["ended"], NOT_YET)
        hosts.append(pending.to_record({}))
    return hosts


def earlier_runs(host: Host) -> str:
    """Return what is known of runs that did not end on a host; empty where there are none."""
    sentences = []
    if "interrupted" in host:
        sentences.append(Record(**host["interrupted"]).sentence)
    unreported = host.get("unreported", ())
    for sent in unreported[:MAX_EARLIER_RUNS]:
        subjects = [shorten(change["subject"], MAX_SUBJECT) for change in sent["changes"]]
        sentences.append(
            "An earlier run that did not end, or did not judge this host, "
            f"{_UNREPORTED[sent['outcome']].format(at=sent['at'])}: "
            f"{first_words(subjects, MAX_SUBJECTS)}."
        )
    if len(unreported) > MAX_EARLIER_RUNS:
        sentences.append(f"report.json has {len(unreported) - MAX_EARLIER_RUNS} more of them.")
    return " ".join(sentences)


def change_lines(finding: FindingRecord) -> list[str]:
    """Return what was or would be changed: ``firewall rule X: enabled false → true``."""
    lines = []
    for change in finding["changes"]:
        before = change["before"]
        values = []
        for name, value in change["after"].items():
            if before.get(name) != value:
                values.append(f"{name} {_value(before.get(name))} → {_value(value)}")
        lines.append(f"{change['subject']}: {'; '.join(values)}")
    return lines


def _value(value: object) -> str:
    if value is None:
        return "(none)"
    return json.dumps(value, ensure_ascii=False)
