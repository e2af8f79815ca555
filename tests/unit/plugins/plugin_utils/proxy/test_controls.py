# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxy's findings: contradictions, what cannot be told, logins, and that no login is ever printed."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.probes import HttpAnswer
from ansible_collections.ets6.network.plugins.plugin_utils.proxy import controls
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.login import offered
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.switches import TCPIP
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import (
    assess,
    assess_by_id,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    MINE,
    context,
    judge,
    pc_with_proxy,
    probe,
    script,
    second_user,
    snapshot,
)

from tests.lab.pc import (
    INTERNET_POLICY,
    MACHINE_INTERNET,
    PROFILE_LIST,
    USER,
    WINHTTP_KEYS,
    Pc,
    connection_blob,
    winhttp_blob,
)

ENDPOINTS = [endpoint.name for endpoint in Policy().endpoints]
SCRIPT = "http://proxy.example.com/proxy.pac"


def test_every_control_has_a_finding_in_the_catalogues_order() -> None:
    for state in ("present", "absent"):
        policy = Policy(state=state)
        found = assess(snapshot(Pc("pc")), policy, "proxy")
        assert [finding.control.id for finding in found] == [
            control.id for control in [check.control for check in controls.FAMILY.checks(policy)]
        ]
    assert {control.id for control in [check.control for check in controls.FAMILY.checks(Policy())]} == {
        "proxy.wininet", "proxy.winhttp", "proxy.effective", "proxy.login", "proxy.environment",
    }  # fmt: skip


def test_unmanaged_changes_nothing_and_still_says_what_there_is() -> None:
    found = judge(pc_with_proxy(3, "p:1"))
    assert found["proxy.wininet"].status is Status.NOT_APPLICABLE
    assert found["proxy.wininet"].evidence["users"][USER]["server"] == "p:1"
    assert all(not finding.remedy for finding in found.values())


def effective(
    made: Pc, probes: list[dict[str, Any]] | None = None, **policy: Any
) -> tuple[Status, str]:
    finding = judge(made, probes, **policy)["proxy.effective"]
    return finding.status, finding.reason


def test_who_uses_what_is_said() -> None:
    assert effective(pc_with_proxy(3, "p:1", "<local>")) == (
        Status.PASS,
        "ETS6 uses the proxy p:1 (not for <local>) (knx).",
    )
    away = pc_with_proxy(1)
    away.state["users"][0]["logged_on"] = False
    assert effective(away) == (
        Status.PASS,
        "ETS6 uses no proxy (knx). No user is logged on; these are the settings that the next user has.",
    )


def plain_elsewhere(made: Pc) -> None:
    made.set(MINE, MigrateProxy=["REG_DWORD", 0])
    made.set(MINE, ProxyEnable=["REG_DWORD", 1], ProxyServer=["REG_SZ", "plain:1"])


def other_user(made: Pc) -> None:
    made._wininet(second_user(made), 3, "other:1", "", "")


def machine_unused(made: Pc) -> None:
    made._wininet(MACHINE_INTERNET, 3, "machine:1", "", "")


def dead_policy_of_a_user(made: Pc) -> None:
    made.set(
        MINE.replace("Software", r"Software\Policies"),
        ProxyEnable=["REG_DWORD", 1],
        ProxyServer=["REG_SZ", "mine:1"],
    )


def dead_policy(made: Pc) -> None:
    made.set(INTERNET_POLICY, ProxyEnable=["REG_DWORD", 1], ProxyServer=["REG_SZ", "policy:1"])


def winhttp_only(made: Pc) -> None:
    made.winhttp_proxy("services:1")


