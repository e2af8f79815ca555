# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

r"""Firewall rules as registry strings: ``v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=C:\\…\\ETS6N.exe|Name=…|``.

The grammar is MS-GPFAS 2.2.2; the name of the registry value is the rule's id. Real hives differ from it: tokens and the
``v`` in other letter case, tokens that no document names, ports before the protocol, lists of ports in one token,
``Protocol=tcp``. So
letter case never counts, order is kept and not judged, and what is not known is kept as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Protocol, TypeVar

from ..errors import ETS6Error
from . import firewall_address
from .firewall_address import Span

TCP, UDP = 6, 17
PROTOCOLS = {"TCP": TCP, "UDP": UDP}
PROFILES = ("domain", "private", "public")
DEFAULT_VERSION = 0x020A
"""The version of Windows 7: every Windows that ETS6 runs on reads it."""

KNOWN_TOKENS = frozenset({
    "action", "active", "dir", "protocol", "profile", "lport", "lport2_10", "lport2_20", "lport2_24",
    "rport", "rport2_10", "icmp4", "icmp6", "la4", "la6", "ra4", "ra6", "ra42", "ra62", "if", "iftype",
    "app", "svc", "name", "desc", "embedctxt", "edge", "defer", "lsm", "lom", "pcross", "security", "security2_9", "security2",
    "authbypassout", "rmauth", "ruauth", "luauth", "luauth2_24", "luown", "apppkgid", "pfn", "platform", "platform2", "skipver",
    "ttk", "ttk2_22", "ttk2_27", "ttk2_28", "nnm", "securityrealmid",
})  # fmt: skip
"""Tokens of MS-GPFAS 2.2.2.19 in lower case, and LPort2_24 and PFN, which Windows 10 and 11 write."""

_HEAD = re.compile(r"v(\d{1,3})\.(\d{1,3})", re.IGNORECASE)
_ONCE = frozenset({"action", "active", "dir", "protocol", "app", "svc"})
_LOCAL_PORTS = frozenset({"lport", "lport2_10", "lport2_20", "lport2_24"})
_REMOTE_PORTS = frozenset({"rport", "rport2_10"})
_REMOTE_ADDRESSES = {"ra4": "IPv4", "ra42": "IPv4", "ra6": "IPv6", "ra62": "IPv6"}
_LOCAL_ADDRESSES = {"la4": "IPv4", "la6": "IPv6"}


class RuleError(ETS6Error):
    """A registry string is no firewall rule. The text names the rule's id and the token."""

    def __init__(self, rule_id: str, problem: str) -> None:
        super().__init__(f"firewall rule {_shown(rule_id)}: {problem}")


class Action(Enum):
    """What a rule does with the traffic it matches."""

    ALLOW = "Allow"
    BLOCK = "Block"
    BYPASS = "ByPass"


class Direction(Enum):
    """Which way the traffic goes."""

    IN = "In"
    OUT = "Out"


