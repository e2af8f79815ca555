# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes Windows images of simulated PCs: a folder with hives and programs, a WIM or ESD of it, disk images with it on NTFS.

Nothing here needs root or a mount: wimlib applies an image to an NTFS volume that is a file.

``python -m tests.lab.image FOLDER PC KIND …`` makes images of one of the lab's PCs, each named after its kind: folder, wim, esd,
raw, vhd, vhdx, qcow2.
"""

from __future__ import annotations

import base64
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import fleet, hive, pc
from .lab import Lab

CONFIG = "Windows/System32/config"
DEFAULT_USER = "Users/Default/NTUSER.DAT"
SET = "ControlSet001"
NT = r"Microsoft\Windows NT\CurrentVersion"
WINDOWS = r"Microsoft\Windows\CurrentVersion"
SECTOR = 512
SIGNATURE = bytes.fromhex("e7 50 6e 78")
GUIDS = [uuid.UUID(int=0x5EED << 96 | number) for number in range(1, 5)]
START = 1024 * 1024
"""Where the partition of a disk begins."""
TYPES = {
    "REG_SZ": 1,
    "REG_EXPAND_SZ": 2,
    "REG_BINARY": 3,
    "REG_DWORD": 4,
    "REG_MULTI_SZ": 7,
    "REG_QWORD": 11,
}

Keys = dict[str, dict[str, tuple[int, bytes]]]


def hives(machine: pc.Pc) -> dict[str, Keys]:
    """Return the keys of each hive of a PC, by the hive's path in the image."""
    folders = {
        user["sid"]: f"{user['profile'][3:].replace(chr(92), '/')}/NTUSER.DAT"
        for user in machine.state["users"]
    }
    found: dict[str, Keys] = {f"{CONFIG}/SYSTEM": {}, f"{CONFIG}/SOFTWARE": {}, DEFAULT_USER: {}}
    for path, key in machine.state["registry"].items():
        root, first, *rest = path.split("\\")
        if root == "FILE":
            at = rest.index("NTUSER.DAT")
            file, below = "/".join(rest[: at + 1]), rest[at + 1 :]
        elif root == "HKU":
            file, below = folders[first], rest
        else:
            file, below = f"{CONFIG}/{first.upper()}", rest
        if file.endswith("/SYSTEM") and below:
            below[0] = SET
        values = {name: raw(kind, data) for name, (kind, data) in key["values"].items()}
        found.setdefault(file, {}).setdefault("\\".join(below), {}).update(values)
    system, software = found[f"{CONFIG}/SYSTEM"], found[f"{CONFIG}/SOFTWARE"]
    system["Select"] = {name: hive.dword(1) for name in ("Current", "Default", "LastKnownGood")}
    system[SET + r"\Control\ComputerName\ComputerName"] = {"ComputerName": hive.sz(machine.name)}
    system[SET + r"\Control\Session Manager\Environment"] = {
        "windir": hive.expand_sz("%SystemRoot%")
    }
    environment = machine.state["environment"]
    software.setdefault(NT, {})["SystemRoot"] = hive.sz(environment["SystemRoot"])
    software.setdefault(WINDOWS, {}).update(
        {
            "ProgramFilesDir": hive.sz(environment["ProgramFiles"]),
            "ProgramFilesDir (x86)": hive.sz(environment["ProgramFiles(x86)"]),
            "ProgramW6432Dir": hive.sz(environment["ProgramW6432"]),
        }
    )
    software[NT + r"\ProfileList"].update(
        {
            "ProgramData": hive.expand_sz(r"%SystemDrive%\ProgramData"),
            "Public": hive.expand_sz(r"%SystemDrive%\Users\Public"),
        }
    )
    return found


def raw(kind: str, data: Any) -> tuple[int, bytes]:
    """Return type number and bytes of a value in its wire form."""
    if kind in ("REG_SZ", "REG_EXPAND_SZ"):
        return TYPES[kind], (data + "\0").encode("utf-16-le")
    if kind == "REG_MULTI_SZ":
        return TYPES[kind], "".join(f"{item}\0" for item in [*data, ""]).encode("utf-16-le")
    if kind == "REG_DWORD":
        return TYPES[kind], struct.pack("<I", data)
    return TYPES[kind], base64.b64decode(data)


