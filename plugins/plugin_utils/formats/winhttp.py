# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinHTTP's machine-wide proxy: the value WinHttpSettings, REG_BINARY.

The layout is the one that netsh writes and Wine's winhttp reads: little-endian u32 version (0x18), u32 0, u32 flags
(1 direct, 3 proxy), u32 length and proxy, u32 length and bypass list, both ASCII. Newer Windows knows a version 0x28, of
which no layout is published: it is reported, not read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .wininet import DIRECT, PROXY, BlobError, read_texts, write_texts

VALUE = "WinHttpSettings"
KEYS = (
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
)
"""The keys of 64-bit and of 32-bit programs. netsh writes both."""

VERSION = 0x18
_HEAD = struct.Struct("<III")


@dataclass(frozen=True)
class WinHttpSettings:
    """One blob: an empty server is direct access. tail is what follows, kept as it is."""

    server: str = ""
    bypass: str = ""
    flags: int = DIRECT
    reserved: int = 0
    tail: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> WinHttpSettings:
        """Read a blob. Raises BlobError."""
        if len(raw) < _HEAD.size:
            raise BlobError(f"{len(raw)} bytes, at least {_HEAD.size} are needed")
        version, reserved, flags = _HEAD.unpack_from(raw)
        if version != VERSION:
            raise BlobError(f"offset 0: version 0x{version:x} is not known")
        (server, bypass), at = read_texts(raw, _HEAD.size, ("proxy", "bypass list"))
        return cls(server, bypass, flags, reserved, raw[at:])

    def write(self) -> bytes:
        """Return the blob. Raises BlobError where a text is not ASCII."""
        return (
            _HEAD.pack(VERSION, self.reserved, self.flags)
            + write_texts(self.server, self.bypass)
            + self.tail
        )


def compose(server: str, bypass: str) -> bytes:
    """Return the blob that netsh writes for this proxy; without a server, for direct access."""
    return WinHttpSettings(server, bypass, DIRECT | PROXY if server else DIRECT).write()
