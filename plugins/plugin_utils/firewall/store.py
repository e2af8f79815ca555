# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's rules and profile settings in a snapshot: local, Group Policy and MDM.

Keys, values and the fallback to StandardProfile: MS-GPFAS 2.2.2 and 2.2.3. How the stores are
merged, and the default of each setting: MS-FASP 2.2.38 and Microsoft's Firewall CSP. The rules of
MDM have the same format (Microsoft, "Trace and troubleshoot Intune endpoint security firewall
rule creation"), and its profiles are beside them.
"""

from __future__ import annotations

import ntpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from ...module_utils.names import fold
from .. import operations
from ..formats.firewall_connection import ConnectionRule
from ..formats.firewall_rule import PROFILES, Rule, RuleError
from ..operations import FIREWALL_POLICY, LOCAL_RULES
from ..policy.variables import Policy
from ..snapshot import NOT_READ, Key, Registry, State
from .accounts import HIDDEN_USERS
from .old_policies import OldException, old_exceptions

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
        "AllowLocalIPsecPolicyMerge",
    }
)
"""Values that Windows ignores in a policy's StandardProfile (MS-GPFAS 2.2.3.13, .15 to .17)."""
ONLY_BY_POLICY = frozenset({"AllowLocalPolicyMerge", "AllowLocalIPsecPolicyMerge"})
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
CONNECTION_RULE_KEYS = {
    Store.GROUP_POLICY: GROUP_POLICY + r"\ConSecRules",
    Store.MDM: MDM_POLICY + r"\ConSecRules",
    Store.LOCAL: FIREWALL_POLICY + r"\ConSecRules",
}
MDM_CONFLICT = r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\ControlPolicyConflict"
MDM_WINS = "MDMWinsOverGP"
"""Policy CSP, ControlPolicyConflict. Reports disagree whether it counts for the firewall."""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and the store that it comes from.

    overridden: a stronger store has a rule with the same id, and of rules with one id Windows uses
    the administrator's (New-NetFirewallRule, parameter Name).
    """

    rule: Rule
    store: Store
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class StoredConnectionRule:
    """A connection security rule and the store that it comes from."""

    rule: ConnectionRule
    store: Store


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
    """The effective settings of one profile.

    block_all_inbound: no rule counts. merge_local: local firewall rules count; merge_local_ipsec:
    local connection security rules do.
    """

    enabled: Setting
    block_all_inbound: Setting
    inbound_block: Setting
    outbound_block: Setting
    merge_local: Setting
    merge_local_ipsec: Setting
    no_multicast_answers: Setting
    disabled_interfaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Firewall:
    """The configuration of Windows Defender Firewall.

    version is the store's PolicyVersion (0x02MM), None without one or where it lags behind the
    rules. mdm_first has the settings of profiles in which Group Policy and MDM conflict, and which
    of them Windows uses could not be determined: as they are where MDM is the stronger one.
    unreadable says which keys could not be read, and why.
    """

    rules: tuple[StoredRule, ...]
    malformed: tuple[Malformed, ...]
    profiles: dict[str, ProfileSettings]
    version: int | None
    unreadable: tuple[str, ...]
    connection_rules: tuple[StoredConnectionRule, ...] = ()
    mdm_first: Mapping[str, ProfileSettings] = field(default_factory=dict)
    exceptions: tuple[OldException, ...] = ()

    def local(self, rule_id: str) -> Rule | Malformed | None:
        """Return the local rule with this id."""
        return self._local.get(fold(rule_id))

    def overriding(self, rule_id: str) -> StoredRule | None:
        """Return the policy rule that overrides a local rule with this id."""
        return self._by_policy.get(fold(rule_id))

    @property
    def local_rules(self) -> list[Rule]:
        """The rules of the local store."""
        return [stored.rule for stored in self.rules if stored.store is Store.LOCAL]

    @cached_property
    def _by_policy(self) -> dict[str, StoredRule]:
        rules = {}
        for stored in self.rules:
            if stored.store is not Store.LOCAL and not stored.overridden:
                rules[fold(stored.rule.id)] = stored
        return rules

    @cached_property
    def _local(self) -> dict[str, Rule | Malformed]:
        items: dict[str, Rule | Malformed] = {}
        for malformed in self.malformed:
            if malformed.store is Store.LOCAL:
                items[fold(malformed.id)] = malformed
        for rule in self.local_rules:
            items[fold(rule.id)] = rule
        return items


def request(policy: Policy) -> dict[str, list[Any]]:
    """Return what has to be read: the trees of all stores, and the programs' files."""
    files = []
    for folder in policy.paths:
        files += [ntpath.join(folder, program) for program in policy.programs]
    return {
        "registry": [
            {"path": FIREWALL_POLICY, "depth": 1},
            {"path": MDM_POLICY, "depth": 3},
            {"path": GROUP_POLICY, "depth": 3},
            {"path": MDM_CONFLICT, "depth": 0},
            {"path": HIDDEN_USERS, "depth": 0},
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
        stronger_ids = {fold(stored.rule.id) for stored in rules}
        for item in reader.rules(store, path):
            if isinstance(item, Malformed):
                malformed.append(item)
            else:
                rules.append(StoredRule(item, store, fold(item.id) in stronger_ids))
    connection_rules = []
    for store, path in CONNECTION_RULE_KEYS.items():
        for connection in reader.connection_rules(store, path):
            if isinstance(connection, Malformed):
                malformed.append(connection)
            else:
                connection_rules.append(StoredConnectionRule(connection, store))
    profiles = {profile: reader.profile(profile) for profile in PROFILES}
    return Firewall(
        tuple(rules),
        tuple(malformed),
        profiles,
        _current_version(reader.version(), rules),
        tuple(reader.unreadable),
        tuple(connection_rules),
        reader.mdm_first(profiles),
        tuple(reader.exceptions()),
    )


def _current_version(version: int | None, rules: Sequence[StoredRule]) -> int | None:
    """Return the firewall's version; None where local rules are newer than the store says.

    PolicyVersion does not bound the versions of rules: hardening files write 0x120, for example.
    """
    newest = 0
    for stored in rules:
        if stored.store is Store.LOCAL:
            newest = max(newest, stored.rule.version)
    if version is None or version < newest:
        return None
    return version


def _mdm_profile_keys(profile: str) -> list[str]:
    """Return the keys that may hold a profile's settings of MDM."""
    keys = dict.fromkeys((LOCAL_PROFILES[profile], POLICY_PROFILES[profile]))
    return [f"{MDM_POLICY}\\{key}" for key in keys]


class _Reader:
    """Reads keys, and remembers those that it could not read."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.unreadable: dict[str, None] = {}
        self._first = Store.GROUP_POLICY
        """The stronger one of the two policies."""
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
        subkeys = {fold(subkey) for subkey in above.subkeys}
        if above.state is State.MISSING or fold(name) not in subkeys:
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

    def connection_rules(self, store: Store, path: str) -> Iterator[ConnectionRule | Malformed]:
        """Return the connection security rules of a store."""
        for rule_id, value in self.key(path).values.items():
            text = value.data if isinstance(value.data, str) else ""
            try:
                yield ConnectionRule.parse(rule_id, text)
            except RuleError as error:
                problem = str(error).replace("firewall rule", "connection security rule", 1)
                yield Malformed(rule_id, store, text, problem)

    def mdm_first(self, profiles: Mapping[str, ProfileSettings]) -> dict[str, ProfileSettings]:
        """Return the settings that would differ where MDM is stronger than Group Policy."""
        wins = self.key(MDM_CONFLICT).values.get(MDM_WINS)
        if wins is None or wins.data != 1:
            return {}
        self._first = Store.MDM
        different = {}
        for profile, settings in profiles.items():
            mdm_settings = self.profile(profile)
            if mdm_settings != settings:
                different[profile] = mdm_settings
        self._first = Store.GROUP_POLICY
        return different

    def exceptions(self) -> Iterator[OldException]:
        """Return the program and port exceptions of old policies, by profile.

        MDM has their switches too (Firewall CSP, AuthAppsAllowUserPrefMerge).
        """
        for profile in PROFILES:
            folder = "DomainProfile" if profile == "domain" else STANDARD
            folders = [f"{GROUP_POLICY}\\{folder}", *_mdm_profile_keys(profile)]
            for key, kind in (("AuthorizedApplications", "path"), ("GloballyOpenPorts", "port")):
                for folder in folders:
                    path = f"{folder}\\{key}"
                    yield from old_exceptions(
                        self.key(path), self.key(path + r"\List"), profile, kind, path
                    )

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
            merge_local_ipsec=self._setting(profile, "AllowLocalIPsecPolicyMerge", 1),
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
        group_policy = []
        if profile not in self._standard:
            group_policy = [f"{GROUP_POLICY}\\{POLICY_PROFILES[profile]}"]
        elif name not in NOT_IN_STANDARD:
            group_policy = [f"{GROUP_POLICY}\\{STANDARD}"]
        keys = {Store.GROUP_POLICY: group_policy, Store.MDM: _mdm_profile_keys(profile)}
        for store in sorted(keys, key=self._is_second):
            for path in keys[store]:
                yield store, path
        if name not in ONLY_BY_POLICY:
            yield Store.LOCAL, f"{FIREWALL_POLICY}\\{LOCAL_PROFILES[profile]}"

    def _is_second(self, store: Store) -> bool:
        return store is not self._first

    def _interfaces(self, profile: str) -> tuple[str, ...]:
        for _store, path in self._setting_keys(profile, "DisabledInterfaces"):
            value = self.key(path).values.get("DisabledInterfaces")
            if value is not None and isinstance(value.data, str):
                interfaces = [interface.strip() for interface in value.data.split(",")]
                return tuple(filter(None, interfaces))
        return ()