def folder(
    machine: pc.Pc, into: Path, change: Callable[[dict[str, Keys]], None] = lambda _keys: None
) -> Path:
    """Make the folder that a mounted image of the PC would be. change may alter the keys of its hives before."""
    keys = hives(machine)
    change(keys)
    for path, content in keys.items():
        file = into / path
        file.parent.mkdir(parents=True, exist_ok=True)
        flags = 1 if path.startswith(CONFIG) else 0
        file.write_bytes(hive.build(content, name=file.name, flags=flags))
        for number in (1, 2):
            Path(f"{file}.LOG{number}").write_bytes(b"")
    for windows_path, about in machine.state["files"].items():
        file = into / windows_path[3:].replace("\\", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as program:
            program.truncate(about["size"])
    return into


def run(*command: str | Path) -> str:
    """Run a program; what it printed is returned, and shown where it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def wim(
    folders: Mapping[str, Path], into: Path, *, esd: bool = False, compression: str = "LZX"
) -> Path:
    """Capture folders as the images of a WIM or ESD, by their names."""
    for name, content in folders.items():
        kind = ["--solid"] if esd else [f"--compress={compression}"]
        if into.exists():
            run("wimlib-imagex", "append", content, into, name)
        else:
            run("wimlib-imagex", "capture", content, into, name, *kind)
    return into


def volume(content: Path, into: Path, megabytes: int = 96) -> Path:
    """Make an NTFS volume, a file, with a folder's content."""
    captured = into.with_suffix(".captured")
    with into.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    run("/sbin/mkntfs", "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", into)
    wim({"captured": content}, captured, compression="none")
    run("wimlib-imagex", "apply", captured, "1", into)
    captured.unlink()
    return into


def disk(
    partition: Path,
    into: Path,
    kind: str = "raw",
    *,
    gpt: bool = True,
    others: Sequence[Path] = (),
    options: str = "",
) -> Path:
    """Make a disk with a partition of a volume, and further ones: raw, vpc (VHD), or another of qemu's kinds.

    options are qemu-img's for the kind. In MBR the disk's signature is SIGNATURE, in GPT the partitions have GUIDS.
    """
    plain = into.with_suffix(".plain")
    places = []
    end = START
    for volume in (partition, *others):
        places.append((end, volume.stat().st_size))
        end += places[-1][1]
    with plain.open("wb") as file:
        file.truncate(end + START)
        if not gpt:
            file.seek(440)
            file.write(SIGNATURE)
            file.seek(446)
            for start, size in places:
                file.write(
                    struct.pack("<BBHBBHII", 0, 0, 0, 7, 0, 0, start // SECTOR, size // SECTOR)
                )
            file.seek(510)
            file.write(b"\x55\xaa")
    if gpt:
        basic_data = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
        script = "label: gpt\n"
        for (start, size), guid in zip(places, GUIDS, strict=False):
            script += (
                f"start={start // SECTOR}, size={size // SECTOR}, type={basic_data}, uuid={guid}\n"
            )
        subprocess.run(["/sbin/sfdisk", "-q", str(plain)], input=script, text=True, check=True)
    with plain.open("r+b") as file:
        for (start, _size), volume in zip(places, (partition, *others), strict=True):
            file.seek(start)
            with volume.open("rb") as content:
                shutil.copyfileobj(content, file)
    extra = ["-o", options] if options else []
    run("qemu-img", "convert", "-f", "raw", "-O", kind, *extra, plain, into)
    plain.unlink()
    return into


def seal_vhdx(path: Path, place: int, size: int) -> None:
    """Give a header (4 KiB) or region table (64 KiB) of a VHDX the checksum that fits: CRC-32C."""
    with path.open("r+b") as file:
        file.seek(place)
        content = file.read(size)
        file.seek(place + 4)
        file.write(struct.pack("<I", _crc32c(content[:4] + bytes(4) + content[8:])))


def _crc32c(content: bytes) -> int:
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _bit in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def main(into: Path, name: str, kinds: list[str]) -> None:
    """Make images of a PC of the lab."""
    with Lab(
        lambda network: [member for member in fleet.members(network) if member.pc.name == name],
        scripts=False,
    ) as lab:
        machine = lab.members[name].pc
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        made = folder(machine, Path(work, "folder"))
        partition = volume(made, Path(work, "volume"))
        for kind in kinds:
            if kind == "folder":
                shutil.copytree(made, into / kind)
            elif kind in ("wim", "esd"):
                wim({"Windows": made}, into / kind, esd=kind == "esd")
            else:
                disk(partition, into / kind, {"vhd": "vpc"}.get(kind, kind))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
