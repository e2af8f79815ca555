# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Replays the logs of a dirty hive in memory, as Windows 8.1 and newer do at the next start (log entries HvLE).

Format: "Windows registry file format specification" by Maxim Suhanov, "New format" of transaction log files. Windows
applies what it can and drops the rest without a word; here the logs are complete and consistent or the hive is refused:

* both logs are there and have a sound head, unless the first entry follows the hive's last finished write at once;
* entries are numbered without a gap, from the older log to the newer one, and both their hashes fit;
* no entry with the next number is torn; what stands after the last one is of an earlier round;
* the hive that comes of it can be read, every key and every value.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import hive
from .hive import BASE_BLOCK, PAGE, BaseBlock, Hive, HiveError

SEED = 0x82EF4D887A4E55C5
HEAD = 40
SECTOR = 512
WHAT_TO_DO = "Start the image once in Windows and shut it down fully (shutdown /s /t 0), then try again."


@dataclass(frozen=True)
class Entry:
    """One log entry: pages to be written, and how large the hive's data is after that."""

    sequence: int
    size: int
    pages: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Log:
    """The entries of one log that belong together. A log that was never used, or whose head is not sound, has no base."""

    title: str
    base: BaseBlock | None
    entries: tuple[Entry, ...]


def replay(primary: bytes, logs: Mapping[str, bytes], title: str) -> Hive:
    """Return the hive as its logs bring it up to date. A hive that is not dirty is returned as it is, whatever its logs hold.

    logs: content by title, LOG1 and LOG2, those that are there. Raises HiveError.
    """
    base = BaseBlock.parse(primary, title)
    if not base.dirty:
        return Hive(primary, title)
    if not base.checksum_fits:
        raise HiveError(
            f"{title} is dirty and the checksum of its head does not fit, so what its logs go with is not known. {WHAT_TO_DO}"
        )
    if not any(logs.values()):
        raise HiveError(f"{title} is dirty and its logs (.LOG1, .LOG2) are not beside it, or empty. {WHAT_TO_DO}")
    read = [_log(content, name, base) for name, content in logs.items()]
    usable = sorted(
        (log for log in read if log.base is not None and log.entries and log.base.sequence >= base.finished),
        key=lambda log: log.entries[0].sequence,
    )
    if not usable:
        raise HiveError(f"{title} is dirty and its logs hold nothing newer than itself. {WHAT_TO_DO}")
    entries = [entry for log in usable for entry in log.entries]
    for before, after in itertools.pairwise(entries):
        if after.sequence != before.sequence + 1:
            raise HiveError(
                f"{title} is dirty and its logs have a gap: entry {after.sequence} follows {before.sequence}. {WHAT_TO_DO}"
            )
    if entries[0].sequence != base.finished and sum(log.base is not None for log in read) < 2:
        raise HiveError(
            f"{title} is dirty and one of its logs is missing or unreadable: the other one begins at {entries[0].sequence}, "
            f"the hive ends at {base.finished}. {WHAT_TO_DO}"
        )
    try:
        replayed = Hive(_apply(primary, entries), title)
        hive.check(replayed)
    except HiveError as error:
        raise HiveError(f"{title} is dirty, and with its logs it makes no sound hive ({error}). {WHAT_TO_DO}") from None
    return replayed


def _apply(primary: bytes, entries: list[Entry]) -> bytes:
    size = entries[-1].size
    data = bytearray(primary[: BASE_BLOCK + max(entry.size for entry in entries)])
    for entry in entries:
        data.extend(bytes(max(0, BASE_BLOCK + entry.size - len(data))))
        for offset, page in entry.pages:
            data[BASE_BLOCK + offset : BASE_BLOCK + offset + len(page)] = page
    del data[BASE_BLOCK + size :]
    sequence = entries[-1].sequence
    struct.pack_into("<II", data, 4, sequence, sequence)
    struct.pack_into("<I", data, 40, size)
    struct.pack_into("<I", data, 508, hive.checksum(data))
    return bytes(data)


def _log(content: bytes, title: str, primary: BaseBlock) -> Log:
    try:
        base = BaseBlock.parse(content, title)
    except HiveError:
        return Log(title, None, ())
    if base.kind in (hive.OLD_LOG, hive.OLDER_LOG) or content[SECTOR : SECTOR + 4] == b"DIRT":
        raise HiveError(
            f"{title} is a log of the old format (before Windows 8.1), which is not replayed, and its hive is dirty. {WHAT_TO_DO}"
        )
    if base.kind != hive.NEW_LOG or not base.checksum_fits:
        return Log(title, None, ())
    if base.name != primary.name:
        raise HiveError(f"{title} is the log of another hive: it names {base.name!r}, the hive {primary.name!r}. {WHAT_TO_DO}")
    if base.sequence < primary.finished:
        # Already in the hive, so whether it is sound does not matter.
        return Log(title, base, ())
    return Log(title, base, tuple(_entries(content, title, base.sequence)))


def _entries(content: bytes, title: str, expected: int) -> Iterator[Entry]:
    at = SECTOR
    while at + HEAD <= len(content) and content[at : at + 4] == b"HvLE":
        size, _flags, sequence, bins, count, first, second = struct.unpack_from("<IIIIIQQ", content, at + 4)
        if sequence < expected:
            # Of an earlier round through this file.
            return
        whole = content[at : at + size]
        sound = (
            size % SECTOR == 0
            and HEAD + 8 * count <= size == len(whole)
            and bins % PAGE == 0
            and bins <= hive.LIMIT
            and marvin32(whole[:32]) == second
            and marvin32(whole[HEAD:]) == first
        )
        if not sound:
            raise HiveError(f"{title} is torn or damaged at {at:#x}: the hashes of entry {sequence} do not fit. {WHAT_TO_DO}")
        if sequence != expected:
            raise HiveError(f"{title} has a gap at {at:#x}: entry {sequence} stands where {expected} is due. {WHAT_TO_DO}")
        yield Entry(sequence, bins, tuple(_pages(whole, title, count, bins)))
        expected += 1
        at += size


def _pages(entry: bytes, title: str, count: int, bins: int) -> Iterator[tuple[int, bytes]]:
    at = HEAD + 8 * count
    for offset, size in struct.iter_unpack("<II", entry[HEAD:at]):
        if offset + size > bins or at + size > len(entry):
            raise HiveError(f"{title} is damaged: a page of an entry goes beyond its end. {WHAT_TO_DO}")
        yield offset, entry[at : at + size]
        at += size


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
