# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which outbound rules a PC needs."""

from __future__ import annotations

from ..formats.firewall_rule import Direction
from ..operations import FirewallRule
from .context import FirewallContext
from .effective import Outcome
from .places import Program


def needed(context: FirewallContext, program: Program, protocol: str) -> list[FirewallRule]:
    """Return the outbound rules that are wanted: always, never, or (auto) where without them the default action would block."""
    rules = context.own(program, protocol, Direction.OUT)
    if context.policy.outbound == "always":
        return rules
    return [rule for rule in rules if context.policy.outbound == "auto" and _blocked_by_default(context, rule)]


def _blocked_by_default(context: FirewallContext, rule: FirewallRule) -> bool:
    """Tell whether some of the traffic meets no rule and a default action that blocks, in a wanted profile."""
    for profile in context.policy.profiles:
        verdict = context.verdict(rule, Direction.OUT, profile, without=frozenset({rule.id.lower()}))
        if verdict.outcome is not Outcome.ALLOWED and any(part.rule is None and not part.passes for part in verdict.parts):
            return True
    return False
