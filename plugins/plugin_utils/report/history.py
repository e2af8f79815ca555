# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The history of runs, kept beside report.json: one line of JSON for each run.

Only runs that were finished are in it. A line has when the run ended, its mode and limit, whether
it was about images, and its scores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import files
from .drift import is_image
from .hosts import any_judged
from .model import HistoryRun, Report, Score, Scores
from .scores import ALL, scores_of, with_earlier

FILE = "history.jsonl"
MAX_RUNS = 400
"""Lines that the file keeps."""
MAX_SHOWN = 30
"""Runs that a report shows."""
MAX_BYTES = 64 * 1024 * 1024
MAX_LINE = 1_000_000
"""Characters of a line that is read."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class History:
    """The lines of the file in a report's directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lines = _read(self._path)

    def complete(self, report: Report) -> Report:
        """Return the report with its scores, those of the run before, and the runs before it.

        Runs with another limit, or about images instead of PCs, are about other hosts, so they are
        not compared. A finished run becomes the last line; one that was refused is no history.
        """
        run = report["run"]
        subject = {"limit": run["limit"], "images": any(map(is_image, report["hosts"]))}
        comparable = []
        for line in self._lines:
            if {name: line[name] for name in subject} == subject:
                comparable.append(line)
        scores = scores_of(report["controls"], report["hosts"])
        earlier = comparable[-1]["scores"] if comparable else None
        if not run["pending"] and any_judged(report):
            line = {"ended": run["ended"], "mode": run["mode"], **subject, "scores": scores}
            comparable.append(line)
            self._lines.append(line)
        shown = [_shown(line) for line in comparable[-MAX_SHOWN:]]
        return {**report, "scores": with_earlier(scores, earlier), "history": shown}

    def write(self) -> None:
        """Write the file. Raises OSError."""
        texts = [
            json.dumps(line, ensure_ascii=False, separators=(",", ":"))
            for line in self._lines[-MAX_RUNS:]
        ]
        files.write({self._path: "\n".join([*texts, ""])})


def _shown(line: Mapping[str, Any]) -> HistoryRun:
    score: Score = line["scores"]["groups"].get(ALL, {"met": 0, "of": 0})
    return {
        "ended": line["ended"],
        "mode": line["mode"],
        "complying": score["met"],
        "hosts": score["of"],
    }


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the file; one that is not of the form is left out."""
    try:
        raw = files.read(path, MAX_BYTES, follow=False)
    except OSError:
        # Not there, or not a file that this collection wrote, such as a link.
        return []
    text = raw.decode("utf-8", errors="replace")
    lines = []
    for line in text.splitlines()[-MAX_RUNS:]:
        try:
            content = json.loads(line) if len(line) <= MAX_LINE else None
        except (ValueError, RecursionError):
            continue
        entry = _checked(content)
        if entry is not None:
            lines.append(entry)
    return lines


def _checked(content: Any) -> dict[str, Any] | None:
    """Return a line with what is expected of it, None where something is not of the form."""
    if not isinstance(content, dict):
        return None
    texts = [content.get(name) for name in ("ended", "mode", "limit")]
    if not all(isinstance(text, str) for text in texts):
        return None
    if not isinstance(content.get("images"), bool):
        return None
    scores = _checked_scores(content.get("scores"))
    if scores is None or not _TIME.fullmatch(str(content["ended"])):
        return None
    fields = {name: content[name] for name in ("ended", "mode", "limit", "images")}
    return fields | {"scores": scores}


def _checked_scores(content: Any) -> Scores | None:
    if not isinstance(content, dict):
        return None
    groups = _checked_table(content.get("groups"))
    controls = _checked_table(content.get("controls"))
    if groups is None or controls is None:
        return None
    return {"groups": groups, "controls": controls}


def _checked_table(content: Any) -> dict[str, Score] | None:
    if not isinstance(content, dict):
        return None
    table: dict[str, Score] = {}
    for name, score in content.items():
        if not isinstance(score, dict) or not _are_counts([score.get("met"), score.get("of")]):
            return None
        table[name] = {"met": score["met"], "of": score["of"]}
    return table


def _are_counts(values: Sequence[Any]) -> bool:
    return all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
        for value in values
    )
