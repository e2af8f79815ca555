# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every control on PCs with one trouble each; and what the remedies lead to."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status, remedies
from ansible_collections.ets6.network.plugins.plugin_utils.firewall import controls
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_address import KEYWORDS
from ansible_collections.ets6.network.plugins.plugin_utils.operations import (
    RemoveFirewallRule,
    SetFirewallRule,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import assess
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.access import (
    BELOW_C,
    access,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    LOCAL,
    NATIVE,
    PROMPT_TCP,
    PROMPT_UDP,
    C,
    N,
    failing,
    fix,
    judge,
    local_rules,
    pc,
    prompt,
    right,
    rule,
    subjects,
    with_rule,
)
from hypothesis import given, settings
from hypothesis import strategies as st

FOUR = ["ETS6-ETS6N-TCP-In", "ETS6-ETS6N-UDP-In", "ETS6-ETS6C-TCP-In", "ETS6-ETS6C-UDP-In"]
RULE = "firewall.rule.ets6n.tcp"


# Never started ETS6, and the ideal


def test_one_finding_for_each_control_in_the_catalogue_s_order() -> None:
    for policy in (
        Policy(),
        Policy(state="absent"),
        Policy(programs=("ETS6.exe",)),
        Policy(outbound="always"),
    ):
        for snapshot in (
            pc({}),
            pc({}, offline=True),
            pc({}, network=None, services=None, firewall_products=None),
        ):
            found = [finding.control for finding in assess(snapshot, policy, "firewall")]
            assert found == [check.control for check in controls.FAMILY.checks(policy)]


def test_control_ids() -> None:
    checks = controls.FAMILY.checks(Policy(programs=("ETS6N.exe",)))
    assert [check.control.id for check in checks] == [
        "firewall.in_charge",
        "firewall.service",
        "firewall.programs",
        "firewall.rule.ets6n.tcp",
        "firewall.rule.ets6n.udp",
        "firewall.prompt_blocks",
        "firewall.deliberate_blocks",
        "firewall.inbound.ets6n.tcp",
        "firewall.inbound.ets6n.udp",
        "firewall.outbound.ets6n.tcp",
        "firewall.outbound.ets6n.udp",
        "firewall.active_profile",
        "firewall.multicast_answers",
        "firewall.stale_rules",
        "firewall.malformed_rules",
    ]


def test_what_is_asked_of_a_pc() -> None:
    request = controls.request(
        Policy(programs=("ETS6N.exe",), paths=("%ProgramFiles%\\ETS6", "*:\\"))
    )
    assert request["files"] == ["%ProgramFiles%\\ETS6\\ETS6N.exe", "*:\\ETS6N.exe"]
    assert request["named_files"] == ["ETS6N.exe"]
    assert {"path": LOCAL, "depth": 1} in request["registry"]


def test_never_started() -> None:
    after, changes = fix(pc({}))
    assert subjects(changes) == FOUR
    assert set(local_rules(after)) == set(FOUR)
    made = local_rules(after)["ETS6-ETS6C-UDP-In"]
    assert made.write() == (
        f"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|Profile=Domain|Profile=Private|App={C}"
        "|Name=KNX ETS6: ETS6C.exe (UDP-In)|Desc=Made by the Ansible collection ets6.network. Changes by hand do not last."
        "|EmbedCtxt=KNX ETS6|"
    )
    findings = judge(after)
    assert failing(findings) == set()
    assert {finding.status for finding in findings.values()} == {Status.PASS}
    assert fix(after)[1] == []


def test_keys_of_a_change_are_the_same_before_and_after() -> None:
    _after, changes = fix(pc({PROMPT_TCP: prompt()}))
    for change in changes:
        assert list(change.before) == list(change.after)
    assert all(value is None for value in changes[0].before.values())
    removed = next(change for change in changes if change.subject.endswith(PROMPT_TCP))
    assert removed.before["action"] == "Block"
    assert all(value is None for value in removed.after.values())


# Drift


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("Active=TRUE", "Active=FALSE", "enabled"),
        ("Action=Allow", "Action=Block", "action"),
        ("Dir=In", "Dir=Out", "direction"),
        ("Protocol=6|", "Protocol=17|", "protocol"),
        ("Protocol=6|", "", "protocol"),
        ("Profile=Private|", "", "profiles"),
        ("Profile=Private|", "Profile=Private|Profile=Public|", "profiles"),
        ("|App=C:", "|App=D:", "program"),
        ("|App=", "|RA4=LocalSubnet|RA6=LocalSubnet|App=", "remote addresses"),
        ("|Name=KNX", "|LPort=3671|Name=KNX", "other conditions"),
        ("|Name=KNX", "|Svc=*|Name=KNX", "other conditions"),
        ("Name=KNX ETS6: ", "Name=My ", "display name"),
        ("EmbedCtxt=KNX ETS6", "EmbedCtxt=Mine", "group"),
        ("Desc=Made", "Desc=Not made", "description"),
    ],
)
def test_one_field_that_drifted_is_corrected(old: str, new: str, field: str) -> None:
    before = right()
    text = local_rules(before)[FOUR[0]].write()
    assert old in text
    drifted = with_rule(before, FOUR[0], text.replace(old, new))
    finding = judge(drifted)[RULE]
    assert finding.status is Status.FAIL
    assert finding.reason == f"ETS6-ETS6N-TCP-In differs in {field}."
    after, changes = fix(drifted)
    assert subjects(changes) == [FOUR[0]]
    assert [
        key for key in changes[0].before if changes[0].before[key] != changes[0].after[key]
    ] == [field]
    assert local_rules(after)[FOUR[0]].write() == text
    # One operation that brings every field to what is wanted: nothing in between where no rule exists.
    assert [type(step) for step in changes[0].operations] == [SetFirewallRule]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (N, N.lower()),
        (N, r"%ProgramFiles(x86)%\ETS6\ETS6N.exe"),
        (N, r"C:\PROGRA~2\ETS6\ETS6N.exe"),
        ("v2.30", "v2.27"),
        ("Profile=Domain|Profile=Private", "Profile=Private|Profile=Domain"),
        ("Action=Allow", "action=ALLOW"),
    ],
)
def test_another_spelling_is_not_drift(old: str, new: str) -> None:
    before = right()
    text = local_rules(before)[FOUR[0]].write()
    assert old in text
    assert fix(with_rule(before, FOUR[0], text.replace(old, new)))[1] == []


