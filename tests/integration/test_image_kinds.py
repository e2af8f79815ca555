# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The kinds of images that people have: read and prepared, or refused by their name with the command that helps."""

from __future__ import annotations

import base64
import io
import json
import lzma
import os
import resource
import shutil
import struct
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pycdlib
import pytest
from ansible_collections.ets6.network.plugins.module_utils import (
    bounds,
    hive_edit,
    image_disk,
    image_folder,
    image_source,
    image_volume,
    image_wim,
    libwim,
)
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive, HiveValue
from ansible_collections.ets6.network.plugins.module_utils.image_source import (
    ImageError,
    Replacement,
)
from ansible_collections.ets6.network.plugins.modules import windows_image
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives

from tests.integration.debian import need
from tests.integration.images import (
    SOFTWARE,
    SYSTEM,
    judged,
    need_programs,
    pc,
    sums,
    values,
)
from tests.integration.module import (
    PROXY,
    RULE,
    RULE_ID,
    RULES,
    SOFTWARE_KEY,
    ask,
    rules,
    snapshot,
    why,
)
from tests.lab import hive, image

KNX = r"*:\KNX\ETS6\ETS6N.exe"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_programs()
    return image.folder(pc(), tmp_path_factory.mktemp("kinds") / "folder")


@pytest.fixture(scope="module")
def volume(folder: Path) -> Path:
    return image.volume(folder, folder.parent / "volume", 32)


# Disk images of VMware and VirtualBox.


VMDKS = {
    "monolithicSparse": "disk.vmdk",
    "streamOptimized": "disk.vmdk",
    "monolithicFlat": "disk-flat.vmdk",
    "twoGbMaxExtentSparse": "",
    "twoGbMaxExtentFlat": "disk-f001.vmdk",
}
"""The forms of a VMDK, and which of its files is changed; where it is none, the image is not prepared."""


@pytest.mark.parametrize("form", VMDKS)
def test_a_vmdk_is_read_and_written_back_in_its_form(
    volume: Path, tmp_path: Path, form: str
) -> None:
    path = image.disk(volume, tmp_path / "disk.vmdk", "vmdk", options=f"subformat={form}")
    before = sums([path])
    assert rules(path)
    assert sums([path]) == before
    if not VMDKS[form]:
        assert (
            "it is a VMDK in several files. Make one file of it: qemu-img convert -O vmdk"
            in why(path, RULE)
        )
        return
    assert ask(path, RULE, PROXY)["changed"]
    assert RULE_ID in rules(path)
    changed = {Path(name).name for name, digest in sums([path]).items() if before[name] != digest}
    assert changed == {VMDKS[form]}
    information = json.loads(image.run("qemu-img", "info", "--output=json", path))
    assert information["format-specific"]["data"]["create-type"] == form
    assert RULE_ID in values(
        _system(path, "vmdk"), RULE["path"].replace(r"HKLM\SYSTEM\CurrentControlSet", image.SET)
    )


def _system(path: Path, kind: str) -> bytes:
    """Take SYSTEM out with qemu and ntfs-3g, which the product does not read with."""
    part = path.with_suffix(".part")
    node: dict[str, Any] = {"driver": kind, "file": {"driver": "file", "filename": str(path)}}
    node = {"driver": "raw", "offset": image.START, "file": node}
    image.run("qemu-img", "convert", "-O", "raw", f"json:{json.dumps(node)}", part)
    try:
        return subprocess.run(["ntfscat", part, SYSTEM], capture_output=True, check=True).stdout
    finally:
        part.unlink()


def test_a_vdi_is_read_and_written_back(volume: Path, tmp_path: Path) -> None:
    path = image.disk(volume, tmp_path / "disk.vdi", "vdi")
    assert ask(path, RULE, PROXY)["changed"]
    assert RULE_ID in rules(path)
    assert RULE_ID in values(
        _system(path, "vdi"), RULE["path"].replace(r"HKLM\SYSTEM\CurrentControlSet", image.SET)
    )


def test_a_vmdk_of_several_files_is_read_and_not_prepared(volume: Path, tmp_path: Path) -> None:
    whole = image.disk(volume, tmp_path / "whole")
    half = whole.stat().st_size // 2 // 512 * 512
    content = whole.read_bytes()
    lines = ["# Disk DescriptorFile", "version=1", "CID=fffffffe", "parentCID=ffffffff"]
    lines.append('createType="twoGbMaxExtentFlat"')
    for number, part in enumerate((content[:half], content[half:]), 1):
        (tmp_path / f"disk-f00{number}.vmdk").write_bytes(part)
        lines.append(f'RW {len(part) // 512} FLAT "disk-f00{number}.vmdk" 0')
    path = tmp_path / "disk.vmdk"
    path.write_text("\n".join(lines))
    assert rules(path)
    for check in (True, False):
        assert (
            "it is a VMDK in several files. Make one file of it: qemu-img convert -O vmdk"
            in why(path, RULE, check=check)
        )
    for name in ("/etc/passwd", "../whole", "missing.vmdk"):
        path.write_text("\n".join([*lines[:5], f'RW 100 FLAT "{name}" 0']))
        assert f"its extent {name!r} is not beside it" in why(path)
    path.write_text("\n".join([*lines[:5], f'RW 100 FLAT "whole" {"9" * 5000}']))
    assert "it is damaged or of an unknown form (ValueError" in why(path)
    path.write_text("\n".join(lines).replace("parentCID=ffffffff", "parentCID=12345678"))
    assert "holds only what is different from a parent image" in why(path)


