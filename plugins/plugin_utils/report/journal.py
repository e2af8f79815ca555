# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is sent to hosts to change them, kept beside report.json until a report has these hosts.

A run that is interrupted or killed writes no report of its own, and what it changed stays changed:
the next report of these hosts has it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ETS6Error
from ..wire import is_deeper
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
    text = json.dumps(plain(line), ensure_ascii=False) + "\n"
    try:
        with files.locked(folder):
            if os.path.lexists(path) and path.lstat().st_size > MAX_BYTES:
                raise OSError(errno.EFBIG, "it has more than 512 MiB; look at it, and move it away")
            files.append(path, text, folder / REPORT)
    except OSError as error:
        raise JournalError(
            f"ets6_network_report_dir: {path} cannot be written: {error.strerror}. Nothing was "
            "changed, since no report could say so after an interruption."
        ) from None


def unreported(folder: Path, run: str) -> dict[str, list[UnreportedChanges]]:
    """Return what runs other than this one sent, by host, in the order in which it was sent."""
    entries: list[_Entry] = []
    waiting: dict[tuple[str, str], _Entry] = {}
    for line in _lines(folder):
        entry = _Entry.parse(line)
        if entry is None or entry.run == run:
            continue
        if entry.changes:
            entries.append(entry)
            waiting[entry.run, entry.host] = entry
        elif (entry.run, entry.host) in waiting:
            waiting.pop((entry.run, entry.host)).made = entry.made
    by_host: dict[str, list[UnreportedChanges]] = {}
    for entry in entries:
        by_host.setdefault(entry.host, []).extend(entry.outcomes())
    return by_host


def forget_reported(folder: Path, report: Report, run: str) -> None:
    """Remove the lines of a whole report: those of this run, and of runs that it reports.

    Lines of hosts that were not judged stay.
    """
    if report["run"]["pending"]:
        return
    # A line that stays is reported once more.
    with contextlib.suppress(OSError), files.locked(folder):
        lines = _lines(folder)
        remaining = _without_reported(lines, report, run)
        if len(remaining) < len(lines):
            files.write({folder / FILE: "\n".join([*remaining, ""]) if remaining else None})


def _without_reported(lines: Sequence[str], report: Report, run: str) -> list[str]:
    """Return the lines that stay: what was sent and is in no report, and the answers to that."""
    judged = set()
    reported = set()
    for host in report["hosts"]:
        if has_own_findings(host):
            judged.add(host["name"])
            reported |= {(host["name"], sent["at"]) for sent in host.get("unreported", ())}
    remaining = []
    waiting = set()
    for line in lines:
        entry = _Entry.parse(line)
        # What was cut off was not on the disk yet, so what it is about was not sent.
        if entry is None:
            continue
        is_own = entry.run == run and entry.host in judged
        if not entry.changes:
            is_wanted = (entry.run, entry.host) in waiting
        else:
            is_wanted = not is_own and (entry.host, entry.at) not in reported
            waiting.discard((entry.run, entry.host))
            if is_wanted:
                waiting.add((entry.run, entry.host))
        if is_wanted:
            remaining.append(line)
    return remaining


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
    """A line. changes: what was sent; without any it is an answer. made: subjects of changes.

    made of what was sent is None until there is an answer.
    """

    run: str
    host: str
    at: str
    changes: Sequence[ChangeRecord]
    made: Collection[str] | None

    @classmethod
    def parse(cls, line: str) -> _Entry | None:
        """Read a line; None where it is not one that this collection wrote."""
        try:
            raw = plain(json.loads(line))
            if is_deeper(raw, MAX_LEVELS) or raw["state"] not in ("sent", "answered"):
                return None
            changes = [_change(change) for change in raw["changes"]] if "changes" in raw else []
            made = None if changes else [_text(subject) for subject in raw["made"]]
            at = _text(raw["at"])
            if datetime.strptime(at, TIME).strftime(TIME) != at:
                return None
            return cls(_text(raw["run"]), _text(raw["host"]), at, changes, made)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

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


def _change(raw: Mapping[str, Any]) -> ChangeRecord:
    """Raise TypeError for what is not a change."""
    subject, before, after = _text(raw["subject"]), raw["before"], raw["after"]
    if not isinstance(before, dict) or not isinstance(after, dict):
        raise TypeError
    return {"subject": subject, "before": before, "after": after}


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise TypeError
    return raw


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
