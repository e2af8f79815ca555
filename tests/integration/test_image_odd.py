# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Images that cannot be judged or prepared: each is recognised, says what is wrong with it and what to do, and stays as it is."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
import tempfile
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils import libwim
from ansible_collections.ets6.network.plugins.module_utils.image_source import ImageError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.images import APPLY, SOFTWARE, SYSTEM, judged, need_programs, pc, sums
from tests.integration.module import (
    PROXY,
    RULE,
    RULE_ID,
    as_nobody,
    ask,
    rules,
    snapshot,
    why,
    with_small_disk,
)
from tests.lab import hive, image

USER = image.DEFAULT_USER
DISKS = ("volume", "raw", "vhd", "vhdx", "qcow2")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make an image of every kind. Tests change copies of them."""
    need_programs()
    place = tmp_path_factory.mktemp("sound")
    folder = image.folder(pc(), place / "folder")
    volume = image.volume(folder, place / "volume", 32)
    return {
        "folder": folder,
        "wim": image.wim({"Windows 11 Pro": folder, "Windows 11 Home": folder}, place / "wim"),
        "esd": image.wim({"Windows 11 Pro": folder}, place / "esd", esd=True),
        "volume": volume,
        "raw": image.disk(volume, place / "raw", gpt=False),
        "vhd": image.disk(volume, place / "vhd", "vpc"),
        "vhdx": image.disk(volume, place / "vhdx", "vhdx"),
        "qcow2": image.disk(volume, place / "qcow2", "qcow2"),
    }


@pytest.fixture
def copy(sound: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that gives a copy of a sound image of some kind."""

    def copied(kind: str) -> Path:
        to = tmp_path / "image"
        return Path(
            shutil.copytree(sound[kind], to)
            if kind == "folder"
            else shutil.copyfile(sound[kind], to)
        )

    return copied


def patch(path: Path, at: int, content: bytes) -> Path:
    """Overwrite a part of a file; at counts from the end where it is negative."""
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
        file.write(content)
    return path


# What Windows was doing when the image was made.


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"HIBR", "hibernated in it (or was shut down with fast startup)"),
        (b"hibr", "hibernated in it (or was shut down with fast startup)"),
        (b"RSTR", "hibernated in it (or was shut down with fast startup)"),
        (b"rstr", "hibernated in it (or was shut down with fast startup)"),
        (b"\x81\x81\x81\x81", "its hiberfil.sys is in use"),
    ],
)
def test_a_hibernated_windows_is_refused(
    copy: Callable[[str], Path], head: bytes, said: str
) -> None:
    path = copy("folder")
    hiberfil = path / "hiberfil.sys"
    hiberfil.write_bytes(head + bytes(8188))
    told = why(path)
    assert said in told
    assert "Only if the image was not generalized (Sysprep), start it, run powercfg" in told
    volume = image.volume(path, path.parent / "volume", 32)
    image.run("ntfscp", "-q", volume, hiberfil, hiberfil.name)
    assert said in why(volume)


@pytest.mark.parametrize("head", [b"", bytes(8192), b"WAKE" + bytes(8188), b"wake" + bytes(8188)])
def test_a_windows_that_was_shut_down_keeps_its_hiberfil(
    copy: Callable[[str], Path], head: bytes
) -> None:
    path = copy("folder")
    (path / "hiberfil.sys").write_bytes(head)
    assert rules(path)


def test_what_was_hibernated_and_captured_is_judged_since_what_is_applied_starts_anew(
    copy: Callable[[str], Path],
) -> None:
    path = copy("esd")
    hiberfil = path.parent / "hiberfil"
    hiberfil.write_bytes(b"HIBR" + bytes(8188))
    image.run("wimlib-imagex", "update", path, "1", f"--command=add {hiberfil} /hiberfil.sys")
    assert rules(path)


