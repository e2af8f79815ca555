# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Addresses of firewall rules, in registry strings and in the words of New-NetFirewallRule.

The grammar of the registry strings is MS-GPFAS 2.2.2.9 to 2.2.2.13. An address is a number on one
line, IPv4 first and IPv6 after it, so that addresses of both families are one set of spans.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}")

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
"""The words of New-NetFirewallRule (parameter RemoteAddress), each with the IPv4 token, the IPv6
token and the word of the registry string. A final 4 or 6 restricts a word to that family."""


@lru_cache(maxsize=4096)
def span(text: str) -> Span:
    """Return the span of an address, a range ``a-b``, or a subnet ``a/prefix`` or ``a/mask``.

    Raises ValueError with a phrase that says what is wrong.
    """
    match = _IPV4.fullmatch(text)
    if match is not None:
        # Block lists hold thousands of these, and the module ipaddress is five times slower.
        number = int(match[1]) << 24 | int(match[2]) << 16 | int(match[3]) << 8 | int(match[4])
        return number, number
    first, dash, last = text.partition("-")
    if dash:
        return _range(first, last)
    base, slash, length = text.partition("/")
    number = _number(base)
    if not slash:
        return number, number
    width, zero = _family(number)
    size = 1 << (width - _prefix(length, width))
    start = zero + (number - zero) // size * size
    return start, start + size - 1


def _range(first: str, last: str) -> Span:
    start, end = _number(first), _number(last)
    if (start < V6_START) != (end < V6_START):
        raise ValueError("the range mixes IPv4 and IPv6")
    if start > end:
        raise ValueError("the range ends before it begins")
    return start, end


def _number(text: str) -> int:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address") from None
    if isinstance(address, ipaddress.IPv4Address):
        return int(address)
    if address.scope_id:
        raise ValueError(f"{text!r} names an interface (%{address.scope_id})")
    return V6_START + int(address)


def _family(number: int) -> tuple[int, int]:
    """Return the bits of an address of a number's family, and the number of its address 0."""
    if number < V6_START:
        return 32, 0
    return 128, V6_START


def _prefix(text: str, width: int) -> int:
    """Return a prefix length. For IPv4 (width 32) a mask is accepted too."""
    if text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= width:
        return int(text)
    if width != 32:
        raise ValueError(f"/{text} is not a prefix length from 0 to {width}")
    try:
        bits = f"{int(ipaddress.IPv4Address(text)):032b}"
    except ValueError:
        bits = "01"
    if "01" in bits:
        raise ValueError(f"/{text} is not a prefix length from 0 to {width} and not a mask")
    return bits.count("1")


def show(number: int) -> str:
    """Return the address that a number on the line stands for."""
    if number < V6_START:
        return str(ipaddress.IPv4Address(number))
    return str(ipaddress.IPv6Address(number - V6_START))


def show_span(addresses: Span) -> str:
    """Return a span as ``10.0.0.0/8``, ``192.168.1.7``, ``10.0.0.5-10.0.0.9`` or ``IPv4``."""
    if addresses == ALL_V4:
        return "IPv4"
    if addresses == ALL_V6:
        return "IPv6"
    start, end = addresses
    if start == end:
        return show(start)
    size = end - start + 1
    width, zero = _family(start)
    is_network = size & (size - 1) == 0 and (start - zero) % size == 0
    if is_network:
        return f"{show(start)}/{width - size.bit_length() + 1}"
    return f"{show(start)}-{show(end)}"


def remote_tokens(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return remote addresses in the words of New-NetFirewallRule as tokens of a registry string.

    The tokens are in Windows' order. An IPv4 subnet is written with its mask and an IPv6 one with
    its prefix length, as in published rule strings; the grammar allows a prefix length for both.
    """
    values_by_token: dict[str, list[str]] = {"RA4": [], "RA6": [], "RA42": [], "RA62": []}
    for word in words:
        if word in KEYWORDS:
            v4, v6, name = KEYWORDS[word]
            for token in filter(None, (v4, v6)):
                values_by_token[token].append(name)
            continue
        start, end = span(word)
        token = "RA4" if start < V6_START else "RA6"
        values_by_token[token].append(_written(start, end))
    tokens = []
    for token, values in values_by_token.items():
        for value in dict.fromkeys(values):
            tokens.append((token, value))
    return tokens


def _written(start: int, end: int) -> str:
    text = show_span((start, end))
    base, slash, length = text.partition("/")
    if slash and start < V6_START:
        return f"{base}/{ipaddress.IPv4Network(f'0.0.0.0/{length}').netmask}"
    if "." not in text and ":" not in text:
        return f"{show(start)}-{show(end)}"
    return text
