# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where a PC keeps its WinINET settings: the machine, in two views, and each user."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...module_utils.names import fold
from ..formats import winhttp
from ..formats.registry import Value
from ..formats.wininet import (
    AUTODETECT,
    DIRECT,
    MISSING,
    PAC,
    PROXY,
    VALUES,
    ConnectionSettings,
)
from ..snapshot import Registry, State, User
from .meaning import Meaning, describe_all
from .users import UNAVAILABLE, name_of

SETTINGS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root. The blobs are in its subkey Connections."""
MACHINE = "HKLM\\" + SETTINGS
MACHINE_32 = r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings"
"""What a 32-bit program reads instead on 64-bit Windows."""
POLICY_SETTINGS = r"Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root. Windows acts on ProxySettingsPerUser of the machine alone."""
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
"""32-bit and 64-bit programs share it."""
PER_USER = "ProxySettingsPerUser"
PROXY_ENABLE = "ProxyEnable"
PROXY_SERVER = "ProxyServer"
PROXY_OVERRIDE = "ProxyOverride"
AUTO_CONFIG_URL = "AutoConfigURL"
AUTO_DETECT = "AutoDetect"
MIGRATE = "MigrateProxy"
MACHINE_TITLE = "the machine-wide settings"
ASSUMED = "docs/assumptions.md"
"""Where the facts are listed that rest on no documentation of Microsoft."""


@dataclass(frozen=True)
class Layer:
    """The WinINET settings of the machine or of one user.

    candidates are what Windows may act on, the most likely first; where there are several, doubt says
    why. There is none where error says why they cannot be read. blob is DefaultConnectionSettings,
    None where it is missing. malformed says which value is no REG_BINARY. counter is the higher one of
    both blobs. notes are sentences on what else decides.
    """

    id: str
    title: str
    path: str
    candidates: tuple[ConnectionSettings, ...] = ()
    doubt: str = ""
    error: str = ""
    blob: ConnectionSettings | None = None
    malformed: str = ""
    counter: int = 0
    notes: tuple[str, ...] = ()

    @property
    def connections(self) -> str:
        """The key of the blobs."""
        return connections_key(self.path)

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the candidates come to, each once."""
        return tuple(dict.fromkeys(map(Meaning.of_blob, self.candidates)))

    @property
    def meaning(self) -> Meaning:
        """What the most likely candidate comes to."""
        return Meaning.of_blob(self.candidates[0]) if self.candidates else Meaning()

    def describe(self) -> str:
        """Return what it comes to in words; several meanings with ``or``."""
        return describe_all(self.meanings)

    def uses(self, flag: int) -> bool:
        """Return whether a mode (PROXY, PAC, AUTODETECT) is on in any candidate."""
        return any(meaning.flags & flag for meaning in self.meanings)


@dataclass(frozen=True)
class DecidingLayer:
    """A layer that decides which proxy ETS6 uses, and the names of the users for whom it does."""

    layer: Layer
    users: tuple[str, ...]


def is_machine_wide(registry: Registry) -> bool:
    """Return whether Windows takes the machine's settings for every user."""
    value = registry.value(POLICY, PER_USER)
    return value is not None and value.data == 0


def machine_layer(registry: Registry) -> Layer:
    """Return the machine's settings that a 64-bit program reads, whether or not they are in force."""
    return read_layer(registry, "machine", MACHINE_TITLE, MACHINE)


def machine_layer_32(registry: Registry) -> Layer:
    """Return the machine's settings that a 32-bit program reads on 64-bit Windows."""
    title = f"{MACHINE_TITLE} of 32-bit programs"
    return read_layer(registry, "machine32", title, MACHINE_32)


def user_layer(registry: Registry, user: User) -> Layer:
    """Return a user's settings."""
    title = f"the settings of {name_of(user)}"
    path = user_key(user, SETTINGS)
    if user.hive == UNAVAILABLE:
        cause = user.error or "no reason given"
        error = f"the user's registry could not be loaded: {cause}"
        return Layer(user.sid, title, path, error=error)
    return read_layer(registry, user.sid, title, path)


def either_layer(first: Layer, second: Layer, doubt: str) -> Layer:
    """Return a layer of two of which it could not be determined which one a program reads."""
    if first.meanings == second.meanings and not first.error:
        return first
    error = first.error or second.error
    candidates = () if error else (*first.candidates, *second.candidates)
    return dataclasses.replace(first, candidates=candidates, doubt=doubt, error=error)


def user_key(user: User, path: str) -> str:
    """Return the path of a key below a user's root."""
    return rf"HKU\{user.sid}\{path}"


