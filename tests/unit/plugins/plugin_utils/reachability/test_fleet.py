# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What hosts' findings say of each other: outages of the vendor, one inspector before all."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.fleet import compare

Json = dict[str, Any]


def endpoint(
    outcome: str,
    way: str = "direct",
    network: str = "192.0.2.0/24",
    server: str = "update.knx.org:443",
) -> Json:
    evidence = {
        "server": server,
        "network": network,
        "outcome": outcome,
        "ways": [{"way": way, "outcome": outcome}],
    }
    status = "pass" if outcome == "fine" else "unknown" if outcome == "not_probed" else "fail"
    return {
        "control": "reach.updates",
        "status": status,
        "reason": "So it is.",
        "evidence": evidence,
    }


def inspected(*ids: str, judged: bool = True) -> Json:
    evidence = {"issuer_ids": list(ids), "genuine": [] if ids or not judged else ["updates"]}
    return {
        "control": "reach.interception",
        "status": "fail" if ids else "pass",
        "reason": "So it is.",
        "evidence": evidence,
    }


def said(hosts: dict[str, Json], name: str = "pc", beside: str = "") -> tuple[str, Json]:
    """Return what is added to a host's first finding. beside is another server that all hosts reach."""
    given = {host: [finding] for host, finding in hosts.items()}
    for findings in given.values() if beside else ():
        evidence = findings[0]["evidence"]
        findings.append(endpoint("fine", evidence["ways"][0]["way"], evidence["network"], beside))
    before = copy.deepcopy(given)
    found = compare(given)[name][0]
    assert given == before, "what it was given stays as it was"
    assert found["status"] == hosts[name]["status"]
    return found["reason"].removeprefix("So it is.").strip(), found["evidence"].get("elsewhere", {})


@pytest.mark.parametrize("other", [
    endpoint("proxy_cannot_reach", way="proxy:3128"),
    endpoint("timed_out", network="198.51.100.0/24"),
    endpoint("server_error", way="proxy:3128", network=""),
])  # fmt: skip
def test_a_second_vantage_point_that_agrees_makes_it_the_vendors_outage(other: Json) -> None:
    told, elsewhere = said(
        {"pc": endpoint("timed_out"), "beside": endpoint("refused"), "other": other},
        beside="api.knx.org:443",
    )
    assert "from all 3 hosts and 2 vantage points, which reach other servers of the vendor" in told
    assert "not this host's fault" in told
    assert "Where one firewall protects all of them, ask its administrators first" in told
    assert elsewhere == {
        "reached_from": [],
        "same_from": ["beside", "other"],
        "vantage_points": 2,
        "vendor_outage": True,
    }


@pytest.mark.parametrize(("network", "beside"), [
    ("192.0.2.0/24", "api.knx.org:443"),
    ("", "api.knx.org:443"),
    ("198.51.100.0/24", ""),
    ("198.51.100.0/24", "news.example:443"),
    ("198.51.100.0/24", "knx.org.example:443"),
])  # fmt: skip
def test_hosts_that_share_their_way_out_prove_no_outage_nor_do_those_from_which_nothing_of_the_vendor_is_reached(
    network: str, beside: str
) -> None:
    told, elsewhere = said(
        {"pc": endpoint("timed_out"), "other": endpoint("timed_out", network=network)},
        beside=beside,
    )
    assert "All 2 hosts see the same, so it is not this host" in told
    assert "only a second vantage point can tell" in told
    assert (elsewhere["vendor_outage"], elsewhere["vantage_points"] < 2) == (False, True)


@pytest.mark.parametrize(
    ("way", "network"), [("proxy:3128", "198.51.100.0/24"), ("direct", "2001:db8:1::/64")]
)
def test_networks_behind_one_proxy_are_one_vantage_point_and_so_are_both_families_of_one(
    way: str, network: str
) -> None:
    hosts = {
        "pc": endpoint("timed_out", way=way),
        "other": endpoint("timed_out", way=way, network=network),
    }
    _told, elsewhere = said(hosts, beside="api.knx.org:443")
    assert (elsewhere["vendor_outage"], elsewhere["vantage_points"]) == (False, 1)


def test_a_vantage_point_from_which_nothing_is_reached_counts_for_nothing() -> None:
    """A site whose line is cut sees no more of the vendor's server than of anything else."""
    cut_off = [endpoint("timed_out", network=f"10.{number}.0.0/24") for number in range(5)]
    hosts = {"pc": [endpoint("refused"), endpoint("fine", server="api.knx.org:443")]}
    hosts |= {
        f"site-{number}": [finding, {**finding, "control": "reach.other"}]
        for number, finding in enumerate(cut_off)
    }
    (told, _other) = compare(hosts)["pc"]
    assert told["evidence"]["elsewhere"]["vendor_outage"] is False


def test_a_server_that_others_reach_is_up() -> None:
    hosts = {f"pc-{number}": endpoint("fine", way="proxy:3128") for number in range(5)}
    told, elsewhere = said({"pc": endpoint("timed_out"), **hosts})
    assert told.startswith("It is reached from pc-0, pc-1, pc-2 and others, so the server is up")
    assert elsewhere["reached_from"] == sorted(hosts)
    _told, elsewhere = said(
        {
            "pc": endpoint("timed_out"),
            "other": endpoint("timed_out", way="p:1"),
            "third": endpoint("fine", way="p:2"),
        },
        beside="api.knx.org:443",
    )
    assert (elsewhere["vantage_points"], elsewhere["vendor_outage"]) == (2, False)


