# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The whole way over each of Ansible's connections to a PC: what comes of it does not depend on the connection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report.hashes import TIMES, without
from pypsrp.powershell import RunspacePool
from pypsrp.wsman import WSMan

from tests.integration.debian import need
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import Played, play
from tests.lab.script import find_pwsh
from tests.lab.wsman import PASSWORD

ENFORCE, VERIFY = "playbooks/ets6-network.yml", "playbooks/verify.yml"
TRANSPORTS = ("winrm", "psrp")
FAULTS = ("drops the command", "drops the answer", "drops half-way")
DIALECTS = {"5.1": fleet.nothing_right, "7": fleet.drifted}
"""What is wrong with the PC of each dialect."""


@dataclass
class Course:
    """Runs of the playbooks one after the other, and the registries before and after them."""

    verified: Played
    enforced: Played
    repeated: Played
    registries: tuple[dict[str, str], ...]
    executions: dict[str, int]
    """Of each PC, in the run that changed something."""
    page: str


def name_of(transport: str, dialect: str) -> str:
    return f"pc-{transport}-{dialect}"


def twins(network: Network) -> list[fleet.Member]:
    """Return the same PC for every transport, of each dialect: one over HTTPS, the other over HTTP, where that makes a difference."""
    members = []
    for dialect, kind in DIALECTS.items():
        for transport in TRANSPORTS:
            member = kind("pc-twin", network)
            member.pc.name = name_of(transport, dialect)
            member.pc.state["names"]["old-proxy.example"] = 11001
            member.transport, member.dialect, member.https = transport, dialect, dialect == "5.1"
            members.append(member)
    return members


def executions(lab: Lab) -> dict[str, int]:
    return {name: traffic.executions for name, traffic in lab.endpoint.traffic.items()}


@pytest.fixture(scope="module")
def course() -> Course:
    need_pwsh()
    with Lab(twins) as lab:
        registries = [lab.registries()]
        verified = play(lab, VERIFY)
        registries.append(lab.registries())
        counted = executions(lab)
        enforced = play(lab, ENFORCE)
        spent = {name: count - counted[name] for name, count in executions(lab).items()}
        page = (lab.folder / "report" / "report.html").read_text(encoding="utf-8")
        registries.append(lab.registries())
        repeated = play(lab, ENFORCE)
        registries.append(lab.registries())
    return Course(verified, enforced, repeated, tuple(registries), spent, page)


def need_pwsh() -> None:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_verify_changes_nothing_byte_for_byte(course: Course, transport: str, dialect: str) -> None:
    name = name_of(transport, dialect)
    assert (course.verified.code, course.verified.statuses()[name]) == (2, "fail"), (
        course.verified.output
    )
    assert course.registries[1][name] == course.registries[0][name]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_pc_is_made_ready_once_and_at_the_promised_cost(
    course: Course, transport: str, dialect: str
) -> None:
    name = name_of(transport, dialect)
    assert (course.enforced.code, course.enforced.statuses()[name]) == (0, "fixed"), (
        course.enforced.output
    )
    assert course.executions[name] == 2
    assert course.registries[2][name] != course.registries[1][name]
    assert name in course.page
    assert (course.repeated.code, course.repeated.statuses()[name]) == (0, "pass")
    assert course.registries[3][name] == course.registries[2][name]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "transport", [transport for transport in TRANSPORTS if transport != "winrm"]
)
def test_findings_and_registry_are_those_of_the_same_pc_over_winrm(
    course: Course, transport: str, dialect: str
) -> None:
    name, reference = name_of(transport, dialect), name_of("winrm", dialect)
    for played in (course.verified, course.enforced, course.repeated):
        found, wanted = (without(played.host(one)["findings"], TIMES) for one in (name, reference))
        assert found == wanted
    assert course.registries[3][name] == course.registries[3][reference]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_pc_that_ends_the_connection_half_way_is_unreachable_and_the_next_run_judges_it(
    transport: str,
) -> None:
    if transport != "winrm":
        need_pwsh()

    def build(network: Network) -> list[fleet.Member]:
        members = []
        for fault in ("", *FAULTS):
            member = fleet.compliant(f"pc-{fault.replace(' ', '-') or 'sound'}", network)
            member.transport, member.fault = transport, fault
            members.append(member)
        return members

    with Lab(build, scripts=False) as lab:
        played = play(lab, VERIFY)
        broken = [name for name, member in lab.members.items() if member.fault]
        assert played.statuses() == {"pc-sound": "pass", **dict.fromkeys(broken, "unreachable")}
        for name in broken:
            reason = played.host(name)["reason"]
            assert reason.startswith("The host could not be reached: "), reason
            assert not re.search(
                r"[a-z]Error\b|Exception|Disconnected|IncompleteRead|\('", reason
            ), "that is Python's"
        lab.endpoint.faults = {}
        again = play(lab, VERIFY)
        assert set(again.statuses().values()) == {"pass"}
        folder = lab.folder
    assert not processes(folder)


def test_no_powershell_outlives_the_lab_that_no_client_has_taken_leave_of() -> None:
    need_pwsh()

    def build(network: Network) -> list[fleet.Member]:
        member = fleet.compliant("pc-psrp", network)
        member.transport = "psrp"
        return [member]

    with Lab(build) as lab:
        pool = RunspacePool(
            WSMan(
                "localhost",
                port=lab.endpoint.https.port,
                username="pc-psrp",
                password=PASSWORD,
                auth="basic",
                cert_validation=str(lab.network.winrm_ca),
            )
        )
        pool.open()
        assert len(processes(lab.folder)) == 1
    assert not processes(lab.folder)


def processes(folder: Path) -> list[str]:
    """Return the processes that run on the state of a PC of the lab in that folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"ETS6_LAB_PC={folder}/".encode() in environment:
            found.append(process.name)
    return found
