# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Findings on traffic: what Windows really does with it, in which profile, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..finding import Change, Control, Finding, Status
from ..formats.firewall_rule import PROFILES, Direction
from ..operations import AllowMulticastAnswers, FirewallRule
from . import catalogue, own
from .case import Case
from .catalogue import PROTOCOLS
from .effective import Outcome, Part, Verdict, rule_words
from .outbound import needed
from .places import Program
from .rules import not_wanted, nowhere, removed, unreadable
from .store import ProfileSettings, Setting, Store
from .words import listed, sentence

Verdicts = list[tuple[FirewallRule, str, Verdict]]
"""The own rule that stands for a program at its place, the profile, and what becomes of the traffic there."""


def inbound(case: Case, program: Program, protocol: str) -> Finding:
    """Judge what a program may receive."""
    control = catalogue.inbound(program.name, protocol)
    if (finding := _not_judged(case, control, program)) is not None:
        return finding
    rules = case.own(program, protocol, Direction.IN)
    return _traffic(case, control, program, rules, Direction.IN)


def outbound(case: Case, program: Program, protocol: str) -> Finding:
    """Judge what a program may send, and the own outbound rules where they are needed."""
    control = catalogue.outbound(program.name, protocol)
    if case.policy.state == "absent":
        return removed(case, control, program, protocol, Direction.OUT)
    if (finding := _not_judged(case, control, program)) is not None:
        return finding
    drifts = [(rule, own.drift(rule, case.firewall, case.paths)) for rule in needed(case, program, protocol)]
    useless = {rule.id: why for rule, change in drifts if change is not None and (why := case.useless(rule, Direction.OUT))}
    changes = [change for rule, change in drifts if change is not None and rule.id not in useless]
    finding = _traffic(case, control, program, case.own(program, protocol, Direction.OUT), Direction.OUT)
    if changes:
        reason = f"{finding.reason} Wanted: {listed(change.subject for change in changes)}."
        return Finding(control, Status.FAIL, reason, finding.evidence, changes)
    if useless:
        why = sentence("; ".join(dict.fromkeys(useless.values())).rstrip("."))
        return dataclasses.replace(finding, reason=f"{finding.reason} An allow rule of the PC's own would do nothing. {why}.")
    return finding


def _not_judged(case: Case, control: Control, program: Program) -> Finding | None:
    if case.policy.state == "absent":
        return not_wanted(control)
    if case.firewall.unreadable:
        return unreadable(case, control)
    if (finding := nowhere(control, [program])) is not None:
        return finding
    if case.charge.worthless:
        return Finding(control, Status.UNKNOWN, case.charge.reason)
    return None


def _traffic(case: Case, control: Control, program: Program, rules: Sequence[FirewallRule], direction: Direction) -> Finding:
    """Judge by the wanted profiles; the evidence has the others too, into which a notebook may come."""
    every: Verdicts = [(rule, profile, case.verdict(rule, direction, profile)) for rule in rules for profile in PROFILES]
    wanted = [item for item in every if item[1] in case.policy.profiles]
    evidence: dict[str, Any] = {
        "traffic": [{"program": rule.program, "profile": profile, **verdict.to_wire()} for rule, profile, verdict in every]
    }
    status = _status(verdict for _rule, _profile, verdict in wanted)
    reason = _reason(wanted, len(rules) > 1)
    problems = evidence["malformed_rules"] = case.mentions(program)
    if problems:
        reason += f" What a malformed rule does is not known: {problems[0]}."
        status = Status.UNKNOWN if status is Status.PASS else status
    if status is Status.FAIL:
        reason += f" {_advice(case, wanted)}"
    return Finding(control, status, reason, evidence)


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
        f"{sentence(listed(profiles))}{f', {program}' if program else ''}: {fate}." for (program, fate), profiles in fates.items()
    )


def _advice(case: Case, verdicts: Verdicts) -> str:
    """Return what would change it."""
    cures: dict[str, list[str]] = {}
    for _rule, profile, verdict in verdicts:
        for part in verdict.parts:
            if not part.passes:
                cures.setdefault(_cure(part, case.firewall.profiles[profile]), []).append(profile)
    return f"To change it: {'; '.join(f'{cure} (for {listed(profiles)})' for cure, profiles in cures.items())}."


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


