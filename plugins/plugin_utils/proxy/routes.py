# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The routes that ETS6 takes to an endpoint, for each user whose settings count.

ETS6 is a .NET Framework program. It uses WinINET's settings of the user, or of the machine where
ProxySettingsPerUser is 0 (.NET reference source, AutoWebProxyScriptEngine): first automatic
detection, then the script, then the named proxy. Whether a network answers automatic detection
cannot be read from the PC; the route is then the one without it. Where a script names several proxies
and one is not reached, the next one is used, and after the last one the named proxy or the direct
route (ProxyScriptChain there). A script that fails counts as one with an empty list: the direct
route, then the named proxy.

Where Windows may act on several settings, a route is certain only if all of them lead over it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from ..formats.wininet import AUTODETECT, ConnectionSettings
from ..policy.endpoints import Endpoint
from ..probes import DIRECT
from ..snapshot import Snapshot
from . import pac
from .lists import ListError, bypass_entry, server_for, without_logins
from .meaning import Meaning
from .settings import DecidingLayer, Layer

MAX_SCRIPT_ROUTES = 4
"""So many of the routes that a script names for an endpoint are tried."""
MAX_SCRIPT_TEXT = 200
"""So many characters of a script's answer are repeated in a sentence."""

ScriptAnswers = Mapping[str, pac.Answer] | pac.PacError
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


@dataclass(frozen=True)
class RouteRequest:
    """An endpoint, and what is known that decides about the routes to it.

    domain is the PC's own DNS domain, script_answers the answers of each script by its address.
    """

    endpoint: Endpoint
    domain: str
    script_answers: Mapping[str, ScriptAnswers]
    snapshot: Snapshot

    @cached_property
    def failed_routes(self) -> set[str]:
        """The routes over which the first server, a proxy or the endpoint, was not reached."""
        failed = set()
        for probe in self.snapshot.probes or ():
            if probe.name == self.endpoint.name and probe.stage in ("dns", "tcp"):
                failed.add(probe.route)
        return failed


def ask_script(snapshot: Snapshot, url: str, endpoints: Sequence[Endpoint]) -> ScriptAnswers:
    """Return what the script at url answers for each endpoint."""
    servers = []
    hosts = []
    for endpoint in endpoints:
        servers.append((_script_url(endpoint), endpoint.host))
        hosts.append((endpoint.name, endpoint.host))
    try:
        answers = pac.answers(snapshot, url, servers, pac.resolved(snapshot, hosts))
    except pac.PacError as error:
        return error
    return {endpoint.name: answer for endpoint, answer in zip(endpoints, answers, strict=True)}


def routes_to(request: RouteRequest, layers: Sequence[DecidingLayer]) -> list[Route]:
    """Return the distinct routes to an endpoint, each with its users."""
    merged: dict[str | None, Route] = {}
    for deciding in layers:
        route = _route(deciding, request)
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
    if urlsplit(endpoint.url).path:
        return endpoint.url
    return f"{endpoint.url}/"


def _route(deciding: DecidingLayer, request: RouteRequest) -> Route:
    layer = deciding.layer
    if layer.error:
        return Route(None, deciding.users, f"{layer.title}: {layer.error}")
    candidates = [_route_by(layer, settings, request) for settings in layer.candidates]
    first = candidates[0]
    reason = first.reason
    proxy = first.proxy
    if any(candidate.proxy != proxy for candidate in candidates):
        proxy = None
        reason = f"{layer.title}: {layer.doubt}"
    return dataclasses.replace(
        first,
        proxy=proxy,
        users=deciding.users,
        reason=reason,
        autodetect=any(candidate.autodetect for candidate in candidates),
        needs_address=any(candidate.needs_address for candidate in candidates),
    )


