# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Connection security rules as registry strings: ``v2.33|Action=SecureServer|Active=TRUE|…|``.

The grammar is MS-GPFAS 2.2.6.2; the name of the registry value is the rule's id. What the actions
ask for: MS-FASP 2.2.52. An authentication exemption counts "regardless of other connection
security rules" (Microsoft, "Connection Security Authentication Exemptions").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..text import join_words, shorten
from .firewall_rule import (
    PROFILES,
    Restriction,
    RuleError,
    parse_address_tokens,
    parse_port_tokens,
    parse_tokens,
)

_ENDPOINT_ADDRESSES = {
    1: {"ep1_4": "IPv4", "ep1_6": "IPv6"},
    2: {"ep2_4": "IPv4", "ep2_6": "IPv6"},
}
_ENDPOINT_PORTS = {
    1: frozenset({"ep1port", "ep1port2_10"}),
    2: frozenset({"ep2port", "ep2port2_10"}),
}
KNOWN_TOKENS = frozenset({
    "action", "profile", "protocol", "ep1port", "ep2port", "ep1port2_10", "ep2port2_10", "if",
    "iftype", "auth1set", "auth2set", "crypto2set", "ep1_4", "ep2_4", "ep1_6", "ep2_6", "name",
    "desc", "embedctxt", "active", "platform", "skipver", "platform2", "secureinclearout",
})  # fmt: skip
"""Tokens in lower case whose meaning is evaluated, or which do not change what a rule is for.

Those of tunnels, for example, are not among them.
"""


class Protection(Enum):
    """What a connection security rule asks of connections."""

    REQUIRE_INBOUND = "SecureServer"
    REQUEST = "Boundary"
    REQUIRE = "Secure"
    EXEMPT = "DoNotSecure"


@dataclass(frozen=True)
class ConnectionRule:
    """One rule. tokens are the string as it was; protocol None is any protocol."""

    id: str
    tokens: tuple[tuple[str, str], ...]
    protection: Protection
    active: bool
    protocol: int | None
    profiles: frozenset[str]

    @classmethod
    def parse(cls, rule_id: str, text: str) -> ConnectionRule:
        """Return the rule of a registry string. Raises RuleError."""
        parsed = parse_tokens(rule_id, text)
        rule = cls(
            rule_id,
            parsed.tokens,
            _parse_protection(rule_id, parsed.single.get("action", "")),
            parsed.active(rule_id),
            parsed.protocol(rule_id),
            parsed.profiles or frozenset(PROFILES),
        )
        try:
            for endpoint in (1, 2):
                rule.addresses(endpoint)
                rule.ports(endpoint)
        except ValueError as error:
            raise RuleError(rule_id, f"an endpoint cannot be read: {error}") from None
        return rule

    def value(self, token: str) -> str:
        """Return the first value of a token, empty where the rule has none."""
        values = self.values(token)
        return values[0] if values else ""

    def values(self, token: str) -> tuple[str, ...]:
        """Return every value of a token."""
        return tuple(value for name, value in self.tokens if name.lower() == token.lower())

    @property
    def name(self) -> str:
        """The display name, or the id without one."""
        return self.value("Name") or self.id

    @property
    def requires_inbound(self) -> bool:
        """Whether inbound connections have to be authenticated."""
        return self.protection in (Protection.REQUIRE_INBOUND, Protection.REQUIRE)

    @property
    def requires_outbound(self) -> bool:
        """Whether outbound connections have to be authenticated."""
        clear_out = self.value("SecureInClearOut").lower() == "true"
        return self.protection is Protection.REQUIRE and not clear_out

    @property
    def unknown(self) -> tuple[tuple[str, str], ...]:
        """The tokens that are not evaluated."""
        return tuple(token for token in self.tokens if token[0].lower() not in KNOWN_TOKENS)

    def addresses(self, endpoint: int) -> Restriction:
        """Return the addresses of endpoint 1 or 2. Without a restriction it is any."""
        return parse_address_tokens(self.tokens, _ENDPOINT_ADDRESSES[endpoint])

    def ports(self, endpoint: int) -> Restriction:
        """Return the ports of endpoint 1 or 2. Without a restriction it is any."""
        return parse_port_tokens(self.tokens, _ENDPOINT_PORTS[endpoint])


def _parse_protection(rule_id: str, action: str) -> Protection:
    for protection in Protection:
        if protection.value.lower() == action.lower():
            return protection
    known = join_words(protection.value for protection in Protection)
    raise RuleError(
        rule_id, f"token Action has the value {shorten(repr(action), 120)}; known are {known}"
    )
