# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reads a registry hive (the file format regf), standard library only.

Format: "Windows registry file format specification" by Maxim Suhanov (github.com/msuhanov/regf), which the names follow. All
offsets in a hive are relative to the end of its base block. Nothing is trusted: every offset and size is checked, and what
does not fit raises HiveError.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

BASE_BLOCK = 4096
PAGE = 4096
BIG = 16344
"""The most bytes of a value that stand in one cell; more are cut into segments of this size, from hive version 1.4 on."""
LIMIT = 2 * 1024 * 1024 * 1024
"""Windows' own limit for a hive."""
NOWHERE = 0xFFFFFFFF
DEPTH = 512
"""Registry element size limits: a tree is at most 512 levels deep (Microsoft Learn)."""

PRIMARY, OLD_LOG, OLDER_LOG, NEW_LOG = 0, 1, 2, 6
LINK_KEY = 0x10
ASCII_KEY = 0x20
ASCII_VALUE = 0x01
KTM_LOCKED = 0x01
"""Base block flag: there are, or may come, transactions on this hive. Hives that Windows never unloads have it always."""

_NK = struct.Struct("<2sHQIIIIIIIIIIIIIIIHH")
_VK = struct.Struct("<2sHIIIHH")
_CELL = struct.Struct("<i")
_ONE = struct.Struct("<I")
_LIST = struct.Struct("<2sH")


class HiveError(Exception):
    """A hive cannot be read. The text names the hive, what is wrong, and what to do where something can be done."""


@dataclass(frozen=True)
class BaseBlock:
    """The head of a hive or of its log. Sequence numbers that differ say that a write was begun and not finished.

    transaction_logs are the ids after which the logs of the hive's transactions are named: the resource manager's, the transaction
    manager's.
    """

    sequence: int
    finished: int
    kind: int
    version: tuple[int, int]
    root: int
    size: int
    name: str
    flags: int
    transaction_logs: tuple[str, str]
    checksum_fits: bool

    @classmethod
    def parse(cls, data: bytes, title: str) -> BaseBlock:
        """Read the first 512 bytes. Raises HiveError where they are no base block."""
        if len(data) < 512 or data[:4] != b"regf":
            raise HiveError(f"{title} is no registry hive: it does not begin with regf")
        sequence, finished, _when, major, minor, kind, layout, root, size = struct.unpack_from("<IIQIIIIII", data, 4)
        if major != 1 or not 2 <= minor <= 6 or layout != 1:
            raise HiveError(f"{title}: hive version {major}.{minor}, format {layout} is not known; 1.2 to 1.6, format 1 are")
        return cls(
            sequence,
            finished,
            kind,
            (major, minor),
            root,
            size,
            data[48:112].decode("utf-16-le", "replace").partition("\0")[0],
            _ONE.unpack_from(data, 144)[0],
            (str(uuid.UUID(bytes_le=data[128:144])), str(uuid.UUID(bytes_le=data[148:164]))),
            checksum(data) == _ONE.unpack_from(data, 508)[0],
        )

    @property
    def dirty(self) -> bool:
        """Tell whether the newest data may stand in the logs only."""
        return self.sequence != self.finished or not self.checksum_fits


def checksum(data: bytes | bytearray) -> int:
    """Return the checksum of a base block: its first 127 words, exclusive or; 0 and -1 are never written."""
    total = 0
    for word in struct.unpack_from("<127I", data):
        total ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)


@dataclass(frozen=True)
class Value:
    """A value as it is stored: type is the number (1 is REG_SZ), data the raw bytes."""

    name: str
    type: int
    data: bytes


