# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A place on loopback from which the collection's own prober looks at the lab's servers, and what is judged of it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils import probe
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding
from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import VENDOR_ENDPOINTS
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import probe_plan
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

Names = Mapping[str, "str | int"]
"""What the name service says: an address, or the number of an error (socket.EAI_NONAME, …)."""


def resolve_with(patch: pytest.MonkeyPatch, names: Names) -> None:
    """Have the name service answer so. A name that is not listed is a mistake of the test."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *words: Any, **more: Any) -> Any:
        if host not in names and not str(host).replace(".", "").isdecimal():
            raise AssertionError(f"the test would ask a name service for {host}")
        known = names.get(host, host)
        if isinstance(known, int):
            raise socket.gaierror(known, "as the test wants it")
        return real(known, *words, **more)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)


def only(**endpoints: Any) -> dict[str, Any]:
    """Return ets6_network_endpoints with none but these."""
    return {
        endpoint.name: {"enabled": False}
        for endpoint in VENDOR_ENDPOINTS
        if endpoint.name not in endpoints
    } | endpoints


def look(timeout: int = 3, ahead: timedelta = timedelta(), **variables: Any) -> dict[str, Finding]:
    """Probe as a POSIX host does, round after round, and return the findings by control. ahead is how far its clock is."""
    policy = Policy.from_variables({"probe_timeout": timeout, **variables})
    clock = (datetime.now(timezone.utc) + ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
    seen = Snapshot.from_wire({"version": 1, "host": {"time": clock}}, vantage=True)
    for _round in range(probe_plan.ROUNDS):
        wanted = probe_plan.missing_probes(ProxyContext(seen, policy))
        if not wanted:
            break
        found = probe.probe_all(wanted, probe_plan.probe_seconds(wanted, policy))
        seen = seen.with_probes(Snapshot.from_wire({"version": 1, "probes": found}, vantage=True))
    assert probe_plan.missing_probes(ProxyContext(seen, policy)) == []
    return {finding.control.id: finding for finding in controls.Assessment(seen, policy).findings}


def outcome(finding: Finding) -> str:
    """Return the outcome of an endpoint."""
    return str(finding.evidence["outcome"])
