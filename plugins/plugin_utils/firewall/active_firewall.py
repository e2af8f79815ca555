# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether Windows Defender Firewall is the firewall that decides about a PC's traffic."""

from __future__ import annotations

from dataclasses import dataclass

from ..finding import Contact, Status
from ..snapshot import FirewallProduct, Snapshot
from ..text import join_words

SERVICES = {"MpsSvc": "Windows Defender Firewall", "BFE": "Base Filtering Engine"}
FIREWALL_CATEGORY = 2
"""NET_FW_RULE_CATEGORY_FIREWALL: a product with it has taken over the filtering (netfw.h)."""
CONNECTION_SECURITY_CATEGORY = 3
"""NET_FW_RULE_CATEGORY_CONSEC: the same for connection security (netfw.h)."""


@dataclass(frozen=True)
class ActiveFirewall:
    """Which firewall is active.

    status: pass where it is Windows Defender Firewall, fail where it is another or none, unknown
    where that could not be determined. verdicts_hold: a verdict on Windows' rules says what happens
    to the traffic. rules_help: a rule that is written has an effect. advice says what to do where it
    is not Windows Defender Firewall, and contact who does it.
    """

    status: Status
    reason: str
    verdicts_hold: bool = True
    rules_help: bool = True
    advice: str = ""
    contact: Contact | None = None


def find_active_firewall(snapshot: Snapshot) -> ActiveFirewall:
    """Return which firewall is active on the PC."""
    if snapshot.offline:
        return ActiveFirewall(
            Status.NOT_APPLICABLE,
            "An image does not run a firewall. Its rules and settings are judged as if it did.",
        )
    return _replaced(snapshot) or _undetermined(snapshot) or _windows_alone(snapshot)


def _windows_alone(snapshot: Snapshot) -> ActiveFirewall:
    reason = "Windows Defender Firewall runs, and no other firewall is registered as switched on."
    if snapshot.registered_firewalls is None:
        cause = snapshot.errors.get("registered_firewalls", "no reason was given")
        reason += (
            f" It could not be asked which products took over its rules: {cause.rstrip('.')}. On "
            "Windows Server nothing else lists them."
        )
    return ActiveFirewall(Status.PASS, reason)


def _replaced(snapshot: Snapshot) -> ActiveFirewall | None:
    """Return what makes Windows' local rules have no effect."""
    products = [*_names(snapshot, enabled=True), *registered(snapshot, FIREWALL_CATEGORY)]
    if products:
        return _void(
            f"Another firewall is active: {join_words(products)}. The rules of Windows have no "
            "effect.",
            f"Allow ETS6N.exe and ETS6C.exe in {join_words(products)}, over TCP and UDP, in both "
            "directions.",
            Contact.FIREWALL,
        )
    stopped = _stopped_services(snapshot)
    if stopped:
        descriptions = [f"{name} ({SERVICES[name]}) is {state}" for name, state in stopped.items()]
        # BFE comes first: MpsSvc depends on it.
        commands = [f"Start-Service {name}" for name in reversed(stopped)]
        return _void(
            f"A service of the firewall does not run: {join_words(descriptions)}. What Windows lets "
            "through in this state is not defined.",
            f"Start the firewall's services on the PC: {'; '.join(commands)}. Where a policy or a "
            "security product disables them, ask its administrators.",
            Contact.PC,
        )
    return None


def _void(reason: str, advice: str, contact: Contact) -> ActiveFirewall:
    return ActiveFirewall(Status.FAIL, reason, False, False, advice, contact)


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


def registered(snapshot: Snapshot, category: int) -> list[str]:
    """Return the products that took over rules of a category, on servers too."""
    return [
        product.name
        for product in snapshot.registered_firewalls or ()
        if category in product.categories
    ]


def _stopped_services(snapshot: Snapshot) -> dict[str, str]:
    """Return the states of the firewall's services that do not run, by their names."""
    if snapshot.services is None:
        return {}
    # Get-Service may spell a name as it was asked for.
    states = {name.lower(): state for name, state in snapshot.services.items()}
    stopped = {}
    for name in SERVICES:
        state = states.get(name.lower(), "not installed")
        if state != "Running":
            stopped[name] = state
    return stopped
