# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxy's controls over a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..finding import Change, Control, Finding, Severity, Status
from ..formats import winhttp
from ..policy import Policy
from ..snapshot import Snapshot, State
from . import change, effective
from .layers import (
    DEFAULT_USER,
    MACHINE,
    PER_USER,
    POLICY,
    SETTINGS,
    Layer,
    Meaning,
    WinHttp,
    machine_layer,
    machine_wide,
    user_layers,
    winhttp_layers,
)

WININET = Control(
    "proxy.wininet",
    "WinINET's proxy, which ETS6 uses, is the wanted one",
    Severity.HIGH,
    "ETS6 has no proxy setting of its own; it uses WinINET's, of the user or, where ProxySettingsPerUser is 0, of the machine.",
    "Sets the proxy for the machine or for every user, as ets6_network_proxy says; both blobs and the plain values.",
)
WINHTTP = Control(
    "proxy.winhttp",
    "WinHTTP's proxy, which services use, is the wanted one",
    Severity.MEDIUM,
    "Services and Windows Update use WinHTTP's proxy, not WinINET's. ETS6 does not use it.",
    "Sets WinHTTP's proxy with netsh, where the mode is named or direct.",
)
EFFECTIVE = Control(
    "proxy.effective",
    "It is clear which proxy ETS6 uses",
    Severity.MEDIUM,
    "Layers that contradict each other send one user through the proxy and the next one not.",
    "Set ets6_network_proxy, or mend the layer that the finding names.",
)
LOGIN = Control(
    "proxy.login",
    "The proxy takes the PC user's own login, or none",
    Severity.HIGH,
    "ETS6 supports a proxy with a login only if the proxy's user is the PC's user: Windows hands that login over by Negotiate, Kerberos or NTLM.",
    "Have the proxy offer Negotiate, Kerberos or NTLM, or let the vendor's servers through without a login.",
)
NATIVE_SCHEMES = frozenset({"negotiate", "kerberos", "ntlm"})


def catalogue(policy: Policy) -> list[Control]:
    """Return the proxy's controls."""
    return [WININET, WINHTTP, EFFECTIVE, LOGIN]


def request(policy: Policy) -> dict[str, list[object]]:
    """Return what has to be read for them."""
    keys = [MACHINE, MACHINE + r"\Connections", POLICY, change.RECORDS, winhttp.KEYS[1]]
    users = [SETTINGS, SETTINGS + r"\Connections"]
    return {
        "registry": [{"path": path, "depth": 0} for path in keys],
        "user_registry": [{"path": path, "depth": 0} for path in users],
    }


