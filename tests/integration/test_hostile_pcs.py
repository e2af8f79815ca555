# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PCs that hang, print without end, lose their answers or lie: each costs only itself, and what was changed is never forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import reading

from tests.integration.debian import need
from tests.lab import faults, fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import Played, play
from tests.lab.script import find_pwsh

ENFORCE, VERIFY = "playbooks/ets6-network.yml", "playbooks/verify.yml"
TIMEOUT = {"winrm": 20, "ssh": 20, "psrp": 45}
"""Seconds for a PC in these tests: an engine of PowerShell Remoting takes some of them to start."""


def needs(transport: str) -> None:
    if transport == "ssh":
        need("sshd", "openssh-server")
    if transport == "psrp" and find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")


def with_sound_one(
    *members: tuple[str, str, str], kind: Callable[[str, Network], fleet.Member] = fleet.compliant
) -> Callable[[Network], list[fleet.Member]]:
    """Return a builder of PCs, each a name, a transport and a fault, beside one that is right."""

    def build(network: Network) -> list[fleet.Member]:
        built = [fleet.compliant("pc-sound", network)]
        for name, transport, fault in members:
            member = kind(name, network)
            member.transport, member.fault = transport, fault
            built.append(member)
        return built

    return build


def limited(lab: Lab, playbook: str, transport: str) -> Played:
    return play(lab, playbook, "-e", f"ets6_network_timeout={TIMEOUT[transport]}")


@pytest.mark.parametrize("transport", ["winrm", "psrp", "ssh"])
def test_a_pc_that_never_ends_or_prints_without_end_costs_only_itself(transport: str) -> None:
    needs(transport)
    build = with_sound_one(
        ("pc-hangs", transport, faults.NEVER_ENDS), ("pc-prints", transport, faults.ENDLESS)
    )
    with Lab(build, scripts=False) as lab:
        played = limited(lab, VERIFY, transport)
    assert played.seconds < TIMEOUT[transport] + 25
    assert played.statuses() == {"pc-hangs": "unknown", "pc-prints": "unknown", "pc-sound": "pass"}
    hangs, prints = (played.host(name)["reason"] for name in ("pc-hangs", "pc-prints"))
    late = f"within {TIMEOUT[transport]} seconds (ets6_network_timeout)"
    assert late in hangs
    assert late in prints or "takes more than 1024 MiB" in prints


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
    "psrp": ("drops the answer", "answers 500", "never ends"),
    "ssh": ("drops the answer", "cuts the answer", "answers nothing", "never ends"),
}
"""What becomes of the answer of the execution that changes the PC, by the connection."""


@pytest.mark.parametrize("transport", LOST)
def test_changes_whose_answer_is_lost_stay_in_the_report_and_the_next_run_judges_the_pc(
    transport: str,
) -> None:
    needs(transport)
    names = {f"pc-{number}": fault for number, fault in enumerate(LOST[transport])}
    members = [(name, transport, faults.SECOND + fault) for name, fault in names.items()]
    with Lab(with_sound_one(*members, kind=fleet.drifted), scripts=False) as lab:
        before = lab.registries()
        played = limited(lab, ENFORCE, transport)
        after = lab.registries()
        lab.endpoint.faults = {}
        if lab.ssh:
            lab.ssh.faults = {}
        for member in lab.members.values():
            member.fault = ""
        again = limited(lab, ENFORCE, transport)
    # What failed before and is not what was changed still fails, as far as is known.
    assert played.statuses() == {**dict.fromkeys(names, "fail"), "pc-sound": "pass"}
    for name, fault in names.items():
        assert after[name] != before[name], f"{fault}: the PC was changed"
        assert f"{name}" in played.output
        reason = played.host(name)["reason"]
        assert "was sent 4 operations before that" in reason, (fault, reason)
        sent = [finding for finding in played.host(name)["findings"] if finding.get("sent")]
        assert {finding["control"] for finding in sent} >= RULES, fault
        for finding in sent:
            assert (finding["status"], bool(finding["changes"])) == ("unknown", True)
        others = [found for found in played.host(name)["findings"] if not found.get("sent")]
        assert "pass" in {finding["status"] for finding in others}, "what was found before stays"
    assert (again.code, set(again.statuses().values())) == (0, {"pass"}), again.statuses()


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
    "access",
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


def others(network: Network) -> list[fleet.Member]:
    return [member for member in fleet.members(network) if member.pc.name in OTHERS]


def hostile(network: Network) -> list[fleet.Member]:
    """Return the others, and PCs with every fault: of the wire, of either execution, and in every part of the reply."""
    wire = (
        "denies access",
        "drops the command",
        *LOST["winrm"],
        *(faults.SECOND + fault for fault in LOST["winrm"]),
        "prints without end",
        *(f"rubbish in {part}" for part in PARTS),
        *(f"leaves out {part}" for part in PARTS if part not in ("operations", "changed", "msg")),
    )
    built = others(network)
    for number, fault in enumerate(wire):
        member = fleet.drifted(f"pc-hostile-{number}", network)
        member.fault = fault
        built.append(member)
    return built


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


def test_a_fleet_with_every_fault_at_once_is_reported_and_costs_the_others_nothing() -> None:
    with Lab(others, scripts=False) as lab:
        alone = limited(lab, ENFORCE, "winrm")
    with Lab(hostile, scripts=False) as lab:
        played = limited(lab, ENFORCE, "winrm")
        names = list(lab.members)
    text = json.dumps(played.report)
    assert reading.check(text, "report")["run"]["hosts"] == played.report["run"]["hosts"]
    assert sorted(played.statuses()) == sorted(names)
    for name in OTHERS:
        assert findings(played, name) == findings(alone, name)
    # Five PCs at a time, and what hangs does so until its time is over.
    assert played.seconds < 240
    assert "\x1b[31mrot" not in played.output + played.errors
    assert not [line for line in played.output.splitlines() if line.startswith("ok: [pc-other]")]
    assert "\x1b" not in text
    for host in played.report["hosts"]:
        assert host["reason"].isprintable()
        for found in host["findings"]:
            assert found["reason"].isprintable()
