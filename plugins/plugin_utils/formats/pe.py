# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The beginning of a Windows program: whether it runs as a 32-bit or a 64-bit process.

Microsoft Learn, "PE Format"; the flags of a .NET program are those of ECMA-335, II.25.3.3. A .NET
program that is compiled for any processor has the machine type of a 32-bit one and runs as a 64-bit
process on 64-bit Windows, unless its flags require or prefer 32 bits.
"""

from __future__ import annotations

import struct

HEAD_BYTES = 1024
"""So much of a file is enough, where its CLI header is at the beginning of the first section."""

_MACHINE_I386, _MACHINE_AMD64, _MACHINE_ARM64 = 0x14C, 0x8664, 0xAA64
_PE32_MAGIC = 0x10B
_CLI_DIRECTORY = 14
_DIRECTORIES_OFFSET = 96
_IL_ONLY, _REQUIRES_32_BITS, _PREFERS_32_BITS = 0x1, 0x2, 0x20000


def bitness_on_64_bit_windows(head: bytes) -> int | None:
    """Return 32 or 64; None where the bytes do not tell."""
    try:
        return _bitness(head)
    except struct.error:
        return None


def _bitness(head: bytes) -> int | None:
    if head[:2] != b"MZ":
        return None
    start = struct.unpack_from("<I", head, 0x3C)[0]
    signature, machine, sections = struct.unpack_from("<4sHH", head, start)
    if signature != b"PE\0\0":
        return None
    if machine in (_MACHINE_AMD64, _MACHINE_ARM64):
        return 64
    optional_header = start + 24
    if machine != _MACHINE_I386 or _number(head, optional_header, "<H") != _PE32_MAGIC:
        return None
    directory = optional_header + _DIRECTORIES_OFFSET + 8 * _CLI_DIRECTORY
    address = _number(head, directory, "<I")
    if address == 0:
        return 32
    section_table = optional_header + _number(head, start + 20, "<H")
    offset = _file_offset(head, section_table, sections, address)
    if offset is None:
        return None
    flags = _number(head, offset + 16, "<I")
    if flags & (_REQUIRES_32_BITS | _PREFERS_32_BITS) or not flags & _IL_ONLY:
        return 32
    return 64


def _file_offset(head: bytes, section_table: int, sections: int, address: int) -> int | None:
    """Return the offset in the file of an address in memory."""
    for index in range(sections):
        size, begin, _raw_size, raw_begin = struct.unpack_from(
            "<IIII", head, section_table + 40 * index + 8
        )
        if begin <= address < begin + size:
            return int(raw_begin + address - begin)
    return None


def _number(head: bytes, offset: int, layout: str) -> int:
    return int(struct.unpack_from(layout, head, offset)[0])