def test_a_diff_shows_only_what_drifted() -> None:
    before = right()
    text = local_rules(before)[FOUR[0]].write()
    (change,) = fix(
        with_rule(before, FOUR[0], text.replace(N, N.lower()).replace("Profile=Private|", ""))
    )[1]
    assert [key for key in change.before if change.before[key] != change.after[key]] == ["profiles"]


def test_a_managed_rule_turned_into_a_block_is_corrected_and_not_removed() -> None:
    before = right()
    for direction in ("In", "Out"):
        text = (
            local_rules(before)[FOUR[0]]
            .write()
            .replace("Action=Allow", "Action=Block")
            .replace("Dir=In", f"Dir={direction}")
        )
        for blocks in ("prompt", "all"):
            after, changes = fix(with_rule(before, FOUR[0], text), blocks=blocks)
            assert subjects(changes) == [FOUR[0]]
            assert isinstance(changes[0].operations[-1], SetFirewallRule)
            assert failing(judge(after, blocks=blocks)) == set()


def test_the_rule_s_id_in_other_letter_case_is_the_same_rule() -> None:
    before = right()
    text = local_rules(before)[FOUR[0]].write()
    values = {
        name.upper(): ["REG_SZ", found.write()] for name, found in local_rules(before).items()
    }
    assert text
    snapshot = pc({}, keys={f"{LOCAL}\\FirewallRules": {"state": "present", "values": values}})
    assert fix(snapshot)[1] == []


def test_a_malformed_managed_rule_is_made_again() -> None:
    broken = with_rule(right(), FOUR[0], "v2.30|Action=Allow|Dir=Sideways|")
    assert judge(broken)[RULE].reason == "ETS6-ETS6N-TCP-In exists, but cannot be read as a rule."
    after, changes = fix(broken)
    assert [type(step) for step in changes[0].operations] == [SetFirewallRule]
    assert failing(judge(after)) == set()


@pytest.mark.parametrize(
    "wanted",
    [
        ["192.168.1.0/24"],
        ["LocalSubnet"],
        ["10.0.0.5-10.0.0.9", "fd00::/8"],
        ["DNS", "172.16.0.1"],
        ["LocalSubnet4", "Intranet"],
    ],
)
def test_remote_addresses_are_honoured_and_settle(wanted: list[str]) -> None:
    after, changes = fix(pc({}), remote_addresses=wanted)
    assert sorted(changes[0].after["remote addresses"]) == sorted(wanted)
    assert fix(after, remote_addresses=wanted)[1] == []
    assert failing(judge(after, remote_addresses=wanted)) <= {"firewall.active_profile"}
    # Without the restriction the rules are too narrow, and are widened again.
    assert subjects(fix(after)[1]) == FOUR


networks = st.ip_addresses(v=4, network="10.0.0.0/8").flatmap(
    lambda address: st.integers(9, 32).map(
        lambda length: str(ipaddress.IPv4Network((int(address), length), strict=False))
    )
)
networks6 = st.ip_addresses(v=6, network="fd00::/8").flatmap(
    lambda address: st.integers(9, 128).map(
        lambda length: str(ipaddress.IPv6Network((int(address), length), strict=False))
    )
)


@given(st.lists(networks | networks6 | st.sampled_from(sorted(KEYWORDS)), min_size=1, max_size=6))
@settings(max_examples=60)
def test_any_remote_addresses_settle_at_once(wanted: list[str]) -> None:
    after, changes = fix(pc({}), remote_addresses=wanted)
    assert subjects(changes) == FOUR
    assert fix(after, remote_addresses=wanted)[1] == []
    assert judge(after, remote_addresses=wanted)["firewall.inbound.ets6c.udp"].status is Status.PASS


def test_profiles_are_honoured() -> None:
    after, changes = fix(right(), profiles=["public"])
    assert changes[0].before["profiles"] == ["Domain", "Private"]
    assert changes[0].after["profiles"] == ["Public"]
    assert local_rules(after)[FOUR[0]].profiles == {"public"}


# Where ETS6 is installed


def test_a_moved_ets6_is_followed() -> None:
    moved = [rf"{NATIVE}\ETS6N.exe", rf"{NATIVE}\ETS6C.exe"]
    before = right()
    snapshot = pc(
        {name: found.write() for name, found in local_rules(before).items()},
        files=moved,
        missing=[N, C],
    )
    after, changes = fix(snapshot)
    assert subjects(changes) == FOUR
    assert (changes[0].before["program"], changes[0].after["program"]) == (N, moved[0])
    assert failing(judge(after)) == set()


