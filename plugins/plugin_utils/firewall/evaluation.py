# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How Windows Defender Firewall decides about what a program needs.

The order (Microsoft Learn, "Windows Firewall rules"; MS-FASP 2.2.34, 2.2.38 and 2.2.52): firewall
off, all inbound traffic blocked, connection security, then ByPass, Block and Allow rules, then the
profile's default action.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...module_utils.names import fold
from ..formats.firewall_address import ALL_V4, Span
from ..formats.firewall_rule import PROTOCOLS, Action, Direction
from .connection_security import ConnectionSecurity
from .needs import NeededSet
from .old_policies import OldException
from .paths import Paths
from .rule_scope import NOTHING, RuleScope, System, rule_scope
from .store import Firewall, ProfileSettings, Setting, Store, StoredRule
from .traffic_set import (
    HOLDS,
    LOCAL_PORT,
    REMOTE,
    Box,
    TooManyPartsError,
    intersect_all,
    merge_spans,
    subtract,
)
from .verdict import (
    MAX_LISTED,
    NeedVerdict,
    Part,
    TrafficOutcome,
    Verdict,
    combine,
    judge_need,
    merge_parts,
)

_AMBIGUOUS_NAME = re.compile(r"[~%/\"]|^\s|\s$|^\.")
"""In the last part of a path: an 8.3 name, an environment string, or what Paths.canonical drops."""

TOO_MANY_PARTS = "The rules split the traffic into more parts than can be evaluated."

ScopedRule = tuple[StoredRule, RuleScope]


@dataclass(frozen=True)
class Question:
    """What is evaluated: a program's path, the protocol and the direction, in a profile.

    It is evaluated as if local rules with the folded ids in without, and firewall rules of
    other stores than the given ones, did not exist.
    """

    program: str
    protocol: str
    direction: Direction
    profile: str
    without: frozenset[str] = frozenset()
    stores: tuple[Store, ...] = tuple(Store)


