# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether Windows Defender Firewall is what decides on a PC's traffic."""

from __future__ import annotations

from dataclasses import dataclass

from ..finding import Status
from ..policy.variables import Policy
from ..snapshot import Snapshot
from .store import Firewall, Store

SERVICES = {"MpsSvc": "Windows Defender Firewall", "BFE": "Base Filtering Engine"}


@dataclass(frozen=True)
class Charge:
    """status pass: Windows decides. fail: something else does, so Windows' rules are worthless. unknown: it cannot be told.

    worthless says that a verdict on Windows' rules would be no statement about the traffic; useless, that rules are not to be
    written either.
    """

    status: Status
    reason: str
    worthless: bool = False
    useless: bool = False


def who(snapshot: Snapshot, firewall: Firewall, policy: Policy) -> Charge:
    """Return who is in charge."""
    if snapshot.offline:
        return Charge(Status.NOT_APPLICABLE, "An image runs no firewall; its rules and settings are judged as though it did.")
    others = [product.name for product in snapshot.firewall_products or () if product.enabled]
    if others:
        reason = f"Another firewall is in charge: {', '.join(others)}. Windows' rules do not count; allow ETS6's programs there."
        return Charge(Status.FAIL, reason, worthless=True, useless=True)
    stopped = [
        f"{name} ({title}) is {snapshot.services.get(name, 'not there')}"
        for name, title in SERVICES.items()
        if snapshot.services is not None and snapshot.services.get(name) != "Running"
    ]
    if stopped:
        reason = f"A service of the firewall does not run: {', '.join(stopped)}. What Windows then lets through is not defined."
        return Charge(Status.FAIL, reason, worthless=True, useless=True)
    mdm = [
        firewall.profiles[profile].merge_local.source
        for profile in policy.profiles
        if not firewall.profiles[profile].merge_local and firewall.profiles[profile].merge_local.store is Store.MDM
    ]
    if len(mdm) == len(policy.profiles):
        reason = (
            f"Only the MDM policy (Intune) decides: {mdm[0]}. How Windows keeps its rules is not published, so they cannot be "
            "judged; allow ETS6's programs in the MDM policy."
        )
        return Charge(Status.UNKNOWN, reason, worthless=True, useless=True)
    undecided = [product.name for product in snapshot.firewall_products or () if product.enabled is None]
    if undecided:
        reason = f"Whether {', '.join(undecided)} is switched on could not be read from Windows Security Center."
        return Charge(Status.UNKNOWN, reason, worthless=True)
    if snapshot.services is None:
        return Charge(
            Status.UNKNOWN,
            f"The services could not be asked: {snapshot.errors.get('services', 'no reason was given')}.",
            worthless=True,
        )
    if snapshot.firewall_products is None:
        why = snapshot.errors.get("firewall_products", "no reason was given")
        return Charge(Status.UNKNOWN, f"Windows Security Center could not be asked for other firewalls: {why}.", worthless=True)
    return Charge(Status.PASS, "Windows Defender Firewall runs, and no other firewall is registered as switched on.")
