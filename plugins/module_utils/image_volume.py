# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The partitions of a disk image, and the files in those with NTFS, read by dissect.

This runs in a process of its own (bounds.py). What dissect raises on damaged data ends there as an
error that says so.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import hive
from .image_formats import ATTACH, SECTOR, damaged, describe, open_disk
from .image_source import CONFIG, ImageError
from .names import fold, sort_key

BITLOCKER = b"-FVE-FS-"
REFS = b"ReFS"
NTFS_ID = b"NTFS    "
_LOGFILE, _VOLUME, _BAD_CLUSTERS, _SECURE, _LAST_SYSTEM_RECORD = 2, 3, 8, 9, 11
_VOLUME_INFORMATION = 0x70
_DIRTY = 1
_PROTECTIVE = 0xEE
"""Type of the partition that keeps programs away which do not know the GUID partition table."""
CAPTURE = "attach it to Windows, and capture its volume there: DISM /Capture-Image"
_DYNAMIC, _POOL = (
    "a dynamic disk (Logical Disk Manager)",
    "a part of a storage pool (Storage Spaces)",
)
_NOT_VOLUMES = {
    "66": _DYNAMIC,
    "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": _DYNAMIC,
    "af9b60a0-1431-4f62-bc68-3311714a69ad": _DYNAMIC,
    "e75caf8f-f680-4cee-afa3-b001e56efc2d": _POOL,
}
"""Partitions whose volumes may be on other disks, too, by their types in MBR and GPT ("PARTITION_INFORMATION_GPT")."""
_GPT_HEADER = 92
_MAX_GPT = 1024 * 1024
"""Bytes of all partitions; 16 KiB are usual."""
_CHUNK = 4 * 1024 * 1024
_WINDOWS = -1


@dataclass(frozen=True)
class _Partition:
    offset: int
    length: int
    identity: bytes
    kind: str = ""


