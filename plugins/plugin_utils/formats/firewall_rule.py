# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

r"""Firewall rules as registry strings: ``v2.30|Action=Allow|Active=TRUE|Dir=In|…|Name=…|``.

The grammar is MS-GPFAS 2.2.2; the name of the registry value is the rule's id. Real hives differ
from it: tokens and the ``v`` in other letter case, tokens that are not documented, ports before the
protocol, lists of ports in one token, ``Protocol=tcp``. So letter case never counts, the order is
kept and not judged, and a token that is not known is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Protocol, TypeVar

from ..errors import ETS6Error
from ..text import shorten
from . import firewall_address
from .firewall_address import Span

TCP, UDP = 6, 17
PROTOCOLS = {"TCP": TCP, "UDP": UDP}
PROFILES = ("domain", "private", "public")
DEFAULT_VERSION = 0x020A
"""The version of Windows 7: every Windows that ETS6 runs on reads it."""

KNOWN_TOKENS = frozenset({
    "action", "active", "dir", "protocol", "profile", "lport", "lport2_10", "lport2_20",
    "lport2_24", "rport", "rport2_10", "icmp4", "icmp6", "la4", "la6", "ra4", "ra6", "ra42", "ra62",
    "if", "iftype", "app", "svc", "name", "desc", "embedctxt", "edge", "defer", "lsm", "lom",
    "pcross", "security", "security2_9", "security2", "authbypassout", "rmauth", "ruauth", "luauth",
    "luauth2_24", "luown", "apppkgid", "pfn", "platform", "platform2", "skipver", "ttk", "ttk2_22",
    "ttk2_27", "ttk2_28", "nnm", "securityrealmid",
})  # fmt: skip
"""Tokens of MS-GPFAS 2.2.2.19 in lower case, and LPort2_24 and PFN of Windows 10 and 11."""

MAX_QUOTED = 120
"""Characters of a text from a PC in an error."""

_HEAD = re.compile(r"v(\d{1,3})\.(\d{1,3})", re.IGNORECASE)
_SINGLE_TOKENS = frozenset({"action", "active", "dir", "protocol", "app", "svc"})
_LOCAL_PORTS = frozenset({"lport", "lport2_10", "lport2_20", "lport2_24"})
_REMOTE_PORTS = frozenset({"rport", "rport2_10"})
_REMOTE_ADDRESSES = {"ra4": "IPv4", "ra42": "IPv4", "ra6": "IPv6", "ra62": "IPv6"}
_LOCAL_ADDRESSES = {"la4": "IPv4", "la6": "IPv6"}


class RuleError(ETS6Error):
    """A registry string is not a firewall rule. The text names the rule's id and the token."""

    def __init__(self, rule_id: str, problem: str) -> None:
        super().__init__(f"firewall rule {_quoted(rule_id)}: {problem}")


class Action(Enum):
    """What a rule does with the traffic it matches."""

    ALLOW = "Allow"
    BLOCK = "Block"
    BYPASS = "ByPass"


class Direction(Enum):
    """Whether traffic comes in or goes out."""

    IN = "In"
    OUT = "Out"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Addresses or ports that a rule is for: spans of numbers, and words that only the PC resolves.

    A word of an address comes with its family: ``("IPv4", "LocalSubnet")``; of a port with "".
    """

    spans: tuple[Span, ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is any restriction."""
        return bool(self.spans or self.words)


NO_RESTRICTION = Restriction()


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
    _restricted: bool = field(compare=False, repr=False)
    """Whether there is any token of an address or a port."""

    @classmethod
    def parse(cls, rule_id: str, text: str) -> Rule:
        """Return the rule of a registry string. Raises RuleError naming the token that is wrong."""
        parsed = parse_tokens(rule_id, text)
        single = parsed.single
        return cls(
            rule_id,
            parsed.head,
            parsed.tokens,
            parsed.version,
            _lookup(_ACTIONS, rule_id, "Action", single.get("action")),
            _lookup(_DIRECTIONS, rule_id, "Dir", single.get("dir")),
            parsed.active(rule_id),
            parsed.protocol(rule_id),
            parsed.profiles or _ALL_PROFILES,
            single.get("app", ""),
            single.get("svc", ""),
            parsed.restricted,
        )

    def write(self) -> str:
        """Return the registry string; of a rule that was parsed the same characters."""
        return _write(self.head, self.tokens)

    def value(self, token: str) -> str:
        """Return the first value of a token, empty where the rule has none."""
        values = self.values(token)
        return values[0] if values else ""

    def values(self, token: str) -> tuple[str, ...]:
        """Return every value of a token."""
        lower = token.lower()
        return tuple(value for name, value in self.tokens if name.lower() == lower)

    @property
    def name(self) -> str:
        """The display name, or the id without one.

        It is not unique, and often a reference (``@FirewallAPI.dll,-25000``).
        """
        return self.value("Name") or self.id

    @property
    def group(self) -> str:
        """The group (token EmbedCtxt)."""
        return self.value("EmbedCtxt")

    @property
    def remote_addresses(self) -> Restriction:
        """Remote addresses that the rule is for. Without a restriction it is for any."""
        return self._addresses(_REMOTE_ADDRESSES)

    @property
    def local_addresses(self) -> Restriction:
        """Local addresses that the rule is for. Without a restriction it is for any."""
        return self._addresses(_LOCAL_ADDRESSES)

    @property
    def local_ports(self) -> Restriction:
        """Local ports that the rule is for. Without a restriction it is for any."""
        return self._ports(_LOCAL_PORTS)

    @property
    def remote_ports(self) -> Restriction:
        """Remote ports that the rule is for. Without a restriction it is for any."""
        return self._ports(_REMOTE_PORTS)

    @property
    def unknown(self) -> tuple[tuple[str, str], ...]:
        """The tokens whose meaning is not documented."""
        return tuple(token for token in self.tokens if token[0].lower() not in KNOWN_TOKENS)

    def _addresses(self, families: Mapping[str, str]) -> Restriction:
        if not self._restricted:
            return NO_RESTRICTION
        return parse_address_tokens(self.tokens, families)

    def _ports(self, names: frozenset[str]) -> Restriction:
        if not self._restricted:
            return NO_RESTRICTION
        return parse_port_tokens(self.tokens, names)