def test_an_update_that_waits_for_the_next_start_is_refused_for_changes(
    copy: Callable[[str], Path],
) -> None:
    path = copy("folder")
    (path / "Windows/WinSxS").mkdir()
    (path / "Windows/WinSxS/pending.xml").write_text("<PendingTransaction/>")
    for one in (
        path,
        image.wim({"Windows": path}, path.parent / "wim"),
        image.volume(path, path.parent / "volume", 32),
    ):
        assert rules(one)
        before = sums([one])
        for check in (True, False):
            assert "an update waits for the next start (Windows/WinSxS/pending.xml)" in why(
                one, RULE, check=check
            )
        assert sums([one]) == before


MANAGERS = (
    uuid.UUID("53b39e3d-18c4-11ea-a811-000d3aa4692b"),
    uuid.UUID("53b39e3e-18c4-11ea-a811-000d3aa4692b"),
)
"""Resource and transaction manager of a hive, as a real one has them."""


def in_transaction(path: Path, place: str) -> None:
    """Make a hive of a folder dirty, with a log that continues it, and give it managers of transactions."""
    file = path / place
    before = file.read_bytes()
    head = (
        before[:128]
        + MANAGERS[0].bytes_le
        + struct.pack("<I", 1)
        + MANAGERS[1].bytes_le
        + before[164:]
    )
    clean = hive.seal(head)
    after = clean[:-1] + b"\1"
    file.write_bytes(hive.dirtied(clean))
    Path(f"{file}.LOG1").write_bytes(hive.log(clean, [hive.entry(7, clean, after)], 7))


@pytest.mark.parametrize(
    ("place", "log"),
    [
        (SYSTEM, f"{image.CONFIG}/TxR/{{{MANAGERS[0]}}}.TxR.1.regtrans-ms"),
        (
            SOFTWARE,
            f"{image.CONFIG}/TxR/{{{MANAGERS[1]}}}.TMContainer00000000000000000001.regtrans-ms",
        ),
    ],
)
def test_a_dirty_hive_with_a_log_of_transactions_is_refused(
    copy: Callable[[str], Path], place: str, log: str
) -> None:
    path = copy("folder")
    in_transaction(path, place)
    (path / log).parent.mkdir()
    (path / log).write_bytes(bytes(65536))
    assert rules(path), "an empty log says that there was no transaction"
    patch(path / log, 40000, b"\x15")
    for one in (
        path,
        image.wim({"Windows": path}, path.parent / "wim"),
        image.volume(path, path.parent / "volume", 32),
    ):
        assert f"{place} is dirty, and there may be pending transactions on it ({log})" in why(one)
    patch(
        path / place,
        0,
        hive.seal(
            (path / place).read_bytes()[:8]
            + struct.pack("<I", 8)
            + (path / place).read_bytes()[12:]
        ),
    )
    assert rules(path), "a hive that is not dirty has what was committed"


def test_a_dirty_users_hive_with_a_log_of_transactions_is_that_users_trouble(
    copy: Callable[[str], Path],
) -> None:
    path = copy("folder")
    in_transaction(path, USER)
    Path(f"{path / USER}{{{MANAGERS[1]}}}.TMContainer00000000000000000002.regtrans-ms").write_bytes(
        b"\x15"
    )
    (user,) = (user for user in snapshot(path)["users"] if user["sid"] == "default")
    assert user["hive"] == "unavailable"
    assert "there may be pending transactions on it" in user["error"]


# What the registry of the image holds.


def with_system(into: Path, change: Callable[[image.Keys], None]) -> Path:
    return image.folder(pc(), into, lambda keys: change(keys[SYSTEM]))


def numbered(current: int, following: int) -> Callable[[image.Keys], None]:
    """Return a change that adds a second control set, with one rule, and says which of the two counts."""

    def change(system: image.Keys) -> None:
        system["Select"] = {"Current": hive.dword(current), "Default": hive.dword(following)}
        second = image.SET.replace("1", "2")
        system[rf"{second}\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"] = {
            "only": hive.sz("v2.30|")
        }

    return change


