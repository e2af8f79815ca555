# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which way out each endpoint has to be probed over, and which of them the PC did not probe by itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ..policy.endpoints import Endpoint
from ..policy.variables import Policy
from ..proxy import effective, pac
from ..proxy.context import ProxyContext
from ..snapshot import Snapshot
from .kinds import CUT_OFF

ROUNDS = 5
"""The most that can be needed: the script, a name for it, the endpoints, the script's other proxies, another name for those that were cut off."""
OTHER_NAME = "probe.invalid"
"""A name that no server has (RFC 2606): said to an address at which the right name is cut off."""
OTHER_NAME_SECONDS = 3


def not_yet_probed(context: ProxyContext) -> list[dict[str, Any]]:
    """Return probes with explicit ways, for what ETS6 would use and the snapshot does not hold. Empty for an image.

    Where a script decides, that takes several rounds: first the script itself is fetched, then perhaps a name is looked up for
    it, then the endpoints are probed over the ways that it names, then, where the first of them is not reached, over the others.
    Where TLS was cut off, the same address is asked under another name, since only that tells a filter of names from a server
    that is unwell.
    """
    snapshot, policy = context.snapshot, context.policy
    if snapshot.offline or policy.state == "absent":
        return []
    held = {probe.key for probe in snapshot.probes or ()}
    missing: list[dict[str, Any]] = [
        pac.probe(url) for url in context.scripts if not pac.is_fetched(snapshot, url)
    ]
    ways = context.ways
    for endpoint in policy.endpoints:
        wanted = [effective.DIRECT if way.lookup else way.way for way in ways[endpoint.name]]
        wanted += [other for way in ways[endpoint.name] if way.passed for other in way.left]
        found = [way for way in dict.fromkeys(wanted) if way is not None and (endpoint.name, way) not in held]
        if found:
            missing.append({**endpoint.to_wire(), "proxies": found})
        if (cut := _cut_off(snapshot, endpoint)) and (other_name(endpoint), effective.DIRECT) not in held:
            missing.append(cut)
    return missing


def seconds(probes: Sequence[Mapping[str, Any]], policy: Policy) -> int:
    """Return the seconds that these probes may take. Another name is said to an address that was just reached: that answers soon or not at all."""
    again = all(probe.get("url") == f"https://{OTHER_NAME}" for probe in probes)
    return min(OTHER_NAME_SECONDS, policy.probe_timeout) if again else policy.probe_timeout


def other_name(endpoint: Endpoint) -> str:
    """Return the name of the probe that asks an endpoint's address under another name."""
    return f"{endpoint.name} under another name"


def _cut_off(snapshot: Snapshot, endpoint: Endpoint) -> dict[str, Any] | None:
    """Return the probe under another name, where a direct one was cut off in TLS. Through a proxy the name is the way, so there it is none."""
    key = (endpoint.name, effective.DIRECT)
    probe = next((probe for probe in snapshot.probes or () if probe.key == key), None)
    if probe is None or probe.stage != "tls" or probe.error is None:
        return None
    if probe.error.kind not in CUT_OFF:
        return None
    try:
        # The address is the PC's word: no more than an address is taken from it.
        found = ipaddress.ip_address(probe.address.partition("%")[0])
    except ValueError:
        return None
    shown = f"[{found}]" if found.version == 6 else str(found)
    return {
        "name": other_name(endpoint),
        "url": f"https://{OTHER_NAME}",
        "address": endpoint.address or f"{shown}:{endpoint.port}",
        "proxies": [effective.DIRECT],
    }
