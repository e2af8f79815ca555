# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The file system, as far as reports need it. A file is the old one or the new one, at any time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

BEGINNING = 64 * 1024
"""Bytes of a file within which it says what it is."""


TEMPORARY = ".ets6-network-"
"""What the name of a file begins with that is being written."""
SECONDS_TO_WAIT = 60.0
"""How long a run waits for another one that writes to the same directory."""


def package_text(name: str) -> str:
    """Return a file that is part of this package; name is relative to it."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def find(path: Path, name: str) -> list[Path]:
    """Return the files that a path means: of a directory every file of a name, at any depth.

    There is always one at least, which need not exist.
    """
    if not path.is_dir():
        return [path]
    return sorted(path.rglob(name)) or [path / name]


def is_same(path: Path, other: Path) -> bool:
    """Return whether two paths lead to the same file; a missing one is the same as no other."""
    return os.path.exists(path) and os.path.exists(other) and path.samefile(other)


def is_marked(path: Path, mark: str) -> bool:
    """Return whether a file has the mark near its beginning; any other of the same name has not."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return mark.encode() in file.read(BEGINNING)


def read(path: Path, most: int, *, follow: bool = True) -> bytes:
    """Return the content of a regular file of at most so many bytes.

    follow: whether the path may be a link. In a directory for reports none is expected, and its
    content would be copied to where everybody can read it. Raises OSError, also for what is not a
    regular file: a FIFO would be waited for.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from None
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return content


@contextlib.contextmanager
def locked(folder: Path, seconds: float = SECONDS_TO_WAIT) -> Iterator[None]:
    """Keep other runs out of a directory, which is made where it is missing.

    What a run that was killed left half-written is removed. Raises OSError, also where another run
    does not leave the directory within the seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + seconds
        while not _is_locked(handle):
            if time.monotonic() > until:
                raise OSError(errno.EAGAIN, "another run has been writing there", str(folder))
            time.sleep(0.05)
        for leftover in folder.glob(f"{TEMPORARY}*"):
            leftover.unlink()
        yield
    finally:
        os.close(handle)


def _is_locked(handle: int) -> bool:
    """Return whether this process has the lock now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def append(path: Path, text: str, like: Path, most: int) -> None:
    """Append to a regular file of at most as many bytes. Raises OSError.

    Where it is missing, it is made with the access rights of another one. The text is on the disk
    when this returns. Where it does not fit there, no part of it stays: the next text would continue
    it. The directory is locked by whoever calls this.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    remaining = text.encode()
    with _names(path), os.fdopen(os.open(path, flags, _mode(like)), "wb", buffering=0) as file:
        handle = file.fileno()
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if before.st_size > most:
            limit = f"it has more than {most // 1024**2} MiB; look at it, and move it away"
            raise OSError(errno.EFBIG, limit)
        try:
            while remaining:
                remaining = remaining[os.write(handle, remaining) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, before.st_size)
            raise


def write(
    contents: Mapping[Path, str | None], meanwhile: str = "", like: Path | None = None
) -> None:
    """Write files of one directory: first all beside their places, then each takes its place.

    A missing directory is made. Files take their places in this order; None removes one. meanwhile
    is what the last one holds until all others are in their places, so that a run that is killed
    leaves no set that looks whole and is not. A file has the access rights of the one that it
    replaces, or of the file like. Raises OSError, whose filename is the file's.
    """
    steps = list(contents.items())
    if meanwhile:
        steps.insert(0, (steps[-1][0], meanwhile))
    prepared: list[tuple[str, Path]] = []
    try:
        for path, content in steps:
            with _names(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = "" if content is None else _write_beside(path, content, like or path)
                prepared.append((temporary, path))
        while prepared:
            temporary, path = prepared[0]
            with _names(path):
                _take_place(temporary, path)
            del prepared[0]
    finally:
        for temporary, _path in prepared:
            if temporary:
                os.unlink(temporary)


def _take_place(temporary: str, path: Path) -> None:
    """Rename a file to where it belongs; without one remove what is there."""
    if temporary:
        os.replace(temporary, path)
    else:
        path.unlink()


@contextlib.contextmanager
def _names(path: Path) -> Iterator[None]:
    """Name this file in every OSError."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _mode(path: Path) -> int:
    """Return the access rights of a regular file, where there is none those of a new one."""
    with contextlib.suppress(OSError):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            return stat.S_IMODE(mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _write_beside(path: Path, content: str, like: Path) -> str:
    """Return the path of a file with the content, in the same directory.

    It has the access rights of the file like.
    """
    mode = _mode(like)
    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary
