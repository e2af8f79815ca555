# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The scope of a rule: which part of a desktop program's traffic it is for, exactly and in words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..formats.firewall_accounts import account_words
from ..formats.firewall_address import ALL_V4, ALL_V6, show_span
from ..formats.firewall_rule import Action, Restriction, Rule
from .accounts import Accounts
from .traffic_set import (
    ACCOUNT,
    HOLDS,
    INTERFACE_TYPE,
    INTERFACE_TYPES,
    IPSEC,
    LOCAL,
    LOCAL_PORT,
    MAX_BOXES,
    REMOTE,
    REMOTE_PORT,
    Box,
    Spans,
    intersect_all,
    merge_spans,
)

DOUBT = "?"
"""Begins the dimension of a condition that cannot be decided here: it may always hold, or never."""

_FAMILIES = {"IPv4": ALL_V4, "IPv6": ALL_V6}

MAX_NAMED = 4
"""Addresses and ports of one condition in a sentence."""
MAX_SPANS = 20_000
"""Spans of addresses or ports in one rule; Windows accepts 10,000 addresses."""

_ACCOUNT_TOKENS = ("luauth", "luauth2_24")
_IPSEC_TOKENS = ("security", "security2_9", "security2")
_REMOTE_ACCOUNT_TOKENS = {"ruauth": "remote users", "rmauth": "remote computers"}
_CONDITIONS = {
    "if": "the interface {}",
    "nnm": "the networks named {}",
    "securityrealmid": "the security realm {}",
    "ttk": "connections for {}",
    "ttk2_22": "connections for {}",
    "ttk2_27": "connections for {}",
    "ttk2_28": "connections for {}",
}
"""Tokens whose condition holds for a part of the traffic; values of one token are alternatives."""


class Tokens(Protocol):
    """A firewall rule or a connection security rule."""

    def value(self, token: str) -> str:
        """Return the first value of a token, empty where the rule has none."""

    def values(self, token: str) -> tuple[str, ...]:
        """Return every value of a token."""


@dataclass(frozen=True)
class System:
    """What decides whether a rule counts on a PC. None where it could not be determined.

    windows: the version of Windows, such as (10, 0). firewall: the store's version, 0x02MM.
    accounts: those that may run ETS6. connection_security_products took over the rules of
    connection security.
    """

    windows: tuple[int, int] | None
    firewall: int | None
    accounts: Accounts | None = None
    connection_security_products: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleScope:
    """The traffic that a rule is for, whichever program its token App names.

    Without a box it is for nothing that a desktop program sends or receives. conditions and doubts
    are phrases: ``remote ports 80``, ``token Zz=1 is not known``. other_account: it is only for
    accounts that do not run ETS6.
    """

    boxes: tuple[Box, ...]
    conditions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    other_account: bool = False

    @property
    def addresses_only(self) -> Spans | None:
        """The remote addresses, where these are the only condition and known as numbers."""
        if len(self.boxes) == 1 and self.boxes[0].keys() == {REMOTE}:
            return self.boxes[0][REMOTE]
        return None


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
    doubts = [*system_doubts(rule, system), *_token_doubts(rule)]
    conditions = [*_conditions(rule), *_account_conditions(rule, system.accounts)]
    factors = [condition.boxes for condition in conditions]
    if math.prod(map(len, factors)) > MAX_BOXES or _number_of_spans(factors) > MAX_SPANS:
        doubts.append("it has more conditions than can be evaluated")
        factors = []
    if doubts:
        factors.append([{f"{DOUBT}{'; '.join(doubts)}": HOLDS}])
    boxes: list[Box] = [{}]
    for factor in factors:
        boxes = intersect_all(boxes, factor)
    words = tuple(condition.words for condition in conditions)
    return RuleScope(tuple(boxes), words, tuple(doubts), other_account=not boxes)


def _number_of_spans(factors: Sequence[Sequence[Box]]) -> int:
    number = 0
    for boxes in factors:
        for box in boxes:
            number += sum(map(len, box.values()))
    return number


def _is_for_other_traffic(rule: Rule) -> bool:
    """Return whether a rule is for a service or an app package."""
    return bool(rule.service or rule.value("AppPkgId") or rule.value("PFN"))


def _is_for_another_pc(rule: Rule, system: System) -> bool:
    return _is_for_another_platform(rule, system) or _skips_this_firewall(rule, system)


def may_be_skipped(rule: Rule, system: System) -> bool:
    """Return whether this PC's firewall may leave a rule out: for its version, or for a token."""
    if rule.unknown or _is_for_another_pc(rule, system):
        return True
    return any(True for _doubt in system_doubts(rule, system))


