# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How long the verification of an image takes, beside ``wimapply`` of the same image: ``python -m bench.image [MEGABYTES]``.

Fails where a SYSTEM hive of 13 MB takes more than 1.5 seconds, or a WIM longer than wimapply. MEGABYTES is how much else the WIM
holds. The hives are made; where real ones lie beside the project (../shared/hives), a real SYSTEM is measured too, clean and dirty.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.ets6.network.plugins.modules import windows_image
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives

from tests.lab import fleet, hive, image
from tests.lab.lab import Lab
from tests.lab.play import run

MB = 1000 * 1000
ROUNDS = 5
SYSTEM = f"{image.CONFIG}/SYSTEM"
KEYS = 33_000
"""As many keys as a real SYSTEM of 13 MB has."""
MOST_SECONDS = 1.5


def large(system: image.Keys) -> None:
    """Fill a SYSTEM hive up to 13 MB, as Windows does: keys of devices and services with some values each."""
    for number in range(KEYS):
        system[rf"{image.SET}\Enum\BENCH\{number % 180:03}\{number:05}"] = {
            "DeviceDesc": hive.sz(f"Device {number}"),
            "ConfigFlags": hive.dword(number),
            "HardwareID": (hive.BINARY, bytes(160)),
        }


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of some rounds."""
    taken = []
    for _round in range(ROUNDS):
        since = time.perf_counter()
        work()
        taken.append(time.perf_counter() - since)
    return statistics.median(taken)


def verify(path: Path) -> None:
    """Read an image and judge it, as a run without changes does."""
    policy = Policy()
    asked: dict[str, object] = {"path": str(path), "index": "", "operations": []}
    asked |= {option: controls.request(policy).get(option, ()) for option in windows_image.READS}
    with tempfile.TemporaryDirectory() as work:
        found = windows_image.run(asked, False, work)
    assert controls.Assessment(Snapshot.unpack(found["snapshot"]), policy).findings


def apply(path: Path, into: Path) -> None:
    """Unpack a WIM, as wimapply does."""
    image.run("wimlib-imagex", "apply", path, "1", into)
    shutil.rmtree(into)


def hives(folder: Path) -> float:
    """Print a line for each SYSTEM hive, measured in a folder. Return the longest time."""
    names = [name for name in (*real_hives.CLEAN, *real_hives.DIRTY) if name.endswith(".SYSTEM") and real_hives.FOLDER.exists()]
    contents = {"made": (folder / SYSTEM).read_bytes()} | {name: real_hives.content(name) for name in names}
    longest = 0.0
    for name, content in contents.items():
        (folder / SYSTEM).write_bytes(content)
        for log, entries in (real_hives.logs(name) if name in real_hives.DIRTY else {}).items():
            (folder / f"{SYSTEM}{log.removeprefix(name)}").write_bytes(entries)
        taken = seconds(lambda: verify(folder))
        longest = max(longest, taken)
        print(f"SYSTEM of {len(content) / MB:5.1f} MB ({name}): verified in {taken:5.2f} s (median of {ROUNDS})")
    (folder / SYSTEM).write_bytes(contents["made"])
    return longest


def wims(folder: Path, megabytes: int, place: Path) -> tuple[float, float]:
    """Print a line for a WIM of a folder and so much more. Return the times of verifying and of unpacking it."""
    filled = folder / "Windows/filler"
    filled.mkdir()
    for number in range(megabytes):
        (filled / f"{number}").write_bytes(random.Random(number).randbytes(MB))
    wim = image.wim({"Windows": folder}, place / "wim")
    verified, applied = seconds(lambda: verify(wim)), seconds(lambda: apply(wim, place / "applied"))
    played = run("playbooks/image.yml", "-i", "localhost,", "-e", f"image={wim}", reports=place)
    print(
        f"WIM of {wim.stat().st_size / MB:.0f} MB with it: verified in {verified:5.2f} s, wimapply takes {applied:5.2f} s "
        f"(the whole of ansible-playbook {played.seconds:.1f} s)"
    )
    return verified, applied


def main() -> int:
    """Print a line for each hive, and one for a WIM."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    with tempfile.TemporaryDirectory() as name, Lab(lambda network: [fleet.drifted("pc", network)], scripts=False) as lab:
        place = Path(name)
        folder = image.folder(lab.members["pc"].pc, place / "folder", lambda keys: large(keys[SYSTEM]))
        longest = hives(folder)
        verified, applied = wims(folder, megabytes, place)
    return int(longest > MOST_SECONDS or verified >= applied)


if __name__ == "__main__":
    sys.exit(main())
