# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How Windows Defender Firewall decides about a program's traffic.

The order (Microsoft Learn, "Windows Firewall rules"; MS-FASP 2.2.34 and 2.2.38): firewall off, all
inbound traffic blocked, then ByPass, Block and Allow rules, then the profile's default action.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from ..formats.firewall_address import ALL_V4, ALL_V6
from ..formats.firewall_rule import PROTOCOLS, Action, Direction
from .paths import Paths
from .rule_scope import RuleScope, System, rule_scope
from .store import Firewall, ProfileSettings, Setting, Store, StoredRule
from .traffic_set import (
    HOLDS,
    LOCAL,
    LOCAL_PORT,
    REMOTE,
    REMOTE_PORT,
    Box,
    Spans,
    TooManyPartsError,
    intersect_all,
    intersects,
    subtract,
)
from .verdict import MAX_LISTED, Part, Traffic, TrafficOutcome, Verdict, combine

_ETS6_PORTS: Spans = ((1024, 65535),)
_SERVER_PORTS: Spans = ((80, 80), (443, 443), (1024, 65535))
"""What ETS6 needs. Ports below 1024 belong to system services (RFC 6335), so a block of 445 does
not concern ETS6; 80 and 443 are the vendor's servers, and any port above may be a proxy, KNXnet/IP
(3671) or an IoT device."""

_AMBIGUOUS_NAME = re.compile(r"[~%/\"]|^\s|\s$|^\.")
"""In the last part of a path: an 8.3 name, an environment string, or what Paths.canonical drops."""

_FAMILIES: tuple[Box, ...] = (
    {REMOTE: (ALL_V4,), LOCAL: (ALL_V4,)},
    {REMOTE: (ALL_V6,), LOCAL: (ALL_V6,)},
)

ScopedRule = tuple[StoredRule, RuleScope]


def needed_traffic(program: str, protocol: str, direction: Direction, remote: RuleScope) -> Traffic:
    """Return what a program needs, over IPv4 and IPv6, of the remote addresses in a scope."""
    ports: Box = {LOCAL_PORT: _ETS6_PORTS}
    if direction is Direction.OUT:
        ports = {LOCAL_PORT: _ETS6_PORTS, REMOTE_PORT: _SERVER_PORTS}
    boxes = intersect_all(intersect_all(_FAMILIES, [ports]), remote.boxes)
    return Traffic(program, protocol, direction, tuple(boxes))


class Evaluation:
    """Evaluates traffic by the rules and settings of one PC."""

    def __init__(self, firewall: Firewall, paths: Paths, system: System) -> None:
        self.firewall = firewall
        self._paths = paths
        self._system = system
        self._scopes: dict[int, RuleScope] = {}
        self._matching: dict[tuple[str, Direction, str], list[ScopedRule]] = {}
        self._by_file_name = _group_by_file_name(firewall.rules)

    def scope(self, stored: StoredRule) -> RuleScope:
        """Return the traffic that a rule is for."""
        scope = self._scopes.get(id(stored))
        if scope is None:
            scope = rule_scope(stored.rule, self._system)
            self._scopes[id(stored)] = scope
        return scope

    def matching(self, program: str, direction: Direction, protocol: str) -> list[ScopedRule]:
        """Return the active rules for some of a program's traffic, in any profile.

        Those with the fewest conditions come first.
        """
        key = (self._paths.canonical(program), direction, protocol)
        matching = self._matching.get(key)
        if matching is None:
            matching = list(self._match(program, direction, protocol))
            matching.sort(key=_number_of_conditions)
            self._matching[key] = matching
        return matching

    def _match(self, program: str, direction: Direction, protocol: str) -> Iterator[ScopedRule]:
        file_name = self._paths.canonical(program).rpartition("\\")[2]
        protocols = (None, PROTOCOLS[protocol])
        for name in (file_name, ""):
            for stored in self._by_file_name.get(name, ()):
                rule = stored.rule
                if rule.direction is not direction or rule.protocol not in protocols:
                    continue
                if rule.app and not self._paths.same(rule.app, program):
                    continue
                scope = self.scope(stored)
                if scope.boxes:
                    yield stored, scope

    @staticmethod
    def touches(traffic: Traffic, scope: RuleScope) -> bool:
        """Return whether a rule is for any of the traffic."""
        return intersects(traffic.boxes, scope.boxes)

    def verdict(
        self,
        traffic: Traffic,
        profile: str,
        *,
        without: Collection[str] = (),
        stores: Collection[Store] = tuple(Store),
    ) -> Verdict:
        """Return what happens to traffic in a profile.

        It is evaluated as if local rules with the (lower-case) ids in without, and rules of other
        stores than the given ones, did not exist.
        """
        settings = self.firewall.profiles[profile]
        state = "on" if settings.enabled else "off"
        chain = [f"In the {profile} profile the firewall is {state}: {settings.enabled.source}."]
        if not settings.enabled:
            cause = f"because the firewall is off ({settings.enabled.source})"
            return _whole(traffic, True, settings.enabled, cause, chain)
        if traffic.direction is Direction.IN and settings.block_all_inbound:
            cause = f"with all other inbound traffic ({settings.block_all_inbound.source})"
            return _whole(traffic, False, settings.block_all_inbound, cause, chain)
        if not settings.merge_local:
            chain.append(f"Local rules are ignored: {settings.merge_local.source}.")
        rules = []
        for stored, scope in self.matching(traffic.program, traffic.direction, traffic.protocol):
            if stored.store in stores and _counts(stored, profile, settings, without):
                rules.append((stored, scope))
        return _by_rules(traffic, settings, rules, chain)


