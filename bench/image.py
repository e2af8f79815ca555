# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How long images take, and how much memory, beside other ways: ``python -m bench.image [MEGABYTES]``.

Fails where a SYSTEM hive of 13 MB takes more than 1.5 seconds, a WIM longer than wimapply, a disk of 60 GiB more than 6 seconds
and 300 MiB to be verified or 30 seconds to be prepared, or 15 images at once more than 2 GiB. MEGABYTES is how much else the disk
holds; WIM and disk hold 100,000 small files, too, as Windows does. The hives are made; where real ones lie beside the project
(../shared/hives), a real SYSTEM is measured too, clean and dirty.

The other ways are what administrators do with programs of Debian: take the hive out, have hivexregedit change it, put it back. A
disk would be attached with qemu-nbd for that, which needs root and the kernel's module nbd; without them it is converted and back.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
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
MIB = 1024 * 1024
ROUNDS = 5
SYSTEM = f"{image.CONFIG}/SYSTEM"
KEYS = 33_000
"""As many keys as a real SYSTEM of 13 MB has."""
FILES = 100_000
"""As many files as an installation of Windows 11 has, in folders of 20."""
MOST_SECONDS = 1.5
GIB = 60
MEGABYTES, WIM_MEGABYTES = 3000, 256
MOST_DISK_SECONDS, MOST_MEMORY, MOST_APPLY_SECONDS = 6, 300, 30
AT_ONCE, MOST_AT_ONCE = 15, 2048
RULES = (
    r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
)
REG_FILE = f"""Windows Registry Editor Version 5.00

[{RULES.replace("HKLM", "HKEY_LOCAL_MACHINE").replace("CurrentControlSet", image.SET)}]
"ETS6-BENCH"="v2.30|Action=Allow|"
"""


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


def options(path: Path) -> dict[str, object]:
    """Return the options of windows_image that reads and changes nothing."""
    nothing: dict[str, object] = dict.fromkeys((*windows_image.READS, "programs", "operations"), ())
    return {**nothing, "path": str(path), "index": "", "restore": False}


def verify(path: Path) -> None:
    """Read an image and judge it, as a run without changes does."""
    policy = Policy()
    asked = options(path) | {
        option: controls.request(policy).get(option, ()) for option in windows_image.READS
    }
    with tempfile.TemporaryDirectory() as work:
        found = windows_image.run(asked, False, work)
    assert controls.Assessment(Snapshot.unpack(found["snapshot"]), policy).findings


def merge(hive_file: Path) -> None:
    """Change a SYSTEM hive with hivexregedit."""
    changes = hive_file.with_suffix(".reg")
    changes.write_text(REG_FILE, encoding="utf-8")
    image.run(
        "hivexregedit", "--merge", hive_file, "--prefix", r"HKEY_LOCAL_MACHINE\SYSTEM", changes
    )


def unpacked(path: Path, into: Path) -> None:
    """Unpack a WIM and look into a hive, as one would with wimapply and hivexregedit."""
    image.run("wimlib-imagex", "apply", path, "1", into)
    prefix = ["--prefix", r"HKEY_LOCAL_MACHINE\SYSTEM"]
    image.run("hivexregedit", "--export", *prefix, into / SYSTEM, rf"\{image.SET}\Services")
    shutil.rmtree(into)


def updated(path: Path, work: Path) -> None:
    """Change a copy of a WIM with wimlib's programs and hivexregedit."""
    copy = Path(shutil.copy(path, work / "copy"))
    image.run("wimlib-imagex", "extract", copy, "1", f"/{SYSTEM}", f"--dest-dir={work}")
    merge(work / "SYSTEM")
    command = f"add {work / 'SYSTEM'} /{SYSTEM}"
    image.run("wimlib-imagex", "update", copy, "1", f"--command={command}")
    image.run("sync", copy)
    copy.unlink()


def converted(path: Path, work: Path) -> None:
    """Change a copy of a disk that is one volume with the programs of qemu and ntfs-3g, and hivexregedit."""
    image.run("qemu-img", "convert", "-O", "raw", path, work / "raw")
    content = subprocess.run(["ntfscat", work / "raw", SYSTEM], capture_output=True, check=True)
    (work / "SYSTEM").write_bytes(content.stdout)
    merge(work / "SYSTEM")
    image.run("ntfscp", "-q", work / "raw", work / "SYSTEM", SYSTEM)
    image.run("qemu-img", "convert", "-O", "qcow2", work / "raw", work / "other")
    image.run("sync", work / "other")
    (work / "raw").unlink()
    (work / "other").unlink()


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


def small_files(folder: Path) -> None:
    """Add as many small files as Windows has."""
    for number in range(FILES):
        place = folder / f"Windows/WinSxS/component-{number // 20:05}"
        if number % 20 == 0:
            place.mkdir(parents=True)
        (place / f"{number}.dll").write_bytes(number.to_bytes(8, "little") * (number % 400 + 1))


def fill(folder: Path, megabytes: int) -> None:
    """Add files until these are so many megabytes."""
    filler = folder / "Windows/filler"
    filler.mkdir(exist_ok=True)
    for number in range(len(list(filler.iterdir())), megabytes):
        (filler / f"{number}").write_bytes(random.Random(number).randbytes(MB))


