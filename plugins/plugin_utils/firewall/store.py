# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's rules and profile settings in a snapshot: local, Group Policy and MDM.

Keys, values and the fallback to StandardProfile: MS-GPFAS 2.2.2 and 2.2.3. How the stores are
merged, and the default of each setting: MS-FASP 2.2.38 and Microsoft's Firewall CSP. That the
profiles of MDM are beside its rules, under either of their names, is inferred and not published.
"""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from .. import operations
from ..formats.firewall_rule import PROFILES, Rule, RuleError
from ..operations import FIREWALL_POLICY, LOCAL_RULES
from ..policy.variables import Policy
from ..snapshot import NOT_READ, Key, Registry, State

GROUP_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
MDM_POLICY = FIREWALL_POLICY + r"\Mdm"

LOCAL_PROFILES = {profile.lower(): key for profile, key in operations.LOCAL_PROFILES.items()}
POLICY_PROFILES = {
    "domain": "DomainProfile",
    "private": "PrivateProfile",
    "public": "PublicProfile",
}
STANDARD = "StandardProfile"
NOT_IN_STANDARD = frozenset(
    {
        "AllowLocalPolicyMerge",
        "DefaultInboundAction",
        "DefaultOutboundAction",
        "DisabledInterfaces",
    }
)
"""Values that Windows ignores in a policy's StandardProfile (MS-GPFAS 2.2.3.13, .15 to .17)."""
ONLY_BY_POLICY = frozenset({"AllowLocalPolicyMerge"})
"""Values that have no effect among the local settings.

Firewall CSP: "the merge law is to always use the value of the GroupPolicyRSoPStore".
"""


class Store(Enum):
    """Where a rule or a setting comes from, in an administrator's words."""

    GROUP_POLICY = "Group Policy"
    MDM = "MDM policy"
    LOCAL = "local rules"


RULE_KEYS = {  # the strongest first
    Store.GROUP_POLICY: GROUP_POLICY + r"\FirewallRules",
    Store.MDM: MDM_POLICY + r"\FirewallRules",
    Store.LOCAL: LOCAL_RULES,
}


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and the store that it comes from.

    overridden: a stronger store has a rule with the same id, and of rules with one id Windows uses
    the administrator's (New-NetFirewallRule, parameter Name).
    """

    rule: Rule
    store: Store
    overridden: bool = False


@dataclass(frozen=True)
class Malformed:
    """A value that is not a rule. problem names the rule's id and the token."""

    id: str
    store: Store
    text: str
    problem: str


@dataclass(frozen=True)
class Setting:
    """One effective setting of a profile.

    source says in words where it comes from; store is None for the default of Windows.
    """

    value: int
    store: Store | None
    source: str

    def __bool__(self) -> bool:
        """Return whether the setting is on (for actions: block)."""
        return self.value != 0

    @property
    def by_policy(self) -> bool:
        """Whether an administrator's policy sets it, so that a local change has no effect."""
        return self.store in (Store.GROUP_POLICY, Store.MDM)


@dataclass(frozen=True)
class ProfileSettings:
    """The effective settings of one profile."""

    enabled: Setting
    block_all_inbound: Setting
    inbound_block: Setting
    outbound_block: Setting
    merge_local: Setting
    no_multicast_answers: Setting
    disabled_interfaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Firewall:
    """The configuration of Windows Defender Firewall.

    version is the store's PolicyVersion (0x02MM), None without one. unreadable says which keys
    could not be read, and why.
    """

    rules: tuple[StoredRule, ...]
    malformed: tuple[Malformed, ...]
    profiles: dict[str, ProfileSettings]
    version: int | None
    unreadable: tuple[str, ...]

    def local(self, rule_id: str) -> Rule | Malformed | None:
        """Return the local rule with this id."""
        return self._local.get(rule_id.lower())

    def overriding(self, rule_id: str) -> StoredRule | None:
        """Return the policy rule that overrides a local rule with this id."""
        return self._by_policy.get(rule_id.lower())

    @property
    def local_rules(self) -> list[Rule]:
        """The rules of the local store."""
        return [stored.rule for stored in self.rules if stored.store is Store.LOCAL]

    @cached_property
    def _by_policy(self) -> dict[str, StoredRule]:
        rules = {}
        for stored in self.rules:
            if stored.store is not Store.LOCAL and not stored.overridden:
                rules[stored.rule.id.lower()] = stored
        return rules

    @cached_property
    def _local(self) -> dict[str, Rule | Malformed]:
        items: dict[str, Rule | Malformed] = {}
        for malformed in self.malformed:
            if malformed.store is Store.LOCAL:
                items[malformed.id.lower()] = malformed
        for rule in self.local_rules:
            items[rule.id.lower()] = rule
        return items


def request(policy: Policy) -> dict[str, list[Any]]:
    """Return what has to be read: the trees of all stores, and the programs' files."""
    files = []
    for folder in policy.paths:
        files += [ntpath.join(folder, program) for program in policy.programs]
    return {
        "registry": [
            {"path": FIREWALL_POLICY, "depth": 1},
            {"path": MDM_POLICY, "depth": 1},
            {"path": GROUP_POLICY, "depth": 1},
        ],
        "files": files,
        "named_files": list(policy.programs),
    }