def parse_address_tokens(
    tokens: Iterable[tuple[str, str]], families: Mapping[str, str]
) -> Restriction:
    """Return the addresses of the tokens in families (token in lower case: IPv4 or IPv6).

    Raises ValueError where one cannot be read.
    """
    spans: list[Span] = []
    words: dict[tuple[str, str], None] = {}
    for name, value in tokens:
        family = families.get(name.lower())
        if family is None:
            continue
        address = _parse_address(family, value)
        if isinstance(address, str):
            words[family, address] = None
        else:
            spans.append(address)
    return Restriction(tuple(spans), tuple(words))


def parse_port_tokens(tokens: Iterable[tuple[str, str]], names: frozenset[str]) -> Restriction:
    """Return the ports of the tokens with these lower-case names.

    Raises ValueError where one cannot be read.
    """
    spans: list[Span] = []
    words: dict[tuple[str, str], None] = {}
    for name, value in tokens:
        if name.lower() not in names:
            continue
        for port in _parse_ports(value):
            if isinstance(port, str):
                words["", port] = None
            else:
                spans.append(port)
    return Restriction(tuple(spans), tuple(words))


class AllowRule(Protocol):
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
        """As policy.addresses.parse_remote_address returns them; none means any."""


def compose(rule: AllowRule, policy_version: int | None) -> str:
    """Return the string that Windows would write for an enabled allow rule.

    policy_version is the store's value PolicyVersion, 0x02MM for rules v2.MM; None where the store
    has none. The order of the tokens is that of rules in real hives, and of one that
    New-NetFirewallRule is known to have made.
    """
    version = DEFAULT_VERSION
    if policy_version is not None and policy_version >> 8 == 2:
        version = policy_version
    tokens = [
        ("Action", "Allow"),
        ("Active", "TRUE"),
        ("Dir", {"Inbound": "In", "Outbound": "Out"}[rule.direction]),
        ("Protocol", str(PROTOCOLS[rule.protocol])),
    ]
    for profile in PROFILES:
        if profile.capitalize() in rule.profiles:
            tokens.append(("Profile", profile.capitalize()))
    tokens += firewall_address.remote_tokens(rule.remote_addresses)
    tokens += [("App", rule.program), ("Name", rule.display_name)]
    if rule.description:
        tokens.append(("Desc", rule.description))
    if rule.group:
        tokens.append(("EmbedCtxt", rule.group))
    return _write(f"v{version >> 8}.{version & 255}", tokens)


def _write(head: str, tokens: Iterable[tuple[str, str]]) -> str:
    return "|".join([head, *(f"{name}={value}" for name, value in tokens), ""])


T = TypeVar("T")
_ALL_PROFILES = frozenset(PROFILES)
_ACTIONS = {action.value.lower(): action for action in Action}
_DIRECTIONS = {direction.value.lower(): direction for direction in Direction}
_BOOLEANS = {"true": True, "false": False}
_FLAGS = frozenset({"edge", "lsm", "lom", "pcross", "authbypassout"})
_CHECKED = frozenset(
    {*_FLAGS, *_LOCAL_PORTS, *_REMOTE_PORTS, *_REMOTE_ADDRESSES, *_LOCAL_ADDRESSES}
)


def _parse_version(rule_id: str, head: str) -> int:
    match = _HEAD.fullmatch(head)
    if match is None or int(match[1]) > 255 or int(match[2]) > 255:
        raise RuleError(
            rule_id, f"it begins with {_quoted(head)}, not with a version such as v2.30"
        )
    return int(match[1]) << 8 | int(match[2])


