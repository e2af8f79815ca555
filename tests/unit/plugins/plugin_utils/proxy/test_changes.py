# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the remedies write, that a failure half-way leaves nothing behind, and that removal puts back what was there."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.records import (
    MACHINE_RECORDS as RECORDS,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    MINE,
    OTHER,
    fix,
    judge,
    raw,
    registry,
    second_user,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.pc import (
    INTERNET,
    INTERNET_POLICY,
    MACHINE_INTERNET,
    MACHINE_INTERNET_32,
    NETSH_VARIANTS,
    PROFILE_LIST,
    USER,
    WINHTTP_KEYS,
    Pc,
    connection_blob,
    winhttp_blob,
)

BLOBS = ("DefaultConnectionSettings", "SavedLegacySettings")
DEFAULT = rf"FILE\C:\Users\Default\NTUSER.DAT\{INTERNET}"
NAMED = {
    "mode": "named",
    "server": "proxy.example.com:3128",
    "bypass": ["<local>", "*.example.com"],
}


def without_records(text: str) -> dict[str, Any]:
    """Return a registry without this collection's keys, and without keys that hold nothing."""
    found: dict[str, Any] = json.loads(text)
    return {
        path: key
        for path, key in found.items()
        if not path.endswith(r"ets6.network\Proxy") and key["values"]
    }


def test_a_named_proxy_for_the_machine() -> None:
    pc = Pc("pc")
    changes, outcomes = fix(pc, proxy=NAMED)
    assert {outcome["state"] for outcome in outcomes} == {"done"}
    assert [change.subject for change in changes] == [
        "WinINET proxy, the machine-wide settings",
        "WinINET proxy, the machine-wide settings of 32-bit programs",
        "ProxySettingsPerUser", "WinHTTP proxy",
    ]  # fmt: skip
    assert values(pc, INTERNET_POLICY)["ProxySettingsPerUser"] == ["REG_DWORD", 0]
    first, second = (raw(pc, MACHINE_INTERNET + r"\Connections", name) for name in BLOBS)
    text = b"\x16\0\0\0proxy.example.com:3128\x15\0\0\0<local>;*.example.com\0\0\0\0"
    assert first == second == b"\x46\0\0\0\x01\0\0\0\x03\0\0\0" + text + bytes(32)
    plain = values(pc, MACHINE_INTERNET)
    assert plain["ProxyEnable"] == ["REG_DWORD", 1]
    assert plain["ProxyServer"] == ["REG_SZ", "proxy.example.com:3128"]
    assert plain["ProxyOverride"] == ["REG_SZ", "<local>;*.example.com"]
    assert plain["EnableHttp1_1"] == ["REG_DWORD", 1], "what else stands there stays"
    assert {finding.status for finding in judge(pc, proxy=NAMED).values()} <= {
        Status.PASS,
        Status.UNKNOWN,
    }
    assert fix(pc, proxy=NAMED)[0] == []


def test_for_users_every_profile_is_set_and_the_one_to_come() -> None:
    pc = Pc("pc")
    key = second_user(pc)
    pc.set(
        rf"{PROFILE_LIST}\S-1-5-20",
        ProfileImagePath=["REG_EXPAND_SZ", r"C:\Windows\ServiceProfiles\NetworkService"],
    )
    pc._wininet(rf"HKU\S-1-5-20\{INTERNET}", 1, "", "", "")
    service = json.dumps(values(pc, rf"HKU\S-1-5-20\{INTERNET}\Connections"))
    fix(pc, proxy={**NAMED, "scope": "users"})
    for place in (MINE, key, DEFAULT):
        assert raw(pc, place + r"\Connections", BLOBS[0])[8] == 3
        assert values(pc, place)["ProxyServer"] == ["REG_SZ", "proxy.example.com:3128"]
    assert json.dumps(values(pc, rf"HKU\S-1-5-20\{INTERNET}\Connections")) == service, (
        "a service can never run ETS6"
    )
    assert judge(pc, proxy={**NAMED, "scope": "users"})["proxy.wininet"].status is Status.PASS


