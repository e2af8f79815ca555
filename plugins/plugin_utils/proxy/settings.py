# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where a PC keeps its proxy settings: WinINET for the machine and for each user, and WinHTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..formats import winhttp
from ..formats.registry import Value
from ..formats.wininet import DIRECT, PAC, PROXY, VALUES, BlobError, ConnectionSettings
from ..snapshot import Key, Registry, Snapshot, State, User
from .meaning import Meaning
from .users import UNAVAILABLE, name_of

SETTINGS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root. The blobs are in its subkey Connections."""
MACHINE = "HKLM\\" + SETTINGS
POLICY_SETTINGS = r"Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root. Windows acts on ProxySettingsPerUser of the machine alone."""
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
PER_USER = "ProxySettingsPerUser"
PROXY_ENABLE = "ProxyEnable"
PROXY_SERVER = "ProxyServer"
PROXY_OVERRIDE = "ProxyOverride"
AUTO_CONFIG_URL = "AutoConfigURL"


@dataclass(frozen=True)
class Layer:
    """The WinINET settings of the machine or of one user.

    error says why they cannot be read or trusted; settings is None then, or where nothing was ever
    set. malformed says what is wrong with the layout of one of the two blobs; only the first one's is
    an error too, since Windows acts on that one. counter is the higher one of both.
    """

    id: str
    title: str
    path: str
    settings: ConnectionSettings | None
    error: str = ""
    malformed: str = ""
    counter: int = 0

    @property
    def connections(self) -> str:
        """The key of the blobs."""
        return connections_key(self.path)

    @property
    def meaning(self) -> Meaning:
        """What it comes to. A layer where nothing was ever set means no proxy."""
        if self.settings is None:
            return Meaning()
        return Meaning.of_blob(self.settings)


@dataclass(frozen=True)
class DecidingLayer:
    """A layer that decides which proxy ETS6 uses, and the names of the users for whom it does."""

    layer: Layer
    users: tuple[str, ...]


@dataclass(frozen=True)
class WinHttpLayer:
    """WinHTTP's proxy in one of its two keys. malformed: the key could be read, its blob not."""

    path: str
    settings: winhttp.WinHttpSettings | None
    error: str = ""
    malformed: bool = False

    @property
    def meaning(self) -> Meaning:
        """What it comes to."""
        if self.settings is None:
            return Meaning()
        return Meaning.of_texts(
            self.settings.flags & PROXY, self.settings.server, self.settings.bypass, ""
        )


def is_machine_wide(registry: Registry) -> bool:
    """Return whether Windows takes the machine's settings for every user."""
    value = registry.value(POLICY, PER_USER)
    return value is not None and value.data == 0


def machine_layer(snapshot: Snapshot) -> Layer:
    """Return the machine's WinINET settings, whether or not they are in force."""
    return read_layer(snapshot.registry, "machine", "the machine-wide settings", MACHINE)


def user_layer(registry: Registry, user: User) -> Layer:
    """Return a user's WinINET settings."""
    title = f"the settings of {name_of(user)}"
    path = user_key(user, SETTINGS)
    if user.hive == UNAVAILABLE:
        cause = user.error or "no reason given"
        error = f"the user's registry could not be loaded: {cause}"
        return Layer(user.sid, title, path, None, error)
    return read_layer(registry, user.sid, title, path)


def user_key(user: User, path: str) -> str:
    """Return the path of a key below a user's root."""
    return rf"HKU\{user.sid}\{path}"


def connections_key(path: str) -> str:
    """Return the key of the blobs below an Internet Settings key."""
    return rf"{path}\Connections"


def read_layer(registry: Registry, layer_id: str, title: str, path: str) -> Layer:
    """Read one layer. The blob decides; without one Windows starts from the plain values."""
    for key_path in (path, connections_key(path)):
        key = registry.key(key_path)
        if key.state is State.UNREADABLE:
            error = f"{key_path} could not be read: {key.error}"
            return Layer(layer_id, title, path, None, error)
    blobs = read_blobs(registry, path)
    settings = blobs.settings.get(VALUES[0])
    error = ""
    if VALUES[0] in blobs.problems:
        error = f"{VALUES[0]} {blobs.problems[VALUES[0]]}"
    elif settings is None:
        settings = _settings_to_start_from(registry, path)
    return Layer(layer_id, title, path, settings, error, blobs.malformed, blobs.counter)