class Hive:
    """A hive in memory. title is what errors call it. A hive that is dirty has to be replayed first (hive_log)."""

    def __init__(self, data: bytes, title: str) -> None:
        self.data = data
        self.title = title
        self.base = BaseBlock.parse(data, title)
        if self.base.kind != PRIMARY:
            raise HiveError(f"{title} is the log of a hive, not a hive")
        if self.base.dirty:
            raise HiveError(f"{title} is dirty: its newest data may stand in its logs")
        self._end = self.base.size
        if not 0 < self._end <= LIMIT or self._end % PAGE or BASE_BLOCK + self._end > len(data):
            raise HiveError(
                f"{title} is cut off or damaged: its head promises {self._end} bytes of data, it has {max(0, len(data) - BASE_BLOCK)}"
            )
        self._check_bins()
        self.root = Key(self, self.base.root, 0)

    def _check_bins(self) -> None:
        at = 0
        while at < self._end:
            signature, offset, size = struct.unpack_from("<4sII", self.data, BASE_BLOCK + at)
            if signature != b"hbin" or offset != at or size == 0 or size % PAGE or at + size > self._end:
                raise self.damaged(at, "no sound hive bin stands there")
            at += size

    def damaged(self, offset: int, what: str) -> HiveError:
        """Return the error for a place that is not as it has to be."""
        return HiveError(f"{self.title} is damaged at {BASE_BLOCK + offset:#x}: {what}")

    def cell(self, offset: int, least: int) -> tuple[int, int]:
        """Return where in the data the content of a cell begins and ends. Raises HiveError where it has less than so many bytes."""
        if offset % 8 or offset + 4 > self._end:
            raise self.damaged(offset, "no cell can stand there")
        size = -_CELL.unpack_from(self.data, BASE_BLOCK + offset)[0]
        if size < 4 + least or offset + size > self._end:
            raise self.damaged(offset, "the cell is free, too small, or goes beyond the end")
        return BASE_BLOCK + offset + 4, BASE_BLOCK + offset + size

    def find(self, path: str) -> Key | None:
        r"""Return the key with this path below the root (``Select``, ``ControlSet001\\Control``); None where it is not there."""
        key: Key | None = self.root
        for name in path.split("\\"):
            if name and key is not None:
                key = key.subkey(name)
        return key

    def text(self, start: int, size: int, ascii_only: bool) -> str:
        """Return a name; half of a surrogate pair is kept as it is."""
        raw = self.data[start : start + size]
        return raw.decode("latin-1") if ascii_only else raw[: size & ~1].decode("utf-16-le", "surrogatepass")


