# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which outbound rules a PC needs."""

from __future__ import annotations

from ..formats.firewall_rule import Direction
from ..operations import FirewallRule
from .case import Case
from .effective import Outcome
from .places import Program


def needed(case: Case, program: Program, protocol: str) -> list[FirewallRule]:
    """Return the outbound rules that are wanted: always, never, or (auto) where without them the default action would block."""
    rules = case.own(program, protocol, Direction.OUT)
    if case.policy.outbound == "always":
        return rules
    return [rule for rule in rules if case.policy.outbound == "auto" and _blocked_by_default(case, rule)]


def _blocked_by_default(case: Case, rule: FirewallRule) -> bool:
    """Tell whether some of the traffic meets no rule and a default action that blocks, in a wanted profile."""
    for profile in case.policy.profiles:
        verdict = case.verdict(rule, Direction.OUT, profile, without=frozenset({rule.id.lower()}))
        if verdict.outcome is not Outcome.ALLOWED and any(part.rule is None and not part.passes for part in verdict.parts):
            return True
    return False
