# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reachability's controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..declaration import Family, Judgement, not_applicable, unknown
from ..finding import Contact, Severity
from ..policy.endpoints import Endpoint
from ..policy.variables import Policy
from .context import ReachabilityContext
from .endpoints import judge_endpoint
from .interception import judge_interception
from .observer import KEYS
from .outcomes import is_vendor_host

FAMILY: Family[ReachabilityContext] = Family(
    "reach",
    Contact.NETWORK,
    image="An image is not connected to a network. Check a PC that was deployed from it.",
    on_probing_hosts=True,
)

CLOUD_LICENSING = "openapi.knx.org"
CLOUD_NOTICE = (
    "The vendor's notice: with cloud licensing ETS6 sends user information (login, computer and "
    "software information) encrypted to the license server, which keeps the IP address of the user "
    "who asked for the license for one year. If you do not use it, disable this endpoint in "
    "ets6_network_endpoints; it is then neither probed nor required."
)


def request(policy: Policy) -> dict[str, list[object]]:
    """Return the probes and the registry keys that explain them.

    Nothing is probed where ets6_network_state is absent.
    """
    if policy.state == "absent":
        return {"probes": []}
    probes: list[object] = [endpoint.to_wire() for endpoint in policy.endpoints]
    return {"probes": probes, "registry": [{"path": path, "depth": 0} for path in KEYS]}


@dataclass(frozen=True)
class ProbedEndpoint:
    """An endpoint of the policy, as the subject of its control."""

    endpoint: Endpoint

    @property
    def words(self) -> Mapping[str, str]:
        """The values of the placeholders."""
        rationale = "Added in ets6_network_endpoints."
        if is_vendor_host(self.endpoint.host):
            rationale = (
                "The vendor's table lists what ETS6 needs of a network (KNX support article "
                "4403452514066)."
            )
        if self.endpoint.host == CLOUD_LICENSING:
            rationale += f" {CLOUD_NOTICE}"
        return {
            "name": self.endpoint.name,
            "title": self.endpoint.title or self.endpoint.name,
            "server": self.endpoint.server,
            "rationale": rationale,
        }


def _probed_endpoints(policy: Policy) -> Iterator[ProbedEndpoint]:
    for endpoint in policy.endpoints:
        yield ProbedEndpoint(endpoint)


def _without_roots(problem: str) -> Judgement:
    return unknown(problem).advise(
        f"Correct ets6_network_public_roots. {problem}", Contact.CONTROLLER
    )


def _severity(subject: ProbedEndpoint) -> Severity:
    return Severity.HIGH if subject.endpoint.scheme == "https" else Severity.MEDIUM


@FAMILY.control_for_each(
    _probed_endpoints,
    control_id="reach.{name}",
    title="{title}: {server} can be reached",
    headline="{title}: {server} cannot be reached",
    severity=_severity,
    rationale="{rationale}",
    remedy="Let the PC reach the server. The finding holds for the program that probed: an agent or "
    "a virus scanner that exempts programs by their names may treat ETS6 differently.",
)
def endpoint(context: ReachabilityContext, subject: ProbedEndpoint) -> Judgement:
    """Judge whether ETS6 can reach an endpoint, over every route that it would take."""
    if context.problem:
        return _without_roots(context.problem)
    verdicts = context.verdicts[subject.endpoint.name]
    return judge_endpoint(subject.endpoint, verdicts, context.snapshot)


@FAMILY.control(
    control_id="reach.interception",
    title="The TLS connections to the vendor are not intercepted",
    headline="TLS connections to the vendor are intercepted",
    severity=Severity.HIGH,
    rationale="The vendor forbids a firewall with deep inspection (KNX support article "
    "4403452514066): updates, the catalog or licensing fail with it, even where the PC trusts the "
    "inspector.",
    remedy="Exempt the vendor's servers from the TLS inspection.",
)
def interception(context: ReachabilityContext) -> Judgement:
    """Judge the certificates of all endpoints together."""
    if context.problem:
        return _without_roots(context.problem)
    roots = context.observer.roots
    return judge_interception(context.verdicts, context.policy.endpoints, roots)


@FAMILY.control(
    control_id="reach.multicast",
    title="KNXnet/IP devices of the building are found (UDP 3671, 224.0.23.12)",
    headline="KNXnet/IP devices of the building are not found (UDP 3671, 224.0.23.12)",
    severity=Severity.LOW,
    rationale="ETS6 finds devices by a multicast to 224.0.23.12, UDP port 3671. Each device answers "
    "by unicast to the program that asked.",
    remedy="Look at firewall.inbound.*.udp, firewall.multicast_answers and "
    "firewall.active_profile; then search for devices in ETS6.",
)
def multicast(_context: ReachabilityContext) -> Judgement:
    """Say why multicast is not probed."""
    return not_applicable(
        "Not probed: an answer goes to the program that asked, and firewall rules apply to ETS6's "
        "programs, so only ETS6 itself can try. The settings of the PC that decide are judged by "
        "firewall.inbound.*.udp, firewall.multicast_answers and firewall.active_profile."
    )
