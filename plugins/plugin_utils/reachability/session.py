# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probes in the session of a user who is logged on: only there does Windows have the login that a proxy wants."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..proxy.context import ProxyContext
from ..proxy.layers import name_of
from ..proxy.login import NATIVE_SCHEMES, offered
from ..snapshot import User

USER = "user"
"""The field of a probe's result that names the user as whom it was made."""
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
        (probe["name"], probe["way"])
        for probe in snapshot.probes or ()
        if USER not in probe and any(_native(probe.get(stage)) for stage in ("connect", "http"))
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
                probe = {"name": endpoint.name, "url": endpoint.url, "way": str(way.way), "first": first}
                asked.setdefault(way.users[0], []).append(probe)
    return [(here[name], probes) for name, probes in asked.items()]


def results(lines: Any, user: User, probes: Sequence[Mapping[str, str]]) -> tuple[list[dict[str, Any]], str]:
    """Return what a user's process wrote in the form of windows_host's probes, and what was not usable of it, in words.

    A line is not usable that is not of its own form, or where Windows chose another proxy than the user's settings name.
    """
    name, left = name_of(user), {probe["name"]: probe for probe in probes}
    found, why = [], []
    for line in lines if isinstance(lines, list) else [lines]:
        try:
            told = json.loads(line)
            probe, way = left[str(told["name"])], str(told["way"])
            if way == probe["first"]:
                found.append(_result(told, name, probe))
            else:
                why.append(f"Windows chose {way or 'the direct way'} for {probe['name']}, and not what the settings name")
            del left[probe["name"]]
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, RecursionError) as error:
            why.append(f"what it answered cannot be read ({type(error).__name__}: {str(error)[:200]})")
    if left:
        why.append(f"it gave no usable answer for {', '.join(sorted(left))} in time")
    return found, f"the session of {name}: {'; '.join(why)}" if why else ""


def _result(told: dict[str, Any], user: str, probe: Mapping[str, str]) -> dict[str, Any]:
    status, error = int(told["status"]), str(told["error"])
    answer = (
        {"status": status, "headers": [_header(header) for header in told["headers"]], "body": str(told["body"])}
        if status
        else None
    )
    stage, kind = ("done", "") if answer else STAGES.get(error, ("http", "other"))
    # Without TLS an answer to a request for https is the proxy's own: it opened no tunnel.
    refused = status == 407 or bool(answer and probe["url"].startswith("https:") and not told["leaf"])
    tls = {
        "protocol": "",
        "policy_errors": [error] if error == "TrustFailure" else [],
        "presented": [str(told["leaf"])],
        "leaf_only": True,
        "built": [str(one) for one in told["built"]],
        "chain_status": [str(one) for one in told["chain_status"]],
    }
    return {
        "name": probe["name"],
        "way": probe["way"],
        USER: user,
        "stage": "connect" if refused else stage,
        "error": {"kind": "other", "code": status} if refused else {"kind": kind, "code": None} if kind else None,
        "addresses": [],
        "address": None,
        "local": None,
        "elapsed": {},
        "connect": answer if refused else None,
        "tls": tls if told["leaf"] else None,
        "http": None if refused else answer,
    }


def _header(line: str) -> list[str]:
    name, _colon, value = line.partition(": ")
    return [name, value]


def _native(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("status") == 407 and bool(offered(answer.get("headers")) & NATIVE_SCHEMES)