def test_the_counter_goes_up_from_the_higher_one_and_tail_and_version_stay() -> None:
    pc = Pc("pc")
    base = b"\x3c\0\0\0\x06\0\0\0\x09\0\0\0" + bytes(12) + b"tail of detection"
    for name, counter in zip(BLOBS, (6, 15), strict=True):
        data = base64.b64encode(base[:4] + bytes([counter]) + base[5:]).decode()
        pc.set(MINE + r"\Connections", **{name: ["REG_BINARY", data]})
    fix(pc, proxy={"mode": "direct", "scope": "users"})
    expected = b"\x3c\0\0\0\x10\0\0\0\x01\0\0\0" + bytes(12) + b"tail of detection"
    assert [raw(pc, MINE + r"\Connections", name) for name in BLOBS] == [expected, expected]


@pytest.mark.parametrize(
    ("setting", "flags", "plain"),
    [
        ({"mode": "direct"}, 1, {"ProxyEnable": 0}),
        ({"mode": "autodetect"}, 9, {"ProxyEnable": 0}),
        (
            {"mode": "pac", "pac_url": "http://p/x.pac"},
            5,
            {"ProxyEnable": 0, "AutoConfigURL": "http://p/x.pac"},
        ),
        ({"mode": "named", "server": "p:1"}, 3, {"ProxyEnable": 1, "ProxyServer": "p:1"}),
    ],
)
@pytest.mark.parametrize(
    "before", [(1, "", "", ""), (15, "old:1", "*.old", "http://old/x.pac"), (3, "old:1", "", "")]
)
def test_every_mode_from_every_other(
    setting: dict[str, str], flags: int, plain: dict[str, Any], before: tuple[int, str, str, str]
) -> None:
    pc = Pc("pc")
    pc.user_proxy(*before)
    policy: dict[str, Any] = {"proxy": {**setting, "scope": "users"}}
    fix(pc, **policy)
    assert raw(pc, MINE + r"\Connections", BLOBS[0])[8:12] == flags.to_bytes(4, "little")
    found = values(pc, MINE)
    assert {name: found[name][1] for name in plain} == plain
    assert "AutoConfigURL" in plain or "AutoConfigURL" not in found
    assert "ProxyOverride" not in found or setting["mode"] != "named"
    assert judge(pc, **policy)["proxy.wininet"].status is Status.PASS
    assert fix(pc, **policy)[0] == []


def test_for_users_the_machine_s_settings_no_longer_count() -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    fix(pc, proxy={"mode": "named", "server": "p:1", "scope": "users"})
    pc.machine_proxy("old:3")
    policy: dict[str, Any] = {"proxy": {"mode": "named", "server": "p:1", "scope": "users"}}
    finding = judge(pc, **policy)["proxy.wininet"]
    assert (finding.status, [change.subject for change in finding.remedy]) == (
        Status.FAIL,
        ["ProxySettingsPerUser"],
    )
    assert (
        "ProxySettingsPerUser is 0, so the machine's settings count for every user."
        in finding.reason
    )
    fix(pc, **policy)
    assert "ProxySettingsPerUser" not in values(pc, INTERNET_POLICY)
    assert judge(pc, **policy)["proxy.wininet"].status is Status.PASS


def test_winhttp_is_given_no_socks_and_nothing_for_ftp() -> None:
    pc = Pc("pc")
    policy: dict[str, Any] = {
        "proxy": {"mode": "named", "server": "socks=s:9;http=a:1;FTP=f:2;https=b:3"}
    }
    fix(pc, **policy)
    for key in WINHTTP_KEYS:
        assert raw(pc, key, "WinHttpSettings")[12:] == b"\x12\0\0\0http=a:1;https=b:3\0\0\0\0"
    assert values(pc, MACHINE_INTERNET)["ProxyServer"] == [
        "REG_SZ",
        "socks=s:9;http=a:1;FTP=f:2;https=b:3",
    ]
    assert {finding.status for finding in judge(pc, **policy).values()} <= {
        Status.PASS,
        Status.UNKNOWN,
    }
    assert fix(pc, **policy)[0] == []


