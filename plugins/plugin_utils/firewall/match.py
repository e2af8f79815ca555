# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What part of a desktop program's traffic a rule is for: exactly, and in words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..formats.firewall_address import ALL_V4, ALL_V6, show_span
from ..formats.firewall_rule import Action, Matched, Rule
from .region import (
    HOLDS,
    INTERFACE_TYPE,
    INTERFACE_TYPES,
    LOCAL,
    LOCAL_PORT,
    MAX_BOXES,
    REMOTE,
    REMOTE_PORT,
    Box,
    both,
    merged,
)

DOUBT = "?"
"""Begins the dimension of a condition that nobody can decide from here: it may hold always, or never."""

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
"""Tokens whose condition holds for some of the traffic; values of one token are alternatives."""


@dataclass(frozen=True)
class System:
    """What of a PC decides whether a rule counts there: Windows' version and the firewall's (0x02MM), None where not known."""

    windows: tuple[int, int] | None
    firewall: int | None


@dataclass(frozen=True)
class Reach:
    """The traffic that a rule is for, of whatever program its token App names. No box means none that a desktop program has."""

    boxes: tuple[Box, ...]
    conditions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


NOTHING = Reach(())


def reach(rule: Rule, system: System) -> Reach:
    """Return what an active rule is for.

    A rule for a service, an app package or another Windows is for nothing that ETS6's programs do, which run as their user.
    Traffic through an edge device (tokens Edge and Defer: Teredo) is not asked about.
    """
    if rule.service or rule.first("AppPkgId") or rule.first("PFN"):
        return NOTHING
    doubts = list(_platform_doubts(rule, system))
    if _OTHER_WINDOWS in doubts:
        return NOTHING
    doubts += [f"token {name}={value} is not known" for name, value in rule.unknown]
    if rule.first("LOM").lower() == "true":
        doubts.append("it is mapped locally only (LOM)")
    others = list(_other_conditions(rule))
    addresses = ((REMOTE, rule.remote_addresses), (LOCAL, rule.local_addresses))
    ports = ((REMOTE_PORT, rule.remote_ports), (LOCAL_PORT, rule.local_ports))
    single: list[list[Box]] = [[{dimension: places}] for dimension, places, _words in others]
    factors = [
        *single,
        *(_address_boxes(dimension, matched) for dimension, matched in addresses),
        *(_port_boxes(dimension, matched) for dimension, matched in ports),
    ]
    if math.prod(map(len, factors)) > MAX_BOXES:
        doubts.append("it has more conditions than can be told apart")
        factors = []
    if doubts:
        factors.append([{f"{DOUBT}{'; '.join(doubts)}": HOLDS}])
    boxes: list[Box] = [{}]
    for factor in factors:
        boxes = [common for box in boxes for part in factor if (common := both(box, part)) is not None]
    conditions = (
        *(words for dimension, matched in addresses for words in _address_words(dimension, matched)),
        *(words for dimension, matched in ports for words in _port_words(dimension, matched)),
        *(words for _dimension, _places, words in others),
    )
    return Reach(tuple(boxes), conditions, tuple(doubts))


def _address_boxes(dimension: str, matched: Matched) -> list[Box]:
    if not matched:
        return [{}]
    boxes: list[Box] = [{dimension: merged(matched.spans)}] if matched.spans else []
    return boxes + [{dimension: (_FAMILIES[family],), f"{dimension} {word.lower()}": HOLDS} for family, word in matched.words]


def _address_words(dimension: str, matched: Matched) -> list[str]:
    if not matched:
        return []
    families: dict[str, list[str]] = {}
    for family, word in matched.words:
        families.setdefault(word, []).append(family)
    shown = [show_span(part) for part in merged(matched.spans)]
    shown += [word if len(found) == 2 else f"{word} ({found[0]})" for word, found in families.items()]
    return [f"{dimension}es {', '.join(shown)}"]


def _port_boxes(dimension: str, matched: Matched) -> list[Box]:
    if not matched:
        return [{}]
    boxes: list[Box] = [{dimension: merged(matched.spans)}] if matched.spans else []
    return boxes + [{f"{dimension} {word.lower()}": HOLDS} for _family, word in matched.words]


def _port_words(dimension: str, matched: Matched) -> list[str]:
    if not matched:
        return []
    shown = [f"{start}" if start == end else f"{start}-{end}" for start, end in merged(matched.spans)]
    return [f"{dimension}s {', '.join([*shown, *(word for _family, word in matched.words)])}"]


def _other_conditions(rule: Rule) -> Iterable[tuple[str, tuple[tuple[int, int], ...], str]]:
    """Return dimension, places on it and words for every other condition."""
    if rule.action is Action.BYPASS:
        yield "ipsec bypass", HOLDS, "traffic that IPsec authenticates"
    kinds = rule.all("IFType")
    numbers = [INTERFACE_TYPES.get(kind.lower()) for kind in kinds]
    if kinds and None not in numbers:
        places = merged((number, number) for number in numbers if number is not None)
        yield INTERFACE_TYPE, places, f"{', '.join(kinds)} interfaces"
    elif kinds:
        yield f"{DOUBT}iftype {', '.join(kinds)}", HOLDS, f"{', '.join(kinds)} interfaces"
    found: dict[str, list[str]] = {}
    for name, value in rule.tokens:
        low = name.lower()
        if low in _CONDITIONS and value:
            found.setdefault(low, []).append(value)
    for token, values in found.items():
        shown = ", ".join(values)
        yield f"{token}={shown}".lower(), HOLDS, _CONDITIONS[token].format(shown)


_OTHER_WINDOWS = "it is for another Windows"


def _platform_doubts(rule: Rule, system: System) -> Iterable[str]:
    """Return _OTHER_WINDOWS where a rule does not count on this PC, or why that is not known.

    Platform is ``2:major:minor`` (2: Windows NT), Platform2=GTEQ makes the last one a lowest version; SkipVer is the newest
    version of the firewall that leaves the rule out (MS-GPFAS 2.2.2.17 to 2.2.2.19).
    """
    platforms = rule.all("Platform")
    versions = [re.fullmatch(r"\d+:(\d{1,3}):(\d{1,3})", platform, re.ASCII) for platform in platforms]
    if platforms and (system.windows is None or None in versions):
        yield f"it is only for some versions of Windows ({', '.join(platforms)})"
    elif platforms and system.windows is not None:
        known = [(int(version[1]), int(version[2])) for version in versions if version is not None]
        at_least = rule.first("Platform2").upper() == "GTEQ" and system.windows >= known[-1]
        if system.windows not in known and not at_least:
            yield _OTHER_WINDOWS
    skip = rule.first("SkipVer")
    version = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", skip, re.ASCII)
    if skip and (version is None or system.firewall is None):
        yield f"firewalls up to version {skip} leave it out"
    elif version is not None and system.firewall is not None and system.firewall <= int(version[1]) << 8 | int(version[2]):
        yield _OTHER_WINDOWS
    if system.firewall is not None and rule.version > system.firewall:
        yield f"it is of version {rule.head}, newer than this PC's firewall (v{system.firewall >> 8}.{system.firewall & 255})"
