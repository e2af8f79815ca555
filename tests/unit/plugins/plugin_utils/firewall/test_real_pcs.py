# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PCs as people have them: each is right but for one thing, and is judged as an expert would."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Contact, Finding, Status
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.accounts import HIDDEN_USERS
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import (
    ConnectedNetwork,
    FirewallService,
    Snapshot,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import judge_firewall
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.many import internet
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    ANN,
    BOB,
    GROUP_POLICY,
    LOCAL,
    MDM,
    MDM_CONFLICT,
    PROMPT_TCP,
    USERS,
    C,
    N,
    failing,
    fix,
    judge,
    pc,
    perfect,
    prompt,
    right,
    rule,
    statuses,
    subjects,
)

DELIBERATE = "firewall.deliberate_blocks"
INBOUND_UDP = "firewall.inbound.ets6n.udp"
INBOUND_TCP = "firewall.inbound.ets6n.tcp"
OUTBOUND_TCP = "firewall.outbound.ets6n.tcp"
MERGE_OFF = {"AllowLocalPolicyMerge": 0}
SANDBOX = "S-1-5-21-1-2-3-1005"
LOCAL_GROUP, DELETED = "S-1-5-21-1-2-3-1006", "S-1-5-21-1-2-3-1099"
LOCAL_ACCOUNTS = [
    {"sid": ANN, "name": "ann", "group": False},
    {"sid": SANDBOX, "name": "CodexSandboxOffline", "group": False},
    {"sid": LOCAL_GROUP, "name": "CodexSandboxUsers", "group": True},
    {"sid": "S-1-5-32-544", "name": "Administrators", "group": True},
]
DOMAIN_GROUP = "S-1-5-21-9-9-9-1613"
DOMAIN_USER = {"sid": "S-1-5-21-9-9-9-1104", "name": "cleo", "logged_on": True}
ENTRA_GROUP = "S-1-12-1-1-2-3-4"


def other_blocks(findings: dict[str, Finding], control: str = DELIBERATE) -> list[str]:
    """Return the ids of the blocks of no concern."""
    return [block["rule"] for block in findings[control].evidence["other_blocks"]]


def block(**tokens: Any) -> str:
    """Return a block for every program."""
    return rule(**{"Action": "Block", "App": None, "Name": "Block", **tokens})


# What blocks nothing that ETS6 needs


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ({"RA4": internet(249)}, "and 245 more"),
        ({"RA4": internet(249), "Dir": "Out"}, "and 245 more"),
        ({"Protocol": "6", "LPort": "3389"}, "local ports 3389"),
        ({"Protocol": "6", "LPort": ["5985", "5986"]}, "local ports 5985-5986"),
        ({"Protocol": "6", "LPort2_10": "5000-5020"}, "local ports 5000-5020"),
        ({"Protocol": "17", "Dir": "Out", "RPort": "443"}, "remote ports 443"),
        ({"Protocol": "17", "Dir": "Out", "RPort": "5355"}, "remote ports 5355"),
        ({"Protocol": "6", "Dir": "Out", "RPort": "25"}, "remote ports 25"),
        ({"Protocol": "17", "LPort": "1900"}, "local ports 1900"),
        ({"RA6": "2001:db8::/32"}, "remote addresses 2001:db8::/32"),
        ({"Protocol": "6", "LPort": "8080", "App": N}, "local ports 8080"),
    ],
)
def test_a_block_of_what_ets6_does_not_need_is_evidence(tokens: dict[str, Any], words: str) -> None:
    findings = judge(perfect({"b": block(**tokens)}))
    assert statuses(findings) == {}
    assert other_blocks(findings) == ["b"]
    assert words in findings[DELIBERATE].reason
    assert fix(perfect({"b": block(**tokens)}), blocks="all")[1] == []


@pytest.mark.parametrize(
    ("tokens", "control", "need"),
    [
        ({"Protocol": "17", "LPort": "3671"}, INBOUND_UDP, "discovery and routing"),
        ({"Protocol": "17", "LPort2_10": "50000-50010"}, INBOUND_UDP, "answers of devices"),
        ({"Protocol": "17", "LPort": "5683"}, INBOUND_UDP, "KNX IoT"),
        ({"Protocol": "17", "LPort": "5353"}, INBOUND_UDP, "mDNS"),
        ({"RA4": "192.168.0.0/16"}, INBOUND_TCP, "remote addresses 192.168.0.0/16"),
        ({"RA6": "fe80::/64"}, INBOUND_UDP, "remote addresses fe80::/64"),
        ({"Dir": "Out", "Protocol": "6", "RPort": "443"}, OUTBOUND_TCP, "the vendor's servers"),
        (
            {"Dir": "Out", "RA4": "224.0.23.12"},
            "firewall.outbound.ets6n.udp",
            "KNXnet/IP to devices",
        ),
    ],
)
def test_a_block_of_a_needed_part_fails_and_says_which(
    tokens: dict[str, Any], control: str, need: str
) -> None:
    findings = judge(perfect({"b": block(**tokens)}))
    assert {control, DELIBERATE} <= failing(findings)
    assert need in findings[control].reason
    assert findings[control].advice.endswith(
        "Narrow rule 'Block' (b, local rules), so that ETS6 is not blocked."
    )
    assert "ets6_network_blocks" not in findings[DELIBERATE].advice
    assert fix(perfect({"b": block(**tokens)}), blocks="all")[1] == []


