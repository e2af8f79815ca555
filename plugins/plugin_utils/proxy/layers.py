# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The places where a PC keeps its proxy: WinINET for the machine and for each user, and WinHTTP."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..formats import winhttp
from ..formats.registry import Value
from ..formats.wininet import AUTODETECT, PAC, PROXY, VALUES, BlobError, ConnectionSettings
from ..snapshot import Registry, Snapshot, State, User
from .bypass import without_logins

SETTINGS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root; the blobs stand in the subkey Connections."""
MACHINE = "HKLM\\" + SETTINGS
POLICY_SETTINGS = r"Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
"""Below the machine's or a user's root; of all that may stand there, Windows acts on the machine's ProxySettingsPerUser alone."""
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
PER_USER = "ProxySettingsPerUser"
PLAIN = ("ProxyEnable", "ProxyServer", "ProxyOverride", "AutoConfigURL")
"""The values beside the blobs. Windows acts on the blobs and writes these anew from them."""
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
        """Return the meaning of settings as a blob holds them. A mode whose text is empty is off, whatever its flag says."""
        server, pac_url = server.strip().lower() if flags & PROXY else "", pac_url.strip() if flags & PAC else ""
        active = (PROXY if server else 0) | (PAC if pac_url else 0) | (flags & AUTODETECT)
        entries = tuple(sorted({entry for entry in re.split(r"[;\s]+", bypass.lower()) if entry})) if server else ()
        return cls(active, server, entries, pac_url)

    def words(self) -> str:
        """Return it as an administrator says it."""
        parts = []
        if self.flags & AUTODETECT:
            parts.append("automatic detection")
        if self.flags & PAC:
            parts.append(f"the script {without_logins(self.pac_url)}")
        if self.flags & PROXY:
            parts.append(
                f"the proxy {without_logins(self.server)}" + (f" (not for {'; '.join(self.bypass)})" if self.bypass else "")
            )
        return ", then ".join(parts) or "no proxy"

    def to_wire(self) -> dict[str, Any]:
        """Return it as evidence, and as both sides of a diff; without any login."""
        return {
            "autodetect": bool(self.flags & AUTODETECT),
            "pac_url": without_logins(self.pac_url) or None,
            "server": without_logins(self.server) or None,
            "bypass": ";".join(self.bypass) or None,
        }


@dataclass(frozen=True)
class Layer:
    """One place. error says why it cannot be read or trusted; settings is None then, or where nothing was ever set.

    malformed says what is wrong with the layout of one of the two blobs; only the first one's is an error too, since Windows
    acts on that one. counter is the higher one of both.
    """

    id: str
    title: str
    path: str
    settings: ConnectionSettings | None
    error: str = ""
    malformed: str = ""
    counter: int = 0

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
    return read_layer(snapshot.registry, "machine", "the machine-wide settings", MACHINE)


def user_layers(snapshot: Snapshot) -> list[Layer]:
    """Return each user's WinINET settings, and the default profile's, from which new users start."""
    return [_user_layer(snapshot.registry, user) for user in snapshot.users or ()]


def relevant_users(snapshot: Snapshot) -> list[User]:
    """Return whose settings ETS6 would use: who is logged on; else everybody with a profile; else the default profile."""
    users = snapshot.users or ()
    readable = [user for user in users if user.hive != "unavailable"]
    # Who is logged on counts even where their settings cannot be read: then it is not known what ETS6 uses.
    logged_on = [user for user in users if user.logged_on]
    return logged_on or [user for user in readable if user.sid != DEFAULT_USER] or readable


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
    return read_layer(registry, user.sid, title, path)


def read_layer(registry: Registry, layer_id: str, title: str, path: str) -> Layer:
    """Read one layer: the blob decides; where there is none, the plain values are what Windows would start from."""
    for key in (path, path + r"\Connections"):
        found = registry.key(key)
        if found.state is State.UNREADABLE:
            return Layer(layer_id, title, path, None, f"{key} could not be read: {found.error}")
    blobs, problems = read_blobs(registry, path)
    malformed = ". ".join(f"{name} {problem}" for name, problem in problems.items())
    counter = max((blob.counter for blob in blobs.values()), default=0)
    first = VALUES[0]
    if first in problems:
        return Layer(layer_id, title, path, None, f"{first} {problems[first]}", malformed, counter)
    if first in blobs:
        return Layer(layer_id, title, path, blobs[first], "", malformed, counter)
    flags, server, bypass, pac_url = plain_values(registry, path)
    started = ConnectionSettings(1 | flags, server, bypass, pac_url) if flags else None
    return Layer(layer_id, title, path, started, "", malformed, counter)


def read_blobs(registry: Registry, path: str) -> tuple[dict[str, ConnectionSettings], dict[str, str]]:
    """Return the blobs of one Internet Settings key by the value's name, and what is wrong with those that cannot be read."""
    blobs, problems = {}, {}
    for name in VALUES:
        value = registry.value(path + r"\Connections", name)
        if value is None:
            continue
        if not isinstance(value.data, bytes):
            problems[name] = f"is {value.type}, expected is REG_BINARY"
            continue
        try:
            blobs[name] = ConnectionSettings.parse(value.data)
        except BlobError as error:
            problems[name] = f"cannot be read: {error}"
    return blobs, problems


def dialled_connections(registry: Registry, path: str) -> dict[str, Meaning]:
    """Return what VPN and dial-up connections of one Internet Settings key have, by their names; one that cannot be read is left out.

    While such a connection is up, its settings count and not those of the network (WinHttpGetIEProxyConfigForCurrentUser).
    """
    known = {name.lower() for name in (*VALUES, winhttp.VALUE)}
    found = {}
    for name, value in registry.key(path + r"\Connections").values.items():
        if name.lower() in known or not isinstance(value.data, bytes):
            continue
        with contextlib.suppress(BlobError):
            blob = ConnectionSettings.parse(value.data)
            found[name] = Meaning.of(blob.flags, blob.proxy, blob.bypass, blob.pac_url)
    return found


def plain_values(registry: Registry, path: str) -> tuple[int, str, str, str]:
    """Return what the plain values of one key say: flags, server, bypass list, script."""
    values = registry.key(path).values
    enabled = values.get("ProxyEnable")
    server, bypass, pac_url = (_text(values, name) for name in PLAIN[1:])
    return (PROXY if enabled is not None and enabled.data else 0) | (PAC if pac_url else 0), server, bypass, pac_url


@dataclass(frozen=True)
class WinHttp:
    """WinHTTP's proxy in one of its two keys. malformed: the key could be read, its blob not."""

    path: str
    settings: winhttp.WinHttpSettings | None
    error: str = ""
    malformed: bool = False

    @property
    def meaning(self) -> Meaning:
        """What it comes to."""
        found = self.settings
        return Meaning.of(found.flags & PROXY, found.server, found.bypass, "") if found else Meaning(0)


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
                layers.append(WinHttp(path, None, f"{winhttp.VALUE} is {blob.type}, expected is REG_BINARY", True))
        except BlobError as error:
            layers.append(WinHttp(path, None, f"{winhttp.VALUE} cannot be read: {error}", True))
    return layers


def _text(values: Mapping[str, Value], name: str) -> str:
    found = values.get(name)
    return found.data if found is not None and isinstance(found.data, str) else ""
