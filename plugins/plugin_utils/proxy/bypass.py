# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's bypass list: which servers are reached without the proxy.

Microsoft Learn, "Enabling Internet Functionality", "Listing the Proxy Bypass": entries are separated by blanks or
semicolons, ``*`` stands for anything, an entry may begin with a protocol and end with a port, and ``<local>`` stands for
every name without a dot. The PC itself is never reached through a proxy (.NET reference source, WebProxy.IsBypassed).
"""

from __future__ import annotations

import ipaddress
import re
from fnmatch import translate


def bypasses(entries: str, scheme: str, host: str, port: int) -> str:
    """Return the entry that lets this server be reached directly, or nothing; for the PC itself ``loopback``."""
    host = host.lower()
    if _loopback(host):
        return "loopback"
    for entry in re.split(r"[;\s]+", entries.strip()):
        if not entry:
            continue
        if entry.lower() == "<local>":
            if "." not in host and ":" not in host:
                return entry
            continue
        match = re.fullmatch(r"(?:([a-z]+)://)?(\[[^\]]*\]|[^:]*)(?::(\d+))?", entry.lower())
        if match is None:
            continue
        protocol, name, wanted_port = match.groups()
        if protocol and protocol != scheme:
            continue
        if wanted_port and int(wanted_port) != port:
            continue
        # Only * is a wildcard here; fnmatch knows more, so the rest is taken literally.
        pattern = translate(name.strip("[]").replace("[", "[[]").replace("?", "[?]"))
        if re.fullmatch(pattern, host):
            return entry
    return ""


def server_for(servers: str, scheme: str) -> str:
    """Return the proxy for a protocol from ``host:port`` or ``http=host:port;https=…``; nothing where none is named for it.

    A login in it is left out: Windows does not use one there, and nobody is to read it in a report.
    """
    single = ""
    for part in re.split(r"[;\s]+", servers.strip()):
        protocol, equals, address = part.partition("=") if re.match(r"[A-Za-z]+=", part) else ("", "", part)
        address = re.sub(r"^[a-z]+://", "", address.strip().lower()).rpartition("@")[2].rstrip("/")
        if not address:
            continue
        if ":" not in address.rpartition("]")[2]:
            address += ":80"
        if not equals:
            single = single or address
        elif protocol.strip().lower() == scheme:
            return address
    return single


def without_logins(text: str) -> str:
    """Return servers or a URL as they may be shown: what stands before an ``@`` in an address is left out."""
    return re.sub(r"((?:^|[;\s])(?:[A-Za-z]+=)?(?:[A-Za-z]+://)?)[^;\s]*@(?=[^;\s@/]+)", r"\1…@", text)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
