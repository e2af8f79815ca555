# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rules that block ETS6's programs, and whether they block what ETS6 needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..formats.firewall_rule import Action, Direction, Rule
from ..text import join_words
from .needs import NeededSet
from .paths import Paths
from .rule_scope import RuleScope
from .store import Store, StoredRule
from .traffic_set import (
    ADDRESS,
    Box,
    TooManyPartsError,
    intersect_all,
    is_covered,
    subtract,
    without_conditions,
)
from .verdict import MAX_LISTED, is_certain, name_rule

_PROMPT_ID = re.compile(r"(?:TCP|UDP) Query User\{", re.IGNORECASE)
_GUID = re.compile(r"\{[0-9A-F-]{36}\}", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """A rule that blocks programs, and the profiles in which it counts.

    needs are the titles of the needs that it blocks, certainly or (doubtful) perhaps. by_prompt:
    Windows made it when its prompt was cancelled, or the user could not answer it. pair is the id
    of the prompt's allow rule that it belongs to.
    """

    stored: StoredRule
    scope: RuleScope
    programs: tuple[str, ...]
    profiles: tuple[str, ...]
    needs: tuple[str, ...] = ()
    doubtful: bool = False
    by_prompt: bool = False
    pair: str = ""

    @property
    def removable(self) -> bool:
        """Whether it can be removed: a local rule for one program.

        A rule for every program protects other programs too, and one of a policy would come back.
        """
        return self.stored.store is Store.LOCAL and bool(self.stored.rule.app)

    def sentence(self) -> str:
        """Return the block in words."""
        verb = "receiving" if self.stored.rule.direction is Direction.IN else "sending"
        text = (
            f"{name_rule(self.stored)} keeps {join_words(self.programs)} from {verb} in "
            f"{join_words(self.profiles)}"
        )
        if self.scope.conditions:
            text += f", for {'; '.join(self.scope.conditions)}"
        if self.pair:
            text += (
                f" (it belongs to the prompt's rule {self.pair}, which allows other profiles: see "
                "docs/assumptions.md)"
            )
        return text

    def to_wire(self) -> dict[str, Any]:
        """Return the block for the evidence of a finding."""
        rule = self.stored.rule
        return {
            "rule": rule.id,
            "name": rule.name,
            "store": self.stored.store.value,
            "program": rule.app,
            "direction": rule.direction.value,
            "profiles": list(self.profiles),
            "conditions": [*self.scope.conditions, *self.scope.doubts],
            "needs": list(self.needs),
            "other_account": self.scope.other_account,
        }


def blocks_evidence(blocks: Sequence[Block], harmless: Sequence[Block]) -> dict[str, Any]:
    """Return the evidence of a finding about blocks. harmless do not count against ETS6."""
    return {
        "blocks": [block.to_wire() for block in blocks],
        "other_blocks": [block.to_wire() for block in harmless[:MAX_LISTED]],
        "not_listed": max(0, len(harmless) - MAX_LISTED),
    }


def blocked_boxes(needed: NeededSet, scope: RuleScope) -> list[Box]:
    """Return what a blocking rule keeps away of a need.

    Of servers somewhere in the addresses it keeps away none, unless it covers all addresses, be it
    for one account or interface only.
    """
    boxes = intersect_all(needed.boxes, scope.boxes)
    if boxes and needed.need.somewhere and _leaves_some(needed, scope):
        return []
    return boxes


def _leaves_some(needed: NeededSet, scope: RuleScope) -> bool:
    rest = list(needed.boxes)
    try:
        for box in scope.boxes:
            rest = subtract(rest, box)
        boxes = without_conditions(needed.boxes, ADDRESS)
        return is_covered(boxes, without_conditions(rest, ADDRESS))
    except TooManyPartsError:
        return True


def is_doubtful(boxes: Iterable[Box]) -> bool:
    """Return whether none of the traffic is blocked without a doubt."""
    return not any(map(is_certain, boxes))


class PromptRules:
    """Which local rules the prompt of Windows made."""

    def __init__(self, rules: Iterable[StoredRule], paths: Paths) -> None:
        self._paths = paths
        self._allowing: dict[tuple[object, ...], Rule] = {}
        for stored in rules:
            rule = stored.rule
            if stored.store is Store.LOCAL and _is_prompt_id(rule) and rule.action is Action.ALLOW:
                self._allowing[self._key(rule)] = rule

    def made(self, stored: StoredRule) -> bool:
        """Return whether the prompt made a blocking rule under its own id."""
        return stored.store is Store.LOCAL and _is_prompt_id(stored.rule)

    def pair(self, stored: StoredRule) -> str:
        """Return the id of the allow rule that a blocking rule with a GUID belongs to.

        Where a user ticks one of two boxes, the prompt leaves an allow rule for that profile and a
        plain block for the other one: same program, protocol, name and description.
        """
        rule = stored.rule
        if stored.store is not Store.LOCAL or not _GUID.fullmatch(rule.id) or not rule.app:
            return ""
        allowing = self._allowing.get(self._key(rule))
        if allowing is None or not allowing.profiles.isdisjoint(rule.profiles):
            return ""
        return allowing.id

    def _key(self, rule: Rule) -> tuple[object, ...]:
        program = self._paths.canonical(rule.app)
        return program, rule.direction, rule.protocol, rule.value("Name"), rule.value("Desc")


def _is_prompt_id(rule: Rule) -> bool:
    is_inbound = rule.direction is Direction.IN and bool(rule.app)
    return is_inbound and _PROMPT_ID.match(rule.id) is not None
