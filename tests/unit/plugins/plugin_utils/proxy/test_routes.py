# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which way ETS6 takes, user by user and endpoint by endpoint."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.formats.wininet import VALUES
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.routes import Route
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.probe_plan import (
    missing_probes,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    MINE,
    OTHER,
    context,
    fix,
    judge,
    pc_with_proxy,
    probe,
    script,
    second_user,
    snapshot,
)

from tests.lab import model
from tests.lab.pc import (
    INTERNET_POLICY,
    MACHINE_INTERNET,
    MACHINE_INTERNET_32,
    PROFILE_LIST,
    Pc,
    connection_blob,
)

POLICY = Policy()
SCRIPT = "http://proxy.example.com/proxy.pac"


def users_by_route(
    pc: Pc, name: str = "updates", probes: list[dict[str, Any]] | None = None
) -> dict[str | None, tuple[str, ...]]:
    """Return the users of each route."""
    return {route.proxy: route.users for route in context(pc, probes).routes[name]}


def only_route(pc: Pc, probes: list[dict[str, Any]] | None = None) -> Route:
    (route,) = context(pc, probes).routes["updates"]
    return route


def test_a_fresh_pc_goes_directly() -> None:
    assert users_by_route(Pc("pc")) == {"": ("knx",)}


def test_the_named_proxy_with_its_bypass_list_and_protocols() -> None:
    named = pc_with_proxy(3, "http=a:1;https=b:2", "api.knx.org;http://onlinecatalog.*")
    assert users_by_route(named) == {"b:2": ("knx",)}
    assert users_by_route(named, "administrative_data") == {"a:1": ("knx",)}
    assert users_by_route(named, "app_updates") == {"": ("knx",)}
    assert users_by_route(named, "online_catalog") == {"": ("knx",)}


def test_flags_decide_and_not_what_is_left_in_the_texts() -> None:
    assert users_by_route(pc_with_proxy(1, "old:1", "", "http://old/x.pac")) == {"": ("knx",)}
    assert users_by_route(pc_with_proxy(3, "")) == {"": ("knx",)}
    assert users_by_route(pc_with_proxy(5, "")) == {"": ("knx",)}


@pytest.mark.parametrize(
    ("blobs", "plain", "route"),
    [
        # What is newer, Windows may have taken over or not.
        ((1, 1), {"ProxyEnable": 1, "ProxyServer": "plain:1"}, None),
        ((1, 1), {"ProxyEnable": 1, "ProxyServer": "plain:1", "MigrateProxy": 1}, None),
        ((1, 1), {"ProxyEnable": 1, "ProxyServer": "plain:1", "MigrateProxy": 0}, ""),
        ((3, 3), {"ProxyEnable": 0, "ProxyServer": "p:1"}, None),
        ((3, 3), {"ProxyEnable": 1, "ProxyServer": "P:1"}, "p:1"),
        ((1, 1), {"AutoConfigURL": SCRIPT}, None),
        # Equal to the second blob: not newer. Windows changes that one by itself.
        ((3, 1), {"ProxyEnable": 0}, "p:1"),
        ((3, 1), {"ProxyEnable": 1, "ProxyServer": "p:1"}, "p:1"),
        # No blob: automatic detection, or the plain values.
        ((None, None), {}, ""),
        ((None, None), {"ProxyEnable": 0}, ""),
        ((None, None), {"ProxyEnable": 1, "ProxyServer": "plain:1"}, None),
        ((None, 3), {"ProxyEnable": 1, "ProxyServer": "p:1"}, ""),
    ],
)
def test_the_blob_decides_unless_the_plain_values_may_be_newer(
    blobs: tuple[int | None, int | None], plain: dict[str, Any], route: str | None
) -> None:
    made = Pc("pc")
    for path in (MINE, MINE + r"\Connections"):
        made.state["registry"][path]["values"].clear()
    for name, flags in zip(VALUES, blobs, strict=True):
        if flags is not None:
            made.set(MINE + r"\Connections", **{name: connection_blob(flags, "p:1")})
    for name, data in plain.items():
        made.set(MINE, **{name: ["REG_SZ" if isinstance(data, str) else "REG_DWORD", data]})
    found = only_route(made)
    assert found.proxy == route
    if route is None:
        assert "docs/assumptions.md" in found.reason