@dataclass(frozen=True, slots=True)
class ParsedTokens:
    """The tokens of a registry string.

    single holds those that may be there once, by their lower-case names; profiles is empty where
    there is no token Profile; restricted says whether there is a token of an address or a port.
    """

    head: str
    version: int
    tokens: tuple[tuple[str, str], ...]
    single: Mapping[str, str]
    profiles: frozenset[str]
    restricted: bool

    def active(self, rule_id: str) -> bool:
        """Return whether the rule is switched on. Raises RuleError."""
        return _lookup(_BOOLEANS, rule_id, "Active", self.single.get("active", "FALSE"))

    def protocol(self, rule_id: str) -> int | None:
        """Return the protocol, None for any. Raises RuleError."""
        return _parse_protocol(rule_id, self.single.get("protocol"))


def parse_tokens(rule_id: str, text: str) -> ParsedTokens:
    """Return the tokens of a rule's registry string. Raises RuleError."""
    head, *parts = text.split("|")
    version = _parse_version(rule_id, head)
    if not parts or parts.pop():
        last = _quoted(text.rpartition("|")[2])
        raise RuleError(rule_id, f"it does not end with |, after {last}")
    tokens = []
    single: dict[str, str] = {}
    profiles = set()
    restricted = False
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise RuleError(rule_id, f"token {_quoted(part)} has no =")
        tokens.append((name, value))
        lower = name.lower()
        if lower in _SINGLE_TOKENS:
            if lower in single:
                raise RuleError(rule_id, f"token {name} is there twice")
            single[lower] = value
        elif lower == "profile":
            profiles.add(_parse_profile(rule_id, value))
        elif lower in _CHECKED:
            _check(rule_id, name, value)
            restricted = restricted or lower not in _FLAGS
    return ParsedTokens(head, version, tuple(tokens), single, frozenset(profiles), restricted)


def _lookup(table: Mapping[str, T], rule_id: str, token: str, value: str | None) -> T:
    if value is None:
        raise RuleError(rule_id, f"it has no token {token}")
    meaning = table.get(value.lower())
    if meaning is None:
        accepted = ", ".join(sorted(table))
        raise RuleError(
            rule_id, f"token {token} has the value {_quoted(value)}; known are {accepted}"
        )
    return meaning


def _parse_profile(rule_id: str, value: str) -> str:
    lower = value.lower()
    if lower not in _ALL_PROFILES:
        raise RuleError(
            rule_id,
            f"token Profile has the value {_quoted(value)}; known are {', '.join(PROFILES)}",
        )
    return lower


def _parse_protocol(rule_id: str, value: str | None) -> int | None:
    if value is None:
        return None
    if value.upper() in PROTOCOLS:
        return PROTOCOLS[value.upper()]
    is_number = value.isascii() and value.isdecimal() and len(value) <= 3
    if not is_number or int(value) > 255:
        raise RuleError(
            rule_id, f"token Protocol has the value {_quoted(value)}, not a number from 0 to 255"
        )
    return int(value)


def _check(rule_id: str, name: str, value: str) -> None:
    """Raise RuleError where the value of a flag, an address or a port cannot be read."""
    lower = name.lower()
    try:
        if lower in _FLAGS:
            _check_flag(value)
        elif lower in _LOCAL_PORTS or lower in _REMOTE_PORTS:
            _parse_ports(value)
        else:
            _parse_address(_REMOTE_ADDRESSES.get(lower) or _LOCAL_ADDRESSES[lower], value)
    except ValueError as error:
        problem = shorten(str(error), MAX_QUOTED)
        raise RuleError(
            rule_id, f"token {name} has the value {_quoted(value)}: {problem}"
        ) from None


def _check_flag(value: str) -> None:
    if value.lower() not in _BOOLEANS:
        raise ValueError("not TRUE or FALSE")


@lru_cache(maxsize=4096)
def _parse_ports(value: str) -> tuple[Span | str, ...]:
    """Return ``80``, ``5000-5020`` or a list of them as spans, a word (RPC, mDNS) as it is.

    Raises ValueError.
    """
    ports: list[Span | str] = []
    for part in value.split(","):
        if re.fullmatch(r"[A-Za-z][\w-]*", part, re.ASCII):
            ports.append(part)
            continue
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part, re.ASCII)
        if match is None:
            raise ValueError("neither a port, nor a range of ports, nor a word")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= 65535:
            raise ValueError("not from 0 to 65535 in rising order")
        ports.append((first, last))
    return tuple(ports)


@lru_cache(maxsize=4096)
def _parse_address(family: str, value: str) -> Span | str:
    """Return an address, range or subnet as a span, a word as it is. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z]\w*", value, re.ASCII):
        return value
    addresses = firewall_address.span(value)
    if (addresses[0] < firewall_address.V6_START) != (family == "IPv4"):
        raise ValueError(f"it is not an {family} address")
    return addresses


def _quoted(text: str) -> str:
    """Return text from a PC as an error repeats it: quoted, printable and cut to a length."""
    return shorten(repr(text), MAX_QUOTED)
