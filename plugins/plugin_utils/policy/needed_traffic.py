# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_needed_traffic: traffic that ETS6 needs beside the usual."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..formats.firewall_address import Span
from .addresses import parse_remote_address
from .parsing import (
    NotAcceptedError,
    choice,
    dictionary,
    list_of,
    not_accepted,
    numbered,
    parse_each,
    parse_fields,
)

KEYS = ("name", "direction", "protocol", "ports", "addresses")
REQUIRED = ("name", "direction", "protocol", "ports")
DIRECTIONS = ("in", "out")
PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True)
class NeededTraffic:
    """Traffic that comes in to ports of the PC, or goes out to ports of the other end.

    name is a part of texts and evidence. protocol is TCP or UDP. addresses are those of the other
    end; none means the private and link-local addresses, where devices are.
    """

    name: str
    direction: str
    protocol: str
    ports: tuple[Span, ...]
    addresses: tuple[str, ...] = ()


def parse_needed_traffic(value: Any) -> tuple[NeededTraffic, ...]:
    """Return the entries. Raises NotAcceptedError with every problem and where it is."""
    if not isinstance(value, (list, tuple)):
        raise not_accepted(value, "a list of dictionaries is expected")
    names: set[str] = set()

    def parse(item: Any) -> NeededTraffic:
        entry = _parse_entry(item)
        if entry.name in names:
            raise NotAcceptedError("another entry has the same name", "name")
        names.add(entry.name)
        return entry

    return tuple(parse_each(numbered(value), parse))


def _parse_entry(item: Any) -> NeededTraffic:
    fields = dictionary(item, KEYS, f"a dictionary with {', '.join(REQUIRED)}", REQUIRED)
    parsers = {
        "name": _parse_name,
        "direction": lambda value: choice(value, DIRECTIONS),
        "protocol": lambda value: choice(value, PROTOCOLS).upper(),
        "ports": list_of(_parse_ports, empty=False),
        "addresses": list_of(_parse_addresses, empty=True),
    }
    return NeededTraffic(**parse_fields(fields, parsers))


def _parse_name(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_ -]{0,39}", value):
        return value
    raise not_accepted(value, "a name of up to 40 letters, digits, blanks, - and _ is expected")


def _parse_ports(value: Any) -> Span:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(value), re.ASCII)
    if match is not None and not isinstance(value, bool):
        first, last = int(match[1]), int(match[2] or match[1])
        if 1 <= first <= last <= 65535:
            return first, last
    raise not_accepted(value, "a port from 1 to 65535 is expected, or a range such as 3671-3680")


def _parse_addresses(value: Any) -> str:
    address = parse_remote_address(value)
    if not address[:1].isdigit() and ":" not in address:
        raise not_accepted(value, "an address, a network or a range is expected")
    return address
