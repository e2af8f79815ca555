# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Findings on rules: the own ones, the ones in the way, and the ones left over."""

from __future__ import annotations

from collections.abc import Sequence

from ..finding import Change, Control, Finding, Status
from ..formats.firewall_rule import Direction, Rule
from ..operations import FirewallRule
from . import catalogue, own
from .case import Block, Case
from .catalogue import PROTOCOLS
from .effective import MAX_LISTED
from .outbound import needed
from .places import Program
from .store import Store
from .words import listed, sentence


def own_rule(case: Case, program: Program, protocol: str) -> Finding:
    """Judge the own inbound rules of a program, one for each place where it stands."""
    control = catalogue.rule(program.name, protocol)
    if case.policy.state == "absent":
        return removed(case, control, program, protocol, Direction.IN)
    if case.firewall.unreadable:
        return unreadable(case, control)
    if (finding := nowhere(control, [program])) is not None:
        return finding
    return wanted_rules(case, control, case.own(program, protocol, Direction.IN), Direction.IN)


def wanted_rules(case: Case, control: Control, rules: Sequence[FirewallRule], direction: Direction) -> Finding:
    """Judge whether rules are there and as wanted."""
    drifts = [(rule, change) for rule in rules if (change := own.drift(rule, case.firewall, case.paths)) is not None]
    wrong = {rule.id for rule, _change in drifts}
    evidence = {"rules": [{"id": rule.id, "program": rule.program, "as_wanted": rule.id not in wrong} for rule in rules]}
    useless = {rule.id: why for rule in rules if (why := case.useless(rule, direction))}
    without_effect = sentence("; ".join(dict.fromkeys(useless.values())).rstrip(".")) + "."
    if not drifts:
        reason = f"{listed(rule.id for rule in rules)} {'is' if len(rules) == 1 else 'are'} there and as wanted."
        return Finding(control, Status.PASS, f"{reason} Without effect: {without_effect}" if useless else reason, evidence)
    problem = " ".join(_problem(change) for _rule, change in drifts)
    changes = [change for rule, change in drifts if rule.id not in useless]
    if changes:
        return Finding(control, Status.FAIL, problem, evidence, changes)
    if case.charge.useless:
        return Finding(control, Status.UNKNOWN, f"{problem} It is not written: {without_effect}", evidence)
    if all(case.passes_by_policy(rule, direction) for rule in rules):
        reason = f"An administrator's policy lets the traffic through; a rule of the PC's own would do nothing. {without_effect}"
        return Finding(control, Status.NOT_APPLICABLE, reason, evidence)
    reason = f"{problem} It is not written, since it would do nothing. {without_effect} Change that where it is set."
    return Finding(control, Status.FAIL, reason, evidence)


def _problem(change: Change) -> str:
    rule_id = change.subject.removeprefix("firewall rule ")
    if all(value is None for value in change.before.values()):
        return f"{rule_id} is not there."
    if change.before["enabled"] is None:
        return f"{rule_id} is there, but cannot be read as a rule."
    differing = [key for key in change.before if change.before[key] != change.after[key]]
    return f"{rule_id} differs in {listed(differing)}."


def removed(case: Case, control: Control, program: Program, protocol: str, direction: Direction) -> Finding:
    """Judge whether the own rules of a program are gone."""
    if case.firewall.unreadable:
        return unreadable(case, control)
    left = [
        rule
        for rule in own.local_rules(case.firewall)
        if own.is_own(rule) and own.is_for(rule.id, program.name, protocol, direction)
    ]
    if not left:
        return Finding(control, Status.PASS, "No rule of this collection is there, as wanted.")
    reason = f"{listed(rule.id for rule in left)} {'is' if len(left) == 1 else 'are'} still there."
    evidence = {"rules": [{"id": rule.id, "program": rule.app, "as_wanted": False} for rule in left]}
    return Finding(control, Status.FAIL, reason, evidence, [own.removal(rule) for rule in left])


def stale_rules(case: Case) -> Finding:
    """Judge whether rules of this collection are left that nobody wants."""
    control = catalogue.stale_rules(case.policy)
    if case.firewall.unreadable:
        return unreadable(case, control)
    kept = set()
    wanted: list[FirewallRule] = []
    for program in case.programs:
        for protocol in PROTOCOLS:
            if case.policy.state == "present" and program.known:
                wanted += case.own(program, protocol, Direction.IN) + needed(case, program, protocol)
                continue
            # Of a program of which it is not known where it stands, rules are left alone; rules that have to go (absent) have
            # a control of their own.
            for rule in own.local_rules(case.firewall):
                if any(own.is_for(rule.id, program.name, protocol, direction) for direction in Direction):
                    kept.add(rule.id.lower())
    kept |= {rule.id.lower() for rule in wanted}
    left: list[Rule] = []
    for rule in own.local_rules(case.firewall):
        if (own.is_own(rule) and rule.id.lower() not in kept) or any(own.is_copy(rule, other, case.paths) for other in wanted):
            left.append(rule)
    if not left:
        return Finding(control, Status.PASS, "No rule of this collection is left over.")
    names = listed(f"{rule.id} ({rule.app or 'any program'})" for rule in left)
    reason = f"{names}: nobody needs {'it' if len(left) == 1 else 'them'}."
    evidence = {"rules": [rule.id for rule in left]}
    if case.charge.useless and case.policy.state == "present":
        return Finding(control, Status.FAIL, f"{reason} Not removed: {case.charge.reason}", evidence)
    return Finding(control, Status.FAIL, reason, evidence, [own.removal(rule) for rule in left])