@pytest.mark.parametrize("other", [None, connection_blob(1), connection_blob(3, "p:1", "*.x")])
def test_the_decisive_blob_that_is_missing_or_differs_is_written(other: Any) -> None:
    policy: dict[str, Any] = {"proxy": {"mode": "named", "server": "p:1", "scope": "users"}}
    pc = Pc("pc")
    fix(pc, **policy)
    blobs = values(pc, MINE + r"\Connections")
    if other is None:
        del blobs[BLOBS[0]]
    else:
        blobs[BLOBS[0]] = other
    assert judge(pc, **policy)["proxy.wininet"].status is Status.FAIL
    fix(pc, **policy)
    assert judge(pc, **policy)["proxy.wininet"].status is Status.PASS
    assert raw(pc, MINE + r"\Connections", BLOBS[0]) == raw(pc, MINE + r"\Connections", BLOBS[1])


@pytest.mark.parametrize("other", [None, connection_blob(1), connection_blob(3, "p:1", "*.x")])
def test_what_windows_itself_makes_of_the_second_blob_is_no_drift(other: Any) -> None:
    policy: dict[str, Any] = {"proxy": {"mode": "named", "server": "p:1", "scope": "users"}}
    pc = Pc("pc")
    fix(pc, **policy)
    blobs = values(pc, MINE + r"\Connections")
    if other is None:
        del blobs[BLOBS[1]]
    else:
        blobs[BLOBS[1]] = other
    findings = judge(pc, **policy)
    assert findings["proxy.wininet"].status is Status.PASS
    assert findings["proxy.effective"].status is Status.PASS


@pytest.mark.parametrize("detects", [0, 1])
@pytest.mark.parametrize("mode", ["direct", "autodetect"])
def test_a_plain_value_of_automatic_detection_is_kept_consistent(detects: int, mode: str) -> None:
    pc = Pc("pc")
    pc.user_proxy(9 if detects else 1)
    pc.set(MINE, AutoDetect=["REG_DWORD", detects])
    before = without_records(registry(pc))
    policy: dict[str, Any] = {"proxy": {"mode": mode, "scope": "users"}}
    fix(pc, **policy)
    assert values(pc, MINE)["AutoDetect"] == ["REG_DWORD", int(mode == "autodetect")]
    assert judge(pc, **policy)["proxy.wininet"].status is Status.PASS
    # Something switches it again, beside the blobs.
    pc.set(MINE, AutoDetect=["REG_DWORD", int(mode == "direct")])
    assert judge(pc, **policy)["proxy.wininet"].status is Status.FAIL
    fix(pc, **policy)
    fix(pc, state="absent")
    if detects != int(mode == "autodetect"):
        assert without_records(registry(pc)) == before


@pytest.mark.parametrize("scope", ["machine", "users"])
@pytest.mark.parametrize(
    ("mode", "switch", "status"),
    [
        ("autodetect", "wpad", Status.FAIL),
        ("autodetect", "service", Status.FAIL),
        ("pac", "service", Status.FAIL),
        ("pac", "wpad", Status.PASS),
        ("direct", "wpad", Status.PASS),
        ("direct", "service", Status.PASS),
        ("named", "service", Status.PASS),
    ],
)
def test_what_is_switched_off_is_not_what_the_policy_asks_for(
    mode: str, switch: str, status: Status, scope: str
) -> None:
    more = {"pac": {"pac_url": "http://p/x.pac"}, "named": {"server": "p:1"}}
    policy: dict[str, Any] = {"proxy": {"mode": mode, "scope": scope, **more.get(mode, {})}}
    pc = Pc("pc")
    fix(pc, **policy)
    assert judge(pc, **policy)["proxy.wininet"].status is Status.PASS
    if switch == "wpad":
        pc.set(MACHINE_INTERNET + r"\WinHttp", DisableWpad=["REG_DWORD", 1])
    else:
        service = r"HKLM\SYSTEM\CurrentControlSet\Services\WinHttpAutoProxySvc"
        pc.set(service, Start=["REG_DWORD", 4])
    finding = judge(pc, **policy)["proxy.wininet"]
    assert (finding.status, finding.remedy) == (status, ())
    if status is Status.FAIL:
        assert "has no effect" in finding.reason
        assert "docs/assumptions.md" in finding.reason


