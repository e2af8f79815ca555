# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's controls. Their order is the order of what their remedies do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.names import fold
from ..declaration import Family, Judgement, failed, not_applicable, passed, unknown
from ..finding import Change, Contact, Severity, Status
from ..formats.firewall_rule import PROFILES, Direction, Rule
from ..operations import AllowMulticastAnswers, FirewallRule
from ..snapshot import ConnectedNetwork, FirewallService
from ..text import count, first_words, join_words, sentence
from . import managed_rules
from .blocks import Block, blocks_evidence
from .context import FirewallContext, join_causes
from .firewall_service import contradicting_word, service_word
from .preconditions import decided_by_windows, readable, readable_and_installed
from .programs import Program
from .store import RULE_KEYS, Setting, Store, request
from .subjects import PROTOCOLS, ProgramTraffic, program_traffic
from .traffic_judgement import judge_traffic, traffic_status
from .verdict import MAX_LISTED, TrafficOutcome, Verdict, name_rule

__all__ = ["FAMILY", "request"]

FAMILY: Family[FirewallContext] = Family("firewall", Contact.FIREWALL)

TO_HAVE_RULES = (
    "For rules to be made, let only administrators change that, or add the folder to "
    "ets6_network_paths, where it is trusted as it is."
)
MAX_COMMANDS = 3
"""Commands in what a finding says to do."""
MAX_HARMLESS = 3
"""Blocks of no concern in a sentence; the evidence has more."""


@FAMILY.control(
    control_id="firewall.in_charge",
    title="Windows Defender Firewall is active",
    headline="Windows Defender Firewall is not active",
    severity=Severity.MEDIUM,
    rationale="Where another firewall product is active, or the firewall's service is stopped, "
    "the rules of Windows have no effect.",
    remedy="Allow ETS6 in the other product, or start the services MpsSvc and BFE.",
    image="An image does not run a firewall. Its rules and settings are judged as if it did.",
)
def in_charge(context: FirewallContext) -> Judgement:
    """Judge whether Windows Defender Firewall decides about the traffic."""
    products = context.snapshot.firewall_products or ()
    evidence = {
        "services": dict(context.snapshot.services or {}),
        "other_firewalls": [
            {"name": product.name, "enabled": product.enabled} for product in products
        ],
        "registered_firewalls": [
            {"name": product.name, "categories": list(product.categories)}
            for product in context.snapshot.registered_firewalls or ()
        ],
    }
    active = context.active
    judgement = Judgement(active.status, active.reason, evidence)
    return judgement.advise(active.advice, active.contact)


@FAMILY.control(
    control_id="firewall.service",
    title="The firewall's service uses the rules of the registry",
    headline="Whether the firewall's service uses the rules of the registry is not certain",
    severity=Severity.LOW,
    contact=Contact.PC,
    rationale="The service loads the rules when it starts. A rule that was written into the "
    "registry directly, or deleted there, counts only after the next start of the PC, while this "
    "collection reads the registry.",
    remedy="Restart the PC.",
    image="An image does not run the firewall's service.",
)
def service(context: FirewallContext) -> Judgement:
    """Judge whether the service has as many local rules as the registry, and says the same."""
    if (judgement := readable(context)) is not None:
        return judgement
    state = context.snapshot.firewall_service
    if state is None:
        cause = context.snapshot.errors.get("firewall_service", "no reason was given")
        return unknown(f"The firewall's service could not be asked: {cause}.")
    word = service_word(state.modify_state)
    evidence = {
        "service_rules": state.rules,
        "registry_rules": state.values,
        "registry_rules_windows_may_skip": context.uncertain_local_rules,
        "local_policy_modify_state": word,
    }
    problems = []
    if not _may_have_rules(context, state):
        problems.append(
            f"The service has {count(state.rules, 'local rule')}, the registry {state.values}."
        )
    contradiction = contradicting_word(context.firewall, context.snapshot)
    if contradiction:
        problems.append(contradiction)
    if problems:
        return unknown(
            f"{' '.join(problems)} Rules or settings were written past the service, and it takes "
            "them when it starts. That both should say the same is an assumption "
            "(docs/assumptions.md).",
            evidence,
        ).advise("Restart the PC.")
    return passed(
        f"The service has {count(state.rules, 'local rule')}, as the registry has. It says: {word}.",
        evidence,
    )


def _may_have_rules(context: FirewallContext, state: FirewallService) -> bool:
    """Return whether the service's number of rules fits that of the registry.

    Whether it counts the rules of policies too is not documented.
    """
    certain = state.values - context.uncertain_local_rules
    by_policy = context.number_of_policy_rules
    return any(certain + more <= state.rules <= state.values + more for more in (0, by_policy))


