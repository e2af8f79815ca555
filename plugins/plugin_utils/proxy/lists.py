# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's lists of proxies and of servers that bypass them, as .NET Framework reads them.

.NET Framework takes the two texts from Windows and parses them itself (.NET reference source,
WebProxyDataBuilder and WebProxy.IsBypassed). It differs from Windows in three ways: only semicolons
separate, a list that cannot be parsed makes every request fail, and a port that is the default of
the protocol does not count. Every entry of a list has to be a URI, but only that of the protocol which
is asked for has to be an HTTP proxy.
"""

from __future__ import annotations

import ipaddress
import re

from ..errors import ETS6Error

LOCAL = "<local>"
"""The entry of a bypass list that covers every name without a dot."""
LOOPBACK = "loopback"
"""What lets the PC's own addresses bypass every proxy; no list has to name it."""
MAX_PORT = 65535

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"(?P<scheme>.*://)?(?P<host>[^:]*)(?P<port>:[0-9]{1,5})?")
_HOST = r"\[[0-9a-f:.]+\]|[^\s:/?#@;=\\\[\]]+"
_PROXY = re.compile(
    rf"http://(?:[^/?#]*@)?(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}})?)?(?:[/?#].*)?",
    re.IGNORECASE,
)
_URI = re.compile(
    rf"[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?(?:{_HOST})(?::(?P<port>[0-9]*))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"^((?:PROXY\s+|HTTPS?\s+|[A-Za-z]+=)?(?:[A-Za-z]+://)?).*@", re.DOTALL)

_QUERY = re.compile(r"(?<=[^?])\?[^;\s]+")


class ListError(ETS6Error):
    """.NET Framework cannot parse the list of proxies. The text repeats it, without logins."""


def split_list(text: str) -> list[str]:
    """Return the entries of a list, without the blanks around them and without empty ones."""
    return list(filter(None, map(str.strip, text.split(";"))))


def bypass_entry(bypass_list: str, scheme: str, host: str, port: int, domain: str = "") -> str:
    """Return the entry that lets a server bypass the proxy; empty without any.

    It is LOOPBACK for the PC itself. ``*`` matches anything, protocol and port of an entry may be
    left out, and ``<local>`` matches every name without a dot and, where domain is the PC's own DNS
    domain, every name one label below it.
    """
    if _is_loopback(host):
        return LOOPBACK
    name = host
    if ":" in host:
        name = f"[{host}]"
    for entry in split_list(bypass_list):
        if entry.lower() == LOCAL:
            if _is_local(name, domain):
                return entry
        elif _matches(entry, scheme, name, port):
            return entry
    return ""


def server_for(servers: str, scheme: str) -> str:
    """Return the proxy for a protocol as ``host:port``; empty where the list has none for it.

    servers is ``host:port`` or ``http=host:port;https=…``. A login in it is left out: Windows does
    not use one there, and it must not get into a report. Raises ListError.
    """
    servers = servers.strip()
    if not servers:
        return ""
    if "=" not in servers:
        return _proxy(servers, servers)
    address = ""
    for entry in split_list(servers):
        protocol, entry_address = _split_entry(entry, servers)
        if protocol == scheme:
            address = entry_address
    return _proxy(address, servers) if address else ""


def without_logins(text: str) -> str:
    """Return servers or a URL as they may be shown: without a login, and without a query.

    A password may hold any character, blanks and semicolons included. So what precedes the last
    ``@`` is left out, but for the protocol at the beginning. The query of a script's address may
    hold a token.
    """
    return _QUERY.sub("?…", _LOGIN.sub(r"\1…@", text))


def _matches(entry: str, scheme: str, name: str, port: int) -> bool:
    port_text = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return _like_any(entry, _spellings(scheme, name, port_text))
    if match["port"] and match["port"] != port_text:
        return False
    if match["scheme"] and not _like(match["scheme"], f"{scheme}://"):
        return False
    if match["scheme"]:
        scheme = ""
    if match["port"]:
        port_text = ""
    return _like_any(match["host"], _spellings(scheme, name, port_text))


def _spellings(scheme: str, name: str, port_text: str) -> list[str]:
    """Return how a server may be written: what an entry leaves out may be there or not.

    So a wildcard at its beginning may match the protocol, too.
    """
    spellings = [name]
    if scheme:
        spellings.append(f"{scheme}://{name}")
    if port_text:
        spellings += [spelling + port_text for spelling in spellings]
    return spellings


def _like_any(pattern: str, texts: list[str]) -> bool:
    return any(_like(pattern, text) for text in texts)


def _split_entry(entry: str, servers: str) -> tuple[str, str]:
    """Return the protocol, in lower case, and the address of ``protocol=address``."""
    protocol, _equals, address = (part.strip() for part in entry.partition("="))
    if not protocol or "=" in address or not _is_uri(address):
        raise _unreadable(servers)
    return protocol.lower(), address


def _is_uri(address: str) -> bool:
    match = _URI.fullmatch(_uri(address))
    return match is not None and int(match["port"] or 0) <= MAX_PORT


def _uri(address: str) -> str:
    if "://" in address:
        return address
    return f"http://{address}"


def _proxy(address: str, servers: str) -> str:
    match = _PROXY.fullmatch(_uri(address))
    if match is None:
        raise _unreadable(servers)
    port = int(match["port"] or _DEFAULT_PORTS["http"])
    if port > MAX_PORT:
        raise _unreadable(servers)
    return f"{match['host'].lower()}:{port}"


def _unreadable(servers: str) -> ListError:
    return ListError(
        f".NET Framework, and so ETS6, does not read '{without_logins(servers)}': expected is "
        "host:port, or protocol=host:port for each protocol, with semicolons in between"
    )


def _like(pattern: str, text: str) -> bool:
    """Return whether a text is what a pattern, in which * stands for any characters, says.

    The first place that fits is taken for each part, so the time does not grow with the stars.
    """
    text = text.lower()
    beginning, *middle = pattern.lower().split("*")
    if not middle:
        return text == beginning
    end = middle.pop()
    if not text.startswith(beginning) or not text.endswith(end):
        return False
    at = len(beginning)
    last = len(text) - len(end)
    for part in middle:
        found = text.find(part, at, last)
        if found < 0:
            return False
        at = found + len(part)
    return at <= last


def _is_local(name: str, domain: str) -> bool:
    if ":" in name:
        return False
    _label, dot, parent = name.partition(".")
    return not dot or (bool(domain) and parent.lower() == domain.lower())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
