# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PCs that hang, print without end, lose their answers or lie: each costs only itself, and what was changed is never forgotten.

All of them are in one run, so those that hang do so at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import reading

from tests.integration.debian import find, need
from tests.lab import faults, fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import Played, play
from tests.lab.script import find_pwsh

ENFORCE = "playbooks/ets6-network.yml"
SECONDS = {"winrm": 20, "ssh": 20, "psrp": 40}
"""Seconds for a PC in these tests: an engine of PowerShell Remoting takes some of them to start."""
FORKS = "16"
HANGS = (faults.NEVER_ENDS, faults.ENDLESS)
LOST = {
    "winrm": (
        "drops the answer",
        "drops half-way",
        "answers 500",
        "answers nothing",
        "cuts the answer",
        "prints rubbish",
        "never ends",
        "rubbish in version",
        "rubbish in operations",
        "rubbish in snapshot",
    ),
    "psrp": ("never ends", "drops the answer", "answers 500", "cuts the answer", "prints rubbish"),
    "ssh": ("drops the answer", "cuts the answer", "answers nothing", "never ends"),
}
"""What becomes of the answer of the execution that changes the PC, by the connection."""
RULES = {
    f"firewall.rule.{program}.{protocol}"
    for program in ("ets6n", "ets6c")
    for protocol in ("tcp", "udp")
}


PARTS = (
    "version",
    "host",
    "environment",
    "registry",
    "users",
    "files",
    "network",
    "networks",
    "addresses",
    "services",
    "firewall_products",
    "registered_firewalls",
    "firewall_service",
    "local_accounts",
    "hosts_file",
    "probes",
    "errors",
    "snapshot",
    "operations",
    "changed",
    "msg",
)
"""The parts of a reply, each of which a PC of the hostile fleet fills with rubbish."""
OTHERS = ("pc-never-started", "pc-prompt-cancelled", "pc-already-right", "pc-not-installed")


def needs(transport: str) -> None:
    if transport == "ssh":
        need("sshd", "openssh-server")
    if transport == "psrp" and find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")


def others(network: Network) -> list[fleet.Member]:
    return [member for member in fleet.members(network) if member.pc.name in OTHERS]


def hostile_faults() -> Iterator[tuple[str, str]]:
    """Return every fault with its transport, those that hang first, as far as it can be tried here."""
    there = {"winrm": True, "ssh": find("sshd") is not None, "psrp": find_pwsh() is not None}
    transports = [transport for transport in ("psrp", "ssh", "winrm") if there[transport]]
    for transport in transports:
        for fault in (*HANGS, *(faults.SECOND + fault for fault in LOST[transport])):
            yield transport, fault
    wire = ("denies access", "drops the command", *LOST["winrm"])
    for fault in dict.fromkeys(wire):
        if fault not in HANGS:
            yield "winrm", fault
    for part in PARTS:
        yield "winrm", f"rubbish in {part}"
        if part not in ("operations", "changed", "msg"):
            yield "winrm", f"leaves out {part}"


def hostile(network: Network) -> list[fleet.Member]:
    """Return the others, and PCs with every fault: of the wire, of either execution, and in every part of the reply."""
    built = others(network)
    # Ansible takes them in the order of their names.
    for number, (transport, fault) in enumerate(dict.fromkeys(hostile_faults())):
        member = fleet.drifted(f"pc-hostile-{number:03}", network)
        member.transport, member.fault = transport, fault
        member.variables["ets6_network_timeout"] = SECONDS[transport]
        built.append(member)
    return built


@dataclass
class Runs:
    """A run of the whole fleet, and one of those whose changes were lost once nothing is wrong with them any more."""

    faults: dict[tuple[str, str], str]
    """The PC with a fault, by its transport and the fault."""
    played: Played
    changed: set[str]
    again: Played

    def lost(self, transport: str) -> dict[str, str]:
        """Return the faults of the PCs of a transport whose answer to a change was lost."""
        return {self.faults[transport, faults.SECOND + fault]: fault for fault in LOST[transport]}


