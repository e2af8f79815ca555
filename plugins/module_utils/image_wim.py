# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An image in a WIM or ESD file: read by libwim, changed by wimlib-imagex (Debian package wimtools).

Only the hives and the programs that are asked for are taken out. A change goes into a copy of the file,
to which wimlib appends (it does not compress again), and the copy replaces the file by one rename: when
killed, wimlib's own way of appending in place leaves a file that is marked as being written and refused
from then on.

Format: "Windows Imaging File Format (WIM)" (Microsoft), whose header names the flags.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .hive import MAX_HIVE
from .image_folder import NEW, Folder
from .image_source import (
    CONFIG,
    DataVolume,
    ImageError,
    Lock,
    Replacement,
    copy_file,
    discard,
    like,
    open_file,
    refuse_unwritable,
    run,
    sync_file,
    sync_folder,
    write_file,
)
from .libwim import DIRECTORY, PACKAGE, REPARSE_POINT, Entry, ImageProperties, WimFile
from .names import fold

PROGRAM = "wimlib-imagex"
HEADER = 208
MARKS = (b"MSWIM\0\0\0", b"WLPWM\0\0\0")
READ_ONLY = 0x4
"""Flag of the header: the file is not to be changed."""
_LOGS = ("", ".LOG1", ".LOG2")
ANY = "*"
"""In a pattern, whatever name a folder has."""
HIVES = (
    *(f"{CONFIG}/SYSTEM{log}" for log in _LOGS),
    *(f"{CONFIG}/SOFTWARE{log}" for log in _LOGS),
    *(f"Users/{ANY}/NTUSER.DAT{log}" for log in _LOGS),
)
PE_EDITION = "WindowsPE"
_NOT_IN_COMMANDS = frozenset('"\\\r\n')
"""Characters of a path that wimlib-imagex would take for something else."""

Ranges = Sequence[tuple[int, int]]
"""Offsets and lengths of what is needed of a file."""


@dataclass(frozen=True)
class WimImage:
    """One image of a file: its number, its name, and what it is where it is not a Windows installation."""

    index: str
    name: str
    not_windows: str

    @property
    def label(self) -> str:
        """Number and name, for errors."""
        return f"{self.index} ({self.name})"


def list_images(path: str, title: str) -> list[WimImage]:
    """Return every image in a file. Raises ImageError and OSError."""
    _read_flags(path, title)
    wim = WimFile(path, title)
    try:
        images = []
        for index, properties in enumerate(wim.images(), 1):
            not_windows = _not_windows(wim, index, properties)
            images.append(WimImage(str(index), properties.name, not_windows))
    finally:
        wim.close()
    if not images:
        raise ImageError(f"{title} is a WIM without any image in it")
    return images


def _read_flags(path: str, title: str) -> int:
    """Return the flags of a WIM's header. Raises ImageError for a part of a split WIM."""
    with open_file(os.path.realpath(path)) as file:
        head = file.read(HEADER)
    if len(head) < HEADER:
        raise ImageError(f"{title} is cut off: it begins as a WIM and has {len(head)} bytes")
    part, parts = struct.unpack_from("<HH", head, 40)
    if parts > 1:
        raise ImageError(
            f"{title} is part {part} of a WIM in {parts} parts. Join them: wimlib-imagex join NEW.wim "
            "PARTS…"
        )
    return int(struct.unpack_from("<I", head, 16)[0])


def _not_windows(wim: WimFile, index: int, properties: ImageProperties) -> str:
    """Return what an image is where it is not a Windows installation, else ""."""
    if PE_EDITION in (properties.edition, properties.installation_type):
        return "Windows PE, from which Windows is installed"
    if properties.edition or wim.entry(index, f"{CONFIG}/SYSTEM") is not None:
        return ""
    return f"without Windows: there is no {CONFIG}/SYSTEM in it"


def _complete(_ranges: Ranges) -> None:
    """Do nothing: the file has all of its content."""


