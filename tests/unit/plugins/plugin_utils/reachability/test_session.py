# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which probes a user's session makes, and what is read of its answer, which is nobody's word but the user's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import session
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import SnapshotError, User
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import judge, probe, second_user, snapshot

from tests.lab.pc import USER, Pc

KNX = User(USER, "knx", logged_on=True)
PROBES = [{"name": "updates", "url": "https://update.knx.org", "way": "p:1"}]
FINE = {"name": "updates", "way": "p:1", "status": 200, "headers": ["A: b: c"], "body": "", "leaf": "", "built": [], "error": ""}
REFUSED = {"status": 407, "headers": [["Proxy-Authenticate", "Negotiate"]], "body": ""}


def refused(name: str, way: str = "p:1", **found: Any) -> dict[str, Any]:
    return probe(
        name, way, **{"stage": "connect", "connect": REFUSED, "http": None, "error": {"kind": "other", "code": 407}, **found}
    )


def wanted(pc: Pc, *probes: dict[str, Any], probe_as: str = "user") -> dict[str, list[str]]:
    asked = session.wanted(snapshot(pc, list(probes)), Policy.from_variables({"probe_as": probe_as}))
    return {user.sid: [one["name"] for one in found] for user, found in asked}


def test_only_what_a_proxy_refused_without_a_login_is_asked_again_and_only_where_it_is_wanted() -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    assert wanted(pc, refused("updates"), probe("app_updates", "p:1"), refused("cloud_licensing", "before:1")) == {
        USER: ["updates"]
    }
    assert wanted(pc, refused("updates"), probe_as="connection") == {}
    assert wanted(pc, refused("updates", user="knx")) == {}
    basic = {**REFUSED, "headers": [["Proxy-Authenticate", "Basic"]]}
    assert wanted(pc, refused("updates", connect=basic)) == {}
    pc.state["users"][0]["logged_on"] = False
    assert wanted(pc, refused("updates")) == {}


def test_of_two_users_with_the_same_proxy_none_is_asked_and_of_two_proxies_each_ones_user() -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    path = second_user(pc, logged_on=True, loaded=True)
    pc._wininet(path, 3, "p:1", "", "")
    assert wanted(pc, refused("updates")) == {}
    pc._wininet(path, 3, "q:1", "", "")
    assert [len(found) for found in wanted(pc, refused("updates"), refused("updates", "q:1")).values()] == [1, 1]


def test_an_answer_comes_in_the_form_of_the_other_probes() -> None:
    plain = [{**PROBES[0], "url": "http://update.knx.org"}]
    (found,) = session.results([json.dumps(FINE)], KNX, plain)
    assert (found["stage"], found["user"], found["http"]["headers"]) == ("done", "knx", [["A", "b: c"]])
    (found,) = session.results([json.dumps({**FINE, "status": 407})], KNX, PROBES)
    assert (found["stage"], found["connect"]["status"], found["http"]) == ("connect", 407, None)
    (found,) = session.results([json.dumps({**FINE, "status": 0, "error": "Timeout"})], KNX, PROBES)
    assert (found["stage"], found["error"]["kind"], found["http"]) == ("http", "timeout", None)


@pytest.mark.parametrize("status", [302, 403, 407, 502, 511])
def test_what_a_proxy_says_in_the_place_of_a_tunnel_is_not_the_vendors(status: int) -> None:
    (found,) = session.results([json.dumps({**FINE, "status": status})], KNX, PROBES)
    assert (found["stage"], found["connect"]["status"], found["http"]) == ("connect", status, None)
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    finding = judge(pc, [found])["proxy.login"]
    assert finding.status is (Status.FAIL if status == 407 else Status.UNKNOWN), finding.reason


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{"], "cannot be read"),
        ([1], "cannot be read"),
        (None, "cannot be read"),
        (["[]"], "cannot be read"),
        ([json.dumps({**FINE, "name": "another"})], "cannot be read"),
        ([json.dumps({**FINE, "headers": 1})], "cannot be read"),
        ([json.dumps({**FINE, "status": float("inf")})], "cannot be read"),
        ([json.dumps({**FINE, "status": "many"})], "cannot be read"),
        ([json.dumps({**FINE, "way": "q:1"})], "for knx Windows chose q:1, and not what the settings name"),
        ([json.dumps({**FINE, "way": ""})], "for knx Windows chose the direct way, and not what the settings name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(lines: Any, said: str) -> None:
    with pytest.raises(SnapshotError, match=said):
        session.results(lines, KNX, PROBES)
