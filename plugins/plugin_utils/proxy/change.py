# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has to be written so that a layer means what is wanted, and how to put back what was there before.

Before the first change of a layer its values are kept on the PC, one REG_SZ with JSON for a layer, in a key of this
collection's own (RECORDS): ``{"before": [[path, name, [type, data] or null], …], "set": {…}}``. Removal puts them back if the
layer still means what was set; then the record goes too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..finding import Change
from ..formats import winhttp
from ..formats.registry import Value, WireError, dword, text
from ..formats.wininet import PAC, PROXY, VALUES, ConnectionSettings
from ..operations import Operation, RemoveRegistryValue, SetRegistryValue, SetWinHttpProxy
from ..snapshot import Registry
from .layers import PER_USER, POLICY, Layer, Meaning
from .setting import ProxySetting

RECORDS = r"HKLM\SOFTWARE\ets6.network\Proxy"
PLAIN = ("ProxyEnable", "ProxyServer", "ProxyOverride", "AutoConfigURL")

Written = tuple[str, str, Value | None]


def wanted_meaning(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to."""
    return Meaning.of(setting.flags, setting.server, ";".join(setting.bypass), setting.pac_url)


def in_step(registry: Registry, layer: Layer) -> bool:
    """Return whether both blobs and the plain values of a layer say the same."""
    meaning = layer.meaning
    other = registry.value(layer.path + r"\Connections", VALUES[1])
    first = registry.value(layer.path + r"\Connections", VALUES[0])
    if first is None or other is None:
        return False
    try:
        twin = ConnectionSettings.parse(other.data if isinstance(other.data, bytes) else b"")
    except ValueError:
        return False
    plain = registry.key(layer.path).values
    enabled = plain.get("ProxyEnable")
    server, bypass, pac = (plain.get(name) for name in PLAIN[1:])
    flags = (PROXY if enabled is not None and enabled.data else 0) | (PAC if pac is not None else 0)
    spoken = Meaning.of(flags, *(str(value.data) if value is not None else "" for value in (server, bypass, pac)))
    compared = Meaning(meaning.flags & (PROXY | PAC), meaning.server, meaning.bypass, meaning.pac_url)
    return Meaning.of(twin.flags, twin.proxy, twin.bypass, twin.pac_url) == meaning and spoken == compared


def set_layer(registry: Registry, layer: Layer, setting: ProxySetting) -> Change:
    """Return the change that makes a layer mean what is wanted."""
    known = layer.settings or ConnectionSettings(0)
    named = setting.mode == "named"
    blob = Value(
        "REG_BINARY",
        known.changed(
            setting.flags,
            setting.server if named else known.proxy,
            ";".join(setting.bypass) if named else known.bypass,
            setting.pac_url if setting.mode == "pac" else "",
        ).write(),
    )
    written: list[Written] = [
        *((layer.path + r"\Connections", name, blob) for name in VALUES),
        (layer.path, "ProxyEnable", dword(1 if named else 0)),
        (layer.path, "AutoConfigURL", text(setting.pac_url) if setting.mode == "pac" else None),
    ]
    if named:
        written.append((layer.path, "ProxyServer", text(setting.server)))
        written.append((layer.path, "ProxyOverride", text(";".join(setting.bypass)) if setting.bypass else None))
    meaning = wanted_meaning(setting)
    return Change(
        f"WinINET proxy, {layer.title}",
        layer.meaning.to_wire(),
        meaning.to_wire(),
        [*_keep(registry, layer.id, written, meaning.to_wire()), *_write(registry, written, _unit(layer.id))],
    )


def set_per_user(registry: Registry, per_user: bool) -> Change:
    """Return the change that makes the users' own settings count, or the machine's for everybody."""
    found = registry.value(POLICY, PER_USER)
    written: list[Written] = [(POLICY, PER_USER, None if per_user else dword(0))]
    before, after = None if found is None else found.data, None if per_user else 0
    return Change(
        "ProxySettingsPerUser",
        {PER_USER: before},
        {PER_USER: after},
        [*_keep(registry, "policy", written, {PER_USER: after}), *_write(registry, written, _unit("policy"))],
    )


def set_winhttp(registry: Registry, before: Meaning, setting: ProxySetting) -> Change:
    """Return the change of WinHTTP's proxy."""
    after = wanted_meaning(setting)
    blob = Value("REG_BINARY", winhttp.compose(setting.server, ";".join(setting.bypass)))
    written: list[Written] = [(path, winhttp.VALUE, blob) for path in winhttp.KEYS]
    step = SetWinHttpProxy(setting.server, ";".join(setting.bypass), _unit("winhttp"))
    return Change(
        "WinHTTP proxy", before.to_wire(), after.to_wire(), [*_keep(registry, "winhttp", written, after.to_wire()), step]
    )


def record(registry: Registry, layer_id: str) -> dict[str, Any] | None:
    """Return what was kept of a layer; None where nothing was, or where it is not readable as a record."""
    value = registry.value(RECORDS, layer_id)
    if value is None or not isinstance(value.data, str):
        return None
    try:
        raw = json.loads(value.data)
    except (json.JSONDecodeError, RecursionError):
        return None
    return raw if isinstance(raw, dict) and isinstance(raw.get("before"), list) and isinstance(raw.get("set"), dict) else None


def put_back(registry: Registry, layer_id: str, title: str, now: dict[str, Any]) -> Change | None:
    """Return the change that puts back what a layer held before, or None where that is not known or somebody changed it since."""
    kept = record(registry, layer_id)
    if kept is None or kept["set"] != now:
        return None
    unit = _unit(layer_id)
    steps: list[Operation] = []
    for entry in kept["before"]:
        try:
            path, name, wire = entry
            value = None if wire is None else Value.from_wire(wire)
        except (TypeError, ValueError, WireError):
            return None
        steps += _write(registry, [(path, name, value)], unit)
    steps.append(RemoveRegistryValue(RECORDS, layer_id, unit))
    return Change(f"{title}, as it was before", {"settings": "set by ets6.network"}, {"settings": "as before"}, steps)


def _keep(registry: Registry, layer_id: str, written: Sequence[Written], meaning: dict[str, Any]) -> list[Operation]:
    """Return the step that records what is about to be overwritten; of an earlier record the first state stays."""
    kept = record(registry, layer_id)
    known = {(entry[0], entry[1]) for entry in kept["before"]} if kept else set()
    before = list(kept["before"]) if kept else []
    for path, name, _value in written:
        if (path, name) not in known:
            found = registry.value(path, name)
            before.append([path, name, None if found is None else found.to_wire()])
    content = json.dumps({"before": before, "set": meaning}, sort_keys=True)
    return [SetRegistryValue(RECORDS, layer_id, text(content), _unit(layer_id))]


def _write(registry: Registry, written: Sequence[Written], unit: str) -> list[Operation]:
    steps: list[Operation] = []
    for path, name, value in written:
        found = registry.value(path, name)
        if value is None and found is not None:
            steps.append(RemoveRegistryValue(path, name, unit))
        elif value is not None and value != found:
            steps.append(SetRegistryValue(path, name, value, unit))
    return steps


def _unit(layer_id: str) -> str:
    return f"proxy {layer_id}"
