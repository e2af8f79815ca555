# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The probe plan: over which routes each endpoint has to be probed, and what is still missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..policy.endpoints import Endpoint
from ..policy.variables import Policy
from ..probes import DIRECT, Probe
from ..proxy import pac
from ..proxy.context import ProxyContext
from ..proxy.routes import Route
from ..snapshot import Snapshot
from .answer import redirect_target
from .certificate import parse_address
from .failures import is_cut_off

ROUNDS = 5
"""The most that can be needed: the script, a name for it, the endpoints, the script's other proxies,
another name for those that were cut off, or the target of a redirect."""
OTHER_NAME = "probe.invalid"
"""A name that no server has (RFC 2606), for an address at which the right name is cut off."""
OTHER_NAME_SECONDS = 3


def missing_probes(context: ProxyContext) -> list[dict[str, Any]]:
    """Return the probes, with explicit routes, that ETS6's routes need and the snapshot does not hold.

    None for an image. Where a script decides, that takes several rounds: first the script itself is
    fetched, then perhaps a name is resolved for it, then the endpoints are probed over the routes
    that it names, then, where the first of them is not reached, over the others. Where TLS was cut
    off, the same address is asked under another name, since only that tells a filter of names from
    a server that is down. Where a document is redirected, it is asked for once where that leads.
    """
    snapshot, policy = context.snapshot, context.policy
    if snapshot.offline or policy.state == "absent":
        return []
    probes = {probe.key: probe for probe in snapshot.probes or ()}
    plan = _script_probes(context.scripts, snapshot)
    for endpoint in policy.endpoints:
        routes = _missing_routes(endpoint, context.routes[endpoint.name], probes)
        if routes:
            plan.append({**endpoint.to_wire(), "proxies": routes})
        plan += _other_name_probes(endpoint, probes)
        plan += _moved_probes(endpoint, probes)
    return plan


def _script_probes(scripts: Sequence[str], snapshot: Snapshot) -> list[dict[str, Any]]:
    return [pac.probe(url) for url in scripts if not pac.is_fetched(snapshot, url)]


def _missing_routes(
    endpoint: Endpoint,
    routes: Sequence[Route],
    probes: Mapping[tuple[str, str], Probe],
) -> list[str]:
    required: list[str | None] = []
    for route in routes:
        required.append(DIRECT if route.needs_address else route.proxy)
    for route in routes:
        if route.unreached:
            required += route.alternatives
    missing = []
    for proxy in dict.fromkeys(required):
        if proxy is not None and (endpoint.name, proxy) not in probes:
            missing.append(proxy)
    return missing


def probe_seconds(probes: Sequence[Mapping[str, Any]], policy: Policy) -> int:
    """Return the seconds that these probes may take.

    An address that was just reached answers another name soon or not at all.
    """
    if all(probe.get("url") == f"https://{OTHER_NAME}" for probe in probes):
        return min(OTHER_NAME_SECONDS, policy.probe_timeout)
    return policy.probe_timeout


def other_name(endpoint: Endpoint) -> str:
    """Return the name of the probe that asks an endpoint's address under another name."""
    return f"{endpoint.name} under another name"


def _other_name_probes(
    endpoint: Endpoint, probes: Mapping[tuple[str, str], Probe]
) -> list[dict[str, Any]]:
    """Return the probe under another name, where a direct one was cut off in TLS.

    None through a proxy, which connects by the name.
    """
    name = other_name(endpoint)
    probe = probes.get((endpoint.name, DIRECT))
    if probe is None or not is_cut_off(probe) or (name, DIRECT) in probes:
        return []
    # The address is the PC's word: no more than an address is taken from it.
    address = parse_address(probe.address.partition("%")[0])
    if address is None:
        return []
    host = f"[{address}]" if address.version == 6 else str(address)
    return [
        {
            "name": name,
            "url": f"https://{OTHER_NAME}",
            "address": endpoint.address or f"{host}:{endpoint.port}",
            "proxies": [DIRECT],
        }
    ]


def moved_name(endpoint: Endpoint, target: str) -> str:
    """Return the name of the probe that asks for what an endpoint redirects to."""
    return f"{endpoint.name} at {target}"


def moved_target(endpoint: Endpoint, probe: Probe) -> str:
    """Return the URL that a probe was redirected to, where it is to be probed; else empty."""
    return redirect_target(probe.http, endpoint) if probe.tls is None else ""


def _moved_probes(
    endpoint: Endpoint, probes: Mapping[tuple[str, str], Probe]
) -> list[dict[str, Any]]:
    plan = []
    for (name, route), probe in probes.items():
        target = moved_target(endpoint, probe) if name == endpoint.name else ""
        key = moved_name(endpoint, target), route
        if target and key not in probes:
            plan.append({"name": key[0], "url": target, "proxies": [route]})
    return plan