# Features that are not known to be read right.


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("extended_l2=on", "extended L2 entries, which is not supported. Convert it: qemu-img convert -O qcow2 -o extended_l2=off"),
        ("compression_type=zstd", "zstd compression, which is not supported. Convert it: qemu-img convert"),
        ("encrypt.format=aes,encrypt.key-secret=s", "encryption, which is not supported. Decrypt it: qemu-img convert --object secret"),
        ("data_file=DATA,data_file_raw=on", "an external data file, which is not supported. Convert it: qemu-img convert"),
        ("compat=0.10", ""),
        ("lazy_refcounts=on", ""),
        ("cluster_size=2M", ""),
    ],
)  # fmt: skip
def test_a_qcow2_is_read_only_with_features_that_are_known(
    volume: Path, tmp_path: Path, options: str, told: str
) -> None:
    path = tmp_path / "disk"
    options = options.replace("DATA", str(tmp_path / "data"))
    if "encrypt" in options:
        image.run(
            "qemu-img",
            "create",
            "-q",
            "--object",
            "secret,id=s,data=x",
            "-f",
            "qcow2",
            "-o",
            options,
            path,
            "10M",
        )
    else:
        image.disk(volume, path, "qcow2", options=options)
    if told:
        assert told in why(path)
    else:
        assert rules(path)


def test_a_qcow2_with_luks_is_refused(volume: Path, tmp_path: Path) -> None:
    """By its header alone: qemu-img measures the CPU to encrypt with LUKS, which fails on a busy machine."""
    path = image.disk(volume, tmp_path / "disk", "qcow2")
    with path.open("r+b") as file:
        file.seek(32)
        file.write(struct.pack(">I", 2))
    assert "encryption, which is not supported" in why(path)


@pytest.mark.parametrize("bit", [0, 5, 17, 63])
def test_other_features_of_a_qcow2_are_refused(volume: Path, tmp_path: Path, bit: int) -> None:
    path = image.disk(volume, tmp_path / "disk", "qcow2")
    with path.open("r+b") as file:
        file.seek(72)
        file.write(struct.pack(">Q", 1 << bit))
    told = (
        "was not closed. Repair it: qemu-img check -r all"
        if bit == 0
        else "an unknown feature, which is not supported"
    )
    assert told in why(path)


def test_the_checksums_of_a_vhdx_are_verified(volume: Path, tmp_path: Path) -> None:
    sound = image.disk(volume, tmp_path / "sound", "vhdx").read_bytes()
    path = tmp_path / "disk"
    for place, told in (
        (192 * 1024 + 8, "region table"),
        (256 * 1024 + 100, "region table"),
        (64 * 1024 + 70, ""),
        (128 * 1024 + 70, ""),
    ):
        damaged = bytearray(sound)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        if told:
            assert f"is damaged: the checksum of its {told} does not fit" in why(path)
        else:
            assert rules(path), "the other header is sound"


def test_a_vhdx_with_4096_bytes_in_a_sector_is_read_and_not_prepared(
    volume: Path, tmp_path: Path
) -> None:
    """qemu cannot make one (MS-VHDX 2.6.2.4), and refuses to open it."""
    path = image.disk(volume, tmp_path / "disk", "vhdx")
    data = path.read_bytes()
    region = data.index(uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le)
    (table,) = struct.unpack_from("<Q", data, region + 16)
    item = data.index(uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le, table)
    (offset,) = struct.unpack_from("<I", data, item + 16)
    with path.open("r+b") as file:
        file.seek(table + offset)
        file.write(struct.pack("<I", 4096))
    assert rules(path)
    for check in (True, False):
        told = why(path, RULE, check=check)
        assert "its sectors have 4096 bytes, which qemu-io does not support. Attach it" in told


@pytest.mark.parametrize("options", ["subformat=fixed", "subformat=dynamic"])
def test_the_checksums_of_a_vhd_are_verified(volume: Path, tmp_path: Path, options: str) -> None:
    path = image.disk(volume, tmp_path / "disk", "vpc", options=options)
    assert rules(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-490] + b"\1" + whole[-489:])
    assert "is damaged: the checksum of its footer does not fit" in why(path)
    if "dynamic" in options:
        path.write_bytes(whole[:540] + b"\1" + whole[541:])
        assert "is damaged: the checksum of its header does not fit" in why(path)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (512, "partition table"),
        (512 + 20, ""),
        (512 + 72, "partition table"),
        (512 + 82, "partition table"),
        (1024 + 32, "partitions"),
        (1024 + 500, "partitions"),
    ],
)
def test_the_checksums_of_a_guid_partition_table_are_verified(
    volume: Path, tmp_path: Path, place: int, told: str
) -> None:
    path = image.disk(volume, tmp_path / "disk")
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        # The four bytes at 20 are reserved, but in the checksum, too.
        file.write(bytes([byte ^ 0x40]))
    assert f"is damaged: the checksum of its {told or 'partition table'} (GPT) does not fit" in why(
        path
    )