@FAMILY.control(
    control_id="firewall.programs",
    title="ETS6's programs are installed where firewall rules can name them",
    headline="ETS6's programs were not found",
    severity=Severity.HIGH,
    contact=Contact.PC,
    rationale="A rule of Windows Defender Firewall applies to one path. Where ETS6 is installed "
    "elsewhere, or not at all, rules have no effect.",
    remedy="Install ETS6, or add its folder to ets6_network_paths.",
)
def programs(context: FirewallContext) -> Judgement:
    """Judge whether the programs are installed where the policy or a rule says."""
    evidence = {}
    installed, unreadable, missing, ignored = [], [], [], []
    for program in context.programs:
        evidence[program.name] = {
            "found": list(program.paths),
            "set_aside": list(program.ignored),
        }
        if program.paths:
            installed.append(f"{program.name} is installed in {join_words(program.paths)}.")
        if program.unreadable:
            problems = join_words(program.unreadable)
            unreadable.append(f"{program.name} could not be looked up: {problems}.")
        elif not program.paths:
            folders = join_words(context.policy.paths)
            elsewhere = "" if program.ignored else ", nor where a firewall rule names it"
            missing.append(f"{program.name} was not found in {folders}{elsewhere}.")
        for path, cause in program.ignored.items():
            ignored.append(f"{path} is ignored, since {cause}. {TO_HAVE_RULES}")
    reason = " ".join([*installed, *unreadable, *missing, *ignored])
    if missing:
        return failed(reason, evidence)
    if unreadable:
        return unknown(reason, evidence)
    return passed(reason, evidence)


def _removed(context: FirewallContext, subject: ProgramTraffic, direction: Direction) -> Judgement:
    """Judge whether the managed rules of a program are removed."""
    if (judgement := readable(context)) is not None:
        return judgement
    rules = []
    for rule in context.firewall.local_rules:
        is_subject = managed_rules.is_for(rule.id, subject.program, subject.protocol, direction)
        if is_subject and managed_rules.is_managed(rule):
            rules.append(rule)
    if not rules:
        return passed("No managed rule exists, as intended.")
    verb = "exists" if len(rules) == 1 else "exist"
    evidence = {
        "rules": [{"id": rule.id, "program": rule.app, "as_wanted": False} for rule in rules]
    }
    return failed(
        f"{join_words(rule.id for rule in rules)} still {verb}.",
        evidence,
        [managed_rules.removal(rule) for rule in rules],
    )


