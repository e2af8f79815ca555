# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A disk image: VHD, VHDX, QCOW2 or raw, with Windows on NTFS in one of its partitions.

Reading is pure Python (dissect.hypervisor, dissect.volume, dissect.ntfs), without root and without a mount. For a change the
partition is copied out, ntfscp (of ntfs-3g) puts the hives into that copy, and qemu-io writes the blocks that became different
into a copy of the disk image, which takes the image's place by one rename. What comes of it is read back by dissect, which has
nothing to do with either program.

Every layer that could hide newer data is asked first: a disk that was saved with a running machine, a journal of the disk image
or of NTFS that was not closed, a parent image, BitLocker.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from . import hive
from .image_folder import NEW
from .image_source import (
    CONFIG,
    ImageError,
    Lock,
    Replacement,
    copy_file,
    discard,
    like,
    refuse_unwritable,
    run,
    sync_folder,
)

try:
    from dissect.hypervisor.disk.qcow2 import QCow2
    from dissect.hypervisor.disk.vhd import VHD
    from dissect.hypervisor.disk.vhdx import VHDX
    from dissect.ntfs import NTFS
    from dissect.util.stream import RangeStream
    from dissect.volume.disk import Disk as Partitions
except ImportError:
    HAS_DISSECT = False
else:
    HAS_DISSECT = True

PROGRAMS = {"qemu-img": "qemu-utils", "qemu-io": "qemu-utils", "ntfscp": "ntfs-3g"}
"""What a change takes, each with its Debian package."""
BITLOCKER = b"-FVE-FS-"
NTFS_ID = b"NTFS    "
FORMATS = {"vhd": "vpc", "vhdx": "vhdx", "qcow2": "qcow2", "raw": "raw"}
"""The kinds of disk images by qemu's names."""
QCOW2_CORRUPT, QCOW2_DATA_FILE = 2, 4
VHD_DIFFERENCING = 4
BLOCK = 64 * 1024
PART = ".ets6-network-part"
LOGFILE, VOLUME = 2, 3
VOLUME_INFORMATION = 0x70
DIRTY = 1
SHUT_DOWN = "Start it once in Windows and shut it down fully (shutdown /s /t 0), then try again."


class Disk:
    """A disk image."""

    def __init__(self, path: str, kind: str, work: str) -> None:
        if not HAS_DISSECT:
            raise ImageError(
                f"{path}: disk images are read with the Python packages dissect.hypervisor, dissect.volume and dissect.ntfs, which are "
                "not installed for the Python that Ansible runs modules with here"
            )
        self.title = path
        self._path = os.path.realpath(path)
        self._kind = kind
        self._folder = os.path.dirname(self._path)
        self._lock = Lock(self._folder, exclusive=False)
        self._work = tempfile.mkdtemp(prefix="ets6-network-", dir=work)
        try:
            self._reader = _Reader(self._path, kind, path)
        except (ImageError, OSError):
            shutil.rmtree(self._work, ignore_errors=True)
            self._lock.release()
            raise

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content."""
        return self._reader.read(path, most)

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        return self._reader.size(path)

    def close(self) -> None:
        """Close the image, and let others write."""
        self._reader.close()
        shutil.rmtree(self._work, ignore_errors=True)
        self._lock.release()

    def refuse_unwritable(self, _files: Iterable[str]) -> None:
        """Raise ImageError where the folder of the disk image is not writable, or a program is missing."""
        refuse_unwritable(self.title, self._folder, PROGRAMS)

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Put new hives into the image, all or none, whenever this is ended."""
        new, part, changed = self._path + NEW, self._path + PART, self._path + PART + NEW
        try:
            self._lock.release()
            self._lock = Lock(self._folder, exclusive=True)
            for left_over in (new, part, changed):
                discard(left_over)
            self._hold(
                self._path, {path: one.before for path, one in files.items()}, "is not any more what it was when it was read"
            )
            try:
                run(
                    ["qemu-img", "convert", "-O", "raw", self._node(self._path, inside=True), part],
                    PROGRAMS["qemu-img"],
                    self.title,
                )
                copy_file(part, changed)
                for path, one in files.items():
                    self._put(changed, path, one.after)
                copy_file(self._path, new)
                like(new, self._path)
                self._transfer(part, changed, new)
                self._hold(new, {path: one.after for path, one in files.items()}, "does not hold what was put into it")
                os.replace(new, self._path)
            finally:
                for left_over in (new, part, changed):
                    discard(left_over)
            sync_folder(self._folder)
        except OSError as error:
            raise ImageError(
                f"{self.title} cannot be written: {error.strerror} ({error.filename or new}). Its folder has to be "
                "writable, with room for a copy of the image and two of what is in its Windows partition."
            ) from None

    def _node(self, path: str, *, inside: bool) -> str:
        """Return how qemu is told to open the image, or the partition inside it."""
        node: dict[str, Any] = {"driver": FORMATS[self._kind], "file": {"driver": "file", "filename": path}}
        if inside:
            node = {"driver": "raw", "offset": self._reader.offset, "size": self._reader.length, "file": node}
        return f"json:{json.dumps(node)}"

    def _put(self, partition: str, path: str, content: bytes) -> None:
        staged = os.path.join(self._work, "staged")
        with open(staged, "wb") as file:
            file.write(content)
        target = self._reader.spelled(path)
        if target is None:
            raise ImageError(f"{self.title}: {path} is gone since it was read.")
        run(["ntfscp", "--quiet", partition, staged, target], PROGRAMS["ntfscp"], self.title)

    def _transfer(self, before: str, after: str, image: str) -> None:
        """Write what is different between two copies of the partition into the image."""
        commands = []
        with open(before, "rb") as old, open(after, "rb") as now:
            for number, (at, content) in enumerate(_different(old, now)):
                with open(os.path.join(self._work, f"blocks{number}"), "wb") as file:
                    file.write(content)
                commands += ["-c", f"write -q -s blocks{number} {self._reader.offset + at} {len(content)}"]
        run(
            ["qemu-io", *commands, "-c", "flush", self._node(image, inside=False)],
            PROGRAMS["qemu-io"],
            self.title,
            folder=self._work,
        )
        with open(image, "rb") as file:
            os.fsync(file.fileno())

    def _hold(self, image: str, files: Mapping[str, bytes], otherwise: str) -> None:
        """See to it that an image holds these contents."""
        reader = _Reader(image, self._kind, self.title)
        try:
            for path, content in files.items():
                if reader.read(path) != content:
                    raise ImageError(f"{self.title}: {path} {otherwise}.")
        finally:
            reader.close()