def test_a_guid_partition_table_with_4096_bytes_in_a_sector_is_read(
    volume: Path, tmp_path: Path
) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(volume.stat().st_size + 2 * image.START)
    last = (image.START + volume.stat().st_size) // 4096 - 1
    keys = f"g\nn\n1\n{image.START // 4096}\n{last}\nw\n"
    words = ["/sbin/fdisk", "-b", "4096", str(path)]
    subprocess.run(words, input=keys, text=True, check=True, capture_output=True)
    with path.open("r+b") as file:
        file.seek(image.START)
        file.write(volume.read_bytes())
    assert rules(path)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "label: gpt\nstart=2048, type=AF9B60A0-1431-4F62-BC68-3311714A69AD\n",
            "a dynamic disk (Logical Disk Manager)",
        ),
        ("label: dos\nstart=2048, type=42\n", "a dynamic disk (Logical Disk Manager)"),
        (
            "label: gpt\nstart=2048, type=E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D\n",
            "a part of a storage pool (Storage Spaces)",
        ),
        ("label: gpt\nstart=2048\n", "a disk with ReFS"),
    ],
)
def test_a_disk_whose_volumes_are_not_read_is_named(
    volume: Path, tmp_path: Path, script: str, told: str
) -> None:
    """Even where a volume seems to begin there: the rest of it may be on other disks."""
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(volume.stat().st_size + 2 * image.START)
    subprocess.run(["/sbin/sfdisk", "-q", str(path)], input=script, text=True, check=True)
    with path.open("r+b") as file:
        file.seek(image.START)
        file.write(bytes(3) + b"ReFS" if "ReFS" in told else volume.read_bytes())
    assert (
        f"is {told}, which is not supported; attach it to Windows, and capture its volume there: DISM"
        in why(path)
    )


def test_a_windows_in_a_logical_drive_is_read_and_prepared(volume: Path, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    start = 4 * image.START
    with path.open("wb") as file:
        file.truncate(volume.stat().st_size + 6 * image.START)
    script = f"label: dos\nstart=2048, type=f\nstart={start // image.SECTOR}, type=7\n"
    subprocess.run(["/sbin/sfdisk", "-q", str(path)], input=script, text=True, check=True)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(volume.read_bytes())
    assert ask(path, RULE)["changed"]
    assert RULE_ID in rules(path)


def test_one_of_several_files_of_a_vmdk_is_named(volume: Path, tmp_path: Path) -> None:
    image.disk(volume, tmp_path / "disk.vmdk", "vmdk", options="subformat=twoGbMaxExtentSparse")
    told = why(tmp_path / "disk-s001.vmdk")
    assert "is one of several files of a VMDK. Specify the file that names them" in told


def test_a_vhd_that_was_saved_with_a_running_machine_is_refused(
    volume: Path, tmp_path: Path
) -> None:
    """Attaching it would not bring what is in the machine's memory."""
    path = image.disk(volume, tmp_path / "disk", "vpc")
    content = bytearray(path.read_bytes())
    content[-512 + 84] = 1
    path.write_bytes(content)
    told = why(path)
    assert "Start that machine from its saved state, and shut Windows down fully" in told
    assert "Mount-VHD" not in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("el2.qcow2", "extended L2 entries, which is not supported. Convert it: qemu-img convert"),
        ("vhdx-region-count.vhdx", "is damaged: the checksum of its region table does not fit"),
    ],
)
def test_images_that_took_all_memory_or_time_are_refused_at_once(
    tmp_path: Path, name: str, told: str
) -> None:
    source = real_hives.FOLDER.parent / "images" / f"{name}.xz"
    if not source.exists():
        real_hives.not_here(f"{source.name} is not beside the project, in ../shared/images")
    path = tmp_path / "image"
    path.write_bytes(lzma.decompress(source.read_bytes()))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert told in why(path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 2
    assert after.ru_maxrss < 512 * 1024


# Whatever a reader does with a damaged file ends as an error.


class Greedy:
    def __init__(self, *_arguments: Any) -> None:
        self.taken = bytearray(4 << 30)


class Endless:
    def __init__(self, *_arguments: Any) -> None:
        while True:
            pass


class Crashing:
    def __init__(self, *_arguments: Any) -> None:
        os.abort()


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (Greedy, "it took more than 1024 MiB of memory"),
        (Endless, "it took more than 0.5 seconds"),
        (Crashing, "the process that read it crashed (exit code -6)"),
    ],
)
def test_a_reader_that_takes_too_much_is_ended(
    volume: Path, monkeypatch: pytest.MonkeyPatch, reader: type, told: str
) -> None:
    worker = bounds.Worker
    monkeypatch.setattr(image_disk, "DiskReader", reader)
    monkeypatch.setattr(
        bounds, "Worker", lambda create: worker(create, seconds=0.5 if reader is Endless else 60)
    )
    assert f"cannot be read: {told}. Check it with qemu-img check IMAGE" in why(volume)


