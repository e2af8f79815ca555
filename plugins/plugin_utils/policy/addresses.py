# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_remote_addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from ..formats.firewall_address import ALL_V4, ALL_V6, KEYWORDS, V6_START, show, show_span, span
from ..text import shorten
from .parsing import NotAcceptedError, not_accepted, quoted

Span = tuple[int, int]

MAX_REASON = 200
"""Characters of Python's own words for what is wrong with an address, which repeat it."""
_WORDS = ", ".join(word for word in KEYWORDS if not word.endswith(("4", "6")))
ACCEPTED = (
    "an address (192.168.1.20, fd00::7), a network (192.168.1.0/24, 10.0.0.0/255.0.0.0, fd00::/8), "
    f"a range (10.0.0.5-10.0.0.99), or one of {_WORDS} (with 4 or 6 behind it for one family)"
)


def parse_remote_address(value: Any) -> str:
    """Return a remote address as New-NetFirewallRule takes it, in one spelling.

    Networks have prefix lengths. What would not be a restriction (any, /0) is refused: that is the
    empty list. Raises NotAcceptedError.
    """
    if not isinstance(value, str):
        raise not_accepted(value, f"expected is {ACCEPTED}")
    text = value.strip()
    for word in KEYWORDS:
        if word.lower() == text.lower():
            return word
    if text.lower() in ("any", "*"):
        raise not_accepted(value, "for no restriction leave the list empty")
    try:
        addresses = span(text)
    except ValueError as error:
        raise _not_accepted(value, f"{error}; expected is {ACCEPTED}") from None
    if addresses in (ALL_V4, ALL_V6):
        raise NotAcceptedError(
            f"{quoted(value)} is not accepted, it is every address; for no restriction leave the "
            "list empty"
        )
    _refuse_host_bits(value, text, addresses[0])
    _refuse_impossible(value, addresses)
    return show_span(addresses)


def _not_accepted(value: str, why: str) -> NotAcceptedError:
    return NotAcceptedError(f"{quoted(value)} is not accepted: {shorten(why, MAX_REASON)}")


def _refuse_host_bits(value: str, text: str, start: int) -> None:
    """Refuse 192.168.1.20/24: it means the network or the host, and a firewall must not guess."""
    base, slash, length = text.partition("/")
    if slash and span(base)[0] != start:
        network = f"{show(start)}/{length}"
        raise _not_accepted(value, f"the network is {network}, the single PC is {base}")


def _refuse_impossible(value: str, addresses: Span) -> None:
    """Refuse what no packet can come from."""
    for number in addresses:
        address = ipaddress.ip_address(show(number))
        for kind in ("multicast", "unspecified", "loopback"):
            if getattr(address, f"is_{kind}"):
                raise _not_accepted(
                    value, f"{address} is a {kind} address, which no other device sends from"
                )
    loopback = ["127.0.0.1"]
    if addresses[0] >= V6_START:
        loopback.append("::1")
    for text in loopback:
        if addresses[0] <= span(text)[0] <= addresses[1]:
            raise _not_accepted(
                value, "it holds loopback addresses, which no other device sends from"
            )