def winhttp_32_bit_only(made: Pc) -> None:
    made.set(WINHTTP_KEYS[1], WinHttpSettings=winhttp_blob("services:1"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (plain_elsewhere, "In the settings of knx blobs and plain values contradict each other"),
        (
            other_user,
            "The users of this PC have different proxies: no proxy (knx); the proxy other:1 (second).",
        ),
        (
            machine_unused,
            "The machine-wide settings say the proxy machine:1. They are not used, since ProxySettingsPerUser is not 0",
        ),
        (dead_policy, "say the proxy policy:1; Windows does not act on them there"),
        (dead_policy_of_a_user, "say the proxy mine:1; Windows does not act on them there"),
        (
            winhttp_only,
            "WinHTTP has the proxy services:1, which ETS6 does not use: it is for services",
        ),
        (winhttp_32_bit_only, "WinHTTP has the proxy services:1"),
    ],
)
def test_a_contradiction_is_a_finding(spoil: Any, said: str) -> None:
    made = pc_with_proxy(1)
    assert effective(made)[0] is Status.PASS
    spoil(made)
    status, reason = effective(made)
    assert (status, said in reason) == (Status.FAIL, True), reason


def test_what_agrees_is_no_contradiction() -> None:
    made = pc_with_proxy(3, "http=p:1;https=p:1")
    made._wininet(second_user(made), 3, "HTTP=p:1;https=p:1", "", "")
    made._wininet(MACHINE_INTERNET, 3, "http=p:1;https=p:1", "", "")
    made.winhttp_proxy("p:1")
    assert effective(made)[0] is Status.PASS


@pytest.mark.parametrize(
    ("services", "agrees"),
    [
        ("p:1", False),
        ("http=p:1;https=q:2", True),
        ("https=q:2;http=P:1", True),
        ("http=p:1;https=q:3", False),
        ("http=p:1", False),
    ],
)
def test_winhttp_is_compared_protocol_by_protocol(services: str, agrees: bool) -> None:
    made = pc_with_proxy(3, "http=p:1;socks=s:9;https=q:2")
    made.winhttp_proxy(services)
    assert effective(made)[0] is (Status.PASS if agrees else Status.FAIL)


def test_a_connection_with_a_proxy_of_its_own_is_told() -> None:
    made = pc_with_proxy(3, "p:1")
    blob = connection_blob(3, "vpn:2")
    made.set(
        MINE + r"\Connections",
        Alike=connection_blob(3, "p:1"),
        Odd=["REG_BINARY", "AAAA"],
        **{"Office VPN": blob},
    )
    finding = judge(made)["proxy.effective"]
    assert finding.status is Status.PASS
    assert (
        "While the connection 'Office VPN' is up, it is the proxy vpn:2 instead (in the settings of knx)."
        in finding.reason
    )
    assert "Alike" not in finding.reason
    assert {name: found["server"] for name, found in finding.evidence["connections"].items()} == {
        f"{USER}: Alike": "p:1",
        f"{USER}: Odd": None,
        f"{USER}: Office VPN": "vpn:2",
    }


def test_settings_of_somebody_logged_on_that_cannot_be_read_leave_it_open() -> None:
    made = pc_with_proxy(3, "p:1")
    second_user(made, logged_on=True)
    seen = snapshot(made)
    gone = tuple(
        dataclasses.replace(user, hive="unavailable", error="in use")
        if user.name == "second"
        else user
        for user in seen.users or ()
    )
    found = {
        one.control.id: one
        for one in assess(dataclasses.replace(seen, users=gone), Policy(), "proxy")
    }["proxy.effective"]
    assert (found.status, "the user's registry could not be loaded: in use" in found.reason) == (
        Status.UNKNOWN,
        True,
    )


def test_detection_is_reported_as_what_it_is() -> None:
    status, reason = effective(pc_with_proxy(9))
    assert status is Status.UNKNOWN
    assert "so far it never found a script" in reason
    advice = judge(pc_with_proxy(9))["proxy.effective"].advice
    assert advice.startswith("Set ets6_network_proxy: to mode direct or named")
    status, reason = effective(pc_with_proxy(9), proxy={"mode": "autodetect", "scope": "users"})
    assert status is Status.NOT_APPLICABLE


