# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How ets6.network.report and ets6.network.merge end: what changed since the last report, the files, the closing lines."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ..policy.parsing import PREFIX, NotAcceptedError
from ..policy.run import DEFAULT_FAIL_ON, DEFAULT_FORMATS, PARSERS
from . import document, drift, formats, json, reading, terminal, writing

PREVIOUS = "previous.json"
"""What is known of every host before this run, kept beside its report.json."""
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "report_dir": {"type": "path", "default": "ets6-report"},
    "formats": {"type": "raw", "default": list(DEFAULT_FORMATS)},
    "fail_on": {"type": "raw", "default": list(DEFAULT_FAIL_ON)},
    "previous_report": {"type": "path", "default": ""},
    "problem": {"type": "str", "default": ""},
}
"""What both tasks take."""


def settle(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what the report is written by, and what is wrong with the run.

    A report is written whatever that is: a wrong fail_on or formats counts as if it had not been
    given.
    """
    settled = dict(arguments)
    problems = [arguments["problem"]] if arguments["problem"] else []
    for name in ("fail_on", "formats"):
        try:
            settled[name] = PARSERS[name](arguments[name])
        except NotAcceptedError as error:
            settled[name] = ARGUMENTS[name]["default"]
            # ets6.network.variables has reported it, where that task ran.
            if not arguments["problem"]:
                problems.append(f"{PREFIX}{name}: {error}")
    return settled, problems


def end(report: document.Json, arguments: Mapping[str, Any], inventory: Collection[str], first: bool = True) -> dict[str, Any]:
    """Write the report's files and return the task's result: failed once the last host is done and what fail_on names came to pass.

    inventory names hosts that are known though they are not in the report. first is whether this run has written nothing yet.
    Raises AnsibleActionFail where a file cannot be written.
    """
    folder, pending = Path(arguments["report_dir"]), report["run"]["pending"]
    try:
        earlier = _earlier(folder, arguments["previous_report"], inventory, first)
        if earlier is not None:
            report["drift"] = drift.between(earlier, report, inventory)
        files = formats.write(report, folder, arguments["formats"])
    except OSError as error:
        raise AnsibleActionFail(
            f"ets6_network_report_dir: {error.filename} cannot be written: {error.strerror}. Nothing was lost on the PCs."
        ) from error
    told = terminal.lines(report, files)
    if not pending:
        for line in told:
            Display().display(line, color="green" if report["run"]["complies"] else "red")
    return {
        "verdict": report["run"]["verdict"],
        "complies": report["run"]["complies"],
        "hosts": report["run"]["hosts"],
        "files": files,
        "failed": not pending and bool(report["run"]["fails_because"]),
        "msg": "\n".join([told[0], *report["run"]["fails_because"]]),
    }


def _earlier(folder: Path, given: str, inventory: Collection[str], first: bool) -> document.Json | None:
    """Return the report to compare with: the given one, or what earlier runs left, which is kept as previous.json.

    One that cannot be used is no reason to lose this one.
    """
    last, kept = folder / json.FILE, folder / PREVIOUS
    try:
        # Its own report is the last run's only until the first batch has reported.
        if given and not (last.exists() and last.samefile(given)):
            return reading.read(Path(given))
        if first and last.exists():
            return _keep(last, kept, inventory)
        if first and kept.exists():
            kept.unlink()
        return reading.read(kept) if kept.exists() else None
    except reading.ReportError as error:
        Display().warning(f"What changed since the last report cannot be told: {error}")
        return None


def _keep(last: Path, kept: Path, inventory: Collection[str]) -> document.Json:
    """Make the baseline of this run of the last one's report, and keep it. Raises ReportError where that report is not usable."""
    older = None
    with contextlib.suppress(reading.ReportError):
        older = reading.read(kept) if kept.exists() else None
    text = last.read_text(encoding="utf-8", errors="replace")
    try:
        report = drift.baseline(reading.check(text, str(last)), older, inventory)
    except reading.ReportError:
        # It is kept as it is: somebody may want to see why.
        writing.write(kept, text)
        raise
    writing.write(kept, json.render(report))
    return report