def _route_by(layer: Layer, settings: ConnectionSettings, request: RouteRequest) -> Route:
    """Return the route by one of the settings that Windows may act on, without users."""
    meaning = Meaning.of_blob(settings)
    autodetect = bool(meaning.flags & AUTODETECT)
    subject = layer.title
    if autodetect:
        subject += " ask for automatic detection, and where no network answers it,"
    try:
        proxy, why = _proxy_without_script(settings, meaning, request)
    except ListError as error:
        # A script does not help: .NET Framework parses all of the settings or none.
        return Route(None, (), f"{layer.title}: {error}", autodetect)
    if not meaning.pac_url:
        return Route(proxy, (), f"{subject} {why}", autodetect)
    route = _script_route(meaning.pac_url, request, proxy)
    return dataclasses.replace(route, reason=f"{subject} {route.reason}", autodetect=autodetect)


def _proxy_without_script(
    settings: ConnectionSettings, meaning: Meaning, request: RouteRequest
) -> tuple[str, str]:
    """Return the route without any script, and why. Raises ListError."""
    endpoint = request.endpoint
    if not meaning.server:
        return DIRECT, "name no proxy"
    server = server_for(settings.proxy, endpoint.scheme)
    if not server:
        return DIRECT, f"name no proxy for {endpoint.scheme}"
    entry = bypass_entry(
        settings.bypass, endpoint.scheme, endpoint.host, endpoint.port, request.domain
    )
    if entry:
        return DIRECT, f"let {endpoint.host} bypass the proxy ({entry})"
    return server, f"name the proxy {server}"


def _script_route(url: str, request: RouteRequest, named_proxy: str) -> Route:
    """Return the route with a script; its reason is a clause about the settings."""
    title = without_logins(url)
    if not pac.is_fetchable(url):
        reason = (
            f"use the script {title}, which is not probed: only scripts over http and https are, and "
            "WinHTTP runs no others"
        )
        return Route(None, (), reason)
    answers = request.script_answers[url]
    if not isinstance(answers, pac.PacError):
        answer = answers[request.endpoint.name]
        if answer.error:
            return _route_of_failing_script(pac.failure(url, answer.error), named_proxy)
        route = _answered_route(answer, request, named_proxy)
        return dataclasses.replace(route, reason=f"use the script {title}, which {route.reason}")
    if answers.is_empty:
        return _route_of_failing_script(str(answers), named_proxy)
    if answers.is_unfetched:
        reason = f"use a script, but {answers}, so Windows continues without it"
        return Route(named_proxy, (), reason)
    return Route(None, (), f"use a script, and {answers}")


def _route_of_failing_script(error: str, named_proxy: str) -> Route:
    alternatives = () if named_proxy == DIRECT else (named_proxy,)
    reason = f"use a script, but {error}, so .NET Framework continues as if it named no proxy"
    return Route(DIRECT, (), reason, alternatives=alternatives)


def _answered_route(answer: pac.Answer, request: RouteRequest, named_proxy: str) -> Route:
    """Return the route that a script names; its reason is a clause about the script."""
    if answer.unanswered:
        questions = ", ".join(answer.unanswered)
        address = f"the address of {request.endpoint.host}"
        needs_address = any(question.lower() == address for question in answer.unanswered)
        reason = f"asks for {questions}, which could not be determined"
        return Route(None, (), reason, needs_address=needs_address)
    text = without_logins(answer.text)[:MAX_SCRIPT_TEXT]
    if answer.doubt:
        return Route(None, (), f"answers '{text}', but {answer.doubt}")
    proxies = pac.parse_answer(answer.text)
    if not proxies:
        return Route(None, (), f"answers '{text}': what .NET Framework makes of it is not known")
    candidates = tuple(dict.fromkeys((*proxies, named_proxy)))[:MAX_SCRIPT_ROUTES]
    # Where no route reaches a server, ETS6 reports the error of the first one.
    index = 0
    for position, candidate in enumerate(candidates):
        if candidate not in request.failed_routes:
            index = position
            break
    return Route(
        candidates[index],
        (),
        f"answers '{text}'",
        unreached=candidates[:index],
        alternatives=candidates[index + 1 :],
    )
