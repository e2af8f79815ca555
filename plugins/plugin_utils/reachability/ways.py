# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which way out each endpoint has to be probed over, and which of them the PC did not probe by itself."""

from __future__ import annotations

from typing import Any

from ..policy import Policy
from ..proxy import effective
from ..snapshot import Snapshot


def not_yet_probed(snapshot: Snapshot, policy: Policy) -> list[dict[str, Any]]:
    """Return probes with explicit ways, for what ETS6 would use and the snapshot does not hold. Empty for an image."""
    if snapshot.offline or policy.state == "absent":
        return []
    held = {(probe["name"], probe["way"]) for probe in snapshot.probes or ()}
    missing = []
    for endpoint in policy.endpoints:
        found = [
            way.way for way in effective.ways(snapshot, endpoint) if way.way is not None and (endpoint.name, way.way) not in held
        ]
        if found:
            missing.append({**endpoint.to_wire(), "ways": found})
    return missing
