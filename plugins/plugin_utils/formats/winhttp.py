# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinHTTP's machine-wide proxy: the value WinHttpSettings, REG_BINARY.

The layout is the one that netsh writes and Wine's winhttp reads: little-endian u32 version, u32 0,
u32 flags (1 direct, 3 proxy), u32 length and proxy, u32 length and bypass list, both ASCII. The
version is 0x28 in the key of 64-bit programs and 0x18 in that of 32-bit ones in what administrators
published; Microsoft's own page on WinHTTP by Group Policy prints 0x18 under the 64-bit path. So any
version from 0x18 up is read, and what was read is written again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .wininet import DIRECT, PROXY, BlobError, write_texts

VALUE = "WinHttpSettings"
KEYS = (
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
)
"""The keys of 64-bit and of 32-bit programs."""

VERSIONS = dict(zip(KEYS, (0x28, 0x18), strict=True))
"""The version that is written where none was."""
OLDEST_VERSION = 0x18

_HEAD = struct.Struct("<III")
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class WinHttpSettings:
    """One blob: an empty server is direct access. tail is what follows, kept as it is."""

    server: str = ""
    bypass: str = ""
    flags: int = DIRECT
    version: int = VERSIONS[KEYS[0]]
    reserved: int = 0
    tail: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> WinHttpSettings:
        """Read a blob. Raises BlobError."""
        if len(raw) < _HEAD.size:
            raise BlobError(f"{len(raw)} bytes, at least {_HEAD.size} are needed")
        version, reserved, flags = _HEAD.unpack_from(raw)
        if version < OLDEST_VERSION:
            raise BlobError(f"offset 0: version 0x{version:x} is not known")
        server, offset = _read_text(raw, _HEAD.size, "proxy")
        bypass, offset = _read_text(raw, offset, "bypass list")
        return cls(server, bypass, flags, version, reserved, raw[offset:])

    def write(self) -> bytes:
        """Return the blob. Raises BlobError where a text is not ASCII."""
        head = _HEAD.pack(self.version, self.reserved, self.flags)
        return head + write_texts(self.server, self.bypass) + self.tail


def compose(server: str, bypass: str, version: int) -> bytes:
    """Return the blob that netsh writes for this proxy; without a server, for direct access."""
    flags = DIRECT | PROXY if server else DIRECT
    return WinHttpSettings(server, bypass, flags, version).write()


def version_of(raw: bytes) -> int | None:
    """Return the version of a blob; None where it cannot be read."""
    try:
        return WinHttpSettings.parse(raw).version
    except BlobError:
        return None


def _read_text(raw: bytes, offset: int, name: str) -> tuple[str, int]:
    """Return the text behind the length at an offset, and the offset that follows it."""
    start = offset + _LENGTH.size
    if len(raw) < start:
        raise BlobError(f"offset {offset}: the length of the {name} is missing")
    length = _LENGTH.unpack_from(raw, offset)[0]
    if length > len(raw) - start:
        raise BlobError(
            f"offset {start}: the {name} should have {length} bytes, {len(raw) - start} are left"
        )
    return raw[start : start + length].decode("latin-1"), start + length
