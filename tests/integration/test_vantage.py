# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A POSIX host in the inventory probes for the PCs' network: through real Ansible, beside simulated PCs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import play

VERIFY, ENFORCE = "playbooks/verify.yml", "playbooks/ets6-network.yml"
NAME = "site-probe"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """One PC that is right, and beside it this machine as a host that probes."""

    def build(network: Network) -> list[fleet.Member]:
        return [fleet.compliant("pc-right", network)]

    with Lab(build, scripts=False) as running:
        hosts = running.inventory / "hosts.yml"
        inventory = yaml.safe_load(hosts.read_text())
        inventory["probes"] = {"hosts": {NAME: None}}
        hosts.write_text(yaml.safe_dump(inventory))
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ets6_network_endpoints": running.network.endpoints(),
        }
        (running.inventory / "host_vars" / f"{NAME}.yml").write_text(yaml.safe_dump(variables))
        yield running


def outcomes(host: dict[str, Any]) -> dict[str, Any]:
    return {
        one["control"]: one["evidence"]["outcome"]
        for one in host["findings"]
        if "outcome" in one["evidence"]
    }


@pytest.mark.parametrize("playbook", [VERIFY, ENFORCE])
def test_a_posix_host_is_judged_for_what_it_can_reach_and_nothing_else(
    lab: Lab, playbook: str
) -> None:
    played = play(lab, playbook)
    assert (played.code, played.statuses()) == (0, {"pc-right": "pass", NAME: "pass"}), (
        played.output
    )
    host = played.host(NAME)
    assert outcomes(host) == outcomes(played.host("pc-right"))
    assert set(outcomes(host).values()) == {"fine"}
    judged = {
        one["control"].partition(".")[0]
        for one in host["findings"]
        if one["status"] != "not_applicable"
    }
    assert judged == {"reach"}
    assert "not a Windows PC" in played.finding(NAME, "firewall.programs")["reason"]


def test_it_takes_the_proxy_that_the_variables_name(lab: Lab) -> None:
    proxy = {"mode": "named", "server": lab.network.basic_proxy.address, "bypass": ["api.knx.org"]}
    played = play(lab, VERIFY, "--limit", NAME, "-e", json.dumps({"ets6_network_proxy": proxy}))
    assert played.code == 2
    found = outcomes(played.host(NAME))
    assert found["reach.app_updates"] == "fine"
    assert found["reach.updates"] == "proxy_wants_login_that_ets6_cannot_give"
    (way,) = played.finding(NAME, "reach.updates")["evidence"]["ways"]
    assert way["way"] == lab.network.basic_proxy.address
    assert (
        way["why"]
        == f"the settings in ets6_network_proxy name the proxy {lab.network.basic_proxy.address}"
    )


def test_an_outage_is_the_vendors_only_when_a_second_vantage_point_agrees(lab: Lab) -> None:
    """The PC goes out by a proxy that cannot reach the server either; the host that probes goes straight."""
    lab.members["pc-right"].pc.user_proxy(3, lab.network.proxy.address)
    table = lab.network.endpoints()
    table["updates"] = {"url": "https://gone.knx.org", "address": lab.network.closed}
    words = ["-e", json.dumps({"ets6_network_endpoints": table})]
    played = play(lab, VERIFY, *words)
    assert played.code == 2
    for name, outcome in (("pc-right", "proxy_cannot_reach"), (NAME, "refused")):
        finding = played.finding(name, "reach.updates")
        assert finding["evidence"]["outcome"] == outcome
        assert finding["status"] == "fail"
        assert "from all 2 hosts and 2 vantage points" in finding["reason"]
        assert "not this host's fault" in finding["reason"]
        assert "elsewhere" not in played.finding(name, "reach.app_updates")["evidence"]

    alone = play(lab, VERIFY, "--limit", "pc-right", *words)
    assert "fault" not in alone.finding("pc-right", "reach.updates")["reason"]


def test_what_a_neighbour_reaches_is_looked_for_on_the_host(lab: Lab) -> None:
    file = lab.inventory / "host_vars" / "pc-right.yml"
    variables = yaml.safe_load(file.read_text())
    variables["ets6_network_endpoints"] = lab.network.endpoints(down="updates")
    file.write_text(yaml.safe_dump(variables))
    played = play(lab, VERIFY)
    assert played.statuses() == {"pc-right": "fail", NAME: "pass"}
    finding = played.finding("pc-right", "reach.updates")
    assert finding["reason"].endswith(
        f"It is reached from {NAME}, over the same route from the same network, so the obstacle is on this host itself."
    )


def test_one_inspector_before_all_is_named_so(lab: Lab) -> None:
    table = lab.network.endpoints(https=lab.network.inspected.address)
    played = play(lab, VERIFY, "-e", json.dumps({"ets6_network_endpoints": table}))
    for name in ("pc-right", NAME):
        assert (
            "The same issuer on all 2 hosts" in played.finding(name, "reach.interception")["reason"]
        )
