# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What happens to a program's traffic in one profile, which rule or setting decides, and the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..formats.firewall_rule import Direction, Rule
from .rule_scope import DOUBT, RuleScope
from .store import Setting, StoredRule
from .traffic_set import Box

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
class Traffic:
    """Traffic of one program (its path) over TCP or UDP in one direction. boxes says which part."""

    program: str
    protocol: str
    direction: Direction
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Part:
    """A part of the traffic, and what decides about it.

    That is a rule with its scope; or, where rule is None, the setting that cause describes.
    """

    passes: bool
    boxes: tuple[Box, ...]
    rule: StoredRule | None = None
    scope: RuleScope | None = None
    setting: Setting | None = None
    cause: str = ""

    @property
    def certain(self) -> bool:
        """Whether some of this part is decided without a doubt."""
        return any(map(_is_certain, self.boxes))

    def sentence(self) -> str:
        """Return what happens, in words."""
        verb = "allowed" if self.passes else "blocked"
        if self.rule is None or self.scope is None:
            return f"{verb} {self.cause}"
        text = verb
        if self.scope.conditions:
            text += f" for {'; '.join(self.scope.conditions)}"
        text += f" by {name_rule(self.rule)}"
        if self.scope.doubts:
            text += f", if it counts here: {'; '.join(self.scope.doubts)}"
        return text

    def to_wire(self) -> dict[str, Any]:
        """Return the part as it stands in a finding's evidence."""
        wire: dict[str, Any] = {
            "passes": self.passes,
            "rule": None,
            "name": None,
            "store": None,
            "conditions": [],
            "edge_traversal": None,
            "reason": self.sentence(),
        }
        if self.rule is not None and self.scope is not None:
            wire["rule"] = self.rule.rule.id
            wire["name"] = self.rule.rule.name
            wire["store"] = self.rule.store.value
            wire["conditions"] = [*self.scope.conditions, *self.scope.doubts]
            wire["edge_traversal"] = _edge_traversal(self.rule.rule)
        return wire


def _is_certain(box: Box) -> bool:
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
class Verdict:
    """What happens to traffic in one profile.

    parts is in the order in which Windows decides; chain holds the sentences that lead to it.
    """

    outcome: TrafficOutcome
    parts: tuple[Part, ...]
    chain: tuple[str, ...]

    def sentence(self) -> str:
        """Return the verdict and what decides it, in words."""
        if not self.parts:
            return self.chain[-1].rstrip(".")
        if self.outcome is TrafficOutcome.PARTIAL:
            return f"in part: {_list_parts(self.parts)}"
        if self.outcome is TrafficOutcome.UNKNOWN:
            return f"could not be determined: {_list_parts(self.parts)}"
        return _list_parts([part for part in self.parts if part.certain] or self.parts)

    def to_wire(self) -> dict[str, Any]:
        """Return the verdict as it stands in a finding's evidence."""
        return {
            "outcome": self.outcome.value,
            "chain": list(self.chain),
            "decided_by": [part.to_wire() for part in self.parts[:MAX_LISTED]],
            "not_listed": max(0, len(self.parts) - MAX_LISTED),
        }


def combine(parts: Sequence[Part]) -> TrafficOutcome:
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


def _list_parts(parts: Sequence[Part]) -> str:
    sentences = [part.sentence() for part in parts]
    if len(sentences) > MAX_NAMED:
        omitted = len(sentences) - MAX_NAMED
        sentences = [*sentences[: MAX_NAMED - 1], f"{omitted} more", sentences[-1]]
    return "; ".join(sentences)
