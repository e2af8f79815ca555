# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every control over a snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from . import custom
from .finding import Control, Finding, Status
from .firewall import controls as firewall
from .policy import Policy
from .proxy import controls as proxy
from .reachability import controls as reachability
from .snapshot import Snapshot

FAMILIES = (firewall, proxy, reachability)


def catalogue(policy: Policy) -> list[Control]:
    """Return every control that this policy calls for, whether or not a PC can be asked."""
    return [*(control for family in FAMILIES for control in family.catalogue(policy)), *(own.control for own in policy.controls)]


def judge(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return a finding for every control of the catalogue, in its order."""
    if snapshot.vantage:
        asked = {finding.control.id: finding for finding in reachability.judge(snapshot, policy)}
        reason = "This host is no Windows PC; it only probes."
        return [asked.get(control.id) or Finding(control, Status.NOT_APPLICABLE, reason) for control in catalogue(policy)]
    findings = {finding.control.id: finding for family in FAMILIES for finding in family.judge(snapshot, policy)}
    if policy.state == "absent":
        reason = "The PC is to be as it was before; own controls are not asked of it then."
        own = [Finding(one.control, Status.NOT_APPLICABLE, reason) for one in policy.controls]
    else:
        own = custom.judge(policy.controls, snapshot, list(findings.values()))
    findings.update({finding.control.id: finding for finding in own})
    return [findings[control.id] for control in catalogue(policy)]


def request(policy: Policy) -> dict[str, Sequence[object]]:
    """Return what has to be read of a target so that every control can be judged: options of windows_host."""
    merged: dict[str, list[object]] = {}
    for family in FAMILIES:
        for option, items in family.request(policy).items():
            merged.setdefault(option, []).extend(item for item in items if item not in merged.get(option, []))
    return dict(merged)