def test_what_blocks_all_would_remove_is_said_and_removed() -> None:
    snapshot = perfect(
        {"{7}": block(App=N), "{8}": block(), "{9}": block(App=N, LPort="25", Protocol="6")}
    )
    finding = judge(snapshot)[DELIBERATE]
    assert "Remove-NetFirewallRule -Name '{7}'; or set ets6_network_blocks to all" in finding.advice
    assert "since it is for every program: {8}" in finding.reason
    assert subjects(fix(snapshot, blocks="all")[1]) == ["{7}"]


def test_remote_addresses_narrow_what_is_needed() -> None:
    snapshot = perfect({"b": block(RA4="192.168.0.0/16")})
    assert INBOUND_UDP in failing(judge(snapshot))
    narrowed = fix(snapshot, remote_addresses=["10.1.0.0/16"])[0]
    assert statuses(judge(narrowed, remote_addresses=["10.1.0.0/16"])) == {}
    # Of the local subnet the block list has nothing.
    near = fix(perfect({"b": block(RA4=internet(249))}), remote_addresses=["LocalSubnet"])[0]
    assert statuses(judge(near, remote_addresses=["LocalSubnet"])) == {}
    # Devices may be reached over the internet, where the user says so.
    far = fix(perfect({"b": block(RA4="203.0.113.9")}), remote_addresses=["203.0.113.0/24"])[0]
    assert INBOUND_UDP in failing(judge(far, remote_addresses=["203.0.113.0/24"]))


def test_users_add_what_they_need() -> None:
    snapshot = perfect({"b": block(Protocol="17", LPort="3672")})
    assert statuses(judge(snapshot)) == {}
    own = [{"name": "own routing", "direction": "in", "protocol": "udp", "ports": [3672]}]
    findings = judge(snapshot, needed_traffic=own)
    assert {INBOUND_UDP, DELIBERATE} <= failing(findings)
    assert "own routing (UDP port 3672)" in findings[INBOUND_UDP].reason


def test_a_default_that_blocks_the_vendor_fails_although_some_addresses_are_allowed() -> None:
    blocked = {"DefaultOutboundAction": 1}
    allowed = {"a": rule(App=N, Dir="Out", RA4="203.0.113.0/24")}
    profiles = {"DomainProfile": blocked, "StandardProfile": blocked}
    findings = judge(perfect(allowed, profiles=profiles), outbound="never")
    assert findings[OUTBOUND_TCP].status is Status.FAIL


def test_a_country_list_leaves_the_vendor_in_doubt_for_the_probes() -> None:
    tokens = {"RA4": [f"{first}.0.0.0-{first}.255.255.255" for first in range(11, 126)]}
    findings = judge(perfect({"b": block(Dir="Out", **tokens)}))
    assert statuses(findings) == {}
    entry = findings[OUTBOUND_TCP].evidence["traffic"][0]
    assert [part["rule"] for part in entry["decided_by"] if not part["passes"]] == ["b"]


@pytest.mark.parametrize(
    "condition",
    [
        {"IFType": "Wireless"},
        {"IF": "{0F3A}"},
        {"LUAuth": f"O:LSD:(A;;CC;;;{ANN})"},
        {"LPort2_10": "49152-50000"},
    ],
)
def test_a_block_of_all_servers_for_some_of_the_traffic_fails(condition: dict[str, Any]) -> None:
    users = [{**user, "logged_on": True} for user in USERS[:2]]
    tokens = {"Dir": "Out", "Protocol": "6", "RPort": "443", **condition}
    findings = judge(perfect({"b": block(**tokens)}, users=users))
    assert {OUTBOUND_TCP, DELIBERATE} <= failing(findings)
    assert "the vendor's servers (TCP port 443)" in findings[OUTBOUND_TCP].reason
    # With addresses beside it, the rule leaves some servers in any case.
    findings = judge(perfect({"b": block(RA4="203.0.113.0/24", **tokens)}, users=users))
    assert statuses(findings) == {}


def test_a_doubtful_block_beside_a_block_list_is_a_doubt() -> None:
    tokens = {"Dir": "Out", "Protocol": "6", "RPort": "443"}
    rules = {
        "list": block(Dir="Out", RA4=internet(20)),
        "group": block(**tokens, LUAuth="O:LSD:(A;;CC;;;BA)"),
    }
    findings = judge(perfect(rules, users=USERS))
    assert statuses(findings)[OUTBOUND_TCP] is Status.UNKNOWN
    assert statuses(findings)[DELIBERATE] is Status.UNKNOWN


# Accounts


@pytest.mark.parametrize(
    "accounts",
    [
        f"O:LSD:(A;;CC;;;{SANDBOX})",
        f"O:LSD:(A;;CC;;;{DELETED})",
        f"O:LSD:(A;;CC;;;{DOMAIN_GROUP})",
        f"D:(A;;CC;;;{BOB})",
        "O:LSD:(A;;CC;;;S-1-5-80-1-2-3-4-5)",
        "O:LSD:(A;;CC;;;UD)",
        f"O:LSD:(D;;CC;;;{ANN})(A;;CC;;;WD)",
        "O:LSD:(D;;CC;;;S-1-2-1)(A;;CC;;;AU)",
    ],
)
def test_a_block_of_another_account_is_evidence(accounts: str) -> None:
    rules = {"b": block(Dir="Out", LUAuth=accounts)}
    findings = judge(perfect(rules, users=USERS, local_accounts=LOCAL_ACCOUNTS))
    assert statuses(findings) == {}
    assert "which is only for the accounts" in findings[DELIBERATE].reason
    assert findings[DELIBERATE].evidence["other_blocks"][0]["other_account"] is True


