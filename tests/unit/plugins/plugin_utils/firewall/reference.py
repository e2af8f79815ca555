# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A second, deliberately simple judge of a firewall: one packet at a time, rule after rule, nothing clever.

It shares no code with the collection: own reading of rule strings, own merge of the stores, own matching. It knows only what the
what-if matrix generates.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

SETTINGS = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Packet:
    """One packet of ETS6N.exe, and what is true of the PC when it passes."""

    way: str
    protocol: int
    remote: str
    local_port: int
    remote_port: int
    interface: str
    on_local_subnet: bool
    user: str
    authenticated: bool = False


@dataclass(frozen=True)
class Machine:
    """Rules (id to string) and settings (key to values) of the three stores."""

    local: Mapping[str, str]
    local_settings: SETTINGS
    policy: Mapping[str, str]
    policy_settings: SETTINGS
    mdm: Mapping[str, str]
    mdm_settings: SETTINGS


PROGRAM = r"c:\program files (x86)\ets6\ets6n.exe"
FOLDERS = {
    "%programfiles(x86)%": r"c:\program files (x86)",
    r"c:\progra~2": r"c:\program files (x86)",
    "%systemroot%": r"c:\windows",
}
DEFAULTS = {
    "EnableFirewall": 1,
    "DoNotAllowExceptions": 0,
    "DefaultInboundAction": 1,
    "DefaultOutboundAction": 0,
    "AllowLocalPolicyMerge": 1,
}


def setting(machine: Machine, profile: str, name: str) -> int:
    """Return what is in force."""
    policy_key = {
        "domain": "DomainProfile",
        "private": "PrivateProfile",
        "public": "PublicProfile",
    }[profile]
    local_key = {
        "domain": "DomainProfile",
        "private": "StandardProfile",
        "public": "PublicProfile",
    }[profile]
    if (
        profile != "domain"
        and "PrivateProfile" not in machine.policy_settings
        and "PublicProfile" not in machine.policy_settings
    ):
        policy_key = (
            "StandardProfile" if name in ("EnableFirewall", "DoNotAllowExceptions") else "nothing"
        )
    group_policy = machine.policy_settings.get(policy_key, {}).get(name)
    mdm = machine.mdm_settings.get(local_key, {}).get(name)
    local = machine.local_settings.get(local_key, {}).get(name)
    if name == "AllowLocalPolicyMerge":
        local = None
    if name == "DoNotAllowExceptions":
        return max(value for value in (group_policy, mdm, local, 0) if value is not None)
    for value in (group_policy, mdm, local, DEFAULTS[name]):
        if value is not None:
            return value
    raise AssertionError


def rules_for(
    machine: Machine, profile: str, way: str, protocol: int
) -> list[dict[str, list[str]]]:
    """Return the rules in force that are for the program's traffic in a profile, whatever else they ask of a packet."""
    rules = {
        rule_id: text
        for rule_id, text in machine.local.items()
        if setting(machine, profile, "AllowLocalPolicyMerge")
    }
    rules |= machine.mdm
    rules |= machine.policy
    return [
        tokens for tokens in map(read, rules.values()) if concerns(tokens, profile, way, protocol)
    ]


def concerns(tokens: dict[str, list[str]], profile: str, way: str, protocol: int) -> bool:
    """Tell whether a rule is for the program's traffic at all."""
    if (
        tokens.get("Active") != ["TRUE"]
        or tokens["Dir"] != [way]
        or "Svc" in tokens
        or "AppPkgId" in tokens
    ):
        return False
    if "Protocol" in tokens and tokens["Protocol"] != [str(protocol)]:
        return False
    if "Profile" in tokens and profile not in [name.lower() for name in tokens["Profile"]]:
        return False
    path = tokens.get("App", [PROGRAM])[0].lower()
    for short, long in FOLDERS.items():
        path = path.replace(short, long)
    return path == PROGRAM


def matches(tokens: dict[str, list[str]], packet: Packet) -> bool:
    """Tell whether a rule that is for the program's traffic is for this packet."""
    if "LPort" in tokens and not any(
        in_ports(value, packet.local_port) for value in tokens["LPort"]
    ):
        return False
    if "RPort" in tokens and not any(
        in_ports(value, packet.remote_port) for value in tokens["RPort"]
    ):
        return False
    if "RA4" in tokens or "RA6" in tokens:
        family = "RA4" if "." in packet.remote else "RA6"
        if not any(in_addresses(value, packet) for value in tokens.get(family, [])):
            return False
    if "IFType" in tokens and packet.interface not in tokens["IFType"]:
        return False
    if tokens["Action"] == ["ByPass"] and not packet.authenticated:
        return False
    return "LUOwn" not in tokens or tokens["LUOwn"] == [packet.user]


