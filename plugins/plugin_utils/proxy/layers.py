# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The places where a PC keeps its proxy: WinINET for the machine and for each user, and WinHTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..formats import winhttp
from ..formats.registry import Value
from ..formats.wininet import AUTODETECT, PAC, PROXY, VALUES, BlobError, ConnectionSettings
from ..snapshot import Registry, Snapshot, State, User

SETTINGS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root; the blobs stand in the subkey Connections."""
MACHINE = "HKLM\\" + SETTINGS
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
PER_USER = "ProxySettingsPerUser"
DEFAULT_USER = "default"


@dataclass(frozen=True)
class Meaning:
    """What settings come to, so that two can be compared: counter, tail and values of a mode that is off do not count."""

    flags: int
    server: str = ""
    bypass: tuple[str, ...] = ()
    pac_url: str = ""

    @classmethod
    def of(cls, flags: int, server: str, bypass: str, pac_url: str) -> Meaning:
        """Return the meaning of settings as a blob holds them."""
        active = flags & (PROXY | PAC | AUTODETECT)
        named = bool(flags & PROXY and server)
        entries = tuple(sorted({entry.strip().lower() for entry in bypass.split(";") if entry.strip()})) if named else ()
        return cls(active, server.strip().lower() if named else "", entries, pac_url.strip() if flags & PAC else "")

    def words(self) -> str:
        """Return it as an administrator says it."""
        parts = []
        if self.flags & AUTODETECT:
            parts.append("automatic detection")
        if self.flags & PAC:
            parts.append(f"the script {self.pac_url}")
        if self.flags & PROXY:
            parts.append(f"the proxy {self.server}" + (f" (not for {'; '.join(self.bypass)})" if self.bypass else ""))
        return ", then ".join(parts) or "no proxy"

    def to_wire(self) -> dict[str, Any]:
        """Return it as evidence, and as both sides of a diff."""
        return {
            "autodetect": bool(self.flags & AUTODETECT),
            "pac_url": self.pac_url or None,
            "server": self.server or None,
            "bypass": ";".join(self.bypass) or None,
        }


@dataclass(frozen=True)
class Layer:
    """One place. error says why it cannot be read or trusted; settings is None then, or where nothing was ever set."""

    id: str
    title: str
    path: str
    settings: ConnectionSettings | None
    error: str = ""

    @property
    def meaning(self) -> Meaning:
        """What it comes to; a layer where nothing was ever set means no proxy."""
        found = self.settings
        return Meaning.of(found.flags, found.proxy, found.bypass, found.pac_url) if found else Meaning(0)


def machine_wide(registry: Registry) -> bool:
    """Return whether Windows takes the machine's settings for every user."""
    value = registry.value(POLICY, PER_USER)
    return value is not None and value.data == 0


def machine_layer(snapshot: Snapshot) -> Layer:
    """Return the machine's WinINET settings, whether or not they are in force."""
    return _wininet(snapshot.registry, "machine", "the machine-wide settings", MACHINE)


def user_layers(snapshot: Snapshot) -> list[Layer]:
    """Return each user's WinINET settings, and the default profile's, from which new users start."""
    return [_user_layer(snapshot.registry, user) for user in snapshot.users or ()]


def relevant_users(snapshot: Snapshot) -> list[User]:
    """Return whose settings ETS6 would use: who is logged on; else everybody with a profile; else the default profile."""
    readable = [user for user in snapshot.users or () if user.hive != "unavailable"]
    people = [user for user in readable if user.sid != DEFAULT_USER]
    return [user for user in people if user.logged_on] or people or readable


def name_of(user: User) -> str:
    """Return how a finding calls a user."""
    return "new users" if user.sid == DEFAULT_USER else user.name or user.sid


def settings_key(user: User) -> str:
    """Return the path of a user's Internet Settings."""
    return f"HKU\\{user.sid}\\{SETTINGS}"


def _user_layer(registry: Registry, user: User) -> Layer:
    title = f"the settings of {name_of(user)}"
    path = settings_key(user)
    if user.hive == "unavailable":
        return Layer(user.sid, title, path, None, f"the user's registry could not be loaded: {user.error or 'no reason given'}")
    return _wininet(registry, user.sid, title, path)


def _wininet(registry: Registry, layer_id: str, title: str, path: str) -> Layer:
    """Read one layer: the blob decides; where there is none, the plain values are what Windows would start from."""
    for key in (path, path + r"\Connections"):
        found = registry.key(key)
        if found.state is State.UNREADABLE:
            return Layer(layer_id, title, path, None, f"{key} could not be read: {found.error}")
    blob = registry.value(path + r"\Connections", VALUES[0])
    if blob is not None:
        if not isinstance(blob.data, bytes):
            return Layer(layer_id, title, path, None, f"{VALUES[0]} is {blob.type}, expected is REG_BINARY")
        try:
            return Layer(layer_id, title, path, ConnectionSettings.parse(blob.data))
        except BlobError as error:
            return Layer(layer_id, title, path, None, f"{VALUES[0]} cannot be read: {error}")
    plain = registry.key(path).values
    if not plain.get("ProxyEnable") and not plain.get("AutoConfigURL"):
        return Layer(layer_id, title, path, None)
    enabled = plain.get("ProxyEnable")
    pac_url = _text(plain, "AutoConfigURL")
    flags = 1 | (PROXY if enabled is not None and enabled.data else 0) | (PAC if pac_url else 0)
    return Layer(
        layer_id, title, path, ConnectionSettings(flags, _text(plain, "ProxyServer"), _text(plain, "ProxyOverride"), pac_url)
    )


@dataclass(frozen=True)
class WinHttp:
    """WinHTTP's proxy in one of its two keys."""

    path: str
    settings: winhttp.WinHttpSettings | None
    error: str = ""

    @property
    def meaning(self) -> Meaning:
        """What it comes to."""
        found = self.settings
        return Meaning.of(PROXY if found and found.server else 0, found.server, found.bypass, "") if found else Meaning(0)


def winhttp_layers(registry: Registry) -> list[WinHttp]:
    """Return WinHTTP's settings of 64-bit and of 32-bit programs; the latter only where Windows has that key."""
    layers = []
    for path in winhttp.KEYS:
        key = registry.key(path)
        if key.state is State.MISSING:
            if path == winhttp.KEYS[0]:
                layers.append(WinHttp(path, None))
            continue
        if key.state is State.UNREADABLE:
            layers.append(WinHttp(path, None, f"{path} could not be read: {key.error}"))
            continue
        blob = key.values.get(winhttp.VALUE)
        try:
            if blob is None:
                layers.append(WinHttp(path, None))
            elif isinstance(blob.data, bytes):
                layers.append(WinHttp(path, winhttp.WinHttpSettings.parse(blob.data)))
            else:
                layers.append(WinHttp(path, None, f"{winhttp.VALUE} is {blob.type}, expected is REG_BINARY"))
        except BlobError as error:
            layers.append(WinHttp(path, None, f"{winhttp.VALUE} cannot be read: {error}"))
    return layers


def _text(values: Mapping[str, Value], name: str) -> str:
    found = values.get(name)
    return found.data if found is not None and isinstance(found.data, str) else ""
