# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.variables: refuse a wrong variable of any host before any PC is touched.

A run in which no host could be connected to is refused as well. Where only some lack what their connection needs, the others go on.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError, AnsibleOptionsError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.splitter import parse_kv
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import load_extra_vars

from ..plugin_utils import connection, judge, policy, run
from ..plugin_utils.policy import PREFIX, Policy, PolicyError
from ..plugin_utils.reachability.certificate import CertificateError, public_roots

OF_OURS = frozenset({"checked", "result", "written"})
"""What the playbooks and the role register."""
OF_THE_REPORT = ("artifact", "fail_on", "formats", "previous_report", "report_dir")
"""Variables of which a run has one value: there is one report."""
OF_A_PLAY = ("hosts", "serial")
"""Variables that decide how a play goes: Ansible reads them before it looks at those of any host."""
COMMAND_LINE = "the command line"
LOOSE_WORDS = "_raw_params"
"""The variable in which Ansible puts the words of ``-e`` that are not name=value."""


class ActionModule(ActionBase):
    """Check the variables of the hosts that a run is about, those of later batches too, and whether it is about any."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return nothing but that all is well; else fail with every problem of every host, which stand in problem as well."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # By this a report knows what hosts were judged in its own run, and not in another one of the same ansible-playbook.
        result["run"] = str(uuid.uuid4())
        variables: Mapping[str, Any] = task_vars or {}
        _checked, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            {
                "hosts": {"type": "list", "elements": "str", "required": True},
                "mode": {"type": "str", "choices": ["enforce", "verify", "remove", "image", "merge"], "default": "enforce"},
                "report_dir": {"type": "raw", "required": True},
            }
        )
        told: dict[str, list[str]] = {}
        for problem in [*_of_the_command_line(), *_of_the_run(arguments["mode"], arguments["report_dir"], variables)]:
            told[problem] = [COMMAND_LINE]
        merges = arguments["mode"] == "merge"
        # Ansible puts a host's variables together anew each time that it is asked for them.
        hostvars = {host: variables["hostvars"][host] for host in arguments["hosts"]}
        if not merges:
            # Also of the host that the task runs for: of its variables the hosts were worked out.
            running = variables.get("inventory_hostname")
            extra = load_extra_vars(self._loader)
            for host, known in {**hostvars, **({running: variables["hostvars"][running]} if running else {})}.items():
                for problem in _of_a_play(known, extra):
                    told.setdefault(problem, []).append(host)
        for host, known in hostvars.items():
            for problem in problems(known, only_run=merges):
                told.setdefault(problem, []).append(host)
        for name, hosts in _differing(hostvars).items():
            told[f"{name}: hosts differ in it, and there is one report; say it for all of them alike"] = hosts
        why = "a variable is wrong" if told else "no host could be connected to"
        if not merges:
            for problem, hosts in self._unconnectable(hostvars, variables).items():
                told.setdefault(problem, []).extend(hosts)
        if told:
            lines = [f"{problem} ({_hosts(hosts)})" for problem, hosts in told.items()]
            result["failed"], result["problem"] = True, "\n".join(lines)
            result["msg"] = f"Nothing was begun, since {why}.\n{result['problem']}"
        elif not arguments["hosts"]:
            result["failed"], result["problem"] = True, ""
            result["msg"] = f"No host is left of the inventory by {PREFIX}hosts and --limit."
        return result

    def _unconnectable(self, hostvars: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return what the hosts' connections lack, each with its hosts, where that is so of all hosts; nothing where one may be reached.

        The first host that may be reached ends the search: a password may come from a server that takes its time for each.
        """
        # What a play sets counts for all hosts, and is not among their variables.
        if any(name.startswith("ansible_") for name in self._task.play.get_vars()):
            return {}
        keywords = self._task.dump_attrs()
        # As Ansible does it: a task's own timeout and retries are not those of its connection.
        keywords["timeout"] = self._play_context.timeout
        del keywords["retries"]
        if self._play_context.password:
            keywords["password"] = self._play_context.password
        found: dict[str, list[str]] = {}
        for host, known in hostvars.items():
            lacking = self._lacking(known, keywords, variables["hostvars"].raw_get(host))
            if not lacking:
                return {}
            for problem in lacking:
                found.setdefault(problem, []).append(host)
        return found

    def _lacking(self, known: Mapping[str, Any], keywords: dict[str, Any], templates: Mapping[str, Any]) -> list[str]:
        """Return what one host's connection lacks. What cannot be evaluated is not known, so that Ansible says it of that host alone."""
        try:
            name = known.get("ansible_connection") or self._task.connection
            plugin = connection_loader.get(name, self._play_context, None)
            if plugin is None:
                return [f"ansible_connection: there is no connection plugin {name}. Set winrm, psrp or ssh."]
            names = C.config.get_plugin_vars("connection", plugin._load_name)
            options = {name: known[name] for name in names if name in known}
            options["_extras"] = {name: known[name] for name in known if name.startswith(f"ansible_{plugin.extras_prefix}_")}
        except AnsibleError:
            return []
        try:
            plugin.set_options(task_keys=keywords, var_options=options)
        except AnsibleOptionsError as error:
            return [str(error)]
        return connection.problems(plugin, templates)