def connections_key(path: str) -> str:
    """Return the key of the blobs below an Internet Settings key."""
    return rf"{path}\Connections"


def read_layer(registry: Registry, layer_id: str, title: str, path: str) -> Layer:
    """Read one layer."""
    layer = Layer(layer_id, title, path)
    for key_path in (path, layer.connections):
        key = registry.key(key_path)
        if key.state is State.UNREADABLE:
            error = f"{key_path} could not be read: {key.error}"
            return dataclasses.replace(layer, error=error)
    blobs: dict[str, ConnectionSettings] = {}
    malformed: dict[str, str] = {}
    for name, value in _blob_values(registry, layer.connections):
        if isinstance(value.data, bytes) and value.type == "REG_BINARY":
            blobs[name] = ConnectionSettings.parse(value.data)
        else:
            malformed[name] = f"{name} is {value.type}, expected is REG_BINARY"
    candidates, doubt = _candidates(registry, path, blobs)
    error = malformed.get(VALUES[0], "")
    return dataclasses.replace(
        layer,
        candidates=() if error else candidates,
        doubt=doubt,
        error=error,
        blob=blobs.get(VALUES[0]),
        malformed=". ".join(malformed.values()),
        counter=max((blob.counter for blob in blobs.values()), default=0),
    )


def plain_meaning(registry: Registry, path: str, autodetect: bool = False) -> Meaning:
    """Return what the plain values of one key come to.

    autodetect is what counts where they do not say whether automatic detection is on.
    """
    return Meaning.of_blob(_plain_settings(registry, path, autodetect))


def dial_up_connections(registry: Registry, path: str) -> dict[str, Meaning]:
    """Return what VPN and dial-up connections of one Internet Settings key have, by their names.

    While such a connection is up, its settings count and not those of the network
    (WinHttpGetIEProxyConfigForCurrentUser).
    """
    reserved = {fold(name) for name in (*VALUES, winhttp.VALUE)}
    connections = {}
    for name, value in registry.key(connections_key(path)).values.items():
        if fold(name) not in reserved and isinstance(value.data, bytes):
            connections[name] = Meaning.of_blob(ConnectionSettings.parse(value.data))
    return connections


def _blob_values(registry: Registry, path: str) -> Iterable[tuple[str, Value]]:
    for name in VALUES:
        value = registry.value(path, name)
        if value is not None:
            yield name, value


def _candidates(
    registry: Registry, path: str, blobs: Mapping[str, ConnectionSettings]
) -> tuple[tuple[ConnectionSettings, ...], str]:
    """Return what Windows may act on, and why there are several.

    The blob decides. Where the plain values differ from SavedLegacySettings, and MigrateProxy is not
    0, they are newer, and Windows takes them over. When it does so could not be confirmed.
    """
    decisive = blobs.get(VALUES[0], MISSING)
    saved = blobs.get(VALUES[1], decisive)
    migrate = registry.value(path, MIGRATE)
    if migrate is not None and migrate.data == 0:
        return (decisive,), ""
    plain = plain_meaning(registry, path, bool(saved.flags & AUTODETECT))
    if plain == Meaning.of_blob(saved):
        return (decisive,), ""
    newer = _plain_settings(registry, path, bool(decisive.flags & AUTODETECT))
    if Meaning.of_blob(newer) == Meaning.of_blob(decisive):
        return (decisive,), ""
    doubt = (
        f"the plain values ({Meaning.of_blob(newer).describe()}) are newer than the blobs "
        f"({Meaning.of_blob(decisive).describe()}); whether Windows has taken them over could not be "
        f"determined ({ASSUMED})"
    )
    return (decisive, newer), doubt


def _plain_settings(registry: Registry, path: str, autodetect: bool) -> ConnectionSettings:
    """Return the plain values of one key in the form of a blob."""
    values = registry.key(path).values
    pac_url = _text(values, AUTO_CONFIG_URL)
    flags = DIRECT
    if _is_set(values, PROXY_ENABLE, default=False):
        flags |= PROXY
    if pac_url:
        flags |= PAC
    if _is_set(values, AUTO_DETECT, default=autodetect):
        flags |= AUTODETECT
    server, bypass = _text(values, PROXY_SERVER), _text(values, PROXY_OVERRIDE)
    return ConnectionSettings(flags, server, bypass, pac_url)


def _is_set(values: Mapping[str, Value], name: str, *, default: bool) -> bool:
    value = values.get(name)
    return default if value is None else bool(value.data)


def _text(values: Mapping[str, Value], name: str) -> str:
    value = values.get(name)
    if value is None or not isinstance(value.data, str):
        return ""
    return value.data
