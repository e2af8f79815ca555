# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a PC costs on the wire: module executions, WinRM messages, bytes. ``python -m bench.executions [PCS]``.

Fails where a compliant PC takes more than one execution, a PC with drift more than two, or an execution more than 66 KB beside Ansible's wrapper.

The wrapper is 36 KB with ansible-core 2.19 and 2.20, and 41 KB with 2.21. The last PC has one user. Each further one whose proxy has to
change adds 2 KB, so that 66 KB are passed with the third (still one Send).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import play

KB = 1000
MOST_KB = 66
PEERS = "the same job with modules of ansible.windows and community.windows: 20 executions, 134 messages or more, 4.07 MiB sent"
"""Counted for ansible.windows 3.3 and community.windows 3.1: a task for each rule, setting and probe, a PowerShell for each."""


def measure(kind: str, build: Callable[[str, Network], fleet.Member], count: int, executions: int) -> bool:
    """Run the playbook on that many PCs of a kind and print what one of them cost. Tell whether that is within the bounds."""

    def members(network: Network) -> list[fleet.Member]:
        return [build(f"pc-{number:04}", network) for number in range(count)]

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
    processor = spent.children_user + spent.children_system - cpu.children_user - cpu.children_system
    print(
        f"{kind:<16} {each['executions']:>4.1f} executions  {each['requests']:>5.1f} messages  {each['bytes_in'] / KB:>6.1f} KB sent  "
        f"{payload:>5.1f} KB an execution before encoding, {wrapper:.1f} of them Ansible's wrapper  "
        f"({count} PCs: {done.seconds:.1f} s, {processor:.1f} s of processor)"
    )
    return bool(each["executions"] <= executions and payload - wrapper <= MOST_KB and each["sends"] == each["executions"])


def main() -> int:
    """Print a line for PCs on which nothing is wrong, for those that lack their rules, for those that have the wrong proxy as well, and what others
    take."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    right = measure("compliant PC", fleet.compliant, count, 1)
    drifted = measure("PC with drift", fleet.drifted, count, 2)
    wrong = measure("nothing is right", fleet.nothing_right, count, 2)
    print(f"{'for comparison':<16} {PEERS}")
    return int(not (right and drifted and wrong))


if __name__ == "__main__":
    sys.exit(main())
