# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The file system, as far as reports need it. A file is the old one or the new one, at any time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

BEGINNING = 64 * 1024
"""Bytes of a file within which it says what it is."""


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


def remove_if_marked(path: Path, mark: str) -> None:
    """Remove a file that has the mark near its beginning; any other of the same name stays."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        is_marked = mark.encode() in file.read(BEGINNING)
    if is_marked:
        path.unlink()


def write(path: Path, content: str) -> None:
    """Write a file as a whole. A missing directory is made.

    Raises OSError, whose filename is this path.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        error.filename = str(path)
        raise


def _replace(path: Path, content: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