class Evaluation:
    """Evaluates traffic by the rules and settings of one PC."""

    def __init__(
        self,
        firewall: Firewall,
        paths: Paths,
        system: System,
        needed: Sequence[NeededSet],
    ) -> None:
        self.firewall = firewall
        self._paths = paths
        self._system = system
        self._needed = needed
        self._connections = ConnectionSecurity(firewall.connection_rules, system)
        self._scopes: dict[int, RuleScope] = {}
        self._rules: dict[tuple[str, Direction, str], list[ScopedRule]] = {}
        self._by_file_name = _group_by_file_name(firewall.rules)
        self._touching: dict[tuple[str, str], list[ScopedRule]] = {}
        self._divided: dict[tuple[object, ...], tuple[list[Part], list[Box]]] = {}

    def needed(self, protocol: str, direction: Direction) -> list[NeededSet]:
        """Return what is needed over a protocol in a direction."""
        return [
            needed
            for needed in self._needed
            if needed.need.protocol == protocol and needed.need.direction is direction
        ]

    def scope(self, stored: StoredRule) -> RuleScope:
        """Return the traffic that a rule is for."""
        scope = self._scopes.get(id(stored))
        if scope is None:
            scope = rule_scope(stored.rule, self._system)
            self._scopes[id(stored)] = scope
        return scope

    def rules_for(self, program: str, protocol: str, direction: Direction) -> list[ScopedRule]:
        """Return the active rules for a program's traffic, in any profile.

        Those with the fewest conditions come first.
        """
        key = (self._paths.canonical(program), direction, protocol)
        rules = self._rules.get(key)
        if rules is None:
            rules = list(self._match(program, protocol, direction))
            rules.sort(key=_number_of_conditions)
            self._rules[key] = rules
        return rules

    def _match(self, program: str, protocol: str, direction: Direction) -> Iterator[ScopedRule]:
        file_name = self._paths.canonical(program).rpartition("\\")[2]
        protocols = (None, PROTOCOLS[protocol])
        for name in (file_name, ""):
            for stored in self._by_file_name.get(name, ()):
                rule = stored.rule
                if rule.direction is not direction or rule.protocol not in protocols:
                    continue
                if rule.app and not self._paths.same(rule.app, program):
                    continue
                scope = self.scope(stored)
                if scope is not NOTHING:
                    yield stored, scope

    def touching(self, program: str, needed: NeededSet) -> list[ScopedRule]:
        """Return the rules for some of what is needed, in any profile, in the order of rules_for."""
        key = (self._paths.canonical(program), needed.need.id)
        touching = self._touching.get(key)
        if touching is None:
            need = needed.need
            touching = [
                scoped
                for scoped in self.rules_for(program, need.protocol, need.direction)
                if intersect_all(needed.boxes, scoped[1].boxes)
            ]
            self._touching[key] = touching
        return touching

    def verdict(self, question: Question) -> Verdict:
        """Return what happens to what a program needs in a profile."""
        settings = self.firewall.profiles[question.profile]
        verdict = self._verdict(question, settings)
        mdm_first = self.firewall.mdm_first.get(question.profile)
        if mdm_first is not None:
            alternative = self._verdict(question, mdm_first)
            if not _have_one_status(verdict, alternative):
                verdict = verdict.with_doubts([_conflict(settings, mdm_first)])
        return verdict.with_doubts(list(self._old_doubts(question, verdict)))

    def _verdict(self, question: Question, settings: ProfileSettings) -> Verdict:
        needed = self.needed(question.protocol, question.direction)
        state = "on" if settings.enabled else "off"
        chain = [
            f"In the {question.profile} profile the firewall is {state}: {settings.enabled.source}."
        ]
        if not settings.enabled:
            cause = f"because the firewall is off ({settings.enabled.source})"
            verdict = _whole(needed, True, settings.enabled, cause, chain)
            return verdict.with_doubts(self._off_doubts(question, settings, needed))
        if question.direction is Direction.IN and settings.block_all_inbound:
            cause = f"with all other inbound traffic ({settings.block_all_inbound.source})"
            return _whole(needed, False, settings.block_all_inbound, cause, chain)
        if not settings.merge_local:
            chain.append(f"Local rules are ignored: {settings.merge_local.source}.")
        verdicts = [self._judge(question, settings, need) for need in needed]
        if any(not verdict.parts for verdict in verdicts):
            chain.append(TOO_MANY_PARTS)
        return _assemble(verdicts, chain)

    def _judge(
        self, question: Question, settings: ProfileSettings, needed: NeededSet
    ) -> NeedVerdict:
        """Return the verdict on one need where rules and the default action decide."""
        rules = []
        for stored, scope in self.touching(question.program, needed):
            if stored.store in question.stores and _counts(stored, question, settings):
                rules.append((stored, scope))
        try:
            parts, rest = self._secured(question, settings, needed)
            rule_parts, rest = self._divide(needed, rest, rules)
            parts += rule_parts
            if rest:
                parts.append(_default(question.direction, settings, rest, needed.boxes))
            return judge_need(needed.need, parts)
        except TooManyPartsError:
            return NeedVerdict(needed.need, TrafficOutcome.UNKNOWN, ())

    def _secured(
        self, question: Question, settings: ProfileSettings, needed: NeededSet
    ) -> tuple[list[Part], list[Box]]:
        """Return what is decided before firewall rules count, and what remains."""
        parts = []
        rest = list(needed.boxes)
        for interface in settings.disabled_interfaces:
            disabled: Box = {f"if={interface}".lower(): HOLDS}
            cause = f"on the interface {interface}, where the firewall is off (DisabledInterfaces)"
            boxes = intersect_all(rest, [disabled])
            if boxes:
                parts.append(Part(True, tuple(boxes), cause=cause))
            rest = subtract(rest, disabled)
        requirements = self._connections.requirements(
            rest, question.protocol, question.direction, question.profile, settings
        )
        for requirement in list(requirements):
            boxes = intersect_all(rest, requirement.boxes)
            if not boxes:
                continue
            cause = f"by {requirement.words()}, which requires IPsec; KNX devices do not have it"
            if requirement.doubts:
                cause += f", if it counts here: {'; '.join(requirement.doubts)}"
            parts.append(Part(False, tuple(boxes), requirement=requirement, cause=cause))
            for box in requirement.boxes:
                rest = subtract(rest, box)
        return parts, rest

    def _off_doubts(
        self, question: Question, settings: ProfileSettings, needed: Sequence[NeededSet]
    ) -> list[str]:
        """Return why a firewall that is off may keep traffic away."""
        for need in needed:
            for requirement in self._connections.requirements(
                need.boxes, question.protocol, question.direction, question.profile, settings
            ):
                return [
                    f"the firewall is off, and whether {requirement.words()} still counts is not "
                    "documented"
                ]
        return []

    def _divide(
        self, needed: NeededSet, boxes: Sequence[Box], rules: Sequence[ScopedRule]
    ) -> tuple[list[Part], list[Box]]:
        """Divide traffic into what each rule decides about, and the rest.

        Raises TooManyPartsError.
        """
        key = (needed.need.id, repr(boxes), tuple(id(stored) for stored, _scope in rules))
        divided = self._divided.get(key)
        if divided is None:
            divided = _divide(boxes, rules)
            self._divided[key] = divided
        parts, rest = divided
        return parts, list(rest)

    def _old_doubts(self, question: Question, verdict: Verdict) -> Iterator[str]:
        """Return the exceptions of old policies that would make another outcome."""
        settings = self.firewall.profiles[question.profile]
        if question.direction is Direction.OUT or not settings.enabled:
            return
        if settings.block_all_inbound:
            return
        is_allowed = verdict.outcome is TrafficOutcome.ALLOWED
        for exception in self.firewall.exceptions:
            if exception.allows is is_allowed or not self._concerns(exception, question):
                continue
            if exception.about_local_rules and self._is_allowed_by_policy(question, settings):
                continue
            effect = "allow" if exception.allows else "block"
            yield (
                f"the old policy {exception.source} may {effect} it; what it does beside the "
                "rules of today is not documented"
            )

    def _is_allowed_by_policy(self, question: Question, settings: ProfileSettings) -> bool:
        by_policy = dataclasses.replace(question, stores=(Store.GROUP_POLICY, Store.MDM))
        return self._verdict(by_policy, settings).outcome is TrafficOutcome.ALLOWED

    def _concerns(self, exception: OldException, question: Question) -> bool:
        if exception.profile != question.profile:
            return False
        if exception.path:
            return self._paths.same(exception.path, question.program)
        if not exception.port:
            return True
        if exception.protocol != question.protocol:
            return False
        port: Box = {LOCAL_PORT: ((exception.port, exception.port),)}
        boxes: list[Box] = []
        for needed in self.needed(question.protocol, question.direction):
            boxes += needed.boxes
        return bool(intersect_all(boxes, [port]))


