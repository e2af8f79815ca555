# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's lists of proxies and of servers that bypass them, as .NET Framework reads them, and so ETS6.

.NET Framework takes the two texts from Windows and reads them by itself (.NET reference source, WebProxyDataBuilder and
WebProxy.IsBypassed), in three ways unlike Windows: only semicolons separate, a list that it cannot read makes every request
fail, and a port that is the protocol's own does not count as one.
"""

from __future__ import annotations

import ipaddress
import re
from fnmatch import translate

from ..errors import ETS6Error

DEFAULT_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"(.*://)?([^:]*)(:[0-9]{1,5})?")
_PROXY = re.compile(r"http://(?:[^/?#]*@)?(\[[0-9a-f:.]+\]|[^\s:/?#@;=\\\[\]]+)(?::([0-9]{1,5})?)?(?:[/?#].*)?", re.IGNORECASE)


class ListError(ETS6Error):
    """.NET Framework cannot read the list of proxies. The text repeats it, without logins."""


def bypasses(entries: str, scheme: str, host: str, port: int) -> str:
    """Return the entry that lets this server be reached directly, or nothing; for the PC itself ``loopback``.

    ``*`` stands for anything, protocol and port of an entry may be left out, and ``<local>`` stands for every name without a dot.
    """
    if _loopback(host):
        return "loopback"
    name = f"[{host}]" if ":" in host else host
    said = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    for entry in filter(None, map(str.strip, entries.split(";"))):
        if entry.lower() == "<local>":
            if "." not in name and ":" not in name:
                return entry
            continue
        match = _ENTRY.fullmatch(entry)
        protocol, wanted, wanted_port = match.groups() if match else (None, entry, None)
        if (wanted_port and wanted_port != said) or (protocol and not _like(protocol, f"{scheme}://")):
            continue
        # What is left out stands for anything, or for nothing: a wildcard may also stand for the protocol.
        before = [""] if protocol else ["", f"{scheme}://"]
        after = [""] if wanted_port else ["", said]
        if any(_like(wanted, first + name + last) for first in before for last in after):
            return entry
    return ""


def server_for(servers: str, scheme: str) -> str:
    """Return the proxy for a protocol from ``host:port`` or ``http=host:port;https=…``; nothing where none is named for it.

    A login in it is left out: Windows does not use one there, and nobody is to read it in a report. Raises ListError.
    """
    servers = servers.strip()
    if "=" not in servers:
        return _proxy(servers, servers) if servers else ""
    named = {}
    for entry in filter(None, map(str.strip, servers.split(";"))):
        protocol, *address = map(str.strip, entry.split("="))
        if not protocol or len(address) != 1 or not address[0]:
            raise _refused(servers)
        named[protocol.lower()] = _proxy(address[0], servers)
    return named.get(scheme, "")


def without_logins(text: str) -> str:
    """Return servers or a URL as they may be shown: what stands before an ``@`` in an address is left out."""
    return re.sub(r"((?:^|[;\s])(?:[A-Za-z]+=)?(?:[A-Za-z]+://)?)[^;\s]*@(?=[^;\s@/]+)", r"\1…@", text)


def _proxy(address: str, servers: str) -> str:
    match = _PROXY.fullmatch(address if "://" in address else f"http://{address}")
    port = int((match and match[2]) or DEFAULT_PORTS["http"])
    if match is None or port > 65535:
        raise _refused(servers)
    return f"{match[1].lower()}:{port}"


def _refused(servers: str) -> ListError:
    return ListError(
        f".NET Framework, and so ETS6, does not read '{without_logins(servers)}': expected is host:port, or protocol=host:port for each "
        "protocol, with semicolons in between"
    )


def _like(pattern: str, text: str) -> bool:
    # Only * is a wildcard here; fnmatch knows more, so the rest is taken literally.
    return re.fullmatch(translate(pattern.replace("[", "[[]").replace("?", "[?]")), text, re.IGNORECASE) is not None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