class Wim:
    """One image of a WIM or ESD file.

    wanted are patterns of files that are taken out together with the hives: a solid file takes as long
    for one file as for several. They stay unpacked in work from one opening to the next. read_only
    says why nothing can be changed, where nothing can. fetch is called with the ranges of a file with
    holes that are needed (image_iso).
    """

    data_volumes: Sequence[DataVolume] = ()

    def __init__(
        self,
        path: str,
        index: str,
        work: str,
        *,
        wanted: Iterable[str] = (),
        title: str = "",
        read_only: str = "",
        fetch: Callable[[Ranges], None] = _complete,
    ) -> None:
        self.title = f"{title or path}, image {index}"
        self._path = os.path.realpath(path)
        self._index = int(index)
        self._folder = os.path.dirname(self._path)
        self._patterns = (*HIVES, *wanted)
        self._fetch = fetch
        self._read_only = read_only
        if _read_flags(self._path, self.title) & READ_ONLY:
            self._read_only = (
                f"{self.title} cannot be written: the file is marked as read-only in its header. Export "
                "it, which clears the mark: wimlib-imagex export IMAGE all NEW.wim"
            )
        self._entries: dict[str, Entry | None] = {}
        self._lock = Lock(self._folder, exclusive=False)
        self._work = tempfile.mkdtemp(prefix="ets6-network-", dir=work)
        self._cache = os.path.join(work, "ets6-network-unpacked")
        self._wim: WimFile | None = None
        try:
            self._opened_state = self._state()
            self._wim = WimFile(self._path, self.title)
            self._unpacked = self._unpack(self._wim)
        except (ImageError, OSError):
            self.close()
            raise

    def _unpack(self, wim: WimFile) -> str:
        """Return the folder with the files of the patterns, and unpack them where that was not done before."""
        folder = os.path.join(self._cache, self._opened_state)
        if not os.path.isdir(folder):
            entries: dict[str, Entry] = {}
            for pattern in self._patterns:
                for entry in _matching(wim, self._index, pattern):
                    entries[fold(entry.path)] = entry
            unpacked = self._extract(wim, list(entries.values()))
            os.makedirs(self._cache, exist_ok=True)
            os.rename(unpacked, folder)
        return folder

    def _state(self) -> str:
        """Return a name for the state of the file, and the image in it."""
        status = os.stat(self._path)
        return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{self._index}"

    def _extract(self, wim: WimFile, entries: Sequence[Entry]) -> str:
        """Take files out into a new folder."""
        for entry in entries:
            if entry.size > MAX_HIVE:
                raise ImageError(
                    f"{self.title}: {entry.path} has {entry.size} bytes, which is too large"
                )
        folder = tempfile.mkdtemp(dir=self._work)
        if entries:
            self._fetch([(entry.offset, entry.length) for entry in entries])
            wim.extract(self._index, [entry.path for entry in entries], folder)
        return folder

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content. Those of no pattern are unpacked only when they are read."""
        if path.lower() == "hiberfil.sys":
            # A captured image is applied and starts afresh: nothing resumes.
            return None
        content = _read(self._unpacked, path, most)
        if content is None and not any(_matches(path, pattern) for pattern in self._patterns):
            entry = self._file(path)
            if entry is not None:
                content = _read(self._extract(self._open, [entry]), path, most)
        return content

    @property
    def _open(self) -> WimFile:
        if self._wim is None:
            raise ImageError(f"{self.title} was closed")
        return self._wim

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        entry = self._file(path)
        return None if entry is None else entry.size

    def has_folder(self, path: str) -> bool:
        """Return whether a folder exists."""
        entry = self._entry(path)
        return entry is not None and bool(entry.attributes & DIRECTORY)

    def _file(self, path: str) -> Entry | None:
        entry = self._entry(path)
        if entry is None or entry.attributes & DIRECTORY:
            return None
        return entry

    def _entry(self, path: str) -> Entry | None:
        """Return a file or folder. Raises ImageError for a link, and for what is behind one."""
        parts = path.split("/")
        entry = None
        for length in range(1, len(parts) + 1):
            entry = self._component("/".join(parts[:length]))
            if entry is None:
                return None
            if entry.attributes & REPARSE_POINT:
                raise ImageError(
                    f"{self.title}: {entry.path} is a symbolic link or junction, which is not followed "
                    "inside an image"
                )
        return entry

    def _component(self, path: str) -> Entry | None:
        folded = fold(path)
        if folded not in self._entries:
            self._entries[folded] = self._open.entry(self._index, path)
        return self._entries[folded]

    def close(self) -> None:
        """Remove what was unpacked, but for the files of the patterns, and let others write."""
        self._close_wim()
        shutil.rmtree(self._work, ignore_errors=True)
        self._lock.release()

    def _close_wim(self) -> None:
        if self._wim is not None:
            self._wim.close()
        self._wim = None

    def refuse_unwritable(self, files: Iterable[str]) -> None:
        """Raise ImageError where the file cannot be replaced."""
        if self._read_only:
            raise ImageError(self._read_only)
        for path in files:
            if _NOT_IN_COMMANDS & set(self._spelled(path)):
                raise ImageError(
                    f"{self.title}: {path!r} cannot be written: wimlib-imagex takes no path with a quotation "
                    "mark, backslash or line break in it, which Windows has not in names either."
                )
        refuse_unwritable(self._path, self._folder, {PROGRAM: PACKAGE})

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Replace hives, all or none, whenever this process is ended."""
        new = self._path + NEW
        try:
            # Until the lock is held, others may replace the file: it is read again then.
            self._lock.release()
            self._lock = Lock(self._folder, exclusive=True)
            discard(new)
            self._read_again()
            for path, replacement in files.items():
                if self._digest(path) != hashlib.sha1(replacement.before).hexdigest():  # noqa: S324
                    raise ImageError(f"{self.title}: {path} has changed since it was read.")
            contents = {self._spelled(path): file.after for path, file in files.items()}
            before = self._open.summary(self._index, list(contents))
            # The directory of an image takes some 100 MB, and wimlib-imagex reads it, too.
            self._close_wim()
            try:
                copy_file(self._path, new)
                like(new, self._path)
                self._update(new, contents)
                self._verify(new, contents, before)
                os.replace(new, self._path)
            finally:
                discard(new)
            sync_folder(self._folder)
            self._keep(files)
        except OSError as error:
            raise ImageError(
                f"{self._path} cannot be written: {error.strerror} ({error.filename or new}). Its "
                "folder has to be writable, with space for a second copy of the file."
            ) from None

    def _read_again(self) -> None:
        """Open the file again where it has become another one: every opening reads its directory."""
        state = self._state()
        if state == self._opened_state:
            return
        self._close_wim()
        self._wim = WimFile(self._path, self.title)
        self._opened_state = state
        self._entries.clear()

    def _digest(self, path: str) -> str:
        """Return the SHA-1 of a file's content, as the WIM has it; "" where it does not exist."""
        entry = self._file(path)
        return "" if entry is None else entry.digest

    def _keep(self, files: Mapping[str, Replacement]) -> None:
        """Have the unpacked hives be those of the changed file."""
        unpacked = Folder(self._unpacked, hives_only=False)
        try:
            for path, file in files.items():
                # Of a user's folder elsewhere than in Users, the hive is unpacked when it is read.
                if unpacked.size(path) is not None:
                    place = unpacked.place(path)
                    discard(place)
                    write_file(place, file.after)
        finally:
            unpacked.close()
        os.rename(self._unpacked, os.path.join(self._cache, self._state()))

    def _update(self, wim: str, files: Mapping[str, bytes]) -> None:
        commands = []
        for number, (path, content) in enumerate(files.items()):
            write_file(os.path.join(self._work, f"new{number}"), content)
            commands.append(f'add new{number} "/{path}"\n')
        command = [PROGRAM, "update", wim, str(self._index), "--no-acls", "--threads=1"]
        run(command, PACKAGE, self.title, stdin="".join(commands), folder=self._work)
        sync_file(wim)

    def _verify(self, wim: str, files: Mapping[str, bytes], before: bytes) -> None:
        """Raise ImageError where a WIM does not hold these contents, or is different otherwise.

        before: the summary of the image as it was.
        """
        updated = WimFile(wim, self.title)
        try:
            summary = updated.summary(self._index, list(files))
            found = [updated.entry(self._index, path) for path in files]
            folder = self._extract(updated, [entry for entry in found if entry is not None])
        finally:
            updated.close()
        if summary != before:
            raise ImageError(f"{self.title}: after the update its other files are not as before.")
        for path, content in files.items():
            if _read(folder, path) != content:
                raise ImageError(f"{self.title}: {path} does not hold what was put into it.")

    def _spelled(self, path: str) -> str:
        """Return a path as the image spells it."""
        entry = self._file(path)
        if entry is None:
            raise ImageError(f"{self.title}: {path} was removed since it was read.")
        return entry.path