class DiskReader:
    """The partitions of a disk image. title is what errors call it."""

    def __init__(self, path: str, kind: str, title: str) -> None:
        """Open the image. Raises ImageError where there is not exactly one Windows in it."""
        from dissect.ntfs import NTFS
        from dissect.util.stream import RangeStream

        self._title = title
        self._file = describe(path, kind, title)
        self._disk = open_disk(path, kind, title)
        self._encrypted: list[_Partition] = []
        self._volumes: list[tuple[_Partition, Any]] = []
        self._unsupported: set[str] = set()
        for partition in self._partitions():
            self._disk.seek(partition.offset)
            boot = self._disk.read(512)
            if partition.kind in _NOT_VOLUMES:
                self._unsupported.add(_NOT_VOLUMES[partition.kind])
            elif boot[3:7] == REFS:
                self._unsupported.add("a disk with ReFS")
            elif boot[3:11] == BITLOCKER:
                self._encrypted.append(partition)
            elif boot[3:11] == NTFS_ID:
                stream: Any = RangeStream(self._disk, partition.offset, partition.length)
                self._volumes.append((partition, NTFS(stream)))
        windows = self._find_windows()
        self._partition, self._windows = self._volumes.pop(windows)
        self._refuse_unclean(self._windows, title)

    def _partitions(self) -> Iterator[_Partition]:
        from dissect.volume.disk import Disk as Partitions

        disk = self._disk
        disk.seek(0)
        head = disk.read(8192)
        if head[3:11] in (NTFS_ID, BITLOCKER):
            yield _Partition(0, disk.size, b"")
            return
        sector_size = 512
        if head[4096:4104] == b"EFI PART" and head[512:520] != b"EFI PART":
            sector_size = 4096
        self._check_gpt(head, sector_size)
        disk.seek(0)
        signature = head[440:444]
        for partition in Partitions(disk, sector_size=sector_size).partitions:
            identity = signature + struct.pack("<Q", partition.offset)
            if partition.guid is not None:
                identity = b"DMIO:ID:" + partition.guid.bytes_le
            kind = str(partition.type)
            yield _Partition(partition.offset, partition.size, identity, kind)

    def _check_gpt(self, head: bytes, sector_size: int) -> None:
        """Raise ImageError where a checksum of a GUID partition table does not fit (UEFI 2.10, 5.3)."""
        for position in range(446, 510, 16):
            if head[position + 4] != _PROTECTIVE:
                continue
            (sector,) = struct.unpack_from("<I", head, position + 8)
            self._disk.seek(sector * sector_size)
            header = self._disk.read(sector_size)
            size, expected = struct.unpack_from("<II", header, 12)
            plain = header[:16] + bytes(4) + header[20:size]
            if header[:8] != b"EFI PART" or size < _GPT_HEADER or zlib.crc32(plain) != expected:
                raise damaged(self._title, "the checksum of its partition table (GPT) does not fit")
            sector, count, entry_size, expected = struct.unpack_from("<QIII", header, 72)
            size = count * entry_size
            self._disk.seek(sector * sector_size)
            if size > _MAX_GPT or zlib.crc32(self._disk.read(size)) != expected:
                raise damaged(self._title, "the checksum of its partitions (GPT) does not fit")

    def _find_windows(self) -> int:
        installations = []
        for index, (_partition, volume) in enumerate(self._volumes):
            if _walk(volume, f"{CONFIG}/SYSTEM").record is not None:
                installations.append(index)
        if len(installations) == 1:
            return installations[0]
        if installations:
            offsets = [f"at {self._volumes[index][0].offset}" for index in installations]
            raise ImageError(
                f"{self._title} holds {len(installations)} Windows installations "
                f"({', '.join(offsets)}); which of them to judge could not be determined. Mount one of them, "
                "with guestmount for example, and specify its folder."
            )
        if self._encrypted:
            raise ImageError(
                f"{self._title} is encrypted with BitLocker. Decrypt it without starting it: attach it "
                "to Windows and run manage-bde -off X: (its letter there), then wait until all is "
                "decrypted (manage-bde -status X:)."
            )
        if self._unsupported:
            names = " and ".join(sorted(self._unsupported))
            raise ImageError(f"{self._title} is {names}, which is not supported; {CAPTURE}")
        raise ImageError(
            f"{self._title} holds no Windows: no partition is NTFS with {CONFIG}/SYSTEM in it"
        )

    def _refuse_unclean(self, volume: Any, title: str) -> None:
        """Refuse a file system that was not unmounted ($Volume and $LogFile, libntfs-3g logfile.h)."""
        information = volume.mft.get(_VOLUME).attributes[_VOLUME_INFORMATION][0].data()
        flags = struct.unpack_from("<H", information, 10)[0]
        if flags & _DIRTY:
            raise ImageError(
                f"{title}: its file system is marked to be checked. Attach the image to Windows, without "
                "starting it, and run chkdsk /f on its volume."
            )
        log = volume.mft.get(_LOGFILE).open().read(8192)
        if log[:4] == b"\xff\xff\xff\xff":
            return
        if not _was_closed(log):
            raise ImageError(
                f"{title}: its file system was not unmounted, and its journal may hold newer data. "
                f"{ATTACH}"
            )

    def describe(self) -> dict[str, Any]:
        """Return what the image consists of, and where the partitions are.

        offset and cluster_size are of the Windows partition. others are offset and identity of the
        other ones. sector_size is that of the disk, in bytes, where its format has one.
        """
        others = [*(partition for partition, _volume in self._volumes), *self._encrypted]
        return {
            "file": self._file,
            "offset": self._partition.offset,
            "cluster_size": int(self._windows.cluster_size),
            "sector_size": int(getattr(self._disk, "sector_size", SECTOR)),
            "others": [(partition.offset, partition.identity) for partition in others],
        }

    def read(self, path: str, most: int | None) -> bytes | None:
        """Return a file's content, or its first bytes; None where it does not exist."""
        record = self._find_file(self._windows, path)
        if record is None:
            return None
        if record.is_reparse_point():
            # What its stream holds is not its content.
            raise ImageError(
                f"{self._title}: {path} is compressed or kept by a filter of Windows (such as Compact OS), "
                "and can be read in Windows only"
            )
        if record.size() > hive.MAX_HIVE and most is None:
            raise ImageError(f"{self._title}: {path} has {record.size()} bytes, which is too large")
        return bytes(record.open().read(-1 if most is None else most))

    def size(self, path: str, other: int = _WINDOWS) -> int | None:
        """Return a file's size; None where it does not exist. other: the index of another partition."""
        volume = self._windows
        if other >= len(self._volumes):
            raise ImageError("the partition is encrypted with BitLocker")
        if other != _WINDOWS:
            partition, volume = self._volumes[other]
            self._refuse_unclean(volume, f"{self._title}, partition at {partition.offset}")
        record = self._find_file(volume, path)
        return None if record is None else int(record.size())

    def has_folder(self, path: str) -> bool:
        """Return whether a folder exists."""
        found = self._entry(self._windows, path)
        return found.record is not None and bool(found.record.is_dir())

    def spelled(self, path: str) -> str | None:
        """Return a path as the volume spells it; None where it does not exist."""
        found = self._entry(self._windows, path)
        return None if found.record is None else "/".join(found.names)

    def copy_metadata(self, paths: Sequence[str], target: str) -> None:
        """Write a file as large as the partition, with holes for what ntfscp does not read.

        Copied are the system files of NTFS, and the folders and files of paths. Raises OSError.
        """
        volume = self._windows
        records = []
        for number in range(_LAST_SYSTEM_RECORD + 1):
            if number not in (_BAD_CLUSTERS, _SECURE):
                records.append(volume.mft.get(number))
        for path in paths:
            records += self._entry(volume, path).records
        with open(target, "xb") as file:
            file.truncate(self._partition.length)
            for offset, length in _ranges(volume, records):
                self._copy(file, offset, length)
            # The boot sector's copy, which some tools look for.
            self._copy(file, self._partition.length - 512, 512)

    def _copy(self, file: Any, offset: int, length: int) -> None:
        while length > 0:
            self._disk.seek(self._partition.offset + offset)
            content = self._disk.read(min(length, _CHUNK))
            if not content:
                return
            file.seek(offset)
            file.write(content)
            offset += len(content)
            length -= len(content)

    def _find_file(self, volume: Any, path: str) -> Any:
        record = self._entry(volume, path).record
        return None if record is None or record.is_dir() else record

    def _entry(self, volume: Any, path: str) -> _Entry:
        entry = _walk(volume, path)
        if entry.link:
            raise ImageError(
                f"{self._title}: {'/'.join(entry.names)} is a symbolic link or junction, which is not "
                "followed inside an image"
            )
        return entry


