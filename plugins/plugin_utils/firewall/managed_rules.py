# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The managed rules: those that this collection makes.

What they are, whether those on the PC are right, and what would make them right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...module_utils.names import fold
from ..finding import Change
from ..formats.firewall_address import KEYWORDS, show_span
from ..formats.firewall_rule import PROFILES, Direction, Restriction, Rule, compose
from ..operations import FirewallRule, RemoveFirewallRule, SetFirewallRule
from ..policy.variables import Policy
from .paths import Paths
from .store import Firewall, Malformed
from .traffic_set import merge_spans

GROUP = "KNX ETS6"
DESCRIPTION = "Made by the Ansible collection ets6.network. Changes by hand do not last."

# A rule whose id ends in -new exists while a rule is replaced, and after a replacement that failed.
_ID = re.compile(
    r"ETS6-(?P<program>.+)-(?P<protocol>TCP|UDP)-(?P<direction>In|Out)(?:-\d+)?(?:-new)?",
    re.IGNORECASE | re.ASCII,
)
_TOKENS = frozenset({
    "action", "active", "dir", "protocol", "profile", "app", "name", "desc", "embedctxt",
    "ra4", "ra6", "ra42", "ra62",
})  # fmt: skip
"""The tokens of a managed rule, in lower case."""
_COSMETIC_FIELDS = frozenset({"display name", "description", "group", "program"})
_PROTOCOL_NAMES = {None: "Any", 6: "TCP", 17: "UDP"}


def managed_rule(
    program: str, path: str, number: int, protocol: str, direction: Direction, policy: Policy
) -> FirewallRule:
    """Return the managed rule for a program at a path. The paths are numbered from 1.

    The remote addresses of the policy are those of KNX devices, so they do not restrict what ETS6
    sends to the vendor's servers.
    """
    suffix = f"-{number}" if number > 1 else ""
    remote_addresses: tuple[str, ...] = ()
    if direction is Direction.IN:
        remote_addresses = policy.remote_addresses
    return FirewallRule(
        id=f"ETS6-{_stem(program)}-{protocol}-{direction.value}{suffix}",
        display_name=f"KNX ETS6: {program} ({protocol}-{direction.value}{suffix})",
        description=DESCRIPTION,
        group=GROUP,
        program=path,
        direction=_direction_name(direction),
        protocol=protocol,
        profiles=tuple(profile.capitalize() for profile in PROFILES if profile in policy.profiles),
        remote_addresses=remote_addresses,
    )


def _stem(program: str) -> str:
    """Return how a program stands in the ids of its rules."""
    return program[: -len(".exe")].upper()


def _direction_name(direction: Direction) -> str:
    return "Inbound" if direction is Direction.IN else "Outbound"


def as_rule(managed: FirewallRule) -> Rule:
    """Return a managed rule as Windows would store it."""
    return Rule.parse(managed.id, compose(managed, None))


def is_managed(rule: Rule) -> bool:
    """Return whether this collection made a rule: id and group are those of a managed rule."""
    return _ID.fullmatch(rule.id) is not None and is_in_group(rule)


def is_in_group(rule: Rule) -> bool:
    """Return whether a rule is in the group of the managed rules."""
    return fold(rule.group) == fold(GROUP)


def is_for(rule_id: str, program: str, protocol: str, direction: Direction) -> bool:
    """Return whether an id is that of a managed rule for this program, protocol and direction."""
    match = _ID.fullmatch(rule_id)
    if match is None:
        return False
    parts = (match["program"], match["protocol"], match["direction"])
    wanted = (_stem(program), protocol, direction.value)
    return tuple(map(fold, parts)) == tuple(map(fold, wanted))


def is_copy(rule: Rule, managed: FirewallRule, paths: Paths) -> bool:
    """Return whether a rule is in our group and means exactly what a managed rule means."""
    if _ID.fullmatch(rule.id) or not is_in_group(rule):
        return False
    if not paths.same(rule.app, managed.program):
        return False
    return _meaning(rule) == _meaning(as_rule(managed))


def _meaning(rule: Rule) -> dict[str, Any]:
    """Return the fields of a rule that decide about traffic, without its program."""
    return {name: value for name, value in fields(rule).items() if name not in _COSMETIC_FIELDS}


def fields(rule: Rule) -> dict[str, Any]:
    """Return a rule field by field, as an administrator knows it."""
    other_conditions = []
    for name, value in rule.tokens:
        if name.lower() not in _TOKENS:
            other_conditions.append(f"{name}={value}")
    return {
        "display name": rule.value("Name"),
        "description": rule.value("Desc"),
        "group": rule.group,
        "enabled": rule.active,
        "action": rule.action.value,
        "direction": _direction_name(rule.direction),
        "program": rule.app or "Any",
        "protocol": _PROTOCOL_NAMES.get(rule.protocol, str(rule.protocol)),
        "profiles": [profile.capitalize() for profile in PROFILES if profile in rule.profiles],
        "remote addresses": _addresses(rule.remote_addresses),
        "other conditions": other_conditions,
    }


def _addresses(addresses: Restriction) -> list[str]:
    """Return remote addresses in the words of New-NetFirewallRule, sorted."""
    if not addresses:
        return ["Any"]
    texts = [show_span(addresses_span) for addresses_span in merge_spans(addresses.spans)]
    rest = {(family, word.lower()) for family, word in addresses.words}
    for word, (v4, v6, written) in KEYWORDS.items():
        members = set()
        if v4:
            members.add(("IPv4", written.lower()))
        if v6:
            members.add(("IPv6", written.lower()))
        if members <= rest:
            texts.append(word)
            rest -= members
    texts += [f"{word} ({family})" for family, word in rest]
    return sorted(texts)


NO_FIELDS: Mapping[str, None] = dict.fromkeys(fields(Rule.parse("", "v2.10|Action=Allow|Dir=In|")))
"""The fields of a rule that does not exist: each is None."""


def drift(managed: FirewallRule, firewall: Firewall, paths: Paths) -> Change | None:
    """Return the change that makes a managed rule right, None where it is."""
    after = fields(as_rule(managed))
    before: dict[str, Any] = dict(NO_FIELDS)
    current = firewall.local(managed.id)
    if isinstance(current, Malformed):
        before["other conditions"] = [current.text]
    elif current is not None:
        before = fields(current)
        if paths.same(current.app, managed.program):
            before["program"] = managed.program
    if before == after:
        return None
    return Change(f"firewall rule {managed.id}", before, after, [SetFirewallRule(managed)])


def removal(rule: Rule) -> Change:
    """Return the change that removes a local rule: by its id, since names are not unique."""
    return Change(
        f"firewall rule {rule.id}", fields(rule), NO_FIELDS, [RemoveFirewallRule(rule.id)]
    )
