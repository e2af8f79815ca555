# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's rules and profile settings in a snapshot: local, Group Policy and MDM, and what they come to together.

Keys, values and the fallback to StandardProfile: MS-GPFAS 2.2.2 and 2.2.3. How the stores are merged, and the default of each
setting: MS-FASP 2.2.38 and Microsoft's Firewall CSP. That MDM's profiles stand beside its rules, under either of
their names, is inferred, not published.
"""

from __future__ import annotations

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
POLICY_PROFILES = {"domain": "DomainProfile", "private": "PrivateProfile", "public": "PublicProfile"}
STANDARD = "StandardProfile"
NOT_IN_STANDARD = frozenset({"AllowLocalPolicyMerge", "DefaultInboundAction", "DefaultOutboundAction", "DisabledInterfaces"})
"""Values that a policy's StandardProfile must not have (MS-GPFAS 2.2.3.13, .15, .16, .17): Windows ignores them there."""
ONLY_BY_POLICY = frozenset({"AllowLocalPolicyMerge"})
"""Values that do nothing among the local settings: "the merge law is to always use the value of the GroupPolicyRSoPStore" (Firewall CSP)."""


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

    overridden: a stronger store has a rule with the same id, and of rules with one id Windows keeps one (New-NetFirewallRule,
    parameter Name): the administrator's.
    """

    rule: Rule
    store: Store
    overridden: bool = False


@dataclass(frozen=True)
class Malformed:
    """A value that is no rule. problem names the rule's id and the token."""

    id: str
    store: Store
    text: str
    problem: str


@dataclass(frozen=True)
class Setting:
    """One effective profile setting. source says in words where it comes from; store is None for Windows' own default."""

    value: int
    store: Store | None
    source: str

    def __bool__(self) -> bool:
        """Tell whether the setting is on (for actions: block)."""
        return self.value != 0

    @property
    def by_policy(self) -> bool:
        """Tell whether an administrator's policy decides, so that a local change would do nothing."""
        return self.store in (Store.GROUP_POLICY, Store.MDM)


@dataclass(frozen=True)
class ProfileSettings:
    """The effective settings of one profile."""

    enabled: Setting
    shielded: Setting
    inbound_block: Setting
    outbound_block: Setting
    merge_local: Setting
    no_multicast_answers: Setting
    disabled_interfaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Firewall:
    """Everything that Windows Defender Firewall is set to.

    version is the store's PolicyVersion (0x02MM), None where it has none. unreadable says which keys could not be read, and why.
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
        """Return the policy rule that a local rule with this id gives way to."""
        return self._by_policy.get(rule_id.lower())

    @cached_property
    def _by_policy(self) -> dict[str, StoredRule]:
        return {
            stored.rule.id.lower(): stored for stored in self.rules if stored.store is not Store.LOCAL and not stored.overridden
        }

    @cached_property
    def _local(self) -> dict[str, Rule | Malformed]:
        found: dict[str, Rule | Malformed] = {item.id.lower(): item for item in self.malformed if item.store is Store.LOCAL}
        found.update((stored.rule.id.lower(), stored.rule) for stored in self.rules if stored.store is Store.LOCAL)
        return found


def request(policy: Policy) -> dict[str, list[Any]]:
    """Return what has to be read: both policies' trees, the local one's rules and profiles, and the programs' files."""
    return {
        "registry": [
            {"path": FIREWALL_POLICY, "depth": 1},
            {"path": MDM_POLICY, "depth": 1},
            {"path": GROUP_POLICY, "depth": 1},
        ],
        "files": [f"{folder.rstrip(chr(92))}\\{program}" for folder in policy.paths for program in policy.programs],
        "named_files": list(policy.programs),
    }


def read(registry: Registry) -> Firewall:
    """Read the firewall of a snapshot. What cannot be read is named in it, never left out."""
    reader = _Reader(registry)
    rules: list[StoredRule] = []
    malformed: list[Malformed] = []
    taken: set[str] = set()
    for store, path in RULE_KEYS.items():
        found = list(reader.rules(store, path))
        malformed += [item for item in found if isinstance(item, Malformed)]
        of_store = [StoredRule(item, store, item.id.lower() in taken) for item in found if isinstance(item, Rule)]
        rules += of_store
        taken |= {stored.rule.id.lower() for stored in of_store}
    profiles = {profile: reader.profile(profile) for profile in PROFILES}
    version = reader.key(FIREWALL_POLICY).values.get("PolicyVersion")
    return Firewall(
        tuple(rules),
        tuple(malformed),
        profiles,
        version.data if version is not None and isinstance(version.data, int) else None,
        tuple(reader.unreadable),
    )


