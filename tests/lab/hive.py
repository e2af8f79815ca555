# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes registry hives and their logs from nothing, and does not use the product's code for it.

Format: "Windows registry file format specification" by Maxim Suhanov.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

Values = Mapping[str, tuple[int, bytes]]
"""Values of a key: type number and raw bytes, by name."""

SZ, EXPAND_SZ, BINARY, DWORD, MULTI_SZ = 1, 2, 3, 4, 7
SEGMENT = 16344
NOWHERE = 0xFFFFFFFF
SECURITY = bytes.fromhex(
    # O:BAG:SYD:(A;CI;KR;;;BU)(A;CI;KA;;;SY)(A;CI;KA;;;BA): users may read, as in Windows' own hives
    "010004806000000070000000000000001400000002004c00030000000002180019000200010200000000000520000000"
    "21020000000214003f000f00010100000000000512000000000218003f000f0001020000000000052000000020020000"
    "01020000000000052000000020020000010100000000000512000000"
)


def sz(text: str) -> tuple[int, bytes]:
    """Return a REG_SZ."""
    return SZ, (text + "\0").encode("utf-16-le")


def expand_sz(text: str) -> tuple[int, bytes]:
    """Return a REG_EXPAND_SZ."""
    return EXPAND_SZ, (text + "\0").encode("utf-16-le")


def dword(number: int) -> tuple[int, bytes]:
    """Return a REG_DWORD."""
    return DWORD, struct.pack("<I", number)


def build(
    keys: Mapping[str, Values],
    *,
    sequence: int = 7,
    dirty: bool = False,
    name: str = "",
    flags: int = 0,
    minor: int = 5,
) -> bytes:
    """Return a hive with these keys (paths below its root, the root itself is ""); keys above them are made."""
    cells = _Cells(minor)
    tree: dict[str, dict[str, str]] = {"": {}}
    for path in keys:
        above = ""
        for part in filter(None, path.split("\\")):
            here = f"{above}\\{part}" if above else part
            tree[above].setdefault(part, here)
            tree.setdefault(here, {})
            above = here
    security = cells.add(
        b"sk"
        + bytes(2)
        + struct.pack("<III", 0, 0, len(tree))
        + struct.pack("<I", len(SECURITY))
        + SECURITY
    )
    cells.patch(security + 8, struct.pack("<II", security, security))
    root = _key(cells, "", "", tree, keys, security, NOWHERE)
    bins = cells.finish()
    base = bytearray(4096)
    struct.pack_into(
        "<4sIIQIIIIIII",
        base,
        0,
        b"regf",
        sequence,
        sequence - dirty,
        0x01DC5C0000000000,
        1,
        minor,
        0,
        1,
        root,
        len(bins),
        1,
    )
    base[48:112] = name.encode("utf-16-le")[:64].ljust(64, b"\0")
    struct.pack_into("<I", base, 144, flags)
    return seal(bytes(base) + bins)


def seal(hive: bytes) -> bytes:
    """Return the hive with the checksum that fits its head."""
    total = 0
    for (word,) in struct.iter_unpack("<I", hive[:508]):
        total ^= word
    return (
        hive[:508] + struct.pack("<I", {0: 1, NOWHERE: NOWHERE - 1}.get(total, total)) + hive[512:]
    )


def with_own_security(hive: bytes, key: int) -> bytes:
    """Return the hive with a copy of the security descriptor for the key at this offset alone."""
    (shared,) = struct.unpack_from("<I", hive, 4096 + key + 4 + 44)
    size = -struct.unpack_from("<i", hive, 4096 + shared)[0]
    at = len(hive) - 4096
    content = bytearray(hive) + struct.pack("<4sII20x", b"hbin", at, 4096)
    content += hive[4096 + shared : 4096 + shared + size]
    content += struct.pack("<i", 4096 - 32 - size).ljust(4096 - 32 - size, b"\0")
    cell = at + 32
    (count,) = struct.unpack_from("<I", hive, 4096 + shared + 16)
    struct.pack_into("<III", content, 4096 + shared + 8, cell, cell, count - 1)
    struct.pack_into("<III", content, 4096 + cell + 8, shared, shared, 1)
    struct.pack_into("<I", content, 4096 + key + 4 + 44, cell)
    struct.pack_into("<I", content, 40, len(content) - 4096)
    return seal(bytes(content))


def dirtied(hive: bytes) -> bytes:
    """Return a clean hive as one on which a write was begun."""
    (finished,) = struct.unpack_from("<I", hive, 8)
    return seal(hive[:4] + struct.pack("<I", finished + 1) + hive[8:])


def log(hive: bytes, entries: Iterable[bytes], sequence: int) -> bytes:
    """Return a log of the new format with these entries."""
    head = bytearray(hive[:512])
    struct.pack_into("<II", head, 4, sequence, sequence)
    struct.pack_into("<I", head, 28, 6)
    return seal(bytes(head)) + b"".join(entries)