@pytest.mark.parametrize(
    ("accounts", "words"),
    [
        ("O:LSD:(A;;CC;;;WD)", "the accounts Everyone"),
        ("O:LSD:(A;;CC;;;AU)", "Authenticated Users"),
        ("O:LSD:(A;;CC;;;S-1-2-1)", "console logons"),
        (f"O:LSD:(A;;CC;;;{ANN})", "the accounts ann"),
        (f"O:LSD:(D;;CC;;;{BOB})(A;;CC;;;IU)", "interactive logons but bob"),
    ],
)
def test_a_block_of_the_user_s_account_fails_and_names_it(accounts: str, words: str) -> None:
    findings = judge(perfect({"b": block(Dir="Out", LUAuth=accounts)}, users=USERS))
    assert {OUTBOUND_TCP, DELIBERATE} <= failing(findings)
    assert words in findings[OUTBOUND_TCP].reason


@pytest.mark.parametrize(
    "accounts",
    [
        "O:LSD:(A;;CC;;;BA)",
        "O:LSD:(A;;CC;;;S-1-5-21-9-9-9-513)",
        f"O:LSD:(A;;CC;;;{LOCAL_GROUP})",
        f"O:LSD:(A;;CC;;;{ENTRA_GROUP})",
        "O:LSD:(D;;CC;;;S-1-5-80-1-2-3-4-5)",
        "O:LSD:(X;;CC;;;WD)",
        "rubbish",
    ],
)
def test_a_block_of_a_group_is_undecided(accounts: str) -> None:
    rules = {"b": block(Dir="Out", LUAuth=accounts)}
    users = [DOMAIN_USER] if accounts.endswith(f"{ENTRA_GROUP})") else USERS
    findings = judge(perfect(rules, users=users, local_accounts=LOCAL_ACCOUNTS))
    assert statuses(findings)[OUTBOUND_TCP] is Status.UNKNOWN
    assert statuses(findings)[DELIBERATE] is Status.UNKNOWN


def test_a_user_of_a_domain_may_be_in_its_groups() -> None:
    rules = {"b": block(Dir="Out", LUAuth=f"O:LSD:(A;;CC;;;{DOMAIN_GROUP})")}
    findings = judge(perfect(rules, users=[DOMAIN_USER], local_accounts=LOCAL_ACCOUNTS))
    assert statuses(findings)[OUTBOUND_TCP] is Status.UNKNOWN


@pytest.mark.parametrize("accounts", [None, []])
def test_without_the_pc_s_accounts_another_sid_may_be_a_group(accounts: Any) -> None:
    rules = {"b": block(Dir="Out", LUAuth=f"O:LSD:(A;;CC;;;{SANDBOX})")}
    findings = judge(perfect(rules, users=USERS, local_accounts=accounts))
    assert statuses(findings)[OUTBOUND_TCP] is Status.UNKNOWN


def test_an_account_is_named_though_it_has_no_profile() -> None:
    rules = {"b": block(Dir="Out", LUAuth=f"O:LSD:(A;;CC;;;{SANDBOX})")}
    findings = judge(perfect(rules, users=USERS, local_accounts=LOCAL_ACCOUNTS))
    assert "the accounts CodexSandboxOffline" in findings[DELIBERATE].reason


def test_where_no_user_is_logged_on_one_user_s_block_is_a_doubt() -> None:
    absent = [{**user, "logged_on": False} for user in USERS]
    rules = {"b": block(Dir="Out", LUAuth=f"D:(A;;CC;;;{BOB})")}
    findings = judge(perfect(rules, users=absent))
    assert statuses(findings)[OUTBOUND_TCP] is Status.UNKNOWN
    assert "the accounts bob (no user is logged on)" in findings[OUTBOUND_TCP].reason
    # A tool's account is hidden from the sign-in screen.
    hidden = {HIDDEN_USERS: {"state": "present", "values": {"BOB": ["REG_DWORD", 0]}}}
    assert statuses(judge(perfect(rules, users=absent, keys=hidden))) == {}


def test_where_the_users_are_not_known_a_user_s_rule_is_undecided() -> None:
    findings = judge(perfect({"b": block(Dir="Out", LUAuth=f"D:(A;;CC;;;{ANN})")}, users=[]))
    assert statuses(findings)[OUTBOUND_TCP] is Status.UNKNOWN


def test_an_allow_rule_of_one_account_is_not_enough_for_both() -> None:
    users = [{**user, "logged_on": True} for user in USERS[:2]]
    allow = {"a": rule(LUOwn=ANN)}
    assert judge(pc(allow, users=users))[INBOUND_TCP].status is Status.FAIL
    assert judge(pc(allow, users=USERS))[INBOUND_TCP].status is Status.PASS


# Connection security

ISOLATION = "v2.33|Action=SecureServer|Active=TRUE|Name=Isolation|Auth1Set={1}|Crypto2Set={2}|"