class Key:
    """A key node (nk)."""

    __slots__ = (
        "_class", "_class_size", "_security", "_subkey_count", "_subkey_list", "_value_count", "_value_list",
        "depth", "flags", "hive", "name", "offset", "written",
    )  # fmt: skip

    def __init__(self, hive: Hive, offset: int, depth: int) -> None:
        start, end = hive.cell(offset, _NK.size)
        (
            signature, self.flags, self.written, _access, _parent, self._subkey_count, _volatile, self._subkey_list, _volatile_list,
            self._value_count, self._value_list, self._security, self._class, _a, _b, _c, _d, _work, name_size, self._class_size,
        ) = _NK.unpack_from(hive.data, start)  # fmt: skip
        if signature != b"nk":
            raise hive.damaged(offset, "a key is expected there")
        if start + _NK.size + name_size > end:
            raise hive.damaged(offset, "the key's name goes beyond its cell")
        if depth > DEPTH:
            raise hive.damaged(offset, f"keys are nested more than {DEPTH} deep")
        self.hive, self.offset, self.depth = hive, offset, depth
        self.name = hive.text(start + _NK.size, name_size, bool(self.flags & ASCII_KEY))

    @property
    def is_link(self) -> bool:
        """Tell whether the key only points to another one."""
        return bool(self.flags & LINK_KEY)

    @property
    def security(self) -> bytes:
        """The security descriptor, as it is stored."""
        start, end = self.hive.cell(self._security, 20)
        if self.hive.data[start : start + 2] != b"sk":
            raise self.hive.damaged(self._security, "a security descriptor is expected there")
        size = _ONE.unpack_from(self.hive.data, start + 16)[0]
        if start + 20 + size > end:
            raise self.hive.damaged(self._security, "the security descriptor goes beyond its cell")
        return self.hive.data[start + 20 : start + 20 + size]

    @property
    def class_name(self) -> bytes:
        """The class name, as it is stored."""
        if self._class == NOWHERE or not self._class_size:
            return b""
        start, _end = self.hive.cell(self._class, self._class_size)
        return self.hive.data[start : start + self._class_size]

    def subkeys(self) -> Iterator[Key]:
        """Return the subkeys in their order."""
        return (key for key, _kind, _hint in self.entries())

    def entries(self) -> Iterator[tuple[Key, bytes, bytes]]:
        """Return the subkeys in their order, each with the kind of its list (``lh``) and the hint that stands beside it there."""
        if not self._subkey_count:
            return
        left = self._subkey_count
        for offset, kind, hint in self._entries(self._subkey_list, root=True):
            left -= 1
            if left < 0:
                break
            yield Key(self.hive, offset, self.depth + 1), kind, hint
        if left:
            raise self.hive.damaged(self.offset, "the number of subkeys and their list differ")

    def subkey(self, name: str) -> Key | None:
        """Return the subkey with this name, letter case aside."""
        wanted = name.upper()
        return next((key for key in self.subkeys() if key.name.upper() == wanted), None)

    def _entries(self, at: int, *, root: bool) -> Iterator[tuple[int, bytes, bytes]]:
        hive = self.hive
        start, end = hive.cell(at, 4)
        kind, count = _LIST.unpack_from(hive.data, start)
        step = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind)
        if step is None or (kind == b"ri" and not root):
            raise hive.damaged(at, "a list of subkeys is expected there")
        if start + 4 + step * count > end:
            raise hive.damaged(at, "the list of subkeys goes beyond its cell")
        for place in range(start + 4, start + 4 + step * count, step):
            offset = _ONE.unpack_from(hive.data, place)[0]
            if kind == b"ri":
                yield from self._entries(offset, root=False)
            else:
                yield offset, kind, hive.data[place + 4 : place + step]

    def values(self) -> Iterator[Value]:
        """Return the values in their order; the default value has the name "" ."""
        if not self._value_count:
            return
        hive = self.hive
        start, end = hive.cell(self._value_list, 4)
        if start + 4 * self._value_count > end:
            raise hive.damaged(self._value_list, "the list of values goes beyond its cell")
        for offset in struct.unpack_from(f"<{self._value_count}I", hive.data, start):
            yield self._value(offset)

    def _value(self, offset: int) -> Value:
        hive = self.hive
        start, end = hive.cell(offset, _VK.size)
        signature, name_size, size, where, kind, flags, _spare = _VK.unpack_from(hive.data, start)
        if signature != b"vk" or start + _VK.size + name_size > end:
            raise hive.damaged(offset, "a value is expected there")
        name = hive.text(start + _VK.size, name_size, bool(flags & ASCII_VALUE))
        if size & 0x80000000:
            size &= 0x7FFFFFFF
            if size > 4:
                raise hive.damaged(offset, "a value of more than 4 bytes cannot stand in its own record")
            return Value(name, kind, hive.data[start + 8 : start + 8 + size])
        if size > BIG and hive.base.version >= (1, 4):
            return Value(name, kind, self._big(where, size))
        if not size:
            return Value(name, kind, b"")
        data, _end = hive.cell(where, size)
        return Value(name, kind, hive.data[data : data + size])

    def _big(self, at: int, size: int) -> bytes:
        hive = self.hive
        start, _end = hive.cell(at, 8)
        signature, count, segments = struct.unpack_from("<2sHI", hive.data, start)
        if signature != b"db":
            raise hive.damaged(at, "a value of this size has to stand in segments")
        if count != -(-size // BIG):
            raise hive.damaged(at, "the number of segments does not fit the value's size")
        place, _end = hive.cell(segments, 4 * count)
        parts = []
        for offset in struct.unpack_from(f"<{count}I", hive.data, place):
            length = min(BIG, size)
            part, _end = hive.cell(offset, length)
            parts.append(hive.data[part : part + length])
            size -= length
        return b"".join(parts)


def check(hive: Hive) -> int:
    """Read every key and every value once. Return the number of keys; raises HiveError where anything does not fit."""
    seen: set[int] = set()
    left = [hive.root]
    while left:
        key = left.pop()
        if key.offset in seen:
            raise hive.damaged(key.offset, "the key is listed twice")
        seen.add(key.offset)
        for _value in key.values():
            pass
        left += key.subkeys()
    return len(seen)
