# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How long the firewall's judgement of one PC takes, by the number of its rules: ``python -m bench.firewall [RULES ...]``.

Fails where 10,000 rules take half a second or more.
"""

from __future__ import annotations

import statistics
import sys
import time

from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import judge_firewall
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.many import (
    many_rules,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import pc

ROUNDS = 7
LIMIT_RULES, LIMIT_SECONDS = 10_000, 0.5


def seconds(rules: int) -> float:
    """Return the median time of judging a PC with so many rules, all controls together, reading of the strings included."""
    snapshot = pc(many_rules(rules))
    taken = []
    for _round in range(ROUNDS):
        start = time.perf_counter()
        judge_firewall(snapshot)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> int:
    """Print a line for each number of rules."""
    counts = [int(argument) for argument in sys.argv[1:]] or [450, 1_000, LIMIT_RULES]
    slow = False
    for count in counts:
        taken = seconds(count)
        slow = slow or (count == LIMIT_RULES and taken >= LIMIT_SECONDS)
        print(f"{count:>7} firewall rules judged in {taken * 1000:7.1f} ms (median of {ROUNDS})")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
