# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A second, deliberately simple judge of a firewall: one packet at a time, rule after rule.

It shares no code with the collection: its own table of needs, its own reading of rule strings, its
own merge of the stores, its own matching. It knows only what the what-if matrix generates.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

SETTINGS = Mapping[str, Mapping[str, int]]
RULES = Mapping[str, str]
TOKENS = dict[str, list[str]]

ANN, BOB = "S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1002"
"""Both are logged on."""


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


@dataclass(frozen=True)
class Machine:
    """Rules (id to string) and settings (key to values) of the three stores.

    connections and policy_connections are connection security rules.
    """

    local: RULES
    local_settings: SETTINGS
    policy: RULES
    policy_settings: SETTINGS
    mdm: RULES
    mdm_settings: SETTINGS
    connections: RULES = field(default_factory=dict)
    policy_connections: RULES = field(default_factory=dict)
    mdm_wins: bool = False
    """Whether MDMWinsOverGP is set, and which of two policies decides is not known."""
    devices: tuple[str, ...] = ()
    """The user's devices (ets6_network_remote_addresses); none where all private addresses may be."""
    own_port: int = 0
    """A routing port of the user's own (ets6_network_needed_traffic)."""


@dataclass(frozen=True)
class Need:
    """Ports and addresses that stand for a need. somewhere: a part of the addresses is enough."""

    way: str
    protocol: int
    local_ports: Sequence[int]
    remote_ports: Sequence[int]
    groups: Sequence[str] = ()
    somewhere: bool = False


DEVICES = [
    "10.1.2.3", "10.9.9.9", "192.168.1.5", "192.168.9.9", "172.16.0.1", "169.254.7.7",
    "fd12::7", "fd00::1", "fc00::1", "fe80::9",
]  # fmt: skip
INTERNET = ["8.8.8.8", "203.0.113.9", "2001:db8::1", "9000::1"]
ANY_PORT = [25, 100, 443, 3671, 5000]
DYNAMIC = [49152, 50005, 60000]

NEEDS = {
    "routing": Need("In", 17, [3671], ANY_PORT),
    "answers": Need("In", 17, DYNAMIC, [3671, 5353, 5683]),
    "iot": Need("In", 17, [5683], ANY_PORT),
    "mdns": Need("In", 17, [5353], ANY_PORT),
    "tcp": Need("In", 6, [3671], ANY_PORT),
    "routing_out": Need("Out", 17, [3671, *DYNAMIC], [3671], ["224.0.23.12"]),
    "iot_out": Need("Out", 17, [5683, *DYNAMIC], [5683], ["224.0.1.187", "ff02::fd", "ff05::fd"]),
    "mdns_out": Need("Out", 17, [5353, *DYNAMIC], [5353], ["224.0.0.251", "ff02::fb"]),
    "tcp_out": Need("Out", 6, DYNAMIC, [3671]),
    "vendor_https": Need("Out", 6, DYNAMIC, [443], INTERNET, somewhere=True),
    "vendor_http": Need("Out", 6, DYNAMIC, [80], INTERNET, somewhere=True),
}

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
    "AllowLocalIPsecPolicyMerge": 1,
}
ONLY_POLICY = ("AllowLocalPolicyMerge", "AllowLocalIPsecPolicyMerge")
IN_STANDARD = ("EnableFirewall", "DoNotAllowExceptions")
POLICY_KEYS = {
    "domain": "DomainProfile",
    "private": "PrivateProfile",
    "public": "PublicProfile",
}
LOCAL_KEYS = {"domain": "DomainProfile", "private": "StandardProfile", "public": "PublicProfile"}


