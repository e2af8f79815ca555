# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The base of ets6.network.report and ets6.network.merge, which end with a report's files.

They return the closing lines, and ets6.network.closing_lines displays them: where one of these
tasks fails, Ansible displays its error after whatever the task itself had displayed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from . import origin
from .action import ControllerAction
from .policy.parsing import PREFIX, NotAcceptedError
from .policy.run import DEFAULT_FAIL_ON, DEFAULT_FORMATS, PARSERS
from .report import drift, files, formats, history, previous, terminal
from .report.hosts import plain
from .report.model import Report, Run
from .report.reading import ReportError

WRITTEN = "ets6_network_written"
"""The variable in which the role registers the result of ets6.network.report."""
RESULT = "ets6_network_result"
"""The variable in which the role registers the result of ets6.network.policy."""
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "report_dir": {"type": "path", "default": "ets6-report"},
    "formats": {"type": "raw", "default": list(DEFAULT_FORMATS)},
    "fail_on": {"type": "raw", "default": list(DEFAULT_FAIL_ON)},
    "previous_report": {"type": "path", "default": ""},
    "problem": {"type": "str", "default": ""},
}
"""What both tasks accept."""

display = Display()


class ReportAction(ControllerAction):
    """A task that writes a report and fails where fail_on says so."""

    def report_arguments(
        self, spec: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the arguments, and what is wrong with the run.

        A report is written whatever that is: for a wrong fail_on or formats the default is used.
        """
        arguments = self.arguments({**ARGUMENTS, **spec})
        problems = arguments["problem"].splitlines()
        for name in ("fail_on", "formats"):
            arguments[name], problem = settle_argument(name, arguments[name])
            # ets6.network.variables has reported it, where that task ran.
            if problem and not arguments["problem"]:
                problems.append(problem)
        return arguments, plain(problems)

    def run_record(self, mode: str, variables: Mapping[str, Any]) -> Run:
        """Return what is known of a run that ends now."""
        ended = origin.now()
        record: Run = plain(origin.run_record(mode, ended, context.CLIARGS, variables))
        return record

    def finish(
        self,
        report: Report,
        arguments: Mapping[str, Any],
        inventory: Collection[str],
        *,
        is_first_batch: bool = True,
        fails: bool = True,
        problems: Sequence[str] = (),
        images: bool = False,
    ) -> dict[str, Any]:
        """Write the report's files, and return the task's result with the closing lines.

        It has failed once the last host is done and what fail_on names is the case. inventory names
        hosts that are known though they are not in the report. is_first_batch: this run has written
        nothing yet. fails: the task fails because of hosts; else another task does. problems: why
        nothing could be judged. images: the run is about images. Raises AnsibleActionFail where a
        file cannot be written.
        """
        folder = Path(arguments["report_dir"])
        run = report["run"]
        refusal = plain(arguments["problem"].splitlines())
        kept = refusal and previous.is_judged(folder)
        try:
            with files.locked(folder):
                if kept:
                    written = formats.write_refusal(report, folder, arguments["formats"])
                    return _refused(refusal, written, folder)
                # Of a run that was refused it may be what is wrong, and that has been said.
                chosen = "" if refusal else arguments["previous_report"]
                earlier = _earlier(folder, chosen, inventory, is_first_batch, images)
                report, written = _write(report, earlier, arguments["formats"], folder, inventory)
        except OSError as error:
            raise AnsibleActionFail(_not_written(error, refusal)) from None
        if refusal:
            return _refused(refusal, written, None)
        lines = terminal.lines(report, written)
        if problems:
            lines = terminal.refusal_lines(problems, written, None)
        run_fails = fails and not run["pending"] and bool(run["fails_because"])
        return {
            "verdict": run["verdict"],
            "complies": run["complies"],
            "hosts": run["hosts"],
            "files": written,
            "closing_lines": [] if run["pending"] else lines,
            "failed": run_fails,
            "run_fails": run_fails,
            "msg": "\n".join([lines[0], *run["fails_because"]]),
        }


def _not_written(error: OSError, refusal: Sequence[str]) -> str:
    """Return which file cannot be written, and what became of the run."""
    consequence = "What the run changed, if anything, stays changed."
    if refusal:
        consequence = f"No host was asked. {' '.join(refusal)}"
    return (
        f"{PREFIX}report_dir: {error.filename} cannot be written: {error.strerror}. {consequence}"
    )


def _write(
    report: Report,
    earlier: Report | None,
    names: Sequence[str],
    folder: Path,
    inventory: Collection[str],
) -> tuple[Report, list[str]]:
    """Write the files of these formats; return the report with its comparisons, and the paths."""
    if earlier is not None and drift.is_comparable(earlier, report):
        report["drift"] = drift.between(earlier, report, inventory)
    past_runs = history.History(folder)
    report = past_runs.complete(report)
    written = formats.write(report, folder, names)
    past_runs.write()
    return report, written


def _refused(refusal: Sequence[str], files: Sequence[str], kept: Path | None) -> dict[str, Any]:
    """Return the task's failure, with why the run was refused.

    kept is the directory with an earlier run's report, which stays; None where there was none.
    """
    result = {
        "failed": True,
        "run_fails": True,
        "complies": False,
        "verdict": refusal[0],
        "hosts": {},
        "closing_lines": terminal.refusal_lines(refusal, files, kept),
    }
    if kept is None:
        # Without it, the report is not handed on as this run's.
        result["files"] = list(files)
    return {**result, "msg": refusal[0]}


def settle_argument(name: str, value: Any) -> tuple[Any, str]:
    """Return the value of an argument, and what is wrong with it; the default where it is wrong."""
    try:
        return PARSERS[name](value), ""
    except NotAcceptedError as error:
        return ARGUMENTS[name]["default"], f"{PREFIX}{name}: {error}"


def registered_result(variables: Mapping[str, Any], run: str) -> Any:
    """Return what the policy task registered for a host; None for an earlier run's result.

    run tells the runs of the same ansible-playbook apart.
    """
    result = variables.get(RESULT)
    if isinstance(result, Mapping) and "findings" in result:
        return result if result.get("run", "") == run else None
    return result


def _earlier(
    folder: Path, chosen: str, inventory: Collection[str], is_first_batch: bool, images: bool
) -> Report | None:
    """Return the report to compare with. One that cannot be used is no reason to lose this one."""
    try:
        return previous.report_before(
            folder, chosen, inventory, is_first_batch=is_first_batch, images=images
        )
    except ReportError as error:
        display.warning(f"What changed since the last report could not be determined: {error}")
        return None
