# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has to be written so that a layer means what is wanted, and how to put back what was there before.

Before the first change of a layer its values are kept on the PC, one REG_SZ with JSON for a layer, in a key of this
collection's own (RECORDS): ``{"before": {path: {name: [type, data] or null}}, "set": {…}}``. Removal puts them back if the layer
still means what was set; then the record goes too.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..finding import Change
from ..formats import winhttp
from ..formats.registry import Value, dword, fold, text
from ..formats.wininet import PAC, PROXY, VALUES, ConnectionSettings
from ..operations import (
    Operation,
    RegistryChange,
    SetRegistryValues,
    SetWinHttpProxy,
    by_key,
    predict,
)
from ..policy.proxy import ProxySetting
from ..snapshot import Registry
from .layers import PER_USER, PLAIN, POLICY, Layer, Meaning, plain_values, read_blobs

RECORDS = r"HKLM\SOFTWARE\ets6.network\Proxy"
WININET_UNIT = "proxy wininet"
"""The switch between users and machine and every layer are one unit: half of them would give ETS6 a proxy that nobody wanted."""
WINHTTP_UNIT = "proxy winhttp"


def wanted_meaning(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to."""
    return Meaning.of(setting.flags, setting.server, ";".join(setting.bypass), setting.pac_url)


def wanted_winhttp(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to for WinHTTP."""
    return Meaning.of(setting.flags, setting.winhttp_server, ";".join(setting.bypass), "")


def in_step(registry: Registry, layer: Layer) -> bool:
    """Return whether both blobs are there and say the same as the plain values."""
    blobs, problems = read_blobs(registry, layer.path)
    if problems or len(blobs) < len(VALUES):
        return False
    meanings = {Meaning.of(blob.flags, blob.proxy, blob.bypass, blob.pac_url) for blob in blobs.values()}
    # Automatic detection has no plain value that counts.
    compared = Meaning(layer.meaning.flags & (PROXY | PAC), layer.meaning.server, layer.meaning.bypass, layer.meaning.pac_url)
    return meanings == {layer.meaning} and Meaning.of(*plain_values(registry, layer.path)) == compared


def set_layer(registry: Registry, layer: Layer, setting: ProxySetting) -> Change:
    """Return the change that makes a layer mean what is wanted."""
    known = dataclasses.replace(layer.settings or ConnectionSettings(0), counter=layer.counter)
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
    written: list[RegistryChange] = [
        *((layer.path + r"\Connections", name, blob) for name in VALUES),
        (layer.path, PLAIN[0], dword(1 if named else 0)),
        (layer.path, PLAIN[3], text(setting.pac_url) if setting.mode == "pac" else None),
    ]
    if named:
        written.append((layer.path, PLAIN[1], text(setting.server)))
        written.append((layer.path, PLAIN[2], text(";".join(setting.bypass)) if setting.bypass else None))
    meaning = wanted_meaning(setting)
    return Change(
        f"WinINET proxy, {layer.title}",
        layer.meaning.to_wire(),
        meaning.to_wire(),
        [*_keep(registry, layer.id, WININET_UNIT, written, meaning.to_wire()), *_write(registry, written, WININET_UNIT)],
    )


def set_per_user(registry: Registry, per_user: bool) -> Change:
    """Return the change that makes the users' own settings count, or the machine's for everybody."""
    found = registry.value(POLICY, PER_USER)
    written: list[RegistryChange] = [(POLICY, PER_USER, None if per_user else dword(0))]
    before, after = None if found is None else found.data, None if per_user else 0
    return Change(
        "ProxySettingsPerUser",
        {PER_USER: before},
        {PER_USER: after},
        [*_keep(registry, "policy", WININET_UNIT, written, {PER_USER: after}), *_write(registry, written, WININET_UNIT)],
    )


def set_winhttp(registry: Registry, before: Meaning, setting: ProxySetting) -> Change:
    """Return the change of WinHTTP's proxy."""
    after = wanted_winhttp(setting)
    step = SetWinHttpProxy(setting.winhttp_server, ";".join(setting.bypass), WINHTTP_UNIT)
    blob = Value("REG_BINARY", winhttp.compose(step.server, step.bypass))
    written: list[RegistryChange] = [(path, winhttp.VALUE, blob) for path in winhttp.KEYS]
    return Change(
        "WinHTTP proxy",
        before.to_wire(),
        after.to_wire(),
        [*_keep(registry, "winhttp", WINHTTP_UNIT, written, after.to_wire()), step],
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
    return raw if isinstance(raw, dict) and isinstance(raw.get("before"), dict) and isinstance(raw.get("set"), dict) else None


@dataclass(frozen=True)
class Place:
    """Something of which a record may be kept: a layer, the switch between users and machine, or WinHTTP's proxy.

    keys are the only ones that a record of it may name. read gives what stands there, None where it cannot be read.
    """

    id: str
    title: str
    unit: str
    keys: tuple[str, ...]
    read: Callable[[Registry], dict[str, Any] | None]


def put_back(registry: Registry, place: Place) -> Change | None:
    """Return the change that puts back what was there before, or None where that is not known or somebody changed it since."""
    kept, now = record(registry, place.id), place.read(registry)
    if kept is None or now is None or kept["set"] != now:
        return None
    keys = {fold(key) for key in place.keys}
    before: list[RegistryChange] = []
    for path, values in kept["before"].items():
        if fold(path) not in keys or not isinstance(values, dict):
            return None
        try:
            before += [(path, name, None if wire is None else Value.from_wire(wire)) for name, wire in values.items()]
        except (TypeError, ValueError, AttributeError):
            return None
    steps = [*_write(registry, before, place.unit), SetRegistryValues(RECORDS, {place.id: None}, place.unit)]
    after = place.read(predict(steps, registry)) or {}
    return Change(f"{place.title}, as it was before", now, {key: after.get(key) for key in now}, steps)


def forget(layer_id: str) -> Change:
    """Return the change that drops the record of a user who is gone."""
    step = SetRegistryValues(RECORDS, {layer_id: None}, WININET_UNIT)
    return Change(f"the record of {layer_id}, who is gone", {"record": "kept"}, {"record": None}, [step])


def _keep(
    registry: Registry, layer_id: str, unit: str, written: Sequence[RegistryChange], meaning: dict[str, Any]
) -> list[Operation]:
    """Return the step that records what is about to be overwritten; of an earlier record the first state stays."""
    kept = record(registry, layer_id)
    before = {path: values for path, values in kept["before"].items() if isinstance(values, dict)} if kept else {}
    for path, name, _value in written:
        found = registry.value(path, name)
        before.setdefault(path, {}).setdefault(name, None if found is None else found.to_wire())
    content = json.dumps({"before": before, "set": meaning}, sort_keys=True, separators=(",", ":"))
    return [SetRegistryValues(RECORDS, {layer_id: text(content)}, unit)]


def _write(registry: Registry, written: Sequence[RegistryChange], unit: str) -> list[SetRegistryValues]:
    """Return the steps that make these values different from what is there."""
    return by_key([one for one in written if one[2] != registry.value(one[0], one[1])], unit)