def setting(machine: Machine, profile: str, name: str) -> int:
    """Return what is in force where Group Policy is stronger than MDM, or MDM where mdm_wins."""
    policy_key = POLICY_KEYS[profile]
    has_own = {"PrivateProfile", "PublicProfile"} & set(machine.policy_settings)
    if profile != "domain" and not has_own:
        policy_key = "StandardProfile" if name in IN_STANDARD else "nothing"
    values = [
        machine.policy_settings.get(policy_key, {}).get(name),
        machine.mdm_settings.get(LOCAL_KEYS[profile], {}).get(name),
    ]
    if machine.mdm_wins:
        values.reverse()
    if name not in ONLY_POLICY:
        values.append(machine.local_settings.get(LOCAL_KEYS[profile], {}).get(name))
    numbers = [value for value in [*values, DEFAULTS[name]] if value is not None]
    return max(numbers) if name == "DoNotAllowExceptions" else numbers[0]


def rules_for(machine: Machine, profile: str, way: str, protocol: int) -> list[TOKENS]:
    """Return the rules in force that are for the program's traffic in a profile.

    What else they ask of a packet does not count.
    """
    rules: dict[str, str] = {}
    if setting(machine, profile, "AllowLocalPolicyMerge"):
        rules.update(machine.local)
    rules.update(machine.mdm)
    rules.update(machine.policy)
    return [
        tokens for tokens in map(read, rules.values()) if concerns(tokens, profile, way, protocol)
    ]


def concerns(tokens: TOKENS, profile: str, way: str, protocol: int) -> bool:
    """Return whether a rule is for the program's traffic at all."""
    if tokens.get("Active") != ["TRUE"] or tokens["Dir"] != [way]:
        return False
    if "Svc" in tokens or "AppPkgId" in tokens or not in_profile(tokens, profile):
        return False
    if tokens.get("Protocol", [str(protocol)]) != [str(protocol)]:
        return False
    path = tokens.get("App", [PROGRAM])[0].lower()
    for short, long in FOLDERS.items():
        path = path.replace(short, long)
    return path == PROGRAM


def in_profile(tokens: TOKENS, profile: str) -> bool:
    """Return whether a rule is for a profile."""
    return profile in [name.lower() for name in tokens.get("Profile", [profile])]


def matches(tokens: TOKENS, packet: Packet) -> bool:
    """Return whether a rule that is for the program's traffic is for this packet."""
    if tokens["Action"] == ["ByPass"] or "Security" in tokens:
        return False
    if not port_matches(tokens, "LPort", packet.local_port):
        return False
    if not port_matches(tokens, "RPort", packet.remote_port):
        return False
    if not address_matches(tokens, "RA4", "RA6", packet):
        return False
    if packet.interface not in tokens.get("IFType", [packet.interface]):
        return False
    return user_matches(tokens, packet.user)


def user_matches(tokens: TOKENS, user: str) -> bool:
    """Return whether a rule is for what a user runs."""
    if tokens.get("LUOwn", [user]) != [user]:
        return False
    for descriptor in tokens.get("LUAuth", []):
        granted = False
        for kind, account in re.findall(r"\(([AD]);;CC;;;([^)]*)\)", descriptor):
            if account in ("WD", "AU", "IU", "S-1-2-1", user):
                granted = kind == "A"
                break
        if not granted:
            return False
    return True


def port_matches(tokens: TOKENS, token: str, port: int) -> bool:
    """Return whether a port is one of those of a token, or the token is missing."""
    return token not in tokens or any(in_ports(value, port) for value in tokens[token])


def address_matches(tokens: TOKENS, token4: str, token6: str, packet: Packet) -> bool:
    """Return whether the remote address is one of those of two tokens, or both are missing."""
    if token4 not in tokens and token6 not in tokens:
        return True
    values = tokens.get(token4 if "." in packet.remote else token6, [])
    return any(in_addresses(value, packet) for value in values)


@cache
def read(text: str) -> TOKENS:
    """Return a rule's tokens."""
    tokens: TOKENS = {}
    for part in text.split("|")[1:-1]:
        name, _equals, value = part.partition("=")
        tokens.setdefault(name, []).append(value)
    return tokens


