# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What only Windows tells of a probe, and what a hostile PC may answer. Outcomes of real servers: tests/integration."""

from __future__ import annotations

import base64
import re
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding, Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import (
    VENDOR_ENDPOINTS,
    Endpoint,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import (
    controls,
    interception,
    outcome,
    ways,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.kinds import CALLS, Kind
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import assess
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.certificates import Authority, certificate_of

ROOT = Path(__file__).resolve().parents[5]
NOW = datetime.now(timezone.utc)
PUBLIC = Authority.root("Public Root")
ISSUING = PUBLIC.intermediate("Issuing CA")
UPDATES = Endpoint("updates", "https://update.knx.org")


def der(*chain: Any) -> list[str]:
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]


def probe(**found: Any) -> dict[str, Any]:
    """Return a probe's result: everything fine unless told otherwise."""
    leaf = certificate_of(ISSUING, ["update.knx.org"], logged=True)[0]
    tls = {"protocol": "Tls12", "policy_errors": [], "presented": der(leaf, ISSUING.certificate), "built": [], "chain_status": []}
    return {
        "name": "updates", "proxy": "", "stage": "done", "error": None, "addresses": ["192.0.2.80"], "address": "192.0.2.80", "local": "192.0.2.7",
        "elapsed": {"dns": 1}, "connect": None, "tls": tls, "http": {"status": 200, "headers": [], "body": ""}, **found,
    }  # fmt: skip


def judged(found: dict[str, Any], endpoint: Endpoint = UPDATES, **more: Any) -> outcome.Outcome:
    return outcome.of(found, endpoint, (PUBLIC.certificate,), NOW, **more)


def test_what_windows_has_against_a_genuine_certificate_is_the_pcs() -> None:
    found = probe()
    found["tls"] |= {"policy_errors": ["RemoteCertificateChainErrors"], "chain_status": ["UntrustedRoot"]}
    result = judged(found)
    assert result.kind is Kind.NOT_TRUSTED_HERE
    assert "RemoteCertificateChainErrors, UntrustedRoot" in result.sentence


def test_a_private_root_stays_interception_where_the_pc_trusts_it() -> None:
    """No policy error on the PC proves nothing: the inspector's root may have been given to it."""
    inspector = Authority.root("Company Inspection CA")
    leaf = certificate_of(inspector, ["update.knx.org"])[0]
    found = probe()
    found["tls"] |= {"presented": der(leaf), "built": der(leaf, inspector.certificate)}
    result = judged(found)
    assert (result.kind, result.status) == (Kind.INTERCEPTED, Status.FAIL)


def test_a_chain_that_the_pc_completed_is_fine_and_said() -> None:
    found = probe()
    leaf = certificate_of(ISSUING, ["update.knx.org"], logged=True)[0]
    found["tls"] |= {"presented": der(leaf), "built": der(leaf, ISSUING.certificate, PUBLIC.certificate)}
    result = judged(found)
    assert result.kind is Kind.FINE
    assert "found that by itself, another one may not" in result.sentence


def test_ones_own_server_with_ones_own_root_is_nobodys_interception() -> None:
    private = Authority.root("Own Root")
    leaf = certificate_of(private, ["news.example"])[0]
    found = probe(tls={**probe()["tls"], "presented": der(leaf, private.certificate)})
    result = judged(found, Endpoint("news", "https://news.example"))
    assert result.kind is Kind.UNTRUSTED
    assert "have ets6_network_public_roots name a file with its root and the public ones" in result.sentence


def test_no_route_is_the_networks() -> None:
    error = {"kind": "unreachable", "code": 10051, "text": "…"}
    result = judged(probe(stage="tcp", error=error, tls=None, http=None))
    assert (result.kind, result.sentence) == (Kind.UNREACHABLE, "There is no route to update.knx.org:443.")


def test_a_probe_whose_turn_did_not_come_proves_nothing() -> None:
    error = {"kind": "timeout", "code": None, "text": "…"}
    result = judged(probe(stage="queue", error=error, addresses=[], tls=None, http=None))
    assert (result.kind, result.status) == (Kind.NOT_PROBED, Status.UNKNOWN)
    assert "ets6_network_probe_timeout" in result.sentence


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "10.1.2.3", "127.0.0.1", "169.254.1.1", "198.18.0.5", "::1", "::", "fd00::1", "fe80::1%4"]
)
def test_addresses_where_no_public_server_is_are_a_sinkholes(address: str) -> None:
    error = {"kind": "refused", "code": 10061, "text": "…"}
    found = probe(stage="tcp", error=error, tls=None, http=None, addresses=[address])
    assert judged(found).kind is Kind.SINKHOLED
    assert judged({**found, "proxy": "proxy:3128"}).kind is Kind.PROXY_UNREACHABLE


