# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every kind of image can do: give single files of the Windows volume, and put new ones in place of some."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

Done = subprocess.CompletedProcess[str]
CONFIG = "Windows/System32/config"


class ImageError(Exception):
    """An image cannot be read or written. The text names the image, says what is wrong and what to do."""


class Replacement(NamedTuple):
    """What a file held when it was read, and what it is to hold."""

    before: bytes
    after: bytes


class Source(Protocol):
    """An open image. Paths are relative to the root of the Windows volume, with slashes, letter case aside."""

    title: str

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return the content of a file, or its first bytes; None where it is not there. Raises ImageError."""

    def size(self, path: str) -> int | None:
        """Return the size of a file; None where it is not there. Raises ImageError where that cannot be told."""

    def refuse_unwritable(self, files: Iterable[str]) -> None:
        """Raise ImageError where it can be told beforehand that these files cannot be replaced."""

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Put new contents in place of files, all of them or none. Raises ImageError; nothing has changed then."""

    def close(self) -> None:
        """Let go of everything that was opened or unpacked for the reading."""


class Lock:
    """Keeps others from writing (or, exclusive, from using) what is in a folder, until this process and the programs it runs end."""

    def __init__(self, folder: str, *, exclusive: bool) -> None:
        self._handle = os.open(folder, os.O_RDONLY)
        os.set_inheritable(self._handle, True)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        except OSError:
            # Some network file systems have no locks; reading there is no worse than reading any file.
            if exclusive:
                self.release()
                raise

    def release(self) -> None:
        """Let others in."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


def sync_folder(folder: str) -> None:
    """Have the names in a folder written to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: str, content: bytes) -> None:
    """Write a new file and have it written to the disk. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def like(path: str, model: str) -> None:
    """Give a new file the owner, the rights and, on a mounted NTFS volume, the security descriptor and attributes of another.

    Names of the extended attributes: ntfs-3g's manual; they are not listed, so they have to be known.
    """
    found = os.stat(model)
    with contextlib.suppress(PermissionError):
        os.chown(path, found.st_uid, found.st_gid)
    os.chmod(path, found.st_mode & 0o7777)
    for name in ("system.ntfs_acl", "system.ntfs_attrib_be"):
        with contextlib.suppress(OSError):
            os.setxattr(path, name, os.getxattr(model, name))


def discard(path: str) -> None:
    """Remove a file that may be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def copy_file(source: str, target: str) -> None:
    """Copy a large file, sharing its blocks where the file system can, keeping its holes, and have it written to the disk.

    Raises OSError.
    """
    done = program(["cp", "--reflink=auto", "--sparse=auto", "--", source, target], "coreutils", source)
    if done.returncode:
        full = "No space left" in done.stderr
        raise OSError(errno.ENOSPC if full else errno.EIO, done.stderr.strip().rpartition(": ")[2] or "cp failed", target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def refuse_unwritable(title: str, folder: str, programs: Mapping[str, str]) -> None:
    """Raise ImageError where a folder is not writable or a program is not installed; programs: each with its Debian package."""
    if not os.access(folder, os.W_OK):
        raise ImageError(f"{title} cannot be written: its folder {folder} is not writable.")
    for name, package in programs.items():
        if shutil.which(name) is None:
            raise _missing(name, package, title)


def _missing(name: str, package: str, title: str) -> ImageError:
    return ImageError(f"{title}: the program {name} is needed for that; on Debian it comes with the package {package}.")


def program(
    command: list[str], package: str, title: str, stdin: str | None = None, folder: str | None = None, **environment: str
) -> Done:
    """Run a program, whatever it ends with. Raises ImageError where it is not installed, naming its Debian package."""
    try:
        return subprocess.run(  # noqa: S603 (no shell; what is run is this collection's choice)
            command,
            input=stdin,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            # The lock goes on to the program, which outlives this process where that is killed.
            close_fds=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        )
    except FileNotFoundError:
        raise _missing(command[0], package, title) from None


def run(
    command: list[str], package: str, title: str, stdin: str | None = None, folder: str | None = None, **environment: str
) -> str:
    """Run a program and return what it printed. Raises ImageError with the program's last words."""
    done = program(command, package, title, stdin, folder, **environment)
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = [line for line in said if "ERROR" in line] or said[-2:] or [f"it ended with {done.returncode} and said nothing"]
        raise ImageError(f"{title}: {os.path.basename(command[0])} failed: {' '.join(said)}")
    return done.stdout
