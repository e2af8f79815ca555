# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probes in the session of a logged-on user: only there does Windows have the login for a proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..policy.endpoints import Endpoint
from ..probes import HttpAnswer, Probe, ProbeError, TlsAnswer
from ..proxy.context import ProxyContext
from ..proxy.login import NATIVE_SCHEMES, offered
from ..proxy.routes import Route
from ..proxy.users import name_of
from ..snapshot import Snapshot, User
from ..text import shorten
from ..wire import SnapshotError, data, expect, items, number, text

SessionProbe = Mapping[str, str]
"""A probe in a user's session: name, url, way (the proxy that ETS6 comes to) and first (the one that
Windows should begin with)."""

USER = "user"
STAGES = {
    "NameResolutionFailure": ("dns", "not_found"),
    "ProxyNameResolutionFailure": ("dns", "not_found"),
    "ConnectFailure": ("tcp", "unreachable"),
    "SecureChannelFailure": ("tls", "tls_alert"),
    "TrustFailure": ("http", "closed"),
    "Timeout": ("http", "timeout"),
    "ReceiveFailure": ("http", "closed"),
    "ConnectionClosed": ("http", "closed"),
    "KeepAliveFailure": ("http", "closed"),
}
"""The stage that a request reached and its error there, by .NET's WebExceptionStatus."""
MAX_ERROR = 200
"""Characters of an error that names a line of the session."""


def user_probes(context: ProxyContext) -> list[tuple[User, list[SessionProbe]]]:
    """Return the probes to be made as a user.

    They are those of endpoints behind a proxy that wants a login which Windows can hand over.
    """
    snapshot, policy = context.snapshot, context.policy
    if policy.probe_as != USER or snapshot.offline or snapshot.vantage:
        return []
    refused = _refused_logins(snapshot)
    if not refused:
        return []
    plan = _plan(context, refused)
    logged_on = [user for user in snapshot.users or () if user.logged_on]
    return [(user, plan[name_of(user)]) for user in logged_on if name_of(user) in plan]


def _plan(context: ProxyContext, refused: set[tuple[str, str]]) -> dict[str, list[SessionProbe]]:
    """Return the probes by the user's name."""
    plan: dict[str, list[SessionProbe]] = {}
    for endpoint in context.policy.endpoints:
        for route in context.routes[endpoint.name]:
            # One user's login says nothing of another user's.
            if len(route.users) == 1 and (endpoint.name, route.proxy) in refused:
                plan.setdefault(route.users[0], []).append(_plan_probe(endpoint, route))
    return plan


def _refused_logins(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Return the keys of the probes that a proxy refused for want of a Windows login."""
    refused = set()
    for probe in snapshot.probes or ():
        wants_login = _wants_native_login(probe.connect) or _wants_native_login(probe.http)
        if wants_login and not probe.user:
            refused.add(probe.key)
    return refused


def _plan_probe(endpoint: Endpoint, route: Route) -> SessionProbe:
    first = (*route.unreached, route.proxy)[0]
    return {
        "name": endpoint.name,
        "url": endpoint.url,
        "proxy": str(route.proxy),
        "first": str(first),
    }


def read_results(lines: Any, user: User, probes: Sequence[SessionProbe]) -> tuple[list[Probe], str]:
    """Return what a user's process wrote as probes, and what of it could not be used, in words.

    A line cannot be used that is not of its form, or where Windows chose another proxy than the
    user's settings name.
    """
    name = name_of(user)
    pending = {probe["name"]: probe for probe in probes}
    session_probes: list[Probe] = []
    problems: list[str] = []
    for line in lines if isinstance(lines, list) else [lines]:
        try:
            session_probes.append(_read_line(line, name, pending))
        except SnapshotError as error:
            problems.append(str(error))
    if pending:
        problems.append(f"it gave no usable answer for {', '.join(sorted(pending))} in time")
    if not problems:
        return session_probes, ""
    return session_probes, f"the session of {name}: {'; '.join(problems)}"


def _read_line(line: Any, user: str, pending: dict[str, SessionProbe]) -> Probe:
    """Return the probe of a line, and take it from the pending ones. Raises SnapshotError."""
    try:
        answer = _parse_line(line)
        probe = pending.pop(answer.name, None)
        if probe is None:
            raise SnapshotError(f"name: {answer.name!r} was not requested, or came twice")
    except SnapshotError as error:
        message = f"its answer cannot be read ({shorten(str(error), MAX_ERROR)})"
        raise SnapshotError(message) from None
    if answer.route != probe["first"]:
        route = answer.route or "the direct route"
        raise SnapshotError(
            f"Windows chose {route} for {answer.name}, and not what the settings name"
        )
    return _session_probe(answer, user, probe)


@dataclass(frozen=True)
class _Answer:
    """One line of a user's process, as windows_session_probe documents it."""

    name: str
    route: str
    status: int
    error: str
    http: HttpAnswer | None
    tls: TlsAnswer | None


def _parse_line(line: Any) -> _Answer:
    try:
        record = expect(dict, json.loads(text(line, "line")), "line")
    except (json.JSONDecodeError, RecursionError) as failure:
        raise SnapshotError(f"line: not JSON: {failure}") from None
    status = number(record.get("status"), "status")
    error = text(record.get("error"), "error")
    http = tls = None
    if status:
        http = HttpAnswer(
            status,
            items(_parse_header, record.get("headers"), "headers"),
            data(record.get("body"), "body"),
            # Windows read a part of the body before the error.
            complete=error != "ReceiveFailure",
        )
    if record.get("leaf"):
        tls = TlsAnswer(
            (data(record["leaf"], "leaf"),),
            items(data, record.get("built"), "built"),
            policy_errors=(error,) if error == "TrustFailure" else (),
            chain_status=items(text, record.get("chain_status"), "chain_status"),
            leaf_only=True,
        )
    name, route = text(record.get("name"), "name"), text(record.get("proxy"), "proxy")
    return _Answer(name, route, status, error, http, tls)


def _parse_header(raw: Any, place: str) -> tuple[str, str]:
    name, _colon, value = text(raw, place).partition(": ")
    return name, value


def _session_probe(answer: _Answer, user: str, probe: SessionProbe) -> Probe:
    connect, http = None, answer.http
    stage, kind = ("done", "") if http else STAGES.get(answer.error, ("http", "other"))
    error = ProbeError(kind) if kind else None
    # Without TLS an answer to a request for https is the proxy's own: it opened no tunnel.
    is_proxys_own = bool(http) and probe["url"].startswith("https:") and answer.tls is None
    if answer.status == 407 or is_proxys_own:
        connect, http = http, None
        stage, error = "connect", ProbeError("other", answer.status)
    return Probe(
        probe["name"],
        probe["proxy"],
        stage,
        error,
        connect=connect,
        tls=answer.tls,
        http=http,
        user=user,
    )


def _wants_native_login(answer: HttpAnswer | None) -> bool:
    return answer is not None and answer.status == 407 and bool(offered(answer) & NATIVE_SCHEMES)
