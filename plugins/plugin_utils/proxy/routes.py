# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The routes that ETS6 takes to an endpoint, for each user whose settings count.

ETS6 is a .NET Framework program. It uses WinINET's settings of the user, or of the machine where
ProxySettingsPerUser is 0 (.NET reference source, AutoWebProxyScriptEngine): first automatic
detection, then the script, then the named proxy. Whether a network answers automatic detection
cannot be read from the PC; the route is then the one without it. Where a script names several proxies
and one is not reached, the next one is used, and after the last one the named proxy or the direct
route (ProxyScriptChain there).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..formats.wininet import AUTODETECT
from ..policy.endpoints import Endpoint
from ..probes import DIRECT
from ..snapshot import Snapshot
from . import pac
from .lists import ListError, bypass_entry, server_for, without_logins
from .settings import DecidingLayer, Layer

MAX_SCRIPT_ROUTES = 4
"""So many of the routes that a script names for an endpoint are tried."""
MAX_SCRIPT_TEXT = 200
"""So many characters of a script's answer are repeated in a sentence."""

ScriptAnswers = dict[str, pac.Answer] | pac.PacError
"""What a script answers for each endpoint, by its name, or why it answers nothing."""


@dataclass(frozen=True)
class Route:
    """One route to an endpoint.

    proxy is ``host:port``, DIRECT, or None where it could not be determined; reason says why.
    autodetect: automatic detection is on, so a network may lead ETS6 over another route.
    needs_address: the script asks for the endpoint's address, which is not known yet.
    unreached are the routes of a script that come first and are not reached, alternatives those that
    ETS6 would try next.
    """

    proxy: str | None
    users: tuple[str, ...]
    reason: str
    autodetect: bool = False
    needs_address: bool = False
    unreached: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


def ask_script(snapshot: Snapshot, url: str, endpoints: Sequence[Endpoint]) -> ScriptAnswers:
    """Return what the script at url answers for each endpoint."""
    servers = [(_script_url(endpoint), endpoint.host) for endpoint in endpoints]
    hosts = [(endpoint.name, endpoint.host) for endpoint in endpoints]
    try:
        answers = pac.answers(snapshot, url, servers, pac.resolved(snapshot, hosts))
    except pac.PacError as error:
        return error
    return {endpoint.name: answer for endpoint, answer in zip(endpoints, answers, strict=True)}


def routes_to(
    endpoint: Endpoint,
    layers: Sequence[DecidingLayer],
    script_answers: Mapping[str, ScriptAnswers],
    snapshot: Snapshot,
) -> list[Route]:
    """Return the distinct routes to an endpoint, each with its users."""
    merged: dict[str | None, Route] = {}
    failed_routes = _failed_routes(snapshot, endpoint)
    for deciding in layers:
        route = _route(deciding, endpoint, script_answers, failed_routes)
        earlier = merged.get(route.proxy)
        if earlier is not None:
            route = dataclasses.replace(
                earlier,
                users=(*earlier.users, *route.users),
                autodetect=earlier.autodetect or route.autodetect,
                needs_address=earlier.needs_address or route.needs_address,
            )
        merged[route.proxy] = route
    return list(merged.values())


def _script_url(endpoint: Endpoint) -> str:
    # Windows gives a script the whole URL, with the path / where there is none.
    return endpoint.url if urlsplit(endpoint.url).path else f"{endpoint.url}/"


def _failed_routes(snapshot: Snapshot, endpoint: Endpoint) -> set[str]:
    """Return the routes over which the first server, a proxy or the endpoint, was not reached."""
    return {
        probe.route
        for probe in snapshot.probes or ()
        if probe.name == endpoint.name and probe.stage in ("dns", "tcp")
    }


def _route(
    deciding: DecidingLayer,
    endpoint: Endpoint,
    script_answers: Mapping[str, ScriptAnswers],
    failed_routes: Collection[str],
) -> Route:
    layer, users = deciding.layer, deciding.users
    if layer.error:
        return Route(None, users, f"{layer.title}: {layer.error}")
    autodetect = bool(layer.meaning.flags & AUTODETECT)
    subject = layer.title
    if autodetect:
        subject += " ask for automatic detection, and where no network answers it,"
    try:
        proxy, why = _proxy_without_script(layer, endpoint)
    except ListError as error:
        # A script does not help: .NET Framework parses all of the settings or none.
        return Route(None, users, f"{layer.title}: {error}", autodetect)
    if not layer.meaning.pac_url:
        return Route(proxy, users, f"{subject} {why}", autodetect)
    answers = script_answers[layer.meaning.pac_url]
    if isinstance(answers, pac.PacError):
        if not answers.unfetched:
            return Route(None, users, f"{subject} use a script, and {answers}", autodetect)
        reason = (
            f"{subject} use a script, but {answers}, so Windows continues without it; they {why}"
        )
        return Route(proxy, users, reason, autodetect)
    subject += f" use the script {without_logins(layer.meaning.pac_url)}, which"
    route = _script_route(answers[endpoint.name], endpoint, proxy, failed_routes)
    reason = f"{subject} {route.reason}"
    return dataclasses.replace(route, users=users, reason=reason, autodetect=autodetect)


def _proxy_without_script(layer: Layer, endpoint: Endpoint) -> tuple[str, str]:
    """Return the route without any script, and why. Raises ListError."""
    if layer.settings is None or not layer.meaning.server:
        return DIRECT, "name no proxy"
    server = server_for(layer.settings.proxy, endpoint.scheme)
    if not server:
        return DIRECT, f"name no proxy for {endpoint.scheme}"
    entry = bypass_entry(layer.settings.bypass, endpoint.scheme, endpoint.host, endpoint.port)
    if entry:
        return DIRECT, f"let {endpoint.host} bypass the proxy ({entry})"
    return server, f"name the proxy {server}"


def _script_route(
    answer: pac.Answer, endpoint: Endpoint, last_resort: str, failed_routes: Collection[str]
) -> Route:
    """Return the route that a script names; its reason is a clause about the script."""
    if answer.unanswered:
        questions = ", ".join(answer.unanswered)
        address = f"the address of {endpoint.host}"
        needs_address = any(question.lower() == address for question in answer.unanswered)
        reason = f"asks for {questions}, which could not be determined"
        return Route(None, (), reason, needs_address=needs_address)
    text = without_logins(answer.text)[:MAX_SCRIPT_TEXT]
    proxies = pac.parse_answer(answer.text)
    if not proxies:
        return Route(None, (), f"answers '{text}': what .NET Framework makes of it is not known")
    candidates = tuple(dict.fromkeys((*proxies, last_resort)))[:MAX_SCRIPT_ROUTES]
    # Where no route reaches a server, ETS6 reports the error of the first one.
    index = 0
    for position, candidate in enumerate(candidates):
        if candidate not in failed_routes:
            index = position
            break
    return Route(
        candidates[index],
        (),
        f"answers '{text}'",
        unreached=candidates[:index],
        alternatives=candidates[index + 1 :],
    )
