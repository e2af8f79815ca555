# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probes in the session of a user who is logged on: only there does Windows have the login that a proxy wants."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..probes import HttpAnswer, Probe, ProbeError, TlsAnswer
from ..proxy.context import ProxyContext
from ..proxy.layers import name_of
from ..proxy.login import NATIVE_SCHEMES, offered
from ..snapshot import User
from ..wire import SnapshotError, data, expect, items, number, text

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
"""How far a request came, and what went wrong there, by .NET's WebExceptionStatus."""


def wanted(context: ProxyContext) -> list[tuple[User, list[dict[str, str]]]]:
    """Return the probes to be made as a user: what is reached over a proxy that wants a login which Windows can hand over.

    way is the proxy that ETS6 comes to, first the one that Windows should begin with.
    """
    snapshot, policy = context.snapshot, context.policy
    if policy.probe_as != USER or snapshot.offline or snapshot.vantage:
        return []
    refused = {
        probe.key
        for probe in snapshot.probes or ()
        if not probe.user and (_native(probe.connect) or _native(probe.http))
    }
    if not refused:
        return []
    here = {name_of(user): user for user in snapshot.users or () if user.logged_on}
    asked: dict[str, list[dict[str, str]]] = {}
    ways = context.ways
    for endpoint in policy.endpoints:
        for way in ways[endpoint.name]:
            # One user's login says nothing of another one's.
            if len(way.users) == 1 and way.users[0] in here and (endpoint.name, way.way) in refused:
                first = str((*way.passed, way.way)[0])
                probe = {"name": endpoint.name, "url": endpoint.url, "proxy": str(way.way), "first": first}
                asked.setdefault(way.users[0], []).append(probe)
    return [(here[name], probes) for name, probes in asked.items()]


def results(
    lines: Any, user: User, probes: Sequence[Mapping[str, str]]
) -> tuple[list[Probe], str]:
    """Return what a user's process wrote as probes, and what was not usable of it, in words.

    A line is not usable that is not of its own form, or where Windows chose another proxy than the
    user's settings name.
    """
    name = name_of(user)
    pending = {probe["name"]: probe for probe in probes}
    session_probes: list[Probe] = []
    problems: list[str] = []
    for line in lines if isinstance(lines, list) else [lines]:
        try:
            answer = _parse_line(line)
            probe = pending.pop(answer.name, None)
            if probe is None:
                raise SnapshotError(f"name: {answer.name!r} was not asked, or came twice")
        except SnapshotError as error:
            problems.append(f"what it answered cannot be read ({str(error)[:200]})")
            continue
        if answer.route == probe["first"]:
            session_probes.append(_session_probe(answer, name, probe))
        else:
            route = answer.route or "the direct way"
            problems.append(
                f"Windows chose {route} for {answer.name}, and not what the settings name"
            )
    if pending:
        problems.append(f"it gave no usable answer for {', '.join(sorted(pending))} in time")
    if not problems:
        return session_probes, ""
    return session_probes, f"the session of {name}: {'; '.join(problems)}"


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


def _session_probe(answer: _Answer, user: str, probe: Mapping[str, str]) -> Probe:
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


def _native(answer: HttpAnswer | None) -> bool:
    return answer is not None and answer.status == 407 and bool(offered(answer) & NATIVE_SCHEMES)
