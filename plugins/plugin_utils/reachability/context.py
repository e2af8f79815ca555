# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the probes of one host showed, worked out once for all controls.

From a certificate to a finding: ``certificate`` reads one, ``chain`` follows the signatures, ``trust``
says whether that is a reason not to go on, ``verdict`` judges the whole probe, ``comparison`` corrects
the verdicts by each other, and the controls judge what this context holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from ..policy.endpoints import Endpoint
from ..policy.variables import Policy
from ..probes import DIRECT, Probe
from ..proxy.context import ProxyContext
from ..proxy.routes import Route
from ..snapshot import Snapshot
from .certificate import CertificateError
from .comparison import RouteVerdict, compare_verdicts
from .observer import Observer
from .outcomes import Outcome, Verdict
from .probe_plan import moved_name, moved_target, other_name
from .verdict import FollowUps, judge_probe


class ReachabilityContext:
    """The probes of one host, its proxies, and the policy."""

    def __init__(self, snapshot: Snapshot, policy: Policy, proxy: ProxyContext) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.proxy = proxy

    @cached_property
    def problem(self) -> str:
        """Why certificates cannot be judged; empty where they can."""
        try:
            Observer.of_snapshot(self.snapshot, self.policy)
        except CertificateError as error:
            return str(error)
        return ""

    @cached_property
    def verdicts(self) -> Mapping[str, Sequence[RouteVerdict]]:
        """The verdicts over each route to an endpoint, by its name. Only where there is no problem."""
        verdicts = {}
        for endpoint in self.policy.endpoints:
            routes = self.proxy.routes[endpoint.name]
            verdicts[endpoint.name] = [(route, self._verdict(endpoint, route)) for route in routes]
        return compare_verdicts(verdicts, self.policy.endpoints)

    @cached_property
    def observer(self) -> Observer:
        """What is known of the host beside its probes. Only where there is no problem."""
        return Observer.of_snapshot(self.snapshot, self.policy)

    @cached_property
    def _probes(self) -> Mapping[tuple[str, str], Probe]:
        return {probe.key: probe for probe in self.snapshot.probes or ()}

    def _verdict(self, endpoint: Endpoint, route: Route) -> Verdict:
        if route.proxy is None:
            return Verdict(
                Outcome.NOT_PROBED,
                f"Not probed: the route of ETS6 could not be determined ({route.reason}).",
                caused_by="proxy.effective",
            )
        probe = self._probes.get((endpoint.name, route.proxy))
        if probe is None:
            reason = self.snapshot.errors.get("probes", "the PC's reply does not hold this probe")
            via = f"through {route.proxy}" if route.proxy else "directly"
            return Verdict(Outcome.NOT_PROBED, f"Not probed {via}: {reason}.")
        return judge_probe(probe, endpoint, self.observer, self._follow_ups(endpoint, probe))

    def _follow_ups(self, endpoint: Endpoint, probe: Probe) -> FollowUps:
        other_name_probe = None
        if probe.route == DIRECT:
            other_name_probe = self._probes.get((other_name(endpoint), DIRECT))
        target = moved_target(endpoint, probe)
        moved_probe = self._probes.get((moved_name(endpoint, target), probe.route))
        return FollowUps(other_name_probe, moved_probe, target)
