# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's controls over a snapshot."""

from __future__ import annotations

from ..finding import Finding, Status
from ..policy import Policy
from ..snapshot import Snapshot
from . import catalogue as controls
from . import rules, traffic
from .case import Case
from .catalogue import PROTOCOLS, catalogue
from .store import request
from .words import listed, presentable

__all__ = ["catalogue", "judge", "request"]


def judge(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return a finding for every control of the catalogue, in its order."""
    case = Case(snapshot, policy)
    pairs = [(program, protocol) for program in case.programs for protocol in PROTOCOLS]
    findings = [
        in_charge(case),
        programs(case),
        *(rules.own_rule(case, program, protocol) for program, protocol in pairs),
        rules.prompt_blocks(case),
        rules.deliberate_blocks(case),
        *(traffic.inbound(case, program, protocol) for program, protocol in pairs),
        *(traffic.outbound(case, program, protocol) for program, protocol in pairs),
        traffic.active_profile(case),
        traffic.multicast_answers(case),
        rules.stale_rules(case),
        rules.malformed_rules(case),
    ]
    return [presentable(finding) for finding in findings]


def in_charge(case: Case) -> Finding:
    """Judge whether it is Windows Defender Firewall that decides."""
    control = controls.in_charge(case.policy)
    if case.policy.state == "absent":
        return rules.not_wanted(control)
    products = case.snapshot.firewall_products
    evidence = {
        "services": dict(case.snapshot.services or {}),
        "other_firewalls": [{"name": product.name, "enabled": product.enabled} for product in products or ()],
    }
    return Finding(control, case.charge.status, case.charge.reason, evidence)


def programs(case: Case) -> Finding:
    """Judge whether the programs are found."""
    control = controls.programs(case.policy)
    if case.policy.state == "absent":
        return rules.not_wanted(control)
    evidence = {program.name: {"found": list(program.paths), "set_aside": list(program.aside)} for program in case.programs}
    unknown = [program for program in case.programs if program.unreadable]
    missing = [program for program in case.programs if not program.paths and not program.unreadable]
    sentences = [f"{program.name} stands in {listed(program.paths)}." for program in case.programs if program.paths]
    sentences += [f"{program.name} could not be looked for: {listed(program.unreadable)}." for program in unknown]
    sentences += [
        f"{program.name} was not found in {listed(case.policy.paths)}, nor where a firewall rule names it." for program in missing
    ]
    sentences += [
        f"{listed(program.aside)} is left aside, since ordinary users can put programs there; if it is meant, name the folder in "
        "ets6_network_paths."
        for program in case.programs
        if program.aside
    ]
    status = Status.FAIL if missing else Status.UNKNOWN if unknown else Status.PASS
    return Finding(control, status, " ".join(sentences), evidence)
