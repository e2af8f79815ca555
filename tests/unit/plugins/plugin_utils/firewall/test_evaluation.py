# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Verdicts on the traffic of a program, and the words they come in."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    ENVIRONMENT,
    C,
    N,
    judge,
    pc,
    rule,
)

TCP = "firewall.inbound.ets6n.tcp"
UDP = "firewall.inbound.ets6n.udp"


def verdict(
    control: str = TCP,
    profile: str = "private",
    policy: dict[str, Any] | None = None,
    **arguments: Any,
) -> tuple[str, list[str]]:
    """Return the outcome in a profile, and the sentences of what decides."""
    finding = judge(pc(**arguments), **(policy or {}))[control]
    entry = next(item for item in finding.evidence["traffic"] if item["profile"] == profile)
    return entry["outcome"], [part["reason"] for part in entry["decided_by"]]


def test_nothing_set_blocks_what_comes_in_and_lets_out_what_goes() -> None:
    assert verdict(rules={}) == (
        "blocked",
        ["blocked by default: no rule decides (DefaultInboundAction = 1, the default of Windows)"],
    )
    assert verdict("firewall.outbound.ets6n.tcp", rules={})[0] == "allowed"


def test_an_allow_rule() -> None:
    assert verdict(rules={"a": rule()}) == ("allowed", ["allowed by rule 'test' (a, local rules)"])


@pytest.mark.parametrize(
    "tokens",
    [
        {"Active": "FALSE"},
        {"Active": None},
        {"Dir": "Out"},
        {"Protocol": "17"},
        {"Protocol": "1"},
        {"Profile": ["Domain", "Public"]},
        {"App": C},
        {"App": r"D:\ETS6\ETS6N.exe"},
        {"App": "System"},
        {"Svc": "*"},
        {"Svc": "ets"},
        {"AppPkgId": "S-1-15-2-1"},
        {"PFN": "Knx.Ets"},
        {"Platform": "2:11:0", "Platform2": "GTEQ"},
        {"Platform": ["2:6:1", "2:6:2"]},
        {"Platform": ["2:6:1", "2:11:0"], "Platform2": "GTEQ"},
        {"SkipVer": "2.30"},
        {"LPort": "445", "Protocol": "6"},
    ],
)
def test_a_rule_that_does_nothing_for_the_traffic(tokens: dict[str, Any]) -> None:
    assert verdict(rules={"a": rule(**tokens)})[0] == "blocked"


@pytest.mark.parametrize(
    "tokens",
    [
        {"Active": "true"},
        {"Dir": "IN"},
        {"Protocol": "6"},
        {"Profile": "private"},
        {"Profile": ["Domain", "Private"]},
        {"App": None},
        {"App": N.upper()},
        {"App": r"%ProgramFiles(x86)%\ETS6\ETS6N.exe"},
        {"App": f"{N} "},
        {"App": r"c:\progra~2\ets6\ets6n.exe"},
        {"Svc": ""},
        {"Platform": ["2:6:1", "2:6:2"], "Platform2": "GTEQ"},
        {"Platform": "2:10:0"},
        {"SkipVer": "2.29"},
        {"Edge": "TRUE", "Defer": "User"},
        {"RA4": "0.0.0.0-255.255.255.255", "RA6": "::/0"},
        {"Protocol": "6", "LPort2_10": ["0-3670", "3671-65535"]},
    ],
)
def test_a_rule_that_is_for_all_of_the_traffic(tokens: dict[str, Any]) -> None:
    assert verdict(rules={"a": rule(**tokens)})[0] == "allowed"


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ({"RA4": "LocalSubnet"}, "remote addresses LocalSubnet (IPv4)"),
        ({"RA4": "LocalSubnet", "RA6": "LocalSubnet"}, "remote addresses LocalSubnet"),
        ({"RA4": "10.0.0.0/255.0.0.0", "RA6": "fd00::/8"}, "remote addresses 10.0.0.0/8, fd00::/8"),
        ({"RA42": "IntrAnet", "RA62": "IntrAnet"}, "remote addresses IntrAnet"),
        ({"LA4": "192.168.1.5"}, "local addresses 192.168.1.5"),
        ({"Protocol": "6", "LPort2_24": "mDNS"}, "local ports mDNS"),
        ({"Protocol": "6", "RPort": "80"}, "remote ports 80"),
        ({"IFType": ["Lan", "Wireless"]}, "Lan, Wireless interfaces"),
        ({"IF": "{0F3A}"}, "the interface {0F3A}"),
        ({"TTK2_27": "UPnP"}, "connections for UPnP"),
    ],
)
@pytest.mark.parametrize("action", ["Allow", "Block"])
def test_a_condition_makes_the_verdict_partial_and_is_named(
    action: str, tokens: dict[str, Any], words: str
) -> None:
    rules = {"a": rule(Action=action, **tokens)}
    if action == "Block":
        rules["b"] = rule()
    outcome, reasons = verdict(rules=rules)
    assert outcome == "partial"
    assert (
        reasons[0]
        == f"{'allowed' if action == 'Allow' else 'blocked'} for {words} by rule 'test' (a, local rules)"
    )
    finding = judge(pc(rules=rules))[TCP]
    assert finding.status is Status.FAIL
    assert "in part" in finding.reason


