# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Open findings by their root cause: what follows from another finding is not a problem of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..finding import Contact, Severity, Status, severity_rank
from .hosts import open_findings
from .model import ControlRecord, FindingRecord, Report

CONTACTS = {
    Contact.ENFORCE: "a playbook of this collection",
    Contact.FIREWALL: "the administrators of the firewall",
    Contact.PROXY: "the administrators of the proxy",
    Contact.NETWORK: "the administrators of the network",
    Contact.GROUP_POLICY: "the owners of the policy",
    Contact.PC: "the administrators of the PC",
    Contact.USER: "the users of the PC",
    Contact.VENDOR: "the vendor",
    Contact.CONTROLLER: "the operators of the playbooks",
}
"""Each contact in words, in the order in which a report lists them."""


@dataclass
class Cause:
    """A control that is not met, with its findings and those of other controls that follow from them.

    findings are (name of the host, finding). consequences has the hosts by the other control's id.
    """

    control: ControlRecord
    findings: list[tuple[str, FindingRecord]] = field(default_factory=list)
    consequences: dict[str, list[str]] = field(default_factory=dict)

    @property
    def hosts(self) -> list[str]:
        """The hosts on which it is open."""
        return [name for name, _finding in self.findings]

    @property
    def headline(self) -> str:
        """What is wrong; where no host was found so, that it could not be determined."""
        statuses = {finding["status"] for _name, finding in self.findings}
        if statuses == {Status.UNKNOWN}:
            return f"Could not be determined: {self.control['title']}"
        return self.control["headline"]

    def by_contact(self) -> dict[Contact, dict[str, list[str]]]:
        """Return who does what on which hosts: contact, remedy and names."""
        contacts: dict[Contact, dict[str, list[str]]] = {}
        for name, finding in self.findings:
            remedies = contacts.setdefault(contact_of(finding), {})
            remedies.setdefault(remedy_of(finding, self.control), []).append(name)
        return {contact: contacts[contact] for contact in CONTACTS if contact in contacts}


def causes(report: Report) -> list[Cause]:
    """Return the root causes: the most severe first, then those of most hosts."""
    controls = {control["id"]: control for control in report["controls"]}
    found: dict[str, Cause] = {}
    for host in report["hosts"]:
        not_met = {finding["control"]: finding for finding in open_findings(host)}
        for finding in not_met.values():
            root = _root_cause(finding, not_met)
            cause = found.setdefault(root, Cause(_control(root, controls)))
            if root == finding["control"]:
                cause.findings.append((host["name"], finding))
            else:
                cause.consequences.setdefault(finding["control"], []).append(host["name"])

    def order(cause: Cause) -> tuple[int, int, str]:
        severity = severity_rank(_worst_severity(cause, controls))
        return -severity, -len(cause.findings), cause.control["id"]

    return sorted(found.values(), key=order)


def by_work(found: Iterable[Cause]) -> list[list[Cause]]:
    """Return the causes in groups: in a group the same is to be done on the same hosts.

    For example one policy blocks both programs over TCP and UDP, or one firewall several servers.
    """
    groups: dict[tuple[object, ...], list[Cause]] = {}
    for cause in found:
        work = []
        for name, finding in cause.findings:
            remedy = remedy_of(finding, cause.control)
            work.append((name, finding["status"], contact_of(finding), remedy))
        groups.setdefault(tuple(work), []).append(cause)
    return list(groups.values())


def _root_cause(finding: FindingRecord, not_met: Mapping[str, FindingRecord]) -> str:
    """Return the control that a finding follows from in the end; its own where that is none.

    not_met are the open findings of the host, by control.
    """
    chain = [finding["control"]]
    cause = finding.get("caused_by", "")
    while cause in not_met:
        if cause in chain:
            # A circle has no root, and hides nothing.
            return finding["control"]
        chain.append(cause)
        cause = not_met[cause].get("caused_by", "")
    return chain[-1]


def contact_of(finding: FindingRecord) -> Contact:
    """Return who meets the control; of reports that do not say so the administrator of the PC."""
    return Contact(finding.get("contact", Contact.PC))


def remedy_of(finding: FindingRecord, control: ControlRecord | None) -> str:
    """Return what to do about a finding."""
    if "remedy" in finding:
        return finding["remedy"]
    return control["remedy"] if control else ""


def _control(control_id: str, controls: Mapping[str, ControlRecord]) -> ControlRecord:
    if control_id in controls:
        return controls[control_id]
    return {
        "id": control_id,
        "title": control_id,
        "headline": control_id,
        "severity": Severity.HIGH.value,
        "rationale": "",
        "remedy": "",
    }


def _worst_severity(cause: Cause, controls: Mapping[str, ControlRecord]) -> str:
    """Return the highest severity of a cause and what follows from it."""
    present = {_control(name, controls)["severity"] for name in cause.consequences}
    present.add(cause.control["severity"])
    return max(present, key=severity_rank)
