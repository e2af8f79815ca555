# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.report: the play's last task, once, on the controller.

It is a task and not a callback or a play of its own because only a task is run with --limit, with
serial, and when every host is dead. The play ignores unreachable hosts and the errors of the policy
task, so this task is what fails the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

from ansible.errors import AnsibleError

from ..plugin_utils.controls import catalogue, default_catalogue
from ..plugin_utils.policy.parsing import PREFIX
from ..plugin_utils.policy.run import current_run, noted_run
from ..plugin_utils.policy.variables import PARSERS, Policy, PolicyError
from ..plugin_utils.reachability import fleet
from ..plugin_utils.report import document, journal, waivers
from ..plugin_utils.report.hosts import HostResult, common_variables, plain
from ..plugin_utils.report.model import ControlRecord, FindingRecord, Json, UnreportedChanges
from ..plugin_utils.report_action import ReportAction, registered_result

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "mode": {
        "type": "str",
        "choices": ["enforce", "verify", "remove", "image"],
        "default": "enforce",
    },
    "hosts": {"type": "list", "elements": "str"},
    "verdict_follows": {"type": "bool", "default": False},
}


class ActionModule(ReportAction):
    """Write the reports of all hosts of the play, and fail the run where they do not comply."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verdict and the files.

        The task has failed once the last host is done and what fail_on names is the case.
        """
        arguments, problems = self.report_arguments(ARGUMENTS)
        play = _Play(variables, arguments["hosts"])
        run = self.run_record(self._mode(arguments["mode"]), variables)
        # Where the run was wrong from the beginning, registered results are an earlier run's.
        results = play.results(registered=not problems)
        catalogues = [*results.values(), *play.unasked(results)]
        default = [cast(ControlRecord, control.to_wire()) for control in default_catalogue()]
        controls = document.controls_of(catalogues, default)
        folder = Path(arguments["report_dir"])
        noted = noted_run(variables)
        unreported = journal.unreported(folder, noted)
        hosts = play.hosts_of(results, controls, run["ended"], unreported)
        common = common_variables(hosts)
        records = [host.to_record(common) for host in hosts]
        inventory = (variables.get("groups") or {}).get("all") or ()
        today = date.fromisoformat(run["ended"][:10])
        report = document.build(
            {**run, "pending": plain(play.pending), "variables": common},
            controls,
            records,
            waivers.records(catalogues, records, inventory, today),
            arguments["fail_on"],
            problems=problems,
        )
        result = self.finish(
            report,
            arguments,
            inventory,
            is_first_batch=play.is_first_batch(),
            fails=not arguments["verdict_follows"] or bool(problems) or not hosts,
            problems=problems,
            images=arguments["mode"] == "image",
        )
        journal.forget_reported(folder, report, noted)
        return result

    def _mode(self, mode: str) -> str:
        return "check" if self._task.check_mode and mode != "verify" else mode


class _Play:
    """The hosts of the play, batch by batch (serial): batches go through them in order.

    named_hosts: the hosts to report on where they are not the play's, as for images.
    """

    def __init__(self, variables: Mapping[str, Any], named_hosts: Sequence[str] | None) -> None:
        self.hostvars: Mapping[str, Any] = variables["hostvars"]
        self.run = current_run(variables)
        self.hosts = list(named_hosts or ())
        self.pending: list[str] = []
        if named_hosts is None:
            self.hosts = list(variables.get("ansible_play_hosts_all") or ())
        self._batch = set(variables.get("ansible_play_batch") or ())
        self._active = set(variables.get("ansible_play_hosts") or ())
        self._in_batch = [index for index, name in enumerate(self.hosts) if name in self._batch]
        if named_hosts is None:
            self.pending = self._later_hosts()

    def results(self, *, registered: bool) -> dict[str, Any]:
        """Return what the policy task registered for each host that is not pending.

        registered: whether there can be any result of this run.
        """
        results = {}
        for name in self.hosts:
            if name not in self.pending:
                results[name] = (
                    registered_result(self.hostvars[name], self.run) if registered else None
                )
        return results

    def hosts_of(
        self,
        results: Mapping[str, Any],
        controls: Sequence[ControlRecord],
        ended: str,
        unreported: Mapping[str, Sequence[UnreportedChanges]],
    ) -> list[HostResult]:
        """Return the hosts, with what their findings say of each other.

        unreported: see HostResult, by the names of hosts.
        """
        hosts = []
        for name in sorted(results):
            groups = self.hostvars[name].get("group_names") or ()
            hosts.append(HostResult.from_task(name, results[name], controls, groups, ended))
        findings = {host.name: cast(Sequence[Json], host.findings) for host in hosts}
        compared = cast(Mapping[str, Sequence[FindingRecord]], fleet.compare(findings))
        complete = []
        for host in hosts:
            changes = unreported.get(host.name, ())
            complete.append(
                dataclasses.replace(host, findings=compared[host.name], unreported=changes)
            )
        return complete

    def unasked(self, results: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return controls and waivers of hosts whose policy task never began, by their variables.

        Such are hosts that could not be reached.
        """
        catalogues = []
        for name, result in results.items():
            if isinstance(result, Mapping) and "controls" in result:
                continue
            # What is wrong with their variables was reported before any host was asked.
            with contextlib.suppress(AnsibleError, PolicyError):
                catalogues.append(_catalogue(self.hostvars[name]))
        return catalogues

    def is_first_batch(self) -> bool:
        """Return whether no batch has reported yet: earlier hosts have all dropped out."""
        start = self._in_batch[0] if self._in_batch else 0
        return self._active.isdisjoint(self.hosts[:start])

    def _later_hosts(self) -> list[str]:
        """Return the hosts of later batches."""
        if not self._in_batch:
            return []
        later = self.hosts[self._in_batch[-1] + 1 :]
        return [name for name in later if name in self._active]


def _catalogue(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return controls and waivers of a host in the form of the policy task's result."""
    policy_variables = {}
    for name in PARSERS:
        if PREFIX + name in variables:
            policy_variables[name] = variables[PREFIX + name]
    policy = Policy.from_variables(policy_variables)
    return {
        "controls": [control.to_wire() for control in catalogue(policy)],
        "waivers": [waiver.to_wire() for waiver in policy.waivers],
    }
