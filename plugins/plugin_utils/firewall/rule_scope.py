# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The scope of a rule: which part of a desktop program's traffic it is for, exactly and in words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..formats.firewall_address import ALL_V4, ALL_V6, show_span
from ..formats.firewall_rule import Action, Restriction, Rule
from .traffic_set import (
    HOLDS,
    INTERFACE_TYPE,
    INTERFACE_TYPES,
    LOCAL,
    LOCAL_PORT,
    MAX_BOXES,
    REMOTE,
    REMOTE_PORT,
    Box,
    intersect_all,
    merge_spans,
)

DOUBT = "?"
"""Begins the dimension of a condition that cannot be decided here: it may always hold, or never."""

_FAMILIES = {"IPv4": ALL_V4, "IPv6": ALL_V6}

_CONDITIONS = {
    "if": "the interface {}",
    "luauth": "the local users of {}",
    "luauth2_24": "the local users of {}",
    "luown": "the user {}",
    "ruauth": "the remote users of {}",
    "rmauth": "the remote computers of {}",
    "security": "traffic that IPsec secures ({})",
    "security2_9": "traffic that IPsec secures ({})",
    "security2": "traffic that IPsec secures ({})",
    "nnm": "the networks named {}",
    "securityrealmid": "the security realm {}",
    "ttk": "connections for {}",
    "ttk2_22": "connections for {}",
    "ttk2_27": "connections for {}",
    "ttk2_28": "connections for {}",
}
"""Tokens whose condition holds for a part of the traffic; values of one token are alternatives."""


@dataclass(frozen=True)
class System:
    """What decides whether a rule counts on a PC. None where it could not be determined.

    windows: the version of Windows, such as (10, 0). firewall: the store's version, 0x02MM.
    """

    windows: tuple[int, int] | None
    firewall: int | None


@dataclass(frozen=True)
class RuleScope:
    """The traffic that a rule is for, whichever program its token App names.

    Without a box it is for nothing that a desktop program sends or receives. conditions and doubts
    are phrases: ``remote ports 80``, ``token Zz=1 is not known``.
    """

    boxes: tuple[Box, ...]
    conditions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


NOTHING = RuleScope(())


@dataclass(frozen=True)
class _Condition:
    """One condition: boxes of which any may hold, and words."""

    boxes: Sequence[Box]
    words: str


def rule_scope(rule: Rule, system: System) -> RuleScope:
    """Return what an active rule is for.

    A rule for a service, an app package or another Windows is for nothing that ETS6's programs do,
    which run as their user. Traffic through an edge device (tokens Edge and Defer: Teredo) is not
    part of the question.
    """
    if _is_for_other_traffic(rule) or _is_for_another_pc(rule, system):
        return NOTHING
    doubts = [*_system_doubts(rule, system), *_token_doubts(rule)]
    conditions = list(_conditions(rule))
    factors = [condition.boxes for condition in conditions]
    if math.prod(map(len, factors)) > MAX_BOXES:
        doubts.append("it has more conditions than can be evaluated")
        factors = []
    if doubts:
        factors.append([{f"{DOUBT}{'; '.join(doubts)}": HOLDS}])
    boxes: list[Box] = [{}]
    for factor in factors:
        boxes = intersect_all(boxes, factor)
    words = tuple(condition.words for condition in conditions)
    return RuleScope(tuple(boxes), words, tuple(doubts))


def _is_for_other_traffic(rule: Rule) -> bool:
    """Return whether a rule is for a service or an app package."""
    return bool(rule.service or rule.value("AppPkgId") or rule.value("PFN"))


def _is_for_another_pc(rule: Rule, system: System) -> bool:
    return _is_for_another_platform(rule, system) or _skips_this_firewall(rule, system)


def _conditions(rule: Rule) -> Iterator[_Condition]:
    """Return every condition of a rule that is about its traffic."""
    for dimension, addresses in ((REMOTE, rule.remote_addresses), (LOCAL, rule.local_addresses)):
        if addresses:
            yield _address_condition(dimension, addresses)
    for dimension, ports in ((REMOTE_PORT, rule.remote_ports), (LOCAL_PORT, rule.local_ports)):
        if ports:
            yield _port_condition(dimension, ports)
    if rule.action is Action.BYPASS:
        yield _Condition([{"ipsec bypass": HOLDS}], "traffic that IPsec authenticates")
    interface_types = rule.values("IFType")
    if interface_types:
        yield _interface_condition(interface_types)
    yield from _token_conditions(rule)