def in_ports(value: str, port: int) -> bool:
    """Return whether a port is in ``80`` or ``80-90``."""
    first, _dash, last = value.partition("-")
    return int(first) <= port <= int(last or first)


def in_addresses(value: str, packet: Packet) -> bool:
    """Return whether the remote address is in an address, network, range or the local subnet."""
    if value == "LocalSubnet":
        return packet.on_local_subnet
    return within(value, packet.remote)


@cache
def within(value: str, remote: str) -> bool:
    """Return whether an address is in an address, network or range."""
    address = ipaddress.ip_address(remote)
    if "-" in value:
        first, last = (ipaddress.ip_address(part) for part in value.split("-"))
        return int(first) <= int(address) <= int(last)
    return address in ipaddress.ip_network(value)


def needs_ipsec(machine: Machine, profile: str, packet: Packet) -> bool:
    """Return whether connection security asks for what the other end does not have."""
    rules = list(machine.policy_connections.values())
    if setting(machine, profile, "AllowLocalIPsecPolicyMerge"):
        rules += machine.connections.values()
    needed = False
    for tokens in map(read, rules):
        if tokens.get("Active") != ["TRUE"] or not in_profile(tokens, profile):
            continue
        if tokens.get("Protocol", [str(packet.protocol)]) != [str(packet.protocol)]:
            continue
        if not address_matches(tokens, "EP2_4", "EP2_6", packet):
            continue
        if tokens["Action"] == ["DoNotSecure"]:
            return False
        if tokens["Action"] == ["Secure"] or (
            tokens["Action"] == ["SecureServer"] and packet.way == "In"
        ):
            needed = True
    return needed


ADDRESSES = [
    "10.0.0.0/255.0.0.0",
    "10.1.0.0-10.1.255.255",
    "192.168.1.5",
    "0.0.0.0-127.255.255.255",
    "128.0.0.0-255.255.255.255",
    "203.0.113.0/24",
    "224.0.23.12",
    "LocalSubnet",
]
ADDRESSES6 = [
    "fd00::/8",
    "fd12::7",
    "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::/32",
    "LocalSubnet",
]
LOCAL_PORTS = ["445", "3671", "5353", "1024-40000", "40001-65535", "50000-50010", "0-65535"]
REMOTE_PORTS = ["25", "443", "3671", "0-1023", "1024-65535"]
INTERFACES = ["Lan", "Wireless", "RemoteAccess"]
ACCOUNTS = [
    "O:LSD:(A;;CC;;;WD)",
    f"D:(A;;CC;;;{ANN})",
    f"O:LSD:(D;;CC;;;{ANN})(A;;CC;;;AU)",
    "O:LSD:(A;;CC;;;S-1-5-21-9-9-9-1005)",
    "O:LSD:(A;;CC;;;LS)",
    f"O:LSD:(A;;CC;;;{ANN})(A;;CC;;;{BOB})",
]


def devices_of(machine: Machine) -> list[str]:
    """Return the devices among DEVICES and INTERNET that the user names."""
    if not machine.devices:
        return DEVICES
    every = [*DEVICES, *INTERNET]
    return [item for item in every if any(within(value, item) for value in machine.devices)]


def needs_of(machine: Machine) -> dict[str, Need]:
    """Return the table, and what the user adds."""
    if not machine.own_port:
        return NEEDS
    return {**NEEDS, "own": Need("In", 17, [machine.own_port], ANY_PORT)}


def packets(machine: Machine, need: Need, more_ports: Collection[int]) -> Iterator[Packet]:
    """Return one packet of every kind of a need that the conditions above tell apart.

    more_ports are those of other conditions.
    """
    devices = DEVICES if need.somewhere else devices_of(machine)
    local_ports = [*need.local_ports]
    if need.local_ports == DYNAMIC or len(need.local_ports) > 1:
        local_ports += [port for port in more_ports if port >= 49152]
    remote_ports = [*need.remote_ports]
    if need.remote_ports == ANY_PORT:
        remote_ports += more_ports
    for remote, local_port, remote_port, interface, near, user in itertools.product(
        [*devices, *need.groups],
        local_ports,
        remote_ports,
        [*INTERFACES, "MobileBroadband"],
        (False, True),
        (ANN, BOB),
    ):
        yield Packet(
            need.way, need.protocol, remote, local_port, remote_port, interface, near, user
        )


