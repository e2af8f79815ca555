# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinHTTP's settings, which services use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..formats.winhttp import KEYS, VALUE, WinHttpSettings
from ..formats.wininet import BlobError
from ..snapshot import Registry, State
from .meaning import Meaning


@dataclass(frozen=True)
class WinHttpLayer:
    """WinHTTP's proxy in one of its two keys. malformed: the key could be read, its blob not."""

    path: str
    settings: WinHttpSettings | None = None
    error: str = ""
    malformed: bool = False

    @property
    def meaning(self) -> Meaning:
        """What it comes to. Without a value WinHTTP uses no proxy."""
        if self.settings is None:
            return Meaning()
        return Meaning.of_winhttp(self.settings)

    @property
    def evidence(self) -> Any:
        """What it comes to, or why it cannot be read."""
        return self.error or self.meaning.to_wire()


def winhttp_layers(registry: Registry) -> list[WinHttpLayer]:
    """Return WinHTTP's settings of 64-bit and of 32-bit programs.

    The latter are left out where they have no value: whether netsh writes one depends on Windows.
    """
    first = _read(registry, KEYS[0])
    second = _read(registry, KEYS[1])
    if second.settings is None and not second.error:
        return [first]
    return [first, second]


def winhttp_evidence(layers: Iterable[WinHttpLayer]) -> dict[str, Any]:
    """Return what the layers come to, by their keys."""
    evidence = {}
    for layer in layers:
        evidence[layer.path] = layer.evidence
    return evidence


def _read(registry: Registry, path: str) -> WinHttpLayer:
    key = registry.key(path)
    if key.state is State.UNREADABLE:
        return WinHttpLayer(path, error=f"{path} could not be read: {key.error}")
    value = key.values.get(VALUE)
    if value is None:
        return WinHttpLayer(path)
    if not isinstance(value.data, bytes):
        error = f"{VALUE} is {value.type}, expected is REG_BINARY"
        return WinHttpLayer(path, error=error, malformed=True)
    try:
        return WinHttpLayer(path, WinHttpSettings.parse(value.data))
    except BlobError as problem:
        error = f"{VALUE} cannot be read: {problem}"
        return WinHttpLayer(path, error=error, malformed=True)
