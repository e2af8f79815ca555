# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.merge: makes one report of several runs' reports.

It ends as ets6.network.report does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..plugin_utils import origin
from ..plugin_utils.policy.run import ARTIFACT
from ..plugin_utils.report import files, merging, reading
from ..plugin_utils.report.formats import report_json
from ..plugin_utils.report.hosts import plain
from ..plugin_utils.report.model import Report
from ..plugin_utils.report_action import ReportAction

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "reports": {"type": "list", "elements": "path", "default": []},
    "expected": {"type": "list", "elements": "str", "default": []},
}
NOTHING_TO_MERGE = (
    "There is nothing to merge. Name the reports: files, or directories that contain report.json; "
    f"in AWX, have this job follow the jobs whose artifacts begin with {ARTIFACT}."
)


class ActionModule(ReportAction):
    """Make one report of several, and fail the run where their hosts do not comply."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what ets6.network.report returns, and the conflicts and missing hosts.

        Fails where a report cannot be used.
        """
        arguments, problems = self.report_arguments(ARGUMENTS)
        reports: list[Report] = []
        if not problems:
            target = Path(arguments["report_dir"]) / report_json.FILE
            reports, unusable = _read(arguments["reports"], target, variables)
            if unusable:
                # Otherwise an older report that complies would stay.
                reports = []
                problems = plain(["Nothing was merged.", *unusable])
        run = self.run_record("merge", variables)
        expected = arguments["expected"]
        report = merging.merge(reports, run, expected, arguments["fail_on"], problems)
        result = self.finish(report, arguments, expected, problems=problems)
        if report["merged"]:
            result["conflicts"] = report["merged"]["conflicts"]
            result["missing"] = report["merged"]["missing"]
        return result


def _read(
    paths: list[str], target: Path, variables: Mapping[str, Any]
) -> tuple[list[Report], list[str]]:
    """Return the reports in files, directories and artifacts, and what is wrong with any of them.

    Raises AnsibleActionFail where one of them would be written over.
    """
    reports: list[Report] = []
    problems: list[str] = []
    sources: list[tuple[str, Callable[[], Report]]] = []
    for path in paths:
        for file in files.find(Path(path), report_json.FILE):
            _refuse_overwriting(file, target)
            sources.append((str(file), partial(reading.read, file)))
    for name in sorted(variables):
        if name.startswith(ARTIFACT):
            title = f"the artifact {name}"
            sources.append((title, partial(reading.unpack, variables[name], title)))
    now = origin.now()
    for title, read in sources:
        try:
            report = read()
            merging.refuse_future(report, now, title)
            reports.append(report)
        except reading.ReportError as error:
            problems.append(str(error))
    if not reports and not problems:
        problems.append(NOTHING_TO_MERGE)
    return reports, problems


def _refuse_overwriting(file: Path, target: Path) -> None:
    if target.exists() and file.exists() and file.samefile(target):
        raise AnsibleActionFail(
            f"Nothing was merged, since {file} would be written over: name another directory for "
            "the merged report (ets6_network_report_dir)."
        )
