# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What Windows Defender Firewall does with a program's traffic, and which rule or setting decides.

Order (Microsoft Learn, "Windows Firewall rules"; MS-FASP 2.2.34 and 2.2.38): firewall off, all inbound blocked, then ByPass,
Block and Allow rules, then the profile's default action.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..formats.firewall_address import ALL_V4, ALL_V6
from ..formats.firewall_rule import PROTOCOLS, Action, Direction, Rule
from .match import DOUBT, Reach, System, reach
from .paths import Paths
from .region import (
    HOLDS,
    LOCAL,
    LOCAL_PORT,
    REMOTE,
    REMOTE_PORT,
    Box,
    Spans,
    TooManyParts,
    both,
    minus,
)
from .store import Firewall, ProfileSettings, Setting, Store, StoredRule

_OWN_PORTS: Spans = ((1024, 65535),)
_SERVER_PORTS: Spans = ((80, 80), (443, 443), (1024, 65535))
"""What ETS6 needs. Ports below 1024 belong to system services (RFC 6335), so a block of 445 is none of ETS6; 80 and 443 are the
vendor's servers, everything above may be a proxy, KNXnet/IP (3671) or an IoT device."""

_OTHER_SPELLING = re.compile(r"[~%/\"]|^\s|\s$|^\.")
"""In the last part of a path: an 8.3 name, an environment string, or what Paths.canonical takes away."""

_FAMILIES: tuple[Box, ...] = ({REMOTE: (ALL_V4,), LOCAL: (ALL_V4,)}, {REMOTE: (ALL_V6,), LOCAL: (ALL_V6,)})


class Outcome(Enum):
    """What becomes of the traffic that was asked about."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Flow:
    """Traffic of one program: the program's path, TCP or UDP, and the part of it that is asked about."""

    program: str
    protocol: str
    direction: Direction
    boxes: tuple[Box, ...]


def flow(program: str, protocol: str, direction: Direction, remote: Reach) -> Flow:
    """Return a program's traffic with the remote addresses that a rule is for, over IPv4 and IPv6."""
    ports: Box = {LOCAL_PORT: _OWN_PORTS}
    if direction is Direction.OUT:
        ports = {LOCAL_PORT: _OWN_PORTS, REMOTE_PORT: _SERVER_PORTS}
    families = [box for family in _FAMILIES if (box := both(family, ports)) is not None]
    boxes = [common for box in families for part in remote.boxes if (common := both(box, part)) is not None]
    return Flow(program, protocol, direction, tuple(boxes))


@dataclass(frozen=True)
class Part:
    """A part of the traffic, and what decides on it: a rule, or (rule None) the setting that cause tells of."""

    passes: bool
    boxes: tuple[Box, ...]
    rule: StoredRule | None = None
    reach: Reach | None = None
    setting: Setting | None = None
    cause: str = ""

    @property
    def certain(self) -> bool:
        """Tell whether some of this part is decided without any doubt."""
        return any(not any(dimension.startswith(DOUBT) for dimension in box) for box in self.boxes)

    def sentence(self) -> str:
        """Return what happens, in words."""
        verb = "allowed" if self.passes else "blocked"
        if self.rule is None or self.reach is None:
            return f"{verb} {self.cause}"
        conditions = f" for {'; '.join(self.reach.conditions)}" if self.reach.conditions else ""
        doubts = f", if it counts here: {'; '.join(self.reach.doubts)}" if self.reach.doubts else ""
        return f"{verb}{conditions} by {rule_words(self.rule)}{doubts}"

    def to_wire(self) -> dict[str, Any]:
        """Return the part as it stands in a finding's evidence."""
        if self.rule is None or self.reach is None:
            return {
                "passes": self.passes,
                "rule": None,
                "name": None,
                "store": None,
                "conditions": [],
                "edge_traversal": None,
                "reason": self.sentence(),
            }
        return {
            "passes": self.passes,
            "rule": self.rule.rule.id,
            "name": self.rule.rule.name,
            "store": self.rule.store.value,
            "conditions": [*self.reach.conditions, *self.reach.doubts],
            "edge_traversal": _edge(self.rule.rule),
            "reason": self.sentence(),
        }


