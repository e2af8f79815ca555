# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Replays the logs of a dirty hive in memory, as Windows 8.1 and newer do at the next start (HvLE).

Format: "Windows registry file format specification" by Maxim Suhanov, "New format" of transaction log
files. Windows applies what it can and drops the rest without a word; here the logs are complete and
consistent or the hive is refused:

* both logs are there and have a valid head, unless the first entry follows the hive's last finished
  write at once;
* entries are numbered without a gap, from the older log to the newer one, and both their hashes fit;
* no entry with the next number is torn; what follows the last one is of an earlier round;
* the resulting hive can be read, every key and every value.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from . import hive
from .hive import BASE_BLOCK, PAGE, BaseBlock, Hive, HiveError

SEED = 0x82EF4D887A4E55C5
HEAD = 40
SECTOR = 512
HOW_TO_CLEAN = (
    "Load and unload it in Windows, with its logs beside it (reg load HKLM\\image FILE, then reg unload "
    "HKLM\\image): this does not start the image. Only if the image was not generalized (Sysprep), you "
    "can start it instead, and shut it down fully (shutdown /s /t 0)."
)


@dataclass(frozen=True)
class LogEntry:
    """One log entry: pages to be written, and how large the hive's data is after that."""

    sequence: int
    size: int
    pages: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Log:
    """The entries of one log that belong together. An unused or damaged log has no base."""

    title: str
    base: BaseBlock | None
    entries: tuple[LogEntry, ...]

    def continues(self, primary: BaseBlock) -> bool:
        """Return whether the log has entries that are not in the hive yet."""
        if self.base is None or not self.entries:
            return False
        return self.base.sequence >= primary.finished


def replay(primary: bytes, logs: Mapping[str, bytes], title: str) -> Hive:
    """Return the hive as its logs bring it up to date. A clean hive is returned as it is.

    logs: content by title, LOG1 and LOG2, those that are there. Raises HiveError.
    """
    base = BaseBlock.parse(primary, title)
    if not base.dirty:
        return Hive(primary, title)
    if not base.checksum_fits:
        raise _refusal(
            f"{title} is dirty and the checksum of its head does not fit, so its logs cannot be assigned"
        )
    if not any(logs.values()):
        raise _refusal(f"{title} is dirty and its logs (.LOG1, .LOG2) are not beside it, or empty")
    parsed = [_parse_log(content, name, base) for name, content in logs.items()]
    entries = _usable_entries(parsed, base, title)
    try:
        replayed = Hive(_apply(primary, entries), title)
        hive.check(replayed)
    except HiveError as error:
        raise _refusal(
            f"{title} is dirty, and with its logs it is not a valid hive ({error})"
        ) from None
    return replayed


def _refusal(problem: str) -> HiveError:
    return HiveError(f"{problem}. {HOW_TO_CLEAN}")


def _usable_entries(logs: Sequence[Log], base: BaseBlock, title: str) -> list[LogEntry]:
    """Return the entries that continue a hive, in order. Raises HiveError where one may be missing."""
    usable = [log for log in logs if log.continues(base)]
    if not usable:
        raise _refusal(f"{title} is dirty and its logs hold nothing newer than itself")
    usable.sort(key=lambda log: log.entries[0].sequence)
    entries = list(itertools.chain.from_iterable(log.entries for log in usable))
    _refuse_gap(entries, title)
    readable = len([log for log in logs if log.base is not None])
    if entries[0].sequence != base.finished and readable < 2:
        raise _refusal(
            f"{title} is dirty and one of its logs is missing or unreadable: the other one begins at "
            f"{entries[0].sequence}, the hive ends at {base.finished}"
        )
    return entries


def _refuse_gap(entries: Sequence[LogEntry], title: str) -> None:
    for previous, entry in itertools.pairwise(entries):
        if entry.sequence != previous.sequence + 1:
            raise _refusal(
                f"{title} is dirty and its logs have a gap: entry {entry.sequence} follows "
                f"{previous.sequence}"
            )