API, MASTER = (
    Endpoint("api", "http://api.knx.org"),
    Endpoint("master", "http://update.knx.org/data/XML/project-23/knx_master.xml"),
)


def answered(endpoint: Endpoint, status: int, body: bytes = b"", **headers: str) -> Kind:
    http = {
        "status": status,
        "headers": [[name, value] for name, value in headers.items()],
        "body": base64.b64encode(body).decode(),
    }
    return judged(probe(tls=None, http=http), endpoint).kind


@pytest.mark.parametrize(("endpoint", "to", "kind"), [
    (API, "/portal/login", Kind.PAGE_NOT_KNOWN),
    (API, "", Kind.PAGE_NOT_KNOWN),
    (API, "http://api.knx.org/login", Kind.PAGE_NOT_KNOWN),
    (API, "https://api.knx.org/", Kind.FINE),
    (API, "https://portal.example/", Kind.CAPTIVE_PORTAL),
    (API, "http://[bad/", Kind.CAPTIVE_PORTAL),
    (MASTER, "/portal/login", Kind.PAGE_NOT_KNOWN),
    (MASTER, "https://update.knx.org/", Kind.PAGE_NOT_KNOWN),
])  # fmt: skip
def test_over_http_a_redirect_is_the_vendors_only_where_it_leads_to_its_own_name_over_tls(
    endpoint: Endpoint, to: str, kind: Kind
) -> None:
    assert answered(endpoint, 302, Location=to) is kind


def test_a_refusal_over_http_may_be_anybodys() -> None:
    assert answered(API, 403, b"Blocked by policy") is Kind.PAGE_NOT_KNOWN
    assert answered(API, 404, b'{"message":"no such thing"}') is Kind.FINE
    assert answered(MASTER, 403, b"Blocked by policy") is Kind.WRONG_CONTENT


@pytest.mark.parametrize("status", [403, 451, 511])
def test_what_is_said_over_genuine_tls_is_the_servers_own(status: int) -> None:
    found = judged(probe(http={"status": status, "headers": [["Content-Type", "text/html"]], "body": ""}))
    assert found.kind is (Kind.FINE if status == 403 else Kind.SERVER_ERROR)


def test_a_document_is_looked_through_in_one_go() -> None:
    since = time.monotonic()
    assert answered(MASTER, 200, b"<!---->" * 500) is Kind.WRONG_CONTENT
    assert answered(MASTER, 200, b"<?xml version='1.0'?>" + b"<!-- - -- -->\n" * 100 + b"<KNX>") is Kind.FINE
    assert time.monotonic() - since < 1


def test_another_name_that_was_not_asked_proves_no_filter_of_names() -> None:
    cut = probe(stage="tls", error={"kind": "reset", "code": None, "text": ""}, tls=None, http=None)
    other = {**cut, "stage": "queue", "error": {"kind": "timeout", "code": None, "text": ""}}
    assert judged(cut, other_name=other).kind is Kind.RESET


