# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Run the lab until it is stopped: ``python -m tests.lab FOLDER`` links the lab's inventory and states into FOLDER.

FOLDER/inventory is for ansible-playbook -i, FOLDER/pcs/NAME.json holds a PC's state. --count gives that many PCs on which
nothing is wrong instead of the fleet; --only some of the fleet.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network


def main() -> None:
    """Start the lab, say where it is, wait for a signal, stop it."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="where the links to the inventory and to the PCs' states go"
    )
    parser.add_argument("--count", type=int, help="that many PCs on which nothing is wrong")
    parser.add_argument("--only", nargs="+", metavar="PC", help="only these PCs of the fleet")
    parser.add_argument("--model", action="store_true", help="no PC answers with the real script")
    given = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    def build(network: Network) -> list[fleet.Member]:
        if given.count:
            return [fleet.compliant(f"pc-{number:04}", network) for number in range(given.count)]
        return [
            member
            for member in fleet.members(network)
            if not given.only or member.pc.name in given.only
        ]

    with Lab(build, scripts=not given.model) as lab:
        given.folder.mkdir(parents=True, exist_ok=True)
        links = [given.folder / "inventory", given.folder / "pcs"]
        for link in links:
            link.unlink(missing_ok=True)
            link.symlink_to(lab.folder / link.name)
        print(f"{len(lab.members)} PCs; inventory: {given.folder / 'inventory'}", flush=True)
        stopped.wait()
        for link in links:
            link.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
