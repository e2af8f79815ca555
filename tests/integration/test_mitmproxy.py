# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Interception by a real inspector: mitmproxy, in the way of the lab's vendor and as its proxy."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils import probe
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import probe_plan
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.integration.debian import do_without, need
from tests.integration.street import look, outcome, resolve_with
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.mitmproxy import PROGRAM, Mitmproxy
from tests.lab.network import Network
from tests.lab.pc import Pc
from tests.lab.play import play
from tests.lab.script import find_pwsh


@dataclass(frozen=True)
class Place:
    network: Network
    in_the_way: Mitmproxy
    proxy: Mitmproxy

    def variables(self, **more: Any) -> dict[str, Any]:
        return {
            "endpoints": self.network.endpoints(https=self.in_the_way.address),
            "public_roots": str(self.network.roots),
            **more,
        }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not PROGRAM.exists():
        do_without(f"{PROGRAM} is missing; make unit installs it")
    with ExitStack() as stack:
        network = Network(tmp_path_factory.mktemp("network"))
        stack.callback(network.stop)
        in_the_way = stack.enter_context(Mitmproxy(f"reverse:https://{network.https.address}"))
        proxy = stack.enter_context(Mitmproxy(f"upstream:http://{network.proxy.address}"))
        yield Place(network, in_the_way, proxy)


def test_it_is_found_by_its_name_where_it_keeps_its_root_to_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_with(monkeypatch, {})
    found = look(10, **place.variables())
    assert {
        outcome(found[f"reach.{name}"]) for name in ("updates", "app_updates", "cloud_licensing")
    } == {"tls_intercepted"}
    (way,) = found["reach.updates"].evidence["ways"]
    assert way["http"]["status"] == 200, "everything works, and it is a failure all the same"
    assert (way["tls"]["product"], way["tls"]["certificate_timestamps"]) == ("mitmproxy", 0)
    verdict = found["reach.interception"]
    assert verdict.status is Status.FAIL
    assert verdict.evidence["proof"] == {}
    assert verdict.evidence["strong"].keys() == {"updates", "app_updates", "cloud_licensing"}
    assert "Everywhere by the same issuer. The root was not sent" in verdict.reason


def test_its_root_on_the_pc_is_proof_and_no_excuse(place: Place) -> None:
    """Windows tells the chain that it built, with the root that an administrator gave it, and has nothing against it."""
    root = base64.b64encode(
        x509.load_pem_x509_certificate(place.in_the_way.root.read_bytes()).public_bytes(
            Encoding.DER
        )
    ).decode()
    policy = Policy.from_variables(place.variables())
    found = probe.probe_all(
        probe_plan.missing_probes(
            ProxyContext(Snapshot.from_wire({"version": 1}, vantage=True), policy)
        ),
        10,
    )
    for one in found:
        if one["tls"]:
            one["tls"]["built"] = [*one["tls"]["presented"], root]
    seen = Snapshot.from_wire({"version": 1, "probes": found}, vantage=True)
    verdict = {
        finding.control.id: finding for finding in controls.Assessment(seen, policy).findings
    }["reach.interception"]
    assert verdict.status is Status.FAIL
    assert verdict.evidence["proof"]["updates"] == "private root: O=mitmproxy,CN=mitmproxy"
    assert "no proof" not in verdict.reason


def test_as_a_proxy_it_is_found_too_and_plain_http_passes_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_with(monkeypatch, {})
    found = look(
        10,
        public_roots=str(place.network.roots),
        proxy={"mode": "named", "server": place.proxy.address},
    )
    assert outcome(found["reach.updates"]) == "tls_intercepted"
    assert outcome(found["reach.administrative_data"]) == "fine"
    assert f"through the proxy {place.proxy.address}" in found["reach.updates"].reason


def test_the_real_powershell_finds_it_as_well(place: Place, tmp_path: Path) -> None:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")

    def build(network: Network) -> list[fleet.Member]:
        made = []
        for name, dialect in (("pc-script", "5.1"), ("pc-model", "")):
            pc = Pc(name, rule_count=0)
            pc.allow_all()
            variables = {
                "ets6_network_endpoints": network.endpoints(https=place.in_the_way.address)
            }
            made.append(fleet.Member(pc, "", "", "", ("", ""), variables, dialect=dialect))
        return made

    with Lab(build) as lab:
        played = play(lab, "playbooks/verify.yml", reports=tmp_path)
    findings = [played.finding(name, "reach.interception") for name in ("pc-script", "pc-model")]
    assert [finding["status"] for finding in findings] == ["fail", "fail"]
    assert findings[0]["evidence"]["issuer_ids"] == findings[1]["evidence"]["issuer_ids"]
    for finding in findings:
        assert "mitmproxy" in finding["reason"]
        assert "The same issuer on all 2 hosts" in finding["reason"]
