# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was observed on a PC or in an image: typed, and not yet judged.

A target sends it as JSON, gzip-compressed and base64-encoded: the return value ``snapshot`` of
windows_host, windows_image and endpoint_probe. It comes from a machine that may be hostile: sizes are
bounded, and what is not of the expected form raises SnapshotError.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .formats.registry import Value, Values, WireError, fold
from .probes import Probe, parse_probe
from .wire import (
    SnapshotError,
    data,
    expect,
    is_deeper,
    items,
    items_of,
    mapping,
    number,
    optional,
    text,
)

MAX_DEPTH = 32
"""Levels of a snapshot: what reads it further goes as deep by recursion."""
MAX_BYTES = 64 * 1024 * 1024
"""The most that a snapshot may unpack to: some hundred times what a PC with 500 rules sends."""


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


NOT_READ = Key(State.UNREADABLE, error="the PC's reply does not contain this key")


class Registry:
    r"""The keys that were asked for, by path (``HKLM\\SOFTWARE\\…``, ``HKU\\<SID>\\…``), without regard to letter case."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys = {fold(path): (path, key) for path, key in keys.items()}

    def __iter__(self) -> Iterator[str]:
        return (path for path, _key in self._keys.values())

    def key(self, path: str) -> Key:
        """Return a key; one that the reply does not contain is unreadable, and not missing."""
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
        copy._keys[fold(path)] = (
            known,
            dataclasses.replace(key, state=State.PRESENT, values=key.values.changed(name, value)),
        )
        return copy


@dataclass(frozen=True)
class File:
    """A file that was looked for.

    path is expanded; version is the file version (``6.3.0.0``) where it has one. head are its first
    bytes, at most 1,024, where they could be read.
    """

    path: str
    state: State
    version: str = ""
    size: int = 0
    error: str = ""
    head: bytes = b""


@dataclass(frozen=True)
class User:
    r"""A user who could run ETS6, or (sid ``default``) the profile that new users start from.

    hive: ``loaded`` (its keys were read live), ``file`` (loaded for the reading only), ``missing`` (the
    profile's folder or its hive file is gone), ``unavailable`` (error says why).
    Keys are in the registry under ``HKU\\<sid>``, for the default profile under ``HKU\\default``.
    """

    sid: str
    name: str = ""
    profile: str = ""
    hive: str = "unavailable"
    logged_on: bool = False
    error: str = ""


@dataclass(frozen=True)
class LocalAccount:
    """A user or a group of the PC itself, not of its domain (Win32_Account)."""

    sid: str
    name: str
    group: bool


@dataclass(frozen=True)
class FirewallProduct:
    """A firewall registered with Windows Security Center. enabled is None where its state could not be decoded."""

    name: str
    enabled: bool | None


@dataclass(frozen=True)
class RegisteredFirewall:
    """A product that registered with Windows Defender Firewall (HNetCfg.FwProducts).

    categories are the kinds of rules that it took over: NET_FW_RULE_CATEGORY of netfw.h.
    """

    name: str
    categories: tuple[int, ...]


@dataclass(frozen=True)
class ConnectedNetwork:
    """A network that the PC is connected to now (Get-NetConnectionProfile).

    interface is the adapter's name, index its number, category domain, private or public.
    """

    interface: str
    index: int
    name: str
    category: str


@dataclass(frozen=True)
class FirewallService:
    """What the firewall's service itself says (INetFwPolicy2).

    rules is the number of rules of its local store, values that of the registry's at the same
    moment. modify_state is LocalPolicyModifyState: 0 where a local change has an effect, 1 where
    Group Policy overrides it, 2 where all inbound traffic is blocked.
    """

    rules: int
    values: int
    modify_state: int


@dataclass(frozen=True)
class HostsEntry:
    """A line of the hosts file: an address, and the names that it has, in lower case."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """Everything that was read. A section that could not be read is None, and errors says why, by the section's name.

    hosts_file has the lines of the hosts file that name a server which was probed, None where it was not
    read. offline: it is an image. vantage: it is no Windows PC, but a place in the PCs' network from which was probed, and no more.
    addresses are the PC's own, None where they were not read. local_accounts is empty where no firewall rule is for an account.
    """

    host: Mapping[str, Any]
    environment: Mapping[str, str]
    registry: Registry
    files: Mapping[str, File]
    users: tuple[User, ...] | None
    network: tuple[str, ...] | None
    services: Mapping[str, str] | None
    firewall_products: tuple[FirewallProduct, ...] | None
    probes: tuple[Probe, ...] | None
    errors: Mapping[str, str]
    local_accounts: tuple[LocalAccount, ...] | None = None
    registered_firewalls: tuple[RegisteredFirewall, ...] | None = None
    networks: tuple[ConnectedNetwork, ...] | None = None
    firewall_service: FirewallService | None = None
    offline: bool = False
    vantage: bool = False
    hosts_file: tuple[HostsEntry, ...] | None = None
    addresses: tuple[str, ...] | None = None

    def change(self, registry: Registry) -> Snapshot:
        """Return this snapshot with another registry."""
        return dataclasses.replace(self, registry=registry)

    def with_probes(self, other: Snapshot) -> Snapshot:
        """Return this snapshot with another one's probes beside its own.

        Of the same probe over the same route the other one's counts.
        """
        if other.probes is None:
            return self
        probes = {probe.key: probe for probe in (*(self.probes or ()), *other.probes)}
        hosts_file = self.hosts_file
        if other.hosts_file:
            hosts_file = tuple(dict.fromkeys((*(hosts_file or ()), *other.hosts_file)))
        return dataclasses.replace(self, probes=tuple(probes.values()), hosts_file=hosts_file)

    @classmethod
    def unpack(cls, packed: Any) -> Snapshot:
        """Return the snapshot of the base64 text of a reply.

        Raises SnapshotError where it is not base64, not gzip, larger than MAX_BYTES, not JSON, or
        not of the form that windows_host documents.
        """
        compressed = data(packed, "snapshot")
        try:
            unpacker = zlib.decompressobj(wbits=31)
            content = unpacker.decompress(compressed, MAX_BYTES)
            if unpacker.unconsumed_tail:
                raise SnapshotError(f"the snapshot is larger than {MAX_BYTES} bytes")
            if not unpacker.eof:
                raise SnapshotError("the snapshot is cut off")
            raw = json.loads(content)
        except (UnicodeError, json.JSONDecodeError, zlib.error, RecursionError) as error:
            raise SnapshotError(f"the snapshot cannot be unpacked: {error}") from None
        return cls.from_wire(raw)

    @classmethod
    def from_wire(cls, raw: Any) -> Snapshot:
        """Return the snapshot of its JSON form. Raises SnapshotError."""
        record = expect(dict, raw, "snapshot")
        if is_deeper(raw, MAX_DEPTH):
            raise SnapshotError(f"snapshot: nested deeper than {MAX_DEPTH} levels")
        if record.get("version") != 1:
            raise SnapshotError(f"version: expected 1, found {record.get('version')!r}")
        files = items(_parse_file, record.get("files", []), "files")
        return cls(
            host=expect(dict, record.get("host", {}), "host"),
            environment=mapping(text, record.get("environment", {}), "environment"),
            registry=Registry(mapping(_parse_key, record.get("registry", {}), "registry")),
            files={file.path.lower(): file for file in files},
            users=optional(items_of(_parse_user), record.get("users"), "users"),
            network=optional(items_of(text), record.get("network"), "network"),
            services=optional(_parse_services, record.get("services"), "services"),
            firewall_products=optional(
                items_of(_parse_product), record.get("firewall_products"), "firewall_products"
            ),
            probes=optional(items_of(parse_probe), record.get("probes"), "probes"),
            errors=mapping(text, record.get("errors", {}), "errors"),
            local_accounts=optional(
                items_of(_parse_local_account), record.get("local_accounts"), "local_accounts"
            ),
            registered_firewalls=optional(
                items_of(_parse_registered_firewall),
                record.get("registered_firewalls"),
                "registered_firewalls",
            ),
            networks=optional(items_of(_parse_network), record.get("networks"), "networks"),
            firewall_service=optional(
                _parse_firewall_service, record.get("firewall_service"), "firewall_service"
            ),
            offline=expect(bool, record.get("offline", False), "offline"),
            vantage=expect(bool, record.get("vantage", False), "vantage"),
            hosts_file=optional(_parse_hosts, record.get("hosts_file"), "hosts_file"),
            addresses=optional(items_of(text), record.get("addresses"), "addresses"),
        )


def _parse_services(raw: Any, place: str) -> dict[str, str]:
    return mapping(text, raw, place)


def _parse_hosts(raw: Any, place: str) -> tuple[HostsEntry, ...]:
    entries = []
    for line in items(text, raw, place):
        address, *names = line.partition("#")[0].lower().split() or [""]
        if names:
            entries.append(HostsEntry(address, tuple(name.rstrip(".") for name in names)))
    return tuple(entries)


def _parse_state(raw: Any, place: str) -> State:
    try:
        return State(raw)
    except ValueError:
        raise SnapshotError(f"{place}: unknown state {raw!r}") from None


def _parse_key(raw: Any, place: str) -> Key:
    record = expect(dict, raw, place)
    try:
        values = Values(
            (name, Value.from_wire(value))
            for name, value in expect(dict, record.get("values", {}), f"{place}.values").items()
        )
    except WireError as error:
        raise SnapshotError(f"{place}: {error}") from None
    return Key(
        _parse_state(record.get("state"), f"{place}.state"),
        values,
        items(text, record.get("keys", []), f"{place}.keys"),
        text(record.get("error", ""), f"{place}.error"),
    )


def _parse_file(raw: Any, place: str) -> File:
    record = _record(raw, place, ("path", "state", "version", "size", "error", "head"))
    return File(
        text(record.get("path"), f"{place}.path"),
        _parse_state(record.get("state"), f"{place}.state"),
        text(record.get("version", ""), f"{place}.version"),
        number(record.get("size", 0), f"{place}.size"),
        text(record.get("error", ""), f"{place}.error"),
        data(record.get("head", ""), f"{place}.head"),
    )


def _parse_user(raw: Any, place: str) -> User:
    record = _record(raw, place, ("sid", "name", "profile", "hive", "logged_on", "error"))
    return User(
        text(record.get("sid"), f"{place}.sid"),
        text(record.get("name", ""), f"{place}.name"),
        text(record.get("profile", ""), f"{place}.profile"),
        text(record.get("hive", "unavailable"), f"{place}.hive"),
        expect(bool, record.get("logged_on", False), f"{place}.logged_on"),
        text(record.get("error", ""), f"{place}.error"),
    )


def _parse_product(raw: Any, place: str) -> FirewallProduct:
    record = _record(raw, place, ("name", "enabled"))
    return FirewallProduct(
        text(record.get("name"), f"{place}.name"),
        optional(_parse_flag, record.get("enabled"), f"{place}.enabled"),
    )


def _parse_local_account(raw: Any, place: str) -> LocalAccount:
    record = _record(raw, place, ("sid", "name", "group"))
    return LocalAccount(
        text(record.get("sid"), f"{place}.sid"),
        text(record.get("name"), f"{place}.name"),
        expect(bool, record.get("group"), f"{place}.group"),
    )


def _parse_registered_firewall(raw: Any, place: str) -> RegisteredFirewall:
    record = _record(raw, place, ("name", "categories"))
    return RegisteredFirewall(
        text(record.get("name"), f"{place}.name"),
        items(number, record.get("categories"), f"{place}.categories"),
    )


def _parse_network(raw: Any, place: str) -> ConnectedNetwork:
    record = _record(raw, place, ("interface", "index", "name", "category"))
    return ConnectedNetwork(
        text(record.get("interface"), f"{place}.interface"),
        number(record.get("index"), f"{place}.index"),
        text(record.get("name"), f"{place}.name"),
        text(record.get("category"), f"{place}.category"),
    )


def _parse_firewall_service(raw: Any, place: str) -> FirewallService:
    record = _record(raw, place, ("rules", "values", "modify_state"))
    return FirewallService(
        number(record.get("rules"), f"{place}.rules"),
        number(record.get("values"), f"{place}.values"),
        number(record.get("modify_state"), f"{place}.modify_state"),
    )


def _parse_flag(raw: Any, place: str) -> bool:
    return expect(bool, raw, place)


def _record(raw: Any, place: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return an object that has no other fields than these."""
    record = expect(dict, raw, place)
    for name in record:
        if name not in names:
            raise SnapshotError(f"{place}: unknown field {name!r}")
    return record