def _different(old: BinaryIO, now: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Return where two files of the same size differ, in runs of whole blocks; holes of the newer one are left out."""
    size = now.seek(0, os.SEEK_END)
    run_at, run_content = 0, b""
    at = _data(now, 0, size)
    while at < size:
        old.seek(at)
        now.seek(at)
        block = now.read(BLOCK)
        if block != old.read(BLOCK):
            if run_content and run_at + len(run_content) != at:
                yield run_at, run_content
                run_content = b""
            run_at = run_at if run_content else at
            run_content += block
        at = _data(now, at + BLOCK, size)
    if run_content:
        yield run_at, run_content


def _data(file: BinaryIO, at: int, size: int) -> int:
    """Return where the next block begins that is not in a hole."""
    try:
        return os.lseek(file.fileno(), at, os.SEEK_DATA) // BLOCK * BLOCK if at < size else size
    except OSError:
        # There is nothing but a hole from here on.
        return size


class _Reader:
    """The Windows volume of a disk image, read by dissect. offset and length are the partition's, in bytes."""

    def __init__(self, path: str, kind: str, title: str) -> None:
        self._title = title
        self._file = open(path, "rb")  # noqa: SIM115 (closed by close)
        try:
            with self._guarded("the disk image"):
                disk = self._open(kind)
                self.offset, self.length, self._volume = self._windows(disk)
        except ImageError:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        try:
            yield
        except ImageError:
            raise
        except Exception as error:  # noqa: BLE001 (on damaged data dissect raises whatever came of it)
            raise ImageError(
                f"{self._title}: {what} is damaged or of a form that is not known: {type(error).__name__}: {error}"
            ) from None

    def _open(self, kind: str) -> Any:
        size = self._file.seek(0, os.SEEK_END)
        # Without the file's name dissect follows no link to another file that an image may name as its parent.
        plain: Any = RangeStream(self._file, 0, size)
        if kind == "vhdx":
            return self._vhdx(plain)
        if kind == "vhd":
            disk = VHD(plain)
            if disk.disk.footer.disk_type == VHD_DIFFERENCING:
                raise self._has_parent()
            if disk.disk.footer.saved_state != b"\0":
                raise ImageError(f"{self._title} was saved with a running machine. {SHUT_DOWN}")
            return disk
        if kind == "qcow2":
            return self._qcow2(plain)
        return plain

    def _has_parent(self) -> ImageError:
        return ImageError(
            f"{self._title} holds only what is different from a parent image. Merge the two (qemu-img convert, or Merge in Hyper-V), and "
            "give the whole image."
        )

    def _vhdx(self, plain: Any) -> Any:
        try:
            disk = VHDX(plain)
        except AttributeError:
            # dissect looks for the parent beside the file, whose name it was not told.
            raise self._has_parent() from None
        if disk.header.log_guid != bytes(16):
            raise ImageError(f"{self._title} was not closed: its log holds what is not yet in its place. {SHUT_DOWN}")
        return disk

    def _qcow2(self, plain: Any) -> Any:
        plain.seek(0)
        head = plain.read(80)
        backing, _size = struct.unpack_from(">QI", head, 8)
        version, incompatible = struct.unpack_from(">I", head, 4)[0], struct.unpack_from(">Q", head, 72)[0]
        if backing or (version > 2 and incompatible & QCOW2_DATA_FILE):
            raise self._has_parent()
        if version > 2 and incompatible & QCOW2_CORRUPT:
            raise ImageError(f"{self._title} is marked as corrupt: look at it with qemu-img check -r all")
        return QCow2(plain).open()

    def _windows(self, disk: Any) -> tuple[int, int, Any]:
        """Return begin, length and file system of the partition with Windows."""
        encrypted = False
        found = []
        for offset, length in self._partitions(disk):
            disk.seek(offset)
            boot = disk.read(512)
            encrypted = encrypted or boot[3:11] == BITLOCKER
            if boot[3:11] == NTFS_ID:
                volume = _ntfs(disk, offset, length)
                if _record(volume, f"{CONFIG}/SYSTEM") is not None:
                    found.append((offset, length, volume))
        if len(found) > 1:
            places = ", ".join(f"at {offset}" for offset, _length, _volume in found)
            raise ImageError(
                f"{self._title} holds {len(found)} Windows installations ({places}); which of them is meant cannot be told"
            )
        if found:
            self._refuse_unclean(found[0][2])
            return found[0]
        if encrypted:
            raise ImageError(
                f"{self._title} is encrypted with BitLocker. Turn it off in Windows (manage-bde -off C:) and wait until all is decrypted."
            )
        raise ImageError(f"{self._title} holds no Windows: no partition is NTFS with {CONFIG}/SYSTEM in it")

    def _partitions(self, disk: Any) -> list[tuple[int, int]]:
        disk.seek(0)
        head = disk.read(8192)
        if head[3:11] in (NTFS_ID, BITLOCKER):
            return [(0, disk.size)]
        large = head[4096:4104] == b"EFI PART" and head[512:520] != b"EFI PART"
        disk.seek(0)
        return [(one.offset, one.size) for one in Partitions(disk, sector_size=4096 if large else 512).partitions]

    def _refuse_unclean(self, volume: Any) -> None:
        """Refuse a file system whose journal or flags say that it was not unmounted ($Volume and $LogFile, libntfs-3g logfile.h)."""
        information = volume.mft.get(VOLUME).attributes[VOLUME_INFORMATION][0].data()
        flags = struct.unpack_from("<H", information, 10)[0]
        if flags & DIRTY:
            raise ImageError(
                f"{self._title}: its file system is marked to be checked. Start it once in Windows and let it run chkdsk."
            )
        log = volume.mft.get(LOGFILE).open().read(8192)
        if log[:4] == b"\xff\xff\xff\xff":
            return
        newest: tuple[int, bool] | None = None
        for page in (log[:4096], log[4096:]):
            if page[:4] == b"RSTR":
                area = struct.unpack_from("<H", page, 24)[0]
                lsn, _clients, _free, in_use, state = struct.unpack_from("<QHHHH", page, area)
                clean = in_use == 0xFFFF or bool(state & 2)
                if newest is None or lsn > newest[0]:
                    newest = lsn, clean
        if newest is None or not newest[1]:
            raise ImageError(
                f"{self._title}: its file system was not unmounted, and its journal may hold newer data. {SHUT_DOWN}"
            )

    def read(self, path: str, most: int | None = None) -> bytes | None:
        with self._guarded(path):
            record = _record(self._volume, path)
            if record is None:
                return None
            if record.size() > hive.LIMIT and most is None:
                raise ImageError(f"{self._title}: {path} has {record.size()} bytes, which is too large")
            return bytes(record.open().read(-1 if most is None else most))

    def size(self, path: str) -> int | None:
        with self._guarded(path):
            record = _record(self._volume, path)
            return None if record is None else int(record.size())

    def spelled(self, path: str) -> str | None:
        """Return a path as the volume spells it."""
        with self._guarded(path):
            return _walk(self._volume, path)[1]


def _ntfs(disk: Any, offset: int, length: int) -> Any:
    part: Any = RangeStream(disk, offset, length)
    return NTFS(part)


def _record(volume: Any, path: str) -> Any:
    """Return the file's record; None where it is not there."""
    record, _spelled = _walk(volume, path)
    return None if record is None or record.is_dir() else record


def _walk(volume: Any, path: str) -> tuple[Any, str | None]:
    record = volume.mft.root
    spelled = []
    for name in path.split("/"):
        if not record.is_dir() or record.is_symlink() or record.is_mount_point():
            return None, None
        try:
            record = record.index("$I30").search(name).dereference()
        except KeyError:
            return None, None
        spelled += [one for one in record.filenames() if one.upper() == name.upper()][:1]
    return record, "/".join(spelled)
