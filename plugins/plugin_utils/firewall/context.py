# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is known about one PC's firewall, worked out once for all controls."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ...module_utils.names import fold
from ..formats.firewall_rule import Action, Direction
from ..operations import FirewallRule
from ..policy.variables import Policy
from ..snapshot import Snapshot
from ..text import sentence
from . import managed_rules, store
from .accounts import Accounts
from .active_firewall import (
    CONNECTION_SECURITY_CATEGORY,
    ActiveFirewall,
    find_active_firewall,
    registered,
)
from .blocks import Block, PromptRules, blocked_boxes, is_doubtful
from .evaluation import Evaluation, Question, ScopedRule
from .needs import needed_sets
from .paths import Paths, odd_file_name
from .programs import Program, find_programs
from .rule_scope import RuleScope, System, may_be_skipped
from .store import Firewall, Store, StoredRule
from .subjects import PROTOCOLS, ProgramTraffic
from .verdict import TrafficOutcome, Verdict, name_rule

BY_POLICY = (Store.GROUP_POLICY, Store.MDM)


class FirewallContext:
    """One PC's firewall, and the policy."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.firewall: Firewall = store.read(snapshot.registry)
        self.paths = Paths(snapshot.environment)
        self.programs: list[Program] = find_programs(snapshot, policy, self.paths)
        self.active: ActiveFirewall = find_active_firewall(snapshot)
        accounts = Accounts(snapshot)
        self.system = System(
            _windows_version(snapshot.host.get("os")),
            self.firewall.version,
            accounts,
            tuple(registered(snapshot, CONNECTION_SECURITY_CATEGORY)),
        )
        needed = needed_sets(policy, accounts.everyone)
        self.evaluation = Evaluation(self.firewall, self.paths, self.system, needed)
        self._verdicts: dict[Question, Verdict] = {}

    def program(self, subject: ProgramTraffic) -> Program:
        """Return the program that a control is about."""
        return next(program for program in self.programs if program.name == subject.program)

    def managed_rules(
        self, program: Program, protocol: str, direction: Direction
    ) -> list[FirewallRule]:
        """Return the managed rules for a program, one for each of its paths."""
        return [
            managed_rules.managed_rule(program.name, path, number, protocol, direction, self.policy)
            for number, path in enumerate(program.paths, 1)
        ]

    def managed_rules_of(self, direction: Direction) -> Iterator[tuple[Program, FirewallRule]]:
        """Return the managed rules of every program, over both protocols, in one direction."""
        for program in self.programs:
            for protocol in PROTOCOLS:
                for rule in self.managed_rules(program, protocol, direction):
                    yield program, rule

    def needed_outbound_rules(self, program: Program, protocol: str) -> list[FirewallRule]:
        """Return the managed outbound rules that the policy calls for.

        ets6_network_outbound: always all; auto those without which the default action blocks.
        """
        rules = self.managed_rules(program, protocol, Direction.OUT)
        if self.policy.outbound == "always":
            return rules
        if self.policy.outbound == "never":
            return []
        return [rule for rule in rules if self._is_blocked_by_default(rule)]

    def _is_blocked_by_default(self, rule: FirewallRule) -> bool:
        """Return whether, without this rule, a default action blocks some of the traffic."""
        without = frozenset({fold(rule.id)})
        for profile in self.policy.profiles:
            verdict = self.verdict(rule, Direction.OUT, profile, without=without)
            if verdict.outcome is TrafficOutcome.ALLOWED:
                continue
            for part in verdict.parts:
                if part.by_default and not part.passes:
                    return True
        return False

    def verdict(
        self,
        rule: FirewallRule,
        direction: Direction,
        profile: str,
        without: frozenset[str] = frozenset(),
        stores: tuple[Store, ...] = tuple(Store),
    ) -> Verdict:
        """Return what happens to what the program of a managed rule needs."""
        question = Question(rule.program, rule.protocol, direction, profile, without, stores)
        verdict = self._verdicts.get(question)
        if verdict is None:
            verdict = self.evaluation.verdict(question)
            self._verdicts[question] = verdict
        return verdict

    def causes_without_effect(self, rule: FirewallRule, direction: Direction) -> str:
        """Return why a local allow rule would have no effect in any wanted profile.

        Empty where it would have one.
        """
        if not self.active.rules_help:
            return self.active.reason
        stronger = self.firewall.overriding(rule.id)
        if stronger is not None:
            return (
                f"{name_rule(stronger)} has the same id, and of two such rules Windows uses the "
                "administrator's"
            )
        causes = []
        for profile in self.policy.profiles:
            cause = self._cause_without_effect(rule, direction, profile)
            if not cause:
                return ""
            causes.append(f"{profile}: {cause}")
        return "; ".join(causes)

    def _cause_without_effect(self, rule: FirewallRule, direction: Direction, profile: str) -> str:
        settings = self.firewall.profiles[profile]
        if not settings.merge_local:
            return f"local rules are ignored, since {settings.merge_local.source}"
        if direction is Direction.IN and settings.block_all_inbound:
            return f"all inbound traffic is blocked, since {settings.block_all_inbound.source}"
        verdict = self.verdict(rule, direction, profile, stores=BY_POLICY)
        if verdict.outcome is not TrafficOutcome.BLOCKED:
            return ""
        if any(part.by_default for part in verdict.parts):
            return ""
        return verdict.sentence()

    def is_allowed_by_policy(self, rule: FirewallRule, direction: Direction) -> bool:
        """Return whether administrators' policies alone allow the traffic in every wanted profile."""
        for profile in self.policy.profiles:
            verdict = self.verdict(rule, direction, profile, stores=BY_POLICY)
            if verdict.outcome is not TrafficOutcome.ALLOWED:
                return False
        return True

    @cached_property
    def uncertain_local_rules(self) -> int:
        """How many local values Windows may not take as rules: malformed, or for another Windows."""
        malformed = [item for item in self.firewall.malformed if item.store is Store.LOCAL]
        skipped = [rule for rule in self.firewall.local_rules if may_be_skipped(rule, self.system)]
        return len(malformed) + len(skipped)

    @property
    def number_of_policy_rules(self) -> int:
        """How many rules Group Policy and MDM have; of two with one id only the stronger counts."""
        rules = [stored for stored in self.firewall.rules if stored.store is not Store.LOCAL]
        return sum(not stored.overridden for stored in rules)

    @cached_property
    def managed_ids(self) -> frozenset[str]:
        """The folded ids of managed rules: one of those that blocks has drifted."""
        ids = set()
        for direction in Direction:
            for _program, rule in self.managed_rules_of(direction):
                ids.add(fold(rule.id))
        return frozenset(ids)

    @cached_property
    def blocks(self) -> list[Block]:
        """Every rule in force that blocks some traffic of a program, each once."""
        prompt = PromptRules(self.firewall.rules, self.paths)
        blocks: dict[int, Block] = {}
        for direction in Direction:
            for program, rule in self.managed_rules_of(direction):
                for stored, scope in self._blocking(rule, direction):
                    block = blocks.get(id(stored))
                    if block is None:
                        block = self._new_block(stored, scope, prompt)
                    blocks[id(stored)] = self._extended(block, program, rule, direction)
        return [block for block in blocks.values() if block.profiles]

    def _blocking(self, rule: FirewallRule, direction: Direction) -> Iterator[ScopedRule]:
        for scoped in self.evaluation.rules_for(rule.program, rule.protocol, direction):
            if scoped[0].rule.action is Action.BLOCK:
                yield scoped

    def _new_block(self, stored: StoredRule, scope: RuleScope, prompt: PromptRules) -> Block:
        pair = prompt.pair(stored)
        return Block(
            stored,
            scope,
            programs=(),
            profiles=self._profiles_in_force(stored),
            doubtful=True,
            by_prompt=prompt.made(stored) or bool(pair),
            pair=pair,
        )

    def _extended(
        self, block: Block, program: Program, rule: FirewallRule, direction: Direction
    ) -> Block:
        """Return the block with a program, and what it blocks of that program's needs."""
        titles = list(block.needs)
        doubtful = block.doubtful
        for needed in self.evaluation.needed(rule.protocol, direction):
            boxes = blocked_boxes(needed, block.scope)
            if boxes:
                titles.append(needed.need.title)
                doubtful = doubtful and is_doubtful(boxes)
        return dataclasses.replace(
            block,
            programs=tuple(dict.fromkeys([*block.programs, program.name])),
            needs=tuple(dict.fromkeys(titles)),
            doubtful=doubtful,
        )

    def _profiles_in_force(self, stored: StoredRule) -> tuple[str, ...]:
        """Return the profiles in which a rule counts."""
        profiles = []
        for profile, settings in self.firewall.profiles.items():
            counts = stored.store is not Store.LOCAL or settings.merge_local
            if settings.enabled and counts and profile in stored.rule.profiles:
                profiles.append(profile)
        return tuple(profiles)

    @cached_property
    def blocks_with_odd_paths(self) -> list[StoredRule]:
        """The blocking rules that may name a program, by a path that is taken for no match."""
        names = {fold(program.name) for program in self.programs}
        rules = []
        for stored in self.firewall.rules:
            rule = stored.rule
            is_block = rule.active and rule.action is Action.BLOCK and not stored.overridden
            if is_block and fold(odd_file_name(rule.app)) in names:
                rules.append(stored)
        return rules

    def malformed_naming(self, program: Program) -> list[str]:
        """Return the problems of malformed rules that name a program."""
        return [
            malformed.problem
            for malformed in self.firewall.malformed
            if fold(program.name) in fold(malformed.text)
        ]


def join_causes(causes: Sequence[str]) -> str:
    """Return the distinct causes of causes_without_effect as one sentence."""
    return sentence("; ".join(dict.fromkeys(causes)).rstrip(".")) + "."


def _windows_version(text: Any) -> tuple[int, int] | None:
    """Return the version of ``10.0.22631``: (10, 0)."""
    if not isinstance(text, str):
        return None
    match = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.|$)", text)
    return (int(match[1]), int(match[2])) if match else None