def entry(sequence: int, before: bytes, after: bytes) -> bytes:
    """Return the log entry that makes one hive of another, page by page."""
    size = len(after) - 4096
    changed = [
        at
        for at in range(0, size, 4096)
        if before[4096 + at : 8192 + at] != after[4096 + at : 8192 + at]
    ]
    body = b"".join(struct.pack("<II", at, 4096) for at in changed)
    body += b"".join(after[4096 + at : 8192 + at] for at in changed)
    body += bytes(-(40 + len(body)) % 512)
    head = struct.pack("<4sIIIII", b"HvLE", 40 + len(body), 0, sequence, size, len(changed))
    head += struct.pack("<Q", marvin(body))
    return head + struct.pack("<Q", marvin(head)) + body


def marvin(data: bytes) -> int:
    """Return the Marvin32 hash of a log entry, written after .NET's Marvin.Block (dotnet/runtime, MIT)."""

    def block(p0: int, p1: int) -> tuple[int, int]:
        p1 ^= p0
        p0 = _left(p0, 20)
        p0 = (p0 + p1) % 2**32
        p1 = _left(p1, 9)
        p1 ^= p0
        p0 = _left(p0, 27)
        p0 = (p0 + p1) % 2**32
        return p0, _left(p1, 19)

    p0, p1 = 0x82EF4D887A4E55C5 % 2**32, 0x82EF4D887A4E55C5 >> 32
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        p0, p1 = block((p0 + int.from_bytes(data[at : at + 4], "little")) % 2**32, p1)
    p0 = (p0 + int.from_bytes(data[whole:] + b"\x80", "little")) % 2**32
    p0, p1 = block(*block(p0, p1))
    return p0 + (p1 << 32)


def _left(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) % 2**32


class _Cells:
    def __init__(self, minor: int) -> None:
        self.data = bytearray(32)
        self.minor = minor

    def add(self, content: bytes) -> int:
        """Put a cell at the end and return its offset."""
        at = len(self.data)
        size = (4 + len(content) + 7) & ~7
        self.data += struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
        return at

    def patch(self, at: int, content: bytes) -> None:
        self.data[at : at + len(content)] = content

    def finish(self) -> bytes:
        left = -len(self.data) % 4096
        if left:
            self.data += struct.pack("<i", left) + bytes(left - 4)
        struct.pack_into("<4sII", self.data, 0, b"hbin", 0, len(self.data))
        return bytes(self.data)


def _key(
    cells: _Cells,
    path: str,
    name: str,
    tree: Mapping[str, Mapping[str, str]],
    keys: Mapping[str, Values],
    security: int,
    parent: int,
) -> int:
    raw, plain = _name(name or "ROOT")
    at = cells.add(bytes(76) + raw)
    below = sorted(tree[path].items(), key=lambda item: item[0].upper())
    offsets = [(_key(cells, here, part, tree, keys, security, at), part) for part, here in below]
    subkeys = NOWHERE
    if offsets:
        hashed = b"".join(struct.pack("<II", offset, _hash(part)) for offset, part in offsets)
        subkeys = cells.add(b"lh" + struct.pack("<H", len(offsets)) + hashed)
    values = [
        _value(cells, value_name, kind, data)
        for value_name, (kind, data) in keys.get(path, {}).items()
    ]
    value_list = (
        cells.add(b"".join(struct.pack("<I", value) for value in values)) if values else NOWHERE
    )
    flags = (0x20 if plain else 0) | (0 if path else 0x0C)
    record = struct.pack(
        "<2sHQIIIIIIIIIIIIIIIHH", b"nk", flags, 0x01DC5C0000000000, 0, parent, len(offsets), 0, subkeys, NOWHERE,
        len(values), value_list, security, NOWHERE, 512, 0, 512, 1 << 20, 0, len(raw), 0,
    )  # fmt: skip
    cells.patch(at + 4, record)
    return at


def _value(cells: _Cells, name: str, kind: int, data: bytes) -> int:
    raw, plain = _name(name)
    size, where = len(data), 0
    if size <= 4:
        size, where = size | 0x80000000, int.from_bytes(data.ljust(4, b"\0"), "little")
    elif size > SEGMENT and cells.minor >= 4:
        parts = [cells.add(data[at : at + SEGMENT]) for at in range(0, size, SEGMENT)]
        segments = cells.add(b"".join(struct.pack("<I", part) for part in parts))
        where = cells.add(b"db" + struct.pack("<HI", len(parts), segments))
    else:
        where = cells.add(data)
    return cells.add(
        b"vk" + struct.pack("<HIIIHH", len(raw), size, where, kind, 1 if plain else 0, 0) + raw
    )


def _name(name: str) -> tuple[bytes, bool]:
    try:
        return name.encode("latin-1"), True
    except UnicodeEncodeError:
        return name.encode("utf-16-le", "surrogatepass"), False


def _hash(name: str) -> int:
    total = 0
    for letter in name.upper():
        total = (total * 37 + ord(letter)) % 2**32
    return total
