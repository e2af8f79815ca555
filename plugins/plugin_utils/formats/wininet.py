# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's connection settings: the values DefaultConnectionSettings and SavedLegacySettings, REG_BINARY.

Microsoft does not document the layout. It is the one that independent programs read and write, and
that eleven real user hives hold: little-endian u32 version (0x46, older 0x3C), u32 counter, u32 flags,
then three times u32 length and bytes (proxy, bypass list, PAC URL), then a tail for automatic
detection that is kept as it is. The tail begins with u32 flags and, as u32 length and bytes, the
address of the script that automatic detection found last.

A blob is read as tolerantly as .NET Framework does (reference source, _RegBlobWebProxyDataBuilder):
numbers that are missing are 0, a text that is too long reaches to the end, a text ends at its first
NUL, and a version below 0x3C means automatic detection.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass

from ..errors import ETS6Error

VALUES = ("DefaultConnectionSettings", "SavedLegacySettings")
"""Names of the two values, below the subkey Connections."""

DIRECT, PROXY, PAC, AUTODETECT = 1, 2, 4, 8
OLDEST_VERSION = 0x3C
VERSION = 0x46
TAIL = bytes(32)
"""The tail of the smallest real blob: no automatic detection has taken place yet."""

_HEAD = struct.Struct("<III")
_LENGTH = struct.Struct("<I")
_SIGNED_LENGTH = struct.Struct("<i")


class BlobError(ETS6Error):
    """Bytes are not of the layout, or a text does not fit into it. The text says where and what."""


@dataclass(frozen=True)
class ConnectionSettings:
    """One blob. Texts are the bytes as latin-1, so that writing returns what was read."""

    flags: int
    proxy: str = ""
    bypass: str = ""
    pac_url: str = ""
    counter: int = 0
    version: int = VERSION
    tail: bytes = TAIL

    @classmethod
    def parse(cls, raw: bytes) -> ConnectionSettings:
        """Read a blob. Any bytes are one."""
        version, counter, flags = _HEAD.unpack(raw[: _HEAD.size].ljust(_HEAD.size, b"\0"))
        if version < OLDEST_VERSION:
            return cls(DIRECT | AUTODETECT, counter=counter)
        proxy, offset = _read_text(raw, _HEAD.size)
        bypass, offset = _read_text(raw, offset)
        pac_url, offset = _read_text(raw, offset)
        return cls(flags, proxy, bypass, pac_url, counter, version, raw[offset:] or TAIL)

    def write(self) -> bytes:
        """Return the blob. Raises BlobError where a text has characters that it cannot hold."""
        head = _HEAD.pack(self.version, self.counter, self.flags)
        return head + write_texts(self.proxy, self.bypass, self.pac_url) + self.tail

    @property
    def detected_script(self) -> str:
        """The address of the script that automatic detection found last; empty without any."""
        return _read_text(self.tail, _LENGTH.size)[0]

    def changed(self, flags: int, proxy: str, bypass: str, pac_url: str) -> ConnectionSettings:
        """Return the settings that Windows would write next.

        The counter is one higher, version and tail stay.
        """
        counter = (self.counter + 1) & 0xFFFFFFFF
        return dataclasses.replace(
            self, flags=flags, proxy=proxy, bypass=bypass, pac_url=pac_url, counter=counter
        )


MISSING = ConnectionSettings(DIRECT | AUTODETECT)
"""What a missing blob means to .NET Framework (reference source, _WinHttpWebProxyDataBuilder)."""


def write_texts(*texts: str) -> bytes:
    """Return each text behind its length.

    Raises BlobError where one has characters that the format cannot hold.
    """
    parts = []
    for content in texts:
        try:
            raw = content.encode("latin-1")
        except UnicodeEncodeError:
            raise BlobError(f"{content!r} has characters beyond Latin-1") from None
        parts += [_LENGTH.pack(len(raw)), raw]
    return b"".join(parts)


def _read_text(raw: bytes, offset: int) -> tuple[str, int]:
    """Return the text behind the length at an offset, and the offset that follows it."""
    start = offset + _LENGTH.size
    if len(raw) < start:
        return "", len(raw)
    length = max(0, _SIGNED_LENGTH.unpack_from(raw, offset)[0])
    end = min(start + length, len(raw))
    content = raw[start:end].partition(b"\0")[0]
    return content.decode("latin-1"), end