@dataclass(frozen=True, slots=True)
class Matched:
    """Addresses or ports that a rule is for: spans of numbers, and words whose meaning only the PC knows.

    A word of an address comes with its family: ``("IPv4", "LocalSubnet")``; of a port with "".
    """

    spans: tuple[Span, ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is any restriction."""
        return bool(self.spans or self.words)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. head and tokens are the string as it was; the other fields are what it means.

    protocol None is any protocol; profiles always has the names that the rule is for.
    """

    id: str
    head: str
    tokens: tuple[tuple[str, str], ...]
    version: int = field(compare=False)
    action: Action = field(compare=False)
    direction: Direction = field(compare=False)
    active: bool = field(compare=False)
    protocol: int | None = field(compare=False)
    profiles: frozenset[str] = field(compare=False)
    app: str = field(compare=False)
    service: str = field(compare=False)

    @classmethod
    def parse(cls, rule_id: str, text: str) -> Rule:
        """Read a registry string. Raises RuleError naming the token that is wrong."""
        head, *parts = text.split("|")
        version = _HEAD.fullmatch(head)
        if version is None or int(version[1]) > 255 or int(version[2]) > 255:
            raise RuleError(rule_id, f"it begins with {_shown(head)}, not with a version such as v2.30")
        if not parts or parts.pop():
            raise RuleError(rule_id, f"it does not end with |, after {_shown(text.rpartition('|')[2])}")
        tokens = []
        single: dict[str, str] = {}
        profiles = set()
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals:
                raise RuleError(rule_id, f"token {_shown(part)} has no =")
            tokens.append((name, value))
            low = name.lower()
            if low == "profile":
                profiles.add(_profile(rule_id, value))
            elif low in _ONCE:
                if low in single:
                    raise RuleError(rule_id, f"token {name} is there twice")
                single[low] = value
            elif low in _CHECKED:
                _check(rule_id, name, low, value)
        return cls(
            rule_id,
            head,
            tuple(tokens),
            int(version[1]) << 8 | int(version[2]),
            _one_of(_ACTIONS, rule_id, "Action", single.get("action")),
            _one_of(_DIRECTIONS, rule_id, "Dir", single.get("dir")),
            _one_of(_BOOLEANS, rule_id, "Active", single.get("active", "FALSE")),
            _protocol(rule_id, single.get("protocol")),
            frozenset(profiles) or _ALL_PROFILES,
            single.get("app", ""),
            single.get("svc", ""),
        )

    def write(self) -> str:
        """Return the registry string; of a rule that was parsed the same characters."""
        return "|".join([self.head, *(f"{name}={value}" for name, value in self.tokens), ""])

    def first(self, token: str) -> str:
        """Return the first value of a token, empty where the rule has none."""
        return next((value for name, value in self.tokens if name.lower() == token.lower()), "")

    def all(self, token: str) -> tuple[str, ...]:
        """Return every value of a token."""
        return tuple(value for name, value in self.tokens if name.lower() == token.lower())

    @property
    def name(self) -> str:
        """The display name, or the id where there is none. Not unique, often a reference (``@FirewallAPI.dll,-25000``)."""
        return self.first("Name") or self.id

    @property
    def group(self) -> str:
        """The group (token EmbedCtxt)."""
        return self.first("EmbedCtxt")

    @property
    def remote_addresses(self) -> Matched:
        """Remote addresses that the rule is for; nothing in it means any."""
        return self._addresses(_REMOTE_ADDRESSES)

    @property
    def local_addresses(self) -> Matched:
        """Local addresses that the rule is for; nothing in it means any."""
        return self._addresses(_LOCAL_ADDRESSES)

    @property
    def local_ports(self) -> Matched:
        """Local ports that the rule is for; nothing in it means any."""
        return self._ports(_LOCAL_PORTS)

    @property
    def remote_ports(self) -> Matched:
        """Remote ports that the rule is for; nothing in it means any."""
        return self._ports(_REMOTE_PORTS)

    @property
    def unknown(self) -> tuple[tuple[str, str], ...]:
        """The tokens whose meaning no document gives."""
        return tuple((name, value) for name, value in self.tokens if name.lower() not in KNOWN_TOKENS)

    def _addresses(self, families: dict[str, str]) -> Matched:
        found = [_address(families[name.lower()], value) for name, value in self.tokens if name.lower() in families]
        return Matched(
            tuple(item for item in found if isinstance(item[0], int)),
            tuple(dict.fromkeys(item for item in found if isinstance(item[0], str))),
        )

    def _ports(self, names: frozenset[str]) -> Matched:
        found = [part for name, value in self.tokens if name.lower() in names for part in _ports(value)]
        return Matched(
            tuple(item for item in found if not isinstance(item, str)),
            tuple(dict.fromkeys(("", item) for item in found if isinstance(item, str))),
        )


class RuleWanted(Protocol):
    """An allow rule in the words of New-NetFirewallRule: operations.FirewallRule."""

    @property
    def display_name(self) -> str:
        """Not unique, for people."""

    @property
    def description(self) -> str:
        """May be empty."""

    @property
    def group(self) -> str:
        """May be empty."""

    @property
    def program(self) -> str:
        """The program's path."""

    @property
    def direction(self) -> str:
        """Inbound or Outbound."""

    @property
    def protocol(self) -> str:
        """TCP or UDP."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """Of Domain, Private, Public."""

    @property
    def remote_addresses(self) -> tuple[str, ...]:
        """As firewall.address.remote_address gives them; none means any."""


def compose(rule: RuleWanted, policy_version: int | None) -> str:
    """Return the string that Windows would write for an enabled allow rule.

    policy_version is the store's value PolicyVersion, 0x02MM for rules v2.MM; None where the store has none.
    The order of the tokens is that of rules in real hives, and of one that New-NetFirewallRule is known to have made.
    """
    version = policy_version if policy_version is not None and policy_version >> 8 == 2 else DEFAULT_VERSION
    tokens = [
        ("Action", "Allow"),
        ("Active", "TRUE"),
        ("Dir", {"Inbound": "In", "Outbound": "Out"}[rule.direction]),
        ("Protocol", str(PROTOCOLS[rule.protocol])),
        *(("Profile", name.capitalize()) for name in PROFILES if name.capitalize() in rule.profiles),
        *firewall_address.remote_tokens(rule.remote_addresses),
        ("App", rule.program),
        ("Name", rule.display_name),
        *((("Desc", rule.description),) if rule.description else ()),
        *((("EmbedCtxt", rule.group),) if rule.group else ()),
    ]
    return "|".join([f"v{version >> 8}.{version & 255}", *(f"{name}={value}" for name, value in tokens), ""])


T = TypeVar("T")
_ALL_PROFILES = frozenset(PROFILES)
_ACTIONS = {action.value.lower(): action for action in Action}
_DIRECTIONS = {direction.value.lower(): direction for direction in Direction}
_BOOLEANS = {"true": True, "false": False}
_FLAGS = frozenset({"edge", "lsm", "lom", "pcross", "authbypassout"})
_CHECKED = frozenset({*_FLAGS, *_LOCAL_PORTS, *_REMOTE_PORTS, *_REMOTE_ADDRESSES, *_LOCAL_ADDRESSES})


def _one_of(table: dict[str, T], rule_id: str, token: str, value: str | None) -> T:
    if value is None:
        raise RuleError(rule_id, f"it has no token {token}")
    found = table.get(value.lower())
    if found is None:
        raise RuleError(rule_id, f"token {token} has the value {_shown(value)}; known are {', '.join(sorted(table))}")
    return found


def _profile(rule_id: str, value: str) -> str:
    low = value.lower()
    if low not in _ALL_PROFILES:
        raise RuleError(rule_id, f"token Profile has the value {_shown(value)}; known are {', '.join(PROFILES)}")
    return low


def _protocol(rule_id: str, value: str | None) -> int | None:
    if value is None:
        return None
    if value.upper() in PROTOCOLS:
        return PROTOCOLS[value.upper()]
    if not (value.isascii() and value.isdecimal() and len(value) <= 3 and int(value) <= 255):
        raise RuleError(rule_id, f"token Protocol has the value {_shown(value)}, not a number from 0 to 255")
    return int(value)


def _check(rule_id: str, name: str, low: str, value: str) -> None:
    try:
        if low in _FLAGS:
            if value.lower() not in _BOOLEANS:
                raise ValueError("not TRUE or FALSE")
        elif low in _LOCAL_PORTS or low in _REMOTE_PORTS:
            _ports(value)
        else:
            _address(_REMOTE_ADDRESSES.get(low) or _LOCAL_ADDRESSES[low], value)
    except ValueError as error:
        raise RuleError(rule_id, f"token {name} has the value {_shown(value)}: {str(error)[:120]}") from None


@lru_cache(maxsize=4096)
def _ports(value: str) -> tuple[Span | str, ...]:
    """Read ``80``, ``5000-5020``, a list of them, or a word such as RPC or mDNS. Raises ValueError."""
    found: list[Span | str] = []
    for part in value.split(","):
        if re.fullmatch(r"[A-Za-z][\w-]*", part, re.ASCII):
            found.append(part)
            continue
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part, re.ASCII)
        if match is None:
            raise ValueError("neither a port, nor a range of ports, nor a word")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= 65535:
            raise ValueError("not from 0 to 65535 in rising order")
        found.append((first, last))
    return tuple(found)


@lru_cache(maxsize=4096)
def _address(family: str, value: str) -> Span | tuple[str, str]:
    """Read an address, range, subnet or word. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z]\w*", value, re.ASCII):
        return family, value
    found = firewall_address.span(value)
    if (found[0] < firewall_address.V6_START) != (family == "IPv4"):
        raise ValueError(f"it is no {family} address")
    return found


def _shown(text: str) -> str:
    """Return text from a PC for a message: quoted, without control characters, and not endless."""
    shown = repr(text)
    return shown if len(shown) <= 120 else shown[:117] + "..."
