# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether it is certain which proxy ETS6 uses, and what contradicts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..finding import Contact, Status
from ..formats.wininet import AUTODETECT, PAC
from ..text import sentence
from .changes import agrees_with_plain_values
from .context import ProxyContext
from .lists import ListError, server_for, without_logins
from .meaning import Meaning
from .settings import (
    MIGRATE,
    PER_USER,
    POLICY,
    POLICY_SETTINGS,
    DecidingLayer,
    Layer,
    dial_up_connections,
    plain_meaning,
    user_key,
)
from .users import DEFAULT_USER, name_of, users_with_hive, users_without_hive
from .winhttp import judge_winhttp
from .winhttp_settings import WinHttpLayer, winhttp_evidence
from .wininet import judge_wininet

NOT_READ = "system.net/defaultProxy in machine.config and in the .config file of ETS6"
"""What would override the settings that are judged, and is in files that are not read."""

REQUIRED_PROXY: Mapping[str, Callable[[ProxyContext], Judgement]] = {
    "proxy.wininet": judge_wininet,
    "proxy.winhttp": judge_winhttp,
}
"""The controls that judge whether the PC has the proxy that ets6_network_proxy requires."""


def judge_certainty(context: ProxyContext) -> Judgement:
    """Judge whether it is certain which proxy ETS6 uses."""
    evidence: dict[str, Any] = {
        "ways": _route_evidence(context),
        "winhttp": winhttp_evidence(context.winhttp_layers),
        "profiles_without_hive": users_without_hive(context.snapshot),
        "program_bitness": context.program_bitness,
        "not_read": NOT_READ,
    }
    obstacle = _obstacle(context)
    if obstacle:
        return unknown(obstacle, evidence)
    connections = _dial_up_connections(context)
    evidence["connections"] = _connection_evidence(connections)
    sentences = [_summary(context), *_notes(context, connections)]
    contradictions = _contradictions(context)
    if contradictions:
        judgement = failed(" ".join([*contradictions, *sentences]), evidence)
        return _advise(judgement, contradictions, context)
    summary = " ".join(sentences)
    undetermined = _undetermined_reasons(context)
    if undetermined:
        return unknown(
            f"Which proxy ETS6 uses could not be determined: {'; '.join(undetermined)}. {summary}",
            evidence,
        )
    return _judge_detection(context, summary, evidence)


@dataclass(frozen=True)
class _Connection:
    """What a VPN or dial-up connection has, and the layer that it replaces while it is up."""

    name: str
    layer: Layer
    meaning: Meaning

    @property
    def key(self) -> str:
        """Its key in the evidence."""
        return f"{self.layer.id}: {self.name}"


def _connection_evidence(connections: Iterable[_Connection]) -> dict[str, Any]:
    evidence = {}
    for connection in connections:
        evidence[connection.key] = connection.meaning.to_wire()
    return evidence


def _obstacle(context: ProxyContext) -> str:
    """Return why nothing can be judged; empty where it can."""
    if not context.pc_layers:
        cause = context.snapshot.errors.get("users", "no user's registry could be read")
        return f"No user's proxy settings could be determined: {cause}."
    sentences = []
    for deciding in context.pc_layers:
        if deciding.layer.error:
            sentences.append(f"{sentence(deciding.layer.title)}: {deciding.layer.error}.")
    return " ".join(sentences)


def _notes(context: ProxyContext, connections: Iterable[_Connection]) -> Iterator[str]:
    """Return sentences that belong to the summary, whatever the verdict."""
    for deciding in context.pc_layers:
        yield from deciding.layer.notes
    for connection in connections:
        if connection.layer.meanings != (connection.meaning,):
            yield (
                f"While the connection '{connection.name}' is up, it is "
                f"{connection.meaning.describe()} instead (in {connection.layer.title})."
            )
    for layer in _differing_winhttp(context, with_script=True):
        yield (
            f"WinHTTP has {layer.meaning.describe()}: that is for services, ETS6 does not use it."
        )


