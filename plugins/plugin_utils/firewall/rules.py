# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Findings on rules: the own ones, the ones in the way, and the ones left over."""

from __future__ import annotations

from collections.abc import Sequence

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..finding import Change
from ..formats.firewall_rule import Direction, Rule
from ..operations import FirewallRule
from ..text import join_words, sentence
from . import own
from .context import Block, FirewallContext
from .effective import MAX_LISTED
from .outbound import needed
from .places import Program
from .store import Store
from .subjects import PROTOCOLS


def programs(context: FirewallContext) -> Judgement:
    """Judge whether the programs are found."""
    evidence = {
        program.name: {"found": list(program.paths), "set_aside": list(program.aside)}
        for program in context.programs
    }
    sentences = []
    for program in context.programs:
        if program.paths:
            sentences.append(f"{program.name} is installed in {join_words(program.paths)}.")
    for program in context.programs:
        if program.unreadable:
            sentences.append(
                f"{program.name} could not be looked for: {join_words(program.unreadable)}."
            )
    missing = [
        program for program in context.programs if not program.paths and not program.unreadable
    ]
    for program in missing:
        sentences.append(
            f"{program.name} was not found in {join_words(context.policy.paths)}, nor where a "
            "firewall rule names it."
        )
    for program in context.programs:
        if program.aside:
            sentences.append(
                f"{join_words(program.aside)} is ignored, since ordinary users can put programs "
                "there. If it is intended, add the folder to ets6_network_paths."
            )
    reason = " ".join(sentences)
    if missing:
        return failed(reason, evidence)
    if any(program.unreadable for program in context.programs):
        return unknown(reason, evidence)
    return passed(reason, evidence)


def managed_rule(context: FirewallContext, program: Program, protocol: str) -> Judgement:
    """Judge the managed inbound rules of a program, one for each folder that has it."""
    if context.firewall.unreadable:
        return unreadable(context)
    if (judgement := nowhere([program])) is not None:
        return judgement
    return wanted_rules(context, context.own(program, protocol, Direction.IN), Direction.IN)


def wanted_rules(context: FirewallContext, rules: Sequence[FirewallRule], direction: Direction) -> Judgement:
    """Judge whether rules are there and as wanted."""
    drifts = [(rule, change) for rule in rules if (change := own.drift(rule, context.firewall, context.paths)) is not None]
    wrong = {rule.id for rule, _change in drifts}
    evidence = {"rules": [{"id": rule.id, "program": rule.program, "as_wanted": rule.id not in wrong} for rule in rules]}
    useless = {rule.id: why for rule in rules if (why := context.useless(rule, direction))}
    without_effect = sentence("; ".join(dict.fromkeys(useless.values())).rstrip(".")) + "."
    if not drifts:
        reason = f"{join_words(rule.id for rule in rules)} {'is' if len(rules) == 1 else 'are'} there and as wanted."
        return passed(f"{reason} Without effect: {without_effect}" if useless else reason, evidence)
    problem = " ".join(_problem(change) for _rule, change in drifts)
    changes = [change for rule, change in drifts if rule.id not in useless]
    if changes:
        return failed(problem, evidence, changes)
    if context.charge.useless:
        return unknown(f"{problem} It is not written: {without_effect}", evidence)
    if all(context.passes_by_policy(rule, direction) for rule in rules):
        reason = f"An administrator's policy lets the traffic through; a rule of the PC's own would do nothing. {without_effect}"
        return not_applicable(reason, evidence)
    reason = f"{problem} It is not written, since it would do nothing. {without_effect} Change that where it is set."
    return failed(reason, evidence)


def _problem(change: Change) -> str:
    rule_id = change.subject.removeprefix("firewall rule ")
    if all(value is None for value in change.before.values()):
        return f"{rule_id} is not there."
    if change.before["enabled"] is None:
        return f"{rule_id} is there, but cannot be read as a rule."
    differing = [key for key in change.before if change.before[key] != change.after[key]]
    return f"{rule_id} differs in {join_words(differing)}."


def removed(context: FirewallContext, program: Program, protocol: str, direction: Direction) -> Judgement:
    """Judge whether the own rules of a program are gone."""
    if context.firewall.unreadable:
        return unreadable(context)
    left = [
        rule
        for rule in own.local_rules(context.firewall)
        if own.is_own(rule) and own.is_for(rule.id, program.name, protocol, direction)
    ]
    if not left:
        return passed("No rule of this collection is there, as wanted.")
    reason = f"{join_words(rule.id for rule in left)} {'is' if len(left) == 1 else 'are'} still there."
    evidence = {"rules": [{"id": rule.id, "program": rule.app, "as_wanted": False} for rule in left]}
    return failed(reason, evidence, [own.removal(rule) for rule in left])


