# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The runner: every control of a policy over what was observed on a host.

What is common to all controls is decided here and nowhere else: which of them apply in this state
and to this kind of host, and that texts from the host are clean before they reach a report.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TypeVar

from . import custom, facts, record
from .declaration import Check, Family, Judgement, not_applicable
from .finding import NOT_MET, Change, Contact, Control, Finding, Status
from .firewall.context import FirewallContext
from .firewall.controls import FAMILY as FIREWALL
from .firewall.controls import request as firewall_request
from .policy.variables import Policy
from .proxy.context import ProxyContext
from .proxy.controls import FAMILY as PROXY
from .proxy.controls import request as proxy_request
from .reachability.context import ReachabilityContext
from .reachability.controls import FAMILY as REACHABILITY
from .reachability.controls import request as reachability_request
from .snapshot import Snapshot
from .text import first_words, printable, printable_data, shorten

MAX_REASON = 4_000
"""Characters of a finding's reason."""
MAX_TEXT = 1_000
"""Characters of a text in the evidence: longer than any path, name or setting of Windows."""

MAX_CUSTOM_TEXT = 4_001
"""The same for a custom control, whose evidence is whatever its expression selects."""

MAX_SUBJECTS = 3
"""Changes that an advice names."""

DETERMINE = "Correct what kept this from being determined, then run ets6.network.verify again."
PROBES_ONLY = "This host is not a Windows PC; it only probes."
NOT_WANTED = "ets6_network_state is absent: the PC does not have to be ready for ETS6."

ContextT = TypeVar("ContextT")


def catalogue(policy: Policy) -> list[Control]:
    """Return every control that the policy calls for, whether or not a host can be reached."""
    controls = []
    for family in (FIREWALL, PROXY, REACHABILITY):
        controls += [check.control for check in family.checks(policy)]
    return controls + [custom_control.control for custom_control in policy.controls]


@lru_cache
def default_catalogue() -> tuple[Control, ...]:
    """Return the controls of the default policy, which a report knows without a host's result."""
    return tuple(catalogue(Policy()))


def request(policy: Policy) -> dict[str, Sequence[object]]:
    """Return what has to be read for every control and for the facts: options of windows_host."""
    merged: dict[str, list[object]] = {}
    families = (firewall_request, proxy_request, reachability_request, facts.request)
    requests = [family_request(policy) for family_request in families]
    for requested_options in (*requests, record.REQUEST):
        for option, items in requested_options.items():
            requested = merged.setdefault(option, [])
            requested.extend(item for item in items if item not in requested)
    return dict(merged)