def test_each_folder_has_its_rules_in_a_fixed_order() -> None:
    places = [rf"{NATIVE}\ETS6N.exe", N, r"C:\Program Files\Tools\ETS6N.exe"]
    after, changes = fix(pc({}, files=[*places, C]))
    found = {name: item.app for name, item in local_rules(after).items() if "ETS6N-TCP" in name}
    assert found == {
        "ETS6-ETS6N-TCP-In": N,
        "ETS6-ETS6N-TCP-In-2": places[0],
        "ETS6-ETS6N-TCP-In-3": places[2],
    }
    assert failing(judge(after)) == set()
    again = pc({}, files=[C, *reversed(places)])
    assert subjects(fix(again)[1]) == subjects(changes)
    # One place gone: its rules move up, and the last one is left over.
    fewer = pc(
        {name: item.write() for name, item in local_rules(after).items()},
        files=[N, C, places[2]],
        missing=[places[0]],
    )
    assert set(subjects(fix(fewer)[1])) == {
        "ETS6-ETS6N-TCP-In-2",
        "ETS6-ETS6N-UDP-In-2",
        "ETS6-ETS6N-TCP-In-3",
        "ETS6-ETS6N-UDP-In-3",
    }
    assert failing(judge(fix(fewer)[0])) == set()


def test_drives_and_short_names_are_one_folder() -> None:
    snapshot = pc(
        {}, files=[r"D:\ETS6\ETS6N.exe", r"E:\ETS6\ETS6N.exe", r"C:\PROGRA~2\ETS6\ETS6N.EXE", N, C]
    )
    findings = judge(snapshot, paths=[r"*:\ETS6", r"%ProgramFiles(x86)%\ETS6"])
    assert findings["firewall.programs"].evidence["ETS6N.exe"]["found"][:2] == [
        r"D:\ETS6\ETS6N.exe",
        r"E:\ETS6\ETS6N.exe",
    ]
    assert len(findings["firewall.programs"].evidence["ETS6N.exe"]["found"]) == 3


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Users\ann\Downloads\ETS6N.exe",
        r"C:\ProgramData\x\ETS6N.exe",
        r"E:\profiles\bob\ETS6N.exe",
        r"C:\evil\ETS6N.exe",
        r"C:\Windows\Tasks\ETS6N.exe",
        r"C:\Program Files evil\ETS6N.exe",
        r"D:\Program Files\ETS6N.exe",
    ],
)
def test_a_copy_in_a_folder_of_users_gets_no_rule(path: str) -> None:
    users = [{"sid": "S-1-5-21-1", "profile": r"E:\profiles\bob"}]
    folder = path.split("\\")[-2]
    snapshot = pc(
        {PROMPT_TCP: prompt(App=path)},
        files=[N, C, path],
        users=users,
        access=access([path], **{folder: BELOW_C}),
    )
    findings = judge(snapshot)
    assert findings["firewall.programs"].status is Status.PASS
    assert "is ignored" in findings["firewall.programs"].reason
    assert subjects(fix(snapshot)[1]) == FOUR
    meant = judge(snapshot, paths=[path.rpartition("\\")[0]])
    assert meant["firewall.programs"].evidence["ETS6N.exe"]["found"][0] == path


@pytest.mark.parametrize(
    "path",
    [
        r"\\server\share\ETS6N.exe",
        r"C:\Program Files\..\evil\ETS6N.exe",
        r"C:\Program Files\x/../../evil\ETS6N.exe",
        r"C:\Program Files\x\../../evil/ETS6N.exe",
        r"C:\Tools\ETS6N.exe",
    ],
)
def test_a_copy_of_which_nothing_is_known_gets_no_rule(path: str) -> None:
    snapshot = pc({PROMPT_TCP: prompt(App=path)}, files=[N, C, path])
    findings = judge(snapshot)
    assert findings["firewall.programs"].status is Status.UNKNOWN
    assert not [change for change in fix(snapshot)[1] if path in str(change.operations)]


def test_of_a_copy_in_an_image_the_access_is_not_asked() -> None:
    path = r"C:\Tools\ETS6N.exe"
    findings = judge(pc({PROMPT_TCP: prompt(App=path)}, files=[N, C, path], offline=True))
    assert f"{path} is ignored, since ordinary users may" in findings["firewall.programs"].reason


@pytest.mark.parametrize("name", ["Straße.exe", "µTool.exe", "ETS6-ς.exe"])
def test_rules_of_a_program_are_known_whatever_its_letters(name: str) -> None:
    path = rf"C:\Program Files (x86)\KNX\ETS6\{name}"
    policy = {"programs": ["ETS6N.exe", name]}
    ready, _changes = fix(pc(files=[N, C, path]), **policy)
    assert not failing(judge(ready, **policy))
    findings = judge(ready, **policy, state="absent")
    of_program = [
        finding
        for control, finding in findings.items()
        if control.startswith("firewall.rule.") and "ets6n" not in control
    ]
    assert {finding.status for finding in of_program} == {Status.FAIL}
    assert findings["firewall.stale_rules"].status is Status.PASS


def test_ets6_not_installed() -> None:
    snapshot = pc(
        {name: item.write() for name, item in local_rules(right()).items()},
        files=[],
        missing=[N, C],
    )
    findings = judge(snapshot)
    assert failing(findings) == {"firewall.programs", "firewall.stale_rules"}
    assert findings[RULE].status is Status.NOT_APPLICABLE
    after, _changes = fix(snapshot)
    assert local_rules(after) == {}
    assert failing(judge(after)) == {"firewall.programs"}


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty() -> None:
    snapshot = pc(
        {name: item.write() for name, item in local_rules(right()).items()},
        files=[C],
        unreadable=[N],
    )
    findings = judge(snapshot)
    assert findings["firewall.programs"].status is Status.UNKNOWN
    assert findings[RULE].status is Status.UNKNOWN
    assert "access is denied" in findings[RULE].reason
    assert fix(snapshot)[1] == []