@pytest.mark.parametrize("store", ["connections", "group_policy_connections"])
def test_domain_isolation_keeps_devices_away(store: str) -> None:
    findings = judge(perfect(**{store: {"iso": ISOLATION}}))  # type: ignore[arg-type]
    assert failing(findings) >= {INBOUND_UDP, INBOUND_TCP, "firewall.active_profile"}
    assert OUTBOUND_TCP not in failing(findings)
    reason = findings[INBOUND_UDP].reason
    assert "connection security rule 'Isolation' (iso, " in reason
    assert "KNX devices do not have it" in reason
    assert "Exempt the KNX devices from authentication" in findings[INBOUND_UDP].advice


@pytest.mark.parametrize(
    "text",
    [
        ISOLATION.replace("Active=TRUE", "Active=FALSE"),
        ISOLATION.replace("SecureServer", "Boundary"),
        ISOLATION.replace("Name=", "EP2_4=203.0.113.0/24|Name="),
        ISOLATION.replace("Name=", "Profile=Public|Name="),
        ISOLATION.replace("Name=", "Protocol=6|EP1Port=445|Name="),
    ],
)
def test_a_connection_security_rule_that_spares_devices(text: str) -> None:
    assert statuses(judge(perfect(connections={"iso": text}))) == {}


def test_secure_demands_ipsec_both_ways() -> None:
    both = {"iso": ISOLATION.replace("SecureServer", "Secure")}
    assert OUTBOUND_TCP in failing(judge(perfect(connections=both)))
    clear = {"iso": both["iso"].replace("Name=", "SecureInClearOut=TRUE|Name=")}
    assert OUTBOUND_TCP not in failing(judge(perfect(connections=clear)))


def test_isolation_of_the_own_networks_leaves_the_vendor_alone() -> None:
    own = ISOLATION.replace("SecureServer", "Secure").replace("Name=", "EP2_4=10.0.0.0/8|Name=")
    findings = judge(perfect(connections={"iso": own}))
    assert findings[OUTBOUND_TCP].status is Status.FAIL
    assert "KNXnet/IP over TCP to devices" in findings[OUTBOUND_TCP].reason
    assert {
        item["need"]: item["outcome"]
        for item in findings[OUTBOUND_TCP].evidence["traffic"][0]["needs"]
    } == {"tcp_out": "partial", "vendor_https": "allowed", "vendor_http": "allowed"}


def test_an_exemption_takes_devices_out() -> None:
    networks = "".join(
        f"EP2_4={network}|"
        for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
    )
    exemption = (
        f"v2.33|Action=DoNotSecure|Active=TRUE|Name=KNX|{networks}EP2_6=fe80::/10|EP2_6=fc00::/7|"
    )
    rules = {"iso": ISOLATION, "knx": exemption}
    assert statuses(judge(perfect(connections=rules))) == {}
    partly = {"iso": ISOLATION, "knx": exemption.replace("EP2_4=10.0.0.0/8|", "")}
    assert INBOUND_UDP in failing(judge(perfect(connections=partly)))


def test_local_connection_security_that_policy_ignores() -> None:
    off = {"AllowLocalIPsecPolicyMerge": 0}
    policy = {"DomainProfile": off, "PrivateProfile": off}
    snapshot = perfect(connections={"iso": ISOLATION}, group_policy_profiles=policy)
    assert statuses(judge(snapshot)) == {}


def test_connection_security_that_is_not_understood_is_a_doubt() -> None:
    tunnel = {"t": ISOLATION.replace("Name=", "RTunnel4=203.0.113.1|Name=")}
    assert statuses(judge(perfect(connections=tunnel)))[INBOUND_UDP] is Status.UNKNOWN
    findings = judge(perfect(connections={"x": "v2.33|Action=Odd|Active=TRUE|"}))
    assert "connection security rule 'x'" in findings["firewall.malformed_rules"].reason


def test_connection_security_that_a_product_took_over_is_a_doubt() -> None:
    product = [{"name": "Norda VPN", "categories": [3]}]
    findings = judge(perfect(connections={"iso": ISOLATION}, registered_firewalls=product))
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert "Norda VPN took over connection security" in findings[INBOUND_UDP].reason


def test_an_isolation_of_group_policy_is_for_its_owner_to_change() -> None:
    by_policy = judge(perfect(group_policy_connections={"iso": ISOLATION}))[INBOUND_UDP]
    assert by_policy.contact is Contact.GROUP_POLICY
    assert "Group Policy), in that policy" in by_policy.advice
    local = judge(perfect(connections={"iso": ISOLATION}))[INBOUND_UDP]
    assert local.contact is Contact.PC
    assert "in that policy" not in local.advice


def test_connection_security_where_the_firewall_is_off_is_a_doubt() -> None:
    off = {key: {"EnableFirewall": 0} for key in ("DomainProfile", "StandardProfile")}
    findings = judge(perfect(connections={"iso": ISOLATION}, profiles=off))
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert "the firewall is off" in findings[INBOUND_UDP].reason


# Stores


@pytest.mark.parametrize("store", ["mdm", "group_policy"])
def test_a_policy_that_allows_both_programs_and_ignores_local_rules(store: str) -> None:
    private = "PrivateProfile" if store == "group_policy" else "StandardProfile"
    snapshot = perfect(
        **{  # type: ignore[arg-type]
            store: {"n": rule(App=N), "c": rule(App=C)},
            f"{store}_profiles": {"DomainProfile": MERGE_OFF, private: MERGE_OFF},
        }
    )
    findings = judge(snapshot)
    assert failing(findings) == set()
    assert {finding.status for finding in findings.values()} == {Status.PASS}