def test_of_several_control_sets_the_one_that_windows_starts_with_is_judged_and_prepared(
    tmp_path: Path,
) -> None:
    path = with_system(tmp_path / "image", numbered(2, 2))
    assert rules(path) == {"only": ["REG_SZ", "v2.30|"]}
    assert snapshot(path)["host"]["control_sets"] == ["ControlSet001", "ControlSet002"]
    assert ask(path, RULE)["changed"]
    assert set(rules(path)) == {"only", RULE_ID}
    patch(path / SYSTEM, 0, with_selected((path / SYSTEM).read_bytes(), b"\1"))
    assert RULE_ID not in rules(path)


def with_selected(system: bytes, number: bytes) -> bytes:
    """Return a SYSTEM hive in which Current and Default name another control set."""
    for name in (b"Current", b"Default"):
        at = system.index(name) - 20
        assert system[at : at + 2] == b"vk"
        system = system[: at + 8] + number + system[at + 9 :]
    return system


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (numbered(1, 2), "Select says that Windows ran with control set 1 and will start with 2"),
        (
            numbered(3, 3),
            r"Select\Current names no control set that exists (3 of ControlSet001, ControlSet002)",
        ),
        (
            lambda system: system.pop("Select"),
            r"Select\Current names no control set that exists (None of ControlSet001)",
        ),
    ],
)
def test_an_image_whose_control_set_cannot_be_told_is_refused(
    tmp_path: Path, change: Callable[[image.Keys], None], said: str
) -> None:
    assert said in why(with_system(tmp_path / "image", change))


@pytest.mark.parametrize("place", [SYSTEM, SOFTWARE])
def test_a_missing_hive_of_the_machine_is_named(copy: Callable[[str], Path], place: str) -> None:
    path = copy("folder")
    (path / place).unlink()
    assert f"the hive {place} is missing" in why(path)
    in_wim = in_volume = f"the hive {place} is missing"
    if place == SYSTEM:
        # Of a WIM wimlib has written down that it is a Windows.
        in_volume = f"holds no Windows: no partition is NTFS with {SYSTEM} in it"
    assert in_wim in why(image.wim({"Windows": path}, path.parent / "wim"))
    assert in_volume in why(image.volume(path, path.parent / "volume", 32))


def test_a_missing_hive_of_a_user_is_that_users_trouble(copy: Callable[[str], Path]) -> None:
    path = copy("folder")
    (path / USER).unlink()
    (user,) = (user for user in snapshot(path)["users"] if user["sid"] == "default")
    assert (user["hive"], user["error"]) == (
        "unavailable",
        f"the hive {USER} is missing, so the image is incomplete",
    )
    assert f"HKU\\default\\X cannot be written: the hive {USER} is missing" in why(
        path, {**RULE, "path": r"HKU\default\X"}
    )


def test_a_dirty_hive_with_a_log_of_the_old_format_is_refused(copy: Callable[[str], Path]) -> None:
    path = copy("folder")
    clean = (path / SYSTEM).read_bytes()
    (path / SYSTEM).write_bytes(hive.dirtied(clean))
    (path / f"{SYSTEM}.LOG1").write_bytes(hive.log(clean, [b"DIRT" + bytes(508)], 7))
    assert (
        "SYSTEM.LOG1 is a log of the old format (before Windows 8.1), which is not replayed"
        in why(path)
    )


@pytest.mark.parametrize("size", [0, 3, 511, 512, 4096, 5000, 8192])
def test_a_hive_that_was_cut_off_is_refused(copy: Callable[[str], Path], size: int) -> None:
    path = copy("folder")
    os.truncate(path / SYSTEM, size)
    told = why(path)
    assert "SYSTEM is not a registry hive" in told or "SYSTEM is cut off or damaged" in told


