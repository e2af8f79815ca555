# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether it is certain which proxy ETS6 uses, and what contradicts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..formats.wininet import AUTODETECT
from ..text import sentence
from .changes import is_consistent
from .context import ProxyContext
from .lists import ListError, server_for, without_logins
from .meaning import Meaning
from .settings import (
    PER_USER,
    POLICY,
    POLICY_SETTINGS,
    DecidingLayer,
    dial_up_connections,
    plain_meaning,
    read_blobs,
    user_key,
)
from .users import DEFAULT_USER, name_of


def judge_certainty(context: ProxyContext) -> Judgement:
    """Judge whether it is certain which proxy ETS6 uses."""
    evidence: dict[str, Any] = {
        "ways": _route_evidence(context),
        "winhttp": winhttp_evidence(context),
    }
    layers = context.pc_layers
    if not layers:
        cause = context.snapshot.errors.get("users", "no user's registry could be read")
        return unknown(f"No user's proxy settings could be determined: {cause}.", evidence)
    errors = [
        f"{sentence(deciding.layer.title)}: {deciding.layer.error}."
        for deciding in layers
        if deciding.layer.error
    ]
    if errors:
        return unknown(" ".join(errors), evidence)
    summary = _summary(context)
    connections = _dial_up_connections(context)
    evidence["connections"] = {key: meaning.to_wire() for key, _layer, meaning in connections}
    for key, deciding, meaning in connections:
        if meaning != deciding.layer.meaning:
            name = key.partition(": ")[2]
            summary += (
                f" While the connection '{name}' is up, it is {meaning.describe()} instead (in "
                f"{deciding.layer.title})."
            )
    contradictions = _contradictions(context)
    if contradictions:
        return failed(" ".join([*contradictions, summary]), evidence)
    undetermined = _undetermined_reasons(context)
    if undetermined:
        return unknown(
            f"Which proxy ETS6 uses could not be determined: {'; '.join(undetermined)}. {summary}",
            evidence,
        )
    return _judge_detection(context, summary, evidence)


def winhttp_evidence(context: ProxyContext) -> dict[str, Any]:
    """Return what WinHTTP has, by its keys."""
    return {layer.path: layer.error or layer.meaning.to_wire() for layer in context.winhttp_layers}


def _judge_detection(context: ProxyContext, summary: str, evidence: dict[str, Any]) -> Judgement:
    """Judge the case in which nothing but automatic detection can make the proxy uncertain."""
    detecting = [
        deciding.layer
        for deciding in context.pc_layers
        if deciding.layer.meaning.flags & AUTODETECT
    ]
    if not detecting:
        return passed(summary, evidence)
    if context.policy.proxy.mode == "autodetect":
        return not_applicable(
            f"Each network decides, as ets6_network_proxy asks for. {summary}", evidence
        )
    urls = {layer.settings.detected_script for layer in detecting if layer.settings}
    urls.discard("")
    history = "so far it never found a script"
    if urls:
        history = f"the last script that it found is {without_logins(', '.join(sorted(urls)))}"
    return unknown(
        f"{summary} Whether a network answers automatic detection depends on the network, and cannot "
        f"be read from the PC ({history}). Where no network of yours uses it, set ets6_network_proxy "
        "to mode direct or named; where you want it, to mode autodetect.",
        evidence,
    )


def _route_evidence(context: ProxyContext) -> dict[str, list[dict[str, Any]]]:
    evidence: dict[str, list[dict[str, Any]]] = {}
    for name, routes in context.routes.items():
        evidence[name] = [
            {"way": route.proxy, "users": list(route.users), "reason": route.reason}
            for route in routes
        ]
    return evidence


def _summary(context: ProxyContext) -> str:
    summary = f"ETS6 uses {_usage(context.pc_layers)}."
    logged_on = any(user.logged_on for user in context.snapshot.users or ())
    if not logged_on and not context.machine_wide:
        summary += " No user is logged on; these are the settings that the next user has."
    return summary


def _usage(layers: Iterable[DecidingLayer]) -> str:
    users_by_meaning: dict[Meaning, list[str]] = {}
    for deciding in layers:
        users_by_meaning.setdefault(deciding.layer.meaning, []).extend(deciding.users)
    parts = [
        f"{meaning.describe()} ({', '.join(users)})" for meaning, users in users_by_meaning.items()
    ]
    return "; ".join(parts)


