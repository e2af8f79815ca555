# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probes in the session of a user who is logged on: only there does Windows have the login that a proxy wants."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..policy import Policy
from ..proxy import effective
from ..proxy.layers import name_of
from ..proxy.login import NATIVE_SCHEMES, offered
from ..snapshot import Snapshot, SnapshotError, User

USER = "user"
"""The field of a probe's result that names the user as whom it was made."""
STAGES = {"NameResolutionFailure": ("dns", "not_found"), "ProxyNameResolutionFailure": ("dns", "not_found"),
          "ConnectFailure": ("tcp", "unreachable"), "SecureChannelFailure": ("tls", "tls_alert"), "Timeout": ("http", "timeout"),
          "ReceiveFailure": ("http", "closed"), "ConnectionClosed": ("http", "closed"), "KeepAliveFailure": ("http", "closed")}  # fmt: skip
"""How far a request came, and what went wrong there, by .NET's WebExceptionStatus."""


def wanted(snapshot: Snapshot, policy: Policy) -> list[tuple[User, list[dict[str, str]]]]:
    """Return the probes to be made as a user: what is reached over a proxy that wants a login which Windows can hand over.

    way is the proxy that Windows should choose for it.
    """
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
    ways = effective.ways(snapshot, policy.endpoints, policy.proxy)
    for endpoint in policy.endpoints:
        for way in ways[endpoint.name]:
            # One user's login says nothing of another one's.
            if len(way.users) == 1 and way.users[0] in here and (endpoint.name, way.way) in refused:
                asked.setdefault(way.users[0], []).append({"name": endpoint.name, "url": endpoint.url, "way": str(way.way)})
    return [(here[name], probes) for name, probes in asked.items()]


def results(lines: Any, user: User, probes: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return what a user's process wrote in the form of windows_host's probes.

    Raises SnapshotError where it is not of its own form, or where Windows chose another proxy than the user's settings name.
    """
    name, asked = name_of(user), {probe["name"]: probe for probe in probes}
    try:
        found = [_result(json.loads(line), user, asked) for line in lines]
        other = next((one["way"] for one in found if one["way"] != asked[one["name"]]["way"]), None)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, RecursionError) as error:
        raise SnapshotError(f"what the session of {name} answered cannot be read ({type(error).__name__}: {error})") from None
    if other is not None:
        raise SnapshotError(f"for {name} Windows chose {other or 'the direct way'}, and not what the settings name")
    return found


def _result(line: dict[str, Any], user: User, asked: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    name, way, status, error = str(line["name"]), str(line["way"]), int(line["status"]), str(line["error"])
    answer = (
        {"status": status, "headers": [_header(header) for header in line["headers"]], "body": str(line["body"])}
        if status
        else None
    )
    presented = [str(line["leaf"])] if line["leaf"] else []
    stage, kind = ("done", "") if answer else STAGES.get(error, ("http", "other"))
    # Without TLS an answer to a request for https is the proxy's own: it opened no tunnel.
    refused = status == 407 or bool(answer and asked[name]["url"].startswith("https:") and not presented)
    tls = {
        "protocol": "",
        "policy_errors": [],
        "presented": presented,
        "built": [str(one) for one in line["built"]],
        "chain_status": [],
    }
    return {
        "name": name,
        "way": way,
        USER: name_of(user),
        "stage": "connect" if refused else stage,
        "error": {"kind": "other", "code": status} if refused else {"kind": kind, "code": None} if kind else None,
        "addresses": [],
        "address": None,
        "local": None,
        "elapsed": {},
        "connect": answer if refused else None,
        "tls": tls if presented else None,
        "http": None if refused else answer,
    }


def _header(line: str) -> list[str]:
    name, _colon, value = line.partition(": ")
    return [name, value]


def _native(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("status") == 407 and bool(offered(answer.get("headers")) & NATIVE_SCHEMES)
