# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the firewall's service says of local rules, beside what the registry says.

INetFwPolicy2, LocalPolicyModifyState (Microsoft Learn): whether a local rule takes effect in the
current profile, or why not. A published disassembly of FirewallAPI.dll shows how it comes about:
Group Policy's AllowLocalPolicyMerge and DoNotAllowExceptions for each active profile, then the
DoNotAllowExceptions in effect; one profile in which local rules take effect is enough.
"""

from __future__ import annotations

from ..snapshot import Snapshot
from .store import Firewall, ProfileSettings, Store

EFFECTIVE = 0
_WORDS = {
    EFFECTIVE: "local rules have an effect",
    1: "Group Policy overrides local rules",
    2: "it blocks all inbound traffic",
}


def service_word(state: int) -> str:
    """Return a value of LocalPolicyModifyState in words."""
    return _WORDS.get(state, f"state {state}, which is not known")


def contradicting_word(firewall: Firewall, snapshot: Snapshot) -> str:
    """Return the sentence where the service contradicts the registry about local rules.

    Empty where it does not, or where the registry does not say what is expected of it.
    """
    service = snapshot.firewall_service
    active = {name.lower() for name in snapshot.network or ()} & firewall.profiles.keys()
    if service is None or not active or service.modify_state not in _WORDS:
        return ""
    expected = {_local_rules_count(firewall.profiles[profile]) for profile in active}
    says = service.modify_state == EFFECTIVE
    if None in expected or says is (True in expected):
        return ""
    registry = "local rules are ignored" if says else "local rules have an effect"
    return f"The service says: {service_word(service.modify_state)}; by the registry {registry}."


def _local_rules_count(settings: ProfileSettings) -> bool | None:
    """Return whether local rules have an effect; None where only MDM keeps them from it."""
    reasons = []
    if not settings.merge_local:
        reasons.append(settings.merge_local)
    if settings.block_all_inbound:
        reasons.append(settings.block_all_inbound)
    if not reasons:
        return True
    if all(reason.store is Store.MDM for reason in reasons):
        return None
    return False
