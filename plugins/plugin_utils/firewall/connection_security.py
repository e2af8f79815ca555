# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which traffic connection security rules keep away, since KNX devices have no IPsec.

A rule that requires authentication drops what is not authenticated, before any firewall rule
counts. An exemption takes traffic out of all such rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..formats.firewall_connection import ConnectionRule, Protection
from ..formats.firewall_rule import PROTOCOLS, Direction
from ..text import join_words
from .rule_scope import DOUBT, System, address_boxes, port_boxes, system_doubts
from .store import ProfileSettings, Store, StoredConnectionRule
from .traffic_set import (
    HOLDS,
    LOCAL,
    LOCAL_PORT,
    REMOTE,
    REMOTE_PORT,
    Box,
    intersect_all,
    subtract,
)


@dataclass(frozen=True)
class Requirement:
    """Traffic that has to be authenticated, and the rule that requires it."""

    boxes: tuple[Box, ...]
    stored: StoredConnectionRule
    doubts: tuple[str, ...] = ()
    """Why it could not be determined whether the rule counts here."""

    def words(self) -> str:
        """Return the rule as a message names it."""
        rule = self.stored.rule
        store = "local connection security rules"
        if self.stored.store is not Store.LOCAL:
            store = self.stored.store.value
        return f"connection security rule '{rule.name}' ({rule.id}, {store})"


class ConnectionSecurity:
    """The active connection security rules of a PC."""

    def __init__(self, rules: Sequence[StoredConnectionRule], system: System) -> None:
        self._rules = [stored for stored in rules if stored.rule.active]
        self._system = system

    def requirements(
        self,
        boxes: Sequence[Box],
        protocol: str,
        direction: Direction,
        profile: str,
        settings: ProfileSettings,
    ) -> Iterator[Requirement]:
        """Return what of the traffic has to be authenticated. Raises TooManyPartsError."""
        exempt: list[Box] = []
        requiring = []
        for stored in self._counting(protocol, profile, settings):
            if stored.rule.protection is Protection.EXEMPT:
                exempt += self._scope(stored.rule)
            elif _requires(stored.rule, direction):
                requiring.append(stored)
        if not requiring:
            return
        rest = list(boxes)
        for box in exempt:
            rest = subtract(rest, box)
        for stored in requiring:
            scope = self._scope(stored.rule)
            required = intersect_all(rest, scope)
            if required:
                yield Requirement(tuple(required), stored, tuple(self._doubts(stored.rule)))

    def _counting(
        self, protocol: str, profile: str, settings: ProfileSettings
    ) -> Iterator[StoredConnectionRule]:
        for stored in self._rules:
            rule = stored.rule
            if profile not in rule.profiles or rule.protocol not in (None, PROTOCOLS[protocol]):
                continue
            if stored.store is not Store.LOCAL or settings.merge_local_ipsec:
                yield stored

    def _scope(self, rule: ConnectionRule) -> list[Box]:
        """Return what a rule is for.

        Endpoint 1 is the PC and endpoint 2 the other end (New-NetIPsecRule, LocalAddress and
        RemoteAddress).
        """
        boxes: list[Box] = [{}]
        doubts = list(self._doubts(rule))
        if doubts:
            boxes = [{f"{DOUBT}{'; '.join(doubts)}": HOLDS}]
        factors = [
            address_boxes(LOCAL, rule.addresses(1)),
            address_boxes(REMOTE, rule.addresses(2)),
            port_boxes(LOCAL_PORT, rule.ports(1)),
            port_boxes(REMOTE_PORT, rule.ports(2)),
        ]
        for factor in factors:
            if factor:
                boxes = intersect_all(boxes, factor)
        return boxes

    def _doubts(self, rule: ConnectionRule) -> Iterator[str]:
        """Return why it could not be determined whether a rule counts here."""
        for name, value in rule.unknown:
            yield f"token {name}={value} is not evaluated"
        yield from system_doubts(rule, self._system)
        if self._system.connection_security_products:
            products = join_words(self._system.connection_security_products)
            yield f"{products} took over connection security"
        if rule.value("IF") or rule.value("IFType"):
            yield "it is for some interfaces only"


def _requires(rule: ConnectionRule, direction: Direction) -> bool:
    if direction is Direction.IN:
        return rule.requires_inbound
    return rule.requires_outbound