def _judge_detection(context: ProxyContext, summary: str, evidence: dict[str, Any]) -> Judgement:
    """Judge the case in which nothing but automatic detection can make the proxy uncertain."""
    detecting = []
    for deciding in context.pc_layers:
        if deciding.layer.uses(AUTODETECT):
            detecting.append(deciding.layer)
    if not detecting:
        return passed(summary, evidence)
    if context.policy.proxy.mode == "autodetect":
        return not_applicable(
            f"Each network decides, as ets6_network_proxy asks for. {summary}", evidence
        )
    urls = {layer.blob.detected_script for layer in detecting if layer.blob}
    urls.discard("")
    history = "so far it never found a script"
    if urls:
        scripts = ", ".join(without_logins(url) for url in sorted(urls))
        history = f"the last script that it found is {scripts}"
    judgement = unknown(
        f"{summary} Whether a network answers automatic detection depends on the network, and cannot "
        f"be read from the PC ({history}).",
        evidence,
    )
    return judgement.advise(
        "Set ets6_network_proxy: to mode direct or named where no network of yours uses automatic "
        "detection, to mode autodetect where one does. Then run ets6.network.enforce.",
        Contact.CONTROLLER,
    )


def _advise(
    judgement: Judgement, contradictions: Sequence[str], context: ProxyContext
) -> Judgement:
    """Return the judgement with which setting to correct, and who does it.

    It follows from another control where the PC does not have the proxy that ets6_network_proxy
    requires.
    """
    if contradictions == list(_failing_scripts(context)):
        return judgement.advise(f"Correct the proxy script. {contradictions[0]}", Contact.PROXY)
    if context.policy.proxy.mode == "unmanaged":
        return judgement.advise(
            "Set ets6_network_proxy and run ets6.network.enforce, or correct the settings on the "
            f"PC. {contradictions[0]}"
        )
    for control_id, judge in REQUIRED_PROXY.items():
        if judge(context).status is Status.FAIL:
            return judgement.follow(control_id)
    return judgement.advise(f"Correct the settings on the PC. {contradictions[0]}")


def _route_evidence(context: ProxyContext) -> dict[str, list[dict[str, Any]]]:
    evidence: dict[str, list[dict[str, Any]]] = {}
    for name, routes in context.routes.items():
        evidence[name] = []
        for route in routes:
            users = list(route.users)
            evidence[name].append({"way": route.proxy, "users": users, "reason": route.reason})
    return evidence


def _summary(context: ProxyContext) -> str:
    summary = f"ETS6 uses {_usage(context.pc_layers)}."
    logged_on = any(user.logged_on for user in context.snapshot.users or ())
    if not logged_on and not context.machine_wide:
        summary += " No user is logged on; these are the settings that the next user has."
    return summary


def _usage(layers: Iterable[DecidingLayer]) -> str:
    users_by_usage: dict[str, list[str]] = {}
    for deciding in layers:
        users_by_usage.setdefault(deciding.layer.describe(), []).extend(deciding.users)
    parts = []
    for usage, users in users_by_usage.items():
        parts.append(f"{usage} ({', '.join(users)})")
    return "; ".join(parts)


def _undetermined_reasons(context: ProxyContext) -> list[str]:
    reasons: set[str] = set()
    for routes in context.routes.values():
        for route in routes:
            if route.proxy is None:
                reasons.add(route.reason)
    return sorted(reasons)


def _dial_up_connections(context: ProxyContext) -> list[_Connection]:
    registry = context.snapshot.registry
    connections = []
    for deciding in context.pc_layers:
        layer = deciding.layer
        for name, meaning in dial_up_connections(registry, layer.path).items():
            connections.append(_Connection(name, layer, meaning))
    return connections


def _contradictions(context: ProxyContext) -> list[str]:
    """Return a sentence for each setting that keeps ETS6 from its proxy, or misleads a reader.

    The latter name another proxy than the one that ETS6 uses.
    """
    sources: Sequence[Callable[[ProxyContext], Iterator[str]]] = (
        _unreadable_lists,
        _unused_plain_values,
        _different_users,
        _unused_machine_settings,
        _dead_policy_values,
        _different_winhttp,
        _failing_scripts,
    )
    sentences: list[str] = []
    for contradictions in sources:
        sentences.extend(contradictions(context))
    return sentences