def _address_condition(dimension: str, addresses: Restriction) -> _Condition:
    boxes: list[Box] = []
    spans = merge_spans(addresses.spans)
    if spans:
        boxes.append({dimension: spans})
    families_by_word: dict[str, list[str]] = {}
    for family, word in addresses.words:
        boxes.append({dimension: (_FAMILIES[family],), f"{dimension} {word.lower()}": HOLDS})
        families_by_word.setdefault(word, []).append(family)
    words = [show_span(addresses_span) for addresses_span in spans]
    for word, families in families_by_word.items():
        words.append(word if len(families) == len(_FAMILIES) else f"{word} ({families[0]})")
    return _Condition(boxes, f"{dimension}es {', '.join(words)}")


def _port_condition(dimension: str, ports: Restriction) -> _Condition:
    boxes: list[Box] = []
    spans = merge_spans(ports.spans)
    if spans:
        boxes.append({dimension: spans})
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    for _family, word in ports.words:
        boxes.append({f"{dimension} {word.lower()}": HOLDS})
        words.append(word)
    return _Condition(boxes, f"{dimension}s {', '.join(words)}")


def _interface_condition(interface_types: Sequence[str]) -> _Condition:
    words = ", ".join(interface_types)
    numbers = []
    for interface_type in interface_types:
        number = INTERFACE_TYPES.get(interface_type.lower())
        if number is None:
            return _Condition([{f"{DOUBT}iftype {words}": HOLDS}], f"{words} interfaces")
        numbers.append((number, number))
    return _Condition([{INTERFACE_TYPE: merge_spans(numbers)}], f"{words} interfaces")


def _token_conditions(rule: Rule) -> Iterator[_Condition]:
    values_by_token: dict[str, list[str]] = {}
    for name, value in rule.tokens:
        lower = name.lower()
        if lower in _CONDITIONS and value:
            values_by_token.setdefault(lower, []).append(value)
    for token, values in values_by_token.items():
        text = ", ".join(values)
        box: Box = {f"{token}={text}".lower(): HOLDS}
        yield _Condition([box], _CONDITIONS[token].format(text))


def _system_doubts(rule: Rule, system: System) -> Iterator[str]:
    """Return why it could not be determined whether a rule is for this PC."""
    platforms = rule.values("Platform")
    if platforms and (system.windows is None or _platform_versions(platforms) is None):
        yield f"it is only for some versions of Windows ({', '.join(platforms)})"
    skip = rule.value("SkipVer")
    if skip and (system.firewall is None or _skip_version(skip) is None):
        yield f"firewalls up to version {skip} ignore it"
    if system.firewall is not None and rule.version > system.firewall:
        version = f"v{system.firewall >> 8}.{system.firewall & 255}"
        yield f"it is of version {rule.head}, newer than this PC's firewall ({version})"


def _token_doubts(rule: Rule) -> Iterator[str]:
    """Return the tokens for which it could not be determined when they apply."""
    for name, value in rule.unknown:
        yield f"token {name}={value} is not known"
    if rule.value("LOM").lower() == "true":
        yield "it is mapped locally only (LOM)"


def _is_for_another_platform(rule: Rule, system: System) -> bool:
    """Return whether the token Platform excludes this PC.

    It is ``2:major:minor`` (2: Windows NT); Platform2=GTEQ makes the last one a lowest version
    (MS-GPFAS 2.2.2.17 and 2.2.2.18).
    """
    platforms = rule.values("Platform")
    versions = _platform_versions(platforms)
    if not versions or system.windows is None or system.windows in versions:
        return False
    is_lowest = rule.value("Platform2").upper() == "GTEQ"
    return not (is_lowest and system.windows >= versions[-1])


def _platform_versions(platforms: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return the versions of Windows; None where one of them cannot be read."""
    versions = []
    for platform in platforms:
        match = re.fullmatch(r"\d+:(\d{1,3}):(\d{1,3})", platform, re.ASCII)
        if match is None:
            return None
        versions.append((int(match[1]), int(match[2])))
    return versions


def _skips_this_firewall(rule: Rule, system: System) -> bool:
    """Return whether the token SkipVer excludes this PC's firewall.

    It is the newest version of the firewall that ignores the rule (MS-GPFAS 2.2.2.19).
    """
    newest = _skip_version(rule.value("SkipVer"))
    return newest is not None and system.firewall is not None and system.firewall <= newest


def _skip_version(text: str) -> int | None:
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", text, re.ASCII)
    if match is None:
        return None
    return int(match[1]) << 8 | int(match[2])
