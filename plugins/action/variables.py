# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.variables: refuse a wrong variable of any host before any PC is touched."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..plugin_utils import judge
from ..plugin_utils.policy import PARSERS, PREFIX, Policy, PolicyError
from ..plugin_utils.report.document import fail_on_problem

OF_THE_RUN = frozenset({"apply", "artifact", "fail_on", "formats", "hosts", "image", "previous_report", "report_dir", "serial"})
"""Variables of this collection that are not the policy's: of the playbooks and the report."""
OF_OURS = frozenset({"mode", "result", "written"})
"""What the playbooks set and the role registers."""


class ActionModule(ActionBase):
    """Check the variables of all hosts of the play, those of later batches too."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return nothing but that all is well; else fail with every problem of every host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables: Mapping[str, Any] = task_vars or {}
        told: dict[str, list[str]] = {}
        if variables.get("ets6_network_mode") == "verify" and boolean(variables.get("ets6_network_apply")):
            told[f"{PREFIX}apply: verify changes nothing; to have it changed, run ets6.network.enforce"] = ["the command line"]
        if variables.get("ets6_network_mode") == "remove" and variables.get("ets6_network_state") != "absent":
            told[f"{PREFIX}state: remove takes away; to have PCs made ready, run ets6.network.enforce"] = ["the command line"]
        for host in variables.get("ansible_play_hosts_all") or ():
            for problem in problems(variables["hostvars"][host]):
                told.setdefault(problem, []).append(host)
        if told:
            lines = [f"{problem} ({_hosts(hosts)})" for problem, hosts in told.items()]
            raise AnsibleActionFail("No PC was touched, since a variable is wrong.\n" + "\n".join(lines))
        return result


def problems(variables: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the variables of one host, a line each."""
    found: list[str] = []
    policy: dict[str, Any] = {}
    for name in sorted(str(key) for key in variables if str(key).startswith(PREFIX)):
        short = name[len(PREFIX) :]
        if short in OF_OURS:
            continue
        if short not in PARSERS and short not in OF_THE_RUN:
            near = difflib.get_close_matches(short, [*PARSERS, *OF_THE_RUN], 1)
            found.append(f"{name}: there is no such variable" + (f"; did you mean {PREFIX}{near[0]}?" if near else ""))
            continue
        try:
            value = variables[name]
        except AnsibleError as error:
            found.append(f"{name}: its template cannot be evaluated: {error}")
            continue
        if short in PARSERS:
            policy[short] = value
        elif short == "fail_on":
            found += filter(None, [fail_on_problem(value)])
        elif short == "previous_report" and value and not Path(str(value)).is_file():
            found.append(f"{name}: there is no file {value}")
    try:
        wanted = Policy.from_variables(policy)
    except PolicyError as error:
        return found + error.problems
    return found + _waivers(wanted, variables)


def _waivers(policy: Policy, variables: Mapping[str, Any]) -> list[str]:
    """Return which exceptions for this host name a control that it does not have; those for other hosts are theirs to check."""
    ids = [control.id for control in judge.catalogue(policy)]
    found = []
    for number, waiver in enumerate(policy.waivers, 1):
        if waiver.control not in ids and waiver.covers(str(variables["inventory_hostname"]), variables["group_names"]):
            near = difflib.get_close_matches(waiver.control, ids, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{PREFIX}waivers: entry {number}: there is no control {waiver.control}{hint}")
    return found


def _hosts(hosts: list[str]) -> str:
    return ", ".join(hosts[:5]) + (f" and {len(hosts) - 5} more" if len(hosts) > 5 else "")
