# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which way out each endpoint has to be probed over, and which of them the PC did not probe by itself."""

from __future__ import annotations

from typing import Any

from ..policy import Policy
from ..proxy import effective, pac
from ..snapshot import Snapshot

ROUNDS = 3
"""The most that can be needed: the script, a name for it, the endpoints."""


def not_yet_probed(snapshot: Snapshot, policy: Policy) -> list[dict[str, Any]]:
    """Return probes with explicit ways, for what ETS6 would use and the snapshot does not hold. Empty for an image.

    Where a script decides, that takes several rounds: first the script itself is fetched, then perhaps a name is looked up for
    it, then the endpoints are probed over the ways that it names.
    """
    if snapshot.offline or policy.state == "absent":
        return []
    held = {(probe["name"], probe["way"]) for probe in snapshot.probes or ()}
    missing: list[dict[str, Any]] = [pac.probe(url) for url in effective.scripts(snapshot) if not pac.is_fetched(snapshot, url)]
    ways = effective.ways(snapshot, policy.endpoints)
    for endpoint in policy.endpoints:
        wanted = [effective.DIRECT if way.lookup else way.way for way in ways[endpoint.name]]
        found = [way for way in dict.fromkeys(wanted) if way is not None and (endpoint.name, way) not in held]
        if found:
            missing.append({**endpoint.to_wire(), "ways": found})
    return missing