def _conditions(rule: Rule) -> Iterator[_Condition]:
    """Return every condition of a rule that is about its traffic."""
    for dimension, addresses in ((REMOTE, rule.remote_addresses), (LOCAL, rule.local_addresses)):
        if addresses:
            yield _address_condition(dimension, addresses)
    for dimension, ports in ((REMOTE_PORT, rule.remote_ports), (LOCAL_PORT, rule.local_ports)):
        if ports:
            yield _port_condition(dimension, ports)
    yield from _ipsec_conditions(rule)
    interface_types = rule.values("IFType")
    if interface_types:
        yield _interface_condition(interface_types)
    yield from _token_conditions(rule)


def _ipsec_conditions(rule: Rule) -> Iterator[_Condition]:
    """Return the conditions that hold only for traffic that IPsec authenticates."""
    box: Box = {IPSEC: HOLDS}
    if rule.action is Action.BYPASS:
        yield _Condition([box], "traffic that IPsec authenticates")
    for token in _IPSEC_TOKENS:
        values = rule.values(token)
        if any(values):
            yield _Condition([box], f"traffic that IPsec secures ({', '.join(values)})")
    for token, subject in _REMOTE_ACCOUNT_TOKENS.items():
        for value in filter(None, rule.values(token)):
            yield _Condition([box], f"{subject}: {account_words(value)}")


def _account_conditions(rule: Rule, accounts: Accounts | None) -> Iterator[_Condition]:
    """Return the conditions on the account that runs the program."""
    if accounts is None:
        return
    for token in _ACCOUNT_TOKENS:
        for value in filter(None, rule.values(token)):
            yield _account_condition(accounts, value)
    owner = rule.value("LUOwn")
    if owner:
        yield _account_condition(accounts, f"D:(A;;CC;;;{owner})")


def _account_condition(accounts: Accounts, descriptor: str) -> _Condition:
    try:
        scope = accounts.scope(descriptor)
    except ValueError as error:
        words = f"accounts that could not be read ({error})"
        return _Condition([{f"{DOUBT}{words}": HOLDS}], words)
    boxes: list[Box] = []
    if scope.certain:
        boxes.append({ACCOUNT: scope.certain})
    if scope.doubtful:
        boxes.append({ACCOUNT: scope.doubtful, f"{DOUBT}{scope.words}": HOLDS})
    return _Condition(boxes, scope.words)


def address_boxes(dimension: str, addresses: Restriction) -> list[Box]:
    """Return the boxes of an address restriction; none where there is no restriction."""
    boxes: list[Box] = []
    spans = merge_spans(addresses.spans)
    if spans:
        boxes.append({dimension: spans})
    for family, word in addresses.words:
        boxes.append({dimension: (_FAMILIES[family],), f"{dimension} {word.lower()}": HOLDS})
    return boxes


def port_boxes(dimension: str, ports: Restriction) -> list[Box]:
    """Return the boxes of a port restriction; none where there is no restriction."""
    boxes: list[Box] = []
    spans = merge_spans(ports.spans)
    if spans:
        boxes.append({dimension: spans})
    for _family, word in ports.words:
        boxes.append({f"{dimension} {word.lower()}": HOLDS})
    return boxes


def _address_condition(dimension: str, addresses: Restriction) -> _Condition:
    spans = merge_spans(addresses.spans)
    families_by_word: dict[str, list[str]] = {}
    for family, word in addresses.words:
        families_by_word.setdefault(word, []).append(family)
    words = [show_span(addresses_span) for addresses_span in spans[:MAX_NAMED]]
    for word, families in families_by_word.items():
        words.append(word if len(families) == len(_FAMILIES) else f"{word} ({families[0]})")
    boxes = address_boxes(dimension, addresses)
    return _Condition(boxes, f"{dimension}es {_abbreviate(words, spans)}")


def _port_condition(dimension: str, ports: Restriction) -> _Condition:
    spans = merge_spans(ports.spans)
    words = []
    for first, last in spans[:MAX_NAMED]:
        words.append(str(first) if first == last else f"{first}-{last}")
    words += [word for _family, word in ports.words]
    return _Condition(port_boxes(dimension, ports), f"{dimension}s {_abbreviate(words, spans)}")


def _abbreviate(words: Sequence[str], spans: Spans) -> str:
    """Return the words, and how many of the spans they do not name."""
    text = ", ".join(words)
    if len(spans) > MAX_NAMED:
        text += f" and {len(spans) - MAX_NAMED} more"
    return text


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


def system_doubts(rule: Tokens, system: System) -> Iterator[str]:
    """Return why it could not be determined whether a rule is for this PC."""
    platforms = rule.values("Platform")
    if platforms and (system.windows is None or _platform_versions(platforms) is None):
        yield f"it is only for some versions of Windows ({', '.join(platforms)})"
    skip = rule.value("SkipVer")
    if skip and (system.firewall is None or _skip_version(skip) is None):
        yield f"firewalls up to version {skip} ignore it"


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