def test_an_mdm_policy_that_allows_nothing_fails_and_names_it() -> None:
    merge_off = {"DomainProfile": MERGE_OFF, "StandardProfile": MERGE_OFF}
    findings = judge(perfect(mdm={}, mdm_profiles=merge_off))
    assert INBOUND_UDP in failing(findings)
    assert "AllowLocalPolicyMerge = 0 in" in findings[INBOUND_UDP].reason
    assert "MDM policy" in findings[INBOUND_UDP].reason


def conflict(name: str, group_policy: int, mdm: int, wins: int = 1) -> dict[str, Finding]:
    keys = {MDM_CONFLICT: {"state": "present", "values": {"MDMWinsOverGP": ["REG_DWORD", wins]}}}
    snapshot = perfect(
        keys=keys,
        group_policy_profiles={"PrivateProfile": {name: group_policy}},
        mdm_profiles={"StandardProfile": {name: mdm}},
    )
    return judge(snapshot)


def test_which_of_two_policies_wins_is_a_doubt_only_where_it_matters() -> None:
    findings = conflict("DoNotAllowExceptions", 0, 1)
    assert statuses(findings)[INBOUND_UDP] is Status.FAIL, "any of them that is on counts"
    findings = conflict("AllowLocalPolicyMerge", 1, 0)
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert "MDMWinsOverGP = 1" in findings[INBOUND_UDP].reason
    assert statuses(conflict("AllowLocalPolicyMerge", 1, 0, wins=0)) == {}
    assert statuses(conflict("AllowLocalPolicyMerge", 1, 1)) == {}
    assert statuses(conflict("DefaultInboundAction", 1, 0)) == {}


@pytest.mark.parametrize("version", [0x020A, 0x0120, 0x021A])
def test_rules_newer_than_the_store_says_are_judged(version: int) -> None:
    snapshot = perfect({"x": rule(App=N).replace("v2.30", "v2.33")}, version=version)
    assert statuses(judge(snapshot)) == {}


def test_a_token_that_is_not_known_is_a_doubt() -> None:
    findings = judge(perfect({"x": block(Zz9="1").replace("v2.30", "v2.33")}))
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert "token Zz9=1 is not known" in findings[INBOUND_UDP].reason


def test_a_version_that_lags_leaves_skipver_undecided() -> None:
    tokens = {"x": block(SkipVer="2.31").replace("v2.30", "v2.33")}
    assert statuses(judge(perfect(tokens, version=0x021E)))[INBOUND_UDP] is Status.UNKNOWN


# The prompt


def test_a_prompt_s_block_for_a_profile_that_is_not_wanted_is_evidence() -> None:
    snapshot = perfect({PROMPT_TCP: prompt(Profile="Public")})
    findings = judge(snapshot)
    assert statuses(findings) == {}
    assert other_blocks(findings, "firewall.prompt_blocks") == [PROMPT_TCP]
    assert "counts in public only" in findings["firewall.prompt_blocks"].reason
    assert fix(snapshot)[1] == []
    everywhere = ["domain", "private", "public"]
    wanted = judge(snapshot, profiles=everywhere)["firewall.prompt_blocks"]
    assert wanted.status is Status.FAIL


GUID = "{7B1C5A44-8B1F-4B7A-9B0E-1F6B3B6E2C11}"


def test_a_plain_block_beside_the_prompt_s_allow_is_the_prompt_s() -> None:
    rules = {
        PROMPT_TCP: prompt(Action="Allow", Profile="Public", Desc="ETS6"),
        GUID: prompt(Profile="Private", Desc="ETS6", Defer=None),
    }
    snapshot = perfect(rules)
    findings = judge(snapshot)
    assert findings["firewall.prompt_blocks"].status is Status.FAIL
    assert (
        f"it belongs to the prompt's rule {PROMPT_TCP}" in findings["firewall.prompt_blocks"].reason
    )
    assert findings[DELIBERATE].status is Status.PASS
    assert subjects(fix(snapshot)[1]) == [GUID]


@pytest.mark.parametrize(
    "changed",
    [{"Protocol": "17"}, {"Name": "IT"}, {"Desc": "IT"}, {"App": C}, {"Profile": "Public"}],
)
def test_a_plain_block_that_differs_is_deliberate(changed: dict[str, str]) -> None:
    rules = {
        PROMPT_TCP: prompt(Action="Allow", Profile="Public", Desc="ETS6"),
        GUID: prompt(**{"Profile": "Private", "Desc": "ETS6", "Defer": None, **changed}),
    }
    assert judge(perfect(rules))["firewall.prompt_blocks"].status is Status.PASS


# Old policies


def old_policy(profile: str, key: str, text: str, merge: int | None = None) -> dict[str, Any]:
    """Return the keys of an old policy with one entry."""
    path = f"{GROUP_POLICY}\\{profile}"
    values = {} if merge is None else {"AllowUserPrefMerge": ["REG_DWORD", merge]}
    return {
        GROUP_POLICY: {"state": "present", "keys": [profile]},
        path: {"state": "present", "keys": [key]},
        f"{path}\\{key}": {"state": "present", "keys": ["List"], "values": values},
        f"{path}\\{key}\\List": {"state": "present", "values": {text: ["REG_SZ", text]}},
    }


