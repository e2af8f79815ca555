# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxy's controls over a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ..declaration import Family, Judgement, failed, not_applicable, passed, unknown
from ..finding import Change, Contact, Severity, Status
from ..formats import winhttp
from ..formats.wininet import AUTODETECT
from ..policy.variables import Policy
from ..snapshot import Registry, Snapshot, State
from ..text import join_words, sentence
from . import change, effective, login, pac
from .bypass import ListError, server_for, without_logins
from .context import ProxyContext
from .layers import (
    DEFAULT_USER,
    MACHINE,
    PER_USER,
    POLICY,
    POLICY_SETTINGS,
    SETTINGS,
    Layer,
    Meaning,
    WinHttp,
    dialled_connections,
    machine_layer,
    machine_wide,
    name_of,
    plain_values,
    read_blobs,
    read_layer,
    user_layers,
    winhttp_layers,
)

FAMILY: Family[ProxyContext] = Family("proxy", Contact.PROXY)
USER_ENVIRONMENT = "Environment"
"""A user's own environment variables, below the user's root."""
VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
REPLACE = "To have it replaced, set ets6_network_proxy.replace_malformed; removal puts the old bytes back."


def request(policy: Policy) -> dict[str, list[object]]:
    """Return what has to be read for them."""
    keys = [MACHINE, MACHINE + r"\Connections", POLICY, change.RECORDS, winhttp.KEYS[1]]
    users = [SETTINGS, SETTINGS + r"\Connections", POLICY_SETTINGS, USER_ENVIRONMENT]
    return {
        "registry": [{"path": path} for path in keys],
        "user_registry": [{"path": path} for path in users],
    }


def _wininet_removed(context: ProxyContext) -> Judgement:
    return _removed(context.snapshot, _wininet_places(context.snapshot), users=True)


def _winhttp_removed(context: ProxyContext) -> Judgement:
    return _removed(context.snapshot, _winhttp_places())


def _wininet_places(snapshot: Snapshot) -> list[change.Place]:
    """Return what this collection may have set of WinINET: every layer, and last whose settings count."""
    layers = [machine_layer(snapshot), *user_layers(snapshot)]
    places = [
        change.Place(
            layer.id,
            f"WinINET proxy, {layer.title}",
            change.WININET_UNIT,
            (layer.path, layer.path + r"\Connections"),
            partial(_layer_now, layer),
        )
        for layer in layers
    ]
    return [*places, change.Place("policy", PER_USER, change.WININET_UNIT, (POLICY,), _per_user_now)]


def _layer_now(layer: Layer, registry: Registry) -> dict[str, Any] | None:
    now = read_layer(registry, layer.id, layer.title, layer.path)
    return None if now.error or layer.error else now.meaning.to_wire()


def _per_user_now(registry: Registry) -> dict[str, Any] | None:
    if registry.key(POLICY).state is State.UNREADABLE:
        return None
    value = registry.value(POLICY, PER_USER)
    return {PER_USER: None if value is None else value.data}


def _winhttp_places() -> list[change.Place]:
    return [change.Place("winhttp", "WinHTTP proxy", change.WINHTTP_UNIT, winhttp.KEYS, _winhttp_now)]


def _winhttp_now(registry: Registry) -> dict[str, Any] | None:
    first = winhttp_layers(registry)[0]
    return None if first.error else first.meaning.to_wire()


