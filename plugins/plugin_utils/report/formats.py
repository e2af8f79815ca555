# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The files that a report is written to, by the names under which users ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from . import csv, html, json, junit, markdown, sarif, writing
from .document import Json

ALL: dict[str, ModuleType] = {"json": json, "junit": junit, "html": html, "markdown": markdown, "sarif": sarif, "csv": csv}
"""Each has FILE, its file's name, and render, which makes its text of the document; by MARK, near the beginning, its text is known.
report.json is always written, and needs none."""
NEAR = 64 * 1024


def write(document: Json, folder: Path, wanted: Sequence[str]) -> list[str]:
    """Write the wanted files and return their paths; report.json, which all others are made from, always and first.

    What an earlier run left of the other formats goes: it would pass for this run's. Raises OSError with the file that could not be
    written or removed.
    """
    files = []
    for name in dict.fromkeys(["json", *wanted]):
        path = folder / ALL[name].FILE
        writing.write(path, ALL[name].render(document))
        files.append(str(path))
    for other in ALL.values():
        path = folder / other.FILE
        if str(path) not in files and _is_ours(path, other.MARK):
            path.unlink()
    return files


def _is_ours(path: Path, mark: str) -> bool:
    """Return whether a file is an earlier report, and nobody else's of the same name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return mark.encode() in file.read(NEAR)