def test_a_reply_that_says_nothing_of_files_costs_no_rule() -> None:
    rules = {name: item.write() for name, item in local_rules(right()).items()}
    snapshot = pc(rules, files=[], errors={"files": "the search was cut off"})
    findings = judge(snapshot)
    assert findings["firewall.programs"].status is Status.UNKNOWN
    assert "the search was cut off" in findings["firewall.programs"].reason
    assert fix(snapshot)[1] == []


# Blocks


def test_a_cancelled_prompt() -> None:
    strange = "TCP Query User{[*?]}C:\\program files (x86)\\ets6\\ets6n.exe"
    namesake = rule(Action="Block", App=r"C:\other\x.exe", Name="ETS6")
    snapshot = pc(
        {
            PROMPT_TCP: prompt(),
            PROMPT_UDP: prompt(Protocol="17"),
            strange: prompt(App=N.upper()),
            "{1}": namesake,
        }
    )
    findings = judge(snapshot)
    assert findings["firewall.prompt_blocks"].status is Status.FAIL
    after, changes = fix(snapshot)
    removed = [
        step
        for change in changes
        for step in change.operations
        if isinstance(step, RemoveFirewallRule)
    ]
    assert removed == [
        RemoveFirewallRule(PROMPT_TCP),
        RemoveFirewallRule(strange),
        RemoveFirewallRule(PROMPT_UDP),
    ]
    assert set(local_rules(after)) == {*FOUR, "{1}"}
    assert failing(judge(after)) == set()


def test_prompt_blocks_stay_where_the_user_says_so() -> None:
    snapshot = pc({PROMPT_TCP: prompt()})
    finding = judge(snapshot, blocks="none")["firewall.prompt_blocks"]
    assert finding.status is Status.FAIL
    assert not finding.remedy
    assert "ets6_network_blocks is none" in finding.reason


@pytest.mark.parametrize(
    "text",
    [
        prompt(Action="Allow"),
        prompt(Active="FALSE"),
        prompt(App=r"C:\other\ets6n.exe"),
        prompt(Dir="Out", Active="FALSE"),
    ],
)
def test_what_only_looks_like_a_prompt_s_block(text: str) -> None:
    assert judge(pc({PROMPT_TCP: text}))["firewall.prompt_blocks"].status is Status.PASS


def test_a_deliberate_block_is_reported_and_removed_only_on_demand() -> None:
    snapshot = pc(
        {
            "{7}": rule(Action="Block", Name="No ETS"),
            "{8}": rule(Action="Block", Dir="Out", App=C, Protocol="6"),
        }
    )
    finding = judge(snapshot)["firewall.deliberate_blocks"]
    assert finding.status is Status.FAIL
    assert not finding.remedy
    assert (
        "Rule 'No ETS' ({7}, local rules) keeps ETS6N.exe from receiving in domain, private and public"
        in finding.reason
    )
    after, changes = fix(snapshot, blocks="all")
    assert {"{7}", "{8}"} <= set(subjects(changes))
    assert failing(judge(after, blocks="all")) == set()


def test_a_block_for_every_program_or_of_a_policy_is_not_removed() -> None:
    snapshot = pc(
        {"all": rule(Action="Block", App=None, Protocol="17")},
        group_policy={"gp": rule(Action="Block", Protocol="6")},
    )
    finding = judge(snapshot, blocks="all")["firewall.deliberate_blocks"]
    assert finding.status is Status.FAIL
    assert not finding.remedy
    assert "Not removed, since it is for every program: all." in finding.reason
    assert "Not removed, since an administrator's policy sets it: gp." in finding.reason
    assert finding.advice.startswith("Change in the policy that sets it: rule 'test' (gp, ")
    assert " Narrow rule 'test' (all, local rules), so that" in finding.advice
    assert "Remove" not in judge(snapshot)["firewall.inbound.ets6n.udp"].advice


def test_what_a_prompt_cannot_have_made_is_deliberate() -> None:
    findings = judge(pc({PROMPT_TCP: prompt(Dir="Out")}, group_policy={PROMPT_UDP: prompt()}))
    assert findings["firewall.prompt_blocks"].status is Status.PASS
    assert {
        block["rule"] for block in findings["firewall.deliberate_blocks"].evidence["blocks"]
    } == {PROMPT_TCP, PROMPT_UDP}


def test_a_block_of_system_ports_blocks_nothing_of_ets6() -> None:
    hardened = pc({"{7}": rule(Action="Block", App=None, Protocol="6", LPort=["135", "445"])})
    assert judge(hardened)["firewall.deliberate_blocks"].status is Status.PASS


def test_a_block_in_a_profile_that_is_not_wanted_is_let_alone() -> None:
    assert (
        judge(pc({"{7}": rule(Action="Block", Profile="Public")}))[
            "firewall.deliberate_blocks"
        ].status
        is Status.PASS
    )


