# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which probes a user's session makes, and how its answer is read, which only that user vouches for."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import VENDOR_ENDPOINTS
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.probes import Probe, ProbeError
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import session
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.observer import Observer
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.outcomes import (
    Outcome,
    Verdict,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.roots import RootList
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.verdict import judge_probe
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import User
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import assess_by_id
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    probe,
    script,
    second_user,
    snapshot,
)
from cryptography.hazmat.primitives.serialization import Encoding

from tests.lab.certificates import Authority, certificate_of
from tests.lab.pc import USER, Pc

KNX = User(USER, "knx", logged_on=True)
PROBES = [{"name": "updates", "url": "https://update.knx.org", "proxy": "p:1", "first": "p:1"}]
FINE = {
    "name": "updates", "proxy": "p:1", "status": 200, "headers": ["A: b: c"], "body": "", "leaf": "", "built": [], "chain_status": [],
    "error": "",
}  # fmt: skip
REFUSED = {"status": 407, "headers": [["Proxy-Authenticate", "Negotiate"]], "body": ""}


def refused(name: str, way: str = "p:1", **found: Any) -> dict[str, Any]:
    return probe(
        name,
        way,
        **{
            "stage": "connect",
            "connect": REFUSED,
            "http": None,
            "error": {"kind": "other", "code": 407},
            **found,
        },
    )


def planned(pc: Pc, *probes: dict[str, Any], probe_as: str = "user") -> dict[str, list[str]]:
    asked = session.user_probes(
        ProxyContext(snapshot(pc, list(probes)), Policy.from_variables({"probe_as": probe_as}))
    )
    return {user.sid: [one["name"] for one in found] for user, found in asked}


def test_only_what_a_proxy_refused_without_a_login_is_asked_again_and_only_where_it_is_wanted() -> (
    None
):
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    assert planned(
        pc, refused("updates"), probe("app_updates", "p:1"), refused("cloud_licensing", "before:1")
    ) == {USER: ["updates"]}
    assert planned(pc, refused("updates"), probe_as="connection") == {}
    assert planned(pc, refused("updates", user="knx")) == {}
    basic = {**REFUSED, "headers": [["Proxy-Authenticate", "Basic"]]}
    assert planned(pc, refused("updates", connect=basic)) == {}
    pc.state["users"][0]["logged_on"] = False
    assert planned(pc, refused("updates")) == {}


def test_of_two_users_with_the_same_proxy_none_is_asked_and_of_two_proxies_each_ones_user() -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    path = second_user(pc, logged_on=True, loaded=True)
    pc._wininet(path, 3, "p:1", "", "")
    assert planned(pc, refused("updates")) == {}
    pc._wininet(path, 3, "q:1", "", "")
    assert [
        len(found) for found in planned(pc, refused("updates"), refused("updates", "q:1")).values()
    ] == [1, 1]


def read(*lines: Any, probes: Sequence[dict[str, str]] = tuple(PROBES)) -> list[Probe]:
    found, why = session.read_results(list(map(json.dumps, lines)), KNX, probes)
    assert not why
    return found


def test_windows_begins_with_the_first_proxy_of_a_script_and_the_answer_is_the_nexts() -> None:
    url = "http://proxy.example.com/proxy.pac"
    pc = Pc("pc")
    pc.user_proxy(5, "", "", url)
    dead = refused("updates", "p:1", stage="tcp", connect=None)
    held = [
        script(url, 'function FindProxyForURL() { return "PROXY p:1; PROXY q:2" }'),
        dead,
        refused("updates", "q:2"),
    ]
    ((_user, (asked,)),) = session.user_probes(
        ProxyContext(snapshot(pc, held), Policy.from_variables({"probe_as": "user"}))
    )
    assert (asked["first"], asked["proxy"]) == ("p:1", "q:2")
    (found,) = read({**FINE, "leaf": "AA=="}, probes=[asked])
    assert (found.route, found.stage) == ("q:2", "done")


def test_what_was_not_answered_in_time_is_said() -> None:
    probes = [*PROBES, {**PROBES[0], "name": "app_updates"}]
    found, why = session.read_results([json.dumps({**FINE, "leaf": "AA=="})], KNX, probes)
    assert [probe.name for probe in found] == ["updates"]
    assert why == "the session of knx: it gave no usable answer for app_updates in time"