# What the file is.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"this is no image\n" * 100,
            "is not a Windows image: its content is of no supported kind",
        ),
        (b"", "is not a Windows image"),
        (
            b"regf" + bytes(5000),
            "it is a single registry hive; specify the folder with it and the other hives",
        ),
        (b"KDMV" + bytes(5000), "is one of several files of a VMDK. Specify the file that names"),
        (b"QED\0" + bytes(5000), "QEMU's older format QED; convert it: qemu-img convert"),
        (
            bytes(64) + b"\x7f\x10\xda\xbe" + bytes(5000),
            "holds only what is different from a parent image. Merge the two, and use the merged image: VBoxManage",
        ),
        (bytes(0x8001) + b"CD001" + bytes(5000), "7z x IMAGE sources/install.wim"),
        (b"PK\x03\x04" + bytes(5000), "it is a ZIP archive"),
        (b"MSWIM\0\0\0", "wim"),
        (b"MSWIM\0\0\0" + bytes(200), "wim"),
        (b"QFI\xfb" + bytes(5000), "is a QCOW of version 0; 2 and 3 are supported"),
        (b"QFI\xfb", "is damaged: it ends within its header"),
        (b"vhdxfile" + bytes(5000), "is damaged: the checksums of its headers do not fit"),
        (b"conectix" + bytes(5000), "is damaged: the checksum of its footer does not fit"),
        (bytes(510) + b"\x55\xaa", "holds no Windows"),
        (bytes(3) + b"NTFS    " + bytes(5000), "is damaged or of an unknown form"),
    ],
)
def test_a_file_that_is_no_image_says_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "win11.wim"
    path.write_bytes(content)
    told = why(path)
    assert said in told
    assert str(path) in told


def test_what_is_no_file_at_all_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is neither a file nor a folder" in why(tmp_path / "pipe")
    assert "is neither a file nor a folder" in why(Path("/dev/zero"))
    assert "No such file or directory" in why(tmp_path / "missing")
    assert (
        "holds no Windows: there is neither Windows/System32/config/SYSTEM nor SYSTEM in it"
        in why(tmp_path)
    )


def test_an_image_in_a_wim_is_chosen_by_number_or_name(copy: Callable[[str], Path]) -> None:
    path = copy("wim")
    assert "holds several images, so index must say which of them: 1 (Windows 11 Pro), 2" in why(
        path
    )
    assert "holds no image 3; it holds 1 (Windows 11 Pro), 2 (Windows 11 Home)" in why(
        path, index="3"
    )
    assert "holds no image Windows 11" in why(path, index="Windows 11")
    assert ask(path, RULE, index="Windows 11 Home")["changed"]
    assert RULE_ID in rules(path, "2")
    assert RULE_ID not in rules(path, "1"), "only the chosen image changes"


def test_only_a_wim_has_several_images(copy: Callable[[str], Path]) -> None:
    assert "is one image, so there is no image 2 to choose in it" in why(copy("folder"), index="2")


def test_a_part_of_a_split_wim_is_refused(copy: Callable[[str], Path]) -> None:
    path = copy("wim")
    image.run("wimlib-imagex", "split", path, path.parent / "part.swm", "0.01")
    assert "is part 1 of a WIM in" in why(path.parent / "part.swm", index="1")


def test_a_wim_in_which_there_is_no_windows_is_refused(tmp_path: Path) -> None:
    need_programs()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_bytes(b"x")
    path = image.wim({"Data": tmp_path / "data"}, tmp_path / "wim")
    assert f"1 (Data) is without Windows: there is no {SYSTEM} in it" in why(path)