# Administrators' policies


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            {
                "group_policy_profiles": {
                    "DomainProfile": {"AllowLocalPolicyMerge": 0},
                    "PrivateProfile": {"AllowLocalPolicyMerge": 0},
                }
            },
            "AllowLocalPolicyMerge = 0",
        ),
        (
            {
                "group_policy_profiles": {
                    "DomainProfile": {"DoNotAllowExceptions": 1},
                    "PrivateProfile": {"DoNotAllowExceptions": 1},
                }
            },
            "DoNotAllowExceptions = 1",
        ),
        (
            {
                "profiles": {
                    "DomainProfile": {"DoNotAllowExceptions": 1},
                    "StandardProfile": {"DoNotAllowExceptions": 1},
                }
            },
            "DoNotAllowExceptions = 1",
        ),
        (
            {"group_policy": {"gp": rule(Action="Block", App=None, Name="No")}},
            "blocked by rule 'No' (gp, Group Policy)",
        ),
    ],
)
def test_a_rule_without_effect_is_not_written_and_the_policy_is_named(
    arguments: dict[str, Any], named: str
) -> None:
    snapshot = pc({}, **arguments)
    findings = judge(snapshot)
    assert findings[RULE].status is Status.FAIL
    assert named in findings[RULE].reason
    assert "It is not written" in findings[RULE].reason
    assert findings["firewall.inbound.ets6n.tcp"].status is Status.FAIL
    assert named in findings["firewall.inbound.ets6n.tcp"].reason
    assert fix(snapshot)[1] == []


def test_rules_are_written_where_the_firewall_is_switched_off() -> None:
    off = {"DomainProfile": {"EnableFirewall": 0}, "PrivateProfile": {"EnableFirewall": 0}}
    findings = judge(pc({}, group_policy_profiles=off))
    assert findings["firewall.inbound.ets6n.tcp"].status is Status.PASS
    assert subjects(list(findings[RULE].remedy)) == FOUR[:1]
    ignored = {key: {**values, "AllowLocalPolicyMerge": 0} for key, values in off.items()}
    assert fix(pc({}, group_policy_profiles=ignored))[1] == []


def test_a_rule_that_helps_in_one_wanted_profile_is_written() -> None:
    snapshot = pc({}, group_policy_profiles={"PublicProfile": {"AllowLocalPolicyMerge": 0}})
    after, changes = fix(snapshot, profiles=["private", "public"])
    assert subjects(changes) == FOUR
    findings = judge(after, profiles=["private", "public"])
    assert findings[RULE].status is Status.PASS
    assert findings["firewall.inbound.ets6n.tcp"].status is Status.FAIL


def test_where_a_policy_lets_ets6_through_nothing_is_missing() -> None:
    merge = {"AllowLocalPolicyMerge": 0}
    policy = {"n": rule(App=N), "c": rule(App=C)}
    snapshot = pc(
        {},
        group_policy=policy,
        group_policy_profiles={"DomainProfile": merge, "PrivateProfile": merge},
    )
    findings = judge(snapshot)
    assert findings[RULE].status is Status.NOT_APPLICABLE
    assert failing(findings) == set()
    assert fix(snapshot)[1] == []


def test_a_policy_s_rule_with_our_id_is_the_one_that_counts() -> None:
    snapshot = pc({}, group_policy={FOUR[0].upper(): rule(Profile="Public", Name="Theirs")})
    finding = judge(snapshot)[RULE]
    assert finding.status is Status.FAIL
    assert "Rule 'Theirs' (ETS6-ETS6N-TCP-IN, Group Policy) has the same id" in finding.reason
    after, changes = fix(snapshot)
    assert subjects(changes) == FOUR[1:]
    assert judge(after)["firewall.inbound.ets6n.tcp"].status is Status.FAIL
    allowed = pc({FOUR[0]: rule(Action="Block")}, group_policy={FOUR[0]: rule()})
    assert judge(allowed)["firewall.inbound.ets6n.tcp"].status is Status.PASS


def test_a_block_that_may_not_count_is_unknown_and_goes_with_all() -> None:
    snapshot = pc({"{7}": rule(Action="Block", Zz="1")})
    assert judge(snapshot)["firewall.deliberate_blocks"].status is Status.UNKNOWN
    after, changes = fix(snapshot, blocks="all")
    assert "{7}" in subjects(changes)
    assert failing(judge(after, blocks="all")) == set()


def test_local_blocks_that_do_not_count_are_let_alone() -> None:
    merge = {"AllowLocalPolicyMerge": 0}
    keys = {"DomainProfile": merge, "PrivateProfile": merge, "PublicProfile": merge}
    snapshot = pc({PROMPT_TCP: prompt()}, group_policy_profiles=keys)
    assert judge(snapshot)["firewall.prompt_blocks"].status is Status.PASS


# Which firewall is active