def malformed_rules(case: Case) -> Finding:
    """Judge whether every rule can be read."""
    control = catalogue.malformed_rules(case.policy)
    if case.firewall.unreadable:
        return unreadable(case, control)
    if not case.firewall.malformed:
        return Finding(control, Status.PASS, f"All {len(case.firewall.rules)} rules can be read.")
    problems = [f"{item.problem} ({item.store.value})" for item in case.firewall.malformed]
    reason = f"{len(problems)} {'value is no rule' if len(problems) == 1 else 'values are no rules'}. First: {problems[0]}."
    evidence = {"problems": problems[:MAX_LISTED], "not_listed": max(0, len(problems) - MAX_LISTED)}
    return Finding(control, Status.FAIL, reason, evidence)


def prompt_blocks(case: Case) -> Finding:
    """Judge whether cancelled prompts left blocks."""
    control = catalogue.prompt_blocks(case.policy)
    if (finding := _blocks_not_judged(case, control)) is not None:
        return finding
    blocks = [block for block in case.blocks if block.by_prompt]
    if not blocks:
        return Finding(control, Status.PASS, "No prompt of Windows left a block.")
    evidence = {"blocks": [block.to_wire() for block in blocks]}
    cause = "somebody cancelled Windows' prompt, or had not the right to answer it"
    reason = sentence(f"{'; '.join(block.words() for block in blocks)}: {cause}.")
    if case.charge.useless:
        return Finding(control, Status.UNKNOWN, f"{reason} {case.charge.reason}", evidence)
    if case.policy.blocks == "none":
        return Finding(control, Status.FAIL, f"{reason} Nothing is removed, since ets6_network_blocks is none.", evidence)
    return Finding(control, Status.FAIL, reason, evidence, [own.removal(block.stored.rule) for block in blocks])


def deliberate_blocks(case: Case) -> Finding:
    """Judge whether other rules block a program in a wanted profile."""
    control = catalogue.deliberate_blocks(case.policy)
    if (finding := _blocks_not_judged(case, control)) is not None:
        return finding
    wanted = set(case.policy.profiles)
    blocks = [
        block
        for block in case.blocks
        if not block.by_prompt and wanted.intersection(block.profiles) and block.stored.rule.id.lower() not in case.own_ids
    ]
    if not blocks:
        return Finding(control, Status.PASS, f"No other rule blocks ETS6 in {listed(case.policy.profiles)}.")
    evidence = {"blocks": [block.to_wire() for block in blocks]}
    reason = sentence(f"{'; '.join(block.words() for block in blocks)}.")
    if case.charge.useless:
        return Finding(control, Status.UNKNOWN, f"{reason} {case.charge.reason}", evidence)
    if case.policy.blocks != "all" and all(case.effective.reach(block.stored).doubts for block in blocks):
        return Finding(control, Status.UNKNOWN, f"Whether it counts is not known. {reason}", evidence)
    if case.policy.blocks != "all":
        return Finding(control, Status.FAIL, f"{reason} Nothing is removed: that takes ets6_network_blocks all.", evidence)
    changes = [own.removal(block.stored.rule) for block in blocks if _removable(block)]
    others = [block for block in blocks if not _removable(block)]
    if others:
        names = listed(block.stored.rule.id for block in others)
        reason += f" Not removed from here, since not a local rule for one program: {names}."
    return Finding(control, Status.FAIL, reason, evidence, changes)


def _removable(block: Block) -> bool:
    """A rule for every program protects others too, and one of a policy would come back."""
    return block.stored.store is Store.LOCAL and bool(block.stored.rule.app)


def _blocks_not_judged(case: Case, control: Control) -> Finding | None:
    if case.policy.state == "absent":
        return not_wanted(control)
    if case.firewall.unreadable:
        return unreadable(case, control)
    return nowhere(control, case.programs)


def unreadable(case: Case, control: Control) -> Finding:
    """Return the finding for a firewall that could not be read."""
    return Finding(control, Status.UNKNOWN, f"The firewall could not be read. {'; '.join(case.firewall.unreadable)}.")


def not_wanted(control: Control) -> Finding:
    """Return the finding where the own rules are to be gone."""
    return Finding(control, Status.NOT_APPLICABLE, "ets6_network_state is absent: nothing is wanted of this PC.")


def nowhere(control: Control, programs: Sequence[Program]) -> Finding | None:
    """Return the finding where none of the programs stands anywhere, or where that is not known."""
    for program in programs:
        if program.unreadable:
            return Finding(
                control, Status.UNKNOWN, f"Whether {program.name} is there could not be found out: {listed(program.unreadable)}."
            )
    if any(program.paths for program in programs):
        return None
    return Finding(control, Status.NOT_APPLICABLE, f"Not found on this PC: {listed(program.name for program in programs)}.")
