# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a control found on a host: status, reason, evidence, and the remedy that would change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .operations import Operation


class Status(StrEnum):
    """The status of a finding, as it stands in report.json. A judge gives the first four; the others come of what was done about it."""

    PASS = "pass"  # noqa: S105 - a status, no password
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"
    FIXED = "fixed"
    WOULD_FIX = "would_fix"
    WAIVED = "waived"


class Severity(StrEnum):
    """How much a failed control hurts: high stops ETS6, medium a part of it or a part of the PCs, low is worth knowing."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Contact(StrEnum):
    """Who can meet a control that is not met, as it is in report.json.

    docs/reports.md lists them.
    """

    ENFORCE = "enforce"
    """A playbook of this collection changes it."""
    FIREWALL = "firewall"
    """Who runs the firewall, of the PC or on the way."""
    PROXY = "proxy"
    """Who runs the proxy."""
    NETWORK = "network"
    """Who runs DNS, routes and the inspection of TLS."""
    GROUP_POLICY = "group_policy"
    """Who owns the policy that sets it."""
    PC = "pc"
    """Who administers the PC."""
    USER = "user"
    """The PC's user."""
    VENDOR = "vendor"
    """The vendor of ETS6, or of the server."""
    CONTROLLER = "controller"
    """Who runs these playbooks: inventory and variables."""


NOT_MET = frozenset({Status.FAIL, Status.UNKNOWN, Status.WOULD_FIX})
"""Statuses of findings that do not comply."""
SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
"""From the least severe on."""


def severity_rank(severity: str) -> int:
    """Return the place of a severity in SEVERITIES. Raises ValueError for any other text."""
    return SEVERITIES.index(Severity(severity))


@dataclass(frozen=True)
class Control:
    """One thing that is checked: what an auditor reads beside its findings.

    title says what is true where the control is met; headline says in one line what is wrong where
    it is not. remedy says what to do in general, and contact who does it; a finding has its own
    where it knows better. needs: ids of controls without which this one cannot be judged.
    """

    id: str
    title: str
    headline: str
    severity: Severity
    rationale: str
    remedy: str
    contact: Contact = Contact.PC
    needs: tuple[str, ...] = ()

    def to_wire(self) -> dict[str, str]:
        """Return the control as it stands in report.json."""
        return {
            "id": self.id,
            "title": self.title,
            "headline": self.headline,
            "severity": self.severity.value,
            "rationale": self.rationale,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Change:
    """One thing on the PC that a remedy makes different, as an administrator thinks of it.

    subject names it (``firewall rule ETS6-ETS6N-TCP-In``, ``WinHTTP proxy``). before and after hold the same keys;
    a thing that is not there has every key with None. operations bring it about, in this order.
    """

    subject: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    operations: Sequence[Operation]

    def to_wire(self) -> dict[str, Any]:
        """Return the change as it stands in report.json."""
        return {"subject": self.subject, "before": dict(self.before), "after": dict(self.after)}


@dataclass(frozen=True)
class Finding:
    """One control's finding on one host. A host has at most one finding for a control.

    reason is a sentence for an administrator. evidence holds JSON data, keys stable for a control. A remedy is there
    only where the policy lets this collection carry it out and it would help; of a finding that counts as changed it is
    what was done. advice says what to do where the control is not met, and contact who does it. caused_by is the id of the
    control that this finding follows from; empty where it stands for itself. waiver is the waiver that covers the finding
    (policy.waivers), in its wire form. sent: its changes were sent, and what became of them is not known.
    """

    control: Control
    status: Status
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedy: Sequence[Change] = ()
    changed: bool = False
    waiver: Mapping[str, Any] | None = None
    advice: str = ""
    contact: Contact | None = None
    caused_by: str = ""
    sent: bool = False

    def to_wire(self) -> dict[str, Any]:
        """Return the finding as it stands in report.json."""
        wire: dict[str, Any] = {
            "control": self.control.id,
            "status": self.status.value,
            "reason": self.reason,
            "evidence": dict(self.evidence),
            "changed": self.changed,
            "changes": [change.to_wire() for change in self.remedy],
        }
        if self.status in NOT_MET:
            wire["remedy"] = self.advice or self.control.remedy
            wire["contact"] = (self.contact or self.control.contact).value
        if self.caused_by:
            wire["caused_by"] = self.caused_by
        if self.sent:
            wire["sent"] = True
        if self.waiver is not None:
            wire["waiver"] = dict(self.waiver)
        return wire


def remedies(findings: Iterable[Finding]) -> list[Change]:
    """Return what the findings would have changed, each thing once: two controls may ask for the same."""
    changes: dict[str, Change] = {}
    for finding in findings:
        for change in finding.remedy:
            changes.setdefault(change.subject, change)
    return list(changes.values())


SENT = "Its changes were sent; what became of them could not be determined."


def sent(findings: Iterable[Finding], changes: Iterable[Change]) -> list[Finding]:
    """Return the findings before a change of which it is not known what became of it.

    One whose changes were sent is unknown now.
    """
    subjects = {change.subject for change in changes}
    marked = []
    for finding in findings:
        remedy = [change for change in finding.remedy if change.subject in subjects]
        if remedy:
            reason = f"{finding.reason} {SENT}"
            finding = dataclasses.replace(
                finding, status=Status.UNKNOWN, reason=reason, remedy=remedy, sent=True
            )
        marked.append(finding)
    return marked


def settle(
    before: Sequence[Finding], after: Sequence[Finding], made: Sequence[Change], status: Status
) -> list[Finding]:
    """Return the findings after a change (or, with Status.WOULD_FIX, after a predicted one).

    What failed before and passes now gets the given status. A finding counts as changed where one of
    its own changes was made, whatever its status became: a change that did not help is still a
    change.
    """
    earlier = {finding.control.id: finding for finding in before}
    subjects = {change.subject for change in made}
    settled = []
    for finding in after:
        previous = earlier.get(finding.control.id)
        if previous is not None:
            finding = _settle(previous, finding, subjects, status)
        settled.append(finding)
    return settled


def _settle(
    previous: Finding, finding: Finding, subjects: Collection[str], status: Status
) -> Finding:
    changes = [change for change in previous.remedy if change.subject in subjects]
    if previous.status is Status.FAIL and finding.status is Status.PASS:
        then = "Would then be" if status is Status.WOULD_FIX else "Now"
        reason = f"{previous.reason} {then}: {finding.reason}"
        finding = dataclasses.replace(
            finding,
            status=status,
            reason=reason,
            advice=previous.advice,
            contact=previous.contact,
            caused_by=previous.caused_by,
        )
    return dataclasses.replace(finding, changed=bool(changes), remedy=changes or finding.remedy)
