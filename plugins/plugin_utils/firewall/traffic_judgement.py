# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How verdicts on a program's traffic become a judgement: status, reason, evidence and advice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.names import fold
from ..declaration import Judgement
from ..finding import Contact, Status
from ..formats.firewall_rule import PROFILES, Direction
from ..text import join_words, sentence
from .context import FirewallContext
from .programs import Program
from .store import ProfileSettings, Store, StoredRule
from .subjects import ProgramTraffic
from .verdict import Part, TrafficOutcome, Verdict, name_rule

DELIBERATE_BLOCKS = "firewall.deliberate_blocks"
PROMPT_BLOCKS = "firewall.prompt_blocks"
BLOCK_CONTROLS = (DELIBERATE_BLOCKS, PROMPT_BLOCKS)


@dataclass(frozen=True)
class ProfileVerdict:
    """What happens to the traffic of a program (its path) in a profile."""

    program: str
    profile: str
    verdict: Verdict

    def to_wire(self) -> dict[str, Any]:
        """Return it for the evidence of a finding."""
        return {"program": self.program, "profile": self.profile, **self.verdict.to_wire()}


def judge_traffic(
    context: FirewallContext, program: Program, protocol: str, direction: Direction
) -> Judgement:
    """Judge what a program can receive or send in the wanted profiles.

    The evidence has the other profiles too, since a notebook changes networks.
    """
    verdicts = []
    for rule in context.managed_rules(program, protocol, direction):
        for profile in PROFILES:
            verdict = context.verdict(rule, direction, profile)
            verdicts.append(ProfileVerdict(rule.program, profile, verdict))
    relevant = [item for item in verdicts if item.profile in context.policy.profiles]
    problems = context.malformed_naming(program)
    evidence = {
        "traffic": [item.to_wire() for item in verdicts],
        "malformed_rules": problems,
    }
    status = traffic_status(item.verdict for item in relevant)
    reason = _reason(relevant, len(program.paths) > 1)
    if problems:
        reason += f" What a malformed rule does could not be determined: {problems[0]}."
        if status is Status.PASS:
            status = Status.UNKNOWN
    if status is not Status.FAIL:
        return Judgement(status, reason, evidence)
    judgement = Judgement(status, reason, evidence)
    judgement = judgement.advise(sentence(_advice(context, relevant)), _contact(context, relevant))
    subject = ProgramTraffic(program.name, protocol)
    return judgement.follow(_cause(context, relevant, subject, direction))


def traffic_status(verdicts: Iterable[Verdict]) -> Status:
    """Return the status of verdicts together."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if TrafficOutcome.BLOCKED in outcomes or TrafficOutcome.PARTIAL in outcomes:
        return Status.FAIL
    if TrafficOutcome.UNKNOWN in outcomes:
        return Status.UNKNOWN
    return Status.PASS


def _reason(verdicts: Sequence[ProfileVerdict], name_programs: bool) -> str:
    """Return what happens to the traffic, profiles with the same verdict together.

    Those in which it does not pass come first.
    """
    profiles_by_text: dict[str, list[str]] = {}
    for item in sorted(verdicts, key=_is_allowed):
        text = item.verdict.sentence()
        if name_programs:
            text = f"{item.program}: {text}"
        profiles_by_text.setdefault(text, []).append(item.profile)
    separator = ", " if name_programs else ": "
    sentences = []
    for text, profiles in profiles_by_text.items():
        sentences.append(f"{sentence(join_words(profiles))}{separator}{text}.")
    return " ".join(sentences)


def _is_allowed(item: ProfileVerdict) -> bool:
    return item.verdict.outcome is TrafficOutcome.ALLOWED


def _advice(context: FirewallContext, verdicts: Sequence[ProfileVerdict]) -> str:
    """Return what would allow the traffic."""
    profiles_by_step: dict[str, list[str]] = {}
    for item in verdicts:
        for part in item.verdict.parts:
            if not part.passes:
                step = _step(part, context.firewall.profiles[item.profile])
                profiles_by_step.setdefault(step, []).append(item.profile)
    steps = [f"{step} (for {join_words(profiles)})" for step, profiles in profiles_by_step.items()]
    return f"{'; '.join(steps)}."


def _contact(context: FirewallContext, verdicts: Sequence[ProfileVerdict]) -> Contact:
    """Return who can change it: the owner of a policy where one decides."""
    for item in verdicts:
        settings = context.firewall.profiles[item.profile]
        for part in item.verdict.parts:
            if not part.passes and _is_by_policy(part, settings):
                return Contact.GROUP_POLICY
    return Contact.PC


def _is_by_policy(part: Part, settings: ProfileSettings) -> bool:
    if part.rule is not None:
        return part.rule.store is not Store.LOCAL
    if part.requirement is not None:
        return part.requirement.stored.store is not Store.LOCAL
    if part.by_default and not settings.merge_local:
        return True
    return part.setting is not None and part.setting.by_policy


def _cause(
    context: FirewallContext,
    verdicts: Sequence[ProfileVerdict],
    subject: ProgramTraffic,
    direction: Direction,
) -> str:
    """Return the control whose failure keeps the traffic out; empty where some of it has no control.

    Of several the first that would have to be met: a block wins over every allow rule.
    """
    causes = set()
    for item in verdicts:
        settings = context.firewall.profiles[item.profile]
        for part in item.verdict.parts:
            if not part.passes:
                causes.add(_cause_of_part(context, part, settings, subject, direction))
    if not causes or "" in causes:
        return ""
    for control_id in BLOCK_CONTROLS:
        if control_id in causes:
            return control_id
    return causes.pop()


def _cause_of_part(
    context: FirewallContext,
    part: Part,
    settings: ProfileSettings,
    subject: ProgramTraffic,
    direction: Direction,
) -> str:
    managed_control = f"firewall.rule.{subject.words['id']}"
    if part.rule is not None:
        if direction is Direction.IN and fold(part.rule.rule.id) in context.managed_ids:
            return managed_control
        return _block_control(context, part.rule)
    is_default = part.by_default and part.setting is not settings.block_all_inbound
    if is_default and settings.merge_local and direction is Direction.IN:
        return managed_control
    return ""


def _block_control(context: FirewallContext, stored: StoredRule) -> str:
    for block in context.blocks:
        if block.stored is stored:
            return PROMPT_BLOCKS if block.by_prompt else DELIBERATE_BLOCKS
    return ""


def _step(part: Part, settings: ProfileSettings) -> str:
    if part.rule is not None:
        return _rule_step(part.rule)
    if part.requirement is not None:
        text = (
            "exempt the KNX devices from authentication, with a connection security rule beside "
            f"{part.requirement.words()}"
        )
        return f"{text}, in that policy" if _is_by_policy(part, settings) else text
    if part.setting is settings.block_all_inbound:
        return f"switch off DoNotAllowExceptions ({settings.block_all_inbound.source})"
    if not settings.merge_local:
        source = settings.merge_local.source
        return f"allow the program in that policy, or let it accept local rules ({source})"
    return "make an allow rule for the program"


def _rule_step(stored: StoredRule) -> str:
    """Return what to do about a rule that blocks.

    A rule of a policy, or for every program, is never to be removed for ETS6.
    """
    if stored.store is not Store.LOCAL:
        return f"change {name_rule(stored)} in that policy"
    if not stored.rule.app:
        return f"narrow {name_rule(stored)}, which is for every program, so that it spares ETS6"
    return f"remove {name_rule(stored)}"
