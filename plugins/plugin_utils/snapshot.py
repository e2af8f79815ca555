# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was observed on a PC or in an image: typed, and not yet judged.

A target sends it as JSON, gzip-compressed and base64-encoded: the return value ``snapshot`` of
windows_host, windows_image and endpoint_probe. It comes from a machine that may be hostile: sizes are
bounded. A part that is not of the expected form, or too large, counts as one that could not be read;
where that is the reply as a whole, SnapshotError is raised.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from ..module_utils.names import fold
from .formats.registry import Value, Values, WireError, fold_path
from .probes import Probe, parse_probe
from .text import shorten
from .wire import (
    MAX_TEXT,
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
MAX_TOKENS = 1_000_000
"""Commas and opening brackets of a snapshot, and so about its entries: the same hundred times."""
MAX_VALUE = 1024 * 1024
"""Characters of a registry value: one firewall rule may have 10,000 ranges of IPv6 addresses."""
MAX_FILES = 1_000
MAX_USERS = 1_000
MAX_PROBES = 500
MAX_FACT = 200
"""Characters of what a PC says of itself, such as its version."""
MAX_EXCERPT = 80
"""Characters of a value in an error."""
T = TypeVar("T")


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
        self._keys = {fold_path(path): (path, key) for path, key in keys.items()}

    def __iter__(self) -> Iterator[str]:
        return (path for path, _key in self._keys.values())

    def key(self, path: str) -> Key:
        """Return a key; one that the reply does not contain is unreadable, and not missing."""
        return self._keys.get(fold_path(path), ("", NOT_READ))[1]

    def value(self, path: str, name: str) -> Value | None:
        """Return a value, or None where key or value is not there (or the key cannot be read: ask key() where it matters)."""
        return self.key(path).values.get(name)

    def changed(self, path: str, name: str, value: Value | None) -> Registry:
        """Return this registry with one value set, or taken away where value is None. A missing key is made."""
        known, key = self._keys.get(fold_path(path), (path, Key(State.MISSING)))
        if value is None and key.state is not State.PRESENT:
            return self
        copy = Registry({})
        copy._keys = dict(self._keys)
        copy._keys[fold_path(path)] = (
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
class PathAccess:
    """Who may do what to a file or folder.

    sddl has its owner and its access rights, attributes are those of the file system
    (MS-FSCC 2.6). error says why they could not be read.
    """

    sddl: str = ""
    attributes: int = 0
    error: str = ""


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
    """Everything that was read.

    A part that could not be read, or that the reply does not contain, is in unread; errors says why, by
    the part's name. It is None, or empty where None is not of its type: host, environment, registry and
    files. hosts_file has the lines of the hosts file that name a server which was probed. addresses are
    the PC's own. access is that of files which only registry values name, and of the folders above
    them, by their folded paths. offline: it is an image. vantage: it is not a Windows PC, but a host in the PCs'
    network that only probes. local_accounts is empty where no firewall rule is for an account. The controller knows these two; no reply says them.
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
    access: Mapping[str, PathAccess] | None = None
    unread: frozenset[str] = frozenset()

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
    def unpack(cls, packed: Any, *, offline: bool = False, vantage: bool = False) -> Snapshot:
        """Return the snapshot of the base64 text of a reply.

        Raises SnapshotError where it is not base64, not gzip, larger than MAX_BYTES or MAX_TOKENS,
        not JSON, or not what windows_host documents.
        """
        compressed = data(packed, "snapshot")
        try:
            unpacker = zlib.decompressobj(wbits=31)
            content = unpacker.decompress(compressed, MAX_BYTES)
            if unpacker.unconsumed_tail:
                raise SnapshotError(f"the snapshot is larger than {MAX_BYTES} bytes")
            if not unpacker.eof:
                raise SnapshotError("the snapshot is cut off")
            # Before it is parsed: an empty list takes two bytes here, and some hundred as an object.
            if sum(content.count(mark) for mark in (b",", b"[", b"{")) > MAX_TOKENS:
                raise SnapshotError(f"the snapshot has more than {MAX_TOKENS} entries")
            raw = json.loads(content)
        except (ValueError, zlib.error, RecursionError) as error:
            if isinstance(error, SnapshotError):
                raise
            raise SnapshotError(f"the snapshot cannot be unpacked: {error}") from None
        return cls.from_wire(raw, offline=offline, vantage=vantage)

    @classmethod
    def from_wire(cls, raw: Any, *, offline: bool = False, vantage: bool = False) -> Snapshot:
        """Return the snapshot of its JSON form. Raises SnapshotError."""
        record = expect(dict, raw, "snapshot")
        if is_deeper(raw, MAX_DEPTH):
            raise SnapshotError(f"snapshot: nested deeper than {MAX_DEPTH} levels")
        version = record.get("version")
        if version != 1 or isinstance(version, bool):
            raise SnapshotError(f"version: expected 1, found {shorten(repr(version), MAX_EXCERPT)}")
        parts = _Parts(record)
        files = parts.read("files", items_of(_parse_file, MAX_FILES)) or ()
        return cls(
            host=parts.read("host", _parse_host) or {},
            environment=parts.read("environment", _parse_texts) or {},
            registry=Registry(parts.read("registry", _parse_registry) or {}),
            files={fold(file.path): file for file in files},
            users=parts.read("users", items_of(_parse_user, MAX_USERS)),
            network=parts.read("network", items_of(text)),
            services=parts.read("services", _parse_texts),
            firewall_products=parts.read("firewall_products", items_of(_parse_product)),
            probes=parts.read("probes", items_of(parse_probe, MAX_PROBES)),
            registered_firewalls=parts.read(
                "registered_firewalls", items_of(_parse_registered_firewall)
            ),
            local_accounts=parts.read("local_accounts", items_of(_parse_local_account, MAX_USERS)),
            networks=parts.read("networks", items_of(_parse_network)),
            firewall_service=parts.read("firewall_service", _parse_firewall_service),
            hosts_file=parts.read("hosts_file", _parse_hosts),
            addresses=parts.read("addresses", items_of(text)),
            access=parts.read("access", _parse_access),
            errors=parts.errors,
            unread=frozenset(parts.unread),
            offline=offline,
            vantage=vantage,
        )


class _Parts:
    """The parts of a reply, each read for itself."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record
        self.unread: set[str] = set()
        self.errors: dict[str, str] = {}
        self.errors |= self.read("errors", _parse_texts) or {}

    def read(self, name: str, parse: Callable[[Any, str], T]) -> T | None:
        """Return a part; None where it could not be read, which is then noted."""
        raw = self._record.get(name)
        if raw is not None:
            try:
                return parse(raw, name)
            except SnapshotError as error:
                self.errors[name] = f"the reply cannot be used: {error}"
        self.unread.add(name)
        return None


def _parse_texts(raw: Any, location: str) -> dict[str, str]:
    return mapping(text, raw, location)


def _parse_host(raw: Any, location: str) -> dict[str, str | list[str] | None]:
    record = dict(expect(dict, raw, location))
    control_sets = optional(
        items_of(text), record.pop("control_sets", None), f"{location}[control_sets]"
    )
    facts: dict[str, str | list[str] | None] = dict(mapping(_parse_fact, record, location))
    if control_sets is not None:
        facts["control_sets"] = list(control_sets)
    return facts


def _parse_fact(raw: Any, location: str) -> str | None:
    """Return what the host says of itself, None for what it lacks."""
    return None if raw is None else text(raw, location, MAX_FACT)


def _parse_registry(raw: Any, location: str) -> dict[str, Key]:
    return mapping(_parse_readable_key, raw, location)


def _parse_readable_key(raw: Any, location: str) -> Key:
    """Return a key; one that is odd is unreadable, and costs no other."""
    try:
        return _parse_key(raw, location)
    except SnapshotError as error:
        return Key(State.UNREADABLE, error=f"the reply cannot be used: {error}")


def _parse_hosts(raw: Any, location: str) -> tuple[HostsEntry, ...]:
    entries = []
    for line in items(text, raw, location):
        address, *names = line.partition("#")[0].lower().split() or [""]
        if names:
            entries.append(HostsEntry(address, tuple(name.rstrip(".") for name in names)))
    return tuple(entries)


def _parse_state(raw: Any, location: str) -> State:
    try:
        return State(raw)
    except ValueError:
        raise SnapshotError(
            f"{location}: unknown state {shorten(repr(raw), MAX_EXCERPT)}"
        ) from None


def _parse_value(raw: Any, location: str) -> Value:
    value = Value.from_wire(raw)
    if isinstance(value.data, str):
        text(value.data, location, MAX_VALUE)
    elif isinstance(value.data, tuple):
        text("\n".join(value.data), location, MAX_VALUE)
    elif isinstance(value.data, bytes) and len(value.data) > MAX_TEXT:
        raise SnapshotError(f"{location}: {len(value.data)} bytes; at most {MAX_TEXT} are accepted")
    return value


def _parse_key(raw: Any, location: str) -> Key:
    record = expect(dict, raw, location)
    try:
        parsed = mapping(_parse_value, record.get("values", {}), f"{location}.values")
    except WireError as error:
        raise SnapshotError(f"{location}: {error}") from None
    values = Values(parsed.items())
    return Key(
        _parse_state(record.get("state"), f"{location}.state"),
        values,
        items(text, record.get("keys", []), f"{location}.keys"),
        text(record.get("error", ""), f"{location}.error"),
    )


def _parse_file(raw: Any, location: str) -> File:
    record = _record(raw, location, ("path", "state", "version", "size", "error", "head"))
    return File(
        text(record.get("path"), f"{location}.path"),
        _parse_state(record.get("state"), f"{location}.state"),
        text(record.get("version", ""), f"{location}.version"),
        number(record.get("size", 0), f"{location}.size"),
        text(record.get("error", ""), f"{location}.error"),
        data(record.get("head", ""), f"{location}.head"),
    )


def _parse_access(raw: Any, location: str) -> dict[str, PathAccess]:
    parsed = mapping(_parse_path_access, raw, location)
    return {fold(path): access for path, access in parsed.items()}


def _parse_path_access(raw: Any, location: str) -> PathAccess:
    """Return the access of a path; one that is odd was not read, and costs no other."""
    try:
        record = _record(raw, location, ("sddl", "attributes", "error"))
        return PathAccess(
            text(record.get("sddl", ""), f"{location}.sddl"),
            number(record.get("attributes", 0), f"{location}.attributes"),
            text(record.get("error", ""), f"{location}.error"),
        )
    except SnapshotError as error:
        return PathAccess(error=f"the reply cannot be used: {error}")


def _parse_user(raw: Any, location: str) -> User:
    record = _record(raw, location, ("sid", "name", "profile", "hive", "logged_on", "error"))
    return User(
        text(record.get("sid"), f"{location}.sid"),
        text(record.get("name", ""), f"{location}.name"),
        text(record.get("profile", ""), f"{location}.profile"),
        text(record.get("hive", "unavailable"), f"{location}.hive"),
        expect(bool, record.get("logged_on", False), f"{location}.logged_on"),
        text(record.get("error", ""), f"{location}.error"),
    )


def _parse_product(raw: Any, location: str) -> FirewallProduct:
    record = _record(raw, location, ("name", "enabled"))
    return FirewallProduct(
        text(record.get("name"), f"{location}.name"),
        optional(_parse_flag, record.get("enabled"), f"{location}.enabled"),
    )


def _parse_local_account(raw: Any, location: str) -> LocalAccount:
    record = _record(raw, location, ("sid", "name", "group"))
    return LocalAccount(
        text(record.get("sid"), f"{location}.sid"),
        text(record.get("name"), f"{location}.name"),
        expect(bool, record.get("group"), f"{location}.group"),
    )


def _parse_registered_firewall(raw: Any, location: str) -> RegisteredFirewall:
    record = _record(raw, location, ("name", "categories"))
    return RegisteredFirewall(
        text(record.get("name"), f"{location}.name"),
        items(number, record.get("categories"), f"{location}.categories"),
    )


def _parse_network(raw: Any, location: str) -> ConnectedNetwork:
    record = _record(raw, location, ("interface", "index", "name", "category"))
    return ConnectedNetwork(
        text(record.get("interface"), f"{location}.interface"),
        number(record.get("index"), f"{location}.index"),
        text(record.get("name"), f"{location}.name"),
        text(record.get("category"), f"{location}.category"),
    )


def _parse_firewall_service(raw: Any, location: str) -> FirewallService:
    record = _record(raw, location, ("rules", "values", "modify_state"))
    return FirewallService(
        number(record.get("rules"), f"{location}.rules"),
        number(record.get("values"), f"{location}.values"),
        number(record.get("modify_state"), f"{location}.modify_state"),
    )


def _parse_flag(raw: Any, location: str) -> bool:
    return expect(bool, raw, location)


def _record(raw: Any, location: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return an object that has no other fields than these."""
    record = expect(dict, raw, location)
    for name in record:
        if name not in names:
            raise SnapshotError(f"{location}: unknown field {shorten(repr(name), MAX_EXCERPT)}")
    return record
