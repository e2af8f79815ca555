# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a WIM or ESD file holds, read by libwim (wimlib) in a process of its own.

The library is called directly: every run of wimlib-imagex reads the directory of an image again, a
third of a second for 100,000 files, and takes a solid file apart from its beginning.

Structures, flags and error codes: wimlib.h of libwim.so.15 (wimlib 1.13).
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import bounds, c_library
from .bounds import BoundsError
from .image_source import PROGRAM_SECONDS, ImageError

LIBRARY = "libwim.so.15"
PACKAGE = "wimtools"
"""The Debian package that brings the library and wimlib-imagex, which changes a WIM."""
DIRECTORY, REPARSE_POINT = 0x10, 0x400
"""Attributes of an entry."""
_ATTRIBUTES = struct.Struct("<I")
_IGNORE_CASE = 0x20
_RECURSIVE, _CHILDREN = 0x1, 0x2
_NO_ACLS, _NO_ATTRIBUTES = 0x40, 0x100000
_RESOURCE_NOT_FOUND, _NO_SUCH_PATH, _ENCRYPTED = 55, 49, 74


class ImageProperties(NamedTuple):
    """What the XML data says about an image; "" where it says nothing."""

    name: str
    edition: str
    installation_type: str


class Entry(NamedTuple):
    """A file or folder of an image.

    path is as the image spells it, from the root on. digest is the SHA-1 of the content in
    hexadecimal, "" where there is none. offset and length are where the content is in the WIM, for a
    solid file where all that it is packed with is.
    """

    path: str
    attributes: int
    size: int
    digest: str
    offset: int
    length: int


class WimFile:
    """A WIM or ESD file. title is what errors call it. Indexes are of images, from 1 on."""

    def __init__(self, path: str, title: str) -> None:
        self._title = title
        try:
            self._worker = bounds.Worker(lambda: _Library(path, title), seconds=PROGRAM_SECONDS)
        except BoundsError as error:
            raise self._refusal(error) from None

    def images(self) -> list[ImageProperties]:
        """Return the properties of all images, in order. Raises ImageError."""
        images: list[ImageProperties] = self._call("images")
        return images

    def entry(self, index: int, path: str) -> Entry | None:
        """Return a file or folder; None where it does not exist. Raises ImageError."""
        entry: Entry | None = self._call("entry", index, path)
        return entry

    def children(self, index: int, path: str) -> list[Entry]:
        """Return what is in a folder, nothing where it does not exist. Raises ImageError."""
        entries: list[Entry] = self._call("entries", index, path, _CHILDREN)
        return entries

    def summary(self, index: int, changing: Sequence[str]) -> bytes:
        """Return a hash of what an image holds: of every path, attributes and content.

        Of the files in changing only the path counts. Raises ImageError.
        """
        summary: bytes = self._call("summary", index, list(changing))
        return summary

    def extract(self, index: int, paths: Sequence[str], folder: str) -> None:
        """Take files out into a folder, with the folders they are in. Raises ImageError."""
        self._call("extract", index, list(paths), folder)

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            return self._worker.call(name, *arguments)
        except BoundsError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: BoundsError) -> ImageError:
        return ImageError(
            f"{self._title} cannot be read: {error}. Check it with wimlib-imagex verify IMAGE, or copy "
            "it again from where it comes from."
        )


class _Resource(ctypes.Structure):
    """``wimlib_resource_entry``."""

    _fields_ = [
        ("uncompressed_size", ctypes.c_uint64),
        ("compressed_size", ctypes.c_uint64),
        ("offset", ctypes.c_uint64),
        ("sha1_hash", ctypes.c_uint8 * 20),
        ("part_number", ctypes.c_uint32),
        ("reference_count", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("solid_offset", ctypes.c_uint64),
        ("solid_compressed_size", ctypes.c_uint64),
        ("solid_uncompressed_size", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64),
    ]


class _DirectoryEntry(ctypes.Structure):
    """``wimlib_dir_entry`` with its first stream, the unnamed one."""

    _fields_ = [
        ("filename", ctypes.c_char_p),
        ("dos_name", ctypes.c_char_p),
        ("full_path", ctypes.c_char_p),
        ("depth", ctypes.c_size_t),
        ("security_descriptor", ctypes.c_void_p),
        ("security_descriptor_size", ctypes.c_size_t),
        ("attributes", ctypes.c_uint32),
        ("reparse_tag", ctypes.c_uint32),
        ("links", ctypes.c_uint32),
        ("named_streams", ctypes.c_uint32),
        ("hard_link_group_id", ctypes.c_uint64),
        # Three times, each of struct timespec.
        ("times", ctypes.c_long * 6),
        ("unix", ctypes.c_uint32 * 4),
        ("object_id", ctypes.c_uint8 * 64),
        ("times_high", ctypes.c_int32 * 4),
        ("reserved", ctypes.c_uint64 * 4),
        ("stream_name", ctypes.c_char_p),
        ("stream", _Resource),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_DirectoryEntry), ctypes.c_void_p)