@pytest.mark.parametrize("app", [r"%ProgramFiles(x86)%\ETS6\ETS6GA~1.EXE", "%ETS6%"])
def test_a_program_whose_name_itself_is_written_otherwise(app: str) -> None:
    path = r"C:\Program Files (x86)\ETS6\ETS6Gateway.exe"
    environment = {**ENVIRONMENT, "ETS6": path}
    findings = judge(
        pc({"a": rule(App=app)}, files=[path], environment=environment),
        programs=["ETS6Gateway.exe"],
    )
    assert findings["firewall.inbound.ets6gateway.tcp"].status is Status.PASS


def test_ipv4_alone_is_not_enough() -> None:
    outcome, reasons = verdict(rules={"a": rule(RA4="0.0.0.0-255.255.255.255")})
    assert outcome == "partial"
    assert reasons == [
        "allowed for remote addresses IPv4 by rule 'test' (a, local rules)",
        "blocked over IPv6 by default: no rule decides (DefaultInboundAction = 1, the default of Windows)",
    ]


def test_rules_that_cover_everything_together() -> None:
    halves = {
        "a": rule(RA4="0.0.0.0-127.255.255.255"),
        "b": rule(RA4="128.0.0.0-255.255.255.255"),
        "c": rule(RA6="::/0"),
    }
    assert verdict(rules=halves)[0] == "allowed"


def test_block_beats_allow_and_bypass_beats_block() -> None:
    assert verdict(rules={"a": rule(), "b": rule(Action="Block", Name="no")}) == (
        "blocked",
        ["blocked by rule 'no' (b, local rules)"],
    )
    # KNX devices do not have IPsec, so a bypass rule is not for them.
    bypass = {"a": rule(Action="ByPass", Security="Authenticate"), "b": rule(Action="Block")}
    assert verdict(rules=bypass) == ("blocked", ["blocked by rule 'test' (b, local rules)"])


@pytest.mark.parametrize(
    "tokens",
    [
        {"Action": "ByPass"},
        {"Security": "Authenticate"},
        {"RUAuth": "O:LSD:(A;;CC;;;WD)"},
        {"RMAuth": "O:LSD:(A;;CC;;;S-1-5-21-1-2-3-515)"},
    ],
)
def test_a_rule_for_what_ipsec_authenticates_is_not_for_devices(tokens: dict[str, str]) -> None:
    assert verdict(rules={"a": rule(**tokens)})[0] == "blocked"
    if "Action" not in tokens:
        blocks = {"a": rule(Action="Block", **tokens), "b": rule()}
        assert verdict(rules=blocks)[0] == "allowed"


def test_of_rules_with_one_id_the_strongest_store_s_counts() -> None:
    group_policy, mdm = {"a": rule(Profile="Public")}, {"A": rule(Action="Block"), "b": rule()}
    assert verdict(rules={"B": rule(Action="Block")}, group_policy=group_policy, mdm=mdm) == (
        "allowed",
        ["allowed by rule 'test' (b, MDM policy)"],
    )
    # One that is switched off overrides as well.
    assert verdict(rules={"a": rule()}, group_policy={"a": rule(Active="FALSE")})[0] == "blocked"


