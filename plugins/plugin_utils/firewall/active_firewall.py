# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether Windows Defender Firewall is the firewall that decides about a PC's traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..finding import Status
from ..policy.variables import Policy
from ..snapshot import FirewallProduct, Snapshot
from ..text import join_words
from .store import Firewall, Store

SERVICES = {"MpsSvc": "Windows Defender Firewall", "BFE": "Base Filtering Engine"}


@dataclass(frozen=True)
class ActiveFirewall:
    """Which firewall is active.

    status: pass where it is Windows Defender Firewall, fail where it is another or none, unknown
    where that could not be determined. verdicts_hold: a verdict on Windows' rules says what happens
    to the traffic. rules_help: a rule that is written has an effect.
    """

    status: Status
    reason: str
    verdicts_hold: bool = True
    rules_help: bool = True


def find_active_firewall(snapshot: Snapshot, firewall: Firewall, policy: Policy) -> ActiveFirewall:
    """Return which firewall is active on the PC."""
    if snapshot.offline:
        return ActiveFirewall(
            Status.NOT_APPLICABLE,
            "An image does not run a firewall. Its rules and settings are judged as if it did.",
        )
    return (
        _replaced(snapshot, firewall, policy)
        or _undetermined(snapshot)
        or ActiveFirewall(
            Status.PASS,
            "Windows Defender Firewall runs, and no other firewall is registered as switched on.",
        )
    )


def _replaced(snapshot: Snapshot, firewall: Firewall, policy: Policy) -> ActiveFirewall | None:
    """Return what makes Windows' local rules have no effect."""
    products = _names(snapshot, enabled=True)
    if products:
        return _void(
            Status.FAIL,
            f"Another firewall is active: {join_words(products)}. The rules of Windows have no "
            "effect; allow ETS6's programs in that product.",
        )
    stopped = list(_stopped_services(snapshot))
    if stopped:
        return _void(
            Status.FAIL,
            f"A service of the firewall does not run: {join_words(stopped)}. What Windows lets "
            "through in this state is not defined.",
        )
    sources = list(_ignored_by_mdm(firewall, policy))
    if len(sources) == len(policy.profiles):
        return _void(
            Status.UNKNOWN,
            f"Only the MDM policy (Intune) decides: {sources[0]}. How Windows stores its rules is "
            "not published, so they cannot be judged; allow ETS6's programs in the MDM policy.",
        )
    return None


def _void(status: Status, reason: str) -> ActiveFirewall:
    return ActiveFirewall(status, reason, verdicts_hold=False, rules_help=False)


def _undetermined(snapshot: Snapshot) -> ActiveFirewall | None:
    """Return what could not be read, so that another firewall may be active."""
    undecided = _names(snapshot, enabled=None)
    if undecided:
        return _unknown(
            f"Whether {join_words(undecided)} is switched on could not be read from Windows "
            "Security Center."
        )
    if snapshot.services is None:
        cause = snapshot.errors.get("services", "no reason was given")
        return _unknown(f"The state of the services could not be read: {cause}.")
    if snapshot.firewall_products is None:
        cause = snapshot.errors.get("firewall_products", "no reason was given")
        return _unknown(f"Windows Security Center could not be asked for other firewalls: {cause}.")
    return None


def _unknown(reason: str) -> ActiveFirewall:
    return ActiveFirewall(Status.UNKNOWN, reason, verdicts_hold=False)


def _names(snapshot: Snapshot, *, enabled: bool | None) -> list[str]:
    products: tuple[FirewallProduct, ...] = snapshot.firewall_products or ()
    return [product.name for product in products if product.enabled is enabled]


def _stopped_services(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.services is None:
        return
    for name, title in SERVICES.items():
        state = snapshot.services.get(name, "not installed")
        if state != "Running":
            yield f"{name} ({title}) is {state}"


def _ignored_by_mdm(firewall: Firewall, policy: Policy) -> Iterator[str]:
    """Return the MDM setting of each wanted profile in which it ignores local rules."""
    for profile in policy.profiles:
        merge = firewall.profiles[profile].merge_local
        if not merge and merge.store is Store.MDM:
            yield merge.source