def test_of_a_certificate_that_windows_does_not_trust_is_known_what_it_is() -> None:
    root = Authority.root("Company Root")
    failure = {
        "status": 0,
        "headers": [],
        "error": "TrustFailure",
        "chain_status": ["PartialChain"],
    }

    def judged(roots: Authority, *built: Authority, logged: bool = False) -> Verdict:
        server = certificate_of(root, ["update.knx.org"], logged=logged)[0]
        leaf = base64.b64encode(server.public_bytes(Encoding.DER)).decode()
        chain = [
            base64.b64encode(one.certificate.public_bytes(Encoding.DER)).decode() for one in built
        ]
        (found,) = read({**FINE, **failure, "leaf": leaf, "built": [leaf, *chain]})
        return judge_probe(
            found,
            VENDOR_ENDPOINTS[0],
            Observer(RootList((roots.certificate,)), datetime.now(timezone.utc)),
        )

    assert judged(Authority.root("Another Root"), root).outcome is Outcome.INTERCEPTED
    unknown = judged(Authority.root("Another Root"))
    assert unknown.outcome is Outcome.UNTRUSTED
    assert unknown.evidence["tls"]["complete"] is None
    here = judged(root, root, logged=True)
    assert here.outcome is Outcome.NOT_TRUSTED_HERE
    assert "TrustFailure, PartialChain" in here.sentence


def test_only_the_servers_own_certificate_is_seen_and_that_is_no_incomplete_chain() -> None:
    root = Authority.root("Public Root")
    issuing = root.intermediate("Issuing CA")
    chain = [
        certificate_of(issuing, ["update.knx.org"], logged=True)[0],
        issuing.certificate,
        root.certificate,
    ]
    leaf, *built = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]

    def judged(*chain: str) -> Verdict:
        (found,) = read({**FINE, "leaf": leaf, "built": [leaf, *chain]})
        return judge_probe(
            found,
            VENDOR_ENDPOINTS[0],
            Observer(RootList((root.certificate,)), datetime.now(timezone.utc)),
        )

    fine = judged(*built)
    assert (fine.outcome, fine.evidence["tls"]["complete"]) == (Outcome.FINE, None)
    assert fine.sentence.endswith("is reached (HTTP 200).")
    unknown = judged()
    assert unknown.outcome is Outcome.UNTRUSTED
    assert "what else the server sent was not seen" in unknown.sentence


def test_an_answer_comes_in_the_form_of_the_other_probes() -> None:
    plain = [{**PROBES[0], "url": "http://update.knx.org"}]
    (found,) = read(FINE, probes=plain)
    assert found.http is not None
    assert (found.stage, found.user, found.http.headers) == ("done", "knx", (("A", "b: c"),))
    (found,) = read({**FINE, "status": 407})
    assert found.connect is not None
    assert (found.stage, found.connect.status, found.http) == ("connect", 407, None)
    (found,) = read({**FINE, "status": 0, "error": "Timeout"})
    assert (found.stage, found.error, found.http) == ("http", ProbeError("timeout"), None)


@pytest.mark.parametrize("status", [302, 403, 407, 502, 511])
def test_what_a_proxy_says_in_the_place_of_a_tunnel_is_not_the_vendors(status: int) -> None:
    (found,) = read({**FINE, "status": status})
    assert found.connect is not None
    assert (found.stage, found.connect.status, found.http) == ("connect", status, None)
    pc = Pc("pc")
    pc.user_proxy(3, "p:1")
    seen = dataclasses.replace(snapshot(pc), probes=(found,))
    finding = assess_by_id(seen, Policy.from_variables({}), "proxy")["proxy.login"]
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
        (
            [json.dumps({**FINE, "proxy": "q:1"})],
            "Windows chose q:1 for updates, and not what the settings name",
        ),
        (
            [json.dumps({**FINE, "proxy": ""})],
            "Windows chose the direct route for updates, and not what the settings name",
        ),
    ],
)
def test_what_makes_no_sense_is_told_with_the_reason_and_hides_no_other_answer(
    lines: Any, said: str
) -> None:
    found, why = session.read_results(lines, KNX, PROBES)
    assert (found, said in why) == ([], True), why
    probes = [*PROBES, {**PROBES[0], "name": "app_updates"}]
    fine = json.dumps({**FINE, "name": "app_updates", "leaf": "AA=="})
    found, why = session.read_results([*(lines or [None]), fine], KNX, probes)
    assert ([probe.name for probe in found], said in why) == (["app_updates"], True), why


def test_a_body_that_breaks_off_is_not_fine() -> None:
    plain = [{**PROBES[0], "url": "http://update.knx.org"}]
    (whole,) = read(FINE, probes=plain)
    (cut,) = read({**FINE, "error": "ReceiveFailure"}, probes=plain)
    assert whole.http is not None
    assert cut.http is not None
    assert (whole.http.complete, cut.http.complete) == (True, False)
