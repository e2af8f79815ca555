# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rules and settings of three stores, and what they come to together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.store import (
    Firewall,
    Store,
    read,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Registry
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    GROUP_POLICY,
    LOCAL,
    pc,
    rule,
)


def firewall(**arguments: Any) -> Firewall:
    return read(pc(**arguments).registry)


def test_windows_defaults() -> None:
    found = firewall(profiles={"DomainProfile": {"EnableFirewall": 1}})
    for settings in found.profiles.values():
        assert settings.enabled
        assert not settings.block_all_inbound
        assert settings.inbound_block
        assert not settings.outbound_block
        assert settings.merge_local
        assert not settings.no_multicast_answers
    assert (
        found.profiles["domain"].inbound_block.source
        == "DefaultInboundAction = 1, the default of Windows"
    )
    assert found.unreadable == ()


def test_the_local_standard_profile_is_private() -> None:
    found = firewall(profiles={"StandardProfile": {"DefaultOutboundAction": 1}})
    assert [
        bool(found.profiles[name].outbound_block) for name in ("domain", "private", "public")
    ] == [False, True, False]


def test_group_policy_over_mdm_over_local() -> None:
    key = "PublicProfile"
    local = {key: {"EnableFirewall": 0, "DefaultInboundAction": 0, "DefaultOutboundAction": 1}}
    mdm = {key: {"EnableFirewall": 1, "DefaultInboundAction": 1}}
    found = firewall(
        profiles=local, mdm_profiles=mdm, group_policy_profiles={key: {"EnableFirewall": 0}}
    ).profiles["public"]
    assert (found.enabled.value, found.enabled.store) == (0, Store.GROUP_POLICY)
    assert (found.inbound_block.value, found.inbound_block.store) == (1, Store.MDM)
    assert (found.outbound_block.value, found.outbound_block.store) == (1, Store.LOCAL)
    assert (
        found.enabled.source
        == f"EnableFirewall = 0 in {GROUP_POLICY}\\PublicProfile (Group Policy)"
    )


def test_only_a_policy_can_have_local_rules_ignored() -> None:
    off = {"PublicProfile": {"AllowLocalPolicyMerge": 0}}
    assert firewall(profiles=off).profiles["public"].merge_local
    for policy in ("group_policy_profiles", "mdm_profiles"):
        found = firewall(**{policy: off}, profiles={"PublicProfile": {"AllowLocalPolicyMerge": 1}})
        assert not found.profiles["public"].merge_local
        assert found.profiles["private"].merge_local


@pytest.mark.parametrize(
    ("local", "policy", "on"), [(1, 0, True), (0, 1, True), (0, 0, False), (1, 1, True)]
)
def test_of_block_all_any_on_wins(local: int, policy: int, on: bool) -> None:
    name = "DoNotAllowExceptions"
    found = firewall(
        profiles={"DomainProfile": {name: local}},
        group_policy_profiles={"DomainProfile": {name: policy}},
    )
    assert bool(found.profiles["domain"].block_all_inbound) is on


def test_standard_profile_stands_in_for_private_and_public() -> None:
    policy = {
        "StandardProfile": {
            "EnableFirewall": 0,
            "AllowLocalPolicyMerge": 0,
            "DefaultInboundAction": 0,
        }
    }
    found = firewall(group_policy_profiles=policy)
    assert [bool(found.profiles[name].enabled) for name in ("domain", "private", "public")] == [
        True,
        False,
        False,
    ]
    assert found.profiles["private"].merge_local
    assert found.profiles["private"].inbound_block


@pytest.mark.parametrize("other", ["PrivateProfile", "PublicProfile"])
def test_standard_profile_does_not_count_beside_either(other: str) -> None:
    found = firewall(group_policy_profiles={"StandardProfile": {"EnableFirewall": 0}, other: {}})
    assert all(settings.enabled for settings in found.profiles.values())


@pytest.mark.parametrize("key", ["StandardProfile", "PrivateProfile"])
def test_mdm_s_private_profile_under_either_name(key: str) -> None:
    found = firewall(mdm_profiles={key: {"DefaultOutboundAction": 1}})
    assert found.profiles["private"].outbound_block.store is Store.MDM
    assert not found.profiles["public"].outbound_block


def test_rules_of_all_stores() -> None:
    found = firewall(
        rules={"a": rule()}, group_policy={"a": rule(Action="Block")}, mdm={"b": rule()}
    )
    assert [(stored.rule.id, stored.store) for stored in found.rules] == [
        ("a", Store.GROUP_POLICY),
        ("b", Store.MDM),
        ("a", Store.LOCAL),
    ]
    assert found.version == 0x021E


def test_what_is_no_rule_is_named_and_the_others_are_read() -> None:
    keys = {
        f"{LOCAL}\\FirewallRules": {
            "state": "present",
            "values": {
                "good": ["REG_SZ", rule()],
                "bad": ["REG_SZ", "v2.30|Action=Maybe|Dir=In|"],
                "odd": ["REG_DWORD", 1],
            },
        }
    }
    found = firewall(rules={}, keys=keys)
    assert [stored.rule.id for stored in found.rules] == ["good"]
    assert [item.problem for item in found.malformed] == [
        "firewall rule 'bad': token Action has the value 'Maybe'; known are allow, block, bypass",
        "firewall rule 'odd': it is a REG_DWORD, not a REG_SZ",
    ]


def test_a_value_of_the_wrong_type_is_not_taken_for_a_setting() -> None:
    assert firewall(profiles={"DomainProfile": {"EnableFirewall": "0"}}).profiles["domain"].enabled


@pytest.mark.parametrize(
    "path", [f"{LOCAL}\\FirewallRules", LOCAL, GROUP_POLICY, f"{LOCAL}\\PublicProfile"]
)
def test_what_could_not_be_read_is_not_missing(path: str) -> None:
    found = firewall(
        rules={},
        keys={path: {"state": "unreadable", "error": "Requested registry access is not allowed."}},
    )
    assert any(line.startswith(f"{path}: Requested registry access") for line in found.unreadable)


def test_a_reply_without_the_keys_is_unreadable() -> None:
    unreadable = read(Registry({})).unreadable
    assert f"{LOCAL}\\FirewallRules: the PC's reply does not contain this key" in unreadable
    assert not any(line.startswith("HKLM:") for line in unreadable)


def test_disabled_interfaces() -> None:
    found = firewall(group_policy_profiles={"DomainProfile": {"DisabledInterfaces": "{A}, {B}"}})
    assert found.profiles["domain"].disabled_interfaces == ("{A}", "{B}")
    assert found.profiles["public"].disabled_interfaces == ()