def _inbound_rule_removed(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    return _removed(context, subject, Direction.IN)


@FAMILY.control_for_each(
    program_traffic,
    control_id="firewall.rule.{id}",
    title="The managed rule that allows {program} to receive {protocol} is present",
    headline="The managed rule that allows {program} to receive {protocol} is missing or differs",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="The vendor asks for four rules, TCP and UDP, for ETS6N.exe and ETS6C.exe "
    "(KNX support article 4403452514066).",
    remedy="Run ets6.network.enforce: it creates the rule, corrects it where a field differs, and "
    "moves it to the folder of ETS6.",
    absent=_inbound_rule_removed,
)
def managed_rule(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    """Judge whether the managed inbound rules of a program, one for each path, are right."""
    program = context.program(subject)
    if (judgement := readable_and_installed(context, [program])) is not None:
        return judgement
    rules = context.managed_rules(program, subject.protocol, Direction.IN)
    drifts = _drifts(context, rules)
    evidence = {"rules": [_rule_evidence(rule, rule.id not in drifts) for rule in rules]}
    effective, causes = _effective_rules(context, rules, Direction.IN)
    if not drifts:
        reason = f"{join_words(rule.id for rule in rules)} {_be(rules)} present and right."
        if causes:
            reason += f" Without effect: {join_causes(causes)}"
        return passed(reason, evidence)
    problem = " ".join(map(_drift_sentence, drifts.values()))
    changes = [drifts[rule.id] for rule in effective if rule.id in drifts]
    if changes:
        return failed(problem, evidence, changes)
    return _not_written(context, rules, f"{problem} It is not written", causes, evidence)


def _effective_rules(
    context: FirewallContext, rules: Sequence[FirewallRule], direction: Direction
) -> tuple[list[FirewallRule], list[str]]:
    """Return the rules that would have an effect, and why others would have none."""
    effective, causes = [], []
    for rule in rules:
        cause = context.causes_without_effect(rule, direction)
        if cause:
            causes.append(cause)
        else:
            effective.append(rule)
    return effective, causes


def _not_written(
    context: FirewallContext,
    rules: Sequence[FirewallRule],
    problem: str,
    causes: Sequence[str],
    evidence: dict[str, Any],
) -> Judgement:
    """Return the judgement where no rule that is missing or differs would have an effect."""
    without_effect = join_causes(causes)
    if not context.active.rules_help:
        return unknown(f"{problem}: {without_effect}", evidence)
    if all(context.is_allowed_by_policy(rule, Direction.IN) for rule in rules):
        return not_applicable(
            "An administrator's policy allows the traffic, and a local rule would have no effect. "
            f"{without_effect}",
            evidence,
        )
    judgement = failed(
        f"{problem}, since it would have no effect. {without_effect}",
        evidence,
    )
    return judgement.advise(
        f"Allow the program in the policy that decides, or let that accept local rules. "
        f"{without_effect}",
        Contact.GROUP_POLICY,
    )


def _drifts(context: FirewallContext, rules: Sequence[FirewallRule]) -> dict[str, Change]:
    """Return what makes managed rules right, by the ids of those that are not."""
    drifts = {}
    for rule in rules:
        change = managed_rules.drift(rule, context.firewall, context.paths)
        if change is not None:
            drifts[rule.id] = change
    return drifts


def _rule_evidence(rule: FirewallRule, is_right: bool) -> dict[str, Any]:
    return {"id": rule.id, "program": rule.program, "as_wanted": is_right}


def _drift_sentence(change: Change) -> str:
    rule_id = change.subject.removeprefix("firewall rule ")
    if all(value is None for value in change.before.values()):
        return f"{rule_id} is missing."
    if change.before["enabled"] is None:
        return f"{rule_id} exists, but cannot be read as a rule."
    differing = [name for name in change.before if change.before[name] != change.after[name]]
    return f"{rule_id} differs in {join_words(differing)}."


def _be(items: Sequence[object]) -> str:
    return "is" if len(items) == 1 else "are"


@FAMILY.control(
    control_id="firewall.prompt_blocks",
    title="No blocking rule of the Windows prompt is left",
    headline="Blocking rules of a cancelled Windows prompt keep ETS6 from receiving",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="A user who cancels the firewall's prompt, or has no right to answer it, gets rules "
    "that block ETS6, and a blocking rule wins over every allow rule.",
    remedy="Run ets6.network.enforce, which removes these rules unless ets6_network_blocks is none.",
)
def prompt_blocks(context: FirewallContext) -> Judgement:
    """Judge whether cancelled prompts left blocking rules."""
    if (judgement := readable_and_installed(context, context.programs)) is not None:
        return judgement
    prompted = [block for block in context.blocks if block.by_prompt]
    blocks, harmless = _sort_blocks(context, prompted)
    evidence = blocks_evidence(blocks, harmless)
    if not blocks:
        return passed(
            f"No prompt of Windows left a rule that blocks ETS6 in {_wanted(context)}.{_harmless_words(harmless)}",
            evidence,
        )
    reason = (
        f"{_block_sentences(blocks)}: the prompt of Windows was cancelled, or the user had no "
        "right to answer it."
    )
    if not context.active.rules_help:
        return unknown(f"{reason} {context.active.reason}", evidence)
    if context.policy.blocks == "none":
        judgement = failed(
            f"{reason} The rules are not removed, since ets6_network_blocks is none.", evidence
        )
        return judgement.advise(
            "Set ets6_network_blocks to prompt, or remove the rules on the PC: "
            f"{_removal_commands(blocks)}.",
            Contact.CONTROLLER,
        )
    changes = [managed_rules.removal(block.stored.rule) for block in blocks]
    return failed(reason, evidence, changes)


def _removal_commands(blocks: Sequence[Block]) -> str:
    """Return the PowerShell commands that remove the first blocks."""
    commands = []
    for block in blocks:
        rule_id = block.stored.rule.id.replace("'", "''")
        commands.append(f"Remove-NetFirewallRule -Name '{rule_id}'")
    return first_words(commands, MAX_COMMANDS)


def _wanted(context: FirewallContext) -> str:
    return join_words(context.policy.profiles)


def _sort_blocks(
    context: FirewallContext, blocks: Sequence[Block]
) -> tuple[list[Block], list[Block]]:
    """Return the rules that block what ETS6 needs in a wanted profile, and those that do not."""
    needed, harmless = [], []
    for block in blocks:
        if block.needs and not set(context.policy.profiles).isdisjoint(block.profiles):
            needed.append(block)
        else:
            harmless.append(block)
    return needed, harmless


def _harmless_words(blocks: Sequence[Block]) -> str:
    """Return the blocks that do not count against ETS6, and why."""
    if not blocks:
        return ""
    sentences = [_harmless_sentence(block) for block in blocks]
    return f" Of no concern: {first_words(sentences, MAX_HARMLESS)}."


def _odd_path_words(context: FirewallContext) -> str:
    """Return the blocks whose paths are taken for no match, which is an assumption."""
    if not context.blocks_with_odd_paths:
        return ""
    rules = join_words(name_rule(stored) for stored in context.blocks_with_odd_paths[:MAX_HARMLESS])
    return (
        f" A path in quotes or with slashes is taken for no match (docs/assumptions.md): {rules}."
    )


def _harmless_sentence(block: Block) -> str:
    rule = name_rule(block.stored)
    if block.scope.other_account:
        return f"{rule}, which is only for {'; '.join(block.scope.conditions)}"
    if block.needs:
        return f"{rule}, which counts in {join_words(block.profiles)} only"
    return f"{rule}, which blocks nothing that ETS6 needs ({'; '.join(block.scope.conditions)})"


def _block_sentences(blocks: Sequence[Block]) -> str:
    return sentence("; ".join(block.sentence() for block in blocks))


@FAMILY.control(
    control_id="firewall.deliberate_blocks",
    title="No other rule blocks ETS6",
    headline="A rule that an administrator made blocks ETS6",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="An administrator made a blocking rule that no prompt of Windows made. It wins over "
    "every allow rule.",
    remedy="Remove the rules, or set ets6_network_blocks to all and run ets6.network.enforce, which "
    "removes those of the local store that name ETS6's programs.",
)
def deliberate_blocks(context: FirewallContext) -> Judgement:
    """Judge whether other rules block a program in a wanted profile."""
    if (judgement := readable_and_installed(context, context.programs)) is not None:
        return judgement
    candidates = [block for block in context.blocks if not _has_own_control(context, block)]
    blocks, harmless = _sort_blocks(context, candidates)
    evidence = blocks_evidence(blocks, harmless)
    if not blocks:
        return passed(
            f"No other rule blocks what ETS6 needs in {_wanted(context)}."
            f"{_harmless_words(harmless)}{_odd_path_words(context)}",
            evidence,
        )
    reason = f"{_block_sentences(blocks)}."
    if not context.active.rules_help:
        return unknown(f"{reason} {context.active.reason}", evidence)
    if context.policy.blocks == "all":
        return _removal_of(blocks, reason, evidence)
    if all(block.doubtful for block in blocks):
        return unknown(f"Whether it counts could not be determined. {reason}", evidence)
    judgement = failed(f"{reason}{_not_removable(blocks)}", evidence)
    return _advise_removal(judgement, blocks)


def _has_own_control(context: FirewallContext, block: Block) -> bool:
    """Return whether another control is about a rule: the prompt's, or a managed one."""
    return block.by_prompt or fold(block.stored.rule.id) in context.managed_ids


def _of_policies(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if block.stored.store is not Store.LOCAL]


def _for_all_programs(blocks: Sequence[Block]) -> list[Block]:
    """Return the local rules that block every program."""
    return [block for block in blocks if block.stored.store is Store.LOCAL and not block.removable]


def _not_removable(blocks: Sequence[Block]) -> str:
    """Return which blocks are never removed, and why."""
    text = ""
    for cause, kept in (
        ("it is for every program", _for_all_programs(blocks)),
        ("an administrator's policy sets it", _of_policies(blocks)),
    ):
        if kept:
            ids = join_words(block.stored.rule.id for block in kept)
            text += f" Not removed, since {cause}: {ids}."
    return text


def _removal_of(blocks: Sequence[Block], reason: str, evidence: dict[str, Any]) -> Judgement:
    """Return the judgement that removes the blocks that can be removed."""
    changes = [managed_rules.removal(block.stored.rule) for block in blocks if block.removable]
    judgement = failed(f"{reason}{_not_removable(blocks)}", evidence, changes)
    # Where there are changes, the playbook makes them; else an administrator has to change the rules.
    return judgement if changes else _advise_removal(judgement, blocks)


def _advise_removal(judgement: Judgement, blocks: Sequence[Block]) -> Judgement:
    """Return the judgement with what to do about blocks that are not removed."""
    steps = []
    by_policy = _of_policies(blocks)
    for_all = _for_all_programs(blocks)
    removable = [block for block in blocks if block.removable]
    if by_policy:
        steps.append(f"Change in the policy that sets it: {_rule_names(by_policy)}.")
    if for_all:
        steps.append(f"Narrow {_rule_names(for_all)}, so that ETS6 is not blocked.")
    if removable:
        steps.append(
            f"Remove on the PC: {_removal_commands(removable)}; or set ets6_network_blocks to all "
            "and run ets6.network.enforce."
        )
    contact = Contact.GROUP_POLICY if by_policy else Contact.PC
    return judgement.advise(" ".join(steps), contact)


def _rule_names(blocks: Sequence[Block]) -> str:
    """Return the names of the first rules, and how many more there are."""
    return first_words([name_rule(block.stored) for block in blocks], MAX_COMMANDS)


@FAMILY.control_for_each(
    program_traffic,
    control_id="firewall.inbound.{id}",
    title="{program} can receive {protocol}",
    headline="{program} cannot receive {protocol}",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="Answers of KNX devices and KNX IoT traffic arrive unsolicited, over IPv4 and IPv6. "
    "Rules and settings of all stores are evaluated together, as Windows does it, for what ETS6 "
    "needs: discovery and routing, answers of devices, KNX IoT, mDNS and KNXnet/IP over TCP.",
    remedy="Allow the program in Windows Defender Firewall, or change the rule or setting that "
    "blocks it.",
)
def inbound(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    """Judge what a program can receive."""
    program = context.program(subject)
    if (judgement := decided_by_windows(context, [program])) is not None:
        return judgement
    return judge_traffic(context, program, subject.protocol, Direction.IN)


def _outbound_rule_removed(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    return _removed(context, subject, Direction.OUT)


@FAMILY.control_for_each(
    program_traffic,
    control_id="firewall.outbound.{id}",
    title="{program} can send {protocol}",
    headline="{program} cannot send {protocol}",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="Without it ETS6 reaches neither KNX devices nor the vendor's servers. Rules and "
    "settings of all stores are evaluated together, as Windows does it, for what ETS6 needs: "
    "KNX devices, and the vendor's servers on TCP ports 80 and 443.",
    remedy="Run ets6.network.enforce with ets6_network_outbound auto or always: it creates an allow "
    "rule.",
    absent=_outbound_rule_removed,
)
def outbound(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    """Judge what a program can send, and the managed outbound rules where they are needed."""
    program = context.program(subject)
    if (judgement := decided_by_windows(context, [program])) is not None:
        return judgement
    judgement = judge_traffic(context, program, subject.protocol, Direction.OUT)
    rules = context.needed_outbound_rules(program, subject.protocol)
    drifts = _drifts(context, rules)
    drifted = [rule for rule in rules if rule.id in drifts]
    effective, causes = _effective_rules(context, drifted, Direction.OUT)
    changes = [drifts[rule.id] for rule in effective]
    if changes:
        subjects = join_words(change.subject for change in changes)
        reason = f"{judgement.reason} Needed: {subjects}."
        return dataclasses.replace(
            failed(reason, judgement.evidence, changes), caused_by=judgement.caused_by
        )
    if causes:
        reason = (
            f"{judgement.reason} A local allow rule would have no effect. {join_causes(causes)}"
        )
        return dataclasses.replace(judgement, reason=reason)
    return judgement


@FAMILY.control(
    control_id="firewall.active_profile",
    title="ETS6 can receive on the active network",
    headline="ETS6 cannot receive on the active network",
    severity=Severity.MEDIUM,
    needs=("firewall.in_charge",),
    rationale="Windows applies other rules on a public network. A notebook on a building site is "
    "often on one.",
    remedy="Set the category of the network to private where it is trusted, or add the profile to "
    "ets6_network_profiles.",
    image="An image is not connected to a network.",
)
def active_profile(context: FirewallContext) -> Judgement:
    """Judge the profiles that are active on the PC."""
    network = context.snapshot.network
    if network is None:
        cause = context.snapshot.errors.get("network", "no reason was given")
        return unknown(f"The active profile could not be determined: {cause}.")
    active = _known_profiles(network)
    evidence: dict[str, Any] = {
        "active": active,
        "wanted": list(context.policy.profiles),
        "networks": _networks_evidence(context),
    }
    if not active:
        return not_applicable("The PC is not connected to a network.", evidence)
    if (judgement := decided_by_windows(context, context.programs)) is not None:
        return dataclasses.replace(judgement, evidence=evidence)
    incomplete = {profile: _incomplete(context, profile) for profile in PROFILES}
    outcomes = evidence["outcomes"] = {}
    sentences = []
    verdicts: list[Verdict] = []
    inactive = []
    for profile in PROFILES:
        outcomes[profile] = _first_outcome(incomplete[profile])
        if profile in active:
            sentences.append(_active_sentence(context, profile, incomplete[profile]))
            verdicts += incomplete[profile].values()
        elif incomplete[profile]:
            inactive.append(profile)
    if inactive:
        sentences.append(
            f"On a {join_words(inactive, 'or')} network, which is not active now, ETS6 could not "
            "receive everything."
        )
    judgement = Judgement(traffic_status(verdicts), " ".join(sentences), evidence)
    if judgement.status is Status.PASS:
        return judgement
    return _advise_active_profile(context, judgement, active, incomplete)


def _advise_active_profile(
    context: FirewallContext,
    judgement: Judgement,
    active: Sequence[str],
    incomplete: Mapping[str, dict[str, Verdict]],
) -> Judgement:
    """Return the judgement with what to do.

    In a wanted profile the same traffic fails its control of its own, which is the cause.
    """
    failing = [profile for profile in active if incomplete[profile]]
    unwanted = [profile for profile in failing if profile not in context.policy.profiles]
    if unwanted:
        steps = [_category_advice(context, unwanted[0])]
        if _may_be_opened(context, unwanted[0]):
            steps.append(
                f"Add {join_words(unwanted)} to ets6_network_profiles if ETS6 is to work there."
            )
        return judgement.advise(" ".join(filter(None, steps)), Contact.PC)
    name = next(iter(incomplete[failing[0]]))
    program, protocol = name.removesuffix(")").split(" (")
    subject = ProgramTraffic(program, protocol)
    return judgement.follow(f"firewall.inbound.{subject.words['id']}")


def _networks_evidence(context: FirewallContext) -> list[dict[str, Any]]:
    return [dataclasses.asdict(network) for network in context.snapshot.networks or ()]


def _networks_of(context: FirewallContext, profile: str) -> list[ConnectedNetwork]:
    """Return the connected networks of a profile."""
    networks = context.snapshot.networks or ()
    return [network for network in networks if network.category == profile]


def _may_be_opened(context: FirewallContext, profile: str) -> bool:
    """Return whether ETS6 may have to receive in a profile that is not wanted.

    A public network beside a wanted one is mostly that of an adapter without a gateway, which
    Windows cannot identify. Its category is wrong, and not the policy.
    """
    others = {network.category for network in context.snapshot.networks or ()}
    is_second = profile == "public" and not others.isdisjoint(context.policy.profiles)
    return not (is_second and _category_advice(context, profile))


def _category_advice(context: FirewallContext, profile: str) -> str:
    """Return how a network becomes private, where ETS6 receives on private networks.

    The category of a domain is not for the user to choose.
    """
    if _incomplete(context, "private"):
        return ""
    commands = []
    for network in _networks_of(context, profile):
        commands.append(
            f"Set-NetConnectionProfile -InterfaceIndex {network.index} -NetworkCategory Private"
        )
    if profile != "public" or not commands:
        return ""
    return (
        f"If the network is trusted, set its category to private: {'; '.join(commands)}; that of "
        "an unidentified network comes from the policy Network List Manager."
    )


def _known_profiles(network: Sequence[str]) -> list[str]:
    """Return the active profiles that the firewall has, in its order."""
    names = {name.lower() for name in network}
    return [profile for profile in PROFILES if profile in names]


def _incomplete(context: FirewallContext, profile: str) -> dict[str, Verdict]:
    """Return the verdicts where a program does not receive everything in a profile.

    They are by program and protocol: ``ETS6N.exe (TCP)``.
    """
    verdicts: dict[str, Verdict] = {}
    for program, rule in context.managed_rules_of(Direction.IN):
        verdict = context.verdict(rule, Direction.IN, profile)
        if verdict.outcome is not TrafficOutcome.ALLOWED:
            verdicts.setdefault(f"{program.name} ({rule.protocol})", verdict)
    return verdicts


def _first_outcome(verdicts: dict[str, Verdict]) -> str:
    for verdict in verdicts.values():
        return verdict.outcome.value
    return TrafficOutcome.ALLOWED.value


def _active_sentence(context: FirewallContext, profile: str, incomplete: dict[str, Verdict]) -> str:
    is_wanted = profile in context.policy.profiles
    network = f"The PC is on a {profile} network now"
    names = [f"{item.name} on {item.interface}" for item in _networks_of(context, profile)]
    if names:
        network += f" ({join_words(names)})"
    for name, verdict in incomplete.items():
        text = f"{network}, where ETS6 does not receive everything; {name}: {verdict.sentence()}."
        if not is_wanted:
            text += f" {sentence(profile)} is not in ets6_network_profiles."
        return text
    text = f"{network}, where ETS6's programs can receive TCP and UDP"
    if not is_wanted:
        text += f", although {profile} is not in ets6_network_profiles"
    return f"{text}."


@FAMILY.control(
    control_id="firewall.multicast_answers",
    title="Windows lets answers to KNXnet/IP discovery in",
    headline="Windows drops answers to KNXnet/IP discovery",
    severity=Severity.MEDIUM,
    needs=("firewall.in_charge",),
    rationale="Discovery is a multicast (224.0.23.12, UDP 3671) that devices answer by unicast. "
    "DisableUnicastResponsesToMulticastBroadcast=1 drops the answers unless a rule allows them.",
    remedy="Set ets6_network_multicast_answers to allow and run ets6.network.enforce, or allow ETS6 "
    "to receive over UDP.",
)
def multicast_answers(context: FirewallContext) -> Judgement:
    """Judge whether unicast answers to a multicast are let in."""
    if (judgement := readable(context)) is not None:
        return judgement
    if not context.active.verdicts_hold:
        return unknown(context.active.reason)
    dropping, all_blocked = _dropping_profiles(context)
    evidence: dict[str, dict[str, bool]] = {"dropped": {}, "all_blocked": {}}
    for profile in context.policy.profiles:
        settings = context.firewall.profiles[profile]
        evidence["dropped"][profile] = bool(settings.no_multicast_answers)
        evidence["all_blocked"][profile] = profile in all_blocked
    sentences = []
    if all_blocked:
        source = next(iter(all_blocked.values())).source
        sentences.append(
            f"In {join_words(all_blocked)} all inbound traffic is blocked, answers to discovery "
            f"included: {source}."
        )
    changes: list[Change] = []
    if context.policy.multicast_answers == "allow":
        sentences += _dropping_sentences(dropping)
        for profile, setting in dropping.items():
            if not setting.by_policy:
                changes.append(_answers_allowed(profile))
    else:
        sentences += _closed_sentences(context, dropping)
    if sentences:
        judgement = failed(" ".join(sentences), evidence, changes)
        return _advise_answers(judgement, dropping, all_blocked)
    if dropping:
        return passed(
            f"Answers are dropped in {join_words(dropping)} unless a rule lets them in, and rules "
            "do.",
            evidence,
        )
    return passed(
        f"Unicast answers to a multicast are let in (for some seconds) in "
        f"{join_words(context.policy.profiles)}.",
        evidence,
    )


def _advise_answers(
    judgement: Judgement, dropping: Mapping[str, Setting], all_blocked: Mapping[str, Setting]
) -> Judgement:
    """Return the judgement with who changes which setting that no playbook changes."""
    by_policy = [*dropping.values(), *all_blocked.values()]
    by_policy = [setting for setting in by_policy if setting.by_policy]
    if by_policy:
        sources = "; ".join(dict.fromkeys(setting.source for setting in by_policy))
        return judgement.advise(f"Change in the policy: {sources}.", Contact.GROUP_POLICY)
    if all_blocked:
        names = ", ".join(profile.capitalize() for profile in all_blocked)
        return judgement.advise(
            "Let the firewall apply its allow rules again: Set-NetFirewallProfile -Profile "
            f"{names} -AllowInboundRules True.",
            Contact.PC,
        )
    if judgement.remedy:
        return judgement
    return judgement.advise(
        "Set ets6_network_multicast_answers to allow and run ets6.network.enforce.",
        Contact.CONTROLLER,
    )


def _dropping_profiles(
    context: FirewallContext,
) -> tuple[dict[str, Setting], dict[str, Setting]]:
    """Return the settings that drop answers, and those that block everything, by wanted profile.

    Where everything is blocked, the setting that drops answers changes nothing.
    """
    dropping: dict[str, Setting] = {}
    all_blocked: dict[str, Setting] = {}
    for profile in context.policy.profiles:
        settings = context.firewall.profiles[profile]
        if not settings.enabled:
            continue
        if settings.block_all_inbound:
            all_blocked[profile] = settings.block_all_inbound
        elif settings.no_multicast_answers:
            dropping[profile] = settings.no_multicast_answers
    return dropping, all_blocked


def _closed_sentences(context: FirewallContext, dropping: dict[str, Setting]) -> list[str]:
    """Return where answers are dropped and no rule lets them in."""
    closed = [profile for profile in dropping if not _receives_udp(context, profile)]
    if not closed:
        return []
    return [
        f"Answers to discovery are dropped in {join_words(closed)}: {dropping[closed[0]].source}, "
        "and no rule lets all of them in."
    ]


def _receives_udp(context: FirewallContext, profile: str) -> bool:
    """Return whether rules let in everything that the programs need over UDP."""
    verdicts = []
    for _program, rule in context.managed_rules_of(Direction.IN):
        if rule.protocol == "UDP":
            verdicts.append(context.verdict(rule, Direction.IN, profile))
    if not verdicts:
        return False
    return all(verdict.outcome is TrafficOutcome.ALLOWED for verdict in verdicts)


def _dropping_sentences(dropping: dict[str, Setting]) -> list[str]:
    if not dropping:
        return []
    sources = "; ".join(setting.source for setting in dropping.values())
    sentences = [f"Answers to a multicast are dropped in {join_words(dropping)}: {sources}."]
    by_policy = [profile for profile, setting in dropping.items() if setting.by_policy]
    if by_policy:
        sentences.append(
            f"A policy decides in {join_words(by_policy)}, so a local change would have no effect "
            "there."
        )
    return sentences


def _answers_allowed(profile: str) -> Change:
    return Change(
        f"firewall profile {profile}",
        {"unicast answers to multicast": "blocked"},
        {"unicast answers to multicast": "allowed"},
        [AllowMulticastAnswers(profile.capitalize())],
    )


def _stale_rules_removed(context: FirewallContext) -> Judgement:
    """Judge what is left beside the rules of the programs, which have controls of their own."""
    if (judgement := readable(context)) is not None:
        return judgement
    return _left_over_judgement(_left_over(context, [], context.programs))


@FAMILY.control(
    control_id="firewall.stale_rules",
    title="No managed rule is left over",
    headline="Managed rules are left over",
    severity=Severity.LOW,
    contact=Contact.PC,
    needs=("firewall.in_charge",),
    rationale="Rules for a folder that ETS6 has left, for programs that are no longer wanted, or "
    "copies of managed rules confuse whoever reads the rules.",
    remedy="Run ets6.network.enforce, which removes them.",
    absent=_stale_rules_removed,
)
def stale_rules(context: FirewallContext) -> Judgement:
    """Judge whether managed rules are left that the policy does not call for."""
    if (judgement := readable(context)) is not None:
        return judgement
    needed: list[FirewallRule] = []
    not_looked_up = []
    for program in context.programs:
        if program.unreadable:
            not_looked_up.append(program)
            continue
        for protocol in PROTOCOLS:
            needed += context.managed_rules(program, protocol, Direction.IN)
            needed += context.needed_outbound_rules(program, protocol)
    judgement = _left_over_judgement(_left_over(context, needed, not_looked_up))
    if judgement.remedy and not context.active.rules_help:
        reason = f"{judgement.reason} Not removed: {context.active.reason}"
        return failed(reason, judgement.evidence)
    return judgement


def _left_over_judgement(rules: Sequence[Rule]) -> Judgement:
    if not rules:
        return passed("No managed rule is left over.")
    names = join_words(f"{rule.id} ({rule.app or 'any program'})" for rule in rules)
    return failed(
        f"{names} {_be(rules)} no longer needed.",
        {"rules": [rule.id for rule in rules]},
        [managed_rules.removal(rule) for rule in rules],
    )


def _left_over(
    context: FirewallContext, needed: Sequence[FirewallRule], excluded: Sequence[Program]
) -> list[Rule]:
    """Return the managed rules that are not needed, and copies of those that are.

    Rules for the excluded programs are left alone.
    """
    needed_ids = {fold(rule.id) for rule in needed}
    rules = []
    for rule in filter(managed_rules.is_in_group, context.firewall.local_rules):
        if managed_rules.is_managed(rule):
            if fold(rule.id) not in needed_ids and not _is_for_any(rule, excluded):
                rules.append(rule)
        elif any(managed_rules.is_copy(rule, managed, context.paths) for managed in needed):
            rules.append(rule)
    return rules


def _is_for_any(rule: Rule, programs_: Sequence[Program]) -> bool:
    """Return whether the id is that of a managed rule for one of these programs."""
    for program in programs_:
        for protocol in PROTOCOLS:
            for direction in Direction:
                if managed_rules.is_for(rule.id, program.name, protocol, direction):
                    return True
    return False


def _malformed_rules(context: FirewallContext) -> Judgement:
    return malformed_rules(context)


@FAMILY.control(
    control_id="firewall.malformed_rules",
    title="Every firewall rule can be read",
    headline="Firewall rules cannot be read",
    severity=Severity.LOW,
    contact=Contact.PC,
    rationale="Windows ignores a rule that does not follow its grammar (MS-GPFAS 2.2.2), and this "
    "collection cannot judge it.",
    remedy="Remove or repair the rules that cannot be read.",
    absent=_malformed_rules,
)
def malformed_rules(context: FirewallContext) -> Judgement:
    """Judge whether every rule can be read."""
    if (judgement := readable(context)) is not None:
        return judgement
    malformed = context.firewall.malformed
    if not malformed:
        return passed(f"All {len(context.firewall.rules)} rules can be read.")
    problems = [f"{item.problem} ({item.store.value})" for item in malformed]
    number = count(len(problems), "value is not a rule", "values are not rules")
    evidence = {
        "problems": problems[:MAX_LISTED],
        "not_listed": max(0, len(problems) - MAX_LISTED),
    }
    judgement = failed(f"{number}. First: {problems[0]}.", evidence)
    by_policy = [item for item in malformed if item.store is not Store.LOCAL]
    if by_policy:
        names = first_words([f"{item.id} ({item.store.value})" for item in by_policy], MAX_COMMANDS)
        return judgement.advise(
            f"Remove or repair in the policy that sets it: {names}.", Contact.GROUP_POLICY
        )
    commands = []
    for item in malformed:
        value = item.id.replace("'", "''")
        commands.append(f"Remove-ItemProperty 'Registry::{RULE_KEYS[item.store]}' -Name '{value}'")
    return judgement.advise(
        f"Remove or repair the values on the PC: {first_words(commands, MAX_COMMANDS)}.",
        Contact.PC,
    )