@pytest.mark.parametrize(
    ("key", "text", "merge", "named"),
    [
        ("AuthorizedApplications", rf"{N}:*:disabled:ETS6", None, ":*:disabled:ETS6"),
        ("AuthorizedApplications", r"C:\x.exe:*:enabled:x", 0, "AllowUserPrefMerge = 0"),
        ("GloballyOpenPorts", "3671:UDP:*:disabled:KNX", None, "3671:UDP:*:disabled:KNX"),
    ],
)
def test_an_old_policy_is_a_doubt_that_names_it(
    key: str, text: str, merge: int | None, named: str
) -> None:
    findings = judge(perfect(keys=old_policy("StandardProfile", key, text, merge)))
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert named in findings[INBOUND_UDP].reason
    assert OUTBOUND_TCP not in statuses(findings)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("AuthorizedApplications", r"C:\other.exe:*:disabled:other"),
        ("AuthorizedApplications", rf"{N}:*:enabled:ETS6"),
        ("GloballyOpenPorts", "3389:TCP:*:disabled:RDP"),
        ("GloballyOpenPorts", "rubbish"),
    ],
)
def test_an_old_policy_of_no_concern(key: str, text: str) -> None:
    assert statuses(judge(perfect(keys=old_policy("StandardProfile", key, text)))) == {}


PREF_MERGE = {
    MDM + r"\StandardProfile": {"state": "present", "keys": ["AuthorizedApplications"]},
    MDM + r"\StandardProfile\AuthorizedApplications": {
        "state": "present",
        "values": {"AllowUserPrefMerge": ["REG_DWORD", 0]},
    },
}


def test_mdm_has_the_switch_of_old_policies_too() -> None:
    findings = judge(perfect(keys=PREF_MERGE, mdm={}))
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert "AllowUserPrefMerge = 0 in" in findings[INBOUND_UDP].reason


def test_a_switch_about_local_rules_does_not_matter_where_a_policy_allows_ets6() -> None:
    allowed = {"n": rule(App=N), "c": rule(App=C)}
    assert statuses(judge(perfect(keys=PREF_MERGE, mdm=allowed))) == {}


def test_an_old_policy_that_may_allow_is_a_doubt_about_a_block() -> None:
    keys = old_policy("DomainProfile", "AuthorizedApplications", rf"{N}:*:Enabled:ETS6")
    findings = judge(pc({}, keys=keys), profiles=["domain"])
    assert findings[INBOUND_UDP].status is Status.UNKNOWN


# One truth


def test_where_the_firewall_is_off_nothing_is_said_to_block() -> None:
    keys = ("DomainProfile", "StandardProfile", "PublicProfile")
    off = {key: {"EnableFirewall": 0} for key in keys}
    findings = judge(perfect({PROMPT_TCP: prompt(), "{7}": block(App=N)}, profiles=off))
    assert statuses(findings) == {}
    one = judge(perfect({"{7}": block(App=N)}, profiles={"DomainProfile": {"EnableFirewall": 0}}))
    assert "in private and public" in one[DELIBERATE].reason


@pytest.mark.parametrize("app", [f'"{N}"', N.replace("\\", "/")])
def test_a_path_in_quotes_or_with_slashes_is_not_a_match(app: str) -> None:
    assert judge(pc({"a": rule(App=app)}))[INBOUND_TCP].status is Status.FAIL
    findings = judge(perfect({"b": rule(Action="Block", App=app)}))
    assert statuses(findings) == {}
    assert "is taken for no match (docs/assumptions.md): rule 'test' (b" in (
        findings[DELIBERATE].reason
    )
    assert "no match" not in judge(perfect({"b": rule(Action="Block")}))[DELIBERATE].reason


def test_addresses_of_both_families_stay_apart_in_words() -> None:
    tokens = {"RA4": "128.0.0.0-255.255.255.255", "RA6": "::-7fff::"}
    reason = judge(perfect({"b": block(**tokens)}))[INBOUND_UDP].reason
    assert "128.0.0.0/1, ::-7fff::" in reason


# Which firewall is active


def test_a_firewall_that_took_over_on_a_server_is_named() -> None:
    taken = [{"name": "Norda Endpoint", "categories": [0, 2]}]
    finding = judge(perfect(registered_firewalls=taken))["firewall.in_charge"]
    assert finding.status is Status.FAIL
    assert "Norda Endpoint" in finding.reason
    other = [{"name": "Norda VPN", "categories": [3]}]
    assert statuses(judge(perfect(registered_firewalls=other))) == {}


def test_products_that_could_not_be_listed_are_said() -> None:
    errors = {"registered_firewalls": "class not registered"}
    finding = judge(perfect(registered_firewalls=None, errors=errors))["firewall.in_charge"]
    assert finding.status is Status.PASS
    assert "which products took over its rules: class not registered." in finding.reason


def test_service_names_are_compared_without_letter_case() -> None:
    assert statuses(judge(perfect(services={"mpssvc": "Running", "bfe": "Running"}))) == {}


