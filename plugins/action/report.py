# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.report: the play's last, once, on the controller.

It is a task and no callback or play of its own because only that is run with --limit, with serial, and when every host is
dead: the play ignores unreachable hosts and the policy task its errors, so this task is what fails the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ..plugin_utils import judge
from ..plugin_utils.policy import PARSERS, PREFIX, Policy, PolicyError
from ..plugin_utils.reachability import fleet
from ..plugin_utils.report import document, ending, exceptions, origin
from ..plugin_utils.run import current, settle

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
                **ending.ARGUMENTS,
                "mode": {"type": "str", "choices": ["enforce", "verify", "remove", "image"], "default": "enforce"},
                "hosts": {"type": "list", "elements": "str"},
            }
        )
        arguments, problems = settle(arguments)
        wanted = list(variables.get("ansible_play_hosts_all") or ()) if arguments["hosts"] is None else arguments["hosts"]
        pending = _pending(wanted, variables) if arguments["hosts"] is None else []
        # Where the run was wrong from the beginning, what stands there is an earlier run's.
        results: dict[str, Any] = {
            name: None if problems else _result(variables["hostvars"][name].get(RESULT), current(variables))
            for name in wanted
            if name not in pending
        }

        ended = datetime.now(timezone.utc).strftime(origin.TIME)
        told = [*results.values(), *_unasked(results, variables["hostvars"])]
        controls = document.controls_of(told, [control.to_wire() for control in judge.catalogue(Policy())])
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
        waivers = exceptions.of(told, wires, inventory, date.fromisoformat(ended[:10]))
        mode = "check" if self._task.check_mode and arguments["mode"] != "verify" else arguments["mode"]
        run = {**origin.run(mode, ended, context.CLIARGS, variables), "pending": pending, "variables": common}
        report = document.build(
            document.plain(run), controls, wires, waivers, arguments["fail_on"], problems=document.plain(problems)
        )
        return result | ending.end(report, arguments, inventory, first=_first(wanted, variables))


def _unasked(results: Mapping[str, Any], variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return controls and exceptions of hosts whose policy task never began, such as those that are away, by their variables."""
    found = []
    for name, result in results.items():
        if isinstance(result, Mapping) and "controls" in result:
            continue
        # What is wrong with them was told before any host was asked.
        with contextlib.suppress(AnsibleError, PolicyError):
            host = variables[name]
            policy = Policy.from_variables({short: host[PREFIX + short] for short in PARSERS if PREFIX + short in host})
            found.append(
                {
                    "controls": [control.to_wire() for control in judge.catalogue(policy)],
                    "waivers": [one.to_wire() for one in policy.waivers],
                }
            )
    return found


def _result(found: Any, run: str) -> Any:
    """Return what the policy task registered, None where it judged a host in an earlier run of the same ansible-playbook."""
    earlier = isinstance(found, Mapping) and "findings" in found and found.get("run", "") != run
    return None if earlier else found


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
