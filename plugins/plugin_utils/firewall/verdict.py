# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What happens to what a program needs in one profile, what decides about it, and the words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..formats.firewall_rule import Rule
from ..text import join_words
from .connection_security import Requirement
from .needs import Need
from .rule_scope import DOUBT, RuleScope
from .store import Setting, StoredRule
from .traffic_set import ADDRESS, Box, is_covered, without_conditions

MAX_NAMED = 4
"""Rules in a sentence."""
MAX_LISTED = 100
"""Rules in the evidence."""


class TrafficOutcome(Enum):
    """What happens to traffic."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Part:
    """A part of the traffic, and what decides about it.

    That is a firewall rule with its scope, or a requirement of connection security; or, where both
    are None, the setting that cause describes. needs are the titles of the needs that the part
    belongs to; empty where it belongs to all that are evaluated.
    """

    passes: bool
    boxes: tuple[Box, ...]
    rule: StoredRule | None = None
    scope: RuleScope | None = None
    requirement: Requirement | None = None
    setting: Setting | None = None
    cause: str = ""
    needs: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether some of this part is decided without a doubt."""
        return any(map(is_certain, self.boxes))

    @property
    def by_default(self) -> bool:
        """Whether neither a rule nor a requirement decides."""
        return self.rule is None and self.requirement is None

    @property
    def decider(self) -> tuple[bool, int, str]:
        """What decides, to compare parts by."""
        return self.passes, id(self.rule), self.cause

    def sentence(self) -> str:
        """Return what happens, in words."""
        text = "allowed" if self.passes else "blocked"
        if self.rule is None or self.scope is None:
            text += f" {self.cause}"
        else:
            if self.scope.conditions:
                text += f" for {'; '.join(self.scope.conditions)}"
            text += f" by {name_rule(self.rule)}"
            if self.scope.doubts:
                text += f", if it counts here: {'; '.join(self.scope.doubts)}"
        if self.needs:
            text += f" ({join_words(self.needs)})"
        return text

    def to_wire(self) -> dict[str, Any]:
        """Return the part for the evidence of a finding."""
        wire: dict[str, Any] = {
            "passes": self.passes,
            "rule": None,
            "name": None,
            "store": None,
            "conditions": [],
            "edge_traversal": None,
            "needs": list(self.needs),
            "reason": self.sentence(),
        }
        if self.rule is not None and self.scope is not None:
            wire["rule"] = self.rule.rule.id
            wire["name"] = self.rule.rule.name
            wire["store"] = self.rule.store.value
            wire["conditions"] = [*self.scope.conditions, *self.scope.doubts]
            wire["edge_traversal"] = _edge_traversal(self.rule.rule)
        return wire


def is_certain(box: Box) -> bool:
    """Return whether a box has no condition that cannot be decided here."""
    return not any(dimension.startswith(DOUBT) for dimension in box)


def _edge_traversal(rule: Rule) -> str:
    """Return the rule's EdgeTraversalPolicy as New-NetFirewallRule names it.

    It is not part of the verdict.
    """
    deferred = rule.value("Defer").capitalize()
    if deferred:
        return f"DeferTo{deferred}"
    return "Allow" if rule.value("Edge").upper() == "TRUE" else "Block"


def name_rule(stored: StoredRule) -> str:
    """Return a rule as a message names it. Display names are not unique, so with id and store."""
    return f"rule '{stored.rule.name}' ({stored.rule.id}, {stored.store.value})"


