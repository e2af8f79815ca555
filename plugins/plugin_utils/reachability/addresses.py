# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Addresses at which no server of the vendor is: those of no network, private ones, and sinkholes.

What arrives outweighs an address: genuine servers have private addresses behind NAT64 with a prefix of
its own, resolvers that hand out fake addresses, and hosts that cloud services select.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from ..policy.endpoints import Endpoint
from ..probes import Probe
from .certificate import parse_address
from .outcomes import is_vendor_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NO_SERVERS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/127",
        "ff00::/8",
    )
)
"""Addresses at which no network has a server: unspecified, loopback, multicast and reserved ones."""
NO_PUBLIC_SERVERS = NO_SERVERS + tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Addresses at which no public server is: the list of OONI's tests and its IPv6 counterparts. A
user's own server may be there."""
SINKHOLES = (
    (ipaddress.ip_network("198.135.184.22"), "Palo Alto Networks"),
    (ipaddress.ip_network("208.91.112.55"), "Fortinet FortiGuard"),
    (ipaddress.ip_network("2001:cdba::3257:9652"), "Fortinet FortiGuard"),
    (ipaddress.ip_network("146.112.61.104/29"), "Cisco Umbrella"),
)
"""Public addresses to which products lead blocked names. docs/reachability.md has the sources."""


def _plain(text: str) -> Address | None:
    """Return an address without its zone, an IPv4-mapped one as IPv4; None for any other text."""
    address = parse_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(network.version == address.version and address in network for network in networks)


def sinkhole_of(text: str) -> str:
    """Return whose sinkhole an address is; empty for any other."""
    address = _plain(text)
    for network, owner in SINKHOLES:
        if address is not None and _is_in(address, (network,)):
            return owner
    return ""


def _has_no_server(text: str, host: str) -> bool:
    """Return whether an address cannot be that of a server, going by the server's name."""
    address = _plain(text)
    if address is None:
        return False
    if not is_vendor_host(host):
        return _is_in(address, NO_SERVERS)
    return bool(sinkhole_of(text)) or _is_in(address, NO_PUBLIC_SERVERS)


def suspicious_address(probe: Probe, endpoint: Endpoint) -> str:
    """Return the address of a probe at which the server cannot be; empty where there is none.

    Where it was connected, that address counts; else all of them, so that one odd address beside a
    good one is not blamed. A URL that names an address resolves nothing.
    """
    if probe.route or endpoint.address or parse_address(endpoint.host):
        return ""
    candidates = list(probe.addresses)
    if probe.stage not in ("dns", "tcp") and probe.address:
        candidates = [probe.address]
    suspicious = [text for text in candidates if _has_no_server(text, endpoint.host)]
    if not suspicious or len(suspicious) < len(candidates):
        return ""
    return suspicious[0]


def dead_ipv6(probe: Probe) -> str:
    """Return the IPv6 address that comes first and did not connect, where IPv4 did; else empty."""
    if probe.stage in ("dns", "tcp", "queue") or not probe.addresses:
        return ""
    first, connected = _plain(probe.addresses[0]), _plain(probe.address)
    if first is None or connected is None or (first.version, connected.version) != (6, 4):
        return ""
    return probe.addresses[0]