def _edge(rule: Rule) -> str:
    """Return what a rule says of traffic through an edge device, in the words of New-NetFirewallRule: no part of the verdict."""
    deferred = rule.first("Defer").capitalize()
    if deferred:
        return f"DeferTo{deferred}"
    return "Allow" if rule.first("Edge").upper() == "TRUE" else "Block"


def rule_words(stored: StoredRule) -> str:
    """Return a rule as a message names it: the names of rules are not unique, so never without its id and its store."""
    return f"rule '{stored.rule.name}' ({stored.rule.id}, {stored.store.value})"


MAX_NAMED = 4
MAX_LISTED = 100
"""So many rules are named in a sentence, and in the evidence."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a flow in one profile. parts is in the order in which Windows decides; chain says how it came to that."""

    outcome: Outcome
    parts: tuple[Part, ...]
    chain: tuple[str, ...]

    def sentence(self) -> str:
        """Return the verdict and what decides it, in words."""
        if not self.parts:
            return self.chain[-1]
        deciding = [part for part in self.parts if part.certain] or list(self.parts)
        if self.outcome is not Outcome.PARTIAL and self.outcome is not Outcome.UNKNOWN:
            return deciding[0].sentence() if len(deciding) == 1 else self._listed(deciding)
        return ("in part: " if self.outcome is Outcome.PARTIAL else "not known: ") + self._listed(list(self.parts))

    @staticmethod
    def _listed(parts: list[Part]) -> str:
        shown = [part.sentence() for part in parts]
        if len(shown) > MAX_NAMED:
            shown = [*shown[: MAX_NAMED - 1], f"{len(shown) - MAX_NAMED} more", shown[-1]]
        return "; ".join(shown)

    def to_wire(self) -> dict[str, Any]:
        """Return the verdict as it stands in a finding's evidence."""
        return {
            "outcome": self.outcome.value,
            "chain": list(self.chain),
            "decided_by": [part.to_wire() for part in self.parts[:MAX_LISTED]],
            "not_listed": max(0, len(self.parts) - MAX_LISTED),
        }


