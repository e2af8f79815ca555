# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The rules that this collection makes: what they have to be, whether they are, and what would make them so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..finding import Change
from ..formats.firewall_address import KEYWORDS, show_span
from ..formats.firewall_rule import PROFILES, Direction, Matched, Rule, compose
from ..operations import FirewallRule, RemoveFirewallRule, SetFirewallRule
from ..policy.variables import Policy
from .paths import Paths
from .region import merged
from .store import Firewall, Malformed, Store

GROUP = "KNX ETS6"
DESCRIPTION = "Made by the Ansible collection ets6.network. Changes by hand do not last."

# What ends in -new is made while a rule is replaced, and left where that was broken off.
_ID = re.compile(r"ETS6-(?P<program>.+)-(?P<protocol>TCP|UDP)-(?P<direction>In|Out)(?:-\d+)?(?:-new)?", re.IGNORECASE)
_OWN_TOKENS = frozenset(
    {"action", "active", "dir", "protocol", "profile", "app", "name", "desc", "embedctxt", "ra4", "ra6", "ra42", "ra62"}
)


def wanted(program: str, path: str, number: int, protocol: str, direction: Direction, policy: Policy) -> FirewallRule:
    """Return the rule for a program at a place; the places are numbered from 1.

    The remote addresses that a user gives are those of KNX devices: they do not keep ETS6 from sending to the vendor's servers.
    """
    suffix = f"-{number}" if number > 1 else ""
    way = direction.value
    stem = program[: -len(".exe")].upper()
    return FirewallRule(
        id=f"ETS6-{stem}-{protocol}-{way}{suffix}",
        display_name=f"KNX ETS6: {program} ({protocol}-{way}{suffix})",
        description=DESCRIPTION,
        group=GROUP,
        program=path,
        direction="Inbound" if direction is Direction.IN else "Outbound",
        protocol=protocol,
        profiles=tuple(profile.capitalize() for profile in PROFILES if profile in policy.profiles),
        remote_addresses=policy.remote_addresses if direction is Direction.IN else (),
    )


def as_rule(rule: FirewallRule) -> Rule:
    """Return a wanted rule as Windows would hold it."""
    return Rule.parse(rule.id, compose(rule, None))


def is_own(rule: Rule) -> bool:
    """Tell whether this collection made a rule: its id is one of ours, and so is its group."""
    return rule.group.lower() == GROUP.lower() and _ID.fullmatch(rule.id) is not None


def is_for(rule_id: str, program: str, protocol: str, direction: Direction) -> bool:
    """Tell whether an own rule's id says that it is for this program, protocol and direction."""
    match = _ID.fullmatch(rule_id)
    return match is not None and (match["program"].upper(), match["protocol"].upper(), match["direction"].lower()) == (
        program[: -len(".exe")].upper(),
        protocol,
        direction.value.lower(),
    )


def is_copy(rule: Rule, own: FirewallRule, paths: Paths) -> bool:
    """Tell whether a rule is of our group and means just what an own rule means: a copy, which nobody would miss."""
    if rule.group.lower() != GROUP.lower() or _ID.fullmatch(rule.id):
        return False
    ours, other = fields(as_rule(own)), fields(rule)
    cosmetic = ("display name", "description", "group", "program")
    return paths.same(rule.app, own.program) and all(ours[key] == other[key] for key in ours if key not in cosmetic)


def fields(rule: Rule) -> dict[str, Any]:
    """Return a rule field by field, as an administrator thinks of it."""
    return {
        "display name": rule.first("Name"),
        "description": rule.first("Desc"),
        "group": rule.group,
        "enabled": rule.active,
        "action": rule.action.value,
        "direction": "Inbound" if rule.direction is Direction.IN else "Outbound",
        "program": rule.app or "Any",
        "protocol": {None: "Any", 6: "TCP", 17: "UDP"}.get(rule.protocol, str(rule.protocol)),
        "profiles": [profile.capitalize() for profile in PROFILES if profile in rule.profiles],
        "remote addresses": _addresses(rule.remote_addresses),
        "other conditions": [f"{name}={value}" for name, value in rule.tokens if name.lower() not in _OWN_TOKENS],
    }


def _addresses(matched: Matched) -> list[str]:
    """Return remote addresses in New-NetFirewallRule's words, in one order."""
    if not matched:
        return ["Any"]
    left = [(family, word.lower()) for family, word in matched.words]
    shown = [show_span(part) for part in merged(matched.spans)]
    for word, (v4, v6, written) in KEYWORDS.items():
        members = [(family, written.lower()) for family, token in (("IPv4", v4), ("IPv6", v6)) if token]
        if all(member in left for member in members):
            shown.append(word)
            left = [member for member in left if member not in members]
    return sorted([*shown, *(f"{word} ({family})" for family, word in left)])


NO_FIELDS: Mapping[str, None] = dict.fromkeys(fields(Rule.parse("", "v2.10|Action=Allow|Dir=In|")))
"""What is not there has every field, and none has a value."""


def drift(own: FirewallRule, firewall: Firewall, paths: Paths) -> Change | None:
    """Return what makes an own rule right, None where it is."""
    target = fields(as_rule(own))
    found = firewall.local(own.id)
    subject = f"firewall rule {own.id}"
    operations = [SetFirewallRule(own)]
    if found is None:
        return Change(subject, NO_FIELDS, target, operations)
    if isinstance(found, Malformed):
        return Change(subject, {**NO_FIELDS, "other conditions": [found.text]}, target, operations)
    now = fields(found)
    if paths.same(found.app, own.program):
        now["program"] = own.program
    if now == target:
        return None
    return Change(subject, now, target, operations)


def removal(rule: Rule) -> Change:
    """Return what takes a local rule away: by its id, since names are not unique."""
    return Change(f"firewall rule {rule.id}", fields(rule), NO_FIELDS, [RemoveFirewallRule(rule.id)])


def local_rules(firewall: Firewall) -> list[Rule]:
    """Return the rules of the local store."""
    return [stored.rule for stored in firewall.rules if stored.store is Store.LOCAL]
