# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every kind of image can do: read files of the Windows volume, and replace some of them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from . import bounds
from .errors import ModuleError
from .hive import MAX_HIVE

CompletedProgram = subprocess.CompletedProcess[str]
CONFIG = "Windows/System32/config"
PROGRAM_MEMORY = 4 << 30
"""Bytes that a program may take: a WIM in its strongest compression takes some hundred million."""
PROGRAM_SECONDS = 900
"""Time for one program that reads or writes a whole image."""


class ImageError(ModuleError):
    """An image cannot be read or written. The text names it, says what is wrong and what to do."""


class Replacement(NamedTuple):
    """What a file held when it was read, and what it is to hold."""

    before: bytes
    after: bytes


class DataVolume(Protocol):
    """Another partition of the image.

    identity is how MountedDevices names it. title is what errors call it.
    """

    @property
    def title(self) -> str:
        """Return what errors call it."""

    @property
    def identity(self) -> bytes:
        """Return how MountedDevices names it."""

    def size(self, path: str) -> int | None:
        """Return the size of a file, or None. Raises ImageError where it could not be determined."""


class Source(Protocol):
    """An open image.

    Paths are relative to the root of the Windows volume, with slashes, letter case aside.
    """

    title: str

    @property
    def data_volumes(self) -> Sequence[DataVolume]:
        """Return the other partitions of the image."""

    def read(self, path: str, most: int | None = None) -> bytes | None:
        """Return the content of a file, or its first bytes; None where it does not exist.

        Raises ImageError.
        """

    def size(self, path: str) -> int | None:
        """Return the size of a file; None where it does not exist.

        Raises ImageError where that could not be determined.
        """

    def has_folder(self, path: str) -> bool | None:
        """Return whether a folder exists; None where that could not be determined."""

    def refuse_unwritable(self, files: Iterable[str]) -> None:
        """Raise ImageError where it is certain beforehand that these files cannot be replaced."""

    def replace(self, files: Mapping[str, Replacement]) -> None:
        """Replace files, all of them or none. Raises ImageError; nothing has changed then."""

    def close(self) -> None:
        """Release everything that was opened or unpacked for reading."""


class Lock:
    """Keeps others from writing (or, exclusive, from using) what is in a folder.

    It holds until it is released, or until this process and the programs that it runs end.
    """

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


def open_file(path: str) -> BinaryIO:
    """Open a file of an image, or the image itself, for reading. Raises ImageError and OSError.

    All of them are opened here: a link could lead out of the image, a pipe could wait without end.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ImageError(f"{path} is a symbolic link, which is not followed") from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ImageError(f"{path} is not a regular file")
    return os.fdopen(handle, "rb")


def read_file(path: str, most: int | None = None) -> bytes:
    """Return the content of a file of an image, or its first bytes. Raises ImageError."""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if most is None and size > MAX_HIVE:
                raise ImageError(f"{path} has {size} bytes, which is too large")
            return file.read(-1 if most is None else most)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None


def write_file(path: str, content: bytes) -> None:
    """Write a new file and have it written to the disk. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def like(path: str, model: str) -> None:
    """Give a new file the owner and the rights of another.

    On a mounted NTFS volume that includes the security descriptor and the attributes. Names of the
    extended attributes: ntfs-3g's manual; listxattr does not return them.
    """
    status = os.stat(model)
    with contextlib.suppress(PermissionError):
        os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, status.st_mode & 0o7777)
    for name in ("system.ntfs_acl", "system.ntfs_attrib_be"):
        with contextlib.suppress(OSError):
            os.setxattr(path, name, os.getxattr(model, name))


def discard(path: str) -> None:
    """Remove a file that may be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def copy_file(source: str, target: str) -> None:
    """Copy a large file and have it written to the disk.

    Shares its blocks where the file system can, and keeps its holes. Raises OSError.
    """
    command = ["cp", "--reflink=auto", "--sparse=auto", "--", source, target]
    completed = program(command, "coreutils", source, seconds=None)
    if completed.returncode:
        code = errno.EIO
        if "No space left" in completed.stderr:
            code = errno.ENOSPC
        reason = completed.stderr.strip().rpartition(": ")[2]
        raise OSError(code, reason or "cp failed", target)
    sync_file(target)


def sync_file(path: str) -> None:
    """Have the content of a file written to the disk. Raises OSError."""
    with open_file(path) as file:
        os.fsync(file.fileno())


def refuse_unwritable(title: str, folder: str, programs: Mapping[str, str]) -> None:
    """Raise ImageError where a folder is not writable or a program is not installed.

    programs: the Debian package of each program.
    """
    if not os.access(folder, os.W_OK):
        raise ImageError(f"{title} cannot be written: its folder {folder} is not writable.")
    for name, package in programs.items():
        if shutil.which(name) is None:
            raise _not_installed(name, package, title)


def _not_installed(name: str, package: str, title: str) -> ImageError:
    return ImageError(
        f"{title}: the program {name} is needed for that; on Debian it comes with the package "
        f"{package}."
    )


def program(
    command: list[str],
    package: str,
    title: str,
    *,
    stdin: str | None = None,
    folder: str | None = None,
    seconds: float | None = PROGRAM_SECONDS,
    environment: Mapping[str, str] | None = None,
) -> CompletedProgram:
    """Run a program with a bound on its memory and time, whatever it ends with.

    package is the Debian package it comes with. Raises ImageError where it is not installed, or
    takes too long.
    """
    try:
        # Not AnsibleModule.run_command, which bounds neither memory nor time. No shell is involved,
        # and what is run is this collection's choice.
        return subprocess.run(  # noqa: S603 # pylint: disable=ansible-bad-function
            command,
            input=stdin,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            # The lock goes on to the program, which outlives this process where that is killed.
            close_fds=False,
            timeout=seconds,
            preexec_fn=_limit,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        )
    except FileNotFoundError:
        raise _not_installed(command[0], package, title) from None
    except subprocess.TimeoutExpired:
        raise ImageError(
            f"{title}: {os.path.basename(command[0])} took more than {seconds} seconds and was ended. "
            "The image may be damaged."
        ) from None


def _limit() -> None:
    bounds.limit_memory(PROGRAM_MEMORY)


def run(
    command: list[str],
    package: str,
    title: str,
    *,
    stdin: str | None = None,
    folder: str | None = None,
) -> str:
    """Run a program and return what it printed. Raises ImageError with the program's last words."""
    completed = program(command, package, title, stdin=stdin, folder=folder)
    if completed.returncode:
        raise ImageError(f"{title}: {os.path.basename(command[0])} failed: {last_words(completed)}")
    return completed.stdout


def last_words(completed: CompletedProgram) -> str:
    """Return the errors that a program printed, or the end of its output."""
    output = completed.stderr or completed.stdout
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line]
    words = errors or lines[-2:]
    return " ".join(words) or f"it ended with {completed.returncode} and printed nothing"
