# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Findings on traffic: what Windows really does with it, in which profile, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..finding import Change, Contact, Status
from ..formats.firewall_rule import PROFILES, Direction
from ..operations import AllowMulticastAnswers, FirewallRule
from ..text import join_words, sentence
from . import own
from .context import FirewallContext
from .effective import Outcome, Part, Verdict, rule_words
from .outbound import needed
from .places import Program
from .rules import nowhere, unreadable
from .store import ProfileSettings, Setting, Store
from .subjects import PROTOCOLS, ProgramTraffic

Verdicts = list[tuple[FirewallRule, str, Verdict]]
"""The own rule that stands for a program at its place, the profile, and what becomes of the traffic there."""


def inbound(context: FirewallContext, program: Program, protocol: str) -> Judgement:
    """Judge what a program may receive."""
    if (judgement := _not_judged(context, program)) is not None:
        return judgement
    rules = context.own(program, protocol, Direction.IN)
    return _traffic(context, program, rules, Direction.IN)


def outbound(context: FirewallContext, program: Program, protocol: str) -> Judgement:
    """Judge what a program may send, and the own outbound rules where they are needed."""
    if (judgement := _not_judged(context, program)) is not None:
        return judgement
    drifts = [(rule, own.drift(rule, context.firewall, context.paths)) for rule in needed(context, program, protocol)]
    useless = {rule.id: why for rule, change in drifts if change is not None and (why := context.useless(rule, Direction.OUT))}
    changes = [change for rule, change in drifts if change is not None and rule.id not in useless]
    judgement = _traffic(context, program, context.own(program, protocol, Direction.OUT), Direction.OUT)
    if changes:
        reason = f"{judgement.reason} Wanted: {join_words(change.subject for change in changes)}."
        return failed(reason, judgement.evidence, changes)
    if useless:
        why = sentence("; ".join(dict.fromkeys(useless.values())).rstrip("."))
        return dataclasses.replace(judgement, reason=f"{judgement.reason} An allow rule of the PC's own would do nothing. {why}.")
    return judgement


def _not_judged(context: FirewallContext, program: Program) -> Judgement | None:
    if context.firewall.unreadable:
        return unreadable(context)
    if (judgement := nowhere([program])) is not None:
        return judgement
    if context.charge.worthless:
        return unknown(context.charge.reason)
    return None


def _traffic(context: FirewallContext, program: Program, rules: Sequence[FirewallRule], direction: Direction) -> Judgement:
    """Judge by the wanted profiles; the evidence has the others too, into which a notebook may come."""
    every: Verdicts = [(rule, profile, context.verdict(rule, direction, profile)) for rule in rules for profile in PROFILES]
    wanted = [item for item in every if item[1] in context.policy.profiles]
    evidence: dict[str, Any] = {
        "traffic": [{"program": rule.program, "profile": profile, **verdict.to_wire()} for rule, profile, verdict in every]
    }
    status = _status(verdict for _rule, _profile, verdict in wanted)
    reason = _reason(wanted, len(rules) > 1)
    problems = evidence["malformed_rules"] = context.mentions(program)
    if problems:
        reason += f" What a malformed rule does is not known: {problems[0]}."
        status = Status.UNKNOWN if status is Status.PASS else status
    if status is not Status.FAIL:
        return Judgement(status, reason, evidence)
    advice = _advice(context, wanted)
    judgement = Judgement(status, f"{reason} To change it: {advice}", evidence)
    judgement = judgement.advise(sentence(advice), _contact(wanted))
    return judgement.follow(_cause(context, program, wanted, direction))


def _status(verdicts: Iterable[Verdict]) -> Status:
    outcomes = {verdict.outcome for verdict in verdicts}
    if outcomes & {Outcome.BLOCKED, Outcome.PARTIAL}:
        return Status.FAIL
    return Status.UNKNOWN if Outcome.UNKNOWN in outcomes else Status.PASS


def _reason(verdicts: Verdicts, several: bool) -> str:
    """Return what becomes of the traffic, profiles with the same fate together."""
    fates: dict[tuple[str, str], list[str]] = {}
    for rule, profile, verdict in verdicts:
        fates.setdefault((rule.program if several else "", verdict.sentence()), []).append(profile)
    return " ".join(
        f"{sentence(join_words(profiles))}{f', {program}' if program else ''}: {fate}." for (program, fate), profiles in fates.items()
    )