def test_a_plain_value_that_windows_adds_later_goes_at_removal() -> None:
    pc = Pc("pc")
    pc.user_proxy(9)
    before = without_records(registry(pc))
    fix(pc, proxy={"mode": "direct", "scope": "users"})
    pc.set(MINE, AutoDetect=["REG_DWORD", 0])
    fix(pc, state="absent")
    assert without_records(registry(pc)) == before


FAULTS = (
    "set_registry_value:SavedLegacySettings",
    "set_registry_value:ProxyEnable",
    "set_registry_value:ProxySettingsPerUser",
)


@pytest.mark.parametrize("fault", [*FAULTS, "netsh"])
@pytest.mark.parametrize("scope", ["machine", "users"])
def test_a_failure_half_way_leaves_wininet_or_winhttp_as_it_was(fault: str, scope: str) -> None:
    pc = Pc("pc")
    second_user(pc)
    if scope == "users":
        pc.machine_proxy("old:1")
    before = registry(pc)
    pc.state["faults"] = {fault: "Zugriff verweigert"}
    changes, outcomes = fix(pc, proxy={**NAMED, "scope": scope})
    states = [outcome["state"] for outcome in outcomes]
    if scope == "users" and fault.endswith("PerUser"):
        assert set(states) == {"done"}, (
            "for users the value is taken away, which this fault does not hinder"
        )
        return
    assert states.count("failed") == 1
    assert changes
    after = without_records(registry(pc))
    if fault == "netsh":
        earlier = json.loads(before)
        for key in WINHTTP_KEYS:
            assert (
                after[key]["values"]["WinHttpSettings"] == earlier[key]["values"]["WinHttpSettings"]
            )
        assert "winhttp" not in values(pc, RECORDS)
    else:
        # WinHTTP is a unit of its own: it is set all the same.
        earlier = without_records(before)
        for key in WINHTTP_KEYS:
            for state in (after, earlier):
                state[key]["values"].pop("WinHttpSettings")
        assert after == earlier
        assert "done" in states
        assert "winhttp" in values(pc, RECORDS)


@pytest.mark.parametrize("scope", ["machine", "users"])
@pytest.mark.parametrize(
    "setting", [NAMED, {"mode": "direct"}, {"mode": "pac", "pac_url": "http://p/x.pac"}]
)
def test_removal_puts_back_what_was_there(setting: dict[str, Any], scope: str) -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "old:1", "*.old")
    second_user(pc)
    pc.winhttp_proxy("old:2")
    if scope == "users":
        pc.machine_proxy("old:3")
    before = without_records(registry(pc))
    fix(pc, proxy={**setting, "scope": scope})
    fix(pc, proxy={"mode": "named", "server": "another:9", "scope": scope})
    assert without_records(registry(pc)) != before
    removal = judge(pc, state="absent")
    assert removal["proxy.wininet"].status is Status.FAIL
    assert {removal[f"proxy.{name}"].status for name in ("effective", "login", "environment")} == {
        Status.NOT_APPLICABLE
    }
    changes, outcomes = fix(pc, state="absent")
    assert {outcome["state"] for outcome in outcomes} == {"done"}
    assert all(
        change.before != change.after for change in changes if "another:9" in str(change.before)
    )
    assert without_records(registry(pc)) == before
    assert values(pc, RECORDS) == {}
    again = judge(pc, state="absent")
    assert (again["proxy.wininet"].status, again["proxy.winhttp"].status) == (
        Status.PASS,
        Status.PASS,
    )
    assert again["proxy.wininet"].reason == "This collection set nothing."