@pytest.mark.parametrize("kind", ["wim", "esd"])
def test_a_wim_that_was_cut_off_is_refused_wherever_it_ends(
    copy: Callable[[str], Path], kind: str
) -> None:
    path = copy(kind)
    whole = path.stat().st_size
    for size in (8, 100, 207, 208, 600, whole // 2, whole - 1):
        copy(kind)
        os.truncate(path, size)
        assert why(path, index="1"), size


@pytest.mark.parametrize("kind", DISKS)
def test_a_disk_image_that_was_cut_off_is_refused_or_has_all_that_is_needed(
    copy: Callable[[str], Path], kind: str
) -> None:
    path = copy(kind)
    before, whole = rules(path), path.stat().st_size
    refused = 0
    for part in range(20):
        copy(kind)
        os.truncate(path, 600 + (whole - 600) * part // 20)
        try:
            found = rules(path)
        except ImageError:
            refused += 1
        else:
            assert found == before
    assert refused > 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["wim", "esd", *DISKS])
@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=6
    )
)
def test_flipped_bits_in_an_image_are_an_error_or_the_image_can_be_read(
    sound: dict[str, Path], kind: str, flips: list[tuple[float, int]]
) -> None:
    damaged = bytearray(sound[kind].read_bytes())
    # Most of a disk is empty, and a bit there makes no difference.
    filled = [at for at in range(0, len(damaged), 512) if any(damaged[at : at + 512])]
    for where, bit in flips:
        at = int(where * len(filled) * 512)
        damaged[min(filled[at // 512] + at % 512, len(damaged) - 1)] ^= 1 << bit
    with tempfile.TemporaryDirectory() as place, contextlib.suppress(ImageError):
        path = Path(place, "image")
        path.write_bytes(damaged)
        if kind in ("wim", "esd"):
            # wimlib holds what it takes out against its hash.
            assert rules(path, "1") == rules(sound[kind], "1")
        else:
            ask(path)


# What a disk image can hide.


def test_bitlocker_is_recognised_in_a_partition_and_in_a_volume(
    copy: Callable[[str], Path],
) -> None:
    for kind, at in (("raw", image.START + 3), ("volume", 3)):
        path = patch(copy(kind), at, b"-FVE-FS-")
        assert (
            "is encrypted with BitLocker. Decrypt it without starting it: attach it to Windows and run manage-bde -off X:"
            in why(path)
        )


def test_a_disk_image_that_needs_its_parent_is_refused(
    sound: dict[str, Path], tmp_path: Path
) -> None:
    qcow2 = tmp_path / "child.qcow2"
    image.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", sound["qcow2"], "-F", "qcow2", qcow2)
    assert "use the merged image: qemu-img convert -O qcow2 IMAGE NEW" in why(qcow2)
    vhd = patch(
        Path(shutil.copyfile(sound["vhd"], tmp_path / "child.vhd")), -512 + 60, struct.pack(">I", 4)
    )
    # qemu-img would take it for a whole disk, without a word.
    assert "use the merged image: Merge-VHD of Hyper-V" in why(vhd)
    vhdx = differencing(Path(shutil.copyfile(sound["vhdx"], tmp_path / "child.vhdx")))
    assert "use the merged image: Merge-VHD of Hyper-V" in why(vhdx)


def differencing(vhdx: Path) -> Path:
    """Make a VHDX one that names a parent (MS-VHDX 2.6: file parameters with the flag for it, a parent locator)."""
    data = vhdx.read_bytes()
    region = data.index(uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le)
    table = struct.unpack_from("<Q", data, region + 16)[0]
    count = struct.unpack_from("<H", data, table + 10)[0]
    parameters = data.index(uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le, table)
    patch(vhdx, table + struct.unpack_from("<I", data, parameters + 16)[0] + 4, b"\2")
    key, value = "relative_path".encode("utf-16-le"), ".\\parent.vhdx".encode("utf-16-le")
    locator = uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913").bytes_le + struct.pack("<HH", 0, 1)
    locator += struct.pack("<IIHH", 32, 32 + len(key), len(key), len(value)) + key + value
    place = 512 * 1024
    patch(vhdx, table + place, locator)
    entry = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le + struct.pack(
        "<IIII", place, len(locator), 4, 0
    )
    patch(vhdx, table + 32 + 32 * count, entry)
    return patch(vhdx, table + 10, struct.pack("<H", count + 1))


def test_a_disk_image_that_was_not_closed_is_refused(copy: Callable[[str], Path]) -> None:
    path = copy("vhdx")
    for header in (64 * 1024, 128 * 1024):
        patch(path, header + 48, uuid.uuid4().bytes)
        image.seal_vhdx(path, header, 4096)
    assert "was not closed: its log holds what is not yet in its place" in why(path)
    assert "was saved with a running machine" in why(patch(copy("vhd"), -512 + 84, b"\1"))
    assert "is marked as corrupt. Repair it: qemu-img check -r all" in why(
        patch(copy("qcow2"), 72, struct.pack(">Q", 2))
    )


def record(volume: Path, number: int) -> int:
    """Return where a record of a volume's master file table stands."""
    boot = volume.read_bytes()[:512]
    cluster = struct.unpack_from("<H", boot, 11)[0] * boot[13]
    return int(struct.unpack_from("<Q", boot, 48)[0] * cluster + 1024 * number)


def attribute(volume: Path, number: int, kind: int) -> int:
    """Return where an attribute of a record stands."""
    data = volume.read_bytes()
    at = record(volume, number)
    at += struct.unpack_from("<H", data, at + 20)[0]
    while struct.unpack_from("<I", data, at)[0] != kind:
        at += struct.unpack_from("<I", data, at + 4)[0]
    return at


def test_a_file_system_that_was_not_unmounted_is_refused(copy: Callable[[str], Path]) -> None:
    path = copy("volume")
    information = attribute(path, 3, 0x70)
    patch(
        path,
        information + struct.unpack_from("<H", path.read_bytes(), information + 20)[0] + 10,
        b"\1",
    )
    assert (
        "its file system is marked to be checked. Attach the image to Windows, without starting it, and run chkdsk /f on its volume."
        in why(path)
    )

    path = copy("volume")
    content = image.run("ntfsinfo", "-f", "-v", "-i", "2", path)
    first = (
        int(content.partition("LCN: ")[2].split()[0], 0)
        if "LCN: " in content
        else first_cluster(path, 2)
    )
    for state, refused in ((0, True), (2, False)):
        area = struct.pack("<QHHHH", 1, 0, 0, 0, state)
        page = b"RSTR" + bytes(20) + struct.pack("<H", 48) + bytes(22) + area
        patch(path, first * 4096, page.ljust(4096, b"\0"))
        if refused:
            assert "its file system was not unmounted, and its journal may hold newer data" in why(
                path
            )
        else:
            assert rules(path)


def first_cluster(volume: Path, number: int) -> int:
    """Return the first cluster of a file's data."""
    data = volume.read_bytes()
    at = attribute(volume, number, 0x80)
    runs = at + struct.unpack_from("<H", data, at + 32)[0]
    sizes = data[runs]
    return int.from_bytes(
        data[runs + 1 + (sizes & 15) : runs + 1 + (sizes & 15) + (sizes >> 4)], "little"
    )


def test_two_installations_on_one_disk_are_refused(sound: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "disk"
    content = sound["volume"].read_bytes()
    with path.open("wb") as file:
        for number in range(2):
            file.seek(446 + 16 * number)
            start = image.START + len(content) * number
            file.write(
                struct.pack("<BBHBBHII", 0, 0, 0, 7, 0, 0, start // 512, len(content) // 512)
            )
            file.seek(start)
            file.write(content)
        file.seek(510)
        file.write(b"\x55\xaa")
    assert (
        f"holds 2 Windows installations (at {image.START}, at {image.START + len(content)})"
        in why(path)
    )


# Where it lies.


@pytest.mark.parametrize("kind", ["folder", "wim", "vhdx"])
def test_a_read_only_folder_is_read_and_not_written(copy: Callable[[str], Path], kind: str) -> None:
    with tempfile.TemporaryDirectory() as for_all:
        path = Path(shutil.move(copy(kind), Path(for_all, "image")))
        for one in (path.parent, path, *path.rglob("*")):
            one.chmod(0o555 if one.is_dir() else 0o444)
        index = "1" if kind == "wim" else ""
        before = sums([path])
        assert as_nobody(partial(rules, path, index)) == rules(path, index)
        for check in (True, False):
            told = as_nobody(partial(why, path, RULE, index=index, check=check))
            assert f"{path} cannot be written" in told
            assert "is not writable" in told
            assert check or told.endswith(" Nothing was changed.")
        assert sums([path]) == before


@pytest.mark.parametrize("kind", ["folder", "wim", "esd", "volume", "vhdx", "qcow2"])
def test_a_full_disk_is_an_error_and_the_image_stays(
    sound: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    path = mounted / "image"
    index = "1" if kind == "wim" else ""
    size = sum(file.stat().st_blocks * 512 for file in [sound[kind], *sound[kind].rglob("*")])
    room = size + (32 if kind in ("folder", "wim", "esd") else 2048) * 1024

    def story() -> list[Any]:
        if kind == "folder":
            shutil.copytree(sound[kind], path)
        else:
            image.run("cp", "--sparse=always", sound[kind], path)
        before, old = sums([path]), rules(path, index)
        fill(mounted / "filler")
        told = why(path, RULE, PROXY, index=index)
        (mounted / "filler").unlink()
        return [
            told,
            sums([path]) == before,
            rules(path, index) == old,
            ask(path, RULE, PROXY, index=index)["changed"],
        ]

    told, same, readable, prepared = with_small_disk(mounted, room + 40 * 1024 * 1024, story)
    assert "No space left on device" in told
    assert "Nothing was changed" in told
    assert (same, readable, prepared) == (True, True, True)


def fill(path: Path) -> None:
    """Take all the room that a disk has left, but for a page."""
    free = os.statvfs(path.parent)
    with path.open("wb") as file:
        file.write(bytes((free.f_bavail - 4) * free.f_frsize))


def test_a_temporary_folder_that_is_full_is_an_error(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp

    def full(*where: Any, **options: Any) -> str:
        if "prefix" not in options:
            return make(*where, **options)
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    for kind in ("wim", "vhdx"):
        path = copy(kind)
        with monkeypatch.context() as patched:
            patched.setattr("tempfile.mkdtemp", full)
            assert "image cannot be read: No space left on device (/somewhere)" in why(
                path, index="1" if kind == "wim" else ""
            )


# The whole way, from the playbook into the report.


def test_what_cannot_be_judged_stands_in_the_report_and_the_others_are_judged(
    sound: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "images"
    place.mkdir()
    (place / "text.wim").write_text("no image\n" * 100)
    asleep = Path(shutil.copytree(sound["folder"], place / "asleep"))
    (asleep / "hiberfil.sys").write_bytes(b"HIBR")
    good = Path(shutil.copytree(sound["folder"], place / "good"))
    before = sums([place / "text.wim"])
    os.mkfifo(place / "pipe")
    played = judged([place / "text.wim", asleep, good, place / "pipe"], *APPLY)
    after = sums([place / "text.wim"])
    assert "Traceback" not in played.output + played.errors
    hosts = {Path(host["name"]).name: host for host in played.report["hosts"]}
    assert {name: host["status"] for name, host in hosts.items()} == {
        "text.wim": "unknown",
        "asleep": "unknown",
        "good": "fixed",
        "pipe": "unknown",
    }
    assert played.code == 2
    for name, said in (
        ("text.wim", "is not a Windows image"),
        ("asleep", "is hibernated in it"),
        ("pipe", "is neither a file nor a folder"),
    ):
        assert said in " ".join(
            [hosts[name]["reason"], *(one["reason"] for one in hosts[name]["findings"])]
        ), name
    assert {file for file in before if after[file] != before[file]} == {str(good / SYSTEM)}


def test_wimlib_is_named_where_it_is_missing(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy("wim")
    with monkeypatch.context() as patched:
        patched.setattr(libwim, "LIBRARY", "libnothing.so.0")
        assert (
            "the library libnothing.so.0 is needed for that; on Debian it comes with the package wimtools"
            in why(path, index="1")
        )
    monkeypatch.setenv("PATH", "/nowhere")
    assert rules(path, "1")
    for check in (True, False):
        assert (
            "the program wimlib-imagex is needed for that; on Debian it comes with the package wimtools"
            in why(path, RULE, index="1", check=check)
        )
