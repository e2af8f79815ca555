# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An image in a WIM or ESD file, by wimlib-imagex (wimlib, Debian package wimtools).

Only the hives are taken out. A change goes into a copy of the file, to which wimlib appends (it does not compress anew), and the
copy takes the file's place by one rename: wimlib's own way of appending in place leaves, when killed, a file that is marked as
being written and refused from then on.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Mapping

from .image_folder import NEW, Folder
from .image_source import (
    CONFIG,
    ImageError,
    Lock,
    Replacement,
    copy_file,
    discard,
    like,
    program,
    refuse_unwritable,
    run,
    sync_folder,
)

PROGRAM = "wimlib-imagex"
PACKAGE = "wimtools"
WANTED = [f"/{CONFIG}/{name}{log}" for name in ("SYSTEM", "SOFTWARE") for log in ("", ".LOG1", ".LOG2")]
WANTED += [f"/Users/*/NTUSER.DAT{log}" for log in ("", ".LOG1", ".LOG2")]
HEADER = 208
NO_SUCH_PATH = 49
"""Exit code of wimlib-imagex for a path that the image does not have (WIMLIB_ERR_PATH_DOES_NOT_EXIST)."""


def images(path: str, head: bytes) -> list[dict[str, str]]:
    """Return number and name of each image in a file. head is the file's beginning. Raises ImageError."""
    if len(head) < HEADER:
        raise ImageError(f"{path} is cut off: it begins as a WIM and has {len(head)} bytes")
    part, parts = struct.unpack_from("<HH", head, 40)
    if parts > 1:
        raise ImageError(f"{path} is part {part} of a WIM in {parts} parts: join them with wimlib-imagex join")
    found = re.findall(r"^Index: +(\d+)\nName: +(.*)$", run([PROGRAM, "info", path], PACKAGE, path), re.MULTILINE)
    if not found:
        raise ImageError(f"{path} is a WIM without any image in it")
    return [{"index": index, "name": name} for index, name in found]


class Wim:
    """One image of a WIM or ESD file."""

    def __init__(self, path: str, index: str, work: str) -> None:
        self.title = f"{path}, image {index}"
        self._path = os.path.realpath(path)
        self._index = index
        self._folder = os.path.dirname(self._path)
        self._lock = Lock(self._folder, exclusive=False)
        self._work = tempfile.mkdtemp(prefix="ets6-network-", dir=work)
        try:
            self._out = self._extract(self._path, WANTED, globs=True)
        except (ImageError, OSError):
            self.close()
            raise

    def _extract(self, wim: str, paths: list[str], *, globs: bool = False) -> str:
        """Take files out into a new folder, those that are there."""
        out = tempfile.mkdtemp(dir=self._work)
        options = [f"--dest-dir={out}", "--preserve-dir-structure", "--no-acls", "--no-attributes"]
        options.append("--nullglob" if globs else "--no-globs")
        present = paths if globs else [path for path in paths if self._detail(path) is not None]
        if present:
            run([PROGRAM, "extract", wim, self._index, *present, *options], PACKAGE, self.title, WIMLIB_IMAGEX_IGNORE_CASE="1")
        return out

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content; what is seldom wanted is looked for only now."""
        if path.lower() == "hiberfil.sys":
            # What is captured is applied and started anew: nothing resumes, whatever was captured with it.
            return None
        content = self._unpacked(self._out, path, most)
        return content if content is not None else self._unpacked(self._extract(self._path, [f"/{path}"]), path, most)

    @staticmethod
    def _unpacked(folder: str, path: str, most: int | None = None) -> bytes | None:
        if not os.listdir(folder):
            return None
        unpacked = Folder(folder, hives_only=False)
        try:
            return unpacked.read(path, most)
        finally:
            unpacked.close()

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        detail = self._detail(f"/{path}")
        found = None if detail is None else re.search(r"^Uncompressed size += (\d+) bytes", detail, re.MULTILINE)
        return int(found[1]) if found else None

    def _detail(self, path: str) -> str | None:
        command = [PROGRAM, "dir", self._path, self._index, f"--path={path}", "--detailed"]
        done = program(command, PACKAGE, self.title, WIMLIB_IMAGEX_IGNORE_CASE="1")
        if done.returncode == NO_SUCH_PATH:
            return None
        if done.returncode:
            raise ImageError(f"{self.title}: {path} cannot be looked for: {done.stderr.strip()}")
        return str(done.stdout)

    def close(self) -> None:
        """Remove what was taken out, and let others write."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._lock.release()

    def refuse_unwritable(self, _files: Iterable[str]) -> None:
        """Raise ImageError where the folder of the WIM is not writable."""
        refuse_unwritable(self._path, self._folder, {})

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Put new hives into the image, all or none, whenever this is ended."""
        new = self._path + NEW
        try:
            self._lock.release()
            self._lock = Lock(self._folder, exclusive=True)
            discard(new)
            self._hold(
                self._path, {path: one.before for path, one in files.items()}, "is not any more what it was when it was read"
            )
            try:
                copy_file(self._path, new)
                like(new, self._path)
                self._update(new, {path: one.after for path, one in files.items()})
                os.replace(new, self._path)
            finally:
                discard(new)
            sync_folder(self._folder)
        except OSError as error:
            raise ImageError(
                f"{self._path} cannot be written: {error.strerror} ({error.filename or new}). "
                "Its folder has to be writable, with room for a second copy of the file."
            ) from None

    def _update(self, wim: str, files: Mapping[str, bytes]) -> None:
        before = self._names(wim)
        commands = []
        for number, (path, content) in enumerate(files.items()):
            staged = os.path.join(self._work, f"new{number}")
            with open(staged, "wb") as file:
                file.write(content)
            # Windows has no quotes in names.
            commands.append(f'add "{staged}" "/{self._spelled(path)}"\n')
        run([PROGRAM, "update", wim, self._index, "--no-acls"], PACKAGE, self.title, "".join(commands))
        with open(wim, "rb") as file:
            os.fsync(file.fileno())
        self._hold(wim, files, "does not hold what was put into it")
        if self._names(wim) != before:
            raise ImageError(f"{self.title}: after the update other files are in it than before.")

    def _hold(self, wim: str, files: Mapping[str, bytes], otherwise: str) -> None:
        """See to it that a WIM holds these contents."""
        out = self._extract(wim, [f"/{path}" for path in files])
        for path, content in files.items():
            if self._unpacked(out, path) != content:
                raise ImageError(f"{self.title}: {path} {otherwise}.")

    def _names(self, wim: str) -> str:
        return run([PROGRAM, "dir", wim, self._index], PACKAGE, self.title)

    def _spelled(self, path: str) -> str:
        """Return a path as the image spells it."""
        detail = self._detail(f"/{path}") or ""
        found = re.search(r'^Full Path +?= "/(.*)"$', detail, re.MULTILINE)
        if found is None:
            raise ImageError(f"{self.title}: {path} is gone since it was read.")
        return found[1]
