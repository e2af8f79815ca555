# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An image in a WIM or ESD file, by wimlib-imagex (wimlib, Debian package wimtools).

Only the hives are taken out. A change goes into a copy of the file, to which wimlib appends (it does
not compress again), and the copy replaces the file by one rename: when killed, wimlib's own way of
appending in place leaves a file that is marked as being written and refused from then on.

Format: "Windows Imaging File Format (WIM)" (Microsoft), whose header names the flags.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from .image_folder import NEW, Folder
from .image_source import (
    CONFIG,
    CompletedProgram,
    DataVolume,
    ImageError,
    Lock,
    Replacement,
    copy_file,
    discard,
    last_words,
    like,
    program,
    refuse_unwritable,
    run,
    sync_file,
    sync_folder,
)

PROGRAM = "wimlib-imagex"
PACKAGE = "wimtools"
HEADER = 208
MARKS = (b"MSWIM\0\0\0", b"WLPWM\0\0\0")
READ_ONLY = 0x4
"""Flag of the header: the file is not to be changed."""
NO_SUCH_PATH = 49
"""Exit code of wimlib-imagex for a path that the image does not have (WIMLIB_ERR_PATH_DOES_NOT_EXIST)."""
RESOURCE_NOT_FOUND = 55
"""Its exit code where the content of a file is not in the WIM (WIMLIB_ERR_RESOURCE_NOT_FOUND)."""
IGNORE_CASE = {"WIMLIB_IMAGEX_IGNORE_CASE": "1"}
_LOGS = ("", ".LOG1", ".LOG2")
HIVES = [
    *(f"/{CONFIG}/SYSTEM{log}" for log in _LOGS),
    *(f"/{CONFIG}/SOFTWARE{log}" for log in _LOGS),
    *(f"/Users/*/NTUSER.DAT{log}" for log in _LOGS),
]
PE_EDITION = "WindowsPE"


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
    listing = run([PROGRAM, "info", path], PACKAGE, title)
    images = []
    for block in listing.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w .]*): +(.*)$", block, re.MULTILINE))
        if "Index" in fields:
            images.append(_image(path, fields, title))
    if not images:
        raise ImageError(f"{title} is a WIM without any image in it")
    return images


def _read_flags(path: str, title: str) -> int:
    """Return the flags of a WIM's header. Raises ImageError for a part of a split WIM."""
    with open(path, "rb") as file:
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


def _image(path: str, fields: Mapping[str, str], title: str) -> WimImage:
    """Return an image, given what wimlib-imagex info says about it."""
    index, name = fields["Index"], fields.get("Name", "")
    if fields.get("Edition ID") == PE_EDITION or fields.get("Installation Type") == PE_EDITION:
        return WimImage(index, name, "Windows PE, from which Windows is installed")
    if "Edition ID" in fields or _detail(path, index, f"/{CONFIG}/SYSTEM", title) is not None:
        return WimImage(index, name, "")
    return WimImage(index, name, f"without Windows: there is no {CONFIG}/SYSTEM in it")


def _detail(path: str, index: str, inner_path: str, title: str) -> str | None:
    """Return what wimlib says about a file; None where it does not exist. Raises ImageError."""
    command = [PROGRAM, "dir", path, index, f"--path={inner_path}", "--detailed"]
    completed = program(command, PACKAGE, title, environment=IGNORE_CASE)
    if completed.returncode == NO_SUCH_PATH:
        return None
    if completed.returncode:
        raise ImageError(
            f"{title}: {inner_path} could not be looked up: {completed.stderr.strip()}"
        )
    return completed.stdout


def _field(name: str, detail: str) -> str:
    """Return a field of what wimlib says about a file; "" where it has none."""
    match = re.search(rf"^{name} += (.*)$", detail, re.MULTILINE)
    return match[1] if match else ""


