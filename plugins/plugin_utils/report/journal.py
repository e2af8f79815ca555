# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is sent to hosts to change them, kept beside report.json until a report has these hosts.

A run that is interrupted or killed writes no report of its own, and what it changed stays changed:
the next report of these hosts has it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ETS6Error
from ..wire import SnapshotError, expect, is_deeper, items, text
from . import files
from .hosts import has_own_findings, plain
from .model import TIME, ChangeRecord, Report, UnreportedChanges

FILE = "changes.jsonl"
REPORT = "report.json"
"""The file whose access rights it gets."""
MAX_BYTES = 512 * 1024 * 1024
MAX_LEVELS = 50
"""How deep a line may be nested."""


class JournalError(ETS6Error):
    """What is to be changed could not be noted, so nothing may be changed."""


def add(folder: Path, line: Mapping[str, Any]) -> None:
    """Append a line of JSON. It is on the disk when this returns. Raises JournalError."""
    path = folder / FILE
    content = json.dumps(plain(line), ensure_ascii=False) + "\n"
    try:
        with files.locked(folder):
            files.append(path, content, folder / REPORT, MAX_BYTES)
    except OSError as error:
        raise JournalError(
            f"ets6_network_report_dir: {path} cannot be written: {error.strerror}. Nothing was "
            "changed, since no report could say so after an interruption."
        ) from None


def unreported(folder: Path, run: str) -> dict[str, list[UnreportedChanges]]:
    """Return what runs other than this one sent, by host, in the order in which it was sent."""
    by_host: dict[str, list[UnreportedChanges]] = {}
    for entry in _entries(_lines(folder)):
        if entry.run != run:
            by_host.setdefault(entry.host, []).extend(entry.outcomes())
    return by_host


def forget_reported(folder: Path, report: Report, run: str) -> None:
    """Remove the lines of a whole report: those of this run, and of runs that it reports.

    Lines of hosts that were not judged stay.
    """
    if report["run"]["pending"]:
        return
    judged = set()
    reported = set()
    for host in report["hosts"]:
        if has_own_findings(host):
            judged.add(host["name"])
            reported |= {(host["name"], sent["at"]) for sent in host.get("unreported", ())}
    # A line that stays is reported once more.
    with contextlib.suppress(OSError), files.locked(folder):
        lines = _lines(folder)
        remaining = []
        for entry in _entries(lines):
            is_own = entry.run == run and entry.host in judged
            if not is_own and (entry.host, entry.at) not in reported:
                remaining += entry.lines
        if len(remaining) < len(lines):
            files.write({folder / FILE: "\n".join([*remaining, ""]) if remaining else None})


def _entries(lines: Iterable[str]) -> list[_Entry]:
    """Return what was sent, each with its answer, in the order of the file.

    Other lines are left out. What was cut off was not on the disk yet, so what it is about was not
    sent; and what an answer is to may be reported already.
    """
    entries: list[_Entry] = []
    waiting: dict[tuple[str, str], _Entry] = {}
    for line in lines:
        entry = _Entry.parse(line)
        if entry is None:
            continue
        sender = (entry.run, entry.host)
        if entry.changes:
            entries.append(entry)
            waiting[sender] = entry
        elif sender in waiting:
            sent = waiting.pop(sender)
            sent.made = entry.made
            sent.lines += entry.lines
    return entries


def _lines(folder: Path) -> list[str]:
    try:
        content = files.read(folder / FILE, MAX_BYTES, follow=False)
    except OSError:
        # Not there, or not a file that this collection wrote, such as a link.
        return []
    # Not splitlines(): texts may have other separators of lines in them.
    return list(filter(None, content.decode("utf-8", errors="replace").split("\n")))


@dataclass
class _Entry:
    """What was sent, or, without changes, the answer to that. lines: where it stands.

    made: the subjects of the changes that were made; None until there is an answer.
    """

    run: str
    host: str
    at: str
    changes: Sequence[ChangeRecord]
    made: Collection[str] | None
    lines: list[str]

    @classmethod
    def parse(cls, line: str) -> _Entry | None:
        """Read a line; None where it is not one that this collection wrote."""
        try:
            raw = plain(json.loads(line))
            if is_deeper(raw, MAX_LEVELS) or raw["state"] not in ("sent", "answered"):
                return None
            changes = items(_parse_change, raw["changes"], "changes") if "changes" in raw else ()
            made = None if changes else items(text, raw["made"], "made")
            at = text(raw["at"], "at")
            if datetime.strptime(at, TIME).strftime(TIME) != at:
                return None
            run, host = text(raw["run"], "run"), text(raw["host"], "host")
        except (ValueError, TypeError, KeyError, RecursionError, SnapshotError):
            return None
        return cls(run, host, at, changes, made, [line])

    def outcomes(self) -> Iterator[UnreportedChanges]:
        """Yield what was sent, by what became of it."""
        by_outcome: dict[str, list[ChangeRecord]] = {}
        for change in self.changes:
            outcome = "unknown"
            if self.made is not None:
                outcome = "made" if change["subject"] in self.made else "failed"
            by_outcome.setdefault(outcome, []).append(change)
        for outcome, changes in by_outcome.items():
            yield {"at": self.at, "outcome": outcome, "changes": changes}


def _parse_change(raw: Any, location: str) -> ChangeRecord:
    change = expect(dict, raw, location)
    return {
        "subject": text(change["subject"], location),
        "before": expect(dict, change["before"], location),
        "after": expect(dict, change["after"], location),
    }


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
