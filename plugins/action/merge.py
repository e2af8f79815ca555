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

ARTIFACT = "ets6_report_"
"""What the names of variables begin with in which AWX hands artifacts on."""


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
        if problem := document.fail_on_problem(arguments["fail_on"]):
            raise AnsibleActionFail(problem)
        reports = _read(arguments["reports"], Path(arguments["report_dir"]) / json.FILE, variables)
        ended = datetime.now(timezone.utc).strftime(origin.TIME)
        run = document.plain(origin.run("merge", ended, context.CLIARGS, variables))
        report = merging.merge(reports, run, arguments["expected"], arguments["fail_on"])
        told = {name: report["merged"][name] for name in ("conflicts", "missing")}
        return result | told | ending.end(report, arguments, arguments["expected"])


def _read(paths: list[str], target: Path, variables: Mapping[str, Any]) -> list[document.Json]:
    """Return the reports in files, in folders and in artifacts. Raises AnsibleActionFail with all that is wrong with any."""
    reports: list[document.Json] = []
    problems: list[str] = []
    for file in (file for path in paths for file in reading.find(Path(path))):
        if target.exists() and file.exists() and file.samefile(target):
            problems.append(f"{file} would be written over: name another folder for the merged report (ets6_network_report_dir)")
            continue
        try:
            reports.append(reading.read(file))
        except reading.ReportError as error:
            problems.append(str(error))
    for name in sorted(name for name in variables if name.startswith(ARTIFACT)):
        try:
            reports.append(reading.unpack(variables[name], f"the artifact {name}"))
        except reading.ReportError as error:
            problems.append(str(error))
    if problems:
        raise AnsibleActionFail("Nothing was merged.\n" + "\n".join(problems))
    if not reports:
        raise AnsibleActionFail(
            "There is nothing to merge. Say which reports: files, or folders with report.json in them; in AWX, have this job follow the "
            f"jobs whose artifacts begin with {ARTIFACT}."
        )
    return reports
