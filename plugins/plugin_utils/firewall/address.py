# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The addresses that a user may give for ets6_network_remote_addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from ..formats.firewall_address import ALL_V4, ALL_V6, KEYWORDS, V6_START, show, show_span, span

ACCEPTED = (
    "an address (192.168.1.20, fd00::7), a network (192.168.1.0/24, 10.0.0.0/255.0.0.0, fd00::/8), "
    "a range (10.0.0.5-10.0.0.99), or one of "
    + ", ".join(word for word in KEYWORDS if not word.endswith(("4", "6")))
    + " (with 4 or 6 behind it for one family)"
)


class AddressError(ValueError):
    """A remote address is not accepted. The text has the value and what is accepted."""


def remote_address(value: Any) -> str:
    """Return a remote address as New-NetFirewallRule takes it, in one spelling, networks with prefix lengths.

    Raises AddressError. What would be no restriction at all (any, /0) is refused too: that is the empty list.
    """
    if not isinstance(value, str):
        raise AddressError(f"{value!r} is not accepted; expected is {ACCEPTED}")
    text = value.strip()
    for word in KEYWORDS:
        if word.lower() == text.lower():
            return word
    if text.lower() in ("any", "*"):
        raise AddressError(f"{value!r} is not accepted; for no restriction leave the list empty")
    try:
        found = span(text)
    except ValueError as error:
        raise AddressError(f"{value!r} is not accepted: {error}; expected is {ACCEPTED}") from None
    if found in (ALL_V4, ALL_V6):
        raise AddressError(f"{value!r} is not accepted, it is every address; for no restriction leave the list empty")
    _refuse_host_bits(value, text, found[0])
    _refuse_impossible(value, found)
    return show_span(found)


def _refuse_host_bits(value: str, text: str, start: int) -> None:
    """Refuse 192.168.1.20/24: either the network or the host is meant, and a firewall should not guess which."""
    base, slash, length = text.partition("/")
    if slash and span(base)[0] != start:
        raise AddressError(f"{value!r} is not accepted: the network is {show(start)}/{length}, the single PC is {base}")


def _refuse_impossible(value: str, found: tuple[int, int]) -> None:
    """Refuse what no packet can come from."""
    for number in found:
        address = ipaddress.ip_address(show(number))
        if address.is_multicast or address.is_unspecified or address.is_loopback:
            kind = "multicast" if address.is_multicast else "loopback" if address.is_loopback else "unspecified"
            raise AddressError(f"{value!r} is not accepted: {show(number)} is a {kind} address, which no other device sends from")
    if found[0] <= span("127.0.0.1")[0] <= found[1] or (found[0] >= V6_START and found[0] <= span("::1")[0] <= found[1]):
        raise AddressError(f"{value!r} is not accepted: it holds loopback addresses, which no other device sends from")
