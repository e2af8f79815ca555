# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is known of one PC's firewall, put together once for all controls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..formats.firewall_rule import Action, Direction
from ..operations import FirewallRule
from ..policy.variables import Policy
from ..snapshot import Snapshot
from ..text import join_words
from . import charge, own, places, store
from .effective import Effective, Flow, Outcome, Verdict, flow, rule_words
from .match import System, reach
from .paths import Paths
from .places import Program
from .store import Firewall, Store, StoredRule
from .subjects import PROTOCOLS, ProgramTraffic

BY_POLICY = (Store.GROUP_POLICY, Store.MDM)

_PROMPT_ID = re.compile(r"(?:TCP|UDP) Query User\{", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """A rule that blocks a program, and what is known of it."""

    stored: StoredRule
    program: str
    profiles: tuple[str, ...]

    @property
    def by_prompt(self) -> bool:
        """Tell whether Windows made it when somebody cancelled its prompt, or had not the right to answer it."""
        rule = self.stored.rule
        return (
            self.stored.store is Store.LOCAL
            and rule.direction is Direction.IN
            and bool(rule.app)
            and bool(_PROMPT_ID.match(rule.id))
        )

    def words(self) -> str:
        """Return the block in words."""
        way = "receiving" if self.stored.rule.direction is Direction.IN else "sending"
        return f"{rule_words(self.stored)} keeps {self.program} from {way} in {join_words(self.profiles)}"

    def to_wire(self) -> dict[str, Any]:
        """Return the block as it stands in a finding's evidence."""
        rule = self.stored.rule
        return {
            "rule": rule.id,
            "name": rule.name,
            "store": self.stored.store.value,
            "program": rule.app,
            "direction": rule.direction.value,
            "profiles": list(self.profiles),
        }


class FirewallContext:
    """One PC's firewall, and what is wanted of it."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.firewall: Firewall = store.read(snapshot.registry)
        self.paths = Paths(snapshot.environment)
        self.programs: list[Program] = places.find(snapshot, policy, self.paths)
        self.charge = charge.who(snapshot, self.firewall, policy)
        self.system = System(_windows(snapshot.host.get("os")), self.firewall.version)
        self.effective = Effective(self.firewall, self.paths, self.system)
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}
        self._flows: dict[tuple[str, str, Direction], Flow] = {}

    def program(self, subject: ProgramTraffic) -> Program:
        """Return the program that a control is about."""
        return next(program for program in self.programs if program.name == subject.program)

    def own(self, program: Program, protocol: str, direction: Direction) -> list[FirewallRule]:
        """Return the own rules for a program, one for each place where it stands."""
        return [
            own.wanted(program.name, path, number, protocol, direction, self.policy)
            for number, path in enumerate(program.paths, 1)
        ]

    def flow(self, rule: FirewallRule, direction: Direction) -> Flow:
        """Return the traffic that an own rule is to let through."""
        key = (rule.program, rule.protocol, direction)
        known = self._flows.get(key)
        if known is None:
            found = reach(own.as_rule(rule), self.system)
            known = self._flows[key] = flow(rule.program, rule.protocol, direction, found)
        return known

    def verdict(
        self,
        rule: FirewallRule,
        direction: Direction,
        profile: str,
        without: frozenset[str] = frozenset(),
        stores: Sequence[Store] = tuple(Store),
    ) -> Verdict:
        """Return what becomes of the traffic that an own rule is to let through."""
        key = (rule.program, rule.protocol, direction, profile, without, tuple(stores))
        known = self._verdicts.get(key)
        if known is None:
            asked = self.flow(rule, direction)
            known = self._verdicts[key] = self.effective.verdict(asked, profile, without=without, stores=stores)
        return known

    def useless(self, rule: FirewallRule, direction: Direction) -> str:
        """Return why an allow rule of the local store would do nothing in any wanted profile; empty where it would."""
        if self.charge.useless:
            return self.charge.reason
        stronger = self.firewall.overriding(rule.id)
        if stronger is not None:
            return f"{rule_words(stronger)} has the same id, and of two such rules the administrator's counts"
        reasons = []
        for profile in self.policy.profiles:
            settings = self.firewall.profiles[profile]
            by_policy = self.verdict(rule, direction, profile, stores=BY_POLICY)
            if not settings.merge_local:
                reasons.append(f"{profile}: local rules are ignored, since {settings.merge_local.source}")
            elif direction is Direction.IN and settings.shielded:
                reasons.append(f"{profile}: everything that comes in is blocked, since {settings.shielded.source}")
            elif by_policy.outcome is Outcome.BLOCKED and all(part.rule is not None for part in by_policy.parts):
                reasons.append(f"{profile}: {by_policy.sentence()}")
            else:
                return ""
        return "; ".join(reasons)

    def passes_by_policy(self, rule: FirewallRule, direction: Direction) -> bool:
        """Tell whether administrators' policies alone let the traffic through in every wanted profile."""
        return all(
            self.verdict(rule, direction, profile, stores=BY_POLICY).outcome is Outcome.ALLOWED
            for profile in self.policy.profiles
        )

    @cached_property
    def own_ids(self) -> frozenset[str]:
        """The ids, in lower context, that own rules have: one of those that blocks has drifted, and is mended as an own rule."""
        return frozenset(
            rule.id.lower()
            for program in self.programs
            for protocol in PROTOCOLS
            for direction in Direction
            for rule in self.own(program, protocol, direction)
        )

    @cached_property
    def blocks(self) -> list[Block]:
        """Return every rule that blocks a program or a part of its traffic, each once."""
        found: dict[int, tuple[StoredRule, str]] = {}
        for program in self.programs:
            for direction in Direction:
                for protocol in PROTOCOLS:
                    for rule in self.own(program, protocol, direction):
                        for stored in self._blocking(rule, direction):
                            found.setdefault(id(stored), (stored, program.name))
        return [Block(stored, program, self._in_force(stored)) for stored, program in found.values() if self._in_force(stored)]

    def _blocking(self, rule: FirewallRule, direction: Direction) -> Iterator[StoredRule]:
        asked = self.flow(rule, direction)
        for stored, found in self.effective.matching(rule.program, direction, rule.protocol):
            if stored.rule.action is Action.BLOCK and self.effective.touches(asked, found):
                yield stored

    def _in_force(self, stored: StoredRule) -> tuple[str, ...]:
        """Return the profiles where a rule counts."""
        return tuple(
            profile
            for profile, settings in self.firewall.profiles.items()
            if profile in stored.rule.profiles and (stored.store is not Store.LOCAL or settings.merge_local)
        )

    def mentions(self, program: Program) -> list[str]:
        """Return what is wrong with malformed rules that name a program: what they are meant to do is not known."""
        return [item.problem for item in self.firewall.malformed if program.name.lower() in item.text.lower()]


def _windows(version: Any) -> tuple[int, int] | None:
    """Read ``10.0.22631``."""
    match = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.|$)", version) if isinstance(version, str) else None
    return (int(match[1]), int(match[2])) if match else None