@pytest.fixture(scope="module")
def runs() -> Runs:
    with Lab(hostile, scripts=False) as lab:
        by_fault = {
            (member.transport, member.fault): name
            for name, member in lab.members.items()
            if name not in OTHERS
        }
        before = lab.registries()
        played = play(lab, ENFORCE, "--forks", FORKS)
        after = lab.registries()
        lab.endpoint.faults = {}
        if lab.ssh:
            lab.ssh.faults = {}
        for member in lab.members.values():
            member.fault = ""
        lost = [
            name
            for (_transport, fault), name in by_fault.items()
            if fault.startswith(faults.SECOND)
        ]
        again = play(lab, ENFORCE, "--forks", FORKS, "--limit", ",".join(lost))
    changed = {name for name in before if before[name] != after[name]}
    return Runs(by_fault, played, changed, again)


@pytest.mark.parametrize("transport", SECONDS)
def test_a_pc_that_never_ends_or_prints_without_end_costs_only_itself(
    runs: Runs, transport: str
) -> None:
    needs(transport)
    late = f"within {SECONDS[transport]} seconds (ets6_network_timeout)"
    for fault in HANGS:
        name = runs.faults[transport, fault]
        assert runs.played.statuses()[name] == "unknown"
        reason = runs.played.host(name)["reason"]
        is_large = fault == faults.ENDLESS and "takes more than 1024 MiB" in reason
        assert late in reason or is_large


@pytest.mark.parametrize("transport", LOST)
def test_changes_whose_answer_is_lost_stay_in_the_report_and_the_next_run_judges_the_pc(
    runs: Runs, transport: str
) -> None:
    needs(transport)
    played = runs.played
    for name, fault in runs.lost(transport).items():
        # What failed before and is not what was changed still fails, as far as is known.
        assert played.statuses()[name] == "fail"
        assert name in runs.changed, f"{fault}: the PC was changed"
        assert name in played.output
        reason = played.host(name)["reason"]
        assert "was sent 4 operations before that" in reason, (fault, reason)
        sent = [finding for finding in played.host(name)["findings"] if finding.get("sent")]
        assert {finding["control"] for finding in sent} >= RULES, fault
        for finding in sent:
            assert (finding["status"], bool(finding["changes"])) == ("unknown", True)
        unsent = [found for found in played.host(name)["findings"] if not found.get("sent")]
        assert "pass" in {finding["status"] for finding in unsent}, "what was found before stays"
        assert runs.again.statuses()[name] == "pass"
    assert runs.again.code == 0


def findings(played: Played, name: str) -> dict[str, Any]:
    """Return what does not depend on the lab's ports and on what the other PCs saw of the network."""
    return {
        found["control"]: (
            found["status"],
            found["changes"],
            "" if found["control"].startswith("reach.") else found["reason"],
        )
        for found in played.host(name)["findings"]
    }


def test_a_fleet_with_every_fault_at_once_is_reported_and_costs_the_others_nothing(
    runs: Runs,
) -> None:
    played = runs.played
    with Lab(others, scripts=False) as lab:
        alone = play(lab, ENFORCE)
    text = json.dumps(played.report)
    assert reading.check(text, "report")["run"]["hosts"] == played.report["run"]["hosts"]
    assert sorted(played.statuses()) == sorted({*runs.faults.values(), *OTHERS})
    for name in OTHERS:
        assert findings(played, name) == findings(alone, name)
    # What hangs does so at the same time, until its time is over.
    assert played.seconds < 3 * max(SECONDS.values())
    assert "\x1b[31mrot" not in played.output + played.errors
    assert not [line for line in played.output.splitlines() if line.startswith("ok: [pc-other]")]
    assert "\x1b" not in text
    for host in played.report["hosts"]:
        assert host["reason"].isprintable()
        for found in host["findings"]:
            assert found["reason"].isprintable()
