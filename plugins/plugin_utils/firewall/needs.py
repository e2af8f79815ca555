# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What ETS6 needs of a firewall: the table, and its sources.

A control fails where a needed part is blocked. What else is blocked is evidence.

Sources: KNX support article 4403452514066 (the vendor's servers and their ports; the rules for TCP
and UDP, named "IoT requirements"); KNXnet/IP, EN 13321-2 and the IANA registry (port 3671,
224.0.23.12); RFC 7252 (CoAP, port 5683, for KNX IoT); RFC 6762 (mDNS, port 5353); RFC 6335 and
Microsoft, "The default dynamic port range for TCP/IP" (49152 to 65535); RFC 1918, RFC 3927, RFC
4193 and RFC 4291 (private and link-local addresses, where devices are).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..formats.firewall_address import ALL_V4, ALL_V6, Span, remote_tokens, span
from ..formats.firewall_rule import Direction, Rule
from ..policy.needed_traffic import NeededTraffic
from ..policy.variables import Policy
from .rule_scope import System, rule_scope
from .traffic_set import (
    ACCOUNT,
    IPSEC,
    LOCAL,
    LOCAL_PORT,
    REMOTE,
    REMOTE_PORT,
    Box,
    Spans,
    intersect,
    intersect_all,
    merge_spans,
)