def _removed(
    snapshot: Snapshot, places: Sequence[change.Place], *, users: bool = False
) -> Judgement:
    """Judge whether what this collection set is put back; what somebody changed since stays as it is."""
    registry = snapshot.registry
    records = registry.key(change.RECORDS)
    if records.state is State.UNREADABLE:
        return unknown(f"What was there before is not known: {change.RECORDS} could not be read: {records.error}."
        )
    remedy: list[Change] = []
    changed, unreadable = [], []
    for place in places:
        if place.id not in records.values:
            continue
        back = change.put_back(registry, place)
        if back:
            remedy.append(back)
        elif place.read(registry) is None:
            unreadable.append(place.title)
        else:
            changed.append(place.title)
    if users and snapshot.users is not None:
        known = {place.id.lower() for place in places} | {"winhttp"}
        remedy += [change.forget(name) for name in records.values if name.lower() not in known]
    sentences = []
    if remedy:
        sentences.append(f"Still as this collection set it: {join_words(one.subject for one in remedy)}.")
    if unreadable:
        sentences.append(f"Cannot be read, so it was not put back: {join_words(unreadable)}.")
    if changed:
        sentences.append(f"Changed by somebody since this collection set it, so it stays: {join_words(changed)}.")
    status = Status.FAIL if remedy else Status.UNKNOWN if unreadable else Status.PASS
    return Judgement(status, " ".join(sentences) or "Nothing here was set by this collection.", remedy=remedy)


@FAMILY.control(
    control_id="proxy.wininet",
    title="WinINET has the wanted proxy, for ETS6",
    headline="WinINET, which ETS6 uses, does not have the wanted proxy",
    severity=Severity.HIGH,
    contact=Contact.PC,
    rationale="ETS6 has no proxy setting of its own. It uses WinINET's, of the user or, where "
    "ProxySettingsPerUser is 0, of the machine.",
    remedy="Sets the proxy for the machine or for every user, as ets6_network_proxy says: both "
    "blobs and the plain values.",
    absent=_wininet_removed,
)
def wininet(context: ProxyContext) -> Judgement:
    """Judge WinINET's settings, of the machine and of its users."""
    snapshot, policy = context.snapshot, context.policy
    setting = policy.proxy
    machine, users = machine_layer(snapshot), user_layers(snapshot)
    for_machine = machine_wide(snapshot.registry)
    evidence: dict[str, Any] = {
        "machine_wide": for_machine,
        "machine": _shown(machine),
        "users": {layer.id: _shown(layer) for layer in users},
    }
    if setting.mode == "unmanaged":
        return not_applicable("ets6_network_proxy leaves the proxy as it is (mode unmanaged).", evidence)
    wanted = change.wanted_meaning(setting)
    evidence["wanted"] = wanted.to_wire()
    wants_machine = setting.scope == "machine"
    policy_key = snapshot.registry.key(POLICY)
    if policy_key.state is State.UNREADABLE:
        return unknown(f"Whose settings count is not known: {POLICY} could not be read: {policy_key.error}.",
            evidence,
        )
    layers = [machine] if wants_machine else users
    if not wants_machine and snapshot.users is None:
        return unknown(f"The PC's users are not known: {snapshot.errors.get('users', 'no reason given')}.", evidence
        )
    sentences: list[str] = []
    remedy: list[Change] = []
    left: list[Layer] = []
    for layer in layers:
        if (layer.error or layer.malformed) and not (layer.malformed and setting.replace_malformed):
            left.append(layer)
        elif layer.malformed:
            sentences.append(f"{sentence(layer.title)}: {layer.malformed}; they are written anew.")
            remedy.append(change.set_layer(snapshot.registry, layer, setting))
        elif layer.meaning != wanted:
            sentences.append(f"{sentence(layer.title)} say {layer.meaning.words()}; wanted is {wanted.words()}.")
            remedy.append(change.set_layer(snapshot.registry, layer, setting))
        elif not change.in_step(snapshot.registry, layer):
            sentences.append(f"{sentence(layer.title)} are not in step: a blob is missing, or blobs and plain values differ.")
            remedy.append(change.set_layer(snapshot.registry, layer, setting))
    if for_machine != wants_machine:
        # Last, so that nobody is given settings that are not yet the wanted ones.
        remedy.append(change.set_per_user(snapshot.registry, not wants_machine))
        whose = "the machine's settings count for everybody" if for_machine else "every user's own settings count"
        sentences.append(f"{PER_USER} is {'' if for_machine else 'not '}0, so {whose}.")
    for layer in left:
        hint = f" {REPLACE}" if layer.malformed else ""
        sentences.append(f"{sentence(layer.title)}: {layer.malformed or layer.error}; that is not written over.{hint}")
    if left and wants_machine:
        # Switching to settings that cannot be read would give every user an unknown proxy.
        return unknown(" ".join(sentences), evidence)
    if remedy:
        return failed(" ".join(sentences), evidence, remedy)
    if left:
        return unknown(" ".join(sentences), evidence)
    return passed(f"ETS6 is given {wanted.words()}, {'for every user of the PC' if wants_machine else 'user by user'}.",
        evidence,
    )