def _group_by_file_name(rules: Sequence[StoredRule]) -> dict[str, list[StoredRule]]:
    """Return the rules that count, by the folded file name of the program that they name.

    Rules under an empty name may be for any program.
    """
    groups: dict[str, list[StoredRule]] = {}
    for stored in rules:
        if stored.overridden or not stored.rule.active:
            continue
        name = fold(stored.rule.app.rpartition("\\")[2])
        if _AMBIGUOUS_NAME.search(name):
            name = ""
        groups.setdefault(name, []).append(stored)
    return groups


def _number_of_conditions(scoped: ScopedRule) -> int:
    _stored, scope = scoped
    return len(scope.conditions) + len(scope.doubts)


def _counts(stored: StoredRule, question: Question, settings: ProfileSettings) -> bool:
    """Return whether a rule counts in a profile."""
    if question.profile not in stored.rule.profiles:
        return False
    if stored.store is not Store.LOCAL:
        return True
    return bool(settings.merge_local) and fold(stored.rule.id) not in question.without


def _whole(
    needed: Sequence[NeededSet], passes: bool, setting: Setting, cause: str, chain: list[str]
) -> Verdict:
    """Return the verdict where a setting decides about all of the traffic."""
    verdicts = []
    for need in needed:
        part = Part(passes, need.boxes, setting=setting, cause=cause)
        verdicts.append(judge_need(need.need, [part]))
    return _assemble(verdicts, chain)


def _assemble(verdicts: Sequence[NeedVerdict], chain: Sequence[str]) -> Verdict:
    parts = merge_parts(verdicts)
    sentences = [f"It is {part.sentence()}." for part in parts[:MAX_LISTED]]
    return Verdict(combine(verdicts), tuple(parts), (*chain, *sentences), tuple(verdicts))