class Assessment:
    """One host under a policy. Nothing is worked out before it is needed, and nothing twice."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot = snapshot
        self.policy = policy

    @cached_property
    def proxy(self) -> ProxyContext:
        """The proxies of the host; the probes to be made follow from them."""
        return ProxyContext(self.snapshot, self.policy)

    @cached_property
    def findings(self) -> list[Finding]:
        """A finding for every control of the catalogue, in its order."""
        findings = _with_causes(list(self._findings()))
        return findings + self._custom_findings(findings)

    def _findings(self) -> Iterator[Finding]:
        yield from self.judge(FIREWALL, FirewallContext(self.snapshot, self.policy))
        yield from self.judge(PROXY, self.proxy)
        reachability = ReachabilityContext(self.snapshot, self.policy, self.proxy)
        yield from self.judge(REACHABILITY, reachability)

    def judge(self, family: Family[ContextT], context: ContextT) -> Iterator[Finding]:
        """Return a finding for each control of a family, in order."""
        for check in family.checks(self.policy):
            judgement = self._judgement(family, check, context)
            finding = _finding(check.control, self._with_advice(judgement))
            yield _present(finding, MAX_TEXT)

    def _with_advice(self, judgement: Judgement) -> Judgement:
        """Return the judgement with the playbook to run where that makes the changes."""
        if not judgement.remedy:
            return _with_default_advice(judgement)
        playbook = "ets6.network.enforce"
        if self.snapshot.offline:
            playbook = "ets6.network.prepare_image"
        elif self.policy.state == "absent":
            playbook = "ets6.network.remove"
        names = [change.subject for change in judgement.remedy]
        subjects = first_words(names, MAX_SUBJECTS, "; ")
        return judgement.advise(f"Run {playbook}. It changes: {subjects}.", Contact.ENFORCE)

    def _judgement(
        self, family: Family[ContextT], check: Check[ContextT], context: ContextT
    ) -> Judgement:
        if self.snapshot.vantage and not family.on_probing_hosts:
            return not_applicable(PROBES_ONLY)
        judge = check.judge_absent if self.policy.state == "absent" else check.judge
        if judge is None:
            return not_applicable(NOT_WANTED)
        if self.snapshot.offline and check.image:
            return not_applicable(check.image)
        return judge(context)

    def _custom_findings(self, findings: Sequence[Finding]) -> list[Finding]:
        controls = self.policy.controls
        if not self.snapshot.vantage and self.policy.state == "present":
            custom_findings = custom.judge(controls, self.snapshot, findings)
            return [_present(finding, MAX_CUSTOM_TEXT) for finding in custom_findings]
        judgement = not_applicable(PROBES_ONLY if self.snapshot.vantage else NOT_WANTED)
        return [_finding(custom_control.control, judgement) for custom_control in controls]


def _with_default_advice(judgement: Judgement) -> Judgement:
    """Return the judgement; the remedy of a control is no advice for what could not be determined."""
    if judgement.status is not Status.UNKNOWN or judgement.advice:
        return judgement
    return judgement.advise(DETERMINE, judgement.contact or Contact.PC)


def _finding(control: Control, judgement: Judgement) -> Finding:
    return Finding(
        control,
        judgement.status,
        judgement.reason,
        judgement.evidence,
        judgement.remedy,
        advice=judgement.advice,
        contact=judgement.contact,
        caused_by=judgement.caused_by,
    )


def _with_causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; one that could not be judged names the control that it needs.

    Only a control that is not met is a cause.
    """
    not_met = {finding.control.id for finding in findings if finding.status in NOT_MET}
    caused = []
    for finding in findings:
        caused.append(dataclasses.replace(finding, caused_by=_cause(finding, not_met)))
    by_id = {finding.control.id: finding for finding in caused}
    return [_with_root_advice(finding, by_id) for finding in caused]


def _cause(finding: Finding, not_met: Collection[str]) -> str:
    """Return the control that a finding follows from; empty where that is none, or is met."""
    if finding.caused_by:
        return finding.caused_by if finding.caused_by in not_met else ""
    if finding.status is not Status.UNKNOWN:
        return ""
    return next((control_id for control_id in finding.control.needs if control_id in not_met), "")


def _with_root_advice(finding: Finding, findings: Mapping[str, Finding]) -> Finding:
    """Return a consequence with what to do about its root cause, unless it has changes itself."""
    root = finding
    passed_by = {finding.control.id}
    while root.caused_by in findings and root.caused_by not in passed_by:
        root = findings[root.caused_by]
        passed_by.add(root.control.id)
    if root is finding or root.status not in NOT_MET or finding.remedy:
        return finding
    advice = f"First meet {root.control.id}: {root.advice or root.control.remedy}"
    return dataclasses.replace(finding, advice=advice, contact=root.contact or root.control.contact)


def _present(finding: Finding, max_text: int) -> Finding:
    """Return the finding with texts that are printable and bounded: they hold a host's words."""
    return dataclasses.replace(
        finding,
        reason=shorten(printable(finding.reason), MAX_REASON),
        advice=shorten(printable(finding.advice), MAX_REASON),
        evidence=printable_data(finding.evidence, max_text),
        remedy=tuple(_present_change(change) for change in finding.remedy),
    )


def _present_change(change: Change) -> Change:
    # The subject tells changes apart, so it is never cut. What the operations do stays as it was.
    return Change(
        printable(change.subject),
        printable_data(change.before, MAX_TEXT),
        printable_data(change.after, MAX_TEXT),
        change.operations,
    )