@cache
def read(text: str) -> dict[str, list[str]]:
    """Return a rule's tokens."""
    tokens: dict[str, list[str]] = {}
    for part in text.split("|")[1:-1]:
        name, _equals, value = part.partition("=")
        tokens.setdefault(name, []).append(value)
    return tokens


def in_ports(value: str, port: int) -> bool:
    """Tell whether a port is in ``80`` or ``80-90``."""
    first, _dash, last = value.partition("-")
    return int(first) <= port <= int(last or first)


def in_addresses(value: str, packet: Packet) -> bool:
    """Tell whether the packet's remote address is in an address, network or range, or on the local subnet."""
    return packet.on_local_subnet if value == "LocalSubnet" else within(value, packet.remote)


@cache
def within(value: str, remote: str) -> bool:
    """Tell whether an address is in an address, network or range."""
    address = ipaddress.ip_address(remote)
    if "-" in value:
        first, last = (ipaddress.ip_address(part) for part in value.split("-"))
        return int(first) <= int(address) <= int(last)
    return address in ipaddress.ip_network(value)


ADDRESSES = [
    "10.0.0.0/255.0.0.0",
    "10.1.0.0-10.1.255.255",
    "192.168.1.5",
    "0.0.0.0-127.255.255.255",
    "128.0.0.0-255.255.255.255",
    "LocalSubnet",
]
ADDRESSES6 = [
    "fd00::/8",
    "fd12::7",
    "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "LocalSubnet",
]
LOCAL_PORTS = ["445", "3671", "1024-40000", "40001-65535", "0-65535"]
REMOTE_PORTS = ["25", "443", "3671", "0-1023", "1024-65535"]
INTERFACES = ["Lan", "Wireless", "RemoteAccess"]


def packets(way: str, protocol: int, more_ports: Collection[int]) -> Iterator[Packet]:
    """Return one packet of every kind that the conditions above (or more ports) tell apart, of the traffic that ETS6 needs."""
    remotes = [
        "10.1.2.3",
        "10.9.9.9",
        "192.168.1.5",
        "8.8.8.8",
        "203.0.113.9",
        "fd12::7",
        "fd00::1",
        "fe80::9",
        "2001:db8::1",
    ]
    local_ports = sorted({3671, 5000, 50000} | {port for port in more_ports if port >= 1024})
    remote_ports = sorted(
        {80, 443, 3671, 5000} | {port for port in more_ports if port >= 1024}
        if way == "Out"
        else {25, 80, 443, 3671, 5000, *more_ports}
    )
    for remote, local_port, remote_port, interface, near, user, authenticated in itertools.product(
        remotes,
        local_ports,
        remote_ports,
        [*INTERFACES, "MobileBroadband"],
        (False, True),
        ("S-1-5-21-1", "S-1-5-21-2"),
        (False, True),
    ):
        yield Packet(
            way, protocol, remote, local_port, remote_port, interface, near, user, authenticated
        )


def fates(
    machine: Machine, profile: str, way: str, protocol: int, more_ports: Collection[int]
) -> Iterator[bool]:
    """Return for one packet after the other whether it passes."""
    if not setting(machine, profile, "EnableFirewall"):
        yield True
        return
    if way == "In" and setting(machine, profile, "DoNotAllowExceptions"):
        yield False
        return
    rules = rules_for(machine, profile, way, protocol)
    default = not setting(
        machine, profile, "DefaultInboundAction" if way == "In" else "DefaultOutboundAction"
    )
    for packet in packets(way, protocol, more_ports):
        actions = {tokens["Action"][0] for tokens in rules if matches(tokens, packet)}
        yield (
            True
            if "ByPass" in actions
            else False
            if "Block" in actions
            else True
            if "Allow" in actions
            else default
        )


def outcome(
    machine: Machine, profile: str, way: str, protocol: int, more_ports: Collection[int] = ()
) -> str:
    """Return allowed, blocked, or partial."""
    every = fates(machine, profile, way, protocol, more_ports)
    first = next(every)
    if any(fate != first for fate in every):
        return "partial"
    return "allowed" if first else "blocked"