def stale_rules(context: FirewallContext) -> Judgement:
    """Judge whether rules of this collection are left that nobody wants."""
    if context.firewall.unreadable:
        return unreadable(context)
    kept = set()
    wanted: list[FirewallRule] = []
    for program in context.programs:
        for protocol in PROTOCOLS:
            if context.policy.state == "present" and program.known:
                wanted += context.own(program, protocol, Direction.IN) + needed(context, program, protocol)
                continue
            # Of a program of which it is not known where it stands, rules are left alone; rules that have to go (absent) have
            # a control of their own.
            for rule in own.local_rules(context.firewall):
                if any(own.is_for(rule.id, program.name, protocol, direction) for direction in Direction):
                    kept.add(rule.id.lower())
    kept |= {rule.id.lower() for rule in wanted}
    left: list[Rule] = []
    for rule in own.local_rules(context.firewall):
        if (own.is_own(rule) and rule.id.lower() not in kept) or any(own.is_copy(rule, other, context.paths) for other in wanted):
            left.append(rule)
    if not left:
        return passed("No rule of this collection is left over.")
    names = join_words(f"{rule.id} ({rule.app or 'any program'})" for rule in left)
    reason = f"{names}: nobody needs {'it' if len(left) == 1 else 'them'}."
    evidence = {"rules": [rule.id for rule in left]}
    if context.charge.useless and context.policy.state == "present":
        return failed(f"{reason} Not removed: {context.charge.reason}", evidence)
    return failed(reason, evidence, [own.removal(rule) for rule in left])


def malformed_rules(context: FirewallContext) -> Judgement:
    """Judge whether every rule can be read."""
    if context.firewall.unreadable:
        return unreadable(context)
    if not context.firewall.malformed:
        return passed(f"All {len(context.firewall.rules)} rules can be read.")
    problems = [f"{item.problem} ({item.store.value})" for item in context.firewall.malformed]
    reason = f"{len(problems)} {'value is no rule' if len(problems) == 1 else 'values are no rules'}. First: {problems[0]}."
    evidence = {"problems": problems[:MAX_LISTED], "not_listed": max(0, len(problems) - MAX_LISTED)}
    return failed(reason, evidence)


def prompt_blocks(context: FirewallContext) -> Judgement:
    """Judge whether cancelled prompts left blocks."""
    if (judgement := _blocks_not_judged(context)) is not None:
        return judgement
    blocks = [block for block in context.blocks if block.by_prompt]
    if not blocks:
        return passed("No prompt of Windows left a block.")
    evidence = {"blocks": [block.to_wire() for block in blocks]}
    cause = "somebody cancelled Windows' prompt, or had not the right to answer it"
    reason = sentence(f"{'; '.join(block.words() for block in blocks)}: {cause}.")
    if context.charge.useless:
        return unknown(f"{reason} {context.charge.reason}", evidence)
    if context.policy.blocks == "none":
        return failed(f"{reason} Nothing is removed, since ets6_network_blocks is none.", evidence)
    return failed(reason, evidence, [own.removal(block.stored.rule) for block in blocks])


def deliberate_blocks(context: FirewallContext) -> Judgement:
    """Judge whether other rules block a program in a wanted profile."""
    if (judgement := _blocks_not_judged(context)) is not None:
        return judgement
    wanted = set(context.policy.profiles)
    blocks = [
        block
        for block in context.blocks
        if not block.by_prompt and wanted.intersection(block.profiles) and block.stored.rule.id.lower() not in context.own_ids
    ]
    if not blocks:
        return passed(f"No other rule blocks ETS6 in {join_words(context.policy.profiles)}.")
    evidence = {"blocks": [block.to_wire() for block in blocks]}
    reason = sentence(f"{'; '.join(block.words() for block in blocks)}.")
    if context.charge.useless:
        return unknown(f"{reason} {context.charge.reason}", evidence)
    if context.policy.blocks != "all" and all(context.effective.reach(block.stored).doubts for block in blocks):
        return unknown(f"Whether it counts is not known. {reason}", evidence)
    if context.policy.blocks != "all":
        return failed(f"{reason} Nothing is removed: that takes ets6_network_blocks all.", evidence)
    changes = [own.removal(block.stored.rule) for block in blocks if _removable(block)]
    others = [block for block in blocks if not _removable(block)]
    if others:
        names = join_words(block.stored.rule.id for block in others)
        reason += f" Not removed from here, since not a local rule for one program: {names}."
    return failed(reason, evidence, changes)


def _removable(block: Block) -> bool:
    """A rule for every program protects others too, and one of a policy would come back."""
    return block.stored.store is Store.LOCAL and bool(block.stored.rule.app)


def _blocks_not_judged(context: FirewallContext) -> Judgement | None:
    if context.firewall.unreadable:
        return unreadable(context)
    return nowhere(context.programs)


def unreadable(context: FirewallContext) -> Judgement:
    """Return the finding for a firewall that could not be read."""
    return unknown(f"The firewall could not be read. {'; '.join(context.firewall.unreadable)}.")


def nowhere(programs: Sequence[Program]) -> Judgement | None:
    """Return the finding where none of the programs stands anywhere, or where that is not known."""
    for program in programs:
        if program.unreadable:
            return unknown(f"Whether {program.name} is there could not be found out: {join_words(program.unreadable)}."
            )
    if any(program.paths for program in programs):
        return None
    return not_applicable(f"Not found on this PC: {join_words(program.name for program in programs)}.")