def test_the_script_that_detection_found_last_is_told() -> None:
    made = pc_with_proxy(9)
    raw = (
        b"\x46\0\0\0\x06\0\0\0\x09\0\0\0"
        + bytes(12)
        + b"\x04\0\0\0\x16\0\0\0http://wpad/wpad.dat?x"
        + bytes(40)
    )
    made.set(
        MINE + r"\Connections",
        DefaultConnectionSettings=["REG_BINARY", base64.b64encode(raw).decode()],
    )
    made.set(
        MINE + r"\Connections", SavedLegacySettings=["REG_BINARY", base64.b64encode(raw).decode()]
    )
    reason = effective(made)[1]
    assert "the last script that it found is http://wpad/wpad.dat?…" in reason, "no query is shown"


def test_scripts() -> None:
    made = pc_with_proxy(5, pac_url=SCRIPT)
    status, reason = effective(made)
    assert status is Status.UNKNOWN
    assert f"the script {SCRIPT} was not fetched" in reason
    good = [script(SCRIPT, 'function FindProxyForURL() { return "PROXY p:1" }')]
    assert effective(made, good)[0] is Status.PASS
    bad = [script(SCRIPT, "function FindProxyForURL(")]
    status, reason = effective(made, bad)
    assert (status, "fails (JSRuntimeError: SyntaxError" in reason) == (Status.FAIL, True), reason
    gone = [script(SCRIPT, "", 404)]
    status, reason = effective(made, gone)
    assert status is Status.FAIL
    assert "could not be fetched (HTTP 404), so Windows continues as if there were none" in reason


def test_what_cannot_be_read_is_unknown() -> None:
    made = pc_with_proxy(1)
    made.set(MINE + r"\Connections", DefaultConnectionSettings=["REG_SZ", "x"])
    assert effective(made)[0] is Status.UNKNOWN
    empty = Pc("pc")
    empty.state["users"] = []
    del empty.state["registry"][rf"{PROFILE_LIST}\{USER}"]
    for path in list(empty.state["registry"]):
        if "NTUSER" in path:
            del empty.state["registry"][path]
    status, reason = effective(empty)
    assert (status, "No user's proxy settings could be determined" in reason) == (
        Status.UNKNOWN,
        True,
    )


def test_environment_variables_are_reported_and_their_values_are_not() -> None:
    made = pc_with_proxy(1)
    assert (
        judge(made)["proxy.environment"].reason
        == "No environment variable of the PC or its users names a proxy."
    )
    made.state["environment"] |= {"HTTPS_PROXY": "http://knx:s3cret@p:1", "no_proxy": "x"}
    finding = judge(made)["proxy.environment"]
    assert finding.status is Status.PASS
    made.set(
        rf"HKU\{USER}\Environment",
        http_proxy=["REG_SZ", "http://knx:s3cret@p:2"],
        TOKEN=["REG_SZ", "s3cret"],
    )
    finding = judge(made)["proxy.environment"]
    assert finding.evidence == {
        "set": ["HTTPS_PROXY", "no_proxy"],
        "set_by_users": {USER: ["http_proxy"]},
    }
    assert finding.reason.startswith(
        "HTTPS_PROXY, no_proxy and http_proxy (of knx) are set. ETS6, a .NET Framework program, does not read that"
    )
    assert "s3cret" not in json.dumps(finding.to_wire())


def login(*challenges: str, proxy: str = "p:1", stage: str = "connect") -> tuple[Status, str]:
    headers = [["Proxy-Authenticate", challenge] for challenge in challenges]
    answer = {"status": 407, "headers": headers, "body": ""}
    refused = (
        {"stage": "connect", "error": {"kind": "other"}, "http": None} if stage == "connect" else {}
    )
    finding = judge(
        pc_with_proxy(3, "p:1"),
        [probe(name, proxy, **{**refused, stage: answer}) for name in ENDPOINTS],
    )["proxy.login"]
    return finding.status, finding.reason


