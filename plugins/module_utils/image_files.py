# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

r"""Looks up files of an image by their Windows paths.

A path that begins with ``*:\\`` is looked up on every NTFS partition. Which drive letter a partition
has is in ``HKLM\\SYSTEM\\MountedDevices``, whose values name a partition by its disk's signature and
its offset (MBR) or by its GUID (GPT).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .errors import ModuleError
from .image_registry import OfflineRegistry
from .image_source import CONFIG, DataVolume, ImageError, Source
from .image_wim import ANY
from .names import fold

HEAD_BYTES = 1024
"""So much of a program tells whether it is a 32-bit one."""
MOUNTED_DEVICES = "HKLM\\SYSTEM\\MountedDevices"
_LETTER = re.compile(r"\\DosDevices\\([A-Z]):", re.IGNORECASE)
_TEXT_TYPES = ("REG_SZ", "REG_EXPAND_SZ")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Return a text with its environment strings replaced. Unknown ones stay, as in Windows."""
    values = {fold(name): value for name, value in environment.items()}

    def replace(match: re.Match[str]) -> str:
        return values.get(fold(match[1]), match[0])

    return re.sub(r"%([^%]+)%", replace, text)


def pattern(path: str) -> str:
    r"""Return the path of a file of the Windows volume, with slashes, as a pattern (image_wim).

    In place of a name with an environment string, whose value is in the registry, any name matches.
    """
    names = path.split("\\")
    if "%" not in names[0]:
        # The drive.
        del names[0]
    return "/".join(ANY if "%" in name else name for name in names)


def paths_in_values(names: Sequence[str], keys: Mapping[str, Any]) -> list[str]:
    """Return every path that ends in one of the names and is part of a text of the machine's keys.

    keys: what was read, in its wire form. A user may write any path into a key of the user's own.
    """
    if not names:
        return []
    alternatives = "|".join(re.escape(name) for name in names)
    expression = re.compile(rf'(?:^|[=|"])([^=|"]*\\(?:{alternatives}))(?=$|[|"])', re.IGNORECASE)
    paths: list[str] = []
    for text in _texts(key for path, key in keys.items() if path.startswith("HKLM\\")):
        paths += expression.findall(text)
    return paths