@pytest.mark.parametrize(
    ("sections", "status", "named"),
    [
        ({"firewall_products": [{"name": "Norton", "enabled": True}]}, Status.FAIL, "Norton"),
        (
            {"services": {"MpsSvc": "Stopped", "BFE": "Running"}},
            Status.FAIL,
            "MpsSvc (Windows Defender Firewall) is Stopped",
        ),
        (
            {"services": {"MpsSvc": "Running"}},
            Status.FAIL,
            "BFE (Base Filtering Engine) is not installed",
        ),
    ],
)
def test_another_firewall_is_active(sections: dict[str, Any], status: Status, named: str) -> None:
    snapshot = pc(
        {PROMPT_TCP: prompt(), "ETS6-OLD-TCP-In": rule(EmbedCtxt="KNX ETS6", App=r"D:\old.exe")},
        **sections,
    )
    findings = judge(snapshot)
    assert findings["firewall.stale_rules"].status is Status.FAIL
    assert findings["firewall.in_charge"].status is status
    for control in (
        "firewall.in_charge",
        RULE,
        "firewall.inbound.ets6n.tcp",
        "firewall.outbound.ets6c.udp",
        "firewall.active_profile",
    ):
        assert findings[control].status in (status, Status.UNKNOWN)
        assert named in findings[control].reason
    assert fix(snapshot)[1] == []


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"firewall_products": [{"name": "Odd", "enabled": None}]}, "Odd"),
        (
            {"firewall_products": None, "errors": {"firewall_products": "no such namespace"}},
            "no such namespace",
        ),
        ({"services": None, "errors": {"services": "denied"}}, "denied"),
    ],
)
def test_which_firewall_is_active_may_be_unknown(sections: dict[str, Any], named: str) -> None:
    snapshot = pc({}, **sections)
    finding = judge(snapshot)["firewall.in_charge"]
    assert finding.status is Status.UNKNOWN
    assert named in finding.reason
    assert subjects(fix(snapshot)[1]) == FOUR


def test_an_mdm_policy_for_one_profile_is_judged_as_far_as_it_goes() -> None:
    snapshot = pc({}, mdm_profiles={"DomainProfile": {"AllowLocalPolicyMerge": 0}})
    after, changes = fix(snapshot)
    assert subjects(changes) == FOUR
    findings = judge(after)
    assert findings["firewall.in_charge"].status is Status.PASS
    assert "AllowLocalPolicyMerge = 0" in findings["firewall.inbound.ets6n.tcp"].reason


def test_a_product_that_is_switched_off_is_not_active() -> None:
    assert (
        judge(pc({}, firewall_products=[{"name": "Norton", "enabled": False}]))[
            "firewall.in_charge"
        ].status
        is Status.PASS
    )


# Profiles


def test_a_public_network_is_said() -> None:
    finding = judge(fix(pc({}, network=["public"]))[0])["firewall.active_profile"]
    assert finding.status is Status.FAIL
    assert "The PC is on a public network now" in finding.reason
    assert "Public is not in ets6_network_profiles." in finding.reason
    assert finding.evidence["outcomes"] == {
        "domain": "allowed",
        "private": "allowed",
        "public": "blocked",
    }


def test_a_private_network_with_a_public_one_to_come() -> None:
    finding = judge(right())["firewall.active_profile"]
    assert finding.status is Status.PASS
    assert (
        "On a public network, which is not active now, ETS6 could not receive everything."
        in finding.reason
    )


@pytest.mark.parametrize(
    ("sections", "status"),
    [
        ({"network": None, "errors": {"network": "why"}}, Status.UNKNOWN),
        ({"network": []}, Status.NOT_APPLICABLE),
        ({"network": None, "offline": True}, Status.NOT_APPLICABLE),
    ],
)
def test_no_active_profile(sections: dict[str, Any], status: Status) -> None:
    assert judge(pc({}, **sections))["firewall.active_profile"].status is status


# Outbound


@pytest.mark.parametrize("outbound", ["auto", "always", "never"])
@pytest.mark.parametrize("blocked", [False, True])
def test_outbound_rules(outbound: str, blocked: bool) -> None:
    action = {"DefaultOutboundAction": int(blocked)}
    snapshot = pc({}, profiles={"DomainProfile": action, "StandardProfile": action})
    after, changes = fix(snapshot, outbound=outbound, remote_addresses=["LocalSubnet"])
    made = [name for name in subjects(changes) if "-Out" in name]
    assert len(made) == (4 if outbound == "always" or (outbound == "auto" and blocked) else 0)
    assert all(
        "Any" in change.after["remote addresses"] for change in changes if "-Out" in change.subject
    )
    status = judge(after, outbound=outbound)["firewall.outbound.ets6n.tcp"].status
    assert status is (Status.FAIL if blocked and outbound == "never" else Status.PASS)
    assert fix(after, outbound=outbound, remote_addresses=["LocalSubnet"])[1] == []


def test_outbound_rules_have_an_effect_where_all_inbound_is_blocked() -> None:
    values = {"DefaultOutboundAction": 1, "DoNotAllowExceptions": 1}
    after, changes = fix(pc({}, profiles={"DomainProfile": values, "StandardProfile": values}))
    assert len(changes) == 4
    assert all("-Out" in change.subject for change in changes)
    assert judge(after)["firewall.outbound.ets6n.tcp"].status is Status.PASS


def test_an_outbound_rule_that_is_no_longer_needed_is_left_over() -> None:
    after, _changes = fix(pc({}), outbound="always")
    again, changes = fix(after, outbound="auto")
    assert sorted(subjects(changes)) == [
        "ETS6-ETS6C-TCP-Out",
        "ETS6-ETS6C-UDP-Out",
        "ETS6-ETS6N-TCP-Out",
        "ETS6-ETS6N-UDP-Out",
    ]
    assert failing(judge(again)) == set()


def test_the_profiles_in_which_traffic_is_blocked_come_first() -> None:
    finding = judge(pc({"one": rule(Profile="Domain")}))["firewall.inbound.ets6n.tcp"]
    assert finding.status is Status.FAIL
    assert finding.reason.startswith("Private: blocked by default"), finding.reason
    assert " Domain: allowed by rule" in finding.reason