def test_an_allow_that_a_block_swallows_is_no_part_of_the_verdict() -> None:
    rules = {"a": rule(RA4="10.1.0.0/16", RA6="fd00::/8"), "b": rule(Action="Block")}
    assert verdict(rules=rules) == ("blocked", ["blocked by rule 'test' (b, local rules)"])


def test_only_the_wanted_remote_addresses_are_asked_about() -> None:
    policy = {"remote_addresses": ["10.1.0.0/16"]}
    assert verdict(rules={"a": rule(RA4="10.0.0.0/8")}, policy=policy)[0] == "allowed"
    assert (
        verdict(
            rules={"a": rule(), "b": rule(Action="Block", RA4="192.168.0.0/16")}, policy=policy
        )[0]
        == "allowed"
    )
    assert verdict(rules={"a": rule(RA4="10.1.1.0/24")}, policy=policy)[0] == "partial"
    subnet = {"remote_addresses": ["LocalSubnet"]}
    assert (
        verdict(rules={"a": rule(RA4="LocalSubnet", RA6="LocalSubnet")}, policy=subnet)[0]
        == "allowed"
    )
    assert verdict(rules={"a": rule(RA4="LocalSubnet")}, policy=subnet)[0] == "partial"


def test_a_block_of_a_system_port_does_not_concern_ets6() -> None:
    rules = {"a": rule(), "b": rule(Action="Block", App=None, Protocol="6", LPort="445")}
    assert verdict(rules=rules)[0] == "allowed"
    out = {"b": rule(Action="Block", App=None, Dir="Out", Protocol="6", RPort=["25", "445"])}
    assert verdict("firewall.outbound.ets6n.tcp", rules=out)[0] == "allowed"
    web = {"b": rule(Action="Block", App=None, Dir="Out", Protocol="6", RPort="443")}
    assert verdict("firewall.outbound.ets6n.tcp", rules=web)[0] == "partial"


def test_firewall_off() -> None:
    arguments: dict[str, Any] = {
        "rules": {"b": rule(Action="Block")},
        "profiles": {"StandardProfile": {"EnableFirewall": 0}},
    }
    outcome, reasons = verdict(**arguments)
    assert outcome == "allowed"
    assert "because the firewall is off (EnableFirewall = 0 in" in reasons[0]
    assert verdict(profile="domain", **arguments)[0] == "blocked"


def test_block_all_inbound_beats_every_rule_but_not_outbound() -> None:
    policy = {"PrivateProfile": {"DoNotAllowExceptions": 1}}
    outcome, reasons = verdict(rules={"a": rule()}, group_policy_profiles=policy)
    assert outcome == "blocked"
    assert "DoNotAllowExceptions = 1" in reasons[0]
    assert (
        verdict("firewall.outbound.ets6n.tcp", rules={}, group_policy_profiles=policy)[0]
        == "allowed"
    )


def test_local_rules_that_group_policy_has_ignored() -> None:
    policy = {"PrivateProfile": {"AllowLocalPolicyMerge": 0}}
    finding = judge(pc(rules={"a": rule()}, group_policy_profiles=policy), profiles=["private"])[
        TCP
    ]
    assert finding.status is Status.FAIL
    assert "AllowLocalPolicyMerge = 0" in finding.reason
    assert verdict(
        rules={"b": rule(Action="Block")}, group_policy={"a": rule()}, group_policy_profiles=policy
    ) == (
        "allowed",
        ["allowed by rule 'test' (a, Group Policy)"],
    )


def test_a_policy_block_beats_a_local_allow() -> None:
    outcome, reasons = verdict(
        rules={"a": rule()}, group_policy={"b": rule(Action="Block", Name="No ETS")}
    )
    assert (outcome, reasons) == ("blocked", ["blocked by rule 'No ETS' (b, Group Policy)"])


def test_default_actions() -> None:
    profiles = {"StandardProfile": {"DefaultInboundAction": 0, "DefaultOutboundAction": 1}}
    assert verdict(rules={}, profiles=profiles)[0] == "allowed"
    assert verdict("firewall.outbound.ets6n.udp", rules={}, profiles=profiles)[0] == "blocked"


