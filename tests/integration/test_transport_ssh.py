# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The whole way over ssh: Ansible's ssh connection and a real OpenSSH server, in whose sessions the PC's PowerShell runs.

What comes of a PC is held against what comes of the same PC over WinRM.
"""

from __future__ import annotations

import copy
import json
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ets6.network.plugins.plugin_utils.report.hashes import TIMES, without

from tests.integration.debian import need
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import ROOT, Played, play
from tests.lab.script import find_pwsh
from tests.lab.ssh import SshServer

ENFORCE, VERIFY = "playbooks/ets6-network.yml", "playbooks/verify.yml"
SSH, WINRM = "pc-over-ssh", "pc-over-winrm"
FAULTS = (
    "denies access",
    "prints rubbish",
    "drops the command",
    "drops the answer",
    "drops half-way",
)


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    need("sshd", "openssh-server")
    need("ssh", "openssh-client")


def pair(
    build: Callable[[str, Network], fleet.Member], dialect: str = "", fault: str = ""
) -> Callable[[Network], list[fleet.Member]]:
    """Return a builder of the same PC twice, over ssh and over WinRM."""

    def members(network: Network) -> list[fleet.Member]:
        both = [build(SSH, network), build(WINRM, network)]
        both[0].transport = "ssh"
        both[0].pc.state = copy.deepcopy(both[1].pc.state)
        for member in both:
            member.dialect, member.fault = dialect, fault
        return both

    return members


@pytest.fixture(params=["model", "7", "5.1"])
def drifted(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A PC without its rules, over ssh and over WinRM: one that answers from the model, and those that run the real script."""
    dialect = "" if request.param == "model" else request.param
    if dialect and find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    with Lab(pair(fleet.nothing_right, dialect)) as lab:
        yield lab


def findings(played: Played, name: str) -> Any:
    """Return what was found of a PC, but for its name and the times."""
    return without(json.loads(json.dumps(played.host(name)["findings"]).replace(name, "PC")), TIMES)


def test_verify_changes_nothing_and_finds_what_it_finds_over_winrm(drifted: Lab) -> None:
    before = drifted.registries()
    played = play(drifted, VERIFY)
    assert drifted.registries() == before
    assert (played.code, played.statuses()) == (2, {SSH: "fail", WINRM: "fail"}), played.output
    assert findings(played, SSH) == findings(played, WINRM)
    assert drifted.ssh
    assert drifted.ssh.traffic[SSH].sessions == 1


def test_enforce_makes_a_pc_ready_as_over_winrm_and_reports_it(drifted: Lab) -> None:
    played = play(drifted, ENFORCE)
    assert (played.code, played.statuses()) == (0, {SSH: "fixed", WINRM: "fixed"}), played.output
    assert findings(played, SSH) == findings(played, WINRM)
    registries = drifted.registries()
    assert registries[SSH] == registries[WINRM]
    assert {file.name for file in (drifted.folder / "report").iterdir()} >= {
        "report.json",
        "junit.xml",
        "report.html",
    }
    assert drifted.ssh
    traffic = drifted.ssh.traffic[SSH]
    assert (traffic.connections, traffic.sessions) == (1, 2)
    assert traffic.stdin == drifted.endpoint.traffic[WINRM].stdin

    again = play(drifted, ENFORCE)
    assert (again.code, set(again.statuses().values()), drifted.registries()) == (
        0,
        {"pass"},
        registries,
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pc_whose_connection_is_bad_is_judged_as_over_winrm(fault: str) -> None:
    with Lab(pair(fleet.compliant, fault=fault), scripts=False) as lab:
        played = play(lab, VERIFY)
        assert lab.ssh
        executed = lab.ssh.traffic[SSH].sessions
    assert played.code == 2
    status = {name: played.host(name)["status"] for name in (SSH, WINRM)}
    reason = {name: played.host(name)["reason"].partition(":")[0] for name in (SSH, WINRM)}
    assert status[SSH] == status[WINRM], played.output
    assert reason[SSH] == reason[WINRM]
    assert status[SSH] in ("unreachable", "unknown")
    assert executed == (0 if fault in ("denies access", "drops the command") else 1)


def test_a_pc_that_is_switched_off_is_unreachable() -> None:
    def away(network: Network) -> list[fleet.Member]:
        members = pair(fleet.compliant)(network)
        for member in members:
            member.away = True
        return members

    with Lab(away, scripts=False) as lab:
        assert play(lab, VERIFY).statuses() == {SSH: "unreachable", WINRM: "unreachable"}


def test_a_pc_that_falls_asleep_half_way_is_unreachable_soon_with_the_options_of_the_example() -> (
    None
):
    example = yaml.safe_load((ROOT / "inventory.example" / "group_vars" / "ssh.yml").read_text())

    def asleep(network: Network) -> list[fleet.Member]:
        member = fleet.compliant(SSH, network)
        member.transport, member.fault = "ssh", "falls asleep"
        options = example["ansible_ssh_common_args"].replace(
            "ServerAliveInterval=15", "ServerAliveInterval=1"
        )
        member.variables["ansible_ssh_extra_args"] = options
        return [member]

    with Lab(asleep, scripts=False) as lab:
        played = play(lab, VERIFY)
        assert played.statuses() == {SSH: "unreachable"}, played.output
        assert played.seconds < 30
        assert lab.ssh
        assert lab.ssh.traffic[SSH].sessions == 1


def test_a_server_with_another_host_key_is_not_spoken_to() -> None:
    with (
        Lab(pair(fleet.compliant), scripts=False) as lab,
        Lab(pair(fleet.compliant), scripts=False) as other,
    ):
        assert lab.ssh
        assert other.ssh
        known = lab.folder / "ssh" / "known_hosts"
        key = (other.folder / "ssh" / "known_hosts").read_text().partition(" ")[2]
        known.write_text(f"{known.read_text().split()[0]} {key}")
        played = play(lab, VERIFY)
        assert played.statuses() == {SSH: "unreachable", WINRM: "pass"}
        assert "Host key verification failed" in played.host(SSH)["reason"]
        assert lab.ssh.traffic[SSH].sessions == 0


def test_the_server_ends_with_everything_that_it_started(tmp_path: Path) -> None:
    started, ended = threading.Event(), threading.Event()

    def hang(_pc: str, _line: str, _data: bytes) -> tuple[bytes, bytes, int]:
        started.set()
        ended.wait(60)
        return b"", b"", 0

    server = SshServer(hang, {}, [SSH], tmp_path / "ssh")
    variables = server.variables(SSH)
    command = (
        f"ssh {variables['ansible_ssh_common_args']} -i {variables['ansible_ssh_private_key_file']}"
    )
    words = ["-p", str(server.port), f"{variables['ansible_user']}@127.0.0.1", "a command"]
    client = subprocess.Popen(
        [*shlex.split(command), *words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert started.wait(30)
        assert _processes(tmp_path) > 1
        server.stop()
        assert client.wait(10) == 255
    finally:
        ended.set()
        client.kill()
        client.wait()
    until = time.monotonic() + 5
    while _processes(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert _processes(tmp_path) == 0


def _processes(folder: Path) -> int:
    """Return how many processes have the folder on their command line."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += str(folder).encode() in file.read_bytes()
        except OSError:
            continue
    return count
