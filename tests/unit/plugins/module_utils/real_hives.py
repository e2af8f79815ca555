# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Real registry hives, where they stand beside the project (``../shared/hives``). None is kept here."""

from __future__ import annotations

import importlib
import io
import lzma
import os
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "hives"
CLEAN = ("win10-2004-clean.SYSTEM", "win10-clean.NTUSER.DAT", "old-wpad.NTUSER.DAT")
DIRTY = ("win10-1709-dirty.SYSTEM", "win10-dirty.NTUSER.DAT")


def not_here(reason: str) -> NoReturn:
    """Skip the test; on CI fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def content(name: str) -> bytes:
    """Return a hive or a log."""
    path = FOLDER / f"{name}.xz"
    if not path.exists():
        not_here(f"{path.name} is not beside the project, in ../shared/hives")
    return lzma.decompress(path.read_bytes())


def logs(name: str) -> dict[str, bytes]:
    """Return the logs of a dirty hive."""
    return {f"{name}.LOG{number}": content(f"{name}.LOG{number}") for number in (1, 2)}


def second_reader(data: bytes) -> Any:
    """Return a hive as python-registry reads it."""
    return importlib.import_module("Registry.Registry").Registry(io.BytesIO(data))


def third_reader(data: bytes) -> Any:
    """Return the root key of a hive as dissect.regf reads it."""
    return importlib.import_module("dissect.regf").RegistryHive(io.BytesIO(data)).root()