@FAMILY.control(
    control_id="proxy.winhttp",
    title="WinHTTP has the wanted proxy, for services",
    headline="WinHTTP, which services use, does not have the wanted proxy",
    severity=Severity.MEDIUM,
    contact=Contact.PC,
    rationale="Services and Windows Update use WinHTTP's proxy, not WinINET's. ETS6 does not use "
    "it.",
    remedy="Sets WinHTTP's proxy with netsh, where the mode is named or direct.",
    absent=_winhttp_removed,
)
def winhttp_proxy(context: ProxyContext) -> Judgement:
    """Judge WinHTTP's settings."""
    snapshot, policy = context.snapshot, context.policy
    setting = policy.proxy
    layers = winhttp_layers(snapshot.registry)
    evidence: dict[str, Any] = {layer.path: layer.error or layer.meaning.to_wire() for layer in layers}
    if setting.mode == "unmanaged":
        return not_applicable("ets6_network_proxy leaves the proxy as it is (mode unmanaged).", evidence)
    if setting.mode not in ("named", "direct"):
        return not_applicable(f"WinHTTP's setting holds a named proxy or none; mode {setting.mode} is not for it.",
            evidence,
        )
    if any(layer.error and not (layer.malformed and setting.replace_malformed) for layer in layers):
        hint = f" That is not written over. {REPLACE}" if any(layer.malformed for layer in layers) else ""
        return unknown(_errors(layers) + hint, evidence)
    wanted = change.wanted_winhttp(setting)
    evidence["wanted"] = wanted.to_wire()
    wrong = [layer for layer in layers if layer.error or layer.meaning != wanted]
    if wrong:
        bits = {winhttp.KEYS[0]: "64-bit", winhttp.KEYS[1]: "32-bit"}
        told = " ".join(
            f"WinHTTP of {bits[layer.path]} programs: {layer.error}."
            if layer.error
            else f"WinHTTP of {bits[layer.path]} programs has {layer.meaning.words()}."
            for layer in wrong
        )
        return failed(f"{told} Wanted is {wanted.words()}.",
            evidence,
            [change.set_winhttp(snapshot.registry, wrong[0].meaning, setting)],
        )
    return passed(f"WinHTTP has {wanted.words()}.", evidence)


