# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An image that is a folder: a mounted or unpacked Windows volume, or just its hives beside each other.

Hives beside each other are ``SYSTEM``, ``SOFTWARE``, ``NTUSER.DAT`` (the default user's) with their logs, and
``Users/<name>/NTUSER.DAT``.

One hive is put in place by one rename. Several cannot be renamed at once, so before the first rename the old ones get a second
name and a list of them is written (UNFINISHED); until that list is gone the image is the old one, for every reader here, and
the next writer puts the old ones back.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Mapping

from .image_source import (
    CONFIG,
    ImageError,
    Lock,
    Replacement,
    discard,
    like,
    refuse_unwritable,
    sync_folder,
    write_file,
)

UNFINISHED = ".ets6-network-unfinished"
NEW = ".ets6-network-new"
OLD = ".ets6-network-old"


class Folder:
    """A folder."""

    def __init__(self, path: str, *, hives_only: bool | None = None) -> None:
        self.title = path
        self._root = os.path.realpath(path)
        try:
            self._lock = Lock(self._root, exclusive=False)
            names = {name.lower() for name in os.listdir(self._root)}
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}") from None
        self._hives_only = "windows" not in names if hives_only is None else hives_only
        if self._hives_only and "system" not in names:
            self.close()
            raise ImageError(
                f"{path} holds no Windows: there is neither {CONFIG}/SYSTEM nor SYSTEM in it. "
                "Give the folder in which the folder Windows is, or one with the hives SYSTEM, SOFTWARE and NTUSER.DAT."
            )

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content, of an unfinished change the old one."""
        found = self._find(path)
        if found is None:
            return None
        if os.path.relpath(found, self._root) in self._unfinished() and os.path.exists(found + OLD):
            found += OLD
        return _read(found, most)

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        if self._hives_only:
            raise ImageError(f"{self.title} holds hives only, so whether a program is there cannot be told")
        found = self._find(path)
        return None if found is None else os.stat(found).st_size

    def close(self) -> None:
        """Let others write."""
        self._lock.release()

    def refuse_unwritable(self, files: Iterable[str]) -> None:
        """Raise ImageError where the hives' folders are not writable."""
        for found in filter(None, map(self._find, files)):
            refuse_unwritable(self.title, os.path.dirname(found), {})

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Put new hives in place of the old ones, all or none, whenever this is ended."""
        try:
            self._lock.release()
            self._lock = Lock(self._root, exclusive=True)
            self._put_back()
            places: dict[str, bytes] = {}
            for path, replacement in files.items():
                found = self._find(path)
                if found is None or _read(found) != replacement.before:
                    raise ImageError(f"{self.title}: {path} is not any more what it was when it was read.")
                places[found] = replacement.after
            try:
                self._stage(places)
                self._put(list(places))
            finally:
                for found in places:
                    discard(found + NEW)
        except OSError as error:
            raise ImageError(
                f"{self.title} cannot be written: {error.strerror} ({error.filename or self._root}). "
                "It has to be writable, with room for a second copy of the hives."
            ) from None

    def _stage(self, places: Mapping[str, bytes]) -> None:
        for found, content in places.items():
            discard(found + NEW)
            write_file(found + NEW, content)
            like(found + NEW, found)
            if _read(found + NEW) != content:
                raise ImageError(f"{found + NEW} does not hold what was written to it.")

    def _put(self, places: list[str]) -> None:
        several = len(places) > 1
        if several:
            for found in places:
                discard(found + OLD)
                _second_name(found)
            for folder in {os.path.dirname(found) for found in places}:
                sync_folder(folder)
            self._begin(places)
        try:
            for found in places:
                os.replace(found + NEW, found)
        except OSError:
            self._put_back()
            raise
        for folder in {os.path.dirname(found) for found in places}:
            sync_folder(folder)
        if several:
            self._end(places)

    def _begin(self, places: list[str]) -> None:
        path = os.path.join(self._root, UNFINISHED)
        discard(path + NEW)
        write_file(path + NEW, json.dumps([os.path.relpath(found, self._root) for found in places]).encode())
        os.replace(path + NEW, path)
        sync_folder(self._root)

    def _end(self, places: list[str]) -> None:
        os.unlink(os.path.join(self._root, UNFINISHED))
        sync_folder(self._root)
        for found in places:
            discard(found + OLD)

    def _put_back(self) -> None:
        """Undo a change that was cut off."""
        unfinished = [os.path.join(self._root, path) for path in self._unfinished()]
        for found in unfinished:
            if os.path.exists(found + OLD):
                os.replace(found + OLD, found)
            sync_folder(os.path.dirname(found))
        if unfinished:
            self._end(unfinished)

    def _unfinished(self) -> list[str]:
        try:
            with open(os.path.join(self._root, UNFINISHED), encoding="utf-8") as file:
                listed = json.load(file)
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise ImageError(f"{os.path.join(self._root, UNFINISHED)} cannot be read: {error}") from None
        outside = not isinstance(listed, list) or any(
            not isinstance(path, str) or os.path.isabs(path) or ".." in path.split("/") for path in listed
        )
        if outside:
            raise ImageError(f"{os.path.join(self._root, UNFINISHED)} was not written by this collection: remove it")
        return list(listed)

    def _find(self, path: str) -> str | None:
        """Return where a file is, letter case aside. Links are not followed: an image could point out of itself."""
        if self._hives_only:
            folder, _slash, name = path.rpartition("/")
            path = name if folder.lower() in (CONFIG.lower(), "users/default") else path
        here = self._root
        for wanted in path.split("/"):
            try:
                alike = [name for name in os.listdir(here) if name.lower() == wanted.lower()]
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                raise ImageError(f"{here} cannot be read: {error.strerror}") from None
            if not alike:
                return None
            if len(alike) > 1:
                raise ImageError(f"{here} holds {' and '.join(sorted(alike))}; which of them Windows would use cannot be told")
            here = os.path.join(here, alike[0])
            mode = os.lstat(here).st_mode
            if stat.S_ISLNK(mode):
                raise ImageError(f"{here} is a symbolic link, which is not followed inside an image")
        return here if stat.S_ISREG(mode) else None


def _read(path: str, most: int | None = None) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(-1 if most is None else most)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None


def _second_name(path: str) -> None:
    try:
        os.link(path, path + OLD)
    except PermissionError:  # what Linux says of a file system without hard links
        shutil.copyfile(path, path + OLD)
        like(path + OLD, path)
        with open(path + OLD, "rb") as file:
            os.fsync(file.fileno())
