# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The files that a report is written to, by the names under which users ask for them.

Each is a module named after its file. FILE is the file's name, ``render`` returns its text for a
report, and MARK is in the beginning of that text and tells it from other programs' files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from .. import document, files
from ..model import Report
from . import (
    junit_xml,
    metrics_prom,
    report_csv,
    report_hdf,
    report_html,
    report_json,
    report_sarif,
    summary_md,
)

ALL: dict[str, ModuleType] = {
    "json": report_json,
    "junit": junit_xml,
    "html": report_html,
    "markdown": summary_md,
    "sarif": report_sarif,
    "csv": report_csv,
    "metrics": metrics_prom,
    "hdf": report_hdf,
}
RESULTS = ("junit", "markdown", "sarif", "metrics")
"""Formats that CI and monitoring read: an older one would look like this run's result."""
CHECKSUM = f"{report_json.FILE}.sha256"
"""The file with the checksum of report.json as a file, for sha256sum."""


def write(report: Report, folder: Path, names: Sequence[str]) -> list[str]:
    """Write the files of these formats and return their paths; report.json always, as the first.

    They are one set: all are written beside their places, and report.json takes its place last, with
    its checksum before it. Until then report.json says that the run has not ended, so no reader can
    take files of two runs for one set. Files that an earlier run left of the other formats are
    removed, since they would pass for this run's. The directory is locked by whoever calls this.
    Raises OSError with the file that could not be written or removed.
    """
    paths = {name: folder / ALL[name].FILE for name in dict.fromkeys(["json", *names])}
    contents: dict[Path, str | None] = {}
    for form in ALL.values():
        path = folder / form.FILE
        if path not in paths.values() and files.is_marked(path, form.MARK):
            contents[path] = None
    for name, path in reversed(paths.items()):
        text = ALL[name].render(report)
        if name == "json":
            checksum = hashlib.sha256(text.encode()).hexdigest()
            # As sha256sum writes it, and reads it with --check.
            contents[folder / CHECKSUM] = f"{checksum}  {path.name}\n"
        contents[path] = text
    hosts = {*report["run"]["pending"], *(host["name"] for host in report["hosts"])}
    meanwhile = report_json.render(document.not_ended(report["run"], hosts))
    files.write(contents, meanwhile)
    return [str(path) for path in paths.values()]


def write_refusal(report: Report, folder: Path, names: Sequence[str]) -> list[str]:
    """Write those files of a run that was refused from which programs take its result.

    The files that people read stay those of the last run that judged hosts. Raises OSError.
    """
    contents: dict[Path, str | None] = {}
    for name in RESULTS:
        if name in names:
            contents[folder / ALL[name].FILE] = ALL[name].render(report)
    files.write(contents)
    return [str(path) for path in contents]
