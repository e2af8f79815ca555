# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An image that is a folder: a mounted or unpacked Windows volume, or just its hives.

Hives are ``SYSTEM``, ``SOFTWARE``, ``NTUSER.DAT`` (the default user's) with their logs, and
``Users/<name>/NTUSER.DAT``.

One hive is replaced by one rename. Several cannot be renamed at once, so before the first rename the
old ones get a second name and a list of them is written (UNFINISHED). While that list is there, the
image is refused (image.py); restore brings the old ones back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence

from .image_source import (
    CONFIG,
    DataVolume,
    ImageError,
    Lock,
    Replacement,
    discard,
    like,
    open_file,
    read_file,
    refuse_unwritable,
    sync_folder,
    write_file,
)
from .names import fold

UNFINISHED = ".ets6-network-unfinished"
"""A list of the hives that are being replaced, relative to the folder, with a NUL between them."""
MAX_LIST = 1024 * 1024
NEW = ".ets6-network-new"
OLD = ".ets6-network-old"


class Folder:
    """A folder."""

    data_volumes: Sequence[DataVolume] = ()

    def __init__(self, path: str, *, hives_only: bool | None = None) -> None:
        self.title = path
        self._root = os.path.realpath(path)
        try:
            self._lock = Lock(self._root, exclusive=False)
            names = {fold(name) for name in os.listdir(self._root)}
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}") from None
        self._hives_only = hives_only
        if hives_only is None:
            self._hives_only = "WINDOWS" not in names
        if self._hives_only and "SYSTEM" not in names:
            self.close()
            raise ImageError(
                f"{path} holds no Windows: there is neither {CONFIG}/SYSTEM nor SYSTEM in it. Specify "
                "the folder that holds the folder Windows, or one with the hives SYSTEM, SOFTWARE and "
                "NTUSER.DAT."
            )

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content."""
        file = self._find(path)
        return None if file is None else read_file(file, most)

    def place(self, path: str) -> str:
        """Return where a file is on the disk. Raises ImageError where it does not exist."""
        file = self._find(path)
        if file is None:
            raise ImageError(f"{self.title}: {path} does not exist")
        return file

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        if self._hives_only:
            raise ImageError(
                f"{self.title} holds hives only, so whether a program is installed could not be "
                "determined; ets6_network_image_programs can say which are"
            )
        file = self._find(path)
        if file is None or not os.path.isfile(file):
            return None
        return os.stat(file).st_size

    def has_folder(self, path: str) -> bool | None:
        """Return whether a folder exists; None where the folder consists of hives."""
        if self._hives_only:
            return None
        folder = self._find(path)
        return folder is not None and os.path.isdir(folder)

    def close(self) -> None:
        """Let others write."""
        self._lock.release()

    def refuse_unwritable(self, files: Iterable[str]) -> None:
        """Raise ImageError where the hives' folders are not writable."""
        for path in files:
            file = self._find(path)
            if file is not None:
                refuse_unwritable(self.title, os.path.dirname(file), {})

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Replace hives, all or none, whenever this process is ended."""
        try:
            self._lock_all()
            self._restore()
            contents: dict[str, bytes] = {}
            for path, replacement in files.items():
                hive = self._find(path)
                if hive is None or read_file(hive) != replacement.before:
                    raise ImageError(f"{self.title}: {path} has changed since it was read.")
                contents[hive] = replacement.after
            try:
                self._stage(contents)
                self._rename(list(contents))
            finally:
                for hive in contents:
                    discard(hive + NEW)
        except OSError as error:
            raise ImageError(
                f"{self.title} cannot be written: {error.strerror} ({error.filename or self._root}). "
                "It has to be writable, with space for a second copy of the hives."
            ) from None

    def _stage(self, contents: Mapping[str, bytes]) -> None:
        for hive, content in contents.items():
            discard(hive + NEW)
            write_file(hive + NEW, content)
            like(hive + NEW, hive)
            if read_file(hive + NEW) != content:
                raise ImageError(f"{hive + NEW} does not hold what was written to it.")

    def _rename(self, hives: list[str]) -> None:
        folders = {os.path.dirname(hive) for hive in hives}
        if len(hives) > 1:
            for hive in hives:
                discard(hive + OLD)
                _second_name(hive)
            for folder in folders:
                sync_folder(folder)
            self._begin(hives)
        try:
            for hive in hives:
                os.replace(hive + NEW, hive)
        except OSError:
            self._restore()
            raise
        for folder in folders:
            sync_folder(folder)
        if len(hives) > 1:
            self._end(hives)

    def _begin(self, hives: list[str]) -> None:
        path = os.path.join(self._root, UNFINISHED)
        discard(path + NEW)
        names = [os.path.relpath(hive, self._root) for hive in hives]
        write_file(path + NEW, os.fsencode("\0".join(names)))
        os.replace(path + NEW, path)
        sync_folder(self._root)

    def _end(self, hives: list[str]) -> None:
        os.unlink(os.path.join(self._root, UNFINISHED))
        sync_folder(self._root)
        for hive in hives:
            discard(hive + OLD)

    def restore(self) -> bool:
        """Undo a change that was interrupted. Return whether there was one. Raises ImageError.

        Until the lock is held, another run may be at work.
        """
        self._lock_all()
        return self._restore()

    def _lock_all(self) -> None:
        self._lock.release()
        self._lock = Lock(self._root, exclusive=True)

    def _restore(self) -> bool:
        hives = self._unfinished()
        if hives is None:
            return False
        for hive in hives:
            if os.path.lexists(hive + OLD):
                # Not what a link leads to, for example.
                open_file(hive + OLD).close()
                os.replace(hive + OLD, hive)
            sync_folder(os.path.dirname(hive))
        self._end(hives)
        return True

    def _unfinished(self) -> list[str] | None:
        """Return the hives of a change that was interrupted; None where none was."""
        list_file = os.path.join(self._root, UNFINISHED)
        if not os.path.lexists(list_file):
            return None
        hives = []
        for path in os.fsdecode(read_file(list_file, MAX_LIST)).split("\0"):
            hive = self._find(path)
            if hive is None:
                raise ImageError(f"{list_file} was not written by this collection: remove it")
            hives.append(hive)
        return hives

    def _find(self, path: str) -> str | None:
        """Return the place of a file or folder, letter case aside.

        Raises ImageError for a link, which could lead out of the image.
        """
        if self._hives_only:
            folder, _slash, name = path.rpartition("/")
            if fold(folder) in (fold(CONFIG), "USERS/DEFAULT"):
                path = name
        place = self._root
        for part in path.split("/"):
            name_there = _find_name(place, part)
            if name_there is None:
                return None
            place = os.path.join(place, name_there)
            if stat.S_ISLNK(os.lstat(place).st_mode):
                raise ImageError(
                    f"{place} is a symbolic link or junction, which is not followed inside an image"
                )
        return place


def _find_name(folder: str, name: str) -> str | None:
    """Return a name as a folder spells it; None where it does not exist. Raises ImageError."""
    folded = fold(name)
    try:
        names = [entry for entry in os.listdir(folder) if fold(entry) == folded]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ImageError(f"{folder} cannot be read: {error.strerror}") from None
    if len(names) > 1:
        raise ImageError(
            f"{folder} holds {' and '.join(sorted(names))}; which of them Windows would use could not "
            "be determined"
        )
    return next(iter(names), None)


def _second_name(path: str) -> None:
    try:
        os.link(path, path + OLD)
    except PermissionError:  # what Linux says of a file system without hard links
        write_file(path + OLD, read_file(path))
        like(path + OLD, path)