def active_profile(case: Case) -> Finding:
    """Judge the profile that the PC is in now."""
    control = catalogue.active_profile(case.policy)
    if case.policy.state == "absent":
        return not_wanted(control)
    if case.snapshot.offline:
        return Finding(control, Status.NOT_APPLICABLE, "An image is in no network.")
    if case.snapshot.network is None:
        why = case.snapshot.errors.get("network", "no reason was given")
        return Finding(control, Status.UNKNOWN, f"Which profile is active could not be found out: {why}.")
    active = [profile for profile in PROFILES if profile in {name.lower() for name in case.snapshot.network}]
    evidence: dict[str, Any] = {"active": active, "wanted": list(case.policy.profiles)}
    if not active:
        return Finding(control, Status.NOT_APPLICABLE, "The PC is in no network now.", evidence)
    if case.firewall.unreadable:
        return unreadable(case, control)
    if (finding := nowhere(control, case.programs)) is not None:
        return finding
    if case.charge.worthless:
        return Finding(control, Status.UNKNOWN, case.charge.reason, evidence)
    kept = {profile: _kept_from_receiving(case, profile) for profile in PROFILES}
    evidence["outcomes"] = {
        profile: Outcome.ALLOWED.value if not items else items[0][1].outcome.value for profile, items in kept.items()
    }
    sentences = [_now(profile, kept[profile], profile in case.policy.profiles) for profile in active]
    elsewhere = [profile for profile in PROFILES if profile not in active and kept[profile]]
    if elsewhere:
        sentences.append(f"In a {' or '.join(elsewhere)} network, where it is not now, ETS6 would not receive everything.")
    status = _status(verdict for profile in active for _name, verdict in kept[profile])
    return Finding(control, status, " ".join(sentences), evidence)


def _kept_from_receiving(case: Case, profile: str) -> list[tuple[str, Verdict]]:
    """Return the programs and protocols that do not get everything in a profile, and what becomes of it."""
    rules = [
        (program, rule)
        for program in case.programs
        for protocol in PROTOCOLS
        for rule in case.own(program, protocol, Direction.IN)
    ]
    verdicts = [(f"{program.name} ({rule.protocol})", case.verdict(rule, Direction.IN, profile)) for program, rule in rules]
    return [(name, verdict) for name, verdict in verdicts if verdict.outcome is not Outcome.ALLOWED]


def _now(profile: str, kept: list[tuple[str, Verdict]], wanted: bool) -> str:
    where = f"The PC is in a {profile} network now"
    if not kept:
        note = "" if wanted else f", though {profile} is not among ets6_network_profiles"
        return f"{where}, where ETS6's programs can receive TCP and UDP{note}."
    name, verdict = kept[0]
    advice = "" if wanted else f" {sentence(profile)} is not among ets6_network_profiles: add it if ETS6 is to work there."
    return f"{where}, where ETS6 does not receive everything; {name}: {verdict.sentence()}.{advice}"


def multicast_answers(case: Case) -> Finding:
    """Judge whether unicast answers to KNXnet/IP discovery come in."""
    control = catalogue.multicast_answers(case.policy)
    if case.policy.state == "absent":
        return not_wanted(control)
    if case.firewall.unreadable:
        return unreadable(case, control)
    if case.charge.worthless:
        return Finding(control, Status.UNKNOWN, case.charge.reason)
    wanted = {profile: case.firewall.profiles[profile] for profile in case.policy.profiles}
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
        sentences.append(f"In {listed(shielded)} everything that comes in is blocked, answers to discovery too: {source}.")
    if dropped and case.policy.multicast_answers == "allow":
        sentences += _why_dropped(dropped)
        changes = [_answers_allowed(profile) for profile, setting in dropped.items() if not setting.by_policy]
    elif closed := [profile for profile in dropped if not _udp_comes_in(case, profile)]:
        sentences.append(
            f"Answers to discovery are dropped in {listed(closed)}: {dropped[closed[0]].source}, and no rule lets all of them in. "
            "With ets6_network_multicast_answers allow the setting is changed."
        )
    if sentences:
        return Finding(control, Status.FAIL, " ".join(sentences), evidence, changes)
    if dropped:
        reason = f"Answers are dropped in {listed(dropped)} unless a rule lets them in, and rules do."
        return Finding(control, Status.PASS, reason, evidence)
    return Finding(
        control, Status.PASS, f"Unicast answers to a multicast come in (for some seconds) in {listed(wanted)}.", evidence
    )


def _udp_comes_in(case: Case, profile: str) -> bool:
    """Tell whether rules let everything in that the programs need over UDP, answers included."""
    rules = [rule for program in case.programs for rule in case.own(program, "UDP", Direction.IN)]
    return bool(rules) and all(case.verdict(rule, Direction.IN, profile).outcome is Outcome.ALLOWED for rule in rules)


def _why_dropped(dropped: dict[str, Setting]) -> Iterator[str]:
    sources = "; ".join(setting.source for setting in dropped.values())
    yield f"Answers to a multicast are dropped in {listed(dropped)}: {sources}."
    by_policy = [profile for profile, setting in dropped.items() if setting.by_policy]
    if by_policy:
        yield f"A policy decides in {listed(by_policy)}, so a local change would do nothing there."


def _answers_allowed(profile: str) -> Change:
    return Change(
        f"firewall profile {profile}",
        {"unicast answers to multicast": "blocked"},
        {"unicast answers to multicast": "allowed"},
        [AllowMulticastAnswers(profile.capitalize())],
    )
