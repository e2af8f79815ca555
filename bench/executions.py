# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a PC costs on the wire, over each transport: executions, messages or sessions, bytes. ``python -m bench.executions [PCS]``.

Fails where a compliant PC takes more than one execution, a PC with drift more than two, or an execution over winrm or ssh more than
75 KB beside Ansible's wrapper, over winrm more than one Send. Over psrp, whose PCs are real PowerShell, five PCs are measured: what one
of them costs does not depend on how many.

The wrapper is 36 KB with ansible-core 2.19 and 2.20, and 41 KB with 2.21. The last PC has one user. Each further one whose proxy has to
change adds 2 KB, so that 75 KB are passed with the third (still one Send).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import play
from tests.lab.script import find_pwsh
from tests.lab.ssh import find_sshd

KB = 1000
MOST_KB = 75
PCS_WITH_POWERSHELL = 5
Build = Callable[[str, Network], fleet.Member]
KINDS: tuple[tuple[str, Build, int], ...] = (
    ("compliant PC", fleet.compliant, 1),
    ("PC with drift", fleet.drifted, 2),
    ("nothing is right", fleet.nothing_right, 2),
)
"""Kinds of PCs, and how many executions one of them may take."""
PEERS = "the same job with modules of ansible.windows and community.windows: 20 executions, 134 messages or more, 4.07 MiB sent"
"""Counted for ansible.windows 3.3 and community.windows 3.1: a task for each rule, setting and probe, a PowerShell for each."""


def measure(transport: str, kind: str, build: Build, count: int, executions: int) -> bool:
    """Run the playbook on that many PCs of a kind and print what one of them cost. Tell whether that is within the bounds."""

    def members(network: Network) -> list[fleet.Member]:
        made = [build(f"pc-{number:04}", network) for number in range(count)]
        for member in made:
            member.transport = transport
        return made

    with Lab(members, scripts=False) as lab:
        cpu = os.times()
        done, spent = play(lab, "playbooks/ets6-network.yml", "--forks", "25"), os.times()
        if done.code != 0:
            print(done.output[-2000:], done.errors[-2000:])
            return False
        every = list(lab.endpoint.traffic.values())
    each = {
        name: sum(getattr(one, name) for one in every) / count
        for name in ("executions", "requests", "sends", "bytes_in", "stdin", "wrapper")
    }
    payload = each["stdin"] / each["executions"] / KB
    wrapper = each["wrapper"] / each["executions"] / KB
    processor = (
        spent.children_user + spent.children_system - cpu.children_user - cpu.children_system
    )
    whose = "" if transport == "winrm" else " with the PCs' own"
    print(
        f"{transport:<5} {kind:<16} {each['executions']:>4.1f} executions  {each['requests']:>5.1f} messages  {each['bytes_in'] / KB:>6.1f} KB sent  "
        f"{payload:>5.1f} KB an execution before encoding, {wrapper:.1f} of them Ansible's wrapper  "
        f"({count} PCs: {done.seconds:.1f} s, {processor:.1f} s of processor{whose})"
    )
    lean = transport != "winrm" or (
        payload - wrapper <= MOST_KB and each["sends"] == each["executions"]
    )
    return each["executions"] <= executions and lean


def measure_ssh(
    kind: str, build: Callable[[str, Network], fleet.Member], count: int, executions: int
) -> bool:
    """Do over ssh what measure does over WinRM: an execution is a session, and all of a PC's go through one connection.

    Bytes are those of TCP's payload, compressed and encrypted, and with the login.
    """

    def members(network: Network) -> list[fleet.Member]:
        built = [build(f"pc-{number:04}", network) for number in range(count)]
        for member in built:
            member.transport = "ssh"
        return built

    with Lab(members, scripts=False) as lab:
        done = play(lab, "playbooks/ets6-network.yml", "--forks", "25")
        if done.code != 0 or lab.ssh is None:
            print(done.output[-2000:], done.errors[-2000:])
            return False
        every = list(lab.ssh.traffic.values())
    names = ("sessions", "connections", "bytes_in", "stdin", "wrapper")
    each = {name: sum(getattr(one, name) for one in every) / count for name in names}
    payload = each["stdin"] / each["sessions"] / KB
    wrapper = each["wrapper"] / each["sessions"] / KB
    print(
        f"{kind:<16} {each['sessions']:>4.1f} sessions    {each['connections']:>5.1f} connections {each['bytes_in'] / KB:>4.1f} KB sent  "
        f"{payload:>5.1f} KB an execution before encoding  ({count} PCs: {done.seconds:.1f} s)"
    )
    return bool(each["sessions"] <= executions and payload - wrapper <= MOST_KB)


def main_ssh(count: int) -> bool:
    """Print a line for each kind of PC over ssh. Where there is no server for it, say so."""
    if find_sshd() is None:
        print(
            "over ssh: not measured, since sshd is missing; it is in Debian's package openssh-server"
        )
        return True
    print("over ssh")
    right = measure_ssh("compliant PC", fleet.compliant, count, 1)
    drifted = measure_ssh("PC with drift", fleet.drifted, count, 2)
    return right and drifted


def main() -> int:
    """Print a line for each transport and kind of PCs, and what others take."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    counts = {"winrm": count}
    if find_pwsh():
        counts["psrp"] = min(count, PCS_WITH_POWERSHELL)
    within = True
    for transport, number in counts.items():
        for kind, build, executions in KINDS:
            within = measure(transport, kind, build, number, executions) and within
    if "psrp" not in counts:
        print("psrp  was not measured: it takes a PowerShell (pwsh), and none was found")
    print(f"{'for comparison':<22} {PEERS}")
    over_ssh = main_ssh(count)
    return int(not (within and over_ssh))


if __name__ == "__main__":
    sys.exit(main())