@FAMILY.control(
    control_id="proxy.effective",
    title="The proxy that ETS6 uses is certain",
    headline="The proxy that ETS6 uses is not certain",
    severity=Severity.MEDIUM,
    contact=Contact.PC,
    rationale="Settings that contradict each other send one user through the proxy and the next "
    "one not.",
    remedy="Set ets6_network_proxy, or correct the setting that the finding names.",
)
def effective_proxy(context: ProxyContext) -> Judgement:
    """Judge whether it is certain which proxy ETS6 uses."""
    snapshot, policy = context.snapshot, context.policy
    by_endpoint = context.ways
    evidence: dict[str, Any] = {
        "ways": {
            name: [{"way": way.way, "users": list(way.users), "reason": way.reason} for way in found]
            for name, found in by_endpoint.items()
        },
        "winhttp": {layer.path: layer.error or layer.meaning.to_wire() for layer in winhttp_layers(snapshot.registry)},
    }
    layers = effective.source(snapshot)
    if not layers:
        why = snapshot.errors.get("users", "no user's registry could be read")
        return unknown(f"Nobody's proxy settings are known: {why}.", evidence)
    broken = [layer for layer, _users in layers if layer.error]
    if broken:
        return unknown(" ".join(f"{sentence(layer.title)}: {layer.error}." for layer in broken), evidence
        )
    told = f"ETS6 uses {_who_uses_what(layers)}."
    if not any(user.logged_on for user in snapshot.users or ()) and not machine_wide(snapshot.registry):
        told += " Nobody is logged on; these are the settings that the next user has."
    told += _while_dialled(snapshot.registry, layers, evidence)
    contradictions = _contradictions(snapshot, layers)
    evidence["contradictions"] = contradictions
    if contradictions:
        return failed(" ".join([*contradictions, told]), evidence)
    undecided = sorted({sentence(way.reason) for found in by_endpoint.values() for way in found if way.way is None})
    if undecided:
        return unknown(f"Which proxy ETS6 uses cannot be told. {'. '.join(undecided)}. {told}", evidence
        )
    detecting = [layer for layer, _users in layers if layer.meaning.flags & AUTODETECT]
    if detecting and policy.proxy.mode == "autodetect":
        return not_applicable(f"The network decides at each place, as ets6_network_proxy wants it. {told}",
            evidence,
        )
    if detecting:
        last = sorted(
            {layer.settings.detected_script for layer in detecting if layer.settings and layer.settings.detected_script}
        )
        found = (
            f"the last script that it found is {without_logins(', '.join(last))}" if last else "so far it never found a script"
        )
        return unknown(f"{told} Whether a network answers automatic detection is decided anew at each place, and cannot be read here ({found}). "
            "Where no network of yours uses it, set ets6_network_proxy to mode direct or named; where it is wanted, to mode autodetect.",
            evidence,
        )
    return passed(told, evidence)


def _while_dialled(registry: Registry, layers: Iterable[tuple[Layer, tuple[str, ...]]], evidence: dict[str, Any]) -> str:
    """Put what VPN and dial-up connections have into the evidence; return a sentence for each that has something else."""
    found = [
        (layer, name, meaning) for layer, _users in layers for name, meaning in dialled_connections(registry, layer.path).items()
    ]
    evidence["connections"] = {f"{layer.id}: {name}": meaning.to_wire() for layer, name, meaning in found}
    return "".join(
        f" While the connection '{name}' is up it is {meaning.words()} instead (in {layer.title})."
        for layer, name, meaning in found
        if meaning != layer.meaning
    )


def _who_uses_what(layers: Iterable[tuple[Layer, tuple[str, ...]]]) -> str:
    meanings: dict[Meaning, list[str]] = {}
    for layer, users in layers:
        meanings.setdefault(layer.meaning, []).extend(users)
    return "; ".join(f"{meaning.words()} ({', '.join(users)})" for meaning, users in meanings.items())