def fate(machine: Machine, profile: str, packet: Packet, rules: Sequence[TOKENS]) -> str:
    """Return what happens to a packet, and by what."""
    if needs_ipsec(machine, profile, packet):
        return "blocked by a rule"
    actions = {tokens["Action"][0] for tokens in rules if matches(tokens, packet)}
    if "Block" in actions:
        return "blocked by a rule"
    if "Allow" in actions:
        return "allowed"
    default = "DefaultInboundAction" if packet.way == "In" else "DefaultOutboundAction"
    return "blocked by default" if setting(machine, profile, default) else "allowed"


def judge(need: Need, fates: Mapping[Packet, str]) -> str:
    """Return allowed, blocked, or partial."""
    found = set(fates.values())
    if found == {"allowed"}:
        return "allowed"
    if "allowed" not in found:
        return "blocked"
    if need.somewhere and "blocked by default" not in found:
        # Whatever else is true of a packet, some address has to be left.
        by_kind: dict[tuple[object, ...], set[str]] = {}
        for packet, fate_of_packet in fates.items():
            kind = (packet.local_port, packet.remote_port, packet.interface, packet.user)
            by_kind.setdefault(kind, set()).add(fate_of_packet)
        if all("allowed" in found_for_kind for found_for_kind in by_kind.values()):
            return "allowed"
    return "partial"


def outcomes(
    machine: Machine, profile: str, way: str, protocol: int, more_ports: Collection[int] = ()
) -> dict[str, str]:
    """Return the outcome of each need over a protocol in a direction."""
    found = {}
    rules = rules_for(machine, profile, way, protocol)
    for name, need in needs_of(machine).items():
        if (need.way, need.protocol) != (way, protocol):
            continue
        if not setting(machine, profile, "EnableFirewall"):
            found[name] = "allowed"
        elif way == "In" and setting(machine, profile, "DoNotAllowExceptions"):
            found[name] = "blocked"
        else:
            every = packets(machine, need, more_ports)
            found[name] = judge(need, {item: fate(machine, profile, item, rules) for item in every})
    return found


def overall(found: Mapping[str, str]) -> str:
    """Return the outcome of all needs together."""
    kinds = set(found.values())
    return kinds.pop() if len(kinds) == 1 else "partial"


def is_doubtful(machine: Machine, profile: str, way: str, protocol: int) -> bool:
    """Return whether two policies may decide otherwise, or the firewall is off and IPsec may count."""
    if not machine.mdm_wins:
        return is_unprotected(machine, profile, way, protocol)
    both = [replace(machine, mdm_wins=wins) for wins in (False, True)]
    first, second = (status(one, profile, way, protocol) for one in both)
    return first != second or first == "unknown"


def status(machine: Machine, profile: str, way: str, protocol: int) -> str:
    """Return pass, fail or unknown for all needs together."""
    if is_unprotected(machine, profile, way, protocol):
        return "unknown"
    is_allowed = overall(outcomes(machine, profile, way, protocol)) == "allowed"
    return "pass" if is_allowed else "fail"


def is_unprotected(machine: Machine, profile: str, way: str, protocol: int) -> bool:
    """Return whether the firewall is off, and connection security may still count."""
    if setting(machine, profile, "EnableFirewall"):
        return False
    for need in needs_of(machine).values():
        if (need.way, need.protocol) == (way, protocol):
            for packet in packets(machine, need, ()):
                if needs_ipsec(machine, profile, packet):
                    return True
    return False