def once(work: Callable[[], object]) -> float:
    """Return the time of a round."""
    since = time.perf_counter()
    work()
    return time.perf_counter() - since


def wims(wim: Path, place: Path) -> bool:
    """Print a line for a WIM. Return whether it takes too much."""
    verified = seconds(lambda: verify(wim))
    other = once(lambda: unpacked(wim, place / "applied"))
    played = run("playbooks/image.yml", "-i", "localhost,", "-e", f"image={wim}", reports=place)
    print(
        f"WIM of {wim.stat().st_size / MB:.0f} MB, {FILES} files: verified in {verified:.2f} s (the whole of ansible-playbook "
        f"{played.seconds:.1f} s); wimapply and hivexregedit take {other:.1f} s"
    )
    with tempfile.TemporaryDirectory(dir=place) as name:
        copy = Path(shutil.copy(wim, Path(name) / "wim"))
        prepared, _memory = measured(copy, "prepare")
        other_change = once(lambda: updated(wim, Path(name)))
    print(
        f"   prepared in {prepared:.1f} s; wimextract, hivexregedit and wimupdate on a copy take {other_change:.1f} s"
    )
    return verified >= other


def together(images: list[Path], place: Path) -> bool:
    """Print a line for several images at once, verified and prepared. Return whether they take too much memory."""
    too_much = False
    for word, apply in (("verified", "false"), ("prepared", "true")):
        most = 0
        ended = threading.Event()

        def sample() -> None:
            nonlocal most
            while not ended.wait(0.1):  # noqa: B023 (it ends before the next round)
                most = max(most, taken_memory())

        sampler = threading.Thread(target=sample)
        sampler.start()
        paths = ",".join(f'"{path}"' for path in images)
        words = ["-e", f'{{"image": [{paths}], "ets6_network_apply": {apply}}}']
        words += ["--forks", str(len(images))]
        played = run("playbooks/image.yml", "-i", "localhost,", *words, reports=place)
        ended.set()
        sampler.join()
        judged = len(played.report["hosts"])
        print(
            f"{judged} images at once, {word} in {played.seconds:.1f} s with {most} MiB at most (ansible-playbook and all its "
            "processes)"
        )
        too_much = too_much or most > MOST_AT_ONCE or judged != len(images)
    return too_much


def taken_memory() -> int:
    """Return the MiB that the processes below this one take, what they share counted once."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    total = 0
    pending = list(parents.get(os.getpid(), ()))
    while pending:
        process = pending.pop()
        pending += parents.get(process, ())
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
        except OSError:
            continue
        total += int(rollup.partition("Pss:")[2].split()[0])
    return total // 1024


def measured(path: Path, *words: str) -> tuple[float, int]:
    """Verify or prepare an image in a process of its own. Return its seconds, and the MiB that it and its readers took."""
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
        asked = options(Path(path)) | {"operations": [operation]}
        with tempfile.TemporaryDirectory() as folder:
            assert windows_image.run(asked, False, folder)["changed"]
    parts = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return sum(parts) // 1024


def disk(content: Path, path: Path) -> Path:
    """Make a disk of 60 GiB, which is one volume with a folder in it."""
    volume = image.volume(content, path.with_suffix(".volume"), GIB * 1024)
    image.run("qemu-img", "convert", "-O", "qcow2", volume, path)
    volume.unlink()
    return path


def disks(path: Path, place: Path) -> bool:
    """Print a line for a disk. Return whether it takes too much."""
    verified, memory = measured(path, "verify")
    other = once(lambda: converted(path, place))
    prepared, _memory = measured(path, "prepare")
    print(
        f"Disk of {GIB} GiB, {path.stat().st_size / MB:.0f} MB in use, {FILES} files: verified in {verified:.1f} s with {memory} MiB, "
        f"prepared in {prepared:.1f} s; converted to raw, changed with ntfscp and hivexregedit and converted back in {other:.1f} s "
        "(without qemu-nbd)"
    )
    return verified > MOST_DISK_SECONDS or memory > MOST_MEMORY or prepared > MOST_APPLY_SECONDS


def copies(wim: Path, disk_image: Path, place: Path) -> list[Path]:
    """Return as many images as are handled at once, of both kinds."""
    place.mkdir()
    images = []
    for number in range(AT_ONCE):
        source = disk_image if number % 2 else wim
        path = place / f"image{number}"
        image.run("cp", "--reflink=auto", source, path)
        images.append(path)
    return images


def main() -> int:
    """Print a line for each hive, WIM and disk, and for several images at once."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    with (
        tempfile.TemporaryDirectory() as name,
        Lab(lambda network: [fleet.drifted("pc", network)], scripts=False) as lab,
    ):
        place = Path(name)
        folder = image.folder(
            lab.members["pc"].pc, place / "folder", lambda keys: large(keys[SYSTEM])
        )
        too_much = hives(folder) > MOST_SECONDS
        small_files(folder)
        wim = image.wim({"Windows": folder}, place / "wim", compression="fast")
        too_much |= together(copies(wim, disk(folder, place / "disk"), place / "many"), place)
        shutil.rmtree(place / "many")
        fill(folder, WIM_MEGABYTES)
        wim.unlink()
        image.wim({"Windows": folder}, wim, compression="fast")
        too_much |= wims(wim, place)
        fill(folder, megabytes)
        too_much |= disks(disk(folder, place / "disk"), place)
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
