# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What else in the registry decides about proxies: switches of automatic detection and of scripts."""

from __future__ import annotations

import dataclasses

from ..formats.wininet import AUTODETECT, DIRECT, PAC, PROXY, ConnectionSettings
from ..snapshot import Registry
from .settings import ASSUMED, MACHINE, Layer

WINHTTP = rf"{MACHINE}\WinHttp"
DISABLE_WPAD = "DisableWpad"
SERVICE = r"HKLM\SYSTEM\CurrentControlSet\Services\WinHttpAutoProxySvc"
"""The service that detects proxies and runs scripts, for .NET Framework too."""
START = "Start"
DISABLED = 4
TCPIP = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
KEYS = (WINHTTP, SERVICE, TCPIP)


def dns_domain(registry: Registry) -> str:
    """Return the PC's own DNS domain; empty without any."""
    for name in ("Domain", "DhcpDomain"):
        value = registry.value(TCPIP, name)
        if value is not None and isinstance(value.data, str) and value.data:
            return value.data
    return ""


def switched_off(registry: Registry, flags: int) -> str:
    """Return why modes (PAC, AUTODETECT) have no effect on this PC; empty where they have one."""
    if _is_service_disabled(registry) and flags & (AUTODETECT | PAC):
        return f"the service WinHttpAutoProxySvc is disabled ({ASSUMED})"
    if _is_detection_disabled(registry) and flags & AUTODETECT:
        return f"{DISABLE_WPAD} is 1 below {WINHTTP} ({ASSUMED})"
    return ""


def in_force(registry: Registry, layer: Layer) -> Layer:
    """Return a layer as it is in force: without what is switched off on this PC."""
    if _is_service_disabled(registry) and layer.uses(AUTODETECT | PAC):
        return _without_service(layer)
    if _is_detection_disabled(registry) and layer.uses(AUTODETECT):
        return _without_detection(layer)
    return layer


def _without_detection(layer: Layer) -> Layer:
    note = (
        f"Automatic detection in {layer.title} has no effect: {DISABLE_WPAD} is 1 below {WINHTTP} "
        f"({ASSUMED})."
    )
    candidates = [_without(settings, AUTODETECT) for settings in layer.candidates]
    return dataclasses.replace(
        layer, candidates=tuple(dict.fromkeys(candidates)), notes=(*layer.notes, note)
    )


def _without_service(layer: Layer) -> Layer:
    """Return a layer without detection and scripts.

    .NET Framework takes the service's error for an empty answer, and so uses no proxy. Whether it
    uses a proxy that is named beside them could not be confirmed.
    """
    note = (
        f"Automatic detection and scripts in {layer.title} have no effect: the service "
        f"WinHttpAutoProxySvc is disabled ({ASSUMED})."
    )
    candidates: list[ConnectionSettings] = []
    for settings in layer.candidates:
        if settings.flags & (AUTODETECT | PAC):
            candidates.append(dataclasses.replace(settings, flags=DIRECT))
        if settings.flags & PROXY or not settings.flags & (AUTODETECT | PAC):
            candidates.append(_without(settings, AUTODETECT | PAC))
    doubt = layer.doubt or (
        "the service WinHttpAutoProxySvc is disabled; whether .NET Framework then uses the named "
        f"proxy could not be determined ({ASSUMED})"
    )
    return dataclasses.replace(
        layer,
        candidates=tuple(dict.fromkeys(candidates)),
        doubt=doubt,
        notes=(*layer.notes, note),
    )


def _without(settings: ConnectionSettings, flags: int) -> ConnectionSettings:
    return dataclasses.replace(settings, flags=settings.flags & ~flags)


def _is_service_disabled(registry: Registry) -> bool:
    return _number(registry, SERVICE, START) == DISABLED


def _is_detection_disabled(registry: Registry) -> bool:
    return _number(registry, WINHTTP, DISABLE_WPAD) == 1


def _number(registry: Registry, path: str, name: str) -> int | None:
    value = registry.value(path, name)
    if value is None or not isinstance(value.data, int):
        return None
    return value.data