def _group_by_file_name(rules: Sequence[StoredRule]) -> dict[str, list[StoredRule]]:
    """Return the rules that count, by the lower-case file name of the program that they name.

    Rules under an empty name may be for any program.
    """
    groups: dict[str, list[StoredRule]] = {}
    for stored in rules:
        if stored.overridden or not stored.rule.active:
            continue
        name = stored.rule.app.rpartition("\\")[2].lower()
        if _AMBIGUOUS_NAME.search(name):
            name = ""
        groups.setdefault(name, []).append(stored)
    return groups


def _number_of_conditions(scoped: ScopedRule) -> int:
    _stored, scope = scoped
    return len(scope.conditions) + len(scope.doubts)


def _counts(
    stored: StoredRule, profile: str, settings: ProfileSettings, without: Collection[str]
) -> bool:
    """Return whether a rule counts in a profile."""
    if profile not in stored.rule.profiles:
        return False
    if stored.store is not Store.LOCAL:
        return True
    return bool(settings.merge_local) and stored.rule.id.lower() not in without


def _whole(
    traffic: Traffic, passes: bool, setting: Setting, cause: str, chain: list[str]
) -> Verdict:
    """Return the verdict where a setting decides about all of the traffic."""
    part = Part(passes, traffic.boxes, setting=setting, cause=cause)
    return Verdict(combine([part]), (part,), (*chain, f"It is {part.sentence()}."))


def _by_rules(
    traffic: Traffic, settings: ProfileSettings, rules: Sequence[ScopedRule], chain: list[str]
) -> Verdict:
    """Return the verdict where rules and the default action decide."""
    try:
        parts = tuple(_divide(traffic, settings, rules))
    except TooManyPartsError:
        chain.append("The rules split the traffic into more parts than can be evaluated.")
        return Verdict(TrafficOutcome.UNKNOWN, (), tuple(chain))
    chain += [f"It is {part.sentence()}." for part in parts[:MAX_LISTED]]
    return Verdict(combine(parts), parts, tuple(chain))


def _divide(
    traffic: Traffic, settings: ProfileSettings, rules: Sequence[ScopedRule]
) -> Iterator[Part]:
    """Divide the traffic into what each rule decides about, and the rest.

    Raises TooManyPartsError.
    """
    rest = list(traffic.boxes)
    for interface in settings.disabled_interfaces:
        disabled: Box = {f"if={interface}".lower(): HOLDS}
        boxes = intersect_all(rest, [disabled])
        if boxes:
            cause = f"on the interface {interface}, where the firewall is off (DisabledInterfaces)"
            yield Part(True, tuple(boxes), cause=cause)
        rest = subtract(rest, disabled)
    for action in (Action.BYPASS, Action.BLOCK, Action.ALLOW):
        for stored, scope in rules:
            if stored.rule.action is not action:
                continue
            boxes = intersect_all(rest, scope.boxes)
            if not boxes:
                continue
            yield Part(action is not Action.BLOCK, tuple(boxes), stored, scope)
            for box in scope.boxes:
                rest = subtract(rest, box)
    if rest:
        yield _default(traffic, settings, rest)


def _default(traffic: Traffic, settings: ProfileSettings, rest: Sequence[Box]) -> Part:
    """Return the part that no rule decides about."""
    setting = settings.outbound_block
    if traffic.direction is Direction.IN:
        setting = settings.inbound_block
    reason = "no rule decides"
    if not settings.merge_local:
        reason = (
            f"local rules are ignored ({settings.merge_local.source}), and no other rule decides"
        )
    family = _only_family(rest, traffic.boxes)
    cause = f"{family}by default: {reason} ({setting.source})"
    return Part(not setting, tuple(rest), setting=setting, cause=cause)


def _only_family(rest: Sequence[Box], boxes: Sequence[Box]) -> str:
    """Return ``over IPv6`` where only IPv6 remains of both families, which is easily overlooked."""
    families = set(map(_family, rest))
    if len(families) == len(set(map(_family, boxes))):
        return ""
    return f"over {families.pop()} "


def _family(box: Box) -> str:
    return "IPv6" if box[REMOTE][-1][1] > ALL_V4[1] else "IPv4"