def judge(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return a finding for each control."""
    if policy.state == "absent":
        gone = "The PC is to be as it was before; this is not asked of it then."
        return [
            _removed(WININET, snapshot, _wininet_removals(snapshot)),
            _removed(WINHTTP, snapshot, _winhttp_removals(snapshot)),
            Finding(EFFECTIVE, Status.NOT_APPLICABLE, gone),
            Finding(LOGIN, Status.NOT_APPLICABLE, gone),
        ]
    return [_wininet(snapshot, policy), _winhttp(snapshot, policy), _effective(snapshot, policy), _login(snapshot)]


def _wininet(snapshot: Snapshot, policy: Policy) -> Finding:
    setting = policy.proxy
    machine, users = machine_layer(snapshot), user_layers(snapshot)
    for_machine = machine_wide(snapshot.registry)
    evidence: dict[str, Any] = {
        "machine_wide": for_machine,
        "machine": _shown(machine),
        "users": {layer.id: _shown(layer) for layer in users},
    }
    if setting.mode == "unmanaged":
        return Finding(WININET, Status.NOT_APPLICABLE, "ets6_network_proxy leaves the proxy as it is (mode unmanaged).", evidence)
    wanted = change.wanted_meaning(setting)
    evidence["wanted"] = wanted.to_wire()
    wants_machine = setting.scope == "machine"
    policy_key = snapshot.registry.key(POLICY)
    if policy_key.state is State.UNREADABLE:
        return Finding(
            WININET,
            Status.UNKNOWN,
            f"Whose settings count is not known: {POLICY} could not be read: {policy_key.error}.",
            evidence,
        )
    layers = [machine] if wants_machine else users
    if not wants_machine and snapshot.users is None:
        return Finding(
            WININET, Status.UNKNOWN, f"The PC's users are not known: {snapshot.errors.get('users', 'no reason given')}.", evidence
        )
    sentences, remedy = [], []
    if for_machine != wants_machine:
        remedy.append(change.set_per_user(snapshot.registry, not wants_machine))
        whose = "the machine's settings count for everybody" if for_machine else "every user's own settings count"
        sentences.append(f"{PER_USER} is {'' if for_machine else 'not '}0, so {whose}.")
    unreadable = [layer for layer in layers if layer.error]
    for layer in layers:
        if layer.error:
            continue
        if layer.meaning != wanted:
            sentences.append(f"{_capital(layer.title)} say {layer.meaning.words()}; wanted is {wanted.words()}.")
            remedy.append(change.set_layer(snapshot.registry, layer, setting))
        elif not change.in_step(snapshot.registry, layer):
            sentences.append(f"{_capital(layer.title)} are not in step: the blobs and the plain values differ.")
            remedy.append(change.set_layer(snapshot.registry, layer, setting))
    sentences += [f"{_capital(layer.title)}: {layer.error}; that is not written over." for layer in unreadable]
    if remedy:
        return Finding(WININET, Status.FAIL, " ".join(sentences), evidence, remedy)
    if unreadable:
        return Finding(WININET, Status.UNKNOWN, " ".join(sentences), evidence)
    return Finding(
        WININET,
        Status.PASS,
        f"ETS6 is given {wanted.words()}, {'for every user of the PC' if wants_machine else 'user by user'}.",
        evidence,
    )


def _winhttp(snapshot: Snapshot, policy: Policy) -> Finding:
    setting = policy.proxy
    layers = winhttp_layers(snapshot.registry)
    evidence: dict[str, Any] = {layer.path: layer.error or layer.meaning.to_wire() for layer in layers}
    if setting.mode == "unmanaged":
        return Finding(WINHTTP, Status.NOT_APPLICABLE, "ets6_network_proxy leaves the proxy as it is (mode unmanaged).", evidence)
    if setting.mode not in ("named", "direct"):
        return Finding(
            WINHTTP,
            Status.NOT_APPLICABLE,
            f"WinHTTP's setting holds a named proxy or none; mode {setting.mode} is not for it.",
            evidence,
        )
    if any("0x" in layer.error for layer in layers):
        return Finding(WINHTTP, Status.UNKNOWN, f"{_errors(layers)} That is not written over.", evidence)
    if any(layer.error for layer in layers):
        return Finding(WINHTTP, Status.UNKNOWN, _errors(layers), evidence)
    wanted = change.wanted_meaning(setting)
    evidence["wanted"] = wanted.to_wire()
    wrong = [layer for layer in layers if layer.meaning != wanted]
    if wrong:
        return Finding(
            WINHTTP,
            Status.FAIL,
            f"WinHTTP has {wrong[0].meaning.words()}; wanted is {wanted.words()}.",
            evidence,
            [change.set_winhttp(snapshot.registry, wrong[0].meaning, setting)],
        )
    return Finding(WINHTTP, Status.PASS, f"WinHTTP has {wanted.words()}.", evidence)


def _effective(snapshot: Snapshot, policy: Policy) -> Finding:
    by_endpoint = {endpoint.name: effective.ways(snapshot, endpoint) for endpoint in policy.endpoints}
    evidence: dict[str, Any] = {
        "ways": {
            name: [{"way": way.way, "users": list(way.users), "reason": way.reason} for way in found]
            for name, found in by_endpoint.items()
        },
        "winhttp": {layer.path: layer.error or layer.meaning.to_wire() for layer in winhttp_layers(snapshot.registry)},
        "environment": {
            name: "set" for name in snapshot.environment if name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
        },
    }
    layers = effective.source(snapshot)
    if not layers:
        why = snapshot.errors.get("users", "no user's registry could be read")
        return Finding(EFFECTIVE, Status.UNKNOWN, f"Nobody's proxy settings are known: {why}.", evidence)
    broken = [layer for layer, _users in layers if layer.error]
    if broken:
        return Finding(
            EFFECTIVE, Status.UNKNOWN, " ".join(f"{_capital(layer.title)}: {layer.error}." for layer in broken), evidence
        )
    meanings: dict[Meaning, list[str]] = {}
    for layer, users in layers:
        meanings.setdefault(layer.meaning, []).extend(users)
    told = "; ".join(f"{', '.join(users)}: {meaning.words()}" for meaning, users in meanings.items())
    out_of_step = [layer for layer, _users in layers if layer.settings is not None and _plain_contradicts(snapshot, layer)]
    if out_of_step:
        titles = ", ".join(layer.title for layer in out_of_step)
        return Finding(
            EFFECTIVE,
            Status.FAIL,
            f"The blob and the plain values contradict each other in {titles}; the blob decides. {told}.",
            evidence,
        )
    if len(meanings) > 1:
        return Finding(EFFECTIVE, Status.FAIL, f"The users of this PC have different ways out: {told}.", evidence)
    nobody = not any(user.logged_on for user in snapshot.users or () if user.sid != DEFAULT_USER)
    note = (
        " Nobody is logged on; these are the settings that the next user has."
        if nobody and not machine_wide(snapshot.registry)
        else ""
    )
    return Finding(
        EFFECTIVE,
        Status.PASS,
        f"ETS6 uses {next(iter(meanings)).words()} ({', '.join(next(iter(meanings.values())))}).{note}",
        evidence,
    )


def _login(snapshot: Snapshot) -> Finding:
    """Judge what proxies answered to the probes: 407 names the schemes (RFC 9110, 15.5.8 and 11.7.1)."""
    proxied = [probe for probe in snapshot.probes or () if probe.get("way")]
    if not proxied:
        return Finding(LOGIN, Status.NOT_APPLICABLE, "No endpoint is reached through a proxy.")
    schemes: dict[str, set[str]] = {}
    answered = set()
    for probe in proxied:
        for stage in ("connect", "http"):
            answer = probe.get(stage)
            if isinstance(answer, Mapping) and isinstance(answer.get("status"), int):
                answered.add(str(probe["way"]))
                if answer["status"] == 407:
                    schemes.setdefault(str(probe["way"]), set()).update(offered(answer.get("headers")))
    evidence = {way: sorted(found) for way, found in sorted(schemes.items())}
    if not answered:
        return Finding(
            LOGIN,
            Status.UNKNOWN,
            f"The proxy {_listed(probe['way'] for probe in proxied)} gave no answer, so whether it wants a login is not known.",
        )
    if not schemes:
        return Finding(LOGIN, Status.PASS, f"The proxy {_listed(answered)} asks for no login.")
    unfit = {way: found for way, found in schemes.items() if not found & NATIVE_SCHEMES}
    if unfit:
        way, found = sorted(unfit.items())[0]
        offers = ", ".join(sorted(found)) or "no scheme at all"
        return Finding(
            LOGIN,
            Status.FAIL,
            f"The proxy {way} asks for a login and offers {offers}; ETS6 can only hand over the PC user's own login, by Negotiate, Kerberos or NTLM. "
            "Have the proxy offer one of these, or let the vendor's servers through without a login.",
            evidence,
        )
    offers = "; ".join(f"{way}: {', '.join(sorted(found))}" for way, found in sorted(schemes.items()))
    return Finding(
        LOGIN,
        Status.PASS,
        f"The proxy asks for a login and offers what Windows can answer ({offers}). It works only if the proxy's user is the PC's user; "
        "this connection has no such login, so that was not proven.",
        evidence,
    )


def offered(headers: Any) -> set[str]:
    """Return the schemes of all Proxy-Authenticate headers, in lower case; one header may name several, with parameters."""
    found = set()
    for header in headers if isinstance(headers, (list, tuple)) else ():
        if not (isinstance(header, (list, tuple)) and len(header) == 2 and all(isinstance(part, str) for part in header)):
            continue
        if header[0].lower() == "proxy-authenticate":
            for challenge in header[1].split(","):
                scheme = challenge.strip().partition(" ")[0].lower()
                if scheme and "=" not in scheme:
                    found.add(scheme)
    return found


def _plain_contradicts(snapshot: Snapshot, layer: Layer) -> bool:
    """Return whether the plain values say another proxy than the blob: the trap in which an administrator looks at the wrong one."""
    return snapshot.registry.value(layer.path + r"\Connections", "DefaultConnectionSettings") is not None and not change.in_step(
        snapshot.registry, layer
    )


def _wininet_removals(snapshot: Snapshot) -> list[tuple[str, str, dict[str, Any]]]:
    per_user = snapshot.registry.value(POLICY, PER_USER)
    layers = [machine_layer(snapshot), *user_layers(snapshot)]
    return [
        ("policy", PER_USER, {PER_USER: None if per_user is None else per_user.data}),
        *((layer.id, f"WinINET proxy, {layer.title}", layer.meaning.to_wire()) for layer in layers),
    ]


def _winhttp_removals(snapshot: Snapshot) -> list[tuple[str, str, dict[str, Any]]]:
    return [("winhttp", "WinHTTP proxy", winhttp_layers(snapshot.registry)[0].meaning.to_wire())]


def _removed(control: Control, snapshot: Snapshot, places: Iterable[tuple[str, str, dict[str, Any]]]) -> Finding:
    """Judge whether what this collection set is put back; what somebody changed since stays as it is."""
    remedy: list[Change] = []
    kept = []
    for layer_id, title, now in places:
        if change.record(snapshot.registry, layer_id) is None:
            continue
        back = change.put_back(snapshot.registry, layer_id, title, now)
        if back:
            remedy.append(back)
        else:
            kept.append(title)
    if remedy:
        return Finding(
            control, Status.FAIL, f"Still as this collection set it: {_listed(one.subject for one in remedy)}.", remedy=remedy
        )
    if kept:
        return Finding(control, Status.PASS, f"Changed by somebody since this collection set it, so it stays: {_listed(kept)}.")
    return Finding(control, Status.PASS, "Nothing here was set by this collection.")


def _shown(layer: Layer) -> Any:
    return layer.error or layer.meaning.to_wire()


def _errors(layers: Iterable[WinHttp]) -> str:
    return " ".join(f"{layer.error}." for layer in layers if layer.error)


def _listed(items: Iterable[Any]) -> str:
    return ", ".join(sorted({str(item) for item in items}))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
