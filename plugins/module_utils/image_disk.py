# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A disk image with Windows on NTFS in one of its partitions.

Reading is pure Python (dissect.hypervisor, dissect.volume, dissect.ntfs), without root and without a
mount, in a process of its own (bounds.py). For a change, what ntfscp (of ntfs-3g) reads of the
partition is copied out, ntfscp puts the hives into that copy, and qemu-io writes the blocks that became
different into a copy of the disk image, which replaces the image by one rename. The result is read
back by dissect, which is independent of both programs.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from . import bounds
from .bounds import BoundsError
from .image_folder import NEW
from .image_formats import SECTOR, DiskFile, has_libraries
from .image_source import (
    DataVolume,
    ImageError,
    Lock,
    Replacement,
    copy_file,
    discard,
    like,
    refuse_unwritable,
    run,
    sync_file,
    sync_folder,
)
from .image_volume import DiskReader

PROGRAMS = {"qemu-img": "qemu-utils", "qemu-io": "qemu-utils", "ntfscp": "ntfs-3g"}
"""What a change takes, each with its Debian package."""
PART_SIZE = 2 * 1024 * 1024
"""A multiple of every size of clusters."""
MAX_RUN = 8 * 1024 * 1024
PART = ".ets6-network-part"


class Disk:
    """A disk image of a kind: vhd, vhdx, qcow2, vmdk, vdi or raw."""

    def __init__(self, path: str, kind: str, work: str) -> None:
        if not has_libraries():
            raise ImageError(
                f"{path}: disk images are read with the Python packages dissect.hypervisor, "
                "dissect.volume and dissect.ntfs, which are not installed for the Python that Ansible "
                "runs modules with here"
            )
        self.title = path
        self._path = os.path.realpath(path)
        self._kind = kind
        self._folder = os.path.dirname(self._path)
        self._lock = Lock(self._folder, exclusive=False)
        self._work = tempfile.mkdtemp(prefix="ets6-network-", dir=work)
        try:
            self._reader = _Reader(self._path, kind, path)
        except BaseException:
            shutil.rmtree(self._work, ignore_errors=True)
            self._lock.release()
            raise

    @property
    def data_volumes(self) -> Sequence[DataVolume]:
        """Return the other partitions with NTFS or BitLocker."""
        return [
            _Volume(self._reader, index, offset, identity)
            for index, (offset, identity) in enumerate(self._reader.others)
        ]

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content."""
        return self._reader.read(path, most)

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        return self._reader.size(path)

    def has_folder(self, path: str) -> bool:
        """Return whether a folder exists."""
        return self._reader.has_folder(path)

    def close(self) -> None:
        """Close the image, and let others write."""
        self._reader.close()
        shutil.rmtree(self._work, ignore_errors=True)
        self._lock.release()

    def refuse_unwritable(self, _files: Iterable[str]) -> None:
        """Raise ImageError where the image cannot be replaced, or a program is missing."""
        if self._reader.file.unwritable:
            raise ImageError(self._reader.file.unwritable)
        if self._reader.sector_size != SECTOR:
            raise ImageError(
                f"{self.title} cannot be written: its sectors have {self._reader.sector_size} bytes, which "
                "qemu-io does not support. Attach it to Windows, capture its volume there (DISM "
                "/Capture-Image), and prepare that."
            )
        refuse_unwritable(self.title, self._folder, PROGRAMS)

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Replace hives, all or none, whenever this process is ended."""
        data = self._reader.file.data
        new, part, changed = data + NEW, data + PART, data + PART + NEW
        try:
            # Until the lock is held, others may replace the image: it is read again then.
            self._reader.close()
            self._lock.release()
            self._lock = Lock(self._folder, exclusive=True)
            self._reader = _Reader(self._path, self._kind, self.title)
            for temporary in (new, part, changed):
                discard(temporary)
            before = {path: replacement.before for path, replacement in files.items()}
            after = {path: replacement.after for path, replacement in files.items()}
            self._check(self._reader, before, "has changed since it was read")
            try:
                self._reader.copy_metadata(list(files), part)
                copy_file(part, changed)
                for path, content in after.items():
                    self._put(changed, path, content)
                self._write_copy(part, changed, new)
                self._verify(new, after)
                os.replace(new, data)
            finally:
                for temporary in (new, part, changed):
                    discard(temporary)
            sync_folder(self._folder)
        except OSError as error:
            raise ImageError(
                f"{self.title} cannot be written: {error.strerror} ({error.filename or new}). Its "
                "folder has to be writable, with space for a copy of the image."
            ) from None

    @property
    def _new_kind(self) -> str:
        """The kind of the file that is replaced: for a VMDK in two files, its flat extent."""
        return "raw" if self._reader.file.driver == "raw" else self._kind

    def _write_copy(self, before: str, after: str, new: str) -> None:
        """Make a copy of the image, and write into it what is different between two partitions."""
        file = self._reader.file
        if not file.rewrite:
            copy_file(file.data, new)
            like(new, file.data)
            self._transfer(before, after, file.driver, new)
            return
        overlay = os.path.join(self._work, "overlay")
        backing = ["-b", file.data, "-F", file.driver]
        self._qemu_img("create", "-q", "-f", "qcow2", *backing, overlay)
        self._transfer(before, after, "qcow2", overlay)
        options = ["-o", "subformat=streamOptimized"]
        self._qemu_img("convert", "-f", "qcow2", "-O", file.driver, *options, overlay, new)
        like(new, file.data)
        sync_file(new)

    def _qemu_img(self, *words: str) -> None:
        run(["qemu-img", *words], PROGRAMS["qemu-img"], self.title)

    def _put(self, partition: str, path: str, content: bytes) -> None:
        staged = os.path.join(self._work, "staged")
        with open(staged, "wb") as file:
            file.write(content)
        target = self._reader.spelled(path)
        if target is None:
            raise ImageError(f"{self.title}: {path} was removed since it was read.")
        # With the slash a name that begins with a dash is no option.
        command = ["ntfscp", "--quiet", partition, staged, f"/{target}"]
        run(command, PROGRAMS["ntfscp"], self.title)

    def _transfer(self, before: str, after: str, driver: str, image: str) -> None:
        """Write what is different between two copies of the partition into an image."""
        commands = []
        with open(before, "rb") as old, open(after, "rb") as new:
            for number, (offset, content) in enumerate(
                _different(old, new, self._reader.cluster_size)
            ):
                with open(os.path.join(self._work, f"blocks{number}"), "wb") as file:
                    file.write(content)
                position = self._reader.offset + offset
                commands += ["-c", f"write -q -s blocks{number} {position} {len(content)}"]
        node = {"driver": driver, "file": {"driver": "file", "filename": image}}
        run(
            ["qemu-io", *commands, "-c", "flush", f"json:{json.dumps(node)}"],
            PROGRAMS["qemu-io"],
            self.title,
            folder=self._work,
        )
        sync_file(image)

    def _verify(self, new: str, files: Mapping[str, bytes]) -> None:
        """Raise ImageError where the new image does not hold these contents."""
        reader = _Reader(new, self._new_kind, self.title)
        try:
            self._check(reader, files, "does not hold what was put into it")
        finally:
            reader.close()

    def _check(self, reader: _Reader, files: Mapping[str, bytes], problem: str) -> None:
        for path, content in files.items():
            if reader.read(path, None) != content:
                raise ImageError(f"{self.title}: {path} {problem}.")