def _of_the_command_line() -> list[str]:
    """Return which values Ansible cut off at a blank, as it does with the one of ``-e image_index='Windows 11 Pro'``.

    Values are not repeated, since one of them may be a password.
    """
    found = []
    for option in context.CLIARGS.get("extra_vars") or ():
        # A file, or JSON, in which a blank is a blank.
        if option[:1] in ("@", "{", "["):
            continue
        variables = parse_kv(option)
        names = [str(name) for name in variables if name.isidentifier() and name != LOOSE_WORDS]
        if len(names) < len(variables):
            correct = json.dumps(dict.fromkeys(names or ["name"], "\N{HORIZONTAL ELLIPSIS}"), ensure_ascii=False)
            found.append(
                f"-e {' '.join(names)}: Ansible ends a value at the first blank, so a part of it was lost;"
                f" write -e '{correct}' with the whole value between the quotes"
            )
    return found


def _of_a_play(variables: Mapping[str, Any], extra: Mapping[str, Any]) -> list[str]:
    """Return which variables the inventory has of those that a play would not heed there."""
    return [
        f"{PREFIX}{name}: the inventory cannot say this, since Ansible reads it before any host's variables; say it with -e"
        for name in OF_A_PLAY
        if f"{PREFIX}{name}" in variables and f"{PREFIX}{name}" not in extra
    ]


def _differing(hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the hosts, by variable, that have another value than the first one in what there is one of."""
    found: dict[str, list[str]] = {}
    for name in (f"{PREFIX}{short}" for short in OF_THE_REPORT):
        # repr, since what a host says may be of any kind, and templated; what cannot be evaluated is told elsewhere.
        with contextlib.suppress(AnsibleError):
            values = {host: repr(known.get(name)) for host, known in hostvars.items()}
            if others := [host for host, value in values.items() if value != next(iter(values.values()))]:
                found[name] = others
    return found


def _of_the_run(mode: str, report_dir: Any, variables: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with what counts for all hosts together."""
    found = []
    # Said otherwise than by the playbook, that is with -e, which wins over it.
    if mode == "verify" and _is_true(variables.get(f"{PREFIX}apply")):
        found.append(f"{PREFIX}apply: verify changes nothing; to have it changed, run ets6.network.enforce")
    if mode == "remove" and variables.get(f"{PREFIX}state") != "absent":
        found.append(f"{PREFIX}state: remove takes away; to have PCs made ready, run ets6.network.enforce")
    try:
        run.PARSERS["report_dir"](report_dir)
    except ValueError as error:
        found.append(f"{PREFIX}report_dir: {error}")
    return found


def _is_true(value: Any) -> bool:
    try:
        return bool(boolean(value))
    except TypeError:
        return False


def problems(variables: Mapping[str, Any], only_run: bool = False) -> list[str]:
    """Return what is wrong with the variables of one host, a line each. only_run: no PC is judged, so the policy does not matter."""
    found: list[str] = []
    wanted: dict[str, Any] = {}
    for name in sorted(str(key) for key in variables if str(key).startswith(PREFIX)):
        short = name[len(PREFIX) :]
        if short in OF_OURS or short == "report_dir":
            continue
        if short not in policy.PARSERS and short not in run.PARSERS:
            near = difflib.get_close_matches(short, [*policy.PARSERS, *run.PARSERS], 1)
            found.append(f"{name}: there is no such variable" + (f"; did you mean {PREFIX}{near[0]}?" if near else ""))
            continue
        try:
            value = variables[name]
            if short in run.PARSERS:
                run.PARSERS[short](value)
            else:
                wanted[short] = value
        except AnsibleError as error:
            found.append(f"{name}: its template cannot be evaluated: {error}")
        except ValueError as error:
            found.append(f"{name}: {error}")
    return found if only_run else found + _of_the_policy(wanted, variables)


def _of_the_policy(wanted: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    try:
        parsed = Policy.from_variables(wanted)
    except PolicyError as error:
        return error.problems
    found = _waivers(parsed, variables)
    if parsed.public_roots:
        try:
            public_roots(parsed.public_roots)
        except CertificateError as error:
            found.append(str(error))
    return found


def _waivers(wanted: Policy, variables: Mapping[str, Any]) -> list[str]:
    """Return which exceptions for this host name a control that it does not have; those for other hosts are theirs to check."""
    ids = [control.id for control in judge.catalogue(wanted)]
    found = []
    for number, waiver in enumerate(wanted.waivers, 1):
        if waiver.control not in ids and waiver.covers(str(variables["inventory_hostname"]), variables["group_names"]):
            near = difflib.get_close_matches(waiver.control, ids, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{PREFIX}waivers: entry {number}: there is no control {waiver.control}{hint}")
    return found


def _hosts(hosts: list[str]) -> str:
    hosts = sorted(hosts)
    return ", ".join(hosts[:5]) + (f" and {len(hosts) - 5} more" if len(hosts) > 5 else "")
