# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's connection settings: the values DefaultConnectionSettings and SavedLegacySettings, REG_BINARY.

Microsoft does not document the layout; it is the one that independent programs read and write, and that eleven real user
hives hold: little-endian u32 version (0x46, older 0x3C), u32 counter, u32 flags, then three times u32 length and bytes
(proxy, bypass list, PAC URL), then a tail for automatic detection that is kept as it is. The tail begins with u32 flags and,
as u32 length and bytes, the address of the script that automatic detection found last.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass

from ..errors import ETS6Error

VALUES = ("DefaultConnectionSettings", "SavedLegacySettings")
"""Names of the two values, below the subkey Connections. Windows keeps them alike."""

DIRECT, PROXY, PAC, AUTODETECT = 1, 2, 4, 8
VERSION = 0x46
TAIL = bytes(32)
"""The tail of the smallest real blob: no automatic detection has taken place yet."""

_HEAD = struct.Struct("<III")
_LENGTH = struct.Struct("<I")


class BlobError(ETS6Error):
    """The bytes are not of this layout. The text says at which offset and what was found."""


@dataclass(frozen=True)
class ConnectionSettings:
    """One blob. Texts are the bytes as latin-1, so that writing gives back what was read."""

    flags: int
    proxy: str = ""
    bypass: str = ""
    pac_url: str = ""
    counter: int = 0
    version: int = VERSION
    tail: bytes = TAIL

    @classmethod
    def parse(cls, raw: bytes) -> ConnectionSettings:
        """Read a blob. Raises BlobError."""
        if len(raw) < _HEAD.size:
            raise BlobError(f"{len(raw)} bytes, at least {_HEAD.size} are needed")
        version, counter, flags = _HEAD.unpack_from(raw)
        if version not in (0x3C, VERSION):
            raise BlobError(f"offset 0: version 0x{version:x} is not known")
        (proxy, bypass, pac_url), at = read_texts(
            raw, _HEAD.size, ("proxy", "bypass list", "PAC URL")
        )
        return cls(flags, proxy, bypass, pac_url, counter, version, raw[at:])

    def write(self) -> bytes:
        """Return the blob. Raises BlobError where a text has characters that the format cannot hold."""
        head = _HEAD.pack(self.version, self.counter, self.flags)
        return head + write_texts(self.proxy, self.bypass, self.pac_url) + self.tail

    @property
    def detected_script(self) -> str:
        """The address of the script that automatic detection found last; empty where the tail holds none."""
        try:
            return read_texts(self.tail, _LENGTH.size, ("last script",))[0][0]
        except BlobError:
            return ""

    def changed(self, flags: int, proxy: str, bypass: str, pac_url: str) -> ConnectionSettings:
        """Return the settings that Windows would write next: the counter is one up, version and tail stay."""
        counter = (self.counter + 1) & 0xFFFFFFFF
        return dataclasses.replace(
            self, flags=flags, proxy=proxy, bypass=bypass, pac_url=pac_url, counter=counter
        )


def read_texts(raw: bytes, at: int, names: tuple[str, ...]) -> tuple[list[str], int]:
    """Read a length and as many bytes for each name, from offset at. Return the texts and the offset behind them. Raises BlobError."""
    texts = []
    for name in names:
        if at + _LENGTH.size > len(raw):
            raise BlobError(f"offset {at}: the length of the {name} is missing")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if length > len(raw) - at:
            raise BlobError(
                f"offset {at}: the {name} should have {length} bytes, {len(raw) - at} are left"
            )
        texts.append(raw[at : at + length].decode("latin-1"))
        at += length
    return texts, at


def write_texts(*texts: str) -> bytes:
    """Return each text behind its length. Raises BlobError where one has characters that the format cannot hold."""
    parts = []
    for content in texts:
        try:
            raw = content.encode("latin-1")
        except UnicodeEncodeError:
            raise BlobError(f"{content!r} has characters beyond Latin-1") from None
        parts += [_LENGTH.pack(len(raw)), raw]
    return b"".join(parts)
