# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is sent to hosts to change them, kept beside report.json until a report has these hosts.

A run that is interrupted or killed writes no report of its own, and what it changed stays changed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ETS6Error
from . import files
from .hosts import has_own_findings, plain
from .model import Report

FILE = "changes.jsonl"
REPORT = "report.json"
"""The file whose access rights it gets."""
MAX_BYTES = 512 * 1024 * 1024


class JournalError(ETS6Error):
    """What is to be changed could not be noted, so nothing may be changed."""


def add(folder: Path, line: Mapping[str, Any]) -> None:
    """Append a line of JSON. It is on the disk when this returns. Raises JournalError."""
    path = folder / FILE
    text = json.dumps(plain(line), ensure_ascii=False) + "\n"
    try:
        with files.locked(folder):
            files.append(path, text, folder / REPORT)
    except OSError as error:
        raise JournalError(
            f"ets6_network_report_dir: {path} cannot be written: {error.strerror}. Nothing was "
            "changed, since no report could say so after an interruption."
        ) from None


def forget_reported(folder: Path, report: Report) -> None:
    """Remove the lines of the hosts that were judged in this report. The directory is locked.

    Raises OSError.
    """
    path = folder / FILE
    try:
        content = files.read(path, MAX_BYTES, follow=False)
    except OSError:
        # Not there, or not a file that this collection wrote, such as a link.
        return
    judged = set()
    for host in report["hosts"]:
        if has_own_findings(host):
            judged.add(host["name"])
    lines = content.decode("utf-8", errors="replace").splitlines()
    remaining = [line for line in lines if not _is_of(line, judged)]
    files.write({path: "\n".join([*remaining, ""]) if remaining else None})


def _is_of(line: str, hosts: Collection[str]) -> bool:
    """Return whether a line is of one of these hosts. One that was cut off is no loss, either."""
    with contextlib.suppress(ValueError, RecursionError):
        entry = json.loads(line)
        return isinstance(entry, dict) and entry.get("host") in hosts
    return True


class Journal:
    """The lines of one host in one run. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, run: str, host: str) -> None:
        self._folder = folder
        self._line = {"run": run, "host": host}

    def sent(self, at: str, changes: Sequence[Mapping[str, Any]]) -> None:
        """Note changes before they are sent. Raises JournalError."""
        self._add({"at": at, "state": "sent", "changes": list(changes)})

    def answered(self, at: str, made: Sequence[str], failures: Sequence[str]) -> None:
        """Note which changes were made, by their subjects, and what failed."""
        # It was changed: whoever reads the report needs the findings more than this line.
        with contextlib.suppress(JournalError):
            self._add({"at": at, "state": "answered", "made": [*made], "failures": [*failures]})

    def _add(self, content: Mapping[str, Any]) -> None:
        if self._folder is not None:
            add(self._folder, {**self._line, **content})