def _texts(keys: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for key in keys:
        for kind, data in key.get("values", {}).values():
            if kind in _TEXT_TYPES:
                yield data


class Files:
    """The files of an image.

    vouched are the paths of programs that exist according to the user, whatever the image holds: it
    may consist of hives only, or get ETS6 later. Where it could not be determined whether a program
    of the same name is elsewhere, it counts as missing there. notes say which files only the user
    vouches for.
    """

    def __init__(
        self,
        source: Source,
        registry: OfflineRegistry,
        environment: Mapping[str, str],
        vouched: Sequence[str] = (),
    ) -> None:
        self._source = source
        self._environment = environment
        self.notes: list[str] = []
        self._drive = environment["SystemDrive"].upper()
        self._vouched = {fold(path): path for path in self._expanded(vouched)}
        self._vouched_names = {path.rpartition("\\")[2] for path in self._vouched}
        letters = _letters(registry)
        self._volumes: dict[str, DataVolume] = {}
        self._without_letter: list[DataVolume] = []
        for volume in source.data_volumes:
            drive = letters.pop(volume.identity, None)
            if drive is None or drive == self._drive:
                self._without_letter.append(volume)
            else:
                self._volumes[drive] = volume
        absent = set(letters.values()) - {self._drive} - set(self._volumes)
        self._absent_drives = sorted(absent)

    def look_up(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """Return each file once, in the form that windows_host documents.

        paths: Windows paths with environment strings. The first spelling of a path counts.
        """
        files: dict[str, dict[str, Any]] = {}
        for path in [*self._expanded(paths), *self._vouched.values()]:
            for file in self._found(path):
                files.setdefault(fold(file["path"]), file)
        return [self._with_promise(file) for file in files.values()]

    def _found(self, path: str) -> list[dict[str, Any]]:
        if path.startswith("*:\\"):
            return self._on_every_drive(path[2:])
        return [self._file(path)]

    def _expanded(self, paths: Iterable[str]) -> list[str]:
        return [expand(path, self._environment) for path in paths]

    def _with_promise(self, file: dict[str, Any]) -> dict[str, Any]:
        path = fold(file["path"])
        if file["state"] == "present":
            return file
        if path not in self._vouched:
            elsewhere = path.rpartition("\\")[2] in self._vouched_names
            if elsewhere and file["state"] == "unreadable":
                return _record(file["path"])
            return file
        self.notes.append(
            f"{self._source.title}: {file['path']} counts as installed (ets6_network_image_programs), "
            "though the image does not hold it."
        )
        return _record(file["path"], state="present")

    def _on_every_drive(self, rest: str) -> list[dict[str, Any]]:
        """Return a file on the system drive, and on the other partitions those that may exist."""
        files = [self._file(self._drive + rest)]
        files += [self._file(drive + rest) for drive in sorted(self._volumes)]
        for volume in self._without_letter:
            file = self._without_drive(volume, rest)
            if file is not None:
                files.append(file)
        if all(file["state"] == "missing" for file in files):
            files += [self._file(drive + rest) for drive in self._absent_drives]
        return files

    def _without_drive(self, volume: DataVolume, rest: str) -> dict[str, Any] | None:
        path = f"*:{rest}"
        try:
            if volume.size(_relative(rest)) is None:
                return None
        except ModuleError as error:
            return _record(path, state="unreadable", error=str(error))
        return _record(
            path,
            state="unreadable",
            error=f"it is on {volume.title}, which has no drive letter in {MOUNTED_DEVICES}",
        )

    def _file(self, path: str) -> dict[str, Any]:
        try:
            if "%" in path:
                if "ProgramFiles" not in self._environment:
                    raise ImageError(
                        f"{CONFIG}/SOFTWARE does not say where programs are (ProgramFilesDir)"
                    )
                # Windows leaves an unknown environment string as it is, and finds no such file.
                return _record(path)
            size = self._size(path)
        except ModuleError as error:
            return _record(path, state="unreadable", error=str(error))
        if size is None:
            return _record(path)
        return _record(path, state="present", size=size, head=self._head(path))

    def _head(self, path: str) -> str:
        """Return the first bytes of a file of the Windows volume as base64.

        Empty where they cannot be read, and for a file of another volume.
        """
        try:
            content = self._source.read(self.relative(path), HEAD_BYTES)
        except ModuleError:
            return ""
        return base64.b64encode(content or b"").decode("ascii")

    def _size(self, path: str) -> int | None:
        drive, rest = path[:2].upper(), path[2:]
        volume = self._volumes.get(drive)
        if volume is not None and rest.startswith("\\"):
            return volume.size(_relative(rest))
        return self._source.size(self.relative(path))

    def relative(self, path: str) -> str:
        """Return the path of a file of the Windows volume, relative to its root. Raises ImageError."""
        drive, rest = path[:2].upper(), path[2:]
        if drive != self._drive or not rest.startswith("\\"):
            raise ImageError(
                f"{path} is not on drive {self._drive}, and the image does not hold it"
            )
        return _relative(rest)


def _record(
    path: str, *, state: str = "missing", size: int = 0, error: str = "", head: str = ""
) -> dict[str, Any]:
    file: dict[str, Any] = {"path": path, "state": state, "version": "", "size": size}
    return {**file, "error": error, "head": head}


def _relative(path: str) -> str:
    parts = [part for part in path.split("\\") if part]
    if ".." in parts:
        raise ImageError(f"{path} leads out of its folder")
    return "/".join(parts)


def _letters(registry: OfflineRegistry) -> dict[bytes, str]:
    """Return the drives of partitions of fixed disks, by what MountedDevices knows them as."""
    letters: dict[bytes, str] = {}
    key = registry.key(MOUNTED_DEVICES)
    if key is None:
        return letters
    for value in key.values():
        match = _LETTER.fullmatch(value.name)
        on_fixed_disk = len(value.data) == 12 or value.data.startswith(b"DMIO:ID:")
        if match and on_fixed_disk:
            letters[value.data] = f"{match[1].upper()}:"
    return letters
