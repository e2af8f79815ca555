# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was known of every host before a run, kept beside report.json: the drift is since then."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from . import document, drift, files, reading
from .formats import report_json
from .hosts import any_judged
from .model import Report

FILE = "previous.json"


def report_before(
    folder: Path,
    chosen: str,
    inventory: Collection[str],
    *,
    is_first_batch: bool,
    images: bool = False,
) -> Report | None:
    """Return the report to compare with: the chosen file's, or what earlier runs left there.

    The first batch of a run takes the last run's report.json and keeps it as previous.json; from
    then on report.json is the run's own. None where there is no report. Raises ReportError where it
    cannot be used, and OSError where it cannot be kept. images: whether the run is about images.
    """
    last = folder / report_json.FILE
    kept = folder / FILE
    if chosen and not files.is_same(last, Path(chosen)):
        return reading.read(Path(chosen))
    if is_first_batch and not last.exists():
        kept.unlink(missing_ok=True)
    elif is_first_batch:
        report = _keep(last, kept, inventory, images=images)
        if report is not None:
            return report
    return reading.read(kept, follow=False) if kept.exists() else None


def set_aside(folder: Path, inventory: Collection[str], *, images: bool = False) -> None:
    """Keep the last report before a run begins, so that none of an earlier run passes for its own.

    One that only says that its run had begun is not kept: what was kept before it stays. Raises
    OSError.
    """
    last = folder / report_json.FILE
    # What cannot be used is said when it is compared with.
    with contextlib.suppress(reading.ReportError):
        if last.exists():
            _keep(last, folder / FILE, inventory, images=images)


def is_judged(folder: Path) -> bool:
    """Return whether report.json is there, and some host was judged in it."""
    try:
        report = reading.read(folder / report_json.FILE)
    except reading.ReportError:
        return False
    return any_judged(report)


def _keep(last: Path, kept: Path, inventory: Collection[str], *, images: bool) -> Report | None:
    """Return the last report as a baseline, and keep it; None where its run had only begun.

    Raises ReportError and OSError.
    """
    try:
        content = files.read(last, reading.MAX_BYTES, follow=False)
    except OSError as error:
        raise reading.ReportError(f"{last} cannot be read: {error.strerror}") from None
    text = content.decode("utf-8", errors="replace")
    try:
        report = reading.check(text, str(last))
    except reading.ReportError:
        # It is kept as it is, so that its reader can see why.
        files.write({kept: text}, like=last)
        raise
    if document.has_only_begun(report):
        return None
    older = None
    with contextlib.suppress(reading.ReportError):
        older = reading.read(kept, follow=False) if kept.exists() else None
    report = drift.baseline(report, older, inventory, images=images)
    files.write({kept: report_json.render(report)}, like=last)
    return report