def test_an_outbound_block_by_a_rule_is_no_reason_for_an_allow_rule() -> None:
    snapshot = pc({"{9}": rule(Action="Block", Dir="Out")})
    finding = judge(snapshot)["firewall.outbound.ets6n.tcp"]
    assert finding.status is Status.FAIL
    assert "blocked by rule 'test' ({9}, local rules)" in finding.reason
    assert "Remove-NetFirewallRule -Name '{9}'" in finding.advice
    assert not finding.remedy


def test_outbound_rules_without_effect_are_not_written() -> None:
    values = {"DefaultOutboundAction": 1, "AllowLocalPolicyMerge": 0}
    snapshot = pc({}, group_policy_profiles={"DomainProfile": values, "PrivateProfile": values})
    finding = judge(snapshot)["firewall.outbound.ets6n.udp"]
    assert finding.status is Status.FAIL
    assert "would have no effect" in finding.reason
    assert "AllowLocalPolicyMerge = 0" in finding.reason
    assert fix(snapshot)[1] == []


# Answers to discovery


def test_answers_that_are_dropped_unless_a_rule_lets_them_in() -> None:
    dropped = {"StandardProfile": {"DisableUnicastResponsesToMulticastBroadcast": 1}}
    name = "firewall.multicast_answers"
    snapshot = pc({}, profiles=dropped)
    finding = judge(snapshot)[name]
    assert finding.status is Status.FAIL
    assert not finding.remedy
    assert "DisableUnicastResponsesToMulticastBroadcast = 1" in finding.reason
    assert judge(fix(snapshot)[0])[name].status is Status.PASS


def test_answers_are_allowed_where_the_user_asks() -> None:
    dropped = {"StandardProfile": {"DisableUnicastResponsesToMulticastBroadcast": 1}}
    finding = judge(pc({}, profiles=dropped), multicast_answers="allow")[
        "firewall.multicast_answers"
    ]
    assert (
        finding.advice == "Run ets6.network.enforce. It changes: firewall profile private."
    )  # and not to set what is set
    after, changes = fix(pc({}, profiles=dropped), multicast_answers="allow")
    (change,) = (change for change in changes if change.subject == "firewall profile private")
    assert change.operations[0].to_wire() == {"do": "allow_multicast_answers", "profile": "Private"}
    assert (
        judge(after, multicast_answers="allow")["firewall.multicast_answers"].status is Status.PASS
    )
    assert fix(after, multicast_answers="allow")[1] == []


def test_where_the_firewall_is_off_it_drops_no_answers() -> None:
    off = {
        "StandardProfile": {"DisableUnicastResponsesToMulticastBroadcast": 1, "EnableFirewall": 0}
    }
    assert (
        judge(pc({}, files=[], missing=[N, C], profiles=off))["firewall.multicast_answers"].status
        is Status.PASS
    )


def test_answers_are_judged_where_no_program_stands() -> None:
    dropped = {"StandardProfile": {"DisableUnicastResponsesToMulticastBroadcast": 1}}
    assert (
        judge(pc({}, files=[], missing=[N, C], profiles=dropped))[
            "firewall.multicast_answers"
        ].status
        is Status.FAIL
    )


def test_answers_that_a_policy_drops_stay_dropped() -> None:
    dropped = {"PrivateProfile": {"DisableUnicastResponsesToMulticastBroadcast": 1}}
    finding = judge(pc({}, group_policy_profiles=dropped), multicast_answers="allow")[
        "firewall.multicast_answers"
    ]
    assert finding.status is Status.FAIL
    assert not finding.remedy
    assert "A policy decides in private" in finding.reason


def test_where_everything_is_blocked_answers_are_too() -> None:
    values = {"DoNotAllowExceptions": 1, "DisableUnicastResponsesToMulticastBroadcast": 1}
    snapshot = pc(
        {},
        profiles={
            "StandardProfile": values,
            "DomainProfile": {"DisableUnicastResponsesToMulticastBroadcast": 1},
        },
    )
    finding = judge(snapshot, multicast_answers="allow")["firewall.multicast_answers"]
    assert finding.status is Status.FAIL
    assert (
        "In private all inbound traffic is blocked, answers to discovery included: DoNotAllowExceptions = 1"
        in finding.reason
    )
    assert [change.subject for change in finding.remedy] == ["firewall profile domain"], (
        "in private it would change nothing"
    )
    assert finding.evidence == {
        "dropped": {"domain": True, "private": True},
        "all_blocked": {"domain": False, "private": True},
    }
    only = pc({}, profiles={"StandardProfile": {"DoNotAllowExceptions": 1}})
    assert judge(only)["firewall.multicast_answers"].status is Status.FAIL
    off = pc({}, profiles={"StandardProfile": {"DoNotAllowExceptions": 1, "EnableFirewall": 0}})
    assert judge(off)["firewall.multicast_answers"].status is Status.PASS


@pytest.mark.parametrize("drops", [0, 1])
def test_answers_are_unknown_where_another_firewall_decides(drops: int) -> None:
    other = [{"name": "Norda Firewall", "enabled": True}]
    profiles = {"StandardProfile": {"DisableUnicastResponsesToMulticastBroadcast": drops}}
    finding = judge(pc({}, profiles=profiles, firewall_products=other), multicast_answers="allow")[
        "firewall.multicast_answers"
    ]
    assert (finding.status, "Norda Firewall" in finding.reason, list(finding.remedy)) == (
        Status.UNKNOWN,
        True,
        [],
    )


# Left over, malformed, unreadable


