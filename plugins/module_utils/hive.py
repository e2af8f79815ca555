# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reads a registry hive (the file format regf), standard library only.

Format: "Windows registry file format specification" by Maxim Suhanov (github.com/msuhanov/regf),
which the names follow. All offsets in a hive are relative to the end of its base block. Nothing is
trusted: every offset and size is checked, and what does not fit raises HiveError.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import ModuleError
from .names import fold

BASE_BLOCK = 4096
PAGE = 4096
MAX_CELL = 16344
"""Bytes of a value in one cell; a larger one is cut into segments of this size, from version 1.4 on."""
MAX_HIVE = 2 * 1024 * 1024 * 1024
"""Windows' own limit for a hive."""
NO_OFFSET = 0xFFFFFFFF
_IN_RECORD = 0x80000000
"""In the size of a value: its data is in the record itself."""
MAX_DEPTH = 512
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
_UINT32 = struct.Struct("<I")
_LIST = struct.Struct("<2sH")
_LIST_STEPS = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}
"""The lists of subkeys, and how many bytes an entry takes; ri is a list of lists."""


class HiveError(ModuleError):
    """A hive cannot be read. The text names the hive, what is wrong and, if possible, what to do."""


@dataclass(frozen=True)
class BaseBlock:
    """The head of a hive or of its log.

    sequence and finished differ while a write is not finished. transaction_logs are the ids after
    which the logs of the hive's transactions are named: the resource manager's, the transaction
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
        """Read the first 512 bytes. Raises HiveError where they are not a base block."""
        if len(data) < 512 or data[:4] != b"regf":
            raise HiveError(f"{title} is not a registry hive: it does not begin with regf")
        sequence, finished, _when, major, minor, kind, layout, root, size = struct.unpack_from(
            "<IIQIIIIII", data, 4
        )
        if major != 1 or not 2 <= minor <= 6 or layout != 1:
            raise HiveError(
                f"{title}: hive version {major}.{minor}, format {layout} is not supported; "
                "1.2 to 1.6, format 1 are"
            )
        return cls(
            sequence,
            finished,
            kind,
            (major, minor),
            root,
            size,
            data[48:112].decode("utf-16-le", "replace").partition("\0")[0],
            _UINT32.unpack_from(data, 144)[0],
            (str(uuid.UUID(bytes_le=data[128:144])), str(uuid.UUID(bytes_le=data[148:164]))),
            checksum(data) == _UINT32.unpack_from(data, 508)[0],
        )

    @property
    def dirty(self) -> bool:
        """Whether the newest data may be in the logs only."""
        return self.sequence != self.finished or not self.checksum_fits


def checksum(data: bytes | bytearray) -> int:
    """Return the checksum of a base block: its first 127 words, exclusive or; 0 and -1 are never written."""
    total = 0
    for word in struct.unpack_from("<127I", data):
        total ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)


@dataclass(frozen=True)
class HiveValue:
    """A value as it is stored: type is the number (1 is REG_SZ), data the raw bytes."""

    name: str
    type: int
    data: bytes


@dataclass(frozen=True)
class Entry:
    """A key in its parent's list of subkeys: the list's kind (``lh``) and the hint beside it there."""

    key: HiveKey
    kind: bytes
    hint: bytes


class Hive:
    """A hive in memory. title is what errors call it. A dirty hive must be replayed first (hive_log)."""

    def __init__(self, data: bytes, title: str) -> None:
        self.data = data
        self.title = title
        self.base = BaseBlock.parse(data, title)
        if self.base.kind != PRIMARY:
            raise HiveError(f"{title} is the log of a hive, not a hive")
        if self.base.dirty:
            raise HiveError(f"{title} is dirty: its newest data may be in its logs")
        self._end = self.base.size
        if not 0 < self._end <= MAX_HIVE or self._end % PAGE or BASE_BLOCK + self._end > len(data):
            raise HiveError(
                f"{title} is cut off or damaged: its head announces {self._end} bytes of data, and "
                f"there are {max(0, len(data) - BASE_BLOCK)}"
            )
        self._check_bins()
        self.root = HiveKey(self, self.base.root, 0)

    def _check_bins(self) -> None:
        position = 0
        while position < self._end:
            head = BASE_BLOCK + position
            signature, offset, size = struct.unpack_from("<4sII", self.data, head)
            aligned = size > 0 and size % PAGE == 0 and position + size <= self._end
            if signature != b"hbin" or offset != position or not aligned:
                raise self.damaged(position, "there is no valid hive bin")
            position += size

    def damaged(self, offset: int, what: str) -> HiveError:
        """Return the error for an offset at which something is wrong."""
        return HiveError(f"{self.title} is damaged at {BASE_BLOCK + offset:#x}: {what}")

    def cell(self, offset: int, least: int) -> tuple[int, int]:
        """Return where in the data the content of a cell begins and ends.

        Raises HiveError where it has less than so many bytes.
        """
        if offset % 8 or offset + 4 > self._end:
            raise self.damaged(offset, "there is no cell")
        size = -_CELL.unpack_from(self.data, BASE_BLOCK + offset)[0]
        if size < 4 + least or offset + size > self._end:
            raise self.damaged(offset, "the cell is free, too small, or goes beyond the end")
        return BASE_BLOCK + offset + 4, BASE_BLOCK + offset + size

    def security(self, offset: int) -> bytes:
        """Return the security descriptor of a cell, as it is stored."""
        start, end = self.cell(offset, 20)
        if self.data[start : start + 2] != b"sk":
            raise self.damaged(offset, "a security descriptor is expected there")
        size = _UINT32.unpack_from(self.data, start + 16)[0]
        if start + 20 + size > end:
            raise self.damaged(offset, "the security descriptor goes beyond its cell")
        return self.data[start + 20 : start + 20 + size]

    def find(self, path: str) -> HiveKey | None:
        r"""Return the key at a path below the root (``Select``, ``ControlSet001\\Control``), or None."""
        key: HiveKey | None = self.root
        for name in path.split("\\"):
            if name and key is not None:
                key = key.subkey(name)
        return key

    def text(self, start: int, size: int, ascii_only: bool) -> str:
        """Return a name; half of a surrogate pair is kept as it is."""
        raw = self.data[start : start + size]
        if ascii_only:
            return raw.decode("latin-1")
        return raw[: size & ~1].decode("utf-16-le", "surrogatepass")


class HiveKey:
    """A key node (nk)."""

    __slots__ = (
        "_class", "_class_size", "_subkey_count", "_subkey_list", "_value_count", "_value_list", "depth",
        "flags", "hive", "name", "offset", "security_cell", "written",
    )  # fmt: skip

    def __init__(self, hive: Hive, offset: int, depth: int) -> None:
        start, end = hive.cell(offset, _NK.size)
        (
            signature, self.flags, self.written, _access, _parent, self._subkey_count, _volatile, self._subkey_list, _volatile_list,
            self._value_count, self._value_list, self.security_cell, self._class, _a, _b, _c, _d, _work, name_size, self._class_size,
        ) = _NK.unpack_from(hive.data, start)  # fmt: skip
        if signature != b"nk":
            raise hive.damaged(offset, "a key is expected there")
        if start + _NK.size + name_size > end:
            raise hive.damaged(offset, "the key's name goes beyond its cell")
        if depth > MAX_DEPTH:
            raise hive.damaged(offset, f"keys are nested more than {MAX_DEPTH} deep")
        self.hive, self.offset, self.depth = hive, offset, depth
        self.name = hive.text(start + _NK.size, name_size, bool(self.flags & ASCII_KEY))

    @property
    def is_link(self) -> bool:
        """Whether the key only points to another one."""
        return bool(self.flags & LINK_KEY)

    @property
    def security(self) -> bytes:
        """The security descriptor, as it is stored."""
        return self.hive.security(self.security_cell)

    @property
    def class_name(self) -> bytes:
        """The class name, as it is stored."""
        if self._class == NO_OFFSET or not self._class_size:
            return b""
        start, _end = self.hive.cell(self._class, self._class_size)
        return self.hive.data[start : start + self._class_size]

    def subkeys(self) -> Iterator[HiveKey]:
        """Return the subkeys in their order."""
        for entry in self.entries():
            yield entry.key

    def entries(self) -> Iterator[Entry]:
        """Return the subkeys in their order, with what their list says about each."""
        if not self._subkey_count:
            return
        count = 0
        # No key and no list of keys is in a list twice: a few bytes could name millions.
        offsets: set[int] = set()
        for offset, kind, hint in self._listed(self._subkey_list, root=True):
            count += 1
            if count > self._subkey_count:
                break
            if offset in offsets:
                raise self.hive.damaged(offset, "the key is listed twice")
            offsets.add(offset)
            yield Entry(HiveKey(self.hive, offset, self.depth + 1), kind, hint)
        if count != self._subkey_count:
            raise self.hive.damaged(self.offset, "the number of subkeys and their list differ")

    def subkey(self, name: str) -> HiveKey | None:
        """Return the subkey with this name, as Windows compares names; None where it does not exist."""
        folded = fold(name)
        for key in self.subkeys():
            if fold(key.name) == folded:
                return key
        return None

    def _listed(self, offset: int, *, root: bool) -> Iterator[tuple[int, bytes, bytes]]:
        hive = self.hive
        start, end = hive.cell(offset, 4)
        kind, count = _LIST.unpack_from(hive.data, start)
        step = _LIST_STEPS.get(kind)
        if step is None or (kind == b"ri" and not root):
            raise hive.damaged(offset, "a list of subkeys is expected there")
        start += 4
        stop = start + step * count
        if stop > end:
            raise hive.damaged(offset, "the list of subkeys goes beyond its cell")
        lists: set[int] = set()
        for position in range(start, stop, step):
            target = _UINT32.unpack_from(hive.data, position)[0]
            if kind == b"ri":
                if target in lists:
                    raise hive.damaged(target, "the list of subkeys is listed twice")
                lists.add(target)
                yield from self._listed(target, root=False)
            else:
                yield target, kind, hive.data[position + 4 : position + step]

    def values(self) -> Iterator[HiveValue]:
        """Return the values in their order; the default value has the name "" ."""
        if not self._value_count:
            return
        hive = self.hive
        start, end = hive.cell(self._value_list, 4)
        if start + 4 * self._value_count > end:
            raise hive.damaged(self._value_list, "the list of values goes beyond its cell")
        for offset in struct.unpack_from(f"<{self._value_count}I", hive.data, start):
            yield self._value(offset)

    def _value(self, offset: int) -> HiveValue:
        hive = self.hive
        start, end = hive.cell(offset, _VK.size)
        signature, name_size, size, data_offset, kind, flags, _spare = _VK.unpack_from(
            hive.data, start
        )
        name_start = start + _VK.size
        if signature != b"vk" or name_start + name_size > end:
            raise hive.damaged(offset, "a value is expected there")
        name = hive.text(name_start, name_size, bool(flags & ASCII_VALUE))
        if size & _IN_RECORD:
            size &= ~_IN_RECORD
            if size > 4:
                raise hive.damaged(offset, "more than 4 bytes do not fit into a value's record")
            data = hive.data[start + 8 : start + 8 + size]
        elif not size:
            data = b""
        elif size > MAX_CELL and hive.base.version >= (1, 4):
            data = self._segments(data_offset, size)
        else:
            data_start, _end = hive.cell(data_offset, size)
            data = hive.data[data_start : data_start + size]
        return HiveValue(name, kind, data)

    def _segments(self, offset: int, size: int) -> bytes:
        hive = self.hive
        start, _end = hive.cell(offset, 8)
        signature, count, segments = struct.unpack_from("<2sHI", hive.data, start)
        if signature != b"db":
            raise hive.damaged(offset, "a value of this size has to be in segments")
        if count != -(-size // MAX_CELL):
            raise hive.damaged(offset, "the number of segments does not fit the value's size")
        list_start, _end = hive.cell(segments, 4 * count)
        parts = []
        numbers = struct.unpack_from(f"<{count}I", hive.data, list_start)
        if len(set(numbers)) != count:
            raise hive.damaged(segments, "a segment is listed twice")
        for segment in numbers:
            length = min(MAX_CELL, size)
            part, _end = hive.cell(segment, length)
            parts.append(hive.data[part : part + length])
            size -= length
        return b"".join(parts)


def check(hive: Hive) -> int:
    """Read every key and every value once. Return the number of keys. Raises HiveError."""
    offsets: set[int] = set()
    pending = [hive.root]
    while pending:
        key = pending.pop()
        if key.offset in offsets:
            raise hive.damaged(key.offset, "the key is listed twice")
        offsets.add(key.offset)
        for _value in key.values():
            pass
        pending += key.subkeys()
    return len(offsets)