@dataclass(frozen=True)
class NeedVerdict:
    """What happens to one need in one profile. parts is in the order in which Windows decides."""

    need: Need
    outcome: TrafficOutcome
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Verdict:
    """What happens to what a program needs in one profile.

    parts are those of all needs, each decider once; chain holds the sentences that lead to it.
    doubts are why the outcome could not be determined although the parts say something else.
    """

    outcome: TrafficOutcome
    parts: tuple[Part, ...]
    chain: tuple[str, ...]
    needs: tuple[NeedVerdict, ...] = ()
    doubts: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the verdict and what decides it, in words."""
        if self.doubts:
            return f"could not be determined: {'; '.join(self.doubts)}"
        if not self.parts:
            return self.chain[-1].rstrip(".")
        if self.outcome is TrafficOutcome.PARTIAL:
            return f"in part: {_list_parts(self.parts)}"
        if self.outcome is TrafficOutcome.UNKNOWN:
            return f"could not be determined: {_list_parts(self.parts)}"
        passes = self.outcome is TrafficOutcome.ALLOWED
        deciding = [part for part in self.parts if part.passes is passes]
        return _list_parts([part for part in deciding if part.certain] or deciding)

    def with_doubts(self, doubts: Sequence[str]) -> Verdict:
        """Return the verdict as one that could not be determined."""
        if not doubts:
            return self
        return dataclasses.replace(
            self,
            outcome=TrafficOutcome.UNKNOWN,
            doubts=(*self.doubts, *doubts),
            chain=(*self.chain, *doubts),
        )

    def to_wire(self) -> dict[str, Any]:
        """Return the verdict for the evidence of a finding."""
        return {
            "outcome": self.outcome.value,
            "chain": list(self.chain),
            "needs": [
                {"need": verdict.need.id, "outcome": verdict.outcome.value}
                for verdict in self.needs
            ],
            "decided_by": [part.to_wire() for part in self.parts[:MAX_LISTED]],
            "not_listed": max(0, len(self.parts) - MAX_LISTED),
        }


def judge_need(need: Need, parts: Sequence[Part]) -> NeedVerdict:
    """Return the verdict on one need from the parts of its traffic. Raises TooManyPartsError."""
    outcome = _outcome(parts)
    if outcome is TrafficOutcome.PARTIAL and need.somewhere:
        outcome = _outcome_somewhere(parts)
    return NeedVerdict(need, outcome, tuple(parts))


def _outcome(parts: Sequence[Part]) -> TrafficOutcome:
    """Return the outcome of parts: unknown where only a doubtful part would be blocked."""
    passing = [part for part in parts if part.passes]
    if len(passing) == len(parts):
        return TrafficOutcome.ALLOWED
    if not passing:
        return TrafficOutcome.BLOCKED
    for part in parts:
        if not part.passes and part.certain:
            return TrafficOutcome.PARTIAL
    return TrafficOutcome.UNKNOWN


def _outcome_somewhere(parts: Sequence[Part]) -> TrafficOutcome:
    """Return the outcome where the other end is a few servers somewhere in the addresses.

    A rule that keeps some of the addresses away is not known to keep the servers away: the
    endpoints' controls show whether they are reached. But whatever the account, the interface and
    the ports are, some addresses have to be left. Raises TooManyPartsError.
    """
    blocked: list[Box] = []
    passing: list[Box] = []
    for part in parts:
        if part.passes:
            passing += part.boxes
        elif part.by_default:
            return TrafficOutcome.PARTIAL
        else:
            blocked += part.boxes
    blocked = without_conditions(blocked, ADDRESS)
    passing = without_conditions(passing, ADDRESS)
    if is_covered(blocked, filter(is_certain, passing)):
        return TrafficOutcome.ALLOWED
    doubt = (DOUBT,)
    if is_covered(without_conditions(blocked, doubt), without_conditions(passing, doubt)):
        return TrafficOutcome.UNKNOWN
    return TrafficOutcome.PARTIAL


def combine(verdicts: Sequence[NeedVerdict]) -> TrafficOutcome:
    """Return the outcome of several needs: allowed only where all are."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if len(outcomes) == 1:
        return outcomes.pop()
    if outcomes <= {TrafficOutcome.ALLOWED, TrafficOutcome.UNKNOWN}:
        return TrafficOutcome.UNKNOWN
    return TrafficOutcome.PARTIAL


def merge_parts(verdicts: Sequence[NeedVerdict]) -> list[Part]:
    """Return the parts of several needs, each decider once, with the titles of its needs."""
    concerned: dict[tuple[bool, int, str], list[NeedVerdict]] = {}
    first: dict[tuple[bool, int, str], Part] = {}
    for verdict in verdicts:
        for part in verdict.parts:
            known = first.setdefault(part.decider, part)
            if part.certain and not known.certain:
                first[part.decider] = part
            concerned.setdefault(part.decider, []).append(verdict)
    merged = []
    for decider, part in first.items():
        titles = _titles(part, concerned[decider])
        needs = tuple(titles) if len(titles) < len(verdicts) else ()
        merged.append(dataclasses.replace(part, needs=needs))
    return merged


def _titles(part: Part, verdicts: Sequence[NeedVerdict]) -> list[str]:
    """Return the needs of a part; of one that does not pass those that fail for it, if any do."""
    titles = [verdict.need.title for verdict in verdicts]
    failing = [
        verdict.need.title for verdict in verdicts if verdict.outcome is not TrafficOutcome.ALLOWED
    ]
    if failing and not part.passes:
        titles = failing
    return list(dict.fromkeys(titles))


def _list_parts(parts: Iterable[Part]) -> str:
    sentences = [part.sentence() for part in parts]
    if len(sentences) > MAX_NAMED:
        omitted = len(sentences) - MAX_NAMED
        sentences = [*sentences[: MAX_NAMED - 1], f"{omitted} more", sentences[-1]]
    return "; ".join(sentences)