def test_of_a_certificate_for_another_name_the_dates_do_not_matter() -> None:
    shop = certificate_of(ISSUING, ["shop.example"], days=10, started=60)[0]
    assert judged(probe(tls={**probe()["tls"], "presented": der(shop, ISSUING.certificate)})).kind is Kind.WRONG_NAME


@pytest.mark.parametrize(("names", "chain", "said"), [
    (["block.filter.example"], [ISSUING], "Another server than the vendor's answers for"),
    (["update.knx.org", "api.knx.org", "openapi.knx.org"], [], "too little to tell"),
])  # fmt: skip
def test_interception_passes_only_with_certificates_that_are_the_vendors_own(
    names: list[str], chain: list[Authority], said: str
) -> None:
    presented = der(certificate_of(ISSUING, names, logged=True)[0], *(one.certificate for one in chain))
    encrypted = [one for one in VENDOR_ENDPOINTS if one.scheme == "https"]
    answers = {one.name: [judged(probe(tls={**probe()["tls"], "presented": presented}), one)] for one in encrypted}
    found = interception.judge(answers, list(answers))
    assert (found.status, said in found.reason) == (Status.UNKNOWN, True), found.reason


@pytest.mark.parametrize(
    ("address", "kind"),
    [("10.1.2.3", Kind.FINE), ("fd00::1", Kind.FINE), ("0.0.0.0", Kind.SINKHOLED), ("127.0.0.1", Kind.SINKHOLED)],
)
def test_a_server_of_ones_own_may_have_a_private_address(address: str, kind: Kind) -> None:
    found = probe(addresses=[address], tls=None)
    assert judged(found, Endpoint("mirror", "http://mirror.example/")).kind is kind


def test_an_address_of_ipv6_is_told_in_brackets() -> None:
    literal = Endpoint("mirror", "http://[fd00::1]:8080/")
    assert judged(probe(addresses=["fd00::1"], tls=None), literal).sentence == "[fd00::1]:8080 is reached (HTTP 200)."


def test_cookies_and_the_like_stay_out_of_the_evidence() -> None:
    headers = [["Set-Cookie", "session=secret"], ["Server", "lab\x1b[2J"], ["X-User", "ada"]]
    evidence = judged(probe(http={"status": 200, "headers": headers, "body": ""})).evidence
    assert evidence["http"]["headers"] == [["Server", "lab?[2J"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["status", "headers", "body", "kind", "presented", "built"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(probe())), JSON))
def test_whatever_a_pc_answers_is_an_outcome(changes: dict[str, Any]) -> None:
    found = judged({**probe(), **changes, "name": "updates"})
    assert found.kind in Kind
    assert len(found.sentence) < 2000


@given(st.dictionaries(st.sampled_from(sorted(probe())), JSON), st.dictionaries(st.sampled_from(sorted(probe())), JSON))
def test_whatever_a_pc_answers_can_be_asked_further_and_judged(one: dict[str, Any], other: dict[str, Any]) -> None:
    policy = Policy.from_variables({"public_roots": ""})
    probes = [{**probe(), **one, "name": "updates", "proxy": ""}]
    probes.append({**probe(), **other, "name": ways.other_name(policy.endpoints[0]), "proxy": ""})
    seen = Snapshot.from_wire({"version": 1, "vantage": True, "host": {"time": 7}, "probes": probes})
    ways.not_yet_probed(ProxyContext(seen, policy))
    findings = assess(seen, policy, "reach")
    assert [finding.control for finding in findings] == [check.control for check in controls.FAMILY.checks(policy)]


def test_only_an_address_is_taken_from_the_pc_for_a_second_question() -> None:
    """The PC says where it was cut off; that it cannot have anybody else asked."""
    policy = Policy.from_variables({})
    cut = {"stage": "tls", "error": {"kind": "reset", "code": None, "text": ""}, "tls": None, "http": None}
    for address, wanted in (
        ("192.0.2.80", "192.0.2.80:443"),
        ("2001:db8::1", "[2001:db8::1]:443"),
        ("evil.example", None),
        ("1.2.3.4:80", None),
    ):
        probes = [probe(**cut, address=address)]
        seen = Snapshot.from_wire({"version": 1, "vantage": True, "probes": probes})
        asked = {one["name"]: one for one in ways.not_yet_probed(ProxyContext(seen, policy))}.get("updates under another name")
        assert (asked and asked["address"]) == wanted
        assert asked is None or asked["url"] == "https://probe.invalid"


