# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A PC with very many rules must not keep a fleet waiting. The bench prints the figure; the bounds here are generous, and of
processor time, since other tests run beside these."""

from __future__ import annotations

import time

from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import judge_firewall
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.many import (
    many_rules,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import pc


def test_ten_thousand_rules() -> None:
    snapshot = pc(many_rules(10_000))
    start = time.process_time()
    findings = judge_firewall(snapshot)
    assert time.process_time() - start < 2.5
    assert findings[-1].reason == "All 10000 rules can be read."


def test_time_grows_with_the_number_of_rules_and_not_faster() -> None:
    def seconds(count: int) -> float:
        snapshot = pc(many_rules(count))
        best = []
        for _round in range(3):
            start = time.process_time()
            judge_firewall(snapshot)
            best.append(time.process_time() - start)
        return min(best)

    assert seconds(20_000) < 5 * seconds(5_000) + 0.1


def test_ten_thousand_rules_for_ets6_itself_are_bounded() -> None:
    rules = {
        str(
            number
        ): f"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort={1024 + number}|Name=x|"
        for number in range(10_000)
    }
    start = time.process_time()
    judge_firewall(pc(rules))
    assert time.process_time() - start < 20