def _advice(context: FirewallContext, verdicts: Verdicts) -> str:
    """Return what would change it."""
    cures: dict[str, list[str]] = {}
    for _rule, profile, verdict in verdicts:
        for part in verdict.parts:
            if not part.passes:
                cures.setdefault(_cure(part, context.firewall.profiles[profile]), []).append(profile)
    return f"{'; '.join(f'{cure} (for {join_words(profiles)})' for cure, profiles in cures.items())}."


def _contact(verdicts: Verdicts) -> Contact:
    """Return who can change it: the owner of a policy where one decides."""
    for _rule, _profile, verdict in verdicts:
        for part in verdict.parts:
            by_policy = part.setting is not None and part.setting.by_policy
            if not part.passes and (by_policy or _store(part) is not Store.LOCAL):
                return Contact.GROUP_POLICY
    return Contact.PC


def _store(part: Part) -> Store:
    return Store.LOCAL if part.rule is None else part.rule.store


def _cause(
    context: FirewallContext, program: Program, verdicts: Verdicts, direction: Direction
) -> str:
    """Return the control whose failure keeps the traffic out; empty where some of it has no control.

    Of several the first that would have to be met: a block wins over every allow rule.
    """
    causes = set()
    for rule, profile, verdict in verdicts:
        settings = context.firewall.profiles[profile]
        for part in verdict.parts:
            if not part.passes:
                causes.add(_cause_of(context, program, part, settings, rule, direction))
    order = ["firewall.deliberate_blocks", "firewall.prompt_blocks"]
    if "" in causes:
        return ""
    for control_id in order:
        if control_id in causes:
            return control_id
    return causes.pop() if causes else ""


def _cause_of(
    context: FirewallContext,
    program: Program,
    part: Part,
    settings: ProfileSettings,
    rule: FirewallRule,
    direction: Direction,
) -> str:
    if part.rule is not None:
        for block in context.blocks:
            if block.stored is part.rule:
                return f"firewall.{'prompt' if block.by_prompt else 'deliberate'}_blocks"
        return ""
    is_default = part.setting is not settings.shielded and settings.merge_local
    if is_default and direction is Direction.IN:
        subject = ProgramTraffic(program.name, rule.protocol)
        return f"firewall.rule.{subject.words['id']}"
    return ""


def _cure(part: Part, settings: ProfileSettings) -> str:
    if part.rule is not None:
        if part.rule.store is Store.LOCAL:
            return f"remove {rule_words(part.rule)}"
        return f"change {rule_words(part.rule)} where that policy is made"
    if part.setting is settings.shielded:
        return "switch off DoNotAllowExceptions (block all incoming connections)"
    if not settings.merge_local:
        return "allow the program in that policy, or let local rules count there"
    return "make an allow rule for the program"


def active_profile(context: FirewallContext) -> Judgement:
    """Judge the profile that the PC is in now."""
    if context.snapshot.network is None:
        why = context.snapshot.errors.get("network", "no reason was given")
        return unknown(f"Which profile is active could not be found out: {why}.")
    active = [profile for profile in PROFILES if profile in {name.lower() for name in context.snapshot.network}]
    evidence: dict[str, Any] = {"active": active, "wanted": list(context.policy.profiles)}
    if not active:
        return not_applicable("The PC is in no network now.", evidence)
    if context.firewall.unreadable:
        return unreadable(context)
    if (judgement := nowhere(context.programs)) is not None:
        return judgement
    if context.charge.worthless:
        return unknown(context.charge.reason, evidence)
    kept = {profile: _kept_from_receiving(context, profile) for profile in PROFILES}
    evidence["outcomes"] = {
        profile: Outcome.ALLOWED.value if not items else items[0][1].outcome.value for profile, items in kept.items()
    }
    sentences = [_now(profile, kept[profile], profile in context.policy.profiles) for profile in active]
    elsewhere = [profile for profile in PROFILES if profile not in active and kept[profile]]
    if elsewhere:
        sentences.append(f"In a {' or '.join(elsewhere)} network, where it is not now, ETS6 would not receive everything.")
    status = _status(verdict for profile in active for _subject, verdict in kept[profile])
    judgement = Judgement(status, " ".join(sentences), evidence)
    if status is Status.FAIL and set(active) <= set(context.policy.profiles):
        # In a wanted profile the same traffic fails its own control.
        subject = next(item[0] for profile in active for item in kept[profile])
        judgement = judgement.follow(f"firewall.inbound.{subject.words['id']}")
    return judgement


