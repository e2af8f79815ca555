# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_proxy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..formats.wininet import AUTODETECT, DIRECT, PAC, PROXY
from .parsing import (
    NotAcceptedError,
    choice_of,
    dictionary,
    flag,
    is_port,
    not_accepted,
    quoted,
)

T = TypeVar("T")

MODES = ("unmanaged", "direct", "named", "pac", "autodetect")
SCOPES = ("machine", "users")
KEYS = ("mode", "server", "bypass", "pac_url", "scope", "replace_malformed")
PROTOCOLS = ("http", "https", "ftp", "socks")

FLAGS = {
    "direct": DIRECT,
    "named": DIRECT | PROXY,
    "pac": DIRECT | PAC,
    "autodetect": DIRECT | AUTODETECT,
}
"""The flags that Windows' own dialog writes for each mode."""
REQUIRED = {"named": "server", "pac": "pac_url"}
"""The key that a mode cannot do without."""
ONLY_WITH = {"server": "named", "bypass": "named", "pac_url": "pac"}
"""The one mode that a key goes with."""

_NAME = r"(?:[A-Za-z0-9_.*-]+|\[[0-9A-Fa-f:.]+\])"
_BYPASS_ENTRY = re.compile(
    rf"<local>|<-loopback>|(?:https?://)?{_NAME}(?::(?P<port>[0-9]+))?", re.IGNORECASE
)
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
MAX_HOST_NAME = 253

SERVER_EXPECTED = (
    "expected is host:port, or http=host:port;https=host:port (protocols: http, https, ftp, socks)"
)
NO_LOGIN = (
    "it holds a login, and ETS6 cannot use one: it hands the PC user's own Windows login to the "
    "proxy, or none. Take the login out of the value; the proxy must accept the PC's users by "
    "Negotiate, Kerberos or NTLM"
)


@dataclass(frozen=True)
class ProxySetting:
    """The proxy that a PC is to have, and the scope: the machine or its users.

    bypass entries are WinINET's (``*.example.com``, ``<local>``, ``host:8080``).
    replace_malformed: settings that cannot be read are written over, too.
    """

    mode: str = "unmanaged"
    server: str = ""
    bypass: tuple[str, ...] = ()
    pac_url: str = ""
    scope: str = "machine"
    replace_malformed: bool = False

    @property
    def winhttp_server(self) -> str:
        """The servers that WinHTTP takes: none for ftp or SOCKS (netsh winhttp set proxy)."""
        servers = self.server.split(";")
        return ";".join(
            server for server in servers if not server.lower().startswith(("ftp=", "socks="))
        )

    @property
    def flags(self) -> int:
        """The flags of WinINET's blob. KeyError where the mode is unmanaged: nothing is written."""
        return FLAGS[self.mode]


def parse_proxy(value: Any) -> ProxySetting:
    """Return the setting. Raises NotAcceptedError, whose text repeats no login."""
    expected = f"a dictionary with mode and, as the mode asks, {', '.join(KEYS[1:])}"
    fields = dictionary(value, KEYS, expected)
    setting = ProxySetting(
        _parse_key(fields, "mode", choice_of(MODES), "unmanaged"),
        _parse_key(fields, "server", _parse_server, ""),
        _parse_key(fields, "bypass", _parse_bypass, ()),
        _parse_key(fields, "pac_url", _parse_pac_url, ""),
        _parse_key(fields, "scope", choice_of(SCOPES), "machine"),
        _parse_key(fields, "replace_malformed", flag, False),
    )
    required = REQUIRED.get(setting.mode)
    if required and not getattr(setting, required):
        raise NotAcceptedError(f"{required} is missing; mode {setting.mode} needs it")
    for key, mode in ONLY_WITH.items():
        if getattr(setting, key) and setting.mode != mode:
            raise NotAcceptedError(
                f"{key} is given, but mode is {setting.mode}; {key} goes with mode {mode}"
            )
    return setting


def _parse_key(fields: Mapping[Any, Any], key: str, parse: Callable[[Any], T], default: T) -> T:
    """Return the value of a key. Ansible hands over None for an option that is left out."""
    value = fields.get(key)
    if value is None:
        return default
    try:
        return parse(value)
    except NotAcceptedError as error:
        raise error.within(key) from None


def _parse_server(value: Any) -> str:
    """Return ``host:port``, or for each protocol its own: ``http=host:port;https=host:port``."""
    if value == "":
        return ""
    if not isinstance(value, str):
        raise not_accepted(value, SERVER_EXPECTED)
    if "@" in value:
        raise NotAcceptedError(NO_LOGIN)
    entries = [entry for entry in value.split(";") if entry]
    protocols: set[str] = set()
    for entry in entries:
        protocol = _parse_server_entry(entry, alone=len(entries) == 1)
        if protocol in protocols:
            raise NotAcceptedError(f"{protocol} is named twice")
        protocols.add(protocol)
    if protocols.isdisjoint(("", "http", "https")):
        raise NotAcceptedError(
            f"{quoted(value)} names no proxy for http or https, and ETS6 uses no other; "
            f"{SERVER_EXPECTED}"
        )
    return ";".join(entries)


def _parse_server_entry(entry: str, *, alone: bool) -> str:
    """Return the protocol of an entry, empty where it is for every protocol."""
    protocol, equals, address = entry.rpartition("=")
    host, _colon, port = address.rpartition(":")
    protocol = protocol.lower()
    names_protocol = protocol in PROTOCOLS if equals else alone
    if not names_protocol or not _is_host(host) or not is_port(port):
        raise not_accepted(entry, SERVER_EXPECTED)
    return protocol


def _parse_bypass(value: Any) -> tuple[str, ...]:
    entries = value
    if isinstance(value, str):
        entries = [entry for entry in value.split(";") if entry.strip()]
    if not isinstance(entries, (list, tuple)):
        raise not_accepted(value, "a list of entries is expected")
    for entry in entries:
        if not _is_bypass_entry(entry):
            raise not_accepted(
                entry,
                "an entry is a name or address in which * is anything, with a port where needed "
                "(*.example.com, 10.*, intranet:8080), or <local>",
            )
    return tuple(dict.fromkeys(entry.strip() for entry in entries))


def _is_bypass_entry(entry: Any) -> bool:
    match = _BYPASS_ENTRY.fullmatch(entry.strip()) if isinstance(entry, str) else None
    return match is not None and (match["port"] is None or is_port(match["port"]))


def _is_host(name: str) -> bool:
    """Return whether a text is a server's name or address.

    One of digits and dots alone has to be an address.
    """
    if name.startswith("[") and name.endswith("]"):
        return _is_address(name[1:-1], 6)
    if re.fullmatch(r"[0-9.]+", name):
        return _is_address(name, 4)
    return len(name) <= MAX_HOST_NAME and _HOST_NAME.fullmatch(name) is not None


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _parse_pac_url(value: Any) -> str:
    if value == "":
        return ""
    if isinstance(value, str) and _has_login(value):
        raise NotAcceptedError(NO_LOGIN)
    if not isinstance(value, str) or not _is_script_url(value):
        raise not_accepted(
            value,
            "expected is http:// or https:// and a file, such as http://proxy.example.com/proxy.pac",
        )
    return value


def _has_login(url: str) -> bool:
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False


def _is_script_url(url: str) -> bool:
    if not url.isascii() or re.search(r"[\s\x00-\x1f]", url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
