# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's blobs of real user hives, where they stand beside the project (``../shared/hives``). None is kept here."""

from __future__ import annotations

import importlib
import io
import lzma
import os
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

FOLDER = Path(__file__).resolve().parents[6] / "shared" / "hives"
HIVES = ("old-wpad", "win10-clean", "win10-dirty")
CONNECTIONS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"


def _not_here(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def blobs(name: str) -> dict[str, bytes]:
    """Return the blobs of a hive by the value's name, as python-registry reads them.

    Skips the test where the hive or its reader is not there; on CI it fails.
    """
    path = FOLDER / f"{name}.NTUSER.DAT.xz"
    if not path.exists():
        _not_here(f"{path.name} is not beside the project")
    try:
        registry: Any = importlib.import_module("Registry.Registry")
    except ImportError:
        _not_here("python-registry is not installed")
    hive = registry.Registry(io.BytesIO(lzma.decompress(path.read_bytes())))
    return {value.name(): value.raw_data() for value in hive.open(CONNECTIONS).values()}
