# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which control traffic that is kept out follows from, and what a waiver of it covers."""

from __future__ import annotations

from datetime import date

from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.policy.waivers import (
    apply_waivers,
    parse_waivers,
)

from ..assess import assess
from .pc import fix, judge, pc, rule

INBOUND_TCP = "firewall.inbound.ets6n.tcp"
INBOUND_UDP = "firewall.inbound.ets6n.udp"
BLOCK = {"{7}": rule(Action="Block", Name="No ETS")}
PROMPT = r"TCP Query User{1}C:\program files (x86)\ets6\ets6n.exe"
PROMPTED = {PROMPT: rule(Action="Block", Protocol="6")}


def test_without_any_rule_it_is_the_managed_rule_that_is_missing() -> None:
    findings = judge(pc({}))
    assert findings[INBOUND_TCP].caused_by == "firewall.rule.ets6n.tcp"
    assert findings[INBOUND_UDP].caused_by == "firewall.rule.ets6n.udp"


def test_a_block_is_the_cause_of_what_it_blocks_and_of_nothing_else() -> None:
    ready, _changes = fix(pc({}))
    assert judge(ready)[INBOUND_TCP].caused_by == ""
    findings = judge(pc(BLOCK))
    assert findings[INBOUND_TCP].caused_by == "firewall.deliberate_blocks"
    findings = judge(pc(PROMPTED))
    assert findings[INBOUND_TCP].caused_by == "firewall.prompt_blocks"
    assert findings[INBOUND_UDP].caused_by == "firewall.rule.ets6n.udp"


def test_a_waiver_of_the_cause_lets_the_pc_pass() -> None:
    ready, _changes = fix(pc(BLOCK))
    waiver = {"control": "firewall.deliberate_blocks", "hosts": ["pc"], "reason": "Not ours."}
    waivers = parse_waivers([{**waiver, "owner": "jane", "expires": "2027-03-31"}])
    findings = assess(ready, Policy(), "firewall")
    applied = apply_waivers(findings, waivers, "pc", (), date(2027, 1, 1))
    statuses = {finding.control.id: finding.status.value for finding in applied}
    assert statuses["firewall.deliberate_blocks"] == statuses[INBOUND_TCP] == "waived"
    assert not {"fail", "unknown"} & set(statuses.values()), statuses