def test_networks_are_named_and_get_another_category() -> None:
    networks = [
        {
            "interface": "Ethernet 2",
            "index": 7,
            "name": "Unidentified network",
            "category": "public",
        },
        {"interface": "WLAN", "index": 3, "name": "office", "category": "private"},
    ]
    snapshot = perfect(network=["public", "private"], networks=networks)
    finding = judge(snapshot)["firewall.active_profile"]
    assert finding.status is Status.FAIL
    assert "a public network now (Unidentified network on Ethernet 2)" in finding.reason
    assert "Set-NetConnectionProfile -InterfaceIndex 7 -NetworkCategory Private" in finding.advice
    assert "a private network now (office on WLAN)" in finding.reason
    assert finding.evidence["networks"] == networks


NETWORKS = [
    {"interface": "LAN", "index": 7, "name": "Unidentified network", "category": "public"},
    {"interface": "WLAN", "index": 3, "name": "office", "category": "private"},
]


def test_a_second_network_without_a_gateway_is_no_reason_to_open_public_networks() -> None:
    snapshot = perfect(network=["public", "private"], networks=NETWORKS)
    finding = judge(snapshot)["firewall.active_profile"]
    assert "set its category to private" in finding.advice
    assert "ets6_network_profiles if" not in finding.advice
    # Where the public network is the only one, both may be what the user wants.
    alone = judge(perfect(network=["public"], networks=NETWORKS[:1]))["firewall.active_profile"]
    assert "set its category to private" in alone.advice
    assert "Add public to ets6_network_profiles" in alone.advice


def test_a_category_in_which_ets6_does_not_receive_either_is_not_advised() -> None:
    domain = fix(pc({}), profiles=["domain"])[0]
    public = dataclasses.replace(
        domain, network=("public",), networks=(ConnectedNetwork("LAN", 7, "x", "public"),)
    )
    finding = judge(public, profiles=["domain"])["firewall.active_profile"]
    assert finding.status is Status.FAIL
    assert "private" not in finding.advice
    assert "category" not in finding.reason


# The service and the registry


def service(snapshot: Snapshot, **changed: int) -> Finding:
    """Return the finding where the service says other things than the registry."""
    count = len(snapshot.registry.key(LOCAL + r"\FirewallRules").values)
    state = FirewallService(**{"rules": count, "values": count, "modify_state": 0, **changed})
    return judge(dataclasses.replace(snapshot, firewall_service=state))["firewall.service"]


def test_a_service_with_other_rules_asks_for_a_restart() -> None:
    finding = service(perfect(), rules=3)
    assert finding.status is Status.UNKNOWN
    assert finding.advice == "Restart the PC."
    assert "docs/assumptions.md" in finding.reason
    assert finding.evidence["local_policy_modify_state"] == "local rules have an effect"


@pytest.mark.parametrize("tokens", [{"SkipVer": "2.40"}, {"Platform": "2:6:1"}, {"Zz": "1"}])
def test_a_rule_that_windows_may_skip_is_no_difference(tokens: dict[str, str]) -> None:
    snapshot = perfect({"x": rule(**tokens)})
    assert service(snapshot, rules=4).status is Status.PASS
    assert service(snapshot, rules=5).status is Status.PASS
    assert service(snapshot, rules=3).status is Status.UNKNOWN


def test_the_service_may_list_the_rules_of_policies_beside_its_own() -> None:
    snapshot = perfect(group_policy={"a": rule(), "b": rule()}, mdm={"a": rule(), "c": rule()})
    for rules in (4, 7):
        assert service(snapshot, rules=rules).status is Status.PASS
    for rules in (3, 5, 6, 8):
        assert service(snapshot, rules=rules).status is Status.UNKNOWN


@pytest.mark.parametrize("network", [["private"], ["domain", "private"]])
def test_a_service_that_denies_what_the_registry_says_is_a_doubt(network: list[str]) -> None:
    for state, words in ((1, "Group Policy overrides"), (2, "blocks all inbound")):
        finding = service(perfect(network=network), modify_state=state)
        assert finding.status is Status.UNKNOWN
        assert words in finding.reason
        assert "docs/assumptions.md" in finding.reason
    policy = {"PrivateProfile": MERGE_OFF, "DomainProfile": MERGE_OFF}
    ignored = perfect(network=network, group_policy_profiles=policy)
    assert service(ignored, modify_state=0).status is Status.UNKNOWN
    assert service(ignored, modify_state=1).status is Status.PASS


@pytest.mark.parametrize("state", [0, 1, 2, 9])
@pytest.mark.parametrize(
    "arguments",
    [
        {"network": []},
        {"network": None, "errors": {"network": "no COM"}},
        {"mdm_profiles": {"StandardProfile": MERGE_OFF}},
    ],
)
def test_where_the_service_s_word_has_no_counterpart_it_is_evidence(
    arguments: dict[str, Any], state: int
) -> None:
    finding = service(perfect(**arguments), modify_state=state)
    assert finding.status is Status.PASS
    assert finding.evidence["local_policy_modify_state"]


def test_one_active_profile_in_which_local_rules_count_is_enough_for_the_service() -> None:
    policy = {"PrivateProfile": MERGE_OFF}
    snapshot = perfect(network=["domain", "private"], group_policy_profiles=policy)
    assert service(snapshot, modify_state=0).status is Status.PASS


def test_a_service_that_cannot_be_asked_is_unknown() -> None:
    silent = perfect(firewall_service=None, errors={"firewall_service": "no COM"})
    finding = judge(silent)["firewall.service"]
    assert finding.status is Status.UNKNOWN
    assert "no COM" in finding.reason