@dataclass(frozen=True)
class Blobs:
    """The two blobs of an Internet Settings key, by the value's name, and what is wrong with each."""

    settings: Mapping[str, ConnectionSettings]
    problems: Mapping[str, str]

    @property
    def malformed(self) -> str:
        """What is wrong with them, in words; empty where nothing is."""
        return ". ".join(f"{name} {problem}" for name, problem in self.problems.items())

    @property
    def counter(self) -> int:
        """The higher counter of both."""
        return max((blob.counter for blob in self.settings.values()), default=0)


def read_blobs(registry: Registry, path: str) -> Blobs:
    """Return the blobs of one Internet Settings key."""
    settings: dict[str, ConnectionSettings] = {}
    problems: dict[str, str] = {}
    for name in VALUES:
        value = registry.value(connections_key(path), name)
        if value is None:
            continue
        if not isinstance(value.data, bytes):
            problems[name] = f"is {value.type}, expected is REG_BINARY"
            continue
        try:
            settings[name] = ConnectionSettings.parse(value.data)
        except BlobError as error:
            problems[name] = f"cannot be read: {error}"
    return Blobs(settings, problems)


def dial_up_connections(registry: Registry, path: str) -> dict[str, Meaning]:
    """Return what VPN and dial-up connections of one Internet Settings key have, by their names.

    While such a connection is up, its settings count and not those of the network
    (WinHttpGetIEProxyConfigForCurrentUser). One that cannot be read is left out.
    """
    reserved = {name.lower() for name in (*VALUES, winhttp.VALUE)}
    connections = {}
    for name, value in registry.key(connections_key(path)).values.items():
        if name.lower() in reserved or not isinstance(value.data, bytes):
            continue
        with contextlib.suppress(BlobError):
            connections[name] = Meaning.of_blob(ConnectionSettings.parse(value.data))
    return connections


def plain_meaning(registry: Registry, path: str) -> Meaning:
    """Return what the plain values of one key come to."""
    return Meaning.of_blob(_plain_settings(registry, path))


def winhttp_layers(registry: Registry) -> list[WinHttpLayer]:
    """Return WinHTTP's settings of 64-bit and of 32-bit programs.

    The latter are there only where Windows has that key.
    """
    first, second = winhttp.KEYS
    layers = [_winhttp_layer(first, registry.key(first))]
    key = registry.key(second)
    if key.state is not State.MISSING:
        layers.append(_winhttp_layer(second, key))
    return layers


def winhttp_errors(layers: Sequence[WinHttpLayer]) -> str:
    """Return a sentence for each layer that cannot be read."""
    return " ".join(f"{layer.error}." for layer in layers if layer.error)


def _winhttp_layer(path: str, key: Key) -> WinHttpLayer:
    if key.state is State.UNREADABLE:
        return WinHttpLayer(path, None, f"{path} could not be read: {key.error}")
    value = key.values.get(winhttp.VALUE)
    if value is None:
        return WinHttpLayer(path, None)
    if not isinstance(value.data, bytes):
        error = f"{winhttp.VALUE} is {value.type}, expected is REG_BINARY"
        return WinHttpLayer(path, None, error, malformed=True)
    try:
        return WinHttpLayer(path, winhttp.WinHttpSettings.parse(value.data))
    except BlobError as problem:
        error = f"{winhttp.VALUE} cannot be read: {problem}"
        return WinHttpLayer(path, None, error, malformed=True)


def _settings_to_start_from(registry: Registry, path: str) -> ConnectionSettings | None:
    plain = _plain_settings(registry, path)
    return plain if plain.flags != DIRECT else None


def _plain_settings(registry: Registry, path: str) -> ConnectionSettings:
    """Return the plain values of one key in the form of a blob."""
    values = registry.key(path).values
    enabled = values.get(PROXY_ENABLE)
    pac_url = _text(values, AUTO_CONFIG_URL)
    flags = DIRECT
    if enabled is not None and enabled.data:
        flags |= PROXY
    if pac_url:
        flags |= PAC
    server, bypass = _text(values, PROXY_SERVER), _text(values, PROXY_OVERRIDE)
    return ConnectionSettings(flags, server, bypass, pac_url)


def _text(values: Mapping[str, Value], name: str) -> str:
    value = values.get(name)
    if value is None or not isinstance(value.data, str):
        return ""
    return value.data
