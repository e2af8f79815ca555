# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Lets only SYSTEM and Administrators open keys of a hive.

hivex gives a new key the security descriptor of the key above it, and cannot write another one.
Format: "Windows registry file format specification" by Maxim Suhanov, "Key security". Keys with the
same security descriptor share its cell, which counts them. These cells form a ring: each has the
offsets of the next and of the previous one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from .hive import BASE_BLOCK, PAGE, Hive, HiveKey, checksum

RESTRICTED = bytes.fromhex(
    "01000490480000005800000000000000140000000200340002000000000214003f000f00010100000000000512000000"
    "000218003f000f0001020000000000052000000020020000010200000000000520000000200200000101000000000005"
    "12000000"
)
"""The security descriptor O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA), self-relative (MS-DTYP 2.4.6)."""

_CHECKSUM_OFFSET = 508
_SIZE_OFFSET = 40
"""Where the head of a hive has the bytes of its bins."""
_KEY_SECURITY_OFFSET = 44
"""Where the record of a key has the offset of its security descriptor's cell."""
_BIN = struct.Struct("<4sII20x")
_CELL = struct.Struct("<i")
_SECURITY = struct.Struct("<2s2xIIII")
_UINT32 = struct.Struct("<I")
_NEXT, _PREVIOUS, _COUNT = 4, 8, 12
"""Where a descriptor's cell has the next one, the previous one, and how many keys share it."""


def restrict(data: bytes, title: str, paths: Sequence[str]) -> bytes:
    """Return the hive with these keys for SYSTEM and Administrators only.

    Keys that are missing are left out. Raises HiveError.
    """
    hive = Hive(data, title)
    keys = []
    for path in paths:
        key = hive.find(path)
        if key is not None and key.security != RESTRICTED:
            keys.append(key)
    if not keys:
        return data
    content = bytearray(data)
    cell = _existing_cell(hive)
    if cell is None:
        cell = _append_cell(hive, content)
    for key in keys:
        _move(hive, content, key, cell)
    return bytes(content)


def _existing_cell(hive: Hive) -> int | None:
    """Return the cell of the descriptor, where the hive has it."""
    cell: int = hive.root.security_cell
    seen: set[int] = set()
    while cell not in seen:
        seen.add(cell)
        if hive.security(cell) == RESTRICTED:
            return cell
        start, _end = hive.cell(cell, _SECURITY.size)
        cell = _UINT32.unpack_from(hive.data, start + _NEXT)[0]
    return None


def _append_cell(hive: Hive, content: bytearray) -> int:
    """Add a bin with the descriptor's cell to the end, and the cell to the ring; return its offset."""
    size = hive.base.size
    cell = size + _BIN.size
    root_cell = hive.root.security_cell
    hive.cell(root_cell, _SECURITY.size)
    following = _read(content, root_cell, _NEXT)
    hive.cell(following, _SECURITY.size)
    record = _SECURITY.pack(b"sk", following, root_cell, 0, len(RESTRICTED)) + RESTRICTED
    cell_size = (_CELL.size + len(record) + 7) & ~7
    added = _BIN.pack(b"hbin", size, PAGE) + _CELL.pack(-cell_size)
    added += record.ljust(cell_size - _CELL.size, b"\0")
    added += _CELL.pack(PAGE - len(added))
    content[BASE_BLOCK + size :] = added.ljust(PAGE, b"\0")
    _write(content, root_cell, _NEXT, cell)
    _write(content, following, _PREVIOUS, cell)
    _UINT32.pack_into(content, _SIZE_OFFSET, size + PAGE)
    _UINT32.pack_into(content, _CHECKSUM_OFFSET, checksum(content))
    return cell


def _move(hive: Hive, content: bytearray, key: HiveKey, cell: int) -> None:
    """Have a key share another descriptor. The one that it had goes where no other key shares it."""
    _add(content, cell, 1)
    if _add(content, key.security_cell, -1) <= 0:
        _free(hive, content, key.security_cell)
    position = BASE_BLOCK + key.offset + _CELL.size + _KEY_SECURITY_OFFSET
    _UINT32.pack_into(content, position, cell)


def _free(hive: Hive, content: bytearray, cell: int) -> None:
    """Take a security descriptor's cell out of the ring, and mark it as free."""
    following, previous = _read(content, cell, _NEXT), _read(content, cell, _PREVIOUS)
    changed = Hive(bytes(content), hive.title)
    for neighbour in (following, previous):
        changed.cell(neighbour, _SECURITY.size)
    _write(content, following, _PREVIOUS, previous)
    _write(content, previous, _NEXT, following)
    size = _CELL.unpack_from(content, BASE_BLOCK + cell)[0]
    _CELL.pack_into(content, BASE_BLOCK + cell, -size)


def _add(content: bytearray, cell: int, number: int) -> int:
    """Change by how many keys a security descriptor is shared; return the result."""
    count = max(0, _read(content, cell, _COUNT) + number)
    _write(content, cell, _COUNT, count)
    return count


def _read(content: bytearray, cell: int, offset: int) -> int:
    return int(_UINT32.unpack_from(content, BASE_BLOCK + cell + _CELL.size + offset)[0])


def _write(content: bytearray, cell: int, offset: int, number: int) -> None:
    _UINT32.pack_into(content, BASE_BLOCK + cell + _CELL.size + offset, number)