def test_a_neighbour_that_goes_the_same_way_and_arrives_points_to_the_host() -> None:
    told, _elsewhere = said(
        {
            "pc": endpoint("timed_out"),
            "beside": endpoint("fine"),
            "other": endpoint("timed_out", way="p:1"),
        }
    )
    assert (
        told
        == "It is reached from beside, over the same route from the same network, so the obstacle is on this host itself."
    )


@pytest.mark.parametrize("hosts", [
    {"pc": endpoint("timed_out")},
    {"pc": endpoint("fine"), "other": endpoint("timed_out", way="p:1")},
    {"pc": endpoint("tls_intercepted"), "other": endpoint("fine")},
    {"pc": endpoint("timed_out"), "other": endpoint("tls_intercepted", way="p:1")},
    {"pc": endpoint("timed_out"), "other": endpoint("timed_out", way="p:1", server="news.example:443")},
    {"pc": endpoint("not_probed"), "other": endpoint("timed_out")},
])  # fmt: skip
def test_what_others_cannot_tell_is_left_as_it_is(hosts: dict[str, Json]) -> None:
    assert said(hosts) == ("", {})


def test_the_same_inspector_everywhere_is_the_networks() -> None:
    told, elsewhere = said(
        {"pc": inspected("aa"), "b": inspected("aa"), "c": inspected("aa", "bb")}
    )
    assert (
        told
        == "The same issuer on all 3 hosts that could be judged: that points to a device of the network, and to no single PC."
    )
    assert elsewhere == {"same_issuer": ["b", "c"], "judged": 3}


def test_an_inspector_on_one_host_alone_is_looked_for_there() -> None:
    told, _elsewhere = said(
        {
            "pc": inspected("aa"),
            "b": inspected(),
            "c": inspected("bb"),
            "d": inspected(judged=False),
        }
    )
    assert (
        told
        == "On none of the other 2 hosts that could be judged: that points to this host, for example to a virus scanner."
    )


def test_an_inspector_of_some_is_counted() -> None:
    told, _elsewhere = said({"pc": inspected("aa"), "b": inspected("aa"), "c": inspected()})
    assert told == "The same issuer on 2 of 3 hosts that could be judged."


def test_one_host_alone_is_compared_with_nobody() -> None:
    assert said({"pc": inspected("aa")}) == ("", {})


def test_hosts_that_were_not_judged_are_no_hindrance() -> None:
    away = {"control": "reach.updates", "status": "unknown", "reason": "Away.", "evidence": {}}
    assert said({"pc": endpoint("timed_out"), "away": away}) == ("", {})


def test_five_thousand_hosts_take_no_time() -> None:
    since = time.monotonic()
    hosts = {f"pc-{number}": [endpoint("timed_out")] for number in range(5000)}
    hosts |= {"other": [endpoint("timed_out", way="p:1")]}
    for findings in hosts.values():
        findings.append(
            endpoint("fine", findings[0]["evidence"]["ways"][0]["way"], server="api.knx.org:443")
        )
    found = compare(hosts)
    assert "all 5001 hosts" in found["pc-1"][0]["reason"]
    assert len(found["pc-1"][0]["evidence"]["elsewhere"]["same_from"]) == 20
    found = compare({f"pc-{number}": [inspected("aa")] for number in range(5000)})
    assert "on all 5000 hosts" in found["pc-1"][0]["reason"]
    assert time.monotonic() - since < 10


def scanned(*ids: str, place: str = "virus scanner or filter on the PC") -> Json:
    finding = inspected(*ids)
    finding["evidence"]["product_places"] = [place]
    return finding


def test_a_scanner_with_a_key_of_its_own_on_each_pc_is_looked_for_there() -> None:
    told, _elsewhere = said({"pc": scanned("aa"), "b": scanned("bb")})
    assert "which may have a key of its own for each" in told
    told, _elsewhere = said({"pc": scanned("aa"), "b": scanned("aa")})


def test_a_known_appliance_is_not_looked_for_on_a_single_pc() -> None:
    """Intermediates that live for days differ from PC to PC below one root."""
    told, _elsewhere = said({"pc": scanned("aa", place="device of the network"), "b": inspected()})
    assert "and not of a single PC" in told


def answered(answer: str, outcome: str = "wrong_content", **where: str) -> Json:
    finding = endpoint(outcome, **where)
    finding["evidence"]["ways"][0]["answer"] = answer
    return finding


def test_the_same_answer_from_everywhere_may_be_the_vendors() -> None:
    hosts = {"pc": answered("404 aa"), "other": answered("404 aa", network="198.51.100.0/24")}
    told, elsewhere = said(hosts)
    assert "The same answer from 2 vantage points, so it is not this host" in told
    assert elsewhere == {"vantage_points": 2, "vendor_outage": False}
    assert said(hosts | {"third": answered("200 bb", network="203.0.113.0/24")}) == ("", {})
    assert said(hosts | {"third": endpoint("fine", network="203.0.113.0/24")}) == ("", {})


def test_errors_over_http_from_two_offices_do_not_acquit_the_network() -> None:
    hosts = {
        "pc": answered("503 aa", "error_not_known"),
        "other": answered("503 bb", "error_not_known", network="198.51.100.0/24"),
    }
    told, elsewhere = said(hosts, beside="api.knx.org:443")
    assert (told, elsewhere) == ("", {})