def test_a_change_that_is_predicted_makes_no_difference_to_the_service() -> None:
    assert judge(right())["firewall.service"].status is Status.PASS


def test_a_malformed_value_is_no_difference() -> None:
    service = {"rules": 1, "values": 2, "modify_state": 0}
    snapshot = pc({"a": rule(), "bad": "v2"}, firewall_service=service)
    assert judge(snapshot)["firewall.service"].status is Status.PASS


# Rules as published files and reports have them, each with a source of its own kind

BASTION = (
    "v2.30|Action=SecureServer|Name=CSR_RDP|Desc=|Protocol=6|Active=TRUE|EP1Port=3389|"
    "Auth1Set=ComputerKerberos|Auth2Set=UserKerberos|Crypto2Set={E5A5}|EmbedCtxt=|"
)
VPNKIT = r"C:\program files\docker\docker\resources\vpnkit.exe"
NOT_SERVICE = "O:LSD:(D;;CC;;;S-1-5-80-1-2-3-4-5)"
ALMOST_ALL_PORTS = ["1-66", "69-55554", "55557-65535"]


@pytest.mark.parametrize(
    "arguments",
    [
        # A list of bans in one rule, one with subnets of both families, and one that lets in.
        {"rules": {"EvlWatcher": block(Protocol="6", RA4=internet(10_000))}},
        {"rules": {"IPBan": block(RA4="45.9.20.0/255.255.255.0", RA6="2a0e:97c0::/32")}},
        {"rules": {"allow": block(Action="Allow", RA4=internet(9))}},
        # The prompt, cancelled for another program.
        {"rules": {"TCP Query User{1}" + VPNKIT: prompt(App=VPNKIT)}},
        # A driver's rule of Windows itself, which blocks its traffic for any other account.
        {
            "rules": {
                "WirelessDisplay-Out-TCP": block(
                    Dir="Out",
                    Protocol="6",
                    App=r"%systemroot%\system32\WUDFHost.exe",
                    LUAuth="O:LSD:(A;;CC;;;UD)",
                    TTK2_22="WFDDisplay",
                )
            }
        },
        # A hardening file that blocks all but who is at the console.
        {"group_policy": {"1": block(LUAuth="O:LSD:(D;;CC;;;S-1-2-1)")}, "users": USERS},
        # Isolation of one service's port, and one that only asks for IPsec.
        {"connections": {"rdp": BASTION}},
        {"group_policy_connections": {"b": BASTION.replace("SecureServer", "Boundary")}},
        # Policies that say what is so anyway.
        {"mdm_profiles": {"StandardProfile": {"EnableFirewall": 1, "DisableNotifications": 1}}},
        {"group_policy_profiles": {"PublicProfile": MERGE_OFF}},
    ],
)
def test_published_rules_that_do_ets6_no_harm(arguments: dict[str, Any]) -> None:
    assert statuses(judge(perfect(**arguments))) == {}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (
            {"group_policy": {"2": block(Protocol="17", LPort2_10=ALMOST_ALL_PORTS)}},
            Status.FAIL,
            "Change in the policy that sets it: rule 'Block' (2, Group Policy)",
        ),
        ({"rules": {"in": block(LUAuth=NOT_SERVICE)}}, Status.UNKNOWN, "all but S-1-5-80"),
        (
            {"connections": {"auth": ISOLATION.replace("Name=Isolation", "Name=Auth|Desc=")}},
            Status.FAIL,
            "connection security rule 'Auth' (auth, local connection security rules)",
        ),
        (
            {"mdm": {"{1}": block(Profile=["Domain", "Private"], Protocol="17")}},
            Status.FAIL,
            "Change in the policy that sets it: rule 'Block' ({1}, MDM policy)",
        ),
        (
            {"mdm_profiles": {"StandardProfile": {"DoNotAllowExceptions": 1}}},
            Status.FAIL,
            "Switch off DoNotAllowExceptions (DoNotAllowExceptions = 1 in",
        ),
        ({"rules": {"q": block(IFType="Wireless")}}, Status.FAIL, "for Wireless interfaces"),
    ],
)
def test_published_rules_that_keep_devices_away(
    arguments: dict[str, Any], status: Status, words: str
) -> None:
    finding = judge(perfect(users=USERS, **arguments))[INBOUND_UDP]
    assert finding.status is status
    assert words in f"{finding.reason} {finding.advice}"


# Speed


@pytest.mark.parametrize("direction", ["In", "Out"])
def test_block_lists_of_thousands_of_addresses_take_no_time(direction: str) -> None:
    rules = {}
    for number in range(20):
        rules[f"list {number}"] = block(Dir=direction, RA4=internet(1_000, number))
    snapshot = perfect(rules)
    start = time.process_time()
    findings = judge_firewall(snapshot)
    assert time.process_time() - start < 1.5
    assert all(finding.status is Status.PASS for finding in findings)


def test_too_many_addresses_are_a_doubt_and_not_a_guess() -> None:
    addresses = [
        f"10.{number >> 8 & 255}.{number & 255}.{number >> 16}" for number in range(21_000)
    ]
    findings = judge(perfect({"b": block(RA4=addresses)}))
    assert statuses(findings)[INBOUND_UDP] is Status.UNKNOWN
    assert len(findings[INBOUND_UDP].reason) < 4_000