def test_no_blob_is_automatic_detection() -> None:
    made = Pc("pc")
    made.state["registry"][MINE + r"\Connections"]["values"].clear()
    assert only_route(made).autodetect
    made.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 0])
    assert only_route(made).autodetect, "nothing was ever set for the machine"


def test_five_bytes_mean_direct() -> None:
    made = pc_with_proxy(3, "p:1")
    for path in (MINE, MINE + r"\Connections"):
        made.state["registry"][path]["values"].clear()
    five = ["REG_BINARY", "RgAAAAA="]
    made.set(MINE + r"\Connections", DefaultConnectionSettings=five, SavedLegacySettings=five)
    route = only_route(made)
    assert (route.proxy, route.autodetect) == ("", False)


PROGRAM = r"C:\Program Files (x86)\ETS6\ETS6N.exe"


def pe_head(machine: int, cli_flags: int | None = None) -> str:
    """Lay out the beginning of a program, as base64: with a CLI header where its flags are given."""
    head = bytearray(1024)
    head[0:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    struct.pack_into("<4sHH", head, 0x80, b"PE\0\0", machine, 1)
    struct.pack_into("<H", head, 0x80 + 20, 0xE0)
    struct.pack_into("<H", head, 0x98, 0x10B)
    if cli_flags is not None:
        struct.pack_into("<I", head, 0x98 + 96 + 8 * 14, 0x2008)
        struct.pack_into("<IIII", head, 0x98 + 0xE0 + 8, 0x1000, 0x2000, 0x1000, 0x200)
        struct.pack_into("<I", head, 0x208 + 16, cli_flags)
    return base64.b64encode(head).decode()


@pytest.mark.parametrize(
    ("head", "route"),
    [
        (pe_head(0x8664), "wide:64"),
        (pe_head(0xAA64), "wide:64"),
        (pe_head(0x14C), "narrow:32"),
        (pe_head(0x14C, 0x1), "wide:64"),
        (pe_head(0x14C, 0x3), "narrow:32"),
        (pe_head(0x14C, 0x20003), "narrow:32"),
        (pe_head(0x14C, 0x0), "narrow:32"),
        (pe_head(0x200), None),
        ("TVo=", None),
        ("", None),
    ],
)
def test_the_machine_has_two_views_and_the_program_decides(head: str, route: str | None) -> None:
    made = Pc("pc")
    made.machine_proxy("wide:64")
    made._wininet(MACHINE_INTERNET_32, 3, "narrow:32", "", "")
    made.state["files"] = {PROGRAM: {"version": "6.3.1.0", "size": 2, "head": head}}
    asked = snapshot(made)
    files = model.answer(made, {"files": [PROGRAM]})
    with_files = replace(asked, files=Snapshot.unpack(files["snapshot"]).files)
    (found,) = ProxyContext(with_files, POLICY).routes["updates"]
    assert found.proxy == route
    if route is None:
        assert "a 64-bit and a 32-bit program read different machine-wide settings" in found.reason


def test_both_views_agree_so_the_program_does_not_matter() -> None:
    made = Pc("pc")
    made.machine_proxy("p:1")
    assert users_by_route(made) == {"p:1": ("knx",)}


def test_32_bit_windows_has_one_view() -> None:
    made = Pc("pc")
    made.machine_proxy("p:1")
    made.state["environment"].pop("ProgramFiles(x86)")
    for path in list(made.state["registry"]):
        if "WOW6432Node" in path:
            del made.state["registry"][path]
    assert users_by_route(made) == {"p:1": ("knx",)}


@pytest.mark.parametrize(
    ("flags", "switch", "route", "autodetect"),
    [
        (9, "wpad", "", False),
        (11, "wpad", "p:1", False),
        (13, "wpad", "script:1", False),
        (9, "service", "", False),
        (5, "service", "", False),
        (3, "service", "p:1", False),
        (7, "service", None, False),
        (11, "service", None, False),
    ],
)
def test_what_is_switched_off_on_the_pc(
    flags: int, switch: str, route: str | None, autodetect: bool
) -> None:
    made = pc_with_proxy(flags, "p:1", "", SCRIPT)
    if switch == "wpad":
        made.set(MACHINE_INTERNET + r"\WinHttp", DisableWpad=["REG_DWORD", 1])
    else:
        service = r"HKLM\SYSTEM\CurrentControlSet\Services\WinHttpAutoProxySvc"
        made.set(service, Start=["REG_DWORD", 4])
    text = 'function FindProxyForURL() { return "PROXY script:1" }'
    found = only_route(made, [script(SCRIPT, text)])
    assert (found.proxy, found.autodetect) == (route, autodetect)


@pytest.mark.parametrize("url", ["file://C:/proxy.pac", r"\\server\share\proxy.pac"])
def test_a_script_that_is_no_web_page_is_not_probed_and_said(url: str) -> None:
    made = pc_with_proxy(5, pac_url=url)
    assert asked(made, []) == []
    route = only_route(made)
    assert route.proxy is None
    assert "is not probed: only scripts over http and https are" in route.reason


def test_profiles_that_are_gone_are_no_users_to_wait_for() -> None:
    made = pc_with_proxy(3, "p:1")
    made.state["users"][0]["logged_on"] = False
    gone = OTHER
    made.set(rf"{PROFILE_LIST}\{gone}", ProfileImagePath=["REG_SZ", r"C:\Users\gone"])
    assert users_by_route(made) == {"p:1": ("knx",)}
    finding = judge(made, proxy={"mode": "named", "server": "p:1", "scope": "users"})
    assert finding["proxy.wininet"].evidence["profiles_without_hive"] == ["gone"]
    fix(made, proxy={"mode": "named", "server": "p:1", "scope": "users"})
    finding = judge(made, proxy={"mode": "named", "server": "p:1", "scope": "users"})
    assert finding["proxy.wininet"].status is Status.PASS
    assert judge(made, state="absent")["proxy.wininet"].status is Status.FAIL
    fix(made, state="absent")
    assert judge(made, state="absent")["proxy.wininet"].status is Status.PASS


def test_users_with_different_ways_and_only_those_who_are_logged_on() -> None:
    made = pc_with_proxy(3, "mine:1")
    key = second_user(made)
    made._wininet(key, 3, "theirs:2", "", "")
    assert users_by_route(made) == {"mine:1": ("knx",)}
    made.state["users"][1]["logged_on"] = True
    assert users_by_route(made) == {"mine:1": ("knx",), "theirs:2": ("second",)}
    for user in made.state["users"]:
        user["logged_on"] = False
    assert users_by_route(made) == {"mine:1": ("knx",), "theirs:2": ("second",)}
    made._wininet(key, 3, "MINE:1", "", "")
    assert users_by_route(made) == {"mine:1": ("knx", "second")}


def test_a_machine_proxy_counts_for_everybody_once_the_policy_says_so() -> None:
    made = pc_with_proxy(3, "mine:1")
    for path in (MACHINE_INTERNET, MACHINE_INTERNET_32):
        made._wininet(path, 3, "machine:2", "", "")
    assert users_by_route(made) == {"mine:1": ("knx",)}
    made.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 1])
    assert users_by_route(made) == {"mine:1": ("knx",)}
    made.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 0])
    assert users_by_route(made) == {"machine:2": ("knx",)}