class Wim:
    """One image of a WIM or ESD file.

    The hives stay unpacked in work from one opening to the next, so that a solid ESD is unpacked
    once. read_only says why nothing can be changed, where nothing can.
    """

    data_volumes: Sequence[DataVolume] = ()

    def __init__(
        self, path: str, index: str, work: str, *, title: str = "", read_only: str = ""
    ) -> None:
        self.title = f"{title or path}, image {index}"
        self._path = os.path.realpath(path)
        self._index = index
        self._folder = os.path.dirname(self._path)
        self._read_only = read_only
        if _read_flags(self._path, self.title) & READ_ONLY:
            self._read_only = (
                f"{self.title} cannot be written: the file is marked as read-only in its header. Export "
                "it, which clears the mark: wimlib-imagex export IMAGE all NEW.wim"
            )
        self._folders: dict[str, bool] = {}
        self._lock = Lock(self._folder, exclusive=False)
        self._work = tempfile.mkdtemp(prefix="ets6-network-", dir=work)
        self._cache = os.path.join(work, "ets6-network-unpacked")
        try:
            self._hives = self._unpacked_hives()
        except (ImageError, OSError):
            self.close()
            raise

    def _unpacked_hives(self) -> str:
        """Return the folder with the hives, and unpack them where that was not done before."""
        folder = os.path.join(self._cache, self._state())
        if not os.path.isdir(folder):
            unpacked = self._extract(self._path, HIVES, globs=True)
            os.makedirs(self._cache, exist_ok=True)
            os.rename(unpacked, folder)
        return folder

    def _state(self) -> str:
        """Return a name for the state of the file, and the image in it."""
        status = os.stat(self._path)
        return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{self._index}"

    def _extract(self, wim: str, paths: list[str], *, globs: bool = False) -> str:
        """Take files out into a new folder, those that exist."""
        folder = tempfile.mkdtemp(dir=self._work)
        options = [f"--dest-dir={folder}", "--preserve-dir-structure"]
        options += ["--no-acls", "--no-attributes"]
        options.append("--nullglob" if globs else "--no-globs")
        if not globs:
            paths = [path for path in paths if self._detail(path) is not None]
        if paths:
            command = [PROGRAM, "extract", wim, self._index, *paths, *options]
            completed = program(command, PACKAGE, self.title, environment=IGNORE_CASE)
            if completed.returncode:
                raise self._failed(completed)
        return folder

    def _failed(self, completed: CompletedProgram) -> ImageError:
        if completed.returncode == RESOURCE_NOT_FOUND:
            return ImageError(
                f"{self.title} is a delta WIM: contents of its files are in another WIM. Join the two: "
                "wimlib-imagex export IMAGE all NEW.wim --ref=OTHER.wim"
            )
        return ImageError(f"{self.title}: {PROGRAM} failed: {last_words(completed)}")

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return a file's content. Files other than hives are unpacked only when they are read."""
        if path.lower() == "hiberfil.sys":
            # A captured image is applied and starts afresh: nothing resumes.
            return None
        content = _unpacked(self._hives, path, most)
        if content is None and not _is_hive(path):
            content = _unpacked(self._extract(self._path, [f"/{path}"]), path, most)
        return content

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        parts = path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            if not self._is_folder(folder):
                return None
        detail = self._detail(f"/{path}")
        if detail is None or "FILE_ATTRIBUTE_DIRECTORY" in detail:
            return None
        size = re.match(r"\d+", _field("Uncompressed size", detail))
        return int(size[0]) if size else 0

    def _is_folder(self, path: str) -> bool:
        """Return whether a folder exists. Raises ImageError for a link."""
        if path not in self._folders:
            # Of a folder wimlib prints what is in it, too.
            head = (self._detail(f"/{path}") or "").partition("\n---")[0]
            if "FILE_ATTRIBUTE_REPARSE_POINT" in head:
                raise ImageError(
                    f"{self.title}: {path} is a symbolic link or junction, which is not followed "
                    "inside an image"
                )
            self._folders[path] = "FILE_ATTRIBUTE_DIRECTORY" in head
        return self._folders[path]

    def has_folder(self, path: str) -> bool:
        """Return whether a folder exists."""
        return self._is_folder(path)

    def _detail(self, path: str) -> str | None:
        return _detail(self._path, self._index, path, self.title)

    def close(self) -> None:
        """Remove what was unpacked, but for the hives, and let others write."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._lock.release()

    def refuse_unwritable(self, _files: Iterable[str]) -> None:
        """Raise ImageError where the file cannot be replaced."""
        if self._read_only:
            raise ImageError(self._read_only)
        refuse_unwritable(self._path, self._folder, {})

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Replace hives, all or none, whenever this process is ended."""
        new = self._path + NEW
        try:
            self._lock.release()
            self._lock = Lock(self._folder, exclusive=True)
            discard(new)
            for path, replacement in files.items():
                if self._digest(path) != hashlib.sha1(replacement.before).hexdigest():  # noqa: S324
                    raise ImageError(f"{self.title}: {path} has changed since it was read.")
            try:
                copy_file(self._path, new)
                like(new, self._path)
                self._update(new, {path: file.after for path, file in files.items()})
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

    def _digest(self, path: str) -> str:
        """Return the SHA-1 of a file's content, as the WIM has it; "" where it does not exist."""
        return _field("Hash", self._detail(f"/{path}") or "").removeprefix("0x")

    def _keep(self, files: Mapping[str, Replacement]) -> None:
        """Have the unpacked hives be those of the changed file."""
        unpacked = Folder(self._hives, hives_only=False)
        try:
            places = {unpacked.place(path): file.after for path, file in files.items()}
        finally:
            unpacked.close()
        for place, content in places.items():
            with open(place, "wb") as hive:
                hive.write(content)
        os.rename(self._hives, os.path.join(self._cache, self._state()))

    def _update(self, wim: str, files: Mapping[str, bytes]) -> None:
        before = self._names(wim)
        commands = []
        for number, (path, content) in enumerate(files.items()):
            staged = os.path.join(self._work, f"new{number}")
            with open(staged, "wb") as file:
                file.write(content)
            # Windows has no quotes in names.
            commands.append(f'add "{staged}" "/{self._spelled(path)}"\n')
        command = [PROGRAM, "update", wim, self._index, "--no-acls", "--threads=1"]
        run(command, PACKAGE, self.title, stdin="".join(commands))
        sync_file(wim)
        folder = self._extract(wim, [f"/{path}" for path in files])
        for path, content in files.items():
            if _unpacked(folder, path) != content:
                raise ImageError(f"{self.title}: {path} does not hold what was put into it.")
        if self._names(wim) != before:
            raise ImageError(f"{self.title}: after the update it holds other files than before.")

    def _names(self, wim: str) -> str:
        return run([PROGRAM, "dir", wim, self._index], PACKAGE, self.title)

    def _spelled(self, path: str) -> str:
        """Return a path as the image spells it."""
        spelling = _field("Full Path", self._detail(f"/{path}") or "").strip('"').lstrip("/")
        if not spelling:
            raise ImageError(f"{self.title}: {path} was removed since it was read.")
        return spelling


def _is_hive(path: str) -> bool:
    """Return whether a file is unpacked with the hives, if it exists."""
    return any(fnmatch(f"/{path}".lower(), pattern.lower()) for pattern in HIVES)


def _unpacked(folder: str, path: str, most: int | None = None) -> bytes | None:
    if not os.listdir(folder):
        return None
    unpacked = Folder(folder, hives_only=False)
    try:
        return unpacked.read(path, most)
    finally:
        unpacked.close()