@pytest.mark.parametrize("stage", ["connect", "http"])
@pytest.mark.parametrize(
    "challenges",
    [
        ("Negotiate",),
        ("NTLM", 'Basic realm="x"'),
        ('Basic realm="a, b", Kerberos',),
        ("negotiate abc=",),
    ],
)
def test_a_login_that_windows_can_hand_over(challenges: tuple[str, ...], stage: str) -> None:
    status, reason = login(*challenges, stage=stage)
    assert status is Status.PASS
    assert "works only if the proxy's user is the PC's user" in reason
    assert "was not proven" in reason


@pytest.mark.parametrize(
    "challenges",
    [('Basic realm="Negotiate, NTLM"',), ('Digest realm="x", nonce="y", Basic realm="z"',), ()],
)
def test_a_login_that_windows_cannot_hand_over(challenges: tuple[str, ...]) -> None:
    status, reason = login(*challenges)
    assert status is Status.FAIL
    assert "ETS6 can only use the PC user's own login" in reason


def test_no_login_no_proxy_no_answer() -> None:
    made = pc_with_proxy(3, "p:1")
    assert (
        judge(made, [probe(name, "p:1") for name in ENDPOINTS])["proxy.login"].reason
        == "The proxy p:1 asks for no login."
    )
    assert judge(pc_with_proxy(1))["proxy.login"].status is Status.NOT_APPLICABLE
    silent = [probe("updates", "p:1", stage="tcp", http=None, error={"kind": "timeout"})]
    assert judge(made, silent)["proxy.login"].status is Status.UNKNOWN
    assert judge(made)["proxy.login"].reason == "The proxy p:1 was not asked."
    assert judge(pc_with_proxy(5, pac_url=SCRIPT))["proxy.login"].status is Status.UNKNOWN


def test_the_proxy_of_before_a_change_no_longer_counts() -> None:
    old = {"status": 407, "headers": [["Proxy-Authenticate", "Basic"]], "body": ""}
    probes = [
        probe("updates", "old:1", stage="connect", connect=old, http=None),
        probe("updates", "p:1"),
    ]
    assert judge(pc_with_proxy(3, "p:1"), probes)["proxy.login"].status is Status.PASS


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ("Negotiate", {"negotiate"}),
        ("Negotiate, NTLM , Basic realm=\"a\"", {"negotiate", "ntlm", "basic"}),
        ('Digest realm="a, Negotiate", qop="auth", NTLM', {"digest", "ntlm"}),
        ('Basic realm="\\", Negotiate"', {"basic"}),
        ("realm=x", set()),
        ("", set()),
        (", ,", set()),
        ('Basic realm="never closed, NTLM', {"basic"}),
    ],
)  # fmt: skip
def test_the_schemes_of_a_challenge(header: str, schemes: set[str]) -> None:
    headers = (("proxy-AUTHENTICATE", header), ("WWW-Authenticate", "Kerberos"))
    assert offered(HttpAnswer(407, headers)) == schemes


@pytest.mark.parametrize(
    ("flags", "status"), [(5, Status.PASS), (9, Status.UNKNOWN), (3, Status.FAIL)]
)
def test_a_named_winhttp_proxy_contradicts_only_a_named_proxy(flags: int, status: Status) -> None:
    made = pc_with_proxy(flags, "p:1", "", SCRIPT)
    made.winhttp_proxy("services:1")
    good = [script(SCRIPT, 'function FindProxyForURL() { return "PROXY services:1" }')]
    found = effective(made, good)
    assert found[0] is status
    assert "WinHTTP has the proxy services:1" in found[1]