class Effective:
    """Judges traffic by the rules and settings of one PC."""

    def __init__(self, firewall: Firewall, paths: Paths, system: System) -> None:
        self.firewall = firewall
        self._paths = paths
        self._system = system
        self._reaches: dict[int, Reach] = {}
        self._matching: dict[tuple[str, Direction, str], list[tuple[StoredRule, Reach]]] = {}
        self._by_program: dict[str, list[StoredRule]] = {}
        for stored in firewall.rules:
            if stored.rule.active and not stored.overridden:
                name = stored.rule.app.rpartition("\\")[2].lower()
                # A name that can be spelled otherwise may mean any program, as may no program at all.
                self._by_program.setdefault("" if _OTHER_SPELLING.search(name) else name, []).append(stored)

    def reach(self, stored: StoredRule) -> Reach:
        """Return what traffic a rule is for."""
        known = self._reaches.get(id(stored))
        if known is None:
            known = self._reaches[id(stored)] = reach(stored.rule, self._system)
        return known

    def matching(self, program: str, direction: Direction, protocol: str) -> list[tuple[StoredRule, Reach]]:
        """Return the active rules that are for a program's traffic, or for a part of it, in any profile."""
        key = (self._paths.canonical(program), direction, protocol)
        known = self._matching.get(key)
        if known is None:
            number = PROTOCOLS[protocol]
            name = key[0].rpartition("\\")[2]
            known = [
                (stored, found)
                for stored in (*self._by_program.get(name, ()), *self._by_program.get("", ()))
                if stored.rule.direction is direction
                and stored.rule.protocol in (None, number)
                and (not stored.rule.app or self._paths.same(stored.rule.app, program))
                and (found := self.reach(stored)).boxes
            ]
            known.sort(key=lambda item: len(item[1].conditions) + len(item[1].doubts))
            self._matching[key] = known
        return known

    @staticmethod
    def touches(asked: Flow, found: Reach) -> bool:
        """Tell whether a rule is for any of the traffic that is asked about."""
        return any(both(box, own) is not None for box in asked.boxes for own in found.boxes)

    def verdict(
        self, asked: Flow, profile: str, *, without: Collection[str] = (), stores: Collection[Store] = tuple(Store)
    ) -> Verdict:
        """Return what becomes of a flow in a profile.

        As though local rules with the (lower-case) ids in without, and rules of other stores than the given, were not there.
        """
        settings = self.firewall.profiles[profile]
        chain = [f"In the {profile} profile the firewall is {'on' if settings.enabled else 'off'}: {settings.enabled.source}."]
        if not settings.enabled:
            return self._whole(asked, True, settings.enabled, f"because the firewall is off ({settings.enabled.source})", chain)
        if asked.direction is Direction.IN and settings.shielded:
            cause = f"with everything else that comes in ({settings.shielded.source})"
            return self._whole(asked, False, settings.shielded, cause, chain)
        if not settings.merge_local:
            chain.append(f"Local rules are ignored: {settings.merge_local.source}.")
        rules = [
            (stored, found)
            for stored, found in self.matching(asked.program, asked.direction, asked.protocol)
            if profile in stored.rule.profiles
            and stored.store in stores
            and (stored.store is not Store.LOCAL or (settings.merge_local and stored.rule.id.lower() not in without))
        ]
        try:
            parts = tuple(self._parts(asked, settings, rules))
        except TooManyParts:
            problem = "The rules split the traffic into more parts than can be told apart."
            return Verdict(Outcome.UNKNOWN, (), (*chain, problem))
        chain += [f"It is {part.sentence()}." for part in parts[:MAX_LISTED]]
        return Verdict(_outcome(parts), parts, tuple(chain))

    @staticmethod
    def _whole(asked: Flow, passes: bool, setting: Setting, cause: str, chain: list[str]) -> Verdict:
        part = Part(passes, asked.boxes, setting=setting, cause=cause)
        return Verdict(Outcome.ALLOWED if passes else Outcome.BLOCKED, (part,), (*chain, f"It is {part.sentence()}."))

    @staticmethod
    def _parts(asked: Flow, settings: ProfileSettings, rules: list[tuple[StoredRule, Reach]]) -> Iterator[Part]:
        """Cut the traffic into what each rule decides on, and the rest. Raises TooManyParts."""
        left: list[Box] = list(asked.boxes)
        for interface in settings.disabled_interfaces:
            taken: Box = {f"if={interface}".lower(): HOLDS}
            part = tuple(common for box in left if (common := both(box, taken)) is not None)
            if part:
                yield Part(True, part, cause=f"on the interface {interface}, where the firewall is off (DisabledInterfaces)")
            left = minus(left, taken)
        for action in (Action.BYPASS, Action.BLOCK, Action.ALLOW):
            for stored, found in rules:
                if stored.rule.action is not action or not left:
                    continue
                part = tuple(common for box in left for own in found.boxes if (common := both(box, own)) is not None)
                if part:
                    yield Part(action is not Action.BLOCK, part, stored, found)
                    for own in found.boxes:
                        left = minus(left, own)
        if left:
            inbound = asked.direction is Direction.IN
            setting = settings.inbound_block if inbound else settings.outbound_block
            family = _only_family(left, asked.boxes)
            why = (
                "no rule decides"
                if settings.merge_local
                else f"local rules are ignored ({settings.merge_local.source}), no other decides"
            )
            yield Part(not setting, tuple(left), setting=setting, cause=f"{family}by default: {why} ({setting.source})")


def _only_family(left: Collection[Box], asked: Collection[Box]) -> str:
    """Return ``over IPv6`` where that is all that is left, since IPv4 is what people think of."""
    families = {box[REMOTE][-1][1] > ALL_V4[1] for box in left}
    if len(families) == 1 and len({box[REMOTE][-1][1] > ALL_V4[1] for box in asked}) == 2:
        return "over IPv6 " if families == {True} else "over IPv4 "
    return ""


def _outcome(parts: tuple[Part, ...]) -> Outcome:
    """Tell allowed, blocked, partial, and not to be known: where only a doubtful part would be blocked."""
    passes = {part.passes for part in parts}
    if passes == {True}:
        return Outcome.ALLOWED
    if passes == {False}:
        return Outcome.BLOCKED
    return Outcome.PARTIAL if any(part.certain for part in parts if not part.passes) else Outcome.UNKNOWN
