# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The findings of a snapshot, as the tests ask for them."""

from __future__ import annotations

from ansible_collections.ets6.network.plugins.plugin_utils.controls import Assessment
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding
from ansible_collections.ets6.network.plugins.plugin_utils.firewall import controls as firewall
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.context import FirewallContext
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot


def assess(snapshot: Snapshot, policy: Policy, family: str = "") -> list[Finding]:
    """Return the findings, of one family of controls (``firewall``) or of all, in their order."""
    findings = Assessment(snapshot, policy).findings
    return [finding for finding in findings if finding.control.id.startswith(family)]


def assess_by_id(snapshot: Snapshot, policy: Policy, family: str = "") -> dict[str, Finding]:
    """Return the findings by the ids of their controls."""
    return {finding.control.id: finding for finding in assess(snapshot, policy, family)}


def judge_firewall(snapshot: Snapshot) -> list[Finding]:
    """Return the firewall's findings alone, for figures of speed."""
    policy = Policy()
    return list(
        Assessment(snapshot, policy).judge(firewall.FAMILY, FirewallContext(snapshot, policy))
    )
