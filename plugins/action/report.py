# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.report: the play's last, once, on the controller.

It is a task and no callback or play of its own because only that is run with --limit, with serial, and when every host is
dead: the play ignores unreachable hosts and the policy task its errors, so this task is what fails the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils import judge
from ..plugin_utils.policy import Policy
from ..plugin_utils.reachability import fleet
from ..plugin_utils.report import document, drift, exceptions, formats, json, origin, reading, terminal, writing

PREVIOUS = "previous.json"
"""The last run's report.json, kept beside this one's."""
RESULT = "ets6_network_result"
"""The variable in which the role registers the result of ets6.network.policy."""


class ActionModule(ActionBase):
    """Write the reports of all hosts of the play, and fail the run where they do not comply."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the verdict and the files; failed once the last host is done and what fail_on names came to pass."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables: Mapping[str, Any] = task_vars or {}
        _checked, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            {
                "report_dir": {"type": "path", "default": "ets6-report"},
                "formats": {"type": "list", "elements": "str", "choices": list(formats.ALL), "default": formats.DEFAULT},
                "fail_on": {"type": "list", "elements": "str", "choices": document.FAIL_ON, "default": ["low", "unreachable"]},
                "mode": {"type": "str", "choices": ["enforce", "verify", "remove", "image"], "default": "enforce"},
                "previous_report": {"type": "path", "default": ""},
                "hosts": {"type": "list", "elements": "str"},
            }
        )
        if "never" in arguments["fail_on"] and len(arguments["fail_on"]) > 1:
            raise AnsibleActionFail(
                "ets6_network_fail_on: never stands alone; with others beside it, it is not clear what is meant"
            )
        wanted = list(variables.get("ansible_play_hosts_all") or ()) if arguments["hosts"] is None else arguments["hosts"]
        pending = _pending(wanted, variables) if arguments["hosts"] is None else []
        results = {name: variables["hostvars"][name].get(RESULT) for name in wanted if name not in pending}

        ended = datetime.now(timezone.utc).strftime(origin.TIME)
        controls = document.controls_of(results.values(), [control.to_wire() for control in judge.catalogue(Policy())])
        hosts = sorted(
            (
                document.Host.of(name, found, controls, variables["hostvars"][name].get("group_names") or (), ended)
                for name, found in results.items()
            ),
            key=lambda host: host.name,
        )
        compared = fleet.compare({host.name: host.findings for host in hosts})
        hosts = [dataclasses.replace(host, findings=compared[host.name]) for host in hosts]
        common = document.in_common(hosts)
        wires = [host.to_wire(common) for host in hosts]
        inventory = (variables.get("groups") or {}).get("all") or ()
        waivers = exceptions.of(results.values(), wires, inventory, date.fromisoformat(ended[:10]))
        mode = "check" if self._task.check_mode and arguments["mode"] != "verify" else arguments["mode"]
        run = {**origin.run(mode, ended, context.CLIARGS, variables), "pending": pending, "variables": common}
        report = document.build(document.plain(run), controls, wires, waivers, arguments["fail_on"])
        folder = Path(arguments["report_dir"])
        try:
            earlier = self._earlier(folder, arguments["previous_report"], first=_first(wanted, variables))
            if earlier is not None:
                report["drift"] = drift.between(earlier, report, inventory)
            files = formats.write(report, folder, arguments["formats"])
        except OSError as error:
            raise AnsibleActionFail(
                f"ets6_network_report_dir: {error.filename} cannot be written: {error.strerror}. Nothing was lost on the PCs."
            ) from error

        result["verdict"], result["complies"], result["files"] = report["run"]["verdict"], report["run"]["complies"], files
        result["hosts"] = report["run"]["hosts"]
        result["failed"] = not pending and bool(report["run"]["fails_because"])
        told = terminal.lines(report, files)
        result["msg"] = told[0]
        if not pending:
            color = "green" if report["run"]["complies"] else "red"
            for line in told:
                Display().display(line, color=color)
        return result

    def _earlier(self, folder: Path, given: str, first: bool) -> document.Json | None:
        """Return the report to compare with: the given one, or the one that the last run left, which is kept as previous.json.

        One that cannot be used is no reason to lose this one.
        """
        last, kept = folder / json.FILE, folder / PREVIOUS
        try:
            if given:
                return reading.read(Path(given))
            if first:
                if last.exists():
                    writing.write(kept, last.read_text(encoding="utf-8", errors="replace"))
                elif kept.exists():
                    kept.unlink()
            return reading.read(kept) if kept.exists() else None
        except reading.ReportError as error:
            Display().warning(f"What changed since the last report cannot be told: {error}")
            return None


def _first(wanted: list[str], variables: Mapping[str, Any]) -> bool:
    """Return whether no batch of this play has reported yet: who stands before this one has dropped out."""
    batch, active = set(variables.get("ansible_play_batch") or ()), set(variables.get("ansible_play_hosts") or ())
    start = min((at for at, name in enumerate(wanted) if name in batch), default=0)
    return active.isdisjoint(wanted[:start])


def _pending(wanted: list[str], variables: Mapping[str, Any]) -> list[str]:
    """Return the hosts of later batches (serial), which nobody has asked yet: batches go through the play's hosts in order."""
    batch, active = set(variables.get("ansible_play_batch") or ()), set(variables.get("ansible_play_hosts") or ())
    done = max((at for at, name in enumerate(wanted) if name in batch), default=len(wanted))
    return [name for name in wanted[done + 1 :] if name in active]
