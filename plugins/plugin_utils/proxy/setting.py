# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_proxy: what it may hold, and what is said of anything else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.parsing.convert_bool import boolean

from ..formats.wininet import AUTODETECT, DIRECT, PAC, PROXY

MODES = ("unmanaged", "direct", "named", "pac", "autodetect")
SCOPES = ("machine", "users")
KEYS = ("mode", "server", "bypass", "pac_url", "scope", "replace_malformed")
PROTOCOLS = ("http", "https", "ftp", "socks")

FLAGS = {"direct": DIRECT, "named": DIRECT | PROXY, "pac": DIRECT | PAC, "autodetect": DIRECT | AUTODETECT}
"""The flags that Windows' own dialog writes for each mode."""

_ENTRY = re.compile(
    r"<local>|<-loopback>|(?:https?://)?(?:[A-Za-z0-9_.*-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]+))?", re.IGNORECASE
)

NO_LOGIN = (
    "it holds a login, and ETS6 cannot use one: it hands the PC user's own Windows login to the proxy, or none. "
    "Take the login out of the value; the proxy must accept the PC's users by Negotiate, Kerberos or NTLM"
)


class SettingError(ValueError):
    """The variable's value is not accepted. The text names the key, the value and what is accepted, and repeats no login."""


@dataclass(frozen=True)
class ProxySetting:
    """Which proxy is wanted, and for whom. bypass entries are WinINET's (``*.example.com``, ``<local>``, ``host:8080``).

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
        """The servers that WinHTTP takes: it has none for ftp, and knows no SOCKS (netsh winhttp set proxy)."""
        return ";".join(part for part in self.server.split(";") if not part.lower().startswith(("ftp=", "socks=")))

    @property
    def flags(self) -> int:
        """The flags of WinINET's blob. KeyError where the mode is unmanaged, since there is nothing to write then."""
        return FLAGS[self.mode]


def proxy_setting(value: Any) -> ProxySetting:
    """Read the variable. Raises SettingError."""
    if not isinstance(value, Mapping):
        raise SettingError(
            f"{_shown(value)} is not accepted; a dictionary with mode and, as the mode asks, {', '.join(KEYS[1:])} is expected"
        )
    unknown = sorted(str(key) for key in value if key not in KEYS)
    if unknown:
        raise SettingError(f"{unknown[0]!r} is not accepted; accepted are {', '.join(KEYS)}")
    mode = _choice("mode", value.get("mode", "unmanaged"), MODES)
    setting = ProxySetting(
        mode,
        _server(_given(value, "server", "")),
        _bypass(_given(value, "bypass", ())),
        _pac_url(_given(value, "pac_url", "")),
        _choice("scope", value.get("scope", "machine"), SCOPES),
        _flag("replace_malformed", value.get("replace_malformed", False)),
    )
    needs = {"named": "server", "pac": "pac_url"}.get(mode)
    if needs and not getattr(setting, needs):
        raise SettingError(f"{needs} is missing; mode {mode} needs it")
    for key, only in (("server", "named"), ("bypass", "named"), ("pac_url", "pac")):
        if getattr(setting, key) and mode != only:
            raise SettingError(f"{key} is given, but mode is {mode}; {key} goes with mode {only}")
    return setting


def _given(value: Mapping[Any, Any], key: str, default: Any) -> Any:
    """Return what is given for a key; Ansible hands over None for an option that is left out."""
    found = value.get(key)
    return default if found is None else found


def _choice(key: str, value: Any, accepted: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value.lower() not in accepted:
        raise SettingError(f"{key}: {_shown(value)} is not accepted; accepted are {', '.join(accepted)}")
    return value.lower()


def _flag(key: str, value: Any) -> bool:
    try:
        return bool(boolean(value))
    except TypeError:
        raise SettingError(f"{key}: {_shown(value)} is not accepted; true or false is") from None


def _server(value: Any) -> str:
    """Accept ``host:port``, or for each protocol its own: ``http=host:port;https=host:port``."""
    if value == "":
        return ""
    accepted = "host:port, or http=host:port;https=host:port (protocols: http, https, ftp, socks)"
    if not isinstance(value, str):
        raise SettingError(f"server: {_shown(value)} is not accepted; expected is {accepted}")
    if "@" in value:
        raise SettingError(f"server: {NO_LOGIN}")
    parts = [part for part in value.split(";") if part]
    seen = set()
    for part in parts:
        protocol, equals, address = part.rpartition("=")
        host, colon, port = address.rpartition(":")
        if (
            not colon
            or not _is_host(host)
            or not _is_port(port)
            or (equals and protocol.lower() not in PROTOCOLS)
            or (not equals and len(parts) > 1)
        ):
            raise SettingError(f"server: {_shown(part)} is not accepted; expected is {accepted}")
        if protocol.lower() in seen:
            raise SettingError(f"server: {protocol} is named twice")
        seen.add(protocol.lower())
    if not seen & {"", "http", "https"}:
        raise SettingError(
            f"server: {_shown(value)} names no proxy for http or https, and ETS6 uses no other; expected is {accepted}"
        )
    return ";".join(parts)


def _bypass(value: Any) -> tuple[str, ...]:
    entries = [entry for entry in value.split(";") if entry.strip()] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)):
        raise SettingError(f"bypass: {_shown(value)} is not accepted; a list of entries is expected")
    for entry in entries:
        match = _ENTRY.fullmatch(entry.strip()) if isinstance(entry, str) else None
        if not match or (match["port"] and not _is_port(match["port"])):
            raise SettingError(
                f"bypass: {_shown(entry)} is not accepted; an entry is a name or address in which * stands for anything, "
                "with a port if need be (*.example.com, 10.*, intranet:8080), or <local>"
            )
    return tuple(dict.fromkeys(entry.strip() for entry in entries))


def _is_host(name: str) -> bool:
    """Return whether a text is a server's name or address; one of digits and dots alone has to be an address."""
    if name.startswith("[") and name.endswith("]"):
        try:
            return ipaddress.ip_address(name[1:-1]).version == 6
        except ValueError:
            return False
    if re.fullmatch(r"[0-9.]+", name):
        try:
            return ipaddress.ip_address(name).version == 4
        except ValueError:
            return False
    label = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    return len(name) <= 253 and bool(re.fullmatch(rf"{label}(?:\.{label})*\.?", name))


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) < 65536


def _pac_url(value: Any) -> str:
    if value == "":
        return ""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, good = None, False
    if parts is not None and "@" in parts.netloc:
        raise SettingError(f"pac_url: {NO_LOGIN}")
    if not good or not value.isascii() or re.search(r"[\s\x00-\x1f]", value):
        raise SettingError(
            f"pac_url: {_shown(value)} is not accepted; expected is http:// or https:// and a file, such as http://proxy.example.com/proxy.pac"
        )
    return str(value)


def _shown(value: Any) -> str:
    """Repeat a value in an error, but never one that may hold a login."""
    return "the value" if "@" in str(value) else repr(value)
