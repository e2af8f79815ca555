# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has to be written so that the proxy settings mean what the policy asks for."""

from __future__ import annotations

import dataclasses

from ..finding import Change
from ..formats import winhttp
from ..formats.registry import binary, dword, text
from ..formats.wininet import AUTODETECT, VALUES, ConnectionSettings
from ..operations import RegistryChange, SetWinHttpProxy
from ..policy.proxy import ProxySetting
from ..snapshot import Registry
from .meaning import Meaning
from .records import WINHTTP_UNIT, WININET_UNIT, differing, write_record
from .settings import (
    AUTO_CONFIG_URL,
    PER_USER,
    POLICY,
    PROXY_ENABLE,
    PROXY_OVERRIDE,
    PROXY_SERVER,
    Layer,
    plain_meaning,
    read_blobs,
)


def required_meaning(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to."""
    return Meaning.of_texts(
        setting.flags, setting.server, ";".join(setting.bypass), setting.pac_url
    )


def required_winhttp(setting: ProxySetting) -> Meaning:
    """Return what the policy comes to for WinHTTP."""
    return Meaning.of_texts(setting.flags, setting.winhttp_server, ";".join(setting.bypass), "")


def is_consistent(registry: Registry, layer: Layer) -> bool:
    """Return whether both blobs are there and mean the same as the plain values."""
    blobs = read_blobs(registry, layer.path)
    if blobs.problems or len(blobs.settings) < len(VALUES):
        return False
    if any(Meaning.of_blob(blob) != layer.meaning for blob in blobs.settings.values()):
        return False
    # No plain value decides about automatic detection.
    comparable = dataclasses.replace(layer.meaning, flags=layer.meaning.flags & ~AUTODETECT)
    return plain_meaning(registry, layer.path) == comparable


def set_layer(registry: Registry, layer: Layer, setting: ProxySetting) -> Change:
    """Return the change that makes a layer mean what the policy asks for."""
    changes = [*_blob_changes(layer, setting), *_plain_changes(layer, setting)]
    meaning = required_meaning(setting).to_wire()
    return Change(
        f"WinINET proxy, {layer.title}",
        layer.meaning.to_wire(),
        meaning,
        [
            write_record(registry, layer.id, WININET_UNIT, changes, meaning),
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
            write_record(registry, "policy", WININET_UNIT, changes, after),
            *differing(registry, changes, WININET_UNIT),
        ],
    )


def set_winhttp(registry: Registry, before: Meaning, setting: ProxySetting) -> Change:
    """Return the change of WinHTTP's proxy."""
    meaning = required_winhttp(setting).to_wire()
    operation = SetWinHttpProxy(setting.winhttp_server, ";".join(setting.bypass), WINHTTP_UNIT)
    blob = binary(winhttp.compose(operation.server, operation.bypass))
    changes: list[RegistryChange] = [(path, winhttp.VALUE, blob) for path in winhttp.KEYS]
    record = write_record(registry, "winhttp", WINHTTP_UNIT, changes, meaning)
    return Change("WinHTTP proxy", before.to_wire(), meaning, [record, operation])


def _blob_changes(layer: Layer, setting: ProxySetting) -> list[RegistryChange]:
    """Return both blobs. The texts of a mode that is off stay, as in Windows' own dialog."""
    settings = layer.settings or ConnectionSettings(0)
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
    pac_url = text(setting.pac_url) if setting.pac_url else None
    changes: list[RegistryChange] = [
        (layer.path, PROXY_ENABLE, dword(int(is_named))),
        (layer.path, AUTO_CONFIG_URL, pac_url),
    ]
    if is_named:
        bypass = text(";".join(setting.bypass)) if setting.bypass else None
        changes.append((layer.path, PROXY_SERVER, text(setting.server)))
        changes.append((layer.path, PROXY_OVERRIDE, bypass))
    return changes
