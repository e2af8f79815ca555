# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Programs of Debian packages (requirements-debian.txt) that a test is made with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def find(program: str) -> str | None:
    """Return a program's path, None where it is missing."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return program if found is None and Path(program).exists() else found


def need(program: str, package: str) -> str:
    """Return a program's path. Raises as do_without does where it is missing."""
    return find(program) or do_without(f"{program} is missing; it is in Debian's package {package}")


def do_without(reason: str) -> NoReturn:
    """Skip the test, for which something is missing. On CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