_WIM, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS = {
    "wimlib_global_init": (_INT, [_INT]),
    "wimlib_open_wim": (_INT, [_TEXT, _INT, ctypes.POINTER(_WIM)]),
    "wimlib_get_wim_info": (_INT, [_WIM, ctypes.c_void_p]),
    "wimlib_get_image_property": (_TEXT, [_WIM, _INT, _TEXT]),
    "wimlib_iterate_dir_tree": (_INT, [_WIM, _INT, _TEXT, _INT, _CALLBACK, ctypes.c_void_p]),
    "wimlib_extract_paths": (
        _INT,
        [_WIM, _INT, _TEXT, ctypes.POINTER(_TEXT), ctypes.c_size_t, _INT],
    ),
    "wimlib_get_error_string": (_TEXT, [_INT]),
}
"""The functions of wimlib.h that are used: what they return, and their parameters."""
_INFO_SIZE, _IMAGE_COUNT = 88, 16
"""Bytes of ``wimlib_wim_info``, and where in it the number of images is."""


class _Library:
    """An open WIM."""

    def __init__(self, path: str, title: str) -> None:
        self._title = title
        self._library = _load(title)
        self._wim = _WIM()
        self._check(self._library.wimlib_global_init(_IGNORE_CASE))
        self._check(self._library.wimlib_open_wim(_encoded(path), 0, ctypes.byref(self._wim)))

    def images(self) -> list[ImageProperties]:
        """Return the properties of all images."""
        info = ctypes.create_string_buffer(_INFO_SIZE)
        self._check(self._library.wimlib_get_wim_info(self._wim, info))
        count = int.from_bytes(info.raw[_IMAGE_COUNT : _IMAGE_COUNT + 4], "little")
        return [self._properties(index) for index in range(1, count + 1)]

    def _properties(self, index: int) -> ImageProperties:
        texts = []
        for name in (b"NAME", b"WINDOWS/EDITIONID", b"WINDOWS/INSTALLATIONTYPE"):
            text = self._library.wimlib_get_image_property(self._wim, index, name)
            texts.append(_decoded(text))
        return ImageProperties(*texts)

    def entry(self, index: int, path: str) -> Entry | None:
        """Return a file or folder; None where it does not exist."""
        return next(iter(self.entries(index, path, 0)), None)

    def entries(self, index: int, path: str, flags: int) -> list[Entry]:
        """Return what is at a path, or what is in it; nothing where it does not exist."""
        entries: list[Entry] = []

        def collect(entry: Any, _context: Any) -> int:
            entries.append(_entry(entry.contents))
            return 0

        self._iterate(index, path, flags, collect)
        return entries

    def summary(self, index: int, changing: list[str]) -> bytes:
        """Return a hash of every path, attributes and content; of those in changing only of the path."""
        summary = hashlib.sha256()
        names = {_encoded(f"/{path}") for path in changing}

        def add(entry: Any, _context: Any) -> int:
            file = entry.contents
            path = file.full_path
            summary.update(path + b"\0")
            if path not in names:
                summary.update(_ATTRIBUTES.pack(file.attributes))
                summary.update(file.stream.sha1_hash)
            return 0

        self._iterate(index, "", _RECURSIVE, add)
        return summary.digest()

    def _iterate(self, index: int, path: str, flags: int, visit: Callable[[Any, Any], int]) -> None:
        code = self._library.wimlib_iterate_dir_tree(
            self._wim, index, _encoded(f"/{path}"), flags, _CALLBACK(visit), None
        )
        if code != _NO_SUCH_PATH:
            self._check(code)

    def extract(self, index: int, paths: list[str], folder: str) -> None:
        """Take files out into a folder."""
        array = (_TEXT * len(paths))(*[_encoded(f"/{path}") for path in paths])
        flags = _NO_ACLS | _NO_ATTRIBUTES
        self._check(
            self._library.wimlib_extract_paths(
                self._wim, index, _encoded(folder), array, len(paths), flags
            )
        )

    def _check(self, code: int) -> None:
        if not code:
            return
        if code == _RESOURCE_NOT_FOUND:
            raise ImageError(
                f"{self._title} is a delta WIM: contents of its files are in another WIM. Join the "
                "two: wimlib-imagex export IMAGE all NEW.wim --ref=OTHER.wim"
            )
        if code == _ENCRYPTED:
            raise ImageError(
                f"{self._title} is encrypted, as Windows Update downloads it. Use an ISO, or the ESD "
                "that the Media Creation Tool makes."
            )
        reason = _decoded(self._library.wimlib_get_error_string(code)).rstrip(".")
        raise ImageError(
            f"{self._title} cannot be read: {reason} (wimlib, error {code}). Check it with "
            "wimlib-imagex verify IMAGE, or copy it again from where it comes from."
        )


def _load(title: str) -> Any:
    try:
        return c_library.load(LIBRARY, _FUNCTIONS)
    except OSError:
        raise ImageError(
            f"{title}: the library {LIBRARY} is needed for that; on Debian it comes with the package "
            f"{PACKAGE}."
        ) from None


def _entry(entry: Any) -> Entry:
    stream = entry.stream
    offset, length = stream.offset, stream.compressed_size
    if stream.solid_compressed_size:
        offset, length = stream.solid_offset, stream.solid_compressed_size
    digest = bytes(stream.sha1_hash)
    return Entry(
        _decoded(entry.full_path).lstrip("/"),
        entry.attributes,
        stream.uncompressed_size,
        digest.hex() if any(digest) else "",
        offset,
        length,
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(text: bytes | None) -> str:
    return (text or b"").decode("utf-8", "surrogateescape")