def test_removal_leaves_alone_what_somebody_changed_since() -> None:
    pc = Pc("pc")
    fix(pc, proxy={**NAMED, "scope": "users"})
    pc.user_proxy(3, "mine:1")
    fix(pc, state="absent")
    assert raw(pc, MINE + r"\Connections", BLOBS[0])[12:22] == b"\x06\0\0\0mine:1"
    finding = judge(pc, state="absent")["proxy.wininet"]
    assert finding.status is Status.PASS
    assert (
        "Changed since this collection set it, so it stays: WinINET proxy, the settings of knx"
        in finding.reason
    )


def user_records(pc: Pc) -> dict[str, dict[str, Any]]:
    """Return the values below this collection's key of each user, by the key's path."""
    keys = pc.state["registry"].items()
    return {
        path: key["values"] for path, key in keys if path.endswith(r"Software\ets6.network\Proxy")
    }


def test_a_users_record_is_in_the_users_own_hive() -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "knx:s3cret@old:1")
    key = second_user(pc)
    pc._wininet(key, 3, "second:s3cret@old:2", "", "")
    before = without_records(registry(pc))
    fix(pc, proxy={**NAMED, "scope": "users"})
    assert "s3cret" not in json.dumps(values(pc, RECORDS))
    for name, path in (("knx:s3cret", rf"HKU\{USER}"), ("second:s3cret", r"FILE\C:\Users\second")):
        (record,) = [
            json.dumps(recorded) for place, recorded in user_records(pc).items() if path in place
        ]
        assert base64.b64encode(name.encode())[:-4].decode() in record or name in record
    fix(pc, state="absent")
    assert without_records(registry(pc)) == before
    assert not any(user_records(pc).values())


def new_user(pc: Pc) -> str:
    """Log a user on for the first time: Windows copies the default profile."""
    sid = OTHER
    pc.set(rf"{PROFILE_LIST}\{sid}", ProfileImagePath=["REG_EXPAND_SZ", r"C:\Users\new"])
    pc.state["users"].append({"sid": sid, "profile": r"C:\Users\new", "logged_on": False})
    for path in list(pc.state["registry"]):
        if path.startswith("FILE\\C:\\Users\\Default\\"):
            copied = path.replace("Default", "new")
            pc.set(copied, **json.loads(json.dumps(values(pc, path))))
    return rf"FILE\C:\Users\new\NTUSER.DAT\{INTERNET}"


def test_a_user_who_came_after_gets_the_default_profiles_earlier_state() -> None:
    pc = Pc("pc")
    pc._wininet(DEFAULT, 3, "school:8080", "*.school", "")
    fix(pc, proxy={**NAMED, "scope": "users"})
    key = new_user(pc)
    assert values(pc, key)["ProxyServer"] == ["REG_SZ", "proxy.example.com:3128"]
    assert judge(pc, proxy={**NAMED, "scope": "users"})["proxy.wininet"].status is Status.PASS
    fix(pc, state="absent")
    assert values(pc, key)["ProxyServer"] == ["REG_SZ", "school:8080"]
    assert values(pc, key) == values(pc, DEFAULT)
    connections = r"\Connections"
    assert values(pc, key + connections) == values(pc, DEFAULT + connections)
    assert judge(pc, state="absent")["proxy.wininet"].status is Status.PASS