DEVICES = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""Private and link-local addresses."""
SERVERS = ("0.0.0.0-223.255.255.255", "::-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
"""Every address that is not multicast."""
DYNAMIC_PORTS: Span = (49152, 65535)
ANY_PORT: Span = (0, 65535)

KNXNET_IP = 3671
COAP = 5683
MDNS = 5353

_FAMILIES: tuple[Box, ...] = (
    {REMOTE: (ALL_V4,), LOCAL: (ALL_V4,)},
    {REMOTE: (ALL_V6,), LOCAL: (ALL_V6,)},
)


@dataclass(frozen=True)
class Need:
    """A part of the traffic that a program needs.

    title names it in sentences. addresses are those at the other end, groups multicast addresses
    that belong to them. somewhere: the other end is a few servers somewhere in
    the addresses, so a rule that blocks some of the addresses is not known to block the servers.
    """

    id: str
    title: str
    direction: Direction
    protocol: str
    local_ports: tuple[Span, ...] = (ANY_PORT,)
    remote_ports: tuple[Span, ...] = (ANY_PORT,)
    addresses: tuple[str, ...] = DEVICES
    groups: tuple[str, ...] = ()
    somewhere: bool = False


def _port(number: int) -> tuple[Span, ...]:
    return ((number, number),)


NEEDS = (
    Need(
        "routing",
        "KNXnet/IP discovery and routing (UDP port 3671)",
        Direction.IN,
        "UDP",
        local_ports=_port(KNXNET_IP),
    ),
    Need(
        "answers",
        "answers of devices (UDP ports 49152 to 65535)",
        Direction.IN,
        "UDP",
        local_ports=(DYNAMIC_PORTS,),
        remote_ports=(*_port(KNXNET_IP), *_port(MDNS), *_port(COAP)),
    ),
    Need("iot", "KNX IoT (UDP port 5683)", Direction.IN, "UDP", local_ports=_port(COAP)),
    Need("mdns", "mDNS (UDP port 5353)", Direction.IN, "UDP", local_ports=_port(MDNS)),
    Need(
        "tcp",
        "KNXnet/IP over TCP (TCP port 3671)",
        Direction.IN,
        "TCP",
        local_ports=_port(KNXNET_IP),
    ),
    Need(
        "routing_out",
        "KNXnet/IP to devices (UDP port 3671)",
        Direction.OUT,
        "UDP",
        local_ports=(*_port(KNXNET_IP), DYNAMIC_PORTS),
        remote_ports=_port(KNXNET_IP),
        groups=("224.0.23.12",),
    ),
    Need(
        "iot_out",
        "KNX IoT to devices (UDP port 5683)",
        Direction.OUT,
        "UDP",
        local_ports=(*_port(COAP), DYNAMIC_PORTS),
        remote_ports=_port(COAP),
        groups=("224.0.1.187", "ff02::fd", "ff05::fd"),
    ),
    Need(
        "mdns_out",
        "mDNS to devices (UDP port 5353)",
        Direction.OUT,
        "UDP",
        local_ports=(*_port(MDNS), DYNAMIC_PORTS),
        remote_ports=_port(MDNS),
        groups=("224.0.0.251", "ff02::fb"),
    ),
    Need(
        "tcp_out",
        "KNXnet/IP over TCP to devices (TCP port 3671)",
        Direction.OUT,
        "TCP",
        local_ports=(DYNAMIC_PORTS,),
        remote_ports=_port(KNXNET_IP),
    ),
    Need(
        "vendor_https",
        "the vendor's servers (TCP port 443)",
        Direction.OUT,
        "TCP",
        local_ports=(DYNAMIC_PORTS,),
        remote_ports=_port(443),
        addresses=SERVERS,
        somewhere=True,
    ),
    Need(
        "vendor_http",
        "the vendor's servers (TCP port 80)",
        Direction.OUT,
        "TCP",
        local_ports=(DYNAMIC_PORTS,),
        remote_ports=_port(80),
        addresses=SERVERS,
        somewhere=True,
    ),
)


def needs_of(policy: Policy) -> Iterator[Need]:
    """Return the table and what ets6_network_needed_traffic adds to it."""
    yield from NEEDS
    yield from map(_added, policy.needed_traffic)


def _added(added: NeededTraffic) -> Need:
    """Return the need of an entry: what comes in to its ports, or goes out to them."""
    title = f"{added.name} ({added.protocol} {_port_words(added.ports)})"
    addresses = added.addresses or DEVICES
    if added.direction == "in":
        return Need(
            added.name,
            title,
            Direction.IN,
            added.protocol,
            local_ports=added.ports,
            addresses=addresses,
        )
    return Need(
        added.name,
        title,
        Direction.OUT,
        added.protocol,
        remote_ports=added.ports,
        addresses=addresses,
    )


def _port_words(ports: Sequence[Span]) -> str:
    words = [str(first) if first == last else f"{first} to {last}" for first, last in ports]
    single = len(ports) == 1 and ports[0][0] == ports[0][1]
    return f"{'port' if single else 'ports'} {', '.join(words)}"


@dataclass(frozen=True)
class NeededSet:
    """A need as a set of traffic on one PC."""

    need: Need
    boxes: tuple[Box, ...]


def needed_sets(policy: Policy, everyone: Spans) -> list[NeededSet]:
    """Return what is needed, for all accounts that may run ETS6.

    ets6_network_remote_addresses narrows it to the user's devices.
    """
    scopes = _device_boxes(policy.remote_addresses)
    needed = []
    for need in needs_of(policy):
        boxes = _address_boxes(need, scopes)
        common: Box = {
            LOCAL_PORT: merge_spans(need.local_ports),
            REMOTE_PORT: merge_spans(need.remote_ports),
            ACCOUNT: everyone,
            IPSEC: ((0, 0),),
        }
        needed.append(NeededSet(need, tuple(intersect_all(boxes, [common]))))
    return needed


def _address_boxes(need: Need, scopes: Sequence[Box]) -> list[Box]:
    """Return the addresses of a need, over IPv4 and IPv6."""
    boxes: list[Box] = [{REMOTE: _spans(need.addresses)}]
    if need.addresses == DEVICES and scopes:
        boxes = list(scopes)
    if need.groups:
        boxes.append({REMOTE: _spans(need.groups)})
    return intersect_all(_FAMILIES, boxes)


def _spans(addresses: Iterable[str]) -> Spans:
    return merge_spans(map(span, addresses))


def _rule_for(remote_addresses: Sequence[str]) -> Rule:
    """Return a rule for remote addresses in the words of New-NetFirewallRule."""
    tokens = [f"{name}={value}|" for name, value in remote_tokens(remote_addresses)]
    return Rule.parse("", f"v2.10|Action=Allow|Dir=In|{''.join(tokens)}")


def _device_boxes(remote_addresses: Sequence[str]) -> list[Box]:
    """Return the addresses of the user's devices; none where all private addresses may be devices.

    Explicit addresses count as they are. A keyword such as LocalSubnet is a part of the private
    addresses.
    """
    if not remote_addresses:
        return []
    devices: Box = {REMOTE: _spans(DEVICES)}
    boxes = []
    for box in rule_scope(_rule_for(remote_addresses), System(None, None)).boxes:
        is_keyword = len(box) > 1
        common = intersect(box, devices) if is_keyword else box
        if common is not None:
            boxes.append(common)
    return boxes
