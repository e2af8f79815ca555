# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.report: the play's last, once, on the controller.

It is a task and no callback or play of its own because only that is run with --limit, with serial, and when every host is
dead: the play ignores unreachable hosts and the policy task its errors, so this task is what fails the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display

from ..plugin_utils import judge
from ..plugin_utils.policy import Policy
from ..plugin_utils.report import document, json, junit, terminal, writing
from ..plugin_utils.version import VERSION

FORMATS: tuple[ModuleType, ...] = (json, junit)
FAIL_ON = ("low", "medium", "high", "never")
RESULT = "ets6_network_result"
"""The variable in which the role registers the result of ets6.network.policy."""


class ActionModule(ActionBase):
    """Write the reports of all hosts of the play, and fail the run where they do not comply."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the verdict and the files; failed once the last host is done and not all comply."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables: Mapping[str, Any] = task_vars or {}
        _checked, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            {
                "report_dir": {"type": "path", "default": "ets6-report"},
                "fail_on": {"type": "str", "choices": FAIL_ON, "default": "low"},
                "mode": {"type": "str", "choices": ["enforce", "verify", "remove", "image"], "default": "enforce"},
                "hosts": {"type": "list", "elements": "str"},
            }
        )
        wanted = list(variables.get("ansible_play_hosts_all") or ()) if arguments["hosts"] is None else arguments["hosts"]
        results = {name: variables["hostvars"][name].get(RESULT) for name in wanted}
        batch = variables.get("ansible_play_batch") or wanted
        last = not wanted or wanted[-1] in batch
        if not last:
            # Later batches have not begun: a report of theirs now would call them unknown.
            results = {name: found for name, found in results.items() if found is not None or name in batch}

        controls = document.controls_of(results.values(), [control.to_wire() for control in judge.catalogue(Policy())])
        hosts = [document.Host.of(name, found, controls) for name, found in results.items()]
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        run = {
            "mode": "check" if self._task.check_mode and arguments["mode"] != "verify" else arguments["mode"],
            "ended": now,
            "collection": VERSION,
            "ansible": ansible_version,
        }
        report = document.build(run, controls, hosts, arguments["fail_on"])
        files = self._write(report, Path(arguments["report_dir"]))

        result["verdict"], result["complies"], result["files"] = report["run"]["verdict"], report["run"]["complies"], files
        result["hosts"] = report["run"]["hosts"]
        told = terminal.lines(report, files)
        result["msg"] = told[0]
        if last:
            color = "green" if report["run"]["complies"] else "red"
            for line in told:
                Display().display(line, color=color)
            # A run without hosts proves nothing, so it fails whatever fail_on says.
            result["failed"] = not hosts or (not report["run"]["complies"] and arguments["fail_on"] != "never")
        return result

    def _write(self, report: document.Json, folder: Path) -> list[str]:
        files = []
        for one in FORMATS:
            path = folder / one.FILE
            try:
                writing.write(path, one.render(report))
            except OSError as error:
                raise AnsibleActionFail(
                    f"ets6_network_report_dir: {path} cannot be written: {error.strerror}. Nothing was lost on the PCs."
                ) from error
            files.append(str(path))
        return files