def test_what_group_policy_resets_is_said_when_it_comes_back() -> None:
    pc = Pc("pc")
    for policy in ({**NAMED, "scope": "users"}, {**NAMED, "scope": "machine"}):
        fix(pc, proxy=policy)
        finding = judge(pc, proxy=policy)["proxy.wininet"]
        assert finding.status is Status.PASS
        if policy["scope"] == "users":
            pc.user_proxy(3, "policy:1")
        else:
            pc.state["registry"][INTERNET_POLICY]["values"].clear()
        finding = judge(pc, proxy=policy)["proxy.wininet"]
        assert "something has changed it since: for example Group Policy" in finding.reason
    fix(pc, proxy={**NAMED, "server": "another:1"})
    assert "Group Policy" not in judge(pc, proxy=NAMED)["proxy.wininet"].reason
    fix(pc, proxy=NAMED)
    pc.winhttp_proxy("policy:1")
    assert "Group Policy" in judge(pc, proxy=NAMED)["proxy.winhttp"].reason


def test_removal_does_not_write_over_what_it_cannot_read() -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "old:1")
    fix(pc, proxy={"mode": "direct", "scope": "users"})
    pc.set(MINE + r"\Connections", DefaultConnectionSettings=["REG_SZ", "x"])
    before = values(pc, MINE + r"\Connections").copy()
    fix(pc, state="absent")
    assert values(pc, MINE + r"\Connections") == before
    finding = judge(pc, state="absent")["proxy.wininet"]
    assert (finding.status, finding.reason) == (
        Status.UNKNOWN,
        "Not put back, since it cannot be read: WinINET proxy, the settings of knx.",
    )


@pytest.mark.parametrize(
    "kept",
    [
        "{",
        "[]",
        json.dumps({"before": 5, "set": {}}),
        json.dumps({"before": {r"HKLM\SOFTWARE\Elsewhere": {"x": ["REG_SZ", "y"]}}, "set": {}}),
        json.dumps({"before": {MACHINE_INTERNET: {"x": ["REG_STRANGE", "y"]}}, "set": {}}),
        json.dumps({"before": {MACHINE_INTERNET: [5]}, "set": {}}),
        json.dumps({"before": {MACHINE_INTERNET: {"x": 5}}, "set": {}}),
        "[" * 100000,
    ],
)
def test_a_record_that_somebody_bent_writes_nothing(kept: str) -> None:
    pc = Pc("pc")
    meaning = {"autodetect": False, "bypass": None, "pac_url": None, "server": None}
    pc.set(RECORDS, machine=["REG_SZ", kept.replace('"set": {}', f'"set": {json.dumps(meaning)}')])
    before = registry(pc)
    fix(pc, state="absent")
    assert registry(pc) == before
    assert judge(pc, state="absent")["proxy.wininet"].status is Status.PASS


def test_a_malformed_blob_is_written_over_only_where_that_is_asked_for_and_comes_back() -> None:
    pc = Pc("pc")
    pc.set(MINE + r"\Connections", SavedLegacySettings=["REG_SZ", "x"])
    policy: dict[str, Any] = {"proxy": {"mode": "direct", "scope": "users"}}
    before = json.dumps(values(pc, MINE + r"\Connections"))
    finding = judge(pc, **policy)["proxy.wininet"]
    assert "SavedLegacySettings is REG_SZ, expected is REG_BINARY" in finding.reason
    assert finding.advice.startswith("Run ets6.network.enforce. It changes: ")
    assert "set ets6_network_proxy.replace_malformed" in finding.advice
    fix(pc, **policy)
    assert json.dumps(values(pc, MINE + r"\Connections")) == before
    assert "that is not overwritten" in judge(pc, **policy)["proxy.wininet"].reason
    asked: dict[str, Any] = {"proxy": {**policy["proxy"], "replace_malformed": True}}
    fix(pc, **asked)
    assert judge(pc, **asked)["proxy.wininet"].status is Status.PASS
    assert json.dumps(values(pc, MINE + r"\Connections")) != before
    fix(pc, state="absent")
    assert json.dumps(values(pc, MINE + r"\Connections")) == before