@pytest.mark.parametrize(("machine", "route"), [("machine:2", None), ("mine:1", "mine:1")])
def test_a_switch_that_cannot_be_read_leaves_open_whose_settings_count(
    machine: str, route: str | None
) -> None:
    made = pc_with_proxy(3, "mine:1")
    made.machine_proxy(machine)
    made.state["registry"][INTERNET_POLICY]["denied"] = True
    found = only_route(made)
    assert found.proxy == route
    finding = judge(made)["proxy.effective"]
    if route is None:
        assert "whose settings count could not be determined" in found.reason
        assert finding.status is Status.UNKNOWN, finding.reason


def test_automatic_detection_is_not_taken_for_an_answer() -> None:
    route = only_route(pc_with_proxy(9))
    assert (route.proxy, route.autodetect) == ("", True)
    assert "where no network answers it, name no proxy" in route.reason
    route = only_route(pc_with_proxy(11, "p:1"))
    assert (route.proxy, route.autodetect) == ("p:1", True)


def test_a_blob_that_cannot_be_read_leaves_the_way_open() -> None:
    made = pc_with_proxy(3, "p:1")
    made.set(MINE + r"\Connections", DefaultConnectionSettings=["REG_SZ", "x"])
    route = only_route(made)
    assert route.proxy is None
    assert "DefaultConnectionSettings is REG_SZ" in route.reason