class _Reader:
    """Reads keys, and remembers those that it could not read."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.unreadable: dict[str, None] = {}
        fallback = not any(
            self.key(f"{GROUP_POLICY}\\{POLICY_PROFILES[name]}").state is State.PRESENT for name in ("private", "public")
        )
        self._standard = {"private", "public"} if fallback else set()

    def key(self, path: str) -> Key:
        """Return a key, and remember it, or the one above it that stood in the way, where it could not be read."""
        key, where = self._look(path)
        if key.state is State.UNREADABLE:
            self.unreadable[f"{where}: {key.error or 'it could not be read'}"] = None
        return key

    def _look(self, path: str) -> tuple[Key, str]:
        """Return a key and its path. A tree that was read lists its subkeys: one that it does not list is missing, not unread."""
        key = self._registry.key(path)
        parent, backslash, name = path.rpartition("\\")
        if key is NOT_READ and backslash:
            above, where = self._look(parent)
            listed = name.lower() in (item.lower() for item in above.subkeys)
            if above.state is State.MISSING or (above.state is State.PRESENT and not listed):
                return Key(State.MISSING), path
            if above is not NOT_READ and above.state is State.UNREADABLE:
                return above, where
        return key, path

    def rules(self, store: Store, path: str) -> Iterator[Rule | Malformed]:
        """Return a store's rules, and what should be rules but cannot be read as such."""
        for rule_id, value in self.key(path).values.items():
            if not isinstance(value.data, str):
                yield Malformed(rule_id, store, "", f"firewall rule {rule_id!r}: it is a {value.type}, not a REG_SZ")
                continue
            try:
                yield Rule.parse(rule_id, value.data)
            except RuleError as error:
                yield Malformed(rule_id, store, value.data, str(error))

    def profile(self, profile: str) -> ProfileSettings:
        """Return what is set for a profile. Group Policy wins over MDM, MDM over local; of DoNotAllowExceptions any 1 wins."""
        return ProfileSettings(
            enabled=self._setting(profile, "EnableFirewall", 1),
            shielded=self._setting(profile, "DoNotAllowExceptions", 0, any_on=True),
            inbound_block=self._setting(profile, "DefaultInboundAction", 1),
            outbound_block=self._setting(profile, "DefaultOutboundAction", 0),
            merge_local=self._setting(profile, "AllowLocalPolicyMerge", 1),
            no_multicast_answers=self._setting(profile, "DisableUnicastResponsesToMulticastBroadcast", 0),
            disabled_interfaces=self._interfaces(profile),
        )

    def _places(self, profile: str, name: str) -> Iterator[tuple[Store, str]]:
        """Return the keys that may set a value, the strongest first."""
        if profile not in self._standard:
            yield Store.GROUP_POLICY, f"{GROUP_POLICY}\\{POLICY_PROFILES[profile]}"
        elif name not in NOT_IN_STANDARD:
            yield Store.GROUP_POLICY, f"{GROUP_POLICY}\\{STANDARD}"
        for key in dict.fromkeys((LOCAL_PROFILES[profile], POLICY_PROFILES[profile])):
            yield Store.MDM, f"{MDM_POLICY}\\{key}"
        if name not in ONLY_BY_POLICY:
            yield Store.LOCAL, f"{FIREWALL_POLICY}\\{LOCAL_PROFILES[profile]}"

    def _setting(self, profile: str, name: str, default: int, *, any_on: bool = False) -> Setting:
        found: list[Setting] = []
        for store, path in self._places(profile, name):
            value = self.key(path).values.get(name)
            if value is not None and isinstance(value.data, int):
                where = "local setting" if store is Store.LOCAL else store.value
                found.append(Setting(value.data, store, f"{name} = {value.data} in {path} ({where})"))
        if any_on:
            found.sort(key=lambda setting: not setting)
        return found[0] if found else Setting(default, None, f"{name} = {default}, Windows' default")

    def _interfaces(self, profile: str) -> tuple[str, ...]:
        for _store, path in self._places(profile, "DisabledInterfaces"):
            value = self.key(path).values.get("DisabledInterfaces")
            if value is not None and isinstance(value.data, str):
                return tuple(item.strip() for item in value.data.split(",") if item.strip())
        return ()