def test_machine_settings_that_cannot_be_read_are_not_put_in_force() -> None:
    pc = Pc("pc")
    pc.set(MACHINE_INTERNET + r"\Connections", DefaultConnectionSettings=["REG_SZ", "x"])
    fix(pc, proxy=NAMED)
    assert INTERNET_POLICY not in pc.state["registry"] or not values(pc, INTERNET_POLICY)
    assert judge(pc, proxy=NAMED)["proxy.wininet"].status is Status.UNKNOWN


def test_a_winhttp_blob_that_cannot_be_read_is_left_alone_unless_asked() -> None:
    pc = Pc("pc")
    pc.set(WINHTTP_KEYS[0], WinHttpSettings=["REG_BINARY", "FwAAAAAAAAABAAAAAAAAAAAAAAA="])
    finding = judge(pc, proxy=NAMED)["proxy.winhttp"]
    assert (finding.status, finding.remedy) == (Status.UNKNOWN, ())
    assert "version 0x17 is not known" in finding.reason
    asked: dict[str, Any] = {"proxy": {**NAMED, "replace_malformed": True}}
    assert judge(pc, **asked)["proxy.winhttp"].status is Status.FAIL
    fix(pc, **asked)
    assert judge(pc, **asked)["proxy.winhttp"].status is Status.PASS


@pytest.mark.parametrize("netsh", NETSH_VARIANTS)
@pytest.mark.parametrize("earlier", ["both", "64-bit", "none"])
def test_no_verdict_depends_on_what_netsh_writes(netsh: dict[str, int], earlier: str) -> None:
    pc = Pc("pc")
    pc.winhttp_proxy("old:1", "*.old")
    for key in {"both": (), "64-bit": WINHTTP_KEYS[1:], "none": WINHTTP_KEYS}[earlier]:
        del pc.state["registry"][key]["values"]["WinHttpSettings"]
    before = without_records(registry(pc))
    pc.state["netsh"] = netsh
    for setting in (NAMED, {"mode": "direct"}):
        fix(pc, proxy=setting)
        assert judge(pc, proxy=setting)["proxy.winhttp"].status is Status.PASS
        assert fix(pc, proxy=setting)[0] == []
    fix(pc, state="absent")
    assert without_records(registry(pc)) == before


SETTINGS = st.one_of(
    st.just({"mode": "direct"}),
    st.just({"mode": "autodetect"}),
    st.builds(lambda at: {"mode": "pac", "pac_url": f"http://p{at}/x"}, st.integers(0, 3)),
    st.builds(
        lambda at, bypass: {"mode": "named", "server": f"p{at}:1", "bypass": bypass},
        st.integers(0, 3),
        st.lists(st.sampled_from(["<local>", "*.a", "b:80"]), unique=True),
    ),
)
BLOB_STATES = st.one_of(
    st.none(),
    st.builds(
        connection_blob,
        st.integers(0, 15),
        st.sampled_from(["", "p0:1", "u:x@old:1"]),
        st.sampled_from(["", "*.a", "a b;c"]),
        st.sampled_from(["", "http://p0/x"]),
        st.integers(0, 3),
        st.sampled_from([0x3C, 0x46, 0x50]),
    ),
    st.binary(max_size=30).map(lambda raw: ["REG_BINARY", base64.b64encode(raw).decode()]),
)
PLAIN_STATES = st.fixed_dictionaries(
    {},
    optional={
        "ProxyEnable": st.sampled_from([["REG_DWORD", 0], ["REG_DWORD", 1]]),
        "ProxyServer": st.sampled_from([["REG_SZ", "p0:1"], ["REG_SZ", "u:x y;z@old:1"]]),
        "ProxyOverride": st.just(["REG_SZ", "<local>"]),
        "AutoConfigURL": st.just(["REG_SZ", "http://p0/x"]),
        "AutoDetect": st.sampled_from([["REG_DWORD", 0], ["REG_DWORD", 1]]),
        "MigrateProxy": st.sampled_from([["REG_DWORD", 0], ["REG_DWORD", 1]]),
    },
)
EARLIER_STATES = st.tuples(BLOB_STATES, BLOB_STATES, PLAIN_STATES)
"""The first blob, the second one, and the plain values."""