def test_the_second_question_is_a_short_one() -> None:
    policy = Policy.from_variables({})
    error = {"kind": "timeout", "code": None, "text": ""}
    cut = [probe(name=endpoint.name, stage="tls", error=error, tls=None, http=None) for endpoint in policy.endpoints]
    first = Snapshot.from_wire({"version": 1, "vantage": True, "probes": cut[:1]})
    assert ways.seconds(ways.not_yet_probed(ProxyContext(first, policy)), policy) == policy.probe_timeout == 10
    second = ways.not_yet_probed(ProxyContext(Snapshot.from_wire({"version": 1, "vantage": True, "probes": cut}), policy))
    assert {one["url"] for one in second} == {"https://probe.invalid"}
    assert ways.seconds(second, policy) == 3
    assert ways.seconds(second, Policy.from_variables({"probe_timeout": 1})) == 1


def finding(found: dict[str, Any]) -> Finding:
    seen = Snapshot.from_wire({"version": 1, "vantage": True, "probes": [found]})
    return {one.control.id: one for one in assess(seen, Policy.from_variables({}), "reach")}["reach.updates"]


def test_what_a_script_names_before_the_way_that_works_is_told() -> None:
    url = "http://proxy.example.com/proxy.pac"
    body = base64.b64encode(b'function FindProxyForURL() { return "PROXY a:1; PROXY b:2" }').decode()
    script = probe(name=f"pac {url}", http={"status": 200, "headers": [], "body": body}, tls=None)
    dead = probe(proxy="a:1", stage="tcp", error={"kind": "refused", "code": 10061}, tls=None, http=None)
    seen = Snapshot.from_wire({"version": 1, "vantage": True, "probes": [script, dead, probe(proxy="b:2")]})
    policy = Policy.from_variables({"proxy": {"mode": "pac", "pac_url": url}})
    found = {one.control.id: one for one in assess(seen, policy, "reach")}["reach.updates"]
    assert "The script names a:1 before that, which is not reached: ETS6 waits for it each time, and goes on." in found.reason
    assert [way["way"] for way in found.evidence["ways"]] == ["b:2"]


def test_a_probe_that_is_missing_is_unknown_and_never_a_pass() -> None:
    seen = Snapshot.from_wire({"version": 1, "vantage": True, "probes": []})
    judged = assess(seen, Policy.from_variables({}), "reach")
    assert {one.status for one in judged} == {Status.UNKNOWN, Status.NOT_APPLICABLE}


def test_multicast_is_said_to_be_beyond_a_probe_with_the_controls_that_decide() -> None:
    seen = Snapshot.from_wire({"version": 1, "vantage": True, "probes": []})
    found = {one.control.id: one for one in assess(seen, Policy.from_variables({}), "reach")}["reach.multicast"]
    assert found.status is Status.NOT_APPLICABLE
    assert "only ETS6 itself can try" in found.reason
    assert "firewall.multicast_answers" in found.reason


def test_the_network_that_probes_started_from_is_kept() -> None:
    assert finding(probe()).evidence["network"] == "192.0.2.0/24"
    assert finding(probe(local="2001:db8::7")).evidence["network"] == "2001:db8::/64"
    assert finding(probe(local=None)).evidence["network"] is None


def test_the_documentation_names_every_outcome_and_whom_to_call() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "reachability.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {name: call for name, _means, call in rows if name in set(Kind)}
    assert set(told) == set(Kind)
    assert {Kind(name): call for name, call in told.items() if name != Kind.FINE} == CALLS