def _unreadable_lists(context: ProxyContext) -> Iterator[str]:
    for deciding in context.pc_layers:
        # Where there are several meanings, it is not certain that this one counts.
        meanings = deciding.layer.meanings
        if len(meanings) != 1 or not meanings[0].server:
            continue
        try:
            server_for(meanings[0].server, "http")
            server_for(meanings[0].server, "https")
        except ListError as error:
            yield f"{sentence(deciding.layer.title)}: {error}. Every request of ETS6 fails."


def _unused_plain_values(context: ProxyContext) -> Iterator[str]:
    """Yield plain values that Windows ignores, since MigrateProxy is 0."""
    registry = context.snapshot.registry
    for deciding in context.pc_layers:
        layer = deciding.layer
        migrate = registry.value(layer.path, MIGRATE)
        if migrate is None or migrate.data != 0:
            continue
        if layer.blob and not agrees_with_plain_values(registry, layer):
            yield (
                f"In {layer.title} blobs and plain values contradict each other; "
                f"DefaultConnectionSettings decides, since {MIGRATE} is 0."
            )


def _different_users(context: ProxyContext) -> Iterator[str]:
    if context.machine_wide:
        return
    layers = []
    for user in users_with_hive(context.snapshot):
        layer = context.user_layers[user.sid]
        if user.sid != DEFAULT_USER and not layer.error:
            layers.append(DecidingLayer(layer, (name_of(user),)))
    meanings = set()
    for deciding in layers:
        if len(deciding.layer.meanings) == 1:
            meanings.add(deciding.layer.meaning)
    if len(meanings) > 1:
        yield f"The users of this PC have different proxies: {_usage(layers)}."


def _unused_machine_settings(context: ProxyContext) -> Iterator[str]:
    machine = context.machine_layers[0]
    if context.machine_wide or machine.blob is None or not machine.meaning.flags:
        return
    if _differs(machine.meaning, context):
        yield (
            f"The machine-wide settings say {machine.meaning.describe()}. They are not used, since "
            f"{PER_USER} is not 0."
        )


def _dead_policy_values(context: ProxyContext) -> Iterator[str]:
    paths = [POLICY]
    paths += [user_key(user, POLICY_SETTINGS) for user in users_with_hive(context.snapshot)]
    for path in paths:
        meaning = plain_meaning(context.snapshot.registry, path)
        if meaning.flags and _differs(meaning, context):
            yield (
                f"Values below {path} say {meaning.describe()}; Windows does not act on them there."
            )


def _different_winhttp(context: ProxyContext) -> Iterator[str]:
    for layer in _differing_winhttp(context, with_script=False)[:1]:
        yield (
            f"WinHTTP has {layer.meaning.describe()}, which ETS6 does not use: it is for "
            "services. ETS6 uses WinINET's settings."
        )


def _differing_winhttp(context: ProxyContext, *, with_script: bool) -> list[WinHttpLayer]:
    """Return WinHTTP's settings that name another proxy than the settings of some user.

    with_script: of the users with a script or automatic detection, which WinHTTP's setting cannot
    hold; else of those without.
    """
    meanings: list[Meaning] = []
    for deciding in context.pc_layers:
        if deciding.layer.uses(PAC | AUTODETECT) == with_script:
            meanings.extend(deciding.layer.meanings)
    differing = []
    for layer in context.winhttp_layers:
        if layer.error or not layer.meaning.server:
            continue
        if any(_proxies(meaning) != _proxies(layer.meaning) for meaning in meanings):
            differing.append(layer)
    return differing


def _failing_scripts(context: ProxyContext) -> Iterator[str]:
    for error in context.failing_scripts:
        yield f"{sentence(error)}, so Windows continues as if there were none."


def _differs(meaning: Meaning, context: ProxyContext) -> bool:
    """Return whether a meaning differs from what any user of ETS6 has."""
    return any(meaning not in deciding.layer.meanings for deciding in context.pc_layers)


def _proxies(meaning: Meaning) -> tuple[str, str]:
    try:
        return server_for(meaning.server, "http"), server_for(meaning.server, "https")
    except ListError:
        return meaning.server, meaning.server
