# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which way ETS6 takes, user by user and endpoint by endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.routes import Route
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.probe_plan import (
    missing_probes,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    context,
    pc_with_proxy,
    probe,
    script,
    second_user,
    snapshot,
)

from tests.lab.pc import INTERNET_POLICY, MACHINE_INTERNET, USER, Pc

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


def test_the_plain_values_count_only_where_there_is_no_blob() -> None:
    made = pc_with_proxy(1)
    made.set(
        rf"HKU\{USER}\Software\Microsoft\Windows\CurrentVersion\Internet Settings",
        ProxyEnable=["REG_DWORD", 1],
    )
    made.set(
        rf"HKU\{USER}\Software\Microsoft\Windows\CurrentVersion\Internet Settings",
        ProxyServer=["REG_SZ", "plain:1"],
    )
    assert users_by_route(made) == {"": ("knx",)}
    key = rf"HKU\{USER}\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
    made.state["registry"][key]["values"].clear()
    assert users_by_route(made) == {"plain:1": ("knx",)}


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
    made._wininet(MACHINE_INTERNET, 3, "machine:2", "", "")
    assert users_by_route(made) == {"mine:1": ("knx",)}
    made.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 1])
    assert users_by_route(made) == {"mine:1": ("knx",)}
    made.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 0])
    assert users_by_route(made) == {"machine:2": ("knx",)}


def test_automatic_detection_is_not_taken_for_an_answer() -> None:
    route = only_route(pc_with_proxy(9))
    assert (route.proxy, route.autodetect) == ("", True)
    assert "where no network answers it, name no proxy" in route.reason
    route = only_route(pc_with_proxy(11, "p:1"))
    assert (route.proxy, route.autodetect) == ("p:1", True)


def test_a_blob_that_cannot_be_read_leaves_the_way_open() -> None:
    made = pc_with_proxy(3, "p:1")
    key = rf"HKU\{USER}\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
    made.state["registry"][key]["values"]["DefaultConnectionSettings"] = ["REG_BINARY", "RgAAAA=="]
    route = only_route(made)
    assert route.proxy is None
    assert "4 bytes, at least 12 are needed" in route.reason


def asked(made: Pc, probes: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [
        (one["name"], one["ways"])
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
        return route, [missing["ways"] for missing in missing_probes(known)]

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


@pytest.mark.parametrize("text", ["rubbish(", 'function FindProxyForURL() { return "SOCKS s:1" }'])
def test_a_script_without_a_usable_answer_leaves_the_way_open(text: str) -> None:
    made = pc_with_proxy(5, pac_url=SCRIPT)
    assert users_by_route(made, probes=[script(SCRIPT, text)]) == {None: ("knx",)}
    assert asked(made, [script(SCRIPT, text)]) == [], "nothing more can be asked"


def test_nothing_is_asked_of_an_image_or_of_a_pc_that_is_to_be_as_before() -> None:
    made = pc_with_proxy(5, pac_url=SCRIPT)
    assert missing_probes(ProxyContext(snapshot(made), Policy(state="absent"))) == []
    image = snapshot(made)
    assert (
        missing_probes(ProxyContext(type(image)(**{**vars(image), "offline": True}), POLICY)) == []
    )