@pytest.mark.parametrize(
    ("servers", "status"),
    [
        ("http=p:1;https=p:1;socks=socks5://s:1080", Status.PASS),
        ("http=p:1;https=p:1;ftp=ftp://f:21", Status.PASS),
        ("http=p:1 https=p:1", Status.FAIL),
        ("p:1;q:2", Status.FAIL),
        ("p:99999", Status.FAIL),
    ],
)
def test_a_list_that_net_framework_refuses_makes_ets6_fail(servers: str, status: Status) -> None:
    found = effective(pc_with_proxy(3, servers))
    assert found[0] is status
    assert ("Every request of ETS6 fails." in found[1]) == (status is Status.FAIL)


def test_a_bypass_list_with_blanks_is_one_entry() -> None:
    made = pc_with_proxy(3, "p:1", "*.knx.org 10.*")
    policy = {"mode": "named", "server": "p:1", "bypass": ["*.knx.org", "10.*"], "scope": "users"}
    assert judge(made, proxy=policy)["proxy.wininet"].status is Status.FAIL
    assert context(made).routes["updates"][0].proxy == "p:1"
    made.user_proxy(3, "p:1", "*.knx.org;10.*")
    assert context(made).routes["updates"][0].proxy == ""


@pytest.mark.parametrize("domain", [{"Domain": "knx.org"}, {"Domain": "", "DhcpDomain": "KNX.org"}])
def test_local_covers_the_pcs_own_domain(domain: dict[str, str]) -> None:
    made = pc_with_proxy(3, "p:1", "<local>")
    assert context(made).routes["updates"][0].proxy == "p:1"
    for name, value in domain.items():
        made.set(TCPIP, **{name: ["REG_SZ", value]})
    assert context(made).routes["updates"][0].proxy == ""


def test_only_a_route_that_is_not_known_is_the_cause_of_a_missing_probe() -> None:
    queued = [probe("updates", stage="queue")]
    detecting = assess_by_id(snapshot(pc_with_proxy(9), queued), Policy())
    assert detecting["proxy.effective"].status is Status.UNKNOWN
    assert detecting["reach.updates"].caused_by == ""
    assert detecting["reach.updates"].advice.startswith("Raise ets6_network_probe_timeout")
    unread = assess_by_id(snapshot(pc_with_proxy(5, "", "", SCRIPT)), Policy())
    assert unread["reach.updates"].caused_by == "proxy.effective"


def test_what_is_not_read_is_said() -> None:
    finding = judge(pc_with_proxy(3, "p:1"))["proxy.effective"]
    assert "machine.config" in finding.evidence["not_read"]
    assert "machine.config" in finding.control.rationale


@pytest.mark.parametrize("mode", ["unmanaged", "direct"])
def test_a_login_in_the_pcs_settings_is_used_for_nothing_and_printed_nowhere(mode: str) -> None:
    made = pc_with_proxy(
        7, "http=knx:s3cret@p:1;https=knx:s3cret@p:2", "", "http://knx:s3cret@q/x.pac"
    )
    made.winhttp_proxy("knx:s3cret@p:3")
    made._wininet(MACHINE_INTERNET, 3, "knx:s3cret@p:4", "", "")
    made.set(
        INTERNET_POLICY, ProxyEnable=["REG_DWORD", 1], ProxyServer=["REG_SZ", "knx:s3cret@p:5"]
    )
    made.set(MINE + r"\Connections", VPN=connection_blob(3, "http=knx:a s3cret;b@p:7"))
    for probes in (
        [],
        [
            script(
                "http://knx:s3cret@q/x.pac",
                'function FindProxyForURL() { return "PROXY knx:s3cret@p:6" }',
            )
        ],
    ):
        for finding in judge(made, probes, proxy={"mode": mode, "scope": "users"}).values():
            told = json.dumps(
                [
                    finding.to_wire(),
                    [[change.subject, change.before, change.after] for change in finding.remedy],
                ]
            )
            assert "s3cret" not in told, finding.control.id