@dataclass
class _Entry:
    """A file or folder of a volume, or what its path comes to.

    records are those of the path, the root's first. record is None where it does not exist. link: the
    path leads through a link, the last of names.
    """

    records: list[Any]
    names: list[str]
    record: Any = None
    link: bool = False


def _walk(volume: Any, path: str) -> _Entry:
    record = volume.mft.root
    entry = _Entry([record], [])
    for name in path.split("/"):
        if not record.is_dir():
            return entry
        index = record.index("$I30")
        try:
            found = index.search(name, cmp=_compare)
        except KeyError:
            return entry
        record = found.dereference()
        entry.records.append(record)
        entry.names.append(_spelling(record, name))
        if record.is_symlink() or record.is_mount_point():
            entry.link = True
            return entry
    entry.record = record
    return entry


def _compare(entry: Any, name: str) -> Any:
    """Compare a name with that of an index entry as Windows does; dissect uses Python's upper()."""
    from dissect.ntfs.index import Match

    # FILE_NAME of NTFS: the length in UTF-16 units, the namespace, the name.
    length = entry.buf[64]
    entry_name = entry.buf[66 : 66 + 2 * length].decode("utf-16-le", "surrogatepass")
    searched, found = sort_key(name), sort_key(entry_name)
    if searched == found:
        return Match.Equal
    return Match.Less if searched < found else Match.Greater


def _spelling(record: Any, name: str) -> str:
    for spelling in record.filenames():
        if fold(spelling) == fold(name):
            return str(spelling)
    return name


def _ranges(volume: Any, records: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Return offset and length of everything that records hold outside of the master file table."""
    cluster = volume.cluster_size
    for record in records:
        for attributes in record.attributes.values():
            for attribute in attributes:
                if attribute.resident:
                    continue
                for start, count in attribute.dataruns():
                    if start is not None:
                        yield start * cluster, count * cluster


def _was_closed(log: bytes) -> bool:
    """Return whether the newest restart page of a journal says that the volume was unmounted."""
    newest = -1
    closed = False
    for page in (log[:4096], log[4096:]):
        if page[:4] != b"RSTR":
            continue
        area = struct.unpack_from("<H", page, 24)[0]
        lsn, _clients, _free, in_use, state = struct.unpack_from("<QHHHH", page, area)
        if lsn > newest:
            newest = lsn
            closed = in_use == 0xFFFF or bool(state & 2)
    return closed
