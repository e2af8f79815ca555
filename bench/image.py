# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How long an image takes, and how much memory, beside other ways: ``python -m bench.image [MEGABYTES]``.

Fails where a SYSTEM hive of 13 MB takes more than 1.5 seconds, a WIM longer than wimapply, or a disk of 60 GiB more than 6 seconds
and 300 MiB to be verified or 30 seconds to be prepared. MEGABYTES is how much else the WIM and the disk hold. The hives are made;
where real ones lie beside the project (../shared/hives), a real SYSTEM is measured too, clean and dirty.
"""

from __future__ import annotations

import random
import resource
import shutil
import statistics
import subprocess
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
GIB = 60
MOST_DISK_SECONDS, MOST_MEMORY, MOST_APPLY_SECONDS = 6, 300, 30
RULES = (
    r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
)


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
    asked: dict[str, object] = {"path": str(path), "index": "", "operations": [], "programs": []}
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
    names = [
        name
        for name in (*real_hives.CLEAN, *real_hives.DIRTY)
        if name.endswith(".SYSTEM") and real_hives.FOLDER.exists()
    ]
    contents = {"made": (folder / SYSTEM).read_bytes()} | {
        name: real_hives.content(name) for name in names
    }
    longest = 0.0
    for name, content in contents.items():
        (folder / SYSTEM).write_bytes(content)
        for log, entries in (real_hives.logs(name) if name in real_hives.DIRTY else {}).items():
            (folder / f"{SYSTEM}{log.removeprefix(name)}").write_bytes(entries)
        taken = seconds(lambda: verify(folder))
        longest = max(longest, taken)
        print(
            f"SYSTEM of {len(content) / MB:5.1f} MB ({name}): verified in {taken:5.2f} s (median of {ROUNDS})"
        )
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


def measured(path: Path, *words: str) -> tuple[float, int]:
    """Run this file's verify or apply in a process of its own. Return its seconds, and the MiB that it and its readers took."""
    code = "import sys; from bench import image; print(image.in_process(*sys.argv[1:]))"
    since = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), *words], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - since, int(done.stdout)


def in_process(path: str, work: str) -> int:
    """Verify or prepare an image. Return the most memory that was taken, in MiB."""
    if work == "verify":
        verify(Path(path))
    else:
        values = [["ETS6-BENCH", "REG_SZ", "v2.30|Action=Allow|"]]
        operation = {"do": "set_registry_values", "path": RULES, "values": values}
        options: dict[str, object] = {"path": path, "index": "", "operations": [operation]}
        options |= dict.fromkeys((*windows_image.READS, "programs"), ())
        with tempfile.TemporaryDirectory() as folder:
            assert windows_image.run(options, False, folder)["changed"]
    parts = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return sum(parts) // 1024


def disks(folder: Path, place: Path) -> bool:
    """Print a line for a disk of 60 GiB with a folder in it. Return whether it takes too much."""
    volume = image.volume(folder, place / "volume", GIB * 1024)
    path = place / "disk"
    image.run("qemu-img", "convert", "-O", "qcow2", volume, path)
    volume.unlink()
    verified, memory = measured(path, "verify")
    applied, _memory = measured(path, "apply")
    since = time.perf_counter()
    image.run("qemu-img", "convert", "-O", "raw", path, place / "raw")
    image.run("ntfscp", "-q", place / "raw", folder / SYSTEM, SYSTEM)
    image.run("qemu-img", "convert", "-O", "qcow2", place / "raw", place / "other")
    other = time.perf_counter() - since
    print(
        f"Disk of {GIB} GiB, {path.stat().st_size / MB:.0f} MB in use: verified in {verified:.1f} s with {memory} MiB, prepared in "
        f"{applied:.1f} s; converted to raw, changed with ntfscp and converted back in {other:.1f} s"
    )
    return verified > MOST_DISK_SECONDS or memory > MOST_MEMORY or applied > MOST_APPLY_SECONDS


def main() -> int:
    """Print a line for each hive, and one for a WIM."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    with (
        tempfile.TemporaryDirectory() as name,
        Lab(lambda network: [fleet.drifted("pc", network)], scripts=False) as lab,
    ):
        place = Path(name)
        folder = image.folder(
            lab.members["pc"].pc, place / "folder", lambda keys: large(keys[SYSTEM])
        )
        longest = hives(folder)
        verified, applied = wims(folder, megabytes, place)
        too_much = disks(folder, place)
    return int(longest > MOST_SECONDS or verified >= applied or too_much)


if __name__ == "__main__":
    sys.exit(main())