def _kept_from_receiving(
    context: FirewallContext, profile: str
) -> list[tuple[ProgramTraffic, Verdict]]:
    """Return the programs and protocols that do not get everything in a profile, and what becomes of it."""
    rules = [
        (program, rule)
        for program in context.programs
        for protocol in PROTOCOLS
        for rule in context.own(program, protocol, Direction.IN)
    ]
    kept = []
    for program, rule in rules:
        verdict = context.verdict(rule, Direction.IN, profile)
        if verdict.outcome is not Outcome.ALLOWED:
            kept.append((ProgramTraffic(program.name, rule.protocol), verdict))
    return kept


def _now(profile: str, kept: list[tuple[ProgramTraffic, Verdict]], wanted: bool) -> str:
    where = f"The PC is in a {profile} network now"
    if not kept:
        note = "" if wanted else f", though {profile} is not among ets6_network_profiles"
        return f"{where}, where ETS6's programs can receive TCP and UDP{note}."
    subject, verdict = kept[0]
    name = f"{subject.program} ({subject.protocol})"
    advice = "" if wanted else f" {sentence(profile)} is not among ets6_network_profiles: add it if ETS6 is to work there."
    return f"{where}, where ETS6 does not receive everything; {name}: {verdict.sentence()}.{advice}"


def multicast_answers(context: FirewallContext) -> Judgement:
    """Judge whether unicast answers to KNXnet/IP discovery come in."""
    if context.firewall.unreadable:
        return unreadable(context)
    if context.charge.worthless:
        return unknown(context.charge.reason)
    wanted = {profile: context.firewall.profiles[profile] for profile in context.policy.profiles}
    guarded = {profile: settings for profile, settings in wanted.items() if settings.enabled}
    shielded = {profile: settings.shielded for profile, settings in guarded.items() if settings.shielded}
    # Where everything is blocked, this setting changes nothing.
    dropped = {
        profile: settings.no_multicast_answers
        for profile, settings in guarded.items()
        if settings.no_multicast_answers and profile not in shielded
    }
    evidence = {
        "dropped": {profile: bool(settings.no_multicast_answers) for profile, settings in wanted.items()},
        "all_blocked": {profile: profile in shielded for profile in wanted},
    }
    sentences = []
    changes: list[Change] = []
    if shielded:
        source = next(iter(shielded.values())).source
        sentences.append(f"In {join_words(shielded)} everything that comes in is blocked, answers to discovery too: {source}.")
    if dropped and context.policy.multicast_answers == "allow":
        sentences += _why_dropped(dropped)
        changes = [_answers_allowed(profile) for profile, setting in dropped.items() if not setting.by_policy]
    elif closed := [profile for profile in dropped if not _udp_comes_in(context, profile)]:
        sentences.append(
            f"Answers to discovery are dropped in {join_words(closed)}: {dropped[closed[0]].source}, and no rule lets all of them in. "
            "With ets6_network_multicast_answers allow the setting is changed."
        )
    if sentences:
        return failed(" ".join(sentences), evidence, changes)
    if dropped:
        reason = f"Answers are dropped in {join_words(dropped)} unless a rule lets them in, and rules do."
        return passed(reason, evidence)
    return passed(f"Unicast answers to a multicast come in (for some seconds) in {join_words(wanted)}.", evidence
    )


def _udp_comes_in(context: FirewallContext, profile: str) -> bool:
    """Tell whether rules let everything in that the programs need over UDP, answers included."""
    rules = [rule for program in context.programs for rule in context.own(program, "UDP", Direction.IN)]
    return bool(rules) and all(context.verdict(rule, Direction.IN, profile).outcome is Outcome.ALLOWED for rule in rules)


def _why_dropped(dropped: dict[str, Setting]) -> Iterator[str]:
    sources = "; ".join(setting.source for setting in dropped.values())
    yield f"Answers to a multicast are dropped in {join_words(dropped)}: {sources}."
    by_policy = [profile for profile, setting in dropped.items() if setting.by_policy]
    if by_policy:
        yield f"A policy decides in {join_words(by_policy)}, so a local change would do nothing there."


def _answers_allowed(profile: str) -> Change:
    return Change(
        f"firewall profile {profile}",
        {"unicast answers to multicast": "blocked"},
        {"unicast answers to multicast": "allowed"},
        [AllowMulticastAnswers(profile.capitalize())],
    )
