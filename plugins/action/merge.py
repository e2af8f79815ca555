# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.merge: makes one report of several runs' reports.

It ends as ets6.network.report does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail

from ..plugin_utils.action import ControllerAction
from ..plugin_utils.policy.run import ARTIFACT
from ..plugin_utils.report import document, ending, json, merging, origin, reading

ARGUMENTS = {
    **ending.ARGUMENTS,
    "reports": {"type": "list", "elements": "path", "default": []},
    "expected": {"type": "list", "elements": "str", "default": []},
}
NOTHING_TO_MERGE = (
    "There is nothing to merge. Name the reports: files, or folders that contain report.json; in "
    f"AWX, have this job follow the jobs whose artifacts begin with {ARTIFACT}."
)


class ActionModule(ControllerAction):
    """Make one report of several, and fail the run where their hosts do not comply."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what ets6.network.report returns, and the conflicts and missing hosts.

        Fails where a report cannot be used.
        """
        arguments, problems = ending.settle(self.arguments(ARGUMENTS))
        reports: list[document.Json] = []
        if not problems:
            target = Path(arguments["report_dir"]) / json.FILE
            reports, unusable = _read(arguments["reports"], target, variables)
            if unusable:
                # A report in the place of the merged one would still be green.
                reports, problems = [], ["Nothing was merged.", *unusable]
        ended = datetime.now(timezone.utc).strftime(origin.TIME)
        run = document.plain(origin.run("merge", ended, context.CLIARGS, variables))
        expected = arguments["expected"]
        report = merging.merge(
            reports, run, expected, arguments["fail_on"], document.plain(problems)
        )
        merged = {name: report["merged"][name] for name in ("conflicts", "missing")}
        return merged | ending.end(report, arguments, expected)


def _read(
    paths: list[str], target: Path, variables: Mapping[str, Any]
) -> tuple[list[document.Json], list[str]]:
    """Return the reports in files, folders and artifacts, and what is wrong with any of them.

    Raises AnsibleActionFail where one of them would be written over.
    """
    reports: list[document.Json] = []
    problems: list[str] = []
    for path in paths:
        for file in reading.find(Path(path)):
            _refuse_overwriting(file, target)
            try:
                reports.append(reading.read(file))
            except reading.ReportError as error:
                problems.append(str(error))
    for name in sorted(variables):
        if name.startswith(ARTIFACT):
            try:
                reports.append(reading.unpack(variables[name], f"the artifact {name}"))
            except reading.ReportError as error:
                problems.append(str(error))
    if not reports and not problems:
        problems.append(NOTHING_TO_MERGE)
    return reports, problems


def _refuse_overwriting(file: Path, target: Path) -> None:
    if target.exists() and file.exists() and file.samefile(target):
        raise AnsibleActionFail(
            f"Nothing was merged, since {file} would be written over: name another folder for the "
            "merged report (ets6_network_report_dir)."
        )
