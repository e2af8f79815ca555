# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Programs of Debian packages (requirements-debian.txt) that a test is made with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def need(program: str, package: str) -> str:
    """Return a program's path. Where it is missing the test is skipped, and on CI it fails, naming the package."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and Path(program).exists():
        found = program
    if found is None:
        reason = f"{program} is missing; it is in Debian's package {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