def _divide(boxes: Sequence[Box], rules: Sequence[ScopedRule]) -> tuple[list[Part], list[Box]]:
    parts: list[Part] = []
    rest = list(boxes)
    for action in (Action.BYPASS, Action.BLOCK, Action.ALLOW):
        unrestricted, lists, others = _sort(
            [item for item in rules if item[0].rule.action is action]
        )
        rest = _apply(parts, rest, unrestricted)
        rest = _apply_lists(parts, rest, lists)
        rest = _apply(parts, rest, others)
    return parts, rest


def _sort(
    rules: Iterable[ScopedRule],
) -> tuple[list[ScopedRule], list[ScopedRule], list[ScopedRule]]:
    """Return the rules without a condition, those that only name remote addresses, and others."""
    unrestricted, lists, others = [], [], []
    for scoped in rules:
        if not _number_of_conditions(scoped):
            unrestricted.append(scoped)
        elif scoped[1].addresses_only is not None:
            lists.append(scoped)
        else:
            others.append(scoped)
    return unrestricted, lists, others


def _apply(parts: list[Part], rest: list[Box], rules: Iterable[ScopedRule]) -> list[Box]:
    """Add the part of each rule, and return what remains."""
    for stored, scope in rules:
        boxes = intersect_all(rest, scope.boxes)
        if not boxes:
            continue
        parts.append(Part(stored.rule.action is not Action.BLOCK, tuple(boxes), stored, scope))
        for box in scope.boxes:
            rest = subtract(rest, box)
    return rest


def _apply_lists(parts: list[Part], rest: list[Box], rules: Sequence[ScopedRule]) -> list[Box]:
    """Add the part of each rule that only names remote addresses, and return what remains.

    Block lists come in many rules of a thousand addresses, which are taken away all at once.
    """
    spans: list[Span] = []
    for stored, scope in rules:
        boxes = intersect_all(rest, scope.boxes)
        if boxes:
            parts.append(Part(stored.rule.action is not Action.BLOCK, tuple(boxes), stored, scope))
            spans += scope.addresses_only or ()
    if not spans:
        return rest
    return subtract(rest, {REMOTE: merge_spans(spans)})


def _default(
    direction: Direction, settings: ProfileSettings, rest: Sequence[Box], boxes: Sequence[Box]
) -> Part:
    """Return the part that no rule decides about."""
    setting = settings.inbound_block if direction is Direction.IN else settings.outbound_block
    reason = "no rule decides"
    if not settings.merge_local:
        reason = (
            f"local rules are ignored ({settings.merge_local.source}), and no other rule decides"
        )
    cause = f"{_only_family(rest, boxes)}by default: {reason} ({setting.source})"
    return Part(not setting, tuple(rest), setting=setting, cause=cause)


def _only_family(rest: Sequence[Box], boxes: Sequence[Box]) -> str:
    """Return ``over IPv6`` where only IPv6 remains of both families, which is easily overlooked."""
    families = set(map(_family, rest))
    if len(families) == len(set(map(_family, boxes))):
        return ""
    return f"over {families.pop()} "


def _family(box: Box) -> str:
    return "IPv6" if box[REMOTE][-1][1] > ALL_V4[1] else "IPv4"


def _have_one_status(first: Verdict, second: Verdict) -> bool:
    """Return whether a finding has the same status by both verdicts."""
    failing = {TrafficOutcome.BLOCKED, TrafficOutcome.PARTIAL}
    return first.outcome is second.outcome or {first.outcome, second.outcome} <= failing


def _conflict(settings: ProfileSettings, mdm_first: ProfileSettings) -> str:
    """Return the settings that Group Policy and MDM set differently."""
    sources = []
    for name in ("enabled", "block_all_inbound", "inbound_block", "outbound_block", "merge_local"):
        setting, mdm_setting = getattr(settings, name), getattr(mdm_first, name)
        if setting.value != mdm_setting.value:
            sources.append(f"{setting.source} or {mdm_setting.source}")
    return (
        f"Group Policy and MDM conflict ({'; '.join(sources)}), and which of them Windows uses is "
        "not documented (MDMWinsOverGP = 1)"
    )