def _matching(wim: WimFile, index: int, pattern: str) -> Iterator[Entry]:
    """Return the files of an image that match a pattern; links are not followed."""
    above, has_any, below = pattern.partition(f"{ANY}/")
    if not has_any:
        entry = wim.entry(index, pattern)
        if entry is not None and not entry.attributes & (DIRECTORY | REPARSE_POINT):
            yield entry
        return
    for folder in wim.children(index, above.rstrip("/")):
        is_folder = folder.attributes & (DIRECTORY | REPARSE_POINT) == DIRECTORY
        # Windows has no such names; a name that is a pattern would never end.
        if is_folder and ANY not in folder.path:
            yield from _matching(wim, index, f"{folder.path}/{below}")


def _matches(path: str, pattern: str) -> bool:
    names, expected = fold(path).split("/"), fold(pattern).split("/")
    if len(names) != len(expected):
        return False
    return all(one in (ANY, name) for name, one in zip(names, expected, strict=True))


def _read(folder: str, path: str, most: int | None = None) -> bytes | None:
    """Return the content of a file that was unpacked into a folder; None where it was not."""
    if not os.listdir(folder):
        return None
    unpacked = Folder(folder, hives_only=False)
    try:
        return unpacked.read(path, most)
    finally:
        unpacked.close()
