# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What only Windows knows of a probe, and what a hostile PC may answer.

Outcomes of real servers: tests/integration.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding, Status
from ansible_collections.ets6.network.plugins.plugin_utils.formats.registry import Values, dword
from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import (
    VENDOR_ENDPOINTS,
    Endpoint,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.probes import DIRECT, HttpAnswer
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.routes import Route
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import answer, controls
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.comparison import (
    compare_verdicts,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.interception import (
    judge_interception,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.observer import TLS_KEYS
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.outcomes import (
    ADVICE,
    Outcome,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.probe_plan import (
    missing_probes,
    other_name,
    probe_seconds,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.products import PRODUCTS
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import (
    HostsEntry,
    Key,
    Registry,
    Snapshot,
    State,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import (
    assess,
    assess_by_id,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.reachability.build import (
    ISSUING,
    PUBLIC,
    ROOT_LIST,
    UPDATES,
    encoded,
    failed,
    http,
    judged,
    leaf,
    probe,
    seen,
    tls,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.certificates import Authority

ROOT = Path(__file__).resolve().parents[5]
POLICY = Policy.from_variables({})
API = Endpoint("api", "http://api.knx.org")
MASTER = Endpoint("master", "http://update.knx.org/data/XML/project-23/knx_master.xml")


def test_what_windows_has_against_a_genuine_certificate_is_the_pcs() -> None:
    errors = {"policy_errors": ["RemoteCertificateChainErrors"], "chain_status": ["UntrustedRoot"]}
    verdict = judged(probe(tls=tls(**errors)))
    assert verdict.outcome is Outcome.NOT_TRUSTED_HERE
    assert "RemoteCertificateChainErrors, UntrustedRoot" in verdict.sentence


def test_a_private_root_stays_interception_where_the_pc_trusts_it() -> None:
    """No policy error on the PC proves nothing: the inspector's root may be installed there."""
    inspector = Authority.root("Company Inspection CA")
    server = leaf(inspector)
    verdict = judged(probe(tls=tls(server, built=encoded(server, inspector.certificate))))
    assert (verdict.outcome, verdict.status) == (Outcome.INTERCEPTED, Status.FAIL)


def test_a_chain_that_the_pc_completed_is_fine_and_mentioned() -> None:
    server = leaf(logged=True)
    built = encoded(server, ISSUING.certificate, PUBLIC.certificate)
    verdict = judged(probe(tls=tls(server, built=built)))
    assert verdict.outcome is Outcome.FINE
    assert "found that by itself, another one may not" in verdict.sentence


def test_a_users_own_server_with_its_own_root_is_not_interception() -> None:
    private = Authority.root("Own Root")
    chain = tls(leaf(private, ["news.example"]), private.certificate)
    verdict = judged(probe(tls=chain), Endpoint("news", "https://news.example"))
    assert verdict.outcome is Outcome.UNTRUSTED
    advice = "have ets6_network_public_roots name a file with its root and the public ones"
    assert advice in verdict.sentence


def test_no_route_is_the_networks() -> None:
    verdict = judged(failed("tcp", "unreachable"))
    assert verdict.outcome is Outcome.UNREACHABLE
    assert verdict.sentence == "There is no route to update.knx.org:443."


def test_a_probe_whose_turn_did_not_come_proves_nothing() -> None:
    verdict = judged(failed("queue", addresses=[]))
    assert (verdict.outcome, verdict.status) == (Outcome.NOT_PROBED, Status.UNKNOWN)
    assert "ets6_network_probe_timeout" in verdict.sentence


@pytest.mark.parametrize("address", [
    "0.0.0.0", "10.1.2.3", "127.0.0.1", "169.254.1.1", "198.18.0.5", "::1", "::", "fd00::1",
    "fe80::1%4",
])  # fmt: skip
def test_an_address_without_a_public_server_is_a_sinkholes(address: str) -> None:
    record = failed("tcp", "refused", addresses=[address])
    assert judged(record).outcome is Outcome.SINKHOLED
    assert judged({**record, "proxy": "proxy:3128"}).outcome is Outcome.PROXY_UNREACHABLE


def answered(endpoint: Endpoint, answer: dict[str, Any]) -> Outcome:
    return judged(probe(tls=None, http=answer), endpoint).outcome


@pytest.mark.parametrize(("endpoint", "target", "outcome"), [
    (API, "/portal/login", Outcome.PAGE_NOT_KNOWN),
    (API, "", Outcome.PAGE_NOT_KNOWN),
    (API, "http://api.knx.org/login", Outcome.PAGE_NOT_KNOWN),
    (API, "https://api.knx.org/", Outcome.FINE),
    (API, "https://portal.example/", Outcome.SIGN_IN_OR_BLOCK),
    (API, "http://[bad/", Outcome.SIGN_IN_OR_BLOCK),
    (MASTER, "/portal/login", Outcome.PAGE_NOT_KNOWN),
    (MASTER, "https://update.knx.org/", Outcome.PAGE_NOT_KNOWN),
])  # fmt: skip
def test_over_http_a_redirect_is_the_vendors_only_to_its_own_name_over_tls(
    endpoint: Endpoint, target: str, outcome: Outcome
) -> None:
    assert answered(endpoint, http(302, Location=target)) is outcome


def test_a_refusal_over_http_may_come_from_anywhere() -> None:
    blocked = http(403, b"Blocked by policy")
    assert answered(API, blocked) is Outcome.PAGE_NOT_KNOWN
    assert answered(API, http(404, b'{"message":"no such thing"}')) is Outcome.FINE
    assert answered(MASTER, blocked) is Outcome.WRONG_CONTENT


@pytest.mark.parametrize("status", [403, 451, 511])
def test_what_comes_over_genuine_tls_is_the_servers_own(status: int) -> None:
    verdict = judged(probe(http=http(status, Content_Type="text/html")))
    assert verdict.outcome is (Outcome.FINE if status == 403 else Outcome.SERVER_ERROR)


def test_a_document_is_searched_in_linear_time() -> None:
    since = time.monotonic()
    assert answered(MASTER, http(200, b"<!---->" * 500)) is Outcome.WRONG_CONTENT
    document = b"<?xml version='1.0'?>" + b"<!-- - -- -->\n" * 100 + b"<KNX>"
    assert answered(MASTER, http(200, document)) is Outcome.FINE
    assert time.monotonic() - since < 1


def test_another_name_that_was_not_asked_proves_no_filter_of_names() -> None:
    verdict = judged(failed("tls", "reset"), other_name=failed("queue"))
    assert verdict.outcome is Outcome.RESET


def test_of_a_certificate_for_another_name_the_dates_do_not_matter() -> None:
    shop = leaf(names=["shop.example"], days=10, started=60)
    verdict = judged(probe(tls=tls(shop, ISSUING.certificate)))
    assert verdict.outcome is Outcome.WRONG_NAME


@pytest.mark.parametrize(("names", "chain", "words"), [
    (["block.filter.example"], [ISSUING], "Another server than the vendor's answers for"),
    (["update.knx.org", "api.knx.org", "openapi.knx.org"], [], "too little to tell"),
])  # fmt: skip
def test_interception_passes_only_with_certificates_that_are_the_vendors_own(
    names: list[str], chain: list[Authority], words: str
) -> None:
    presented = [leaf(names=names, logged=True)]
    presented += [authority.certificate for authority in chain]
    encrypted = [endpoint for endpoint in VENDOR_ENDPOINTS if endpoint.scheme == "https"]
    route = Route(DIRECT, (), "")
    verdicts = {}
    for endpoint in encrypted:
        verdicts[endpoint.name] = [(route, judged(probe(tls=tls(*presented)), endpoint))]
    judgement = judge_interception(verdicts, encrypted, ROOT_LIST)
    assert judgement.status is Status.UNKNOWN
    assert words in judgement.reason


@pytest.mark.parametrize(("address", "outcome"), [
    ("10.1.2.3", Outcome.FINE),
    ("fd00::1", Outcome.FINE),
    ("0.0.0.0", Outcome.SINKHOLED),
    ("127.0.0.1", Outcome.SINKHOLED),
])  # fmt: skip
def test_a_users_own_server_may_have_a_private_address(address: str, outcome: Outcome) -> None:
    record = probe(addresses=[address], tls=None)
    assert judged(record, Endpoint("mirror", "http://mirror.example/")).outcome is outcome


def test_an_address_of_ipv6_is_in_brackets() -> None:
    literal = Endpoint("mirror", "http://[fd00::1]:8080/")
    verdict = judged(probe(addresses=["fd00::1"], tls=None), literal)
    assert verdict.sentence == "[fd00::1]:8080 is reached (HTTP 200)."


def test_cookies_and_the_like_stay_out_of_the_evidence() -> None:
    answer = http(200, Set_Cookie="session=secret", Server="lab\x1b[2J", X_User="ada")
    evidence = judged(probe(http=answer)).evidence
    assert evidence["http"]["headers"] == [["Server", "lab\\x1b[2J"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["status", "headers", "body", "kind", "presented", "built"]), inner
        )
    ),
    max_leaves=12,
)
CHANGES = st.dictionaries(st.sampled_from(sorted(probe())), JSON)


@given(CHANGES)
def test_whatever_a_pc_answers_is_an_outcome(changes: dict[str, Any]) -> None:
    verdict = judged({**probe(), **changes, "name": "updates", "proxy": ""})
    assert verdict.outcome in Outcome
    assert len(verdict.sentence) < 2000


@given(CHANGES, CHANGES)
def test_whatever_a_pc_answers_can_be_asked_further_and_judged(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    policy = Policy.from_variables({"public_roots": ""})
    name = other_name(policy.endpoints[0])
    snapshot = seen(
        {**probe(), **first, "name": "updates", "proxy": ""},
        {**probe(), **second, "name": name, "proxy": ""},
        host={"time": 7},
    )
    missing_probes(ProxyContext(snapshot, policy))
    findings = assess(snapshot, policy, "reach")
    checks = controls.FAMILY.checks(policy)
    assert [finding.control for finding in findings] == [check.control for check in checks]


def test_a_probe_that_is_malformed_costs_its_own_endpoint_only() -> None:
    odd = {**probe(), "tls": {"presented": 7}}
    findings = assess_by_id(seen(odd, probe(name="app_updates")), POLICY, "reach")
    assert findings["reach.updates"].evidence["outcome"] == "unreadable"
    reason = "The probe's result cannot be read: probes[0].tls.presented: expected a list"
    assert findings["reach.updates"].reason.startswith(reason)
    assert findings["reach.app_updates"].evidence["outcome"] != "unreadable"


@pytest.mark.parametrize(("address", "target"), [
    ("192.0.2.80", "192.0.2.80:443"),
    ("2001:db8::1", "[2001:db8::1]:443"),
    ("evil.example", None),
    ("1.2.3.4:80", None),
])  # fmt: skip
def test_only_an_address_is_taken_from_the_pc_for_a_second_question(
    address: str, target: str | None
) -> None:
    """The PC says where it was cut off. It cannot have another server asked by that."""
    snapshot = seen(failed("tls", "reset", address=address))
    plan = {entry["name"]: entry for entry in missing_probes(ProxyContext(snapshot, POLICY))}
    second = plan.get("updates under another name")
    assert (second and second["address"]) == target
    assert second is None or second["url"] == "https://probe.invalid"


def test_the_second_question_is_a_short_one() -> None:
    cut = [failed("tls", name=endpoint.name) for endpoint in POLICY.endpoints]
    first = missing_probes(ProxyContext(seen(*cut[:1]), POLICY))
    assert probe_seconds(first, POLICY) == POLICY.probe_timeout == 10
    second = missing_probes(ProxyContext(seen(*cut), POLICY))
    assert {entry["url"] for entry in second} == {"https://probe.invalid"}
    assert probe_seconds(second, POLICY) == 3
    assert probe_seconds(second, Policy.from_variables({"probe_timeout": 1})) == 1


def finding(snapshot: Snapshot, policy: Policy = POLICY) -> Finding:
    return assess_by_id(snapshot, policy, "reach")["reach.updates"]


def test_what_a_script_names_before_the_route_that_works_is_mentioned() -> None:
    url = "http://proxy.example.com/proxy.pac"
    text = b'function FindProxyForURL() { return "PROXY a:1; PROXY b:2" }'
    script = probe(name=f"pac {url}", http=http(200, text), tls=None)
    dead = failed("tcp", "refused", proxy="a:1")
    policy = Policy.from_variables({"proxy": {"mode": "pac", "pac_url": url}})
    found = finding(seen(script, dead, probe(proxy="b:2")), policy)
    assert "The script names a:1 before that, which is not reached: ETS6 waits" in found.reason
    assert [route["way"] for route in found.evidence["ways"]] == ["b:2"]


def test_a_probe_that_is_missing_is_unknown_and_never_a_pass() -> None:
    statuses = {finding.status for finding in assess(seen(), POLICY, "reach")}
    assert statuses == {Status.UNKNOWN, Status.NOT_APPLICABLE}


def test_multicast_is_beyond_a_probe_and_the_controls_that_decide_are_named() -> None:
    multicast = assess_by_id(seen(), POLICY, "reach")["reach.multicast"]
    assert multicast.status is Status.NOT_APPLICABLE
    assert "only ETS6 itself can try" in multicast.reason
    assert "firewall.multicast_answers" in multicast.reason


@pytest.mark.parametrize(("local", "network"), [
    ("192.0.2.7", "192.0.2.0/24"), ("2001:db8::7", "2001:db8::/64"), (None, None),
])  # fmt: skip
def test_the_network_that_probes_started_from_is_kept(
    local: str | None, network: str | None
) -> None:
    assert finding(seen(probe(local=local))).evidence["network"] == network


def test_the_documentation_names_every_outcome_and_its_contact() -> None:
    text = (ROOT / "docs" / "reachability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    contacts = {name: contact for name, _meaning, contact in rows if name in set(Outcome)}
    assert set(contacts) == set(Outcome)
    contacts.pop(Outcome.FINE)
    assert contacts == dict(ADVICE.items())


OFF = {TLS_KEYS["TLS 1.2"]: Key(State.PRESENT, Values([("Enabled", dword(0))]))}


@pytest.mark.parametrize(("code", "keys", "outcome"), [
    (-2146893007, {}, Outcome.TLS_OFF),
    (0x80090331, {}, Outcome.TLS_OFF),
    (-2146893018, {}, Outcome.TLS_FAILED),
    (-2146893018, OFF, Outcome.TLS_OFF),
])  # fmt: skip
def test_tls_that_is_switched_off_on_the_pc_is_not_a_firewall(
    code: int, keys: dict[str, Key], outcome: Outcome
) -> None:
    """SEC_E_ALGORITHM_MISMATCH comes from the PC, SEC_E_ILLEGAL_MESSAGE from the other side."""
    record = failed("tls", "tls_alert")
    record["error"]["code"] = code
    verdict = judged(record, registry=Registry(keys))
    assert verdict.outcome is outcome
    if keys:
        assert "TLS 1.2 switched off" in verdict.sentence


def off(*versions: str) -> Registry:
    """Return the registry of a PC that has TLS versions switched off for clients."""
    keys = {}
    for version in versions:
        keys[TLS_KEYS[version]] = Key(State.PRESENT, Values([("Enabled", dword(0))]))
    return Registry(keys)


@pytest.mark.parametrize(("versions", "kind", "outcome"), [
    (["TLS 1.3"], "tls_alert", Outcome.TLS_FAILED),
    (["TLS 1.2", "TLS 1.3"], "tls_alert", Outcome.TLS_OFF),
    (["TLS 1.2"], "plain_http", Outcome.NO_TLS),
    (["TLS 1.3"], "no_common_tls", Outcome.TLS_OFF),
])  # fmt: skip
def test_a_pc_is_blamed_only_where_what_it_lacks_explains_the_error(
    versions: list[str], kind: str, outcome: Outcome
) -> None:
    """Hardened PCs have TLS 1.3 off and 1.2 on: an alert from a firewall is none of theirs."""
    assert judged(failed("tls", kind), registry=off(*versions)).outcome is outcome


def test_a_reset_stays_a_reset_where_tls_is_switched_off() -> None:
    assert judged(failed("tls", "reset"), registry=Registry(OFF)).outcome is Outcome.RESET


def test_a_dead_ipv6_address_before_one_that_works_is_a_remark() -> None:
    verdict = judged(probe(addresses=["2001:db8::80", "192.0.2.80"]))
    assert verdict.outcome is Outcome.FINE
    assert "2001:db8::80, had not answered over IPv6 when IPv4 did" in verdict.sentence
    assert "was not measured" in verdict.sentence
    assert "IPv6" not in judged(probe(addresses=["192.0.2.80", "2001:db8::80"])).sentence


@pytest.mark.parametrize(("address", "owner"), [
    ("208.91.112.55", "Fortinet FortiGuard"),
    ("146.112.61.106", "Cisco Umbrella"),
    ("198.135.184.22", "Palo Alto Networks"),
    ("::ffff:208.91.112.55", "Fortinet FortiGuard"),
    ("2001:cdba::3257:9652", "Fortinet FortiGuard"),
])  # fmt: skip
def test_sinkholes_of_large_vendors_are_known(address: str, owner: str) -> None:
    verdict = judged(failed("tcp", "refused", addresses=[address]))
    assert verdict.outcome is Outcome.SINKHOLED
    assert f"the sinkhole of {owner}" in verdict.sentence


@pytest.mark.parametrize("address", ["::ffff:10.1.2.3", "224.0.0.1", "ff02::1", "239.1.2.3"])
def test_mapped_private_and_multicast_addresses_have_no_server(address: str) -> None:
    record = failed("tcp", "timeout", addresses=[address])
    assert judged(record).outcome is Outcome.SINKHOLED


@pytest.mark.parametrize("address", ["100.80.1.1", "198.18.0.5", "fd00::1", "10.1.2.3"])
def test_what_arrives_outweighs_the_address(address: str) -> None:
    document = http(200, b"<KNX><MasterData/></KNX>")
    answer = {"addresses": [address], "tls": None}
    assert judged(probe(**answer, http=document), MASTER).outcome is Outcome.FINE
    assert judged(probe(**answer, http=http(200)), MASTER).outcome is Outcome.SINKHOLED
    assert judged(probe(addresses=[address])).outcome is Outcome.FINE


def test_the_address_that_was_connected_to_counts() -> None:
    record = probe(addresses=["fd00::80", "192.0.2.80"], tls=None)
    assert judged(record, API).outcome is Outcome.FINE


def test_the_hosts_file_is_named() -> None:
    hosts = (HostsEntry("127.0.0.1", ("update.knx.org",)),)
    record = failed("tcp", "refused", addresses=["127.0.0.1"])
    verdict = judged(record, hosts_file=hosts)
    assert verdict.outcome is Outcome.HOSTS_FILE
    assert "The hosts file of this PC leads update.knx.org to 127.0.0.1" in verdict.sentence
    assert judged(record).outcome is Outcome.SINKHOLED
    works = judged(probe(), hosts_file=(HostsEntry("192.0.2.80", ("update.knx.org",)),))
    assert works.outcome is Outcome.FINE
    assert "The hosts file of this PC leads update.knx.org to 192.0.2.80." in works.sentence


def test_an_alert_under_another_name_is_no_proof_of_a_filter() -> None:
    alert = failed("tls", "tls_alert")
    assert judged(failed("tls", "reset"), other_name=alert).outcome is Outcome.RESET
    finished = probe(http=None, error={"kind": "closed", "code": None})
    verdict = judged(failed("tls", "reset"), other_name=finished)
    assert verdict.outcome is Outcome.RESET_AT_NAME


def test_silence_in_tls_names_mtu_and_vpn() -> None:
    sentence = judged(failed("tls")).sentence
    assert "MTU" in sentence
    assert "VPN" in sentence


@pytest.mark.parametrize(("target", "is_asked"), [
    ("https://update.knx.org/new.xml", True),
    ("http://cdn.example/knx_master.xml", True),
    ("http://user@evil.example/", False),
    ("file:///etc/passwd", False),
    ("http://a b/", False),
    ("", True),
])  # fmt: skip
def test_a_moved_document_is_asked_for_once_where_it_leads(target: str, is_asked: bool) -> None:
    moved = probe(name="administrative_data", tls=None, http=http(301, Location=target))
    plan = missing_probes(ProxyContext(seen(moved), POLICY))
    extra = [entry for entry in plan if entry["name"].startswith("administrative_data at")]
    assert bool(extra) is is_asked
    if extra:
        answered = probe(name=extra[0]["name"], tls=None, http=http(301, Location="http://x/"))
        again = missing_probes(ProxyContext(seen(moved, answered), POLICY))
        assert not [entry for entry in again if " at http" in entry["name"]]


def test_the_products_of_the_documentation_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "reachability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|`]+) \| ([^|`]+) \| `(.+)` \| ", text, re.MULTILINE)
    documented = set()
    for name, place, words in rows:
        documented |= {(name, place, word) for word in words.split("`, `")}
    assert documented == {(item.name, item.place.value, item.words) for item in PRODUCTS}


def test_a_url_that_names_an_address_is_not_sinkholed() -> None:
    record = probe(addresses=["127.0.0.1"], tls=None)
    assert judged(record, Endpoint("mirror", "http://127.0.0.1:8080/")).outcome is Outcome.FINE


def test_a_bare_500_in_place_of_a_tunnel_is_of_an_unknown_sender() -> None:
    refused = failed("connect", "other", proxy="p:1", connect=http(500))
    assert judged(refused).outcome is Outcome.ERROR_NOT_KNOWN
    refused["connect"] = http(502)
    assert judged(refused).outcome is Outcome.PROXY_CANNOT


@pytest.mark.parametrize("status", [404, 410])
def test_a_document_that_is_gone_is_no_proof_of_a_filter(status: int) -> None:
    """The vendor may have moved it: no PC blames its filter for that, nor is its answer altered."""
    page = http(status, b"<html><body>Not found</body></html>", Content_Type="text/html")
    verdict = judged(probe(tls=None, http=page), MASTER)
    assert verdict.outcome is Outcome.PAGE_NOT_KNOWN
    assert "the vendor may have moved it" in verdict.sentence
    judgement = judge_interception(
        {MASTER.name: [(Route(DIRECT, (), ""), verdict)]}, [MASTER], ROOT_LIST
    )
    assert (judgement.status, judgement.evidence["strong"]) == (Status.NOT_APPLICABLE, {})


def beside(*records: dict[str, Any], endpoints: dict[str, str]) -> dict[str, Outcome]:
    """Return the outcomes of probes of endpoints that one host compares, by the endpoints' names."""
    plain = [Endpoint(name, url) for name, url in endpoints.items()]
    verdicts = {}
    for endpoint, record in zip(plain, records, strict=True):
        verdict = judged({**record, "name": endpoint.name}, endpoint)
        verdicts[endpoint.name] = [(Route(DIRECT, (), ""), verdict)]
    compared = compare_verdicts(verdicts, plain)
    return {name: routes[0][1].outcome for name, routes in compared.items()}


GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04"


@pytest.mark.parametrize(
    "answer", [http(200), http(204), http(200, GIF), http(404, b"no such page")]
)
@pytest.mark.parametrize(("other", "outcome"), [
    ("http://www.knx.org/news", Outcome.PAGE_NOT_KNOWN),
    ("http://api.knx.org/other", Outcome.FINE),
])  # fmt: skip
def test_neighbours_without_a_document_are_compared_too(
    answer: dict[str, Any], other: str, outcome: Outcome
) -> None:
    """A filter answers all names alike; one server may answer all its paths alike."""
    record = probe(tls=None, http=answer)
    urls = {"api": "http://api.knx.org", "other": other}
    assert beside(record, record, endpoints=urls) == {"api": outcome, "other": outcome}


def test_a_mirror_of_the_vendors_document_is_no_filter() -> None:
    record = probe(tls=None, http=http(200, b"<KNX><MasterData/></KNX>"))
    urls = {"master": MASTER.url, "mirror": "http://mirror.example/knx_master.xml"}
    assert set(beside(record, record, endpoints=urls).values()) == {Outcome.FINE}


def test_users_servers_of_one_site_may_answer_alike() -> None:
    record = probe(tls=None, http=http(200, b"welcome"))
    urls = {"one": "http://one.company.example", "two": "http://two.company.example"}
    assert set(beside(record, record, endpoints=urls).values()) == {Outcome.FINE}
    urls["two"] = "http://two.example"
    assert set(beside(record, record, endpoints=urls).values()) == {Outcome.PAGE_NOT_KNOWN}


@pytest.mark.parametrize(("plain", "secure", "outcome"), [
    ("198.18.0.7", "198.18.0.7", Outcome.FINE),
    ("64:ff9b:1::c000:250", "64:ff9b:1::c000:250", Outcome.FINE),
    ("fd00:64::c000:250", "fd00:64::c000:250", Outcome.FINE),
    ("10.1.2.3", "192.0.2.80", Outcome.SINKHOLED),
])  # fmt: skip
def test_a_server_that_tls_proves_at_an_address_is_there_over_http_too(
    plain: str, secure: str, outcome: Outcome
) -> None:
    """A resolver that hands out fake addresses, and NAT64, do so for every name and both ports."""
    over_http = probe(addresses=[plain], tls=None, http=http(404))
    over_tls = probe(
        addresses=[secure], tls=tls(leaf(names=["api.knx.org"], logged=True), ISSUING.certificate)
    )
    urls = {"plain": "http://api.knx.org", "secure": "https://api.knx.org"}
    assert beside(over_http, over_tls, endpoints=urls) == {"plain": outcome, "secure": Outcome.FINE}


@pytest.mark.parametrize("start", [
    b"<!-- Copyright of a firewall's vendor --><html><body>Web Page Blocked",
    b"\xef\xbb\xbf\n<!--\n- a -- b\n-->\n<!DOCTYPE HTML><title>Blocked",
    b"<script>top.location='http://192.0.2.1/login'</script>",
    b"<meta http-equiv=refresh content='0; url=http://192.0.2.1/login'>",
])  # fmt: skip
def test_a_page_without_a_type_is_a_page_whatever_it_begins_with(start: bytes) -> None:
    """Fortinet's block page may lack a Content-Type and begin with a comment."""
    assert judged(probe(tls=None, http=http(200, start)), API).outcome is Outcome.PAGE_NOT_KNOWN
    assert judged(probe(tls=None, http=http(200, start)), MASTER).outcome is Outcome.BLOCK_PAGE


def test_xml_is_no_page() -> None:
    record = probe(tls=None, http=http(200, b"<?xml version='1.0'?><!-- html --><ok/>"))
    assert judged(record, API).outcome is Outcome.FINE


@pytest.mark.parametrize(
    "endless", [b"<!--" + b"-" * 70_000, b"<!---->" * 10_000, b"<!-- -" * 9_000]
)
def test_a_page_is_recognized_in_linear_time(endless: bytes) -> None:
    started = time.monotonic()
    judged(probe(tls=None, http=http(200, endless)), API)
    assert time.monotonic() - started < 0.5


MOVED = b"<html><h1>301 Moved Permanently</h1><hr>nginx</html>"


@pytest.mark.parametrize(("target_over_tls", "outcome"), [
    ("https://new.example/apps", Outcome.FINE),
    ("https://other.example/", Outcome.SIGN_IN_OR_BLOCK),
])  # fmt: skip
def test_a_server_that_moved_says_so_over_tls_as_well(
    target_over_tls: str, outcome: Outcome
) -> None:
    over_http = probe(tls=None, http=http(301, MOVED, Location="https://new.example/apps"))
    certificates = tls(leaf(names=["api.knx.org"], logged=True), ISSUING.certificate)
    over_tls = probe(tls=certificates, http=http(301, MOVED, Location=target_over_tls))
    urls = {"plain": "http://api.knx.org", "secure": "https://api.knx.org"}
    assert beside(over_http, over_tls, endpoints=urls) == {"plain": outcome, "secure": Outcome.FINE}


def test_a_redirect_of_the_vendor_is_no_portal_for_others() -> None:
    moved = http(301, Location="https://new.example/apps")
    certificates = tls(leaf(names=["api.knx.org"], logged=True), ISSUING.certificate)
    records = [
        probe(tls=None, http=moved),
        probe(tls=certificates, http=moved),
        failed("tcp", "refused"),
    ]
    urls = {"plain": "http://api.knx.org", "secure": "https://api.knx.org", "down": UPDATES.url}
    plain = [Endpoint(name, url) for name, url in urls.items()]
    verdicts = {}
    for endpoint, record in zip(plain, records, strict=True):
        verdicts[endpoint.name] = [(Route(DIRECT, (), ""), judged(record, endpoint))]
    (down,) = compare_verdicts(verdicts, plain)["down"]
    assert "sign-in" not in down[1].sentence


def test_redirects_to_their_own_names_have_no_page_in_common() -> None:
    """The text of a redirect is that of the web server's program."""
    records = []
    for host in ("api.knx.org", "www.knx.org"):
        records.append(probe(tls=None, http=http(301, MOVED, Location=f"https://{host}/")))
    urls = {"api": "http://api.knx.org", "www": "http://www.knx.org"}
    assert set(beside(*records, endpoints=urls).values()) == {Outcome.FINE}


def test_the_control_and_the_docs_say_for_which_program_a_verdict_holds() -> None:
    """Agents and scanners may treat ETS6 otherwise than the PowerShell that probed."""
    text = (ROOT / "docs" / "reachability.md").read_text(encoding="utf-8")
    found = [finding(seen(probe()), POLICY).control.remedy, text]
    assert all("holds for the program that probed" in " ".join(place.split()) for place in found)


@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 32 Jan 2026 00:00:00 GMT", "today", ""]
)
def test_a_date_that_no_calendar_has_says_nothing_of_the_clock(date: str) -> None:
    assert answer.server_time(HttpAnswer(200, (("Date", date),))) is None
