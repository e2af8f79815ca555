# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Addresses of firewall rules, in registry strings (MS-GPFAS 2.2.2.9 to 2.2.2.13) and in New-NetFirewallRule's words.

An address is a number on one line, IPv4 first, IPv6 behind it, so that a set of addresses of both is one set of spans.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Span = tuple[int, int]
"""First and last number, both included."""

V6_START = 1 << 32
ALL_V4: Span = (0, V6_START - 1)
ALL_V6: Span = (V6_START, V6_START + (1 << 128) - 1)

_WORDS = {
    "LocalSubnet": ("RA4", "RA6", "LocalSubnet"),
    "DNS": ("RA4", "RA6", "DNS"),
    "DHCP": ("RA4", "RA6", "DHCP"),
    "WINS": ("RA4", "RA6", "WINS"),
    "DefaultGateway": ("RA4", "RA6", "DefaultGateway"),
    "Internet": ("RA42", "RA62", "IntErnet"),
    "Intranet": ("RA42", "RA62", "IntrAnet"),
    "IntranetRemoteAccess": ("RA42", "RA62", "RmtIntrAnet"),
    "PlayToDevice": ("RA42", "RA62", "Ply2Renders"),
}
KEYWORDS = {
    **_WORDS,
    **{f"{word}4": (v4, "", written) for word, (v4, _v6, written) in _WORDS.items()},
    **{f"{word}6": ("", v6, written) for word, (_v4, v6, written) in _WORDS.items()},
}
"""New-NetFirewallRule's word, and the IPv4 token, the IPv6 token and the word of the registry string. A 4 or 6 behind a word
restricts it to that family (New-NetFirewallRule, RemoteAddress)."""


@lru_cache(maxsize=4096)
def span(text: str) -> Span:
    """Return what an address, a range ``a-b``, or a subnet ``a/prefix`` or ``a/mask`` stands for.

    Raises ValueError with a phrase that says what is wrong.
    """
    first, dash, last = text.partition("-")
    if dash:
        start, end = _number(first), _number(last)
        if (start < V6_START) != (end < V6_START):
            raise ValueError("the range mixes IPv4 and IPv6")
        if start > end:
            raise ValueError("the range ends before it begins")
        return start, end
    base, slash, length = text.partition("/")
    number = _number(base)
    if not slash:
        return number, number
    width, zero = (32, 0) if number < V6_START else (128, V6_START)
    size = 1 << (width - _prefix(length, width))
    start = zero + (number - zero) // size * size
    return start, start + size - 1


def _number(text: str) -> int:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None
    if isinstance(address, ipaddress.IPv4Address):
        return int(address)
    if address.scope_id:
        raise ValueError(f"{text!r} names an interface (%{address.scope_id})")
    return V6_START + int(address)


def _prefix(text: str, width: int) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= width:
        return int(text)
    if width == 32:
        try:
            bits = f"{int(ipaddress.IPv4Address(text)):032b}"
        except ValueError:
            bits = "01"
        if "01" not in bits:
            return bits.count("1")
    raise ValueError(f"/{text} is no prefix length from 0 to {width}" + (" and no mask" if width == 32 else ""))


def show(number: int) -> str:
    """Return the address that a number on the line stands for."""
    return str(ipaddress.IPv4Address(number) if number < V6_START else ipaddress.IPv6Address(number - V6_START))


def show_span(part: Span) -> str:
    """Return a span in its shortest spelling: ``10.0.0.0/8``, ``192.168.1.7``, ``10.0.0.5-10.0.0.9``, ``IPv4``."""
    if part in (ALL_V4, ALL_V6):
        return "IPv4" if part == ALL_V4 else "IPv6"
    start, end = part
    if start == end:
        return show(start)
    size = end - start + 1
    width, zero = (32, 0) if start < V6_START else (128, V6_START)
    if size & (size - 1) == 0 and (start - zero) % size == 0:
        return f"{show(start)}/{width - size.bit_length() + 1}"
    return f"{show(start)}-{show(end)}"


def remote_tokens(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return remote addresses in New-NetFirewallRule's words as tokens of a registry string, in Windows' order.

    An IPv4 subnet stands there with its mask, an IPv6 one with its prefix length, as rule strings published by others have them;
    the grammar allows a prefix length for both.
    """
    groups: dict[str, list[str]] = {"RA4": [], "RA6": [], "RA42": [], "RA62": []}
    for word in words:
        if word in KEYWORDS:
            v4, v6, name = KEYWORDS[word]
            for token in filter(None, (v4, v6)):
                groups[token].append(name)
        else:
            start, end = span(word)
            groups["RA4" if start < V6_START else "RA6"].append(_written(start, end))
    return [(token, value) for token, values in groups.items() for value in dict.fromkeys(values)]


def _written(start: int, end: int) -> str:
    shown = show_span((start, end))
    base, slash, length = shown.partition("/")
    if slash and start < V6_START:
        return f"{base}/{ipaddress.IPv4Network(f'0.0.0.0/{length}').netmask}"
    return f"{show(start)}-{show(end)}" if "." not in shown and ":" not in shown else shown