# What people also have.


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"COWD" + bytes(600), "old VMware ESX disk (COWD); convert it: qemu-img convert"),
        (b"\xbe\xba\xfe\xca" + bytes(600), "VMware snapshot (SESparse)"),
        (bytes(4) + b"SignedImage " + bytes(600), "Full Flash Update (FFU); apply it"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7-Zip archive; unpack it: 7z x IMAGE"),
        (b"\x1f\x8b\x08" + bytes(600), "compressed with gzip; unpack it: gunzip"),
        (b"\xfd7zXZ\0" + bytes(600), "compressed with xz; unpack it: unxz"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "compressed with zstd; unpack it: unzstd"),
        (
            b"win11.ovf".ljust(257, b"\0") + b"ustar" + bytes(600),
            "archive (OVA or TAR); unpack it (tar -xf IMAGE)",
        ),
        (bytes(3) + b"EXFAT   " + bytes(499) + b"\x55\xaa", "a volume with exFAT"),
        (bytes(82) + b"FAT32   " + bytes(420) + b"\x55\xaa", "a volume with FAT32"),
        (bytes(3) + b"ReFS" + bytes(503) + b"\x55\xaa", "a volume with ReFS"),
        (bytes(4096), "or it is a disk without a partition table"),
    ],
)
def test_what_is_no_image_is_named_with_the_command_that_helps(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    assert told in why(path)


def test_a_delta_wim_is_named(folder: Path, tmp_path: Path) -> None:
    base = image.wim({"Windows": folder}, tmp_path / "base.wim")
    image.run(
        "wimlib-imagex",
        "capture",
        folder,
        tmp_path / "delta.wim",
        "Windows",
        f"--delta-from={base}",
    )
    assert "is a delta WIM: contents of its files are in another WIM" in why(tmp_path / "delta.wim")


def test_a_wim_that_is_marked_as_read_only_is_refused_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = image.wim({"Windows": folder}, tmp_path / "image")
    with path.open("r+b") as file:
        file.seek(16)
        flags = struct.unpack("<I", file.read(4))[0]
        file.seek(16)
        file.write(struct.pack("<I", flags | 4))
    assert rules(path)
    monkeypatch.setattr(image_wim, "copy_file", lambda *_paths: pytest.fail("it was copied"))
    for check in (True, False):
        assert "is marked as read-only in its header. Export it" in why(path, RULE, check=check)
    image.run("wimlib-imagex", "export", path, "all", tmp_path / "new")
    monkeypatch.undo()
    assert ask(tmp_path / "new", RULE)["changed"]


def test_images_of_a_wim_without_windows_are_left_out_unless_they_are_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    """As install.esd of the Media Creation Tool: setup media, Windows PE, Windows Setup (PE, too), then the editions."""
    media = tmp_path / "media"
    (media / "sources").mkdir(parents=True)
    (media / "setup.exe").write_bytes(b"MZ")
    path = image.wim({"Windows Setup Media": media}, tmp_path / "image", esd=True)
    edition = [
        "--image-property",
        "WINDOWS/EDITIONID=WindowsPE",
        "--image-property",
        "WINDOWS/INSTALLATIONTYPE=WindowsPE",
    ]
    image.run("wimlib-imagex", "append", folder, path, "Microsoft Windows PE (x64)", *edition)
    image.run("wimlib-imagex", "append", folder, path, "Windows 11 Pro")
    listed = ask(path, registry=[])["images"]
    assert listed == [{"index": "3", "name": "Windows 11 Pro"}]
    assert rules(path)
    assert (
        "1 (Windows Setup Media) is without Windows: there is no Windows/System32/config/SYSTEM in it"
        in why(path, index="1")
    )
    assert "2 (Microsoft Windows PE (x64)) is Windows PE, from which Windows is installed" in why(
        path, index="2"
    )


def test_windows_pe_on_a_disk_is_named(tmp_path: Path) -> None:
    def change(keys: dict[str, image.Keys]) -> None:
        keys[SYSTEM][rf"{image.SET}\Control\MiniNT"] = {}

    assert "is Windows PE, from which Windows is installed" in why(
        image.folder(pc(), tmp_path / "image", change)
    )


PROGRAMS = [
    r"C:\Program Files (x86)\ETS6\ETS6N.exe",
    r"%ProgramFiles%\ETS6\ETS6C.exe",
    r"%ProgramFiles%\%nothing%\ETS6C.exe",
    KNX,
]


def with_programs(folder: Path, into: Path) -> Path:
    """Copy an image, with programs in it of which the first bytes are read."""
    path = Path(shutil.copytree(folder, into))
    for place in ("Program Files (x86)/ETS6/ETS6N.exe", "Program Files/ETS6/ETS6C.exe"):
        (path / place).parent.mkdir(parents=True, exist_ok=True)
        (path / place).write_bytes(b"MZ of " + place.encode())
    return path


def extractions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return a list that gets the paths of each extraction from now on."""
    extracted: list[list[str]] = []
    extract = libwim.WimFile.extract

    def counted(self: Any, index: int, paths: list[str], folder: str) -> None:
        extracted.append(paths)
        extract(self, index, paths, folder)

    monkeypatch.setattr(libwim.WimFile, "extract", counted)
    return extracted


def test_a_solid_esd_is_unpacked_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = with_programs(folder, tmp_path / "content")
    path = image.wim({"Windows": content}, tmp_path / "image", esd=True)
    extracted = extractions(monkeypatch)
    found = {file["path"]: file for file in snapshot(path, files=PROGRAMS)["files"]}
    assert base64.b64decode(found[r"C:\Program Files\ETS6\ETS6C.exe"]["head"]).startswith(b"MZ of")
    assert len(extracted) == 1
    assert {"Windows/System32/config/SYSTEM", "Program Files/ETS6/ETS6C.exe"} <= set(extracted[0])


def test_a_solid_esd_is_unpacked_once_for_a_change(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once more only to read back what was put in, which is not solid."""
    path = image.wim({"Windows": folder}, tmp_path / "image", esd=True)
    extracted = extractions(monkeypatch)
    assert ask(path, RULE, PROXY)["changed"]
    first, second = extracted
    assert len(first) > len(second) == 2
    assert RULE_ID in rules(path)


@pytest.mark.parametrize("name", ["*", "%", "[x]"])
def test_a_folder_whose_name_is_a_pattern_is_a_folder(
    folder: Path, tmp_path: Path, name: str
) -> None:
    content = Path(shutil.copytree(folder, tmp_path / "content"))
    (content / name / "ETS6").mkdir(parents=True)
    (content / name / "ETS6/ETS6N.exe").write_bytes(b"MZ")
    path = image.wim({"Windows": content}, tmp_path / "image")
    asked = [r"%ProgramFiles%\ETS6\ETS6N.exe", r"%a%\%b%\ETS6N.exe"]
    assert rules(path)
    assert {file["state"] for file in snapshot(path, files=asked)["files"]} == {"missing"}


def test_an_encrypted_esd_is_named(folder: Path, tmp_path: Path) -> None:
    """As Windows Update downloads it: the XML data have the key that encrypts the contents."""
    path = image.wim({"Windows": folder}, tmp_path / "image", esd=True)
    content = path.read_bytes()
    size_and_flags, offset = struct.unpack_from("<QQ", content, 72)
    xml = content[offset : offset + (size_and_flags & (1 << 56) - 1)].decode("utf-16")
    xml = xml.replace("</WIM>", "<ESD><ENCRYPTED>key</ENCRYPTED></ESD></WIM>")
    data = xml.encode("utf-16")
    changed = bytearray(content[:offset] + data)
    struct.pack_into("<QQQ", changed, 72, 2 << 56 | len(data), offset, len(data))
    path.write_bytes(changed)
    assert "is encrypted, as Windows Update downloads it. Use an ISO, or the ESD" in why(path)


def test_an_image_with_many_files_is_read_in_one_go(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every opening reads the directory of the image, a third of a second for 100,000 files."""
    content = with_programs(folder, tmp_path / "content")
    path = image.wim({"Windows": content}, tmp_path / "image")
    opened = []
    worker = bounds.Worker

    def counted(create: Callable[[], Any], **options: Any) -> bounds.Worker:
        opened.append(options)
        return worker(create, **options)

    monkeypatch.setattr(bounds, "Worker", counted)
    monkeypatch.setattr(
        image_source.subprocess, "run", lambda *_words, **_options: pytest.fail("a program ran")
    )
    assert len(snapshot(path, files=PROGRAMS)["files"]) == len(PROGRAMS)
    assert len(opened) == 2, "once to list the images, once to read one"


def test_the_directory_of_an_image_is_read_three_times_for_a_change(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once before, once by wimlib-imagex, once after."""
    path = image.wim({"Windows": folder}, tmp_path / "image")
    opened, programs = [], []
    worker, program = libwim.WimFile.__init__, image_source.program

    def counted(self: Any, place: str, title: str) -> None:
        opened.append(place)
        worker(self, place, title)

    def counted_program(words: list[str], *arguments: Any, **options: Any) -> Any:
        programs.append(words[0])
        return program(words, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(libwim.WimFile, "__init__", counted)
        patched.setattr(image_source, "program", counted_program)
        assert ask(path, RULE, PROXY, registry=[])["changed"]
    assert programs == ["cp", "wimlib-imagex"]
    assert opened == [str(path), str(path), f"{path}{image_folder.NEW}"], "the first lists images"
    assert RULE_ID in rules(path)


def test_a_wim_in_which_another_file_became_different_is_not_put_into_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = image.wim({"Windows": folder}, tmp_path / "image")
    (tmp_path / "other").write_bytes(b"other")
    before = sums([path])
    run = image_wim.run

    def also(words: list[str], *arguments: Any, stdin: str, **options: Any) -> str:
        stdin += f'add "{tmp_path}/other" /{image.CONFIG}/SOFTWARE.LOG1\n'
        return run(words, *arguments, stdin=stdin, **options)

    monkeypatch.setattr(image_wim, "run", also)
    assert "after the update its other files are not as before. Nothing was changed" in why(
        path, RULE
    )
    assert sums([path]) == before


def test_a_hive_that_is_too_large_is_not_taken_out(
    folder: Path, volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few megabytes of a WIM, and a file with holes, can hold terabytes of zeros."""
    wim = image.wim({"Windows": folder}, tmp_path / "image")
    size = (folder / SYSTEM).stat().st_size
    for module in (image_wim, image_source):
        monkeypatch.setattr(module, "MAX_HIVE", size - 1)
    monkeypatch.setattr(image_volume.hive, "MAX_HIVE", size - 1)
    for path in (folder, wim, volume):
        assert f"{SYSTEM} has {size} bytes, which is too large" in why(path)


ODD_NAMES = ("two  blanks", "it's", "-dash", "#hash", "com,ma", "co:lon", "json:{}")
UNSPEAKABLE = ('quo"te', "new\nline")


@pytest.mark.parametrize("name", [*ODD_NAMES, *UNSPEAKABLE])
def test_odd_names_of_users_and_of_files_are_no_commands(tmp_path: Path, name: str) -> None:
    """Names of users' folders come from the image; that of the image itself is the user's."""
    need_programs()

    def change(keys: dict[str, image.Keys]) -> None:
        profiles = keys[SOFTWARE][image.NT + r"\ProfileList"]
        profiles["Default"] = hive.sz(rf"C:\{name}")
        keys[f"{name}/NTUSER.DAT"] = keys.pop(image.DEFAULT_USER)

    folder = image.folder(pc(), tmp_path / "folder", change)
    step = {
        "do": "set_registry_values",
        "path": r"HKU\default\Software\ets6.network",
        "values": [["proxy", "REG_SZ", "p:1"]],
    }
    work = tmp_path / name
    work.mkdir()
    volume = image.volume(folder, tmp_path / "volume", 16)
    stream = "subformat=streamOptimized"
    images = [
        work / name,
        image.wim({"Windows": folder}, work / f"{name}.wim"),
        image.disk(volume, work / f"{name}.disk", "vhdx"),
        image.disk(volume, work / f"{name}.vmdk", "vmdk", options=stream),
    ]
    shutil.copytree(folder, images[0])
    for path in images:
        if path.suffix == ".wim" and name in UNSPEAKABLE:
            before = sums([path])
            for check in (True, False):
                assert "wimlib-imagex takes no path with a quotation mark" in why(
                    path, step, check=check
                )
            assert sums([path]) == before
            continue
        result = ask(path, step)
        assert result["changed"], result["operations"]
        users = {user["sid"]: user["hive"] for user in snapshot(path)["users"]}
        assert users["default"] == "file"
        keys = snapshot(path, user_registry=[{"path": r"Software\ets6.network", "depth": 0}])
        assert keys["registry"][step["path"]]["values"] == {"proxy": ["REG_SZ", "p:1"]}, path


@pytest.mark.parametrize("form", ["udf", "joliet"])
def test_the_install_wim_in_an_iso_is_verified_and_not_prepared(
    folder: Path, tmp_path: Path, form: str
) -> None:
    windows = with_programs(folder, tmp_path / "content")
    content = image.wim({"Windows": windows}, tmp_path / "install.wim").read_bytes()
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, **({"udf": "2.60"} if form == "udf" else {"joliet": 3}))
    names = {f"{form}_path": "/sources"}
    iso.add_directory("/SOURCES", **names)
    names = {f"{form}_path": "/sources/install.wim"}
    iso.add_fp(io.BytesIO(content), len(content), "/SOURCES/INSTALL.WIM;1", **names)
    path = tmp_path / "image"
    iso.write(str(path))
    iso.close()
    # As on a hybrid ISO, which has a partition table for sticks.
    with path.open("r+b") as file:
        file.seek(510)
        file.write(b"\x55\xaa")
    before = sums([path])
    assert rules(path)
    files = snapshot(path, files=PROGRAMS)["files"]
    assert [file["state"] for file in files] == ["present", "present", "missing", "missing"]
    assert "is an ISO, which cannot be changed. Take its WIM out and prepare that" in why(
        path, RULE
    )
    assert sums([path]) == before


FILLER = 4 * 1024 * 1024


@pytest.mark.parametrize("esd", [True, False])
def test_of_the_wim_in_an_iso_only_what_is_needed_is_copied(
    folder: Path, tmp_path: Path, esd: bool
) -> None:
    """Made by another program than the one that reads it; a solid file is needed as a whole."""
    need("genisoimage", "genisoimage")
    content = Path(shutil.copytree(folder, tmp_path / "content"))
    (content / "filler").write_bytes(os.urandom(FILLER))
    sources = tmp_path / "iso/sources"
    sources.mkdir(parents=True)
    image.wim({"Windows": content}, sources / ("install.esd" if esd else "install.wim"), esd=esd)
    path = tmp_path / "image"
    words = ["-quiet", "-udf", "-iso-level", "3", "-J", "-o", path, tmp_path / "iso"]
    image.run("genisoimage", *words)
    work = tmp_path / "work"
    work.mkdir()
    options: dict[str, Any] = {"path": str(path), "index": "", "operations": []}
    options |= {"user_registry": [], "files": PROGRAMS, "named_files": [], "programs": []}
    options |= {"restore": False}
    options["registry"] = [{"path": RULES, "depth": 0}]
    assert windows_image.run(options, False, str(work))["snapshot"]
    copied = (work / "install.wim").stat()
    assert copied.st_size > FILLER
    assert (copied.st_blocks * 512 > FILLER) == esd


def test_a_wim_in_an_iso_that_was_cut_off_is_refused(folder: Path, tmp_path: Path) -> None:
    need("genisoimage", "genisoimage")
    sources = tmp_path / "iso/sources"
    sources.mkdir(parents=True)
    whole = image.wim({"Windows": folder}, tmp_path / "wim").read_bytes()
    (sources / "install.wim").write_bytes(whole[:5000])
    path = tmp_path / "image"
    image.run("genisoimage", "-quiet", "-udf", "-J", "-o", path, tmp_path / "iso")
    assert (
        "cannot be read: it is damaged or of an unknown form (ValueError: its WIM is cut off)"
        in (why(path))
    )


def test_an_iso_without_a_windows_setup_is_refused(tmp_path: Path) -> None:
    iso = pycdlib.PyCdlib()
    iso.new(udf="2.60")
    iso.write(str(tmp_path / "image"))
    told = why(tmp_path / "image")
    assert "is an ISO without sources/install.wim or sources/install.esd. 7z l IMAGE" in told
    assert "x64/sources/install.esd" in told
    assert "wimlib-imagex join NEW.wim sources/*.swm" in told


# Several partitions, and links.


def with_devices(devices: dict[str, bytes]) -> Callable[[dict[str, image.Keys]], None]:
    def change(keys: dict[str, image.Keys]) -> None:
        named = {rf"\DosDevices\{letter}": (hive.BINARY, data) for letter, data in devices.items()}
        keys[SYSTEM]["MountedDevices"] = named

    return change


def mbr(offset: int) -> bytes:
    return image.SIGNATURE + struct.pack("<Q", offset)


def data_volume(into: Path) -> Path:
    """Make a volume with ETS6 in it."""
    content = into.parent / "data"
    (content / "KNX/ETS6").mkdir(parents=True)
    (content / "KNX/ETS6/ETS6N.exe").write_bytes(b"MZ of ETS6")
    return image.volume(content, into, 16)


SIZE = 32 * 1024 * 1024


@pytest.mark.parametrize("gpt", [True, False])
def test_programs_are_found_on_other_partitions_by_their_letters(tmp_path: Path, gpt: bool) -> None:
    need_programs()
    devices = {"C:": mbr(image.START), "E:": mbr(image.START + SIZE)}
    if gpt:
        guids = [b"DMIO:ID:" + guid.bytes_le for guid in image.GUIDS]
        devices = {"C:": guids[0], "E:": guids[1]}
    devices["D:"] = "\\??\\SCSI#CdRom".encode("utf-16-le")
    windows = image.volume(
        image.folder(pc(), tmp_path / "folder", with_devices(devices)), tmp_path / "windows", 32
    )
    path = image.disk(
        windows, tmp_path / "disk", "vhdx", gpt=gpt, others=[data_volume(tmp_path / "other")]
    )
    found = snapshot(path, files=[KNX, r"E:\knx\ets6\ETS6N.exe", r"E:\no.exe"])["files"]
    assert [(file["path"], file["state"], file["size"]) for file in found] == [
        (r"C:\KNX\ETS6\ETS6N.exe", "missing", 0),
        (r"E:\KNX\ETS6\ETS6N.exe", "present", 10),
        (r"E:\no.exe", "missing", 0),
    ]


def test_a_program_on_a_partition_without_a_letter_could_not_be_determined(tmp_path: Path) -> None:
    need_programs()
    windows = image.volume(image.folder(pc(), tmp_path / "folder"), tmp_path / "windows", 32)
    path = image.disk(windows, tmp_path / "disk", others=[data_volume(tmp_path / "other")])
    found = {file["path"]: file for file in snapshot(path, files=[KNX, r"*:\no.exe"])["files"]}
    assert found[KNX]["state"] == "unreadable"
    assert (
        found[KNX]["error"]
        == f"it is on the partition at {image.START + SIZE}, which has no drive letter in HKLM\\SYSTEM\\MountedDevices"
    )
    assert {file["state"] for name, file in found.items() if "no.exe" in name} == {"missing"}


def test_drives_that_an_image_does_not_hold_could_not_be_determined(tmp_path: Path) -> None:
    devices = {"C:": mbr(image.START), "E:": mbr(5 * image.START)}
    path = image.folder(pc(), tmp_path / "image", with_devices(devices))
    found = {file["path"]: file for file in snapshot(path, files=[KNX])["files"]}
    assert found[r"C:\KNX\ETS6\ETS6N.exe"]["state"] == "missing"
    assert found[r"E:\KNX\ETS6\ETS6N.exe"]["state"] == "unreadable"
    assert (
        "is not on drive C:, and the image does not hold it"
        in found[r"E:\KNX\ETS6\ETS6N.exe"]["error"]
    )


def test_what_is_behind_a_link_is_unreadable_in_every_kind(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "image"))
    (path / "Elsewhere").mkdir()
    (path / "Elsewhere/ETS6N.exe").write_bytes(b"MZ")
    (path / "KNX").symlink_to("Elsewhere")
    wim = image.wim({"Windows": path}, tmp_path / "wim")
    for one in (path, wim, image.volume(path, tmp_path / "volume", 32)):
        (file,) = snapshot(one, files=[r"C:\KNX\ETS6N.exe"])["files"]
        assert file["state"] == "unreadable", one
        assert "KNX is a symbolic link or junction, which is not followed" in file["error"]


def test_a_file_that_windows_compresses_in_its_own_way_is_found_and_not_read(
    folder: Path, tmp_path: Path
) -> None:
    """Compact OS and DISM's /Compact keep the content in a stream that only Windows reads (WOF)."""
    content = Path(shutil.copytree(folder, tmp_path / "content"))
    (content / "ETS6N.exe").symlink_to("elsewhere")
    path = image.volume(content, tmp_path / "volume", 32)
    symbolic_link, compressed = struct.pack("<I", 0xA000000C), struct.pack("<I", 0x80000017)
    path.write_bytes(path.read_bytes().replace(symbolic_link, compressed))
    (file,) = snapshot(path, files=[r"C:\ETS6N.exe"])["files"]
    assert (file["state"], file["head"]) == ("present", "")
    reader = image_volume.DiskReader(str(path), "raw", "disk")
    with pytest.raises(ImageError, match=r"ETS6N.exe is compressed or kept by a filter of Windows"):
        reader.read("ETS6N.exe", 4)


@pytest.mark.parametrize("kind", ["wim", "qcow2"])
def test_what_another_run_changed_while_this_one_waited_stays(
    folder: Path, volume: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "wim":
        path = image.wim({"Windows": folder}, tmp_path / "image")
        opened: Any = image_wim.Wim(str(path), "1", str(tmp_path))
    else:
        path = image.disk(volume, tmp_path / "image", kind)
        opened = image_disk.Disk(str(path), kind, str(tmp_path))
    before = opened.read(SOFTWARE)
    value = HiveValue("proxy", 1, "p:1\0".encode("utf-16-le"))
    edits = [hive_edit.Edit("ets6.network", "proxy", value)]
    after = hive_edit.edit(Hive(before, SOFTWARE), edits, stored=before)
    assert after is not None
    # As it does before it waits for the other one to end.
    opened._lock.release()
    assert ask(path, RULE)["changed"]
    opened.replace({SOFTWARE: Replacement(before, after)})
    opened.close()
    keys = snapshot(path, registry=[{"path": SOFTWARE_KEY, "depth": 0}])["registry"]
    assert keys[SOFTWARE_KEY]["values"]["proxy"] == ["REG_SZ", "p:1"]
    assert RULE_ID in rules(path)


# What the user says, and what is left out.


def test_programs_that_the_user_vouches_for_count_as_installed(
    folder: Path, tmp_path: Path
) -> None:
    hives = tmp_path / "hives"
    hives.mkdir()
    for place in (SYSTEM, SOFTWARE, image.DEFAULT_USER):
        shutil.copy(folder / place, hives)
    program = r"%ProgramFiles%\ETS6\ETS6N.exe"
    (file,) = snapshot(hives, files=[program])["files"]
    assert "ets6_network_image_programs can say which are" in file["error"]
    result = ask(
        hives, files=[program], programs=[r"c:\Program Files\ETS6\ets6n.exe", r"D:\ETS6C.exe"]
    )
    told = "counts as installed (ets6_network_image_programs), though the image does not hold it."
    assert [told in note for note in result["notes"]] == [True, True]
    found = snapshot(
        hives, files=[program], programs=[r"c:\Program Files\ETS6\ets6n.exe", r"D:\ETS6C.exe"]
    )["files"]
    assert [(file["path"], file["state"]) for file in found] == [
        (r"C:\Program Files\ETS6\ETS6N.exe", "present"),
        (r"D:\ETS6C.exe", "present"),
    ]


def test_hives_alone_can_be_prepared_where_the_user_vouches_for_the_programs(
    folder: Path, tmp_path: Path
) -> None:
    hives = tmp_path / "hives"
    hives.mkdir()
    for place in (SYSTEM, SOFTWARE, image.DEFAULT_USER):
        shutil.copy(folder / place, hives)
    programs = [rf"C:\Program Files (x86)\ETS6\{name}" for name in ("ETS6N.exe", "ETS6C.exe")]
    vouched = (
        "-e",
        json.dumps(
            {
                "ets6_network_image_programs": programs,
                "ets6_network_apply": True,
                # Its default profile has no settings, which means automatic detection.
                "ets6_network_proxy": {"mode": "direct"},
            }
        ),
    )
    played = judged([hives], *vouched)
    (host,) = played.report["hosts"]
    unmet = {
        finding["control"]: finding["reason"]
        for finding in host["findings"]
        if finding["status"] not in ("pass", "fixed", "not_applicable")
    }
    # ProfileList names a user whose hive is not among them.
    assert unmet == {"proxy.environment": "The environment variables of knx were not read."}, (
        played.output
    )
    assert "counts as installed (ets6_network_image_programs)" in played.output + played.errors


def test_a_user_whose_folder_is_gone_is_left_out(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "image"))
    users = snapshot(path)["users"]
    (gone,) = [user for user in users if user["sid"] != "default"]
    shutil.rmtree(path / "Users" / gone["name"])
    for one in (
        path,
        image.wim({"Windows": path}, tmp_path / "wim"),
        image.volume(path, tmp_path / "volume", 32),
    ):
        assert [user["sid"] for user in snapshot(one)["users"]] == ["default"], one
        (note,) = ask(one)["notes"]
        assert (
            f"the profile of user {gone['sid']} ({gone['profile']}) does not exist, so nothing is judged"
            in note
        )


@pytest.mark.parametrize("place", ["", f"{image.CONFIG}/"])
def test_system_alone_is_refused_for_reading_and_for_changes(
    folder: Path, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "image"
    (path / place).mkdir(parents=True)
    shutil.copy(folder / SYSTEM, path / place / "SYSTEM")
    for steps in ([], [RULE]):
        assert (
            "the hive Windows/System32/config/SOFTWARE is missing, so the image is incomplete"
            in why(path, *steps)
        )


def test_a_32_bit_image_gets_no_key_of_the_32_bit_view(tmp_path: Path) -> None:
    def change(keys: dict[str, image.Keys]) -> None:
        environment = keys[SYSTEM][image.SET + r"\Control\Session Manager\Environment"]
        environment["PROCESSOR_ARCHITECTURE"] = hive.sz("x86")
        for path in [path for path in keys[SOFTWARE] if path.upper().startswith("WOW6432NODE")]:
            del keys[SOFTWARE][path]

    path = image.folder(pc(), tmp_path / "image", change)
    below = (
        r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
    )
    step = {
        "do": "set_registry_values",
        "path": below,
        "values": [["WinHttpSettings", "REG_BINARY", "AAAA"]],
    }
    assert ask(path, step)["changed"]
    software = (path / SOFTWARE).read_bytes()
    assert "WOW6432Node".encode("utf-16-le") not in software
    assert b"WOW6432Node" not in software
    key = below.replace(r"HKLM\SOFTWARE\WOW6432Node", "")[1:]
    assert values(software, key)["WinHttpSettings"] == (3, bytes(3))


def test_the_partition_is_copied_without_the_content_of_other_files(
    volume: Path, tmp_path: Path
) -> None:
    """A change of a disk takes little space and time, and no cluster of another file is written."""
    content = tmp_path / "content"
    image.folder(pc(), content)
    filler = os.urandom(8 * 1024 * 1024)
    for number in range(3):
        (content / f"filler{number}").write_bytes(filler)
    path = image.volume(content, tmp_path / "disk", 64)
    copy = tmp_path / "copied"
    image_volume.DiskReader(str(path), "raw", "disk").copy_metadata([SYSTEM], str(copy))
    assert copy.stat().st_blocks * 512 < 10 * 1024 * 1024
    before = rules(path)
    assert ask(path, RULE, PROXY)["changed"]
    assert rules(path).keys() - before.keys() == {RULE_ID}
    for number in range(3):
        kept = subprocess.run(
            ["ntfscat", path, f"filler{number}"], capture_output=True, check=True
        ).stdout
        assert kept == filler
    image.run("ntfsfix", "--no-action", path)