@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_a_replacement_left_that_was_broken_off_goes(state: str) -> None:
    made = local_rules(right())[FOUR[0]].write()
    kept = pc(
        {f"{FOUR[0]}-new": made.replace("|EmbedCtxt=KNX ETS6", "|RA4=10.0.0.1|EmbedCtxt=KNX ETS6")}
    )
    after, _changes = fix(kept, state=state)
    assert set(local_rules(after)) == (set(FOUR) if state == "present" else set())


def test_copies_and_rules_of_dropped_programs_are_left_over() -> None:
    before, _changes = fix(
        pc({}, files=[N, C, r"C:\Program Files (x86)\ETS6\ETS6.exe"]),
        programs=["ETS6.exe", "ETS6N.exe", "ETS6C.exe"],
    )
    copy = local_rules(before)[FOUR[0]].write().replace("Name=KNX", "Name=Copy of KNX")
    before = with_rule(before, "{C0}", copy)
    before = with_rule(before, "{C1}", copy.replace("Profile=Private", "Profile=Public"))
    before = with_rule(before, "ETS6-Mine", rule(Name="not ours"))
    before = with_rule(before, "ETS6-ETS6X-TCP-In", rule(Name="not ours either", App=r"C:\x.exe"))
    _after, changes = fix(before)
    assert sorted(subjects(changes)) == ["ETS6-ETS6-TCP-In", "ETS6-ETS6-UDP-In", "{C0}"]


def test_malformed_rules_are_reported() -> None:
    finding = judge(pc({"a": rule(), "bad": "v2.30|Action=Allow|Dir=In|LPort=x y|"}))[
        "firewall.malformed_rules"
    ]
    assert finding.status is Status.FAIL
    assert finding.evidence["problems"] == [
        "firewall rule 'bad': token LPort has the value 'x y': neither a port, nor a range of ports, nor a word (local rules)"
    ]


def test_a_firewall_that_cannot_be_read_is_unknown_and_untouched() -> None:
    snapshot = pc(
        {}, keys={f"{LOCAL}\\FirewallRules": {"state": "unreadable", "error": "access denied"}}
    )
    findings = judge(snapshot)
    unknown = {control for control, finding in findings.items() if finding.status is Status.UNKNOWN}
    assert unknown == set(findings) - {"firewall.in_charge", "firewall.programs"}
    assert "access denied" in findings[RULE].reason
    assert fix(snapshot)[1] == []


# Absent


def test_absent_takes_away_what_was_put_there_and_nothing_else() -> None:
    before, _changes = fix(
        pc({PROMPT_TCP: prompt(), "{1}": rule()}),
        outbound="always",
        programs=["ETS6N.exe", "ETS6C.exe"],
    )
    before = with_rule(before, PROMPT_TCP, prompt())
    before = with_rule(before, "ETS6-ETS6N-TCP-In-7", rule(EmbedCtxt="Mine"))
    after, changes = fix(before, state="absent", programs=["ETS6N.exe"])
    assert len(changes) == 8
    assert set(local_rules(after)) == {PROMPT_TCP, "{1}", "ETS6-ETS6N-TCP-In-7"}
    findings = judge(after, state="absent")
    assert failing(findings) == set()
    assert findings["firewall.inbound.ets6n.tcp"].status is Status.NOT_APPLICABLE
    assert fix(after, state="absent")[1] == []


# An image


def test_an_image_is_judged_by_its_hives() -> None:
    snapshot = pc({}, offline=True, network=None, services=None, firewall_products=None, users=None)
    findings = judge(snapshot)
    assert findings["firewall.in_charge"].status is Status.NOT_APPLICABLE
    assert findings["firewall.inbound.ets6n.tcp"].status is Status.FAIL
    after, changes = fix(snapshot)
    assert subjects(changes) == FOUR
    assert failing(judge(after)) == set()


def test_every_finding_can_be_written_to_the_report() -> None:
    for snapshot in (pc({}), pc({PROMPT_TCP: prompt(), "bad": "v2"}, network=["public"]), right()):
        for finding in judge(snapshot).values():
            json.dumps(finding.to_wire())
            assert finding.reason[0].isupper() or finding.reason[0].isdigit()
            assert finding.reason.endswith((".", ")"))


def test_two_findings_never_ask_for_two_different_things() -> None:
    snapshot = pc({PROMPT_TCP: prompt(), "{7}": rule(Action="Block")})
    found = []
    for finding in judge(snapshot, blocks="all", outbound="always").values():
        found += finding.remedy
    by_subject = {change.subject: change for change in found}
    assert all(by_subject[change.subject] == change for change in found)
    assert len(remedies(judge(snapshot, blocks="all", outbound="always").values())) == len(
        by_subject
    )


def test_a_hostile_pc_gets_no_control_characters_into_reports_and_no_endless_texts() -> None:
    evil = "TCP Query User{\x1b[2J\x07\ud800}" + "x" * 16_000
    snapshot = pc(
        {
            evil: prompt(Name="\x1b]0;owned\x07" + "y" * 20_000),
            "\x1b": "v2.30|\x1b" * 5000,
            "{2}": rule(Name="a\nb"),
        }
    )
    findings = judge(snapshot)
    for finding in findings.values():
        assert finding.reason.isprintable()
        assert len(finding.reason) <= 4000
        text = json.dumps(finding.to_wire(), ensure_ascii=False)
        text.encode()
        assert text.isprintable()
        assert len(text) < 100_000
    (change,) = findings["firewall.prompt_blocks"].remedy
    assert change.subject.isprintable()
    assert change.operations == [RemoveFirewallRule(evil)]
    assert failing(judge(fix(snapshot)[0])) == {"firewall.malformed_rules"}