class _Volume:
    """Another partition of a disk image."""

    def __init__(self, reader: _Reader, index: int, offset: int, identity: bytes) -> None:
        self.title = f"the partition at {offset}"
        self.identity = identity
        self._reader = reader
        self._index = index

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        return self._reader.size(path, self._index)


class _Reader:
    """A DiskReader in a process of its own. offset is the Windows partition's, in bytes.

    file is what the image consists of.
    """

    def __init__(self, path: str, kind: str, title: str) -> None:
        self._title = title
        try:
            self._worker = bounds.Worker(lambda: DiskReader(path, kind, title))
            description = self._worker.call("describe")
        except BoundsError as error:
            raise self._refusal("", error) from None
        self.file: DiskFile = description["file"]
        self.offset: int = description["offset"]
        self.cluster_size: int = description["cluster_size"]
        self.sector_size: int = description["sector_size"]
        self.others: list[tuple[int, bytes]] = description["others"]

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def read(self, path: str, most: int | None) -> bytes | None:
        """Return a file's content, or its first bytes."""
        content: bytes | None = self._call("read", path, most)
        return content

    def size(self, path: str, *other: int) -> int | None:
        """Return a file's size, on another partition where its index is given."""
        size: int | None = self._call("size", path, *other)
        return size

    def has_folder(self, path: str) -> bool:
        """Return whether a folder exists."""
        return bool(self._call("has_folder", path))

    def spelled(self, path: str) -> str | None:
        """Return a path as the volume spells it."""
        spelling: str | None = self._call("spelled", path)
        return spelling

    def copy_metadata(self, paths: list[str], target: str) -> None:
        """Write what ntfscp reads of the partition into a file."""
        self._call("copy_metadata", paths, target)

    def _call(self, name: str, path: Any, *arguments: Any) -> Any:
        try:
            return self._worker.call(name, path, *arguments)
        except BoundsError as error:
            raise self._refusal(f" {path}:", error) from None

    def _refusal(self, path: str, error: BoundsError) -> ImageError:
        return ImageError(
            f"{self._title} cannot be read:{path} {error}. Check it with qemu-img check IMAGE, or copy "
            "it again from where it comes from."
        )


def _different(old: BinaryIO, new: BinaryIO, cluster: int) -> Iterator[tuple[int, bytes]]:
    """Return offset and content where two copies of a partition differ, in runs of whole clusters.

    Nothing else may be returned: around a cluster that became different the copies have holes where
    the image has other files. Holes of the newer copy are left out.
    """
    start, content = 0, bytearray()
    for offset, old_part, new_part in _parts(old, new):
        if old_part == new_part:
            continue
        for position in range(0, len(new_part), cluster):
            part = new_part[position : position + cluster]
            if part == old_part[position : position + cluster]:
                continue
            if content and (start + len(content) != offset + position or len(content) >= MAX_RUN):
                yield start, bytes(content)
                content.clear()
            if not content:
                start = offset + position
            content += part
    if content:
        yield start, bytes(content)


def _parts(old: BinaryIO, new: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    """Return the parts of two files of the same size that are not in a hole of the newer one."""
    size = new.seek(0, os.SEEK_END)
    offset = _next_data(new, 0, size)
    while offset < size:
        old.seek(offset)
        new.seek(offset)
        yield offset, old.read(PART_SIZE), new.read(PART_SIZE)
        offset = _next_data(new, offset + PART_SIZE, size)


def _next_data(file: BinaryIO, offset: int, size: int) -> int:
    """Return where the next block begins that is not in a hole; the size where there is none."""
    if offset >= size:
        return size
    try:
        return os.lseek(file.fileno(), offset, os.SEEK_DATA) // PART_SIZE * PART_SIZE
    except OSError:
        return size