def _apply(primary: bytes, entries: Sequence[LogEntry]) -> bytes:
    size = entries[-1].size
    data = bytearray(primary[: BASE_BLOCK + max(entry.size for entry in entries)])
    for entry in entries:
        data.extend(bytes(max(0, BASE_BLOCK + entry.size - len(data))))
        for offset, page in entry.pages:
            start = BASE_BLOCK + offset
            data[start : start + len(page)] = page
    del data[BASE_BLOCK + size :]
    sequence = entries[-1].sequence
    struct.pack_into("<II", data, 4, sequence, sequence)
    struct.pack_into("<I", data, 40, size)
    struct.pack_into("<I", data, 508, hive.checksum(data))
    return bytes(data)


def _parse_log(content: bytes, title: str, primary: BaseBlock) -> Log:
    unusable = Log(title, None, ())
    try:
        base = BaseBlock.parse(content, title)
    except HiveError:
        return unusable
    is_old = base.kind in (hive.OLD_LOG, hive.OLDER_LOG)
    if is_old or content[SECTOR : SECTOR + 4] == b"DIRT":
        raise _refusal(
            f"{title} is a log of the old format (before Windows 8.1), which is not replayed, and its "
            "hive is dirty"
        )
    if base.kind != hive.NEW_LOG or not base.checksum_fits:
        return unusable
    if base.name != primary.name:
        raise _refusal(
            f"{title} is the log of another hive: it names {base.name!r}, the hive {primary.name!r}"
        )
    if base.sequence < primary.finished:
        # Its entries are in the hive already, so whether they are valid does not matter.
        return Log(title, base, ())
    return Log(title, base, tuple(_entries(content, title, base.sequence)))


def _entries(content: bytes, title: str, expected: int) -> Iterator[LogEntry]:
    start = SECTOR
    while start + HEAD <= len(content) and content[start : start + 4] == b"HvLE":
        size, _flags, sequence, bins, count = struct.unpack_from("<IIIII", content, start + 4)
        if sequence < expected:
            # Of an earlier round through this file.
            return
        entry = content[start : start + size]
        if not _is_valid(entry, size, bins, count):
            raise _refusal(
                f"{title} is torn or damaged at {start:#x}: the hashes of entry {sequence} do not fit"
            )
        if sequence != expected:
            raise _refusal(
                f"{title} has a gap at {start:#x}: entry {sequence} is where {expected} is expected"
            )
        yield LogEntry(sequence, bins, tuple(_pages(entry, title, count, bins)))
        expected += 1
        start += size


def _is_valid(entry: bytes, size: int, bins: int, count: int) -> bool:
    """Return whether an entry has the announced size and both its hashes fit."""
    if size % SECTOR or size != len(entry) or HEAD + 8 * count > size:
        return False
    if bins % PAGE or bins > hive.MAX_HIVE:
        return False
    body_hash, head_hash = struct.unpack_from("<QQ", entry, 24)
    return (marvin32(entry[:32]), marvin32(entry[HEAD:])) == (head_hash, body_hash)


def _pages(entry: bytes, title: str, count: int, bins: int) -> Iterator[tuple[int, bytes]]:
    start = HEAD + 8 * count
    for offset, size in struct.iter_unpack("<II", entry[HEAD:start]):
        if offset + size > bins or start + size > len(entry):
            raise _refusal(f"{title} is damaged: a page of an entry goes beyond its end")
        yield offset, entry[start : start + size]
        start += size


def marvin32(data: bytes) -> int:
    """Return the 64-bit Marvin32 hash with the seed that hive logs use."""
    low, high = SEED & 0xFFFFFFFF, SEED >> 32
    mask = 0xFFFFFFFF
    padded = data + b"\x80" + bytes(3 - len(data) % 4) + bytes(4)
    for (word,) in struct.iter_unpack("<I", padded):
        low = (low + word) & mask
        high ^= low
        low = (((low << 20) | (low >> 12)) + high) & mask
        high = ((high << 9) | (high >> 23)) & mask
        high ^= low
        low = (((low << 27) | (low >> 5)) + high) & mask
        high = ((high << 19) | (high >> 13)) & mask
    return low | high << 32
