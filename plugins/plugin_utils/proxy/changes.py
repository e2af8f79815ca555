# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has to be written so that the proxy settings mean what the policy asks for."""

from __future__ import annotations

import dataclasses

from ..finding import Change
from ..formats import winhttp
from ..formats.registry import Value, binary, dword, text
from ..formats.wininet import AUTODETECT, VALUES, ConnectionSettings
from ..operations import (
    Operation,
    RegistryChange,
    SetRegistryValues,
    SetWinHttpProxy,
    winhttp_version,
)
from ..policy.proxy import ProxySetting
from ..snapshot import Registry
from .meaning import Meaning
from .records import (
    WINHTTP_UNIT,
    WININET_UNIT,
    differing,
    layer_record,
    machine_record,
    write_record,
)
from .settings import (
    AUTO_CONFIG_URL,
    AUTO_DETECT,
    PER_USER,
    POLICY,
    PROXY_ENABLE,
    PROXY_OVERRIDE,
    PROXY_SERVER,
    Layer,
    plain_meaning,
)

POLICY_RECORD = machine_record("policy")
WINHTTP_RECORD = machine_record("winhttp")


def required_meaning(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to."""
    return Meaning.of_texts(
        setting.flags, setting.server, ";".join(setting.bypass), setting.pac_url
    )


def required_winhttp(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to for WinHTTP."""
    return Meaning.of_texts(setting.flags, setting.winhttp_server, ";".join(setting.bypass), "")


def agrees_with_plain_values(registry: Registry, layer: Layer) -> bool:
    """Return whether the plain values of a layer mean the same as its blob.

    The value AutoDetect counts only where it is there: Windows does not always write it.
    """
    autodetect = bool(layer.meaning.flags & AUTODETECT)
    return plain_meaning(registry, layer.path, autodetect) == layer.meaning


def set_layer(registry: Registry, layer: Layer, setting: ProxySetting) -> Change:
    """Return the change that makes a layer mean what the policy asks for."""
    changes = [
        *_blob_changes(layer, setting),
        *_plain_changes(layer, setting),
        *_autodetect_changes(registry, layer, setting),
    ]
    values = [(path, name) for path, name, _value in changes]
    # Windows may write this value later on; removal then deletes it again.
    values.append((layer.path, AUTO_DETECT))
    meaning = required_meaning(setting).to_wire()
    return Change(
        f"WinINET proxy, {layer.title}",
        layer.meaning.to_wire(),
        meaning,
        [
            write_record(registry, layer_record(layer.id), WININET_UNIT, values, meaning),
            *differing(registry, changes, WININET_UNIT),
        ],
    )


def set_per_user(registry: Registry, *, per_user: bool) -> Change:
    """Return the change that makes the users' settings count, or the machine's for every user."""
    value = registry.value(POLICY, PER_USER)
    before = {PER_USER: None if value is None else value.data}
    after = {PER_USER: None if per_user else 0}
    changes: list[RegistryChange] = [(POLICY, PER_USER, None if per_user else dword(0))]
    return Change(
        PER_USER,
        before,
        after,
        [
            write_record(registry, POLICY_RECORD, WININET_UNIT, [(POLICY, PER_USER)], after),
            *differing(registry, changes, WININET_UNIT),
        ],
    )


def set_winhttp(registry: Registry, before: Meaning, setting: ProxySetting) -> Change:
    """Return the change of WinHTTP's proxy.

    netsh writes it. Whether that includes the value of 32-bit programs depends on Windows, so such a
    value that is there is written afterwards.
    """
    meaning = required_winhttp(setting).to_wire()
    server, bypass = setting.winhttp_server, ";".join(setting.bypass)
    values = [(path, winhttp.VALUE) for path in winhttp.KEYS]
    operations: list[Operation] = [
        write_record(registry, WINHTTP_RECORD, WINHTTP_UNIT, values, meaning),
        SetWinHttpProxy(server, bypass, WINHTTP_UNIT),
    ]
    path = winhttp.KEYS[1]
    if registry.value(path, winhttp.VALUE) is not None:
        blob = binary(winhttp.compose(server, bypass, winhttp_version(registry, path)))
        operations.append(SetRegistryValues(path, {winhttp.VALUE: blob}, WINHTTP_UNIT))
    return Change("WinHTTP proxy", before.to_wire(), meaning, operations)


def _blob_changes(layer: Layer, setting: ProxySetting) -> list[RegistryChange]:
    """Return both blobs. The texts of a mode that is off stay, as in Windows' own dialog."""
    settings = layer.blob or ConnectionSettings(0)
    proxy, bypass = settings.proxy, settings.bypass
    if setting.mode == "named":
        proxy, bypass = setting.server, ";".join(setting.bypass)
    blob = dataclasses.replace(settings, counter=layer.counter).changed(
        setting.flags, proxy, bypass, setting.pac_url
    )
    value = binary(blob.write())
    return [(layer.connections, name, value) for name in VALUES]


def _plain_changes(layer: Layer, setting: ProxySetting) -> list[RegistryChange]:
    is_named = setting.mode == "named"
    pac_url = _text_or_none(setting.pac_url)
    changes: list[RegistryChange] = [
        (layer.path, PROXY_ENABLE, dword(int(is_named))),
        (layer.path, AUTO_CONFIG_URL, pac_url),
    ]
    if is_named:
        bypass = _text_or_none(";".join(setting.bypass))
        changes.append((layer.path, PROXY_SERVER, text(setting.server)))
        changes.append((layer.path, PROXY_OVERRIDE, bypass))
    return changes


def _text_or_none(content: str) -> Value | None:
    """Return a REG_SZ; None, which deletes the value, for an empty text."""
    if not content:
        return None
    return text(content)


def _autodetect_changes(
    registry: Registry, layer: Layer, setting: ProxySetting
) -> list[RegistryChange]:
    """Return the plain value of automatic detection, where there is one.

    Windows would take over a plain value that contradicts the blobs.
    """
    if registry.value(layer.path, AUTO_DETECT) is None:
        return []
    is_on = bool(setting.flags & AUTODETECT)
    return [(layer.path, AUTO_DETECT, dword(int(is_on)))]
