# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which proxy ETS6 would use: for each endpoint, for each user whose settings count.

ETS6 is a .NET Framework program, which asks WinINET's settings of the user, or of the machine where ProxySettingsPerUser is
0 (.NET reference source, AutoWebProxyScriptEngine). Automatic detection comes first, then the script, then the named proxy.
Whether a network answers automatic detection is nowhere to be read: what is told then is the way that remains without it.
Where a script names several proxies and one is not reached, the next one is taken, and after the last one the named proxy or
the direct way (ProxyScriptChain there).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..formats.wininet import AUTODETECT, ConnectionSettings
from ..policy.endpoints import Endpoint
from ..policy.proxy import ProxySetting
from ..snapshot import Snapshot
from . import pac
from .bypass import ListError, bypasses, server_for, without_logins
from .layers import Layer, machine_layer, machine_wide, name_of, relevant_users, user_layers

DIRECT = ""
MOST_OF_A_SCRIPT = 4
"""So many of the ways that a script names for an endpoint are tried."""


@dataclass(frozen=True)
class Way:
    """One way out to an endpoint. way is ``host:port`` of the proxy, DIRECT, or None where it cannot be told; reason says why it is so.

    detected: automatic detection is on, so a network may send ETS6 another way. lookup: the name's addresses would help to tell.
    passed are the ways of a script that come before it and are not reached, left those that would be taken after it.
    """

    way: str | None
    users: tuple[str, ...]
    reason: str
    detected: bool = False
    lookup: bool = False
    passed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def source(snapshot: Snapshot) -> list[tuple[Layer, tuple[str, ...]]]:
    """Return the layers that decide, each with the users for whom it does."""
    people = relevant_users(snapshot)
    if machine_wide(snapshot.registry):
        return [(machine_layer(snapshot), tuple(name_of(user) for user in people) or ("every user",))]
    layers = {layer.id: layer for layer in user_layers(snapshot)}
    return [(layers[user.sid], (name_of(user),)) for user in people]


def scripts(snapshot: Snapshot, setting: ProxySetting | None = None) -> list[str]:
    """Return the addresses of the scripts that decide for somebody, each once. setting: see ways."""
    return list(dict.fromkeys(layer.meaning.pac_url for layer, _users in _deciding(snapshot, setting) if layer.meaning.pac_url))


def ways(snapshot: Snapshot, endpoints: Sequence[Endpoint], setting: ProxySetting | None = None) -> dict[str, list[Way]]:
    """Return the distinct ways to each endpoint by its name, each with its users. Empty where no user's settings could be read.

    setting: the one that counts where the host is no Windows PC, and so has none of its own.
    """
    layers = _deciding(snapshot, setting)
    answers = {url: _answers(snapshot, url, endpoints) for url in scripts(snapshot, setting)}
    dead = {probe.key for probe in snapshot.probes or () if probe.stage in ("dns", "tcp")}
    found: dict[str, list[Way]] = {}
    for endpoint in endpoints:
        merged: dict[str | None, Way] = {}
        for layer, users in layers:
            one = _way(layer, endpoint, users, answers, dead)
            known = merged.get(one.way)
            if known:
                one = dataclasses.replace(
                    known,
                    users=(*known.users, *users),
                    detected=known.detected or one.detected,
                    lookup=known.lookup or one.lookup,
                )
            merged[one.way] = one
        found[endpoint.name] = list(merged.values())
    return found


def _deciding(snapshot: Snapshot, setting: ProxySetting | None) -> list[tuple[Layer, tuple[str, ...]]]:
    if not snapshot.vantage or setting is None:
        return source(snapshot)
    flags = 0 if setting.mode == "unmanaged" else setting.flags
    wanted = ConnectionSettings(flags, setting.server, ";".join(setting.bypass), setting.pac_url)
    return [(Layer("wanted", "the settings in ets6_network_proxy", "", wanted), ("ETS6 in this network",))]


def _answers(snapshot: Snapshot, url: str, endpoints: Sequence[Endpoint]) -> dict[str, pac.Answer] | pac.PacError:
    """Return what a script says of each endpoint by its name, or what is wrong with it."""
    # Windows hands a script the whole URL, with the path / where there is none.
    asked = [(endpoint.url if urlsplit(endpoint.url).path else endpoint.url + "/", endpoint.host) for endpoint in endpoints]
    names = pac.resolved(snapshot, [(endpoint.name, endpoint.host) for endpoint in endpoints])
    try:
        told = pac.answers(snapshot, url, asked, names)
    except pac.PacError as error:
        return error
    return {endpoint.name: answer for endpoint, answer in zip(endpoints, told, strict=True)}


def _way(
    layer: Layer,
    endpoint: Endpoint,
    users: tuple[str, ...],
    answers: dict[str, dict[str, pac.Answer] | pac.PacError],
    dead: Collection[tuple[str, str]],
) -> Way:
    if layer.error:
        return Way(None, users, f"{layer.title}: {layer.error}")
    meaning = layer.meaning
    detected = bool(meaning.flags & AUTODETECT)
    before = f"{layer.title} ask for automatic detection, and where no network answers it, " if detected else f"{layer.title} "
    try:
        named, why = _named(layer, endpoint)
    except ListError as error:
        # Not even a script helps then: .NET Framework reads all or nothing.
        return Way(None, users, f"{layer.title}: {error}", detected)
    if meaning.pac_url:
        told = answers[meaning.pac_url]
        if not isinstance(told, pac.PacError):
            script = f"{before}leave it to the script {without_logins(meaning.pac_url)}, which"
            return dataclasses.replace(_scripted(told[endpoint.name], script, endpoint, users, named, dead), detected=detected)
        if not told.unfetched:
            return Way(None, users, f"{before}leave it to a script, and {told}", detected)
        before += f"leave it to a script, but {told}, so Windows goes on without it; they "
    return Way(named, users, before + why, detected)


def _named(layer: Layer, endpoint: Endpoint) -> tuple[str, str]:
    """Return the way without any script, and what says so. Raises ListError."""
    if not layer.meaning.server or layer.settings is None:
        return DIRECT, "name no proxy"
    server = server_for(layer.settings.proxy, endpoint.scheme)
    if not server:
        return DIRECT, f"name no proxy for {endpoint.scheme}"
    entry = bypasses(layer.settings.bypass, endpoint.scheme, endpoint.host, endpoint.port)
    if entry:
        return DIRECT, f"let {endpoint.host} bypass the proxy ({entry})"
    return server, f"name the proxy {server}"


def _scripted(
    answer: pac.Answer, script: str, endpoint: Endpoint, users: tuple[str, ...], named: str, dead: Collection[tuple[str, str]]
) -> Way:
    if answer.open:
        missing = ", ".join(answer.open)
        lookup = any(name.lower() == f"the address of {endpoint.host}" for name in answer.open)
        return Way(None, users, f"{script} asks for {missing}: that is not known here", lookup=lookup)
    told = without_logins(answer.text)[:200]
    found = pac.ways_of(answer.text)
    if not found:
        return Way(None, users, f"{script} says '{told}': what .NET Framework makes of that is not known")
    found = tuple(dict.fromkeys((*found, named)))[:MOST_OF_A_SCRIPT]
    # Where none is reached, ETS6 tells what became of the first.
    at = next((at for at, way in enumerate(found) if (endpoint.name, way) not in dead), 0)
    return Way(found[at], users, f"{script} says '{told}'", passed=found[:at], left=found[at + 1 :])
