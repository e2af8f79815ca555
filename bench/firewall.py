# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How long the firewall's judgement of one PC takes: ``python -m bench.firewall [RULES ...]``.

By the number of its rules, and with block lists of a thousand addresses each. Fails where 10,000
rules or 20 block lists take half a second or more.
"""

from __future__ import annotations

import statistics
import sys
import time

from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import judge_firewall
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.many import (
    block_lists,
    many_rules,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    pc,
    perfect,
)

ROUNDS = 7
LIMIT_RULES, LIMIT_LISTS = 10_000, 20
LIMIT_SECONDS = 0.5
ADDRESSES = 1_000


def seconds(snapshot: Snapshot) -> float:
    """Return the median processor time of judging a PC, all controls together."""
    durations = []
    for _round in range(ROUNDS):
        start = time.process_time()
        judge_firewall(snapshot)
        durations.append(time.process_time() - start)
    return statistics.median(durations)


def main() -> int:
    """Print a line for each number of rules. What a PC sends is parsed before the time starts."""
    counts = [int(argument) for argument in sys.argv[1:]] or [450, 1_000, LIMIT_RULES]
    slow = False
    for count in counts:
        duration = seconds(pc(many_rules(count)))
        slow = slow or (count == LIMIT_RULES and duration >= LIMIT_SECONDS)
        print(f"{count:>7} firewall rules judged in {duration * 1000:7.1f} ms (median of {ROUNDS})")
    for count in (LIMIT_LISTS, 100):
        duration = seconds(perfect(block_lists(count, ADDRESSES)))
        slow = slow or (count == LIMIT_LISTS and duration >= LIMIT_SECONDS)
        print(
            f"{count:>7} block lists of {ADDRESSES:,} addresses judged in {duration * 1000:7.1f} ms"
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
