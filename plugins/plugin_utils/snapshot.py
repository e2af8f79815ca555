# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was found on a PC or in an image: raw, typed, and not yet judged.

A target sends it as JSON, gzip-compressed and base64-encoded (windows_host, windows_image, endpoint_probe: return value C(snapshot)).
It comes from a machine that may be hostile: sizes are bounded, and what is not of the expected form raises SnapshotError.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from .errors import ETS6Error
from .formats.registry import Value, Values, WireError, fold

MAX_DEPTH = 32
"""Levels of a snapshot: what reads it further goes as deep by recursion."""
MAX_BYTES = 64 * 1024 * 1024
"""The most that a snapshot may unpack to: some hundred times what a PC with 500 rules sends."""

T = TypeVar("T")


class SnapshotError(ETS6Error):
    """The reply of a target cannot be read as a snapshot. The text says where and what."""


class State(Enum):
    """Three things that must not be mixed up: there (perhaps empty), not there, and not to be read."""

    PRESENT = "present"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Key:
    """One registry key. error says why it could not be read."""

    state: State
    values: Values = field(default_factory=Values)
    subkeys: tuple[str, ...] = ()
    error: str = ""


NOT_READ = Key(State.UNREADABLE, error="the PC's reply does not hold this key")


class Registry:
    r"""The keys that were asked for, by path (``HKLM\\SOFTWARE\\…``, ``HKU\\<SID>\\…``), without regard to letter case."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys = {fold(path): (path, key) for path, key in keys.items()}

    def __iter__(self) -> Iterator[str]:
        return (path for path, _key in self._keys.values())

    def key(self, path: str) -> Key:
        """Return a key; one that the reply does not hold is unreadable, so that nobody takes it for missing."""
        return self._keys.get(fold(path), ("", NOT_READ))[1]

    def value(self, path: str, name: str) -> Value | None:
        """Return a value, or None where key or value is not there (or the key cannot be read: ask key() where it matters)."""
        return self.key(path).values.get(name)

    def changed(self, path: str, name: str, value: Value | None) -> Registry:
        """Return this registry with one value set, or taken away where value is None. A missing key is made."""
        known, key = self._keys.get(fold(path), (path, Key(State.MISSING)))
        if value is None and key.state is not State.PRESENT:
            return self
        copy = Registry({})
        copy._keys = dict(self._keys)
        copy._keys[fold(path)] = (known, dataclasses.replace(key, state=State.PRESENT, values=key.values.changed(name, value)))
        return copy


@dataclass(frozen=True)
class File:
    """A file that was looked for. path is expanded; version is the file version (``6.3.0.0``) where it has one."""

    path: str
    state: State
    version: str = ""
    size: int = 0
    error: str = ""


@dataclass(frozen=True)
class User:
    r"""A user who could run ETS6, or (sid ``default``) the profile that new users start from.

    hive: ``loaded`` (its keys were read live), ``file`` (loaded for the reading only), ``unavailable`` (error says why).
    Keys stand in the registry under ``HKU\\<sid>``, for the default profile under ``HKU\\default``.
    """

    sid: str
    name: str = ""
    profile: str = ""
    hive: str = "unavailable"
    logged_on: bool = False
    error: str = ""


@dataclass(frozen=True)
class FirewallProduct:
    """A firewall registered with Windows Security Center. enabled is None where its state could not be decoded."""

    name: str
    enabled: bool | None


@dataclass(frozen=True)
class Snapshot:
    """Everything that was read. A section that could not be read is None, and errors says why, by the section's name.

    offline: it is an image. vantage: it is no Windows PC, but a place in the PCs' network from which was probed, and no more.
    """

    host: Mapping[str, Any]
    environment: Mapping[str, str]
    registry: Registry
    files: Mapping[str, File]
    users: tuple[User, ...] | None
    network: tuple[str, ...] | None
    services: Mapping[str, str] | None
    firewall_products: tuple[FirewallProduct, ...] | None
    probes: tuple[Mapping[str, Any], ...] | None
    errors: Mapping[str, str]
    offline: bool = False
    vantage: bool = False

    def change(self, registry: Registry) -> Snapshot:
        """Return this snapshot with another registry."""
        return dataclasses.replace(self, registry=registry)

    def with_probes(self, more: Snapshot) -> Snapshot:
        """Return this snapshot with another one's probes beside its own; of the same probe over the same way the other one's."""
        if more.probes is None:
            return self
        both = {(probe["name"], probe["way"]): probe for probe in (*(self.probes or ()), *more.probes)}
        return dataclasses.replace(self, probes=tuple(both.values()))

    @classmethod
    def unpack(cls, packed: Any) -> Snapshot:
        """Read the base64 text of a reply.

        Raises SnapshotError where it is not base64, not gzip, larger than MAX_BYTES, not JSON, or not of the form below.
        """
        if not isinstance(packed, str):
            raise SnapshotError(f"the snapshot is no text but {type(packed).__name__}")
        try:
            unpacker = zlib.decompressobj(wbits=31)
            content = unpacker.decompress(base64.b64decode(packed, validate=True), MAX_BYTES)
            if unpacker.unconsumed_tail:
                raise SnapshotError(f"the snapshot is larger than {MAX_BYTES} bytes")
            if not unpacker.eof:
                raise SnapshotError("the snapshot is cut off")
            return cls.from_wire(json.loads(content))
        except (ValueError, zlib.error, RecursionError) as error:
            raise SnapshotError(f"the snapshot cannot be unpacked: {error}") from None

    @classmethod
    def from_wire(cls, raw: Any) -> Snapshot:
        """Read the JSON form, as windows_host documents it. Raises SnapshotError."""
        top = _of(dict, raw, "snapshot")
        if _is_deeper(raw, MAX_DEPTH):
            raise SnapshotError(f"it is nested deeper than {MAX_DEPTH} levels")
        if top.get("version") != 1:
            raise SnapshotError(f"version: expected 1, found {top.get('version')!r}")
        keys = {path: _key(key, f"registry[{path}]") for path, key in _of(dict, top.get("registry", {}), "registry").items()}
        files = [_record(File, item, f"files[{at}]") for at, item in enumerate(_of(list, top.get("files", []), "files"))]
        return cls(
            host=_of(dict, top.get("host", {}), "host"),
            environment={
                name: _of(str, value, f"environment.{name}")
                for name, value in _of(dict, top.get("environment", {}), "environment").items()
            },
            registry=Registry(keys),
            files={file.path.lower(): file for file in files},
            users=_records(User, top.get("users"), "users"),
            network=None
            if top.get("network") is None
            else tuple(_of(str, item, "network") for item in _of(list, top["network"], "network")),
            services=None
            if top.get("services") is None
            else {name: _of(str, value, f"services.{name}") for name, value in _of(dict, top["services"], "services").items()},
            firewall_products=_records(FirewallProduct, top.get("firewall_products"), "firewall_products"),
            probes=None
            if top.get("probes") is None
            else tuple(_probe(item, f"probes[{at}]") for at, item in enumerate(_of(list, top["probes"], "probes"))),
            errors={
                name: _of(str, value, f"errors.{name}") for name, value in _of(dict, top.get("errors", {}), "errors").items()
            },
            offline=_of(bool, top.get("offline", False), "offline"),
            vantage=_of(bool, top.get("vantage", False), "vantage"),
        )


def _is_deeper(raw: Any, most: int) -> bool:
    level = [raw]
    for _step in range(most):
        level = [
            inner for one in level if isinstance(one, (dict, list)) for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, (dict, list)) for one in level)


def _of(kind: type[T], raw: Any, where: str) -> T:
    if not isinstance(raw, kind) or (kind is int and isinstance(raw, bool)):
        raise SnapshotError(f"{where}: expected {kind.__name__}, found {type(raw).__name__}")
    return raw


def _state(raw: Any, where: str) -> State:
    try:
        return State(raw)
    except ValueError:
        raise SnapshotError(f"{where}: unknown state {raw!r}") from None


def _key(raw: Any, where: str) -> Key:
    record = _of(dict, raw, where)
    try:
        values = Values(
            (name, Value.from_wire(value)) for name, value in _of(dict, record.get("values", {}), f"{where}.values").items()
        )
    except WireError as error:
        raise SnapshotError(f"{where}: {error}") from None
    return Key(
        _state(record.get("state"), where),
        values,
        tuple(_of(str, item, f"{where}.keys") for item in _of(list, record.get("keys", []), f"{where}.keys")),
        _of(str, record.get("error", ""), f"{where}.error"),
    )


def _probe(raw: Any, where: str) -> dict[str, Any]:
    """Check what tells probes apart; the rest is for reachability.outcome to read."""
    record = _of(dict, raw, where)
    for name in ("name", "way"):
        _of(str, record.get(name), f"{where}.{name}")
    return record


def _record(kind: type[T], raw: Any, where: str) -> T:
    """Read a flat dataclass: every field by its own name and type; a field that is not known is refused."""
    record = dict(_of(dict, raw, where))
    arguments: dict[str, Any] = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        if item.name not in record:
            continue
        found = record.pop(item.name)
        if item.type == "State":
            found = _state(found, where)
        elif item.type == "bool | None":
            found = None if found is None else _of(bool, found, f"{where}.{item.name}")
        else:
            found = _of({"str": str, "int": int, "bool": bool}[str(item.type)], found, f"{where}.{item.name}")
        arguments[item.name] = found
    if record:
        raise SnapshotError(f"{where}: unknown field {sorted(record)[0]!r}")
    try:
        return kind(**arguments)
    except TypeError as error:
        raise SnapshotError(f"{where}: {error}") from None


def _records(kind: type[T], raw: Any, where: str) -> tuple[T, ...] | None:
    if raw is None:
        return None
    return tuple(_record(kind, item, f"{where}[{at}]") for at, item in enumerate(_of(list, raw, where)))