def asked(made: Pc, probes: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [
        (one["name"], one["proxies"])
        for one in missing_probes(ProxyContext(snapshot(made, probes), POLICY))
    ]


def test_a_script_takes_three_rounds_at_most() -> None:
    made = pc_with_proxy(5, pac_url=SCRIPT)
    assert asked(made, []) == [(f"pac {SCRIPT}", [""])]
    text = """function FindProxyForURL(url, host) {
        if (host == "openapi.knx.org") return "DIRECT";
        return isInNet(host, "10.0.0.0", "255.0.0.0") ? "PROXY inner:1" : "PROXY outer:2; DIRECT";
    }"""
    probes = [script(SCRIPT, text)]
    direct = [endpoint.name for endpoint in POLICY.endpoints]
    assert asked(made, probes) == [(name, [""]) for name in direct], (
        "each for its address, or because the script says DIRECT"
    )
    probes += [
        probe(name, addresses=["10.0.0.1" if "app" in name else "192.0.2.1"]) for name in direct
    ]
    wanted = {
        name: "inner:1" if "app" in name else "outer:2"
        for name in direct
        if name != "cloud_licensing"
    }
    assert dict(asked(made, probes)) == {name: [way] for name, way in wanted.items()}
    probes += [probe(name, way) for name, way in wanted.items()]
    assert asked(made, probes) == []
    assert users_by_route(made, "updates", probes) == {"outer:2": ("knx",)}
    assert users_by_route(made, "cloud_licensing", probes) == {"": ("knx",)}


def dead(name: str, way: str, stage: str = "tcp") -> dict[str, Any]:
    return probe(name, way, stage=stage, http=None, error={"kind": "refused", "code": 10061})


def test_where_a_scripts_proxy_is_not_reached_the_next_one_counts_and_at_last_the_named_one() -> (
    None
):
    made = pc_with_proxy(7, "named:9", "*.nowhere", SCRIPT)

    def found(*probes: dict[str, Any]) -> tuple[Route, list[list[str]]]:
        fetched = script(
            SCRIPT, 'function FindProxyForURL() { return "PROXY a:1; PROXY b:2; DIRECT" }'
        )
        known = context(made, [fetched, *probes], [POLICY.endpoints[0]])
        (route,) = known.routes["updates"]
        return route, [missing["proxies"] for missing in missing_probes(known)]

    route, missing = found()
    assert (route.proxy, route.unreached, missing) == ("a:1", (), [["a:1"]])
    route, missing = found(probe("updates", "a:1", stage="connect"))
    assert (route.proxy, missing) == ("a:1", []), "whoever answers is taken, whatever the answer"
    route, missing = found(dead("updates", "a:1"))
    assert (route.proxy, route.unreached, missing) == ("b:2", ("a:1",), [["b:2", "named:9"]])
    route, missing = found(
        dead("updates", "a:1"), dead("updates", "b:2", "dns"), probe("updates", "named:9")
    )
    assert (route.proxy, route.unreached, missing) == ("named:9", ("a:1", "b:2"), [])
    route, missing = found(
        dead("updates", "a:1"), dead("updates", "b:2"), dead("updates", "named:9")
    )
    assert (route.proxy, route.unreached, missing) == ("a:1", (), []), (
        "where none is reached, ETS6 tells of the first"
    )
    made = pc_with_proxy(5, pac_url=SCRIPT)
    route, missing = found(dead("updates", "a:1"))
    assert missing == [["b:2", ""]], "without a named proxy the direct way is the last"


def test_no_script_makes_a_pc_try_endless_proxies() -> None:
    text = f"function FindProxyForURL() {{ return '{'; '.join(f'PROXY p{number}:1' for number in range(90))}' }}"
    held = [
        script(SCRIPT, text[:60_000]),
        *(dead(endpoint.name, "p0:1") for endpoint in POLICY.endpoints),
    ]
    assert dict(asked(pc_with_proxy(5, pac_url=SCRIPT), held))["updates"] == [
        "p1:1",
        "p2:1",
        "p3:1",
    ]


def test_a_list_that_net_framework_does_not_read_leaves_the_way_open() -> None:
    for made in (
        pc_with_proxy(3, "http=a:1 https=b:2"),
        pc_with_proxy(7, "p:1;q:2", pac_url=SCRIPT),
    ):
        route = only_route(made)
        assert route.proxy is None
        assert "the settings of knx: .NET Framework, and so ETS6, does not read" in route.reason


def test_a_script_that_cannot_be_fetched_leaves_what_comes_after_it() -> None:
    refused = script(SCRIPT, "", stage="tcp", http=None, error={"kind": "refused", "code": 10061})
    assert users_by_route(pc_with_proxy(5, pac_url=SCRIPT), probes=[refused]) == {"": ("knx",)}
    assert users_by_route(pc_with_proxy(7, "p:1", "", SCRIPT), probes=[refused]) == {
        "p:1": ("knx",)
    }


def test_a_script_is_asked_for_the_whole_url_as_windows_does() -> None:
    text = 'function FindProxyForURL(url) { return url == "https://update.knx.org/" ? "PROXY p:1" : "DIRECT"; }'
    assert users_by_route(pc_with_proxy(5, pac_url=SCRIPT), probes=[script(SCRIPT, text)]) == {
        "p:1": ("knx",)
    }


def test_a_script_that_asks_for_more_than_a_name_has_the_name_looked_up_all_the_same() -> None:
    text = """function FindProxyForURL(url, host) {
        return dnsResolve(host) == "10.0.0.1" || weekdayRange("MON", "FRI") ? "PROXY p:1" : "DIRECT";
    }"""
    route = only_route(pc_with_proxy(5, pac_url=SCRIPT), [script(SCRIPT, text)])
    assert (route.proxy, route.needs_address, "the PC's local time" in route.reason) == (
        None,
        True,
        True,
    )
    known = [script(SCRIPT, text), probe("updates", addresses=["192.0.2.1"])]
    route = only_route(pc_with_proxy(5, pac_url=SCRIPT), known)
    assert (route.proxy, route.needs_address) == (None, False)


def test_a_script_whose_answer_net_framework_does_not_use_leaves_the_route_open() -> None:
    text = 'function FindProxyForURL() { return "SOCKS s:1" }'
    made = pc_with_proxy(5, pac_url=SCRIPT)
    assert users_by_route(made, probes=[script(SCRIPT, text)]) == {None: ("knx",)}
    assert asked(made, [script(SCRIPT, text)]) == [], "nothing more can be asked"


@pytest.mark.parametrize("text", ["rubbish(", "function FindProxyForURL() { return missing(); }"])
def test_a_script_that_does_not_work_counts_as_one_that_names_no_proxy(text: str) -> None:
    for flags, alternatives in ((5, ()), (7, ("p:1",))):
        route = only_route(pc_with_proxy(flags, "p:1", "", SCRIPT), [script(SCRIPT, text)])
        assert (route.proxy, route.alternatives) == ("", alternatives)
        assert "so .NET Framework continues as if it named no proxy" in route.reason


def test_one_branch_that_fails_costs_its_endpoint() -> None:
    text = """function FindProxyForURL(url, host) {
        if (host == "api.knx.org") return missing();
        return "PROXY " + url.split("://")[1].split("/")[0].split(".")[1] + ":1";
    }"""
    made = pc_with_proxy(5, pac_url=SCRIPT)
    assert users_by_route(made, "updates", [script(SCRIPT, text)]) == {"knx:1": ("knx",)}
    assert users_by_route(made, "app_updates", [script(SCRIPT, text)]) == {"": ("knx",)}
    finding = judge(made, [script(SCRIPT, text)])["proxy.effective"]
    assert finding.status is Status.FAIL
    assert "missing" in finding.reason


def test_syntax_that_windows_may_not_know_leaves_the_route_open() -> None:
    text = 'function FindProxyForURL(url, host) { return host ?? "", "PROXY p:1"; }'
    route = only_route(pc_with_proxy(5, pac_url=SCRIPT), [script(SCRIPT, text)])
    assert route.proxy is None
    assert "it uses the operator ??, which the engine of Windows may not know" in route.reason


def test_nothing_is_asked_of_an_image_or_of_a_pc_that_is_to_be_as_before() -> None:
    made = pc_with_proxy(5, pac_url=SCRIPT)
    assert missing_probes(ProxyContext(snapshot(made), Policy(state="absent"))) == []
    image = snapshot(made)
    assert (
        missing_probes(ProxyContext(type(image)(**{**vars(image), "offline": True}), POLICY)) == []
    )
