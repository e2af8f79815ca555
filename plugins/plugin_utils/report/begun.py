# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report of a run that has begun: it is there until the run's own takes its place.

A run that is interrupted writes no report, and the one of yesterday would pass for its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from . import document, files, formats, previous
from .model import Run


def write(
    folder: Path,
    run: Run,
    hosts: Sequence[str],
    names: Sequence[str],
    inventory: Collection[str],
    chosen: str = "",
    *,
    images: bool = False,
) -> None:
    """Set the last report aside, and write that this run has begun in these formats.

    hosts are all that are to be judged. chosen is the report that the run will be compared with,
    which stays as it is. images: whether it is about images. Raises OSError.
    """
    report = document.not_ended(run, hosts)
    with files.locked(folder):
        if not (chosen and files.is_same(folder / previous.FILE, Path(chosen))):
            previous.set_aside(folder, inventory, images=images)
        formats.write(report, folder, names)