def _contradictions(snapshot: Snapshot, layers: Sequence[tuple[Layer, tuple[str, ...]]]) -> list[str]:
    """Return a sentence for everything that says another proxy than the one ETS6 uses: where an administrator would look wrongly."""
    registry = snapshot.registry
    used = {layer.meaning for layer, _users in layers}
    found = []
    for layer, _users in layers:
        if read_blobs(registry, layer.path)[0] and not change.in_step(registry, layer):
            found.append(f"In {layer.title} blobs and plain values contradict each other; DefaultConnectionSettings decides.")
    if not machine_wide(registry):
        people = {user.sid: name_of(user) for user in snapshot.users or () if user.sid != DEFAULT_USER}
        own = [(layer, (people[layer.id],)) for layer in user_layers(snapshot) if layer.id in people and not layer.error]
        if len({layer.meaning for layer, _users in own}) > 1:
            found.append(f"The users of this PC have different ways out: {_who_uses_what(own)}.")
        machine = machine_layer(snapshot)
        if not machine.error and machine.meaning.flags and {machine.meaning} != used:
            found.append(
                f"The machine-wide settings say {machine.meaning.words()}, and nobody uses them, since {PER_USER} is not 0."
            )
    for path in (POLICY, *(rf"HKU\{user.sid}\{POLICY_SETTINGS}" for user in snapshot.users or ())):
        dead = Meaning.of(*plain_values(registry, path))
        if dead.flags and {dead} != used:
            found.append(f"Values below {path} say {dead.words()}; Windows does not act on them there.")
    for other in winhttp_layers(registry):
        if not other.error and other.meaning.server and any(_proxies(one) != _proxies(other.meaning) for one in used):
            found.append(
                f"WinHTTP has {other.meaning.words()}, which ETS6 does not use: it is for services. "
                "What ETS6 uses is WinINET's, see ets6_network_proxy."
            )
            break
    for url in effective.scripts(snapshot):
        try:
            pac.answers(snapshot, url, [], {})
        except pac.PacError as error:
            if error.unfetched:
                found.append(f"{sentence(str(error))}, so Windows goes on as if there were none.")
    return found


def _proxies(meaning: Meaning) -> tuple[str, str]:
    try:
        return server_for(meaning.server, "http"), server_for(meaning.server, "https")
    except ListError:
        return meaning.server, meaning.server


@FAMILY.control(
    control_id="proxy.login",
    title="The proxy accepts the PC user's own login, or asks for none",
    headline="The proxy asks for a login that ETS6 cannot give",
    severity=Severity.HIGH,
    rationale="ETS6 supports a proxy with a login only if the proxy's user is the PC's user: "
    "Windows hands that login over by Negotiate, Kerberos or NTLM.",
    remedy="Have the proxy offer Negotiate, Kerberos or NTLM, or exempt the vendor's servers from "
    "the login.",
    image="An image does not reach a proxy. Check a PC that was deployed from it.",
)
def proxy_login(context: ProxyContext) -> Judgement:
    """Judge which login the proxies ask for."""
    return login.judge(context)


@FAMILY.control(
    control_id="proxy.environment",
    title="Environment variables that name a proxy are known",
    headline="Environment variables name a proxy",
    severity=Severity.LOW,
    contact=Contact.PC,
    rationale="HTTP_PROXY and similar variables lead programs on .NET 5 or newer another way than "
    "ETS6, which does not read them.",
    remedy="Remove the variables where nothing needs them.",
)
def environment(context: ProxyContext) -> Judgement:
    """Report environment variables that name a proxy."""
    snapshot = context.snapshot
    of_machine = sorted(name for name in snapshot.environment if name.upper() in VARIABLES)
    named = list(of_machine)
    users = {}
    for user in snapshot.users or ():
        own = sorted(
            name for name in snapshot.registry.key(rf"HKU\{user.sid}\{USER_ENVIRONMENT}").values if name.upper() in VARIABLES
        )
        if own:
            users[user.sid] = own
            named += [f"{name} (of {name_of(user)})" for name in own]
    evidence = {"set": of_machine, "set_by_users": users}
    if not named:
        return passed("No environment variable of the PC or its users names a proxy.", evidence)
    return passed(f"{join_words(named)} {'is' if len(named) == 1 else 'are'} set. ETS6, a .NET Framework program, does not read that; "
        "programs on .NET 5 or newer do, and before the PC's own settings.",
        evidence,
    )


def _shown(layer: Layer) -> Any:
    return layer.error or layer.malformed or layer.meaning.to_wire()


def _errors(layers: Iterable[WinHttp]) -> str:
    return " ".join(f"{layer.error}." for layer in layers if layer.error)
