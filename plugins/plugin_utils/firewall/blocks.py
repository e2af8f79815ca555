# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rules that block ETS6's programs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..formats.firewall_rule import Direction
from ..text import join_words
from .store import Store, StoredRule
from .verdict import name_rule

_PROMPT_ID = re.compile(r"(?:TCP|UDP) Query User\{", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """A rule that blocks a program, and the profiles in which it counts."""

    stored: StoredRule
    program: str
    profiles: tuple[str, ...]

    @property
    def by_prompt(self) -> bool:
        """Whether Windows made it when its prompt was cancelled, or the user could not answer it."""
        rule = self.stored.rule
        return (
            self.stored.store is Store.LOCAL
            and rule.direction is Direction.IN
            and bool(rule.app)
            and bool(_PROMPT_ID.match(rule.id))
        )

    @property
    def removable(self) -> bool:
        """Whether it can be removed: a local rule for one program.

        A rule for every program protects other programs too, and one of a policy would come back.
        """
        return self.stored.store is Store.LOCAL and bool(self.stored.rule.app)

    def sentence(self) -> str:
        """Return the block in words."""
        verb = "receiving" if self.stored.rule.direction is Direction.IN else "sending"
        profiles = join_words(self.profiles)
        return f"{name_rule(self.stored)} keeps {self.program} from {verb} in {profiles}"

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


def blocks_evidence(blocks: Sequence[Block]) -> dict[str, Any]:
    """Return the evidence of a finding about blocks."""
    return {"blocks": [block.to_wire() for block in blocks]}