WINHTTP_STATES = st.one_of(
    st.none(),
    st.builds(
        winhttp_blob,
        st.sampled_from(["", "p0:1", "http=u:x@old:1;https=old:1"]),
        st.sampled_from(["", "*.a;<local>"]),
        st.sampled_from([0x18, 0x28, 0x30]),
    ),
    st.builds(
        lambda tail: ["REG_BINARY", base64.b64encode(FLAGS_ALONE + tail).decode()],
        st.binary(max_size=9),
    ),
)
FLAGS_ALONE = bytes.fromhex("28000000000000000300000000000000 00000000")
"""A blob of WinHTTP with the flags of a proxy, and without one."""
PER_USER_STATES = st.sampled_from([None, ["REG_DWORD", 0], ["REG_DWORD", 1]])


def put_value(pc: Pc, path: str, name: str, value: list[Any] | None) -> None:
    """Put a value into a key, or take it away."""
    pc.set(path)
    values(pc, path).pop(name, None)
    if value is not None:
        pc.set(path, **{name: value})


def put(pc: Pc, path: str, state: tuple[Any, Any, dict[str, Any]]) -> None:
    """Put an earlier state into an Internet Settings key."""
    for key in (path, path + r"\Connections"):
        pc.state["registry"].get(key, {"values": {}})["values"].clear()
    *blobs, plain = state
    pc.set(path, **plain)
    pc.set(path + r"\Connections")
    for name, blob in zip(BLOBS, blobs, strict=True):
        if blob is not None:
            pc.set(path + r"\Connections", **{name: blob})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(SETTINGS, st.sampled_from(["machine", "users"])), min_size=1, max_size=3),
    st.lists(EARLIER_STATES, min_size=4, max_size=4),
    st.lists(WINHTTP_STATES, min_size=2, max_size=2),
    PER_USER_STATES,
    st.sampled_from(NETSH_VARIANTS),
)
def test_whatever_was_there_one_run_settles_it_and_removal_undoes_it(
    policies: list[tuple[dict[str, Any], str]],
    states: list[tuple[Any, Any, dict[str, Any]]],
    winhttp: list[list[Any] | None],
    per_user: list[Any] | None,
    netsh: dict[str, int],
) -> None:
    pc = Pc("pc", rule_count=0)
    pc.state["netsh"] = netsh
    paths = (MINE, DEFAULT, MACHINE_INTERNET, MACHINE_INTERNET_32)
    for path, state in zip(paths, states, strict=True):
        put(pc, path, state)
    for path, blob in zip(WINHTTP_KEYS, winhttp, strict=True):
        put_value(pc, path, "WinHttpSettings", blob)
    put_value(pc, INTERNET_POLICY, "ProxySettingsPerUser", per_user)
    before = without_records(registry(pc))
    for setting, scope in policies:
        policy: dict[str, Any] = {"proxy": {**setting, "scope": scope}}
        fix(pc, **policy)
        findings = judge(pc, **policy)
        assert findings["proxy.wininet"].status is Status.PASS, findings["proxy.wininet"].reason
        suits_winhttp = setting["mode"] in ("direct", "named")
        expected = Status.PASS if suits_winhttp else Status.NOT_APPLICABLE
        assert findings["proxy.winhttp"].status is expected, findings["proxy.winhttp"].reason
        assert fix(pc, **policy)[0] == []
    fix(pc, state="absent")
    assert without_records(registry(pc)) == before
    assert not any(user_records(pc).values())