def test_an_interface_without_firewall() -> None:
    outcome, reasons = verdict(
        rules={}, group_policy_profiles={"PrivateProfile": {"DisabledInterfaces": "{A1}"}}
    )
    assert outcome == "partial"
    assert "on the interface {A1}" in reasons[0]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"rules": {"a": rule(), "b": rule(Action="Block", Zz="1")}}, "token Zz=1 is not known"),
        (
            {"rules": {"a": rule(Platform="2:6:2")}, "host": {"os": "?"}},
            "only for some versions of Windows (2:6:2)",
        ),
        (
            {"rules": {"a": rule(SkipVer="2.20")}, "version": None},
            "firewalls up to version 2.20 ignore it",
        ),
        ({"rules": {"a": rule(LOM="TRUE")}}, "mapped locally only"),
        (
            {"rules": {"a": rule(), "b": "v2.30|Action=Blok|Dir=In|App=C:\\x\\ets6n.exe|"}},
            "token Action has the value 'Blok'",
        ),
    ],
)
def test_what_cannot_be_decided_is_unknown(arguments: dict[str, Any], why: str) -> None:
    finding = judge(pc(**arguments))[TCP]
    assert finding.status is Status.UNKNOWN
    assert why in finding.reason


@pytest.mark.parametrize(
    "tokens",
    [
        {"Platform": "2:" + "9" * 5000},
        {"Platform": "2:\u0661\u0660:0"},
        {"SkipVer": "2." + "9" * 5000},
        {
            "RA4": [f"W{number}" for number in range(1000)],
            "LA4": [f"W{number}" for number in range(1000)],
        },
        {f"T{number}": "x" for number in range(5000)},
        {"IF": ["{A}"] * 5000},
        {"RA4": "1" * 60_000},
        {"Protocol": "6", "LPort": ",".join(str(port) for port in range(1, 60_000, 2))},
    ],
)
def test_a_rule_made_to_hurt_costs_no_time_and_no_crash(tokens: dict[str, Any]) -> None:
    start = time.perf_counter()
    findings = judge(pc({"a": rule(**tokens)}))
    assert findings[TCP].status is not Status.PASS
    assert time.perf_counter() - start < 5
    assert all(len(finding.reason) <= 4000 for finding in findings.values())


def test_a_doubt_that_changes_nothing_does_not_count() -> None:
    assert verdict(rules={"a": rule(), "b": rule(Zz="1")})[0] == "allowed"
    assert verdict(rules={"a": rule(Action="Block"), "b": rule(Zz="1")})[0] == "blocked"


def test_too_many_parts_are_not_guessed_at() -> None:
    rules = {str(number): rule(IF=f"{{{number}}}", LUOwn=f"S-1-{number}") for number in range(600)}
    finding = judge(pc(rules=rules))[TCP]
    assert finding.status is Status.UNKNOWN
    assert "more parts than can be evaluated" in finding.reason


@pytest.mark.parametrize(
    ("tokens", "edge"),
    [
        ({}, "Block"),
        ({"Edge": "TRUE"}, "Allow"),
        ({"Edge": "FALSE"}, "Block"),
        ({"Defer": "User"}, "DeferToUser"),
        ({"Edge": "TRUE", "Defer": "App"}, "DeferToApp"),
    ],
)
def test_edge_traversal_is_reported_and_changes_no_verdict(
    tokens: dict[str, str], edge: str
) -> None:
    finding = judge(pc({"a": rule(**tokens)}))[TCP]
    assert finding.status is Status.PASS
    assert finding.evidence["traffic"][0]["decided_by"][0]["edge_traversal"] == edge


def test_the_chain_says_how_it_came_to_that() -> None:
    policy = {"PrivateProfile": {"AllowLocalPolicyMerge": 0}}
    finding = judge(pc(rules={"a": rule()}, group_policy_profiles=policy))[TCP]
    chain = next(
        item["chain"] for item in finding.evidence["traffic"] if item["profile"] == "private"
    )
    assert [line.partition(":")[0] for line in chain] == [
        "In the private profile the firewall is on",
        "Local rules are ignored",
        "It is blocked by default",
    ]


def test_a_sentence_names_few_rules_and_the_evidence_all() -> None:
    rules = {str(number): rule(Action="Block", RA4=f"10.0.{number}.0/24") for number in range(40)}
    finding = judge(pc(rules={**rules, "z": rule()}))[TCP]
    assert len(finding.reason) < 3000
    assert "37 more" in finding.reason
    assert len(finding.evidence["traffic"][1]["decided_by"]) == 41
