# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An ISO with a Windows setup in it, read by pycdlib: what is needed of its install.wim or install.esd.

That is copied into a file of the same size with holes, which libwim reads: the header, the tables, the
directory of each image, and the contents of the files that are asked for. Of some gigabytes these are a
hundredth, unless the file is solid.

Microsoft's ISOs hold their files in a UDF file system; others have ISO 9660 with Joliet.
"""

from __future__ import annotations

import importlib.util
import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from . import bounds
from .bounds import BoundsError
from .image_source import ImageError, open_file
from .image_wim import HEADER, Ranges

LIBRARY = "pycdlib"
FOLDER = "sources"
NAMES = ("install.wim", "install.esd")
SECONDS = 1800
"""Time to copy a part of some gigabytes."""
_CHUNK = 4 * 1024 * 1024
_TABLES = (48, 72)
"""Where the header of a WIM says where the table of contents and the XML data are."""
_ENTRY = 50
"""Bytes of an entry in the table of contents."""
_METADATA, _COMPRESSED, _SOLID = 0x02, 0x04, 0x10
"""Flags of a resource: the directory of an image; compressed; contents packed together."""
_SOLID_HEADER = 16
"""Bytes at the beginning of a solid resource that say how it is compressed."""
_SOLID_SIZE = 1 << 32
"""The uncompressed size in the entry of a solid resource, by which it is known among its contents."""


def begin(path: str, folder: str) -> str:
    """Make a file of the WIM or ESD of an ISO, in a folder. Return its path.

    It has its header, its tables and the directories of its images, and holes in place of the contents
    of files; fetch adds those. Raises ImageError and OSError.
    """
    target = os.path.join(folder, "install.wim")
    if not os.path.exists(target):
        partial = f"{target}.part"
        if not _bounded(path, lambda: _with_wim(path, lambda wim: _begin(wim, partial))):
            raise ImageError(
                f"{path} is an ISO without {' or '.join(f'{FOLDER}/{name}' for name in NAMES)}. 7z l IMAGE "
                "lists what it holds. Take a WIM or ESD in another folder out, and use that: 7z x IMAGE "
                "x64/sources/install.esd. Join one in parts: 7z x IMAGE sources, then wimlib-imagex join "
                "NEW.wim sources/*.swm"
            )
        os.rename(partial, target)
        _give_time(path, target)
    return target


def fetch(path: str, target: str, ranges: Ranges) -> None:
    """Add parts of the WIM to the file that begin made. Raises ImageError and OSError."""
    _bounded(path, lambda: _with_wim(path, lambda wim: _copy(wim, target, ranges)))
    _give_time(path, target)


def _give_time(path: str, target: str) -> None:
    """Give the file the time of its ISO: what it stands for is no other one than before."""
    status = os.stat(path)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _bounded(path: str, work: Callable[[], bool]) -> bool:
    if importlib.util.find_spec(LIBRARY) is None:
        raise ImageError(
            f"{path} is an ISO, which is read with the Python package pycdlib. Install it, or take "
            f"{FOLDER}/install.wim out: 7z x IMAGE {FOLDER}/install.wim"
        )
    try:
        return bool(bounds.call(work, seconds=SECONDS))
    except BoundsError as error:
        raise ImageError(
            f"{path} cannot be read: {error}. Copy the ISO again from where it comes from, or take "
            f"{FOLDER}/install.wim out with another program: 7z x IMAGE {FOLDER}/install.wim"
        ) from None


def _with_wim(path: str, work: Callable[[BinaryIO], None]) -> bool:
    """Do something with the WIM as a file. Return whether there is one."""
    import pycdlib
    from pycdlib.pycdlibexception import PyCdlibException

    iso = pycdlib.PyCdlib()
    iso.open_fp(open_file(os.path.realpath(path)))  # closed with the process
    for name in NAMES:
        spelling = f"/{FOLDER}/{name}"
        parameter = {"iso_path": f"{spelling};1".upper()}
        if iso.has_udf():
            parameter = {"udf_path": spelling}
        elif iso.has_joliet():
            parameter = {"joliet_path": spelling}
        try:
            iso.get_record(**parameter)
        except PyCdlibException:
            continue
        with iso.open_file_from_iso(**parameter) as wim:
            work(wim)
        return True
    return False


def _begin(wim: BinaryIO, target: str) -> None:
    size = wim.seek(0, os.SEEK_END)
    with open(target, "wb") as file:
        file.truncate(size)
    header = _part(wim, 0, HEADER)
    _copy(wim, target, [(0, HEADER)])
    for position in _TABLES:
        offset, length, _flags = _resource(header, position)
        _copy(wim, target, [(offset, length)])
    offset, length, flags = _resource(header, _TABLES[0])
    if flags & _COMPRESSED:
        # None is known; its entries would say where the directories are.
        _copy(wim, target, [(0, size)])
        return
    table = _part(wim, offset, length)
    directories = []
    for position in range(0, length - _ENTRY + 1, _ENTRY):
        offset, length_there, flags = _resource(table, position)
        (size,) = struct.unpack_from("<Q", table, position + 16)
        if flags & _METADATA:
            directories.append((offset, length_there))
        elif flags & _SOLID and size == _SOLID_SIZE:
            directories.append((offset, _SOLID_HEADER))
    _copy(wim, target, directories)


def _resource(content: bytes, position: int) -> tuple[int, int, int]:
    """Return offset, length in the file, and flags of a resource (reshdr of a WIM)."""
    size_and_flags, offset = struct.unpack_from("<QQ", content, position)
    return offset, size_and_flags & (1 << 56) - 1, size_and_flags >> 56


def _part(wim: BinaryIO, offset: int, length: int) -> bytes:
    wim.seek(offset)
    content = wim.read(length)
    if len(content) != length:
        raise ValueError("its WIM is cut off")
    return content


def _copy(wim: BinaryIO, target: str, ranges: Ranges) -> None:
    with open(target, "r+b") as file:
        for offset, length in ranges:
            file.seek(offset)
            for start in range(offset, offset + length, _CHUNK):
                file.write(_part(wim, start, min(_CHUNK, offset + length - start)))