def _undetermined_reasons(context: ProxyContext) -> list[str]:
    reasons: set[str] = set()
    for routes in context.routes.values():
        reasons.update(route.reason for route in routes if route.proxy is None)
    return sorted(reasons)


def _dial_up_connections(context: ProxyContext) -> list[tuple[str, DecidingLayer, Meaning]]:
    """Return what VPN and dial-up connections have, each with its key in the evidence."""
    registry = context.snapshot.registry
    connections = []
    for deciding in context.pc_layers:
        layer = deciding.layer
        for name, meaning in dial_up_connections(registry, layer.path).items():
            connections.append((f"{layer.id}: {name}", deciding, meaning))
    return connections


def _contradictions(context: ProxyContext) -> list[str]:
    """Return a sentence for each setting that names another proxy than the one ETS6 uses.

    An administrator who reads such a setting is misled.
    """
    sources: Sequence[Callable[[ProxyContext], Iterator[str]]] = (
        _inconsistent_layers,
        _different_users,
        _unused_machine_settings,
        _dead_policy_values,
        _different_winhttp,
        _unfetched_scripts,
    )
    sentences: list[str] = []
    for contradictions in sources:
        sentences.extend(contradictions(context))
    return sentences


def _inconsistent_layers(context: ProxyContext) -> Iterator[str]:
    registry = context.snapshot.registry
    for deciding in context.pc_layers:
        layer = deciding.layer
        if read_blobs(registry, layer.path).settings and not is_consistent(registry, layer):
            yield (
                f"In {layer.title} blobs and plain values contradict each other; "
                "DefaultConnectionSettings decides."
            )


def _different_users(context: ProxyContext) -> Iterator[str]:
    if context.machine_wide:
        return
    layers = []
    for user in context.snapshot.users or ():
        layer = context.user_layers[user.sid]
        if user.sid != DEFAULT_USER and not layer.error:
            layers.append(DecidingLayer(layer, (name_of(user),)))
    if len({deciding.layer.meaning for deciding in layers}) > 1:
        yield f"The users of this PC have different proxies: {_usage(layers)}."


def _unused_machine_settings(context: ProxyContext) -> Iterator[str]:
    machine = context.machine_layer
    if context.machine_wide or machine.error or not machine.meaning.flags:
        return
    if _differs(machine.meaning, context):
        yield (
            f"The machine-wide settings say {machine.meaning.describe()}. They are not used, since "
            f"{PER_USER} is not 0."
        )


def _dead_policy_values(context: ProxyContext) -> Iterator[str]:
    paths = [POLICY]
    paths += [user_key(user, POLICY_SETTINGS) for user in context.snapshot.users or ()]
    for path in paths:
        meaning = plain_meaning(context.snapshot.registry, path)
        if meaning.flags and _differs(meaning, context):
            yield (
                f"Values below {path} say {meaning.describe()}; Windows does not act on them there."
            )


def _different_winhttp(context: ProxyContext) -> Iterator[str]:
    for layer in context.winhttp_layers:
        proxies = _proxies(layer.meaning)
        if layer.error or not layer.meaning.server:
            continue
        if any(_proxies(deciding.layer.meaning) != proxies for deciding in context.pc_layers):
            yield (
                f"WinHTTP has {layer.meaning.describe()}, which ETS6 does not use: it is for "
                "services. ETS6 uses WinINET's settings, see ets6_network_proxy."
            )
            return


def _unfetched_scripts(context: ProxyContext) -> Iterator[str]:
    for error in context.unfetched_scripts:
        yield f"{sentence(str(error))}, so Windows continues as if there were none."


def _differs(meaning: Meaning, context: ProxyContext) -> bool:
    """Return whether a meaning differs from what any user of ETS6 has."""
    return any(deciding.layer.meaning != meaning for deciding in context.pc_layers)


def _proxies(meaning: Meaning) -> tuple[str, str]:
    try:
        return server_for(meaning.server, "http"), server_for(meaning.server, "https")
    except ListError:
        return meaning.server, meaning.server
