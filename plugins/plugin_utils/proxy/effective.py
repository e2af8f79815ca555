# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which proxy ETS6 would use: for each endpoint, for each user whose settings count.

ETS6 is a .NET Framework program, which asks WinINET's settings of the user, or of the machine where ProxySettingsPerUser is
0 (.NET reference source, AutoWebProxyScriptEngine). Automatic detection comes first, then the script, then the named proxy.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..formats.wininet import AUTODETECT, PAC, PROXY
from ..policy import Endpoint
from ..snapshot import Snapshot
from .bypass import bypasses, server_for
from .layers import Layer, machine_layer, machine_wide, name_of, relevant_users, user_layers

DIRECT = ""


@dataclass(frozen=True)
class Way:
    """One way out to an endpoint. way is ``host:port`` of the proxy, DIRECT, or None where it cannot be told; reason says why it is so."""

    way: str | None
    users: tuple[str, ...]
    reason: str


def source(snapshot: Snapshot) -> list[tuple[Layer, tuple[str, ...]]]:
    """Return the layers that decide, each with the users for whom it does."""
    people = relevant_users(snapshot)
    if machine_wide(snapshot.registry):
        return [(machine_layer(snapshot), tuple(name_of(user) for user in people) or ("every user",))]
    layers = {layer.id: layer for layer in user_layers(snapshot)}
    return [(layers[user.sid], (name_of(user),)) for user in people]


def ways(snapshot: Snapshot, endpoint: Endpoint) -> list[Way]:
    """Return the distinct ways to an endpoint, each with its users. Empty where no user's settings could be read."""
    found: dict[str | None, Way] = {}
    for layer, users in source(snapshot):
        way, reason = _way(layer, endpoint)
        known = found.get(way)
        found[way] = Way(way, (*known.users, *users), known.reason) if known else Way(way, users, reason)
    return list(found.values())


def _way(layer: Layer, endpoint: Endpoint) -> tuple[str | None, str]:
    if layer.error:
        return None, f"{layer.title}: {layer.error}"
    if layer.settings is None:
        return DIRECT, f"{layer.title} name no proxy"
    settings = layer.settings
    detected = (
        f"{layer.title} ask for automatic detection, and where no network answers it, " if settings.flags & AUTODETECT else ""
    )
    if settings.flags & PAC and settings.pac_url:
        return None, f"{detected or layer.title + ' '}leave it to the script {settings.pac_url}, which was not evaluated"
    if not settings.flags & PROXY or not settings.proxy:
        return DIRECT, f"{detected}{'' if detected else layer.title + ' '}name no proxy"
    server = server_for(settings.proxy, endpoint.scheme)
    if not server:
        return DIRECT, f"{detected or layer.title + ' '}name no proxy for {endpoint.scheme}"
    entry = bypasses(settings.bypass, endpoint.scheme, endpoint.host, endpoint.port)
    if entry:
        return DIRECT, f"{detected or layer.title + ' '}let {endpoint.host} bypass the proxy ({entry})"
    return server, f"{detected or layer.title + ' '}name the proxy {server}"