def read(registry: Registry) -> Firewall:
    """Return the firewall of a snapshot. What could not be read is named in it."""
    reader = _Reader(registry)
    rules: list[StoredRule] = []
    malformed: list[Malformed] = []
    for store, path in RULE_KEYS.items():
        stronger_ids = {stored.rule.id.lower() for stored in rules}
        for item in reader.rules(store, path):
            if isinstance(item, Malformed):
                malformed.append(item)
            else:
                rules.append(StoredRule(item, store, item.id.lower() in stronger_ids))
    profiles = {profile: reader.profile(profile) for profile in PROFILES}
    return Firewall(
        tuple(rules), tuple(malformed), profiles, reader.version(), tuple(reader.unreadable)
    )


class _Reader:
    """Reads keys, and remembers those that it could not read."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.unreadable: dict[str, None] = {}
        self._standard: set[str] = set()
        """The profiles whose policy is that of StandardProfile."""
        if not self._has_policy("private") and not self._has_policy("public"):
            self._standard = {"private", "public"}

    def _has_policy(self, profile: str) -> bool:
        path = f"{GROUP_POLICY}\\{POLICY_PROFILES[profile]}"
        return self.key(path).state is State.PRESENT

    def key(self, path: str) -> Key:
        """Return a key. One that could not be read, or the key above it, is remembered."""
        key, unreadable_path = self._find(path)
        if key.state is State.UNREADABLE:
            problem = f"{unreadable_path}: {key.error or 'it could not be read'}"
            self.unreadable[problem] = None
        return key

    def _find(self, path: str) -> tuple[Key, str]:
        """Return a key and its path, or the unreadable key above it.

        A tree that was read lists its subkeys: one that it does not list is missing, not unread.
        """
        key = self._registry.key(path)
        above_path, backslash, name = path.rpartition("\\")
        if key is not NOT_READ or not backslash:
            return key, path
        above, found_path = self._find(above_path)
        if above is NOT_READ:
            return key, path
        if above.state is State.UNREADABLE:
            return above, found_path
        subkeys = {subkey.lower() for subkey in above.subkeys}
        if above.state is State.MISSING or name.lower() not in subkeys:
            return Key(State.MISSING), path
        return key, path

    def version(self) -> int | None:
        """Return the store's PolicyVersion."""
        value = self.key(FIREWALL_POLICY).values.get("PolicyVersion")
        if value is not None and isinstance(value.data, int):
            return value.data
        return None

    def rules(self, store: Store, path: str) -> Iterator[Rule | Malformed]:
        """Return the rules of a store, and the values that cannot be read as rules."""
        for rule_id, value in self.key(path).values.items():
            if not isinstance(value.data, str):
                problem = f"firewall rule {rule_id!r}: it is a {value.type}, not a REG_SZ"
                yield Malformed(rule_id, store, "", problem)
                continue
            try:
                yield Rule.parse(rule_id, value.data)
            except RuleError as error:
                yield Malformed(rule_id, store, value.data, str(error))

    def profile(self, profile: str) -> ProfileSettings:
        """Return the effective settings of a profile.

        Group Policy overrides MDM, and MDM the local settings. DoNotAllowExceptions is on where any
        of them sets it.
        """
        return ProfileSettings(
            enabled=self._setting(profile, "EnableFirewall", 1),
            block_all_inbound=self._block_all_inbound(profile),
            inbound_block=self._setting(profile, "DefaultInboundAction", 1),
            outbound_block=self._setting(profile, "DefaultOutboundAction", 0),
            merge_local=self._setting(profile, "AllowLocalPolicyMerge", 1),
            no_multicast_answers=self._setting(
                profile, "DisableUnicastResponsesToMulticastBroadcast", 0
            ),
            disabled_interfaces=self._interfaces(profile),
        )

    def _setting(self, profile: str, name: str, default: int) -> Setting:
        for setting in self._settings(profile, name):
            return setting
        return Setting(default, None, f"{name} = {default}, the default of Windows")

    def _block_all_inbound(self, profile: str) -> Setting:
        name = "DoNotAllowExceptions"
        for setting in self._settings(profile, name):
            if setting:
                return setting
        return self._setting(profile, name, 0)

    def _settings(self, profile: str, name: str) -> Iterator[Setting]:
        """Return what the stores set, the strongest first."""
        for store, path in self._setting_keys(profile, name):
            value = self.key(path).values.get(name)
            if value is None or not isinstance(value.data, int):
                continue
            origin = "local setting" if store is Store.LOCAL else store.value
            yield Setting(value.data, store, f"{name} = {value.data} in {path} ({origin})")

    def _setting_keys(self, profile: str, name: str) -> Iterator[tuple[Store, str]]:
        """Return the keys that may set a value, the strongest first."""
        if profile not in self._standard:
            yield Store.GROUP_POLICY, f"{GROUP_POLICY}\\{POLICY_PROFILES[profile]}"
        elif name not in NOT_IN_STANDARD:
            yield Store.GROUP_POLICY, f"{GROUP_POLICY}\\{STANDARD}"
        for key in dict.fromkeys((LOCAL_PROFILES[profile], POLICY_PROFILES[profile])):
            yield Store.MDM, f"{MDM_POLICY}\\{key}"
        if name not in ONLY_BY_POLICY:
            yield Store.LOCAL, f"{FIREWALL_POLICY}\\{LOCAL_PROFILES[profile]}"

    def _interfaces(self, profile: str) -> tuple[str, ...]:
        for _store, path in self._setting_keys(profile, "DisabledInterfaces"):
            value = self.key(path).values.get("DisabledInterfaces")
            if value is not None and isinstance(value.data, str):
                interfaces = [interface.strip() for interface in value.data.split(",")]
                return tuple(filter(None, interfaces))
        return ()
