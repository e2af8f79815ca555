# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.merge: reads reports of several runs, makes one of them, and ends as ets6.network.report does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.report import document, ending, json, merging, origin, reading
from ..plugin_utils.run import ARTIFACT, settle


class ActionModule(ActionBase):
    """Make one report of many, and fail the run where their hosts do not comply."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what ets6.network.report returns, and the conflicts and missing hosts. Fails where a report cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables: Mapping[str, Any] = task_vars or {}
        _checked, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            {
                **ending.ARGUMENTS,
                "reports": {"type": "list", "elements": "path", "default": []},
                "expected": {"type": "list", "elements": "str", "default": []},
            }
        )
        arguments, problems = settle(arguments)
        target = Path(arguments["report_dir"]) / json.FILE
        reports, unusable = _read(arguments["reports"], target, variables) if not problems else ([], [])
        if unusable:
            # A report in the place of the merged one would be green still.
            reports, problems = [], ["Nothing was merged.", *unusable]
        ended = datetime.now(timezone.utc).strftime(origin.TIME)
        run = document.plain(origin.run("merge", ended, context.CLIARGS, variables))
        report = merging.merge(reports, run, arguments["expected"], arguments["fail_on"], document.plain(problems))
        told = {name: report["merged"][name] for name in ("conflicts", "missing")}
        return result | told | ending.end(report, arguments, arguments["expected"])


def _read(paths: list[str], target: Path, variables: Mapping[str, Any]) -> tuple[list[document.Json], list[str]]:
    """Return the reports in files, in folders and in artifacts, and all that is wrong with any.

    Raises AnsibleActionFail where one of them would be written over.
    """
    reports: list[document.Json] = []
    problems: list[str] = []
    for file in (file for path in paths for file in reading.find(Path(path))):
        if target.exists() and file.exists() and file.samefile(target):
            raise AnsibleActionFail(
                f"Nothing was merged, since {file} would be written over: name another folder for the merged report (ets6_network_report_dir)."
            )
        try:
            reports.append(reading.read(file))
        except reading.ReportError as error:
            problems.append(str(error))
    for name in sorted(name for name in variables if name.startswith(ARTIFACT)):
        try:
            reports.append(reading.unpack(variables[name], f"the artifact {name}"))
        except reading.ReportError as error:
            problems.append(str(error))
    if not reports and not problems:
        problems.append(
            "There is nothing to merge. Say which reports: files, or folders with report.json in them; in AWX, have this job follow the "
            f"jobs whose artifacts begin with {ARTIFACT}."
        )
    return reports, problems
