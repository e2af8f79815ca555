# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.variables: refuses a wrong variable before any PC is touched."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleOptionsError
from ansible.parsing.splitter import parse_kv
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import load_extra_vars

from ..plugin_utils import connection, origin
from ..plugin_utils.action import ControllerAction
from ..plugin_utils.controls import catalogue
from ..plugin_utils.errors import ETS6Error
from ..plugin_utils.policy import run, variables
from ..plugin_utils.policy.parsing import PREFIX, NotAcceptedError, flag
from ..plugin_utils.policy.variables import Policy, PolicyError
from ..plugin_utils.policy.waivers import matches
from ..plugin_utils.reachability.certificate import CertificateError
from ..plugin_utils.reachability.roots import public_roots
from ..plugin_utils.report import begun
from ..plugin_utils.report.hosts import plain
from ..plugin_utils.text import count, first_words, suggestion

REGISTERED = frozenset({"checked", "result", "written"})
"""Variables that the playbooks and the role register."""
ONE_VALUE_PER_RUN = ("artifact", "fail_on", "formats", "previous_report", "report_dir")
"""Variables that all hosts must agree in: a run has one report."""
ONLY_EXTRA_VARS = ("hosts", "serial")
"""Variables that Ansible reads before those of any host."""
COMMAND_LINE = "the command line"
LOOSE_WORDS = "_raw_params"
"""The variable in which Ansible puts the words of ``-e`` that are not name=value."""
MAX_HOSTS = 5
"""Hosts that a problem names."""
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "mode": {
        "type": "str",
        "choices": ["enforce", "verify", "remove", "image", "merge"],
        "default": "enforce",
    },
    "report_dir": {"type": "raw", "required": True},
    "formats": {"type": "raw", "default": list(run.DEFAULT_FORMATS)},
}

Variables = Mapping[str, Any]


class ActionModule(ControllerAction):
    """Check the variables of all hosts of a run, of later batches too, and that there are hosts."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run's id; fail with every problem of every host, also under ``problem``."""
        arguments = self.arguments(ARGUMENTS)
        # Ansible's filter intersect gives them in an order of its own each time.
        arguments["hosts"].sort()
        # By its id a report knows which hosts were judged in its own run, and which in another one
        # of the same ansible-playbook.
        result: dict[str, Any] = {"run": str(uuid.uuid4())}
        problems = self._problems(arguments, variables)
        cause = count(len(problems), "variable is invalid", "variables are invalid")
        if arguments["mode"] != "merge":
            for problem, hosts in self._connection_problems(arguments, variables).items():
                problems.setdefault(problem, []).extend(hosts)
        if cause.startswith("0 "):
            cause = "no host can be connected to"
        if problems:
            lines = []
            for problem, hosts in problems.items():
                lines.append(f"{problem} ({_names(hosts, len(arguments['hosts']))})")
            result["failed"], result["problem"] = True, "\n".join(lines)
            result["msg"] = f"Not run: {cause}.\n{result['problem']}"
        elif not arguments["hosts"]:
            result["failed"], result["problem"] = True, ""
            result["msg"] = f"No host of the inventory matches {PREFIX}hosts and --limit."
        elif arguments["mode"] != "merge":
            self._begin(arguments, variables)
        return result

    def _begin(self, arguments: Mapping[str, Any], variables: Variables) -> None:
        """Write a report that says that the run has begun, in place of an earlier run's."""
        mode = "check" if self._task.check_mode and arguments["mode"] != "verify" else None
        now = origin.now()
        record = origin.run_record(mode or arguments["mode"], now, context.CLIARGS, variables)
        inventory = (variables.get("groups") or {}).get("all") or ()
        folder = run.expanded(arguments["report_dir"])
        try:
            formats = run.parse_formats(arguments["formats"])
            chosen = variables.get(f"{PREFIX}previous_report")
            chosen = str(run.expanded(chosen)) if chosen else ""
            hosts = plain(arguments["hosts"])
            images = arguments["mode"] == "image"
            begun.write(folder, plain(record), hosts, formats, inventory, chosen, images=images)
        except OSError as error:
            raise AnsibleActionFail(
                f"{PREFIX}report_dir: {error.filename} cannot be written: {error.strerror}. Nothing "
                "was begun."
            ) from None

    def _problems(
        self, arguments: Mapping[str, Any], task_variables: Variables
    ) -> dict[str, list[str]]:
        """Return every problem, with the hosts that have it."""
        problems: dict[str, list[str]] = {}
        run_problems = _run_problems(arguments["mode"], arguments["report_dir"], task_variables)
        for problem in [*_command_line_problems(), *run_problems]:
            problems[problem] = [COMMAND_LINE]
        # Ansible puts a host's variables together again each time that they are asked for.
        all_hostvars = task_variables["hostvars"]
        hostvars = {host: all_hostvars[host] for host in arguments["hosts"]}
        merges = arguments["mode"] == "merge"
        if not merges:
            for problem, hosts in self._inventory_problems(hostvars, task_variables).items():
                problems[problem] = hosts
        for host, host_variables in hostvars.items():
            for problem in host_problems(host_variables, only_run=merges):
                problems.setdefault(problem, []).append(host)
        for name, hosts in _differing(hostvars).items():
            problem = (
                f"{name}: hosts have different values, and a run has one report; use one value"
            )
            problems[problem] = hosts
        return problems

    def _inventory_problems(
        self, hostvars: Mapping[str, Variables], task_variables: Variables
    ) -> dict[str, list[str]]:
        """Return which variables the inventory sets though a play cannot heed them there."""
        checked = dict(hostvars)
        # The host that the task runs for, too: the hosts were worked out from its variables.
        running = task_variables.get("inventory_hostname")
        if running:
            checked[running] = task_variables["hostvars"][running]
        extra_vars = load_extra_vars(self._loader)
        problems: dict[str, list[str]] = {}
        for short in ONLY_EXTRA_VARS:
            name = f"{PREFIX}{short}"
            hosts = [host for host, variables in checked.items() if name in variables]
            if hosts and name not in extra_vars:
                problem = (
                    f"{name}: the inventory cannot set this, since Ansible reads it before any "
                    "host's variables; set it with -e"
                )
                problems[problem] = hosts
        return problems

    def _connection_problems(
        self, arguments: Mapping[str, Any], task_variables: Variables
    ) -> dict[str, list[str]]:
        """Return what the hosts' connections lack, where every host lacks something.

        The first host that may be reached ends the search: a password may come from a server that
        takes its time for each.
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
        hostvars = task_variables["hostvars"]
        problems: dict[str, list[str]] = {}
        for host in arguments["hosts"]:
            host_problems = self._lacking(hostvars[host], keywords, hostvars.raw_get(host))
            if not host_problems:
                return {}
            for problem in host_problems:
                problems.setdefault(problem, []).append(host)
        return problems

    def _lacking(
        self, variables: Variables, keywords: dict[str, Any], templates: Variables
    ) -> list[str]:
        """Return what one host's connection lacks.

        What cannot be evaluated is left to Ansible, which reports it for that host alone.
        """
        try:
            name = variables.get("ansible_connection") or self._task.connection
            plugin = connection_loader.get(name, self._play_context, None)
            if plugin is None:
                return [
                    f"ansible_connection: there is no connection plugin {name}. Set winrm, psrp or ssh."
                ]
            options = _plugin_options(plugin, variables)
        except AnsibleError:
            return []
        try:
            plugin.set_options(task_keys=keywords, var_options=options)
        except AnsibleOptionsError as error:
            return [str(error)]
        return connection.problems(plugin, templates)


def _plugin_options(plugin: Any, variables: Variables) -> dict[str, Any]:
    """Return the variables that a connection plugin reads."""
    names = C.config.get_plugin_vars("connection", plugin._load_name)
    options: dict[str, Any] = {name: variables[name] for name in names if name in variables}
    prefix = f"ansible_{plugin.extras_prefix}_"
    extras = {name: variables[name] for name in variables if name.startswith(prefix)}
    return {**options, "_extras": extras}


def _names(hosts: Sequence[str], number: int) -> str:
    """Return the hosts that have a problem, for a line. number: the hosts of the run."""
    if len(hosts) == number > MAX_HOSTS:
        return f"all {number} hosts"
    return first_words(hosts, MAX_HOSTS)


def _command_line_problems() -> list[str]:
    """Return which values Ansible cut off at a blank, as in ``-e image_index='Windows 11 Pro'``.

    Values are not repeated, since one of them may be a password.
    """
    problems = []
    for option in context.CLIARGS.get("extra_vars") or ():
        # A file, or JSON, in which a blank is a blank.
        if option[:1] in ("@", "{", "["):
            continue
        variables = parse_kv(option)
        names = [str(name) for name in variables if name.isidentifier() and name != LOOSE_WORDS]
        if len(names) < len(variables):
            ellipses = dict.fromkeys(names or ["name"], "\N{HORIZONTAL ELLIPSIS}")
            correct = json.dumps(ellipses, ensure_ascii=False)
            problems.append(
                f"-e {' '.join(names)}: Ansible ends a value at the first blank, so a part of it "
                f"was lost; write -e '{correct}' with the whole value between the quotes"
            )
    return problems


def _differing(hostvars: Mapping[str, Variables]) -> dict[str, list[str]]:
    """Return, for each variable with one value per run, the hosts that differ from the first."""
    differing: dict[str, list[str]] = {}
    for short in ONE_VALUE_PER_RUN:
        name = f"{PREFIX}{short}"
        # What cannot be evaluated is reported elsewhere.
        with contextlib.suppress(AnsibleError):
            # repr, since a value may be of any type, and templated.
            values = {host: repr(variables.get(name)) for host, variables in hostvars.items()}
            first = next(iter(values.values()), "")
            hosts = [host for host, value in values.items() if value != first]
            if hosts:
                differing[name] = hosts
    return differing


def _run_problems(mode: str, report_dir: Any, task_variables: Variables) -> list[str]:
    """Return what is wrong with what counts for all hosts together."""
    problems = []
    # The playbook sets these; only -e wins over it.
    if mode == "verify" and _is_true(task_variables.get(f"{PREFIX}apply")):
        problems.append(
            f"{PREFIX}apply: verify changes nothing; to change PCs, run ets6.network.enforce"
        )
    if mode == "remove" and task_variables.get(f"{PREFIX}state") != "absent":
        problems.append(
            f"{PREFIX}state: remove takes settings away; to make PCs ready, run "
            "ets6.network.enforce"
        )
    try:
        run.parse_report_dir(report_dir)
    except NotAcceptedError as error:
        problems.append(f"{PREFIX}report_dir: {error}")
    return problems


def _is_true(value: Any) -> bool:
    try:
        return flag(value)
    except NotAcceptedError:
        return False


def host_problems(host_variables: Variables, *, only_run: bool = False) -> list[str]:
    """Return what is wrong with the variables of one host, a line each.

    only_run: no PC is judged, so the policy does not matter.
    """
    problems: list[str] = []
    policy_variables: dict[str, Any] = {}
    names = [str(name) for name in host_variables if str(name).startswith(PREFIX)]
    for name in sorted(names):
        short = name.removeprefix(PREFIX)
        if short in REGISTERED or short == "report_dir":
            continue
        try:
            if short in variables.PARSERS:
                policy_variables[short] = host_variables[name]
            else:
                _check_run_variable(short, host_variables[name])
        except AnsibleError as error:
            problems.append(f"{name}: its template cannot be evaluated: {error}")
        except ETS6Error as error:
            problems.append(f"{name}: {error}")
    if only_run:
        return problems
    return problems + _policy_problems(policy_variables, host_variables)


def _check_run_variable(short: str, value: Any) -> None:
    if short not in run.PARSERS:
        hint = suggestion(short, [*variables.PARSERS, *run.PARSERS], PREFIX)
        raise NotAcceptedError(f"there is no such variable{hint}")
    run.PARSERS[short](value)


def _policy_problems(policy_variables: Mapping[str, Any], host_variables: Variables) -> list[str]:
    try:
        policy = Policy.from_variables(policy_variables)
    except PolicyError as error:
        return error.problems
    problems = _waiver_problems(policy, host_variables)
    if policy.public_roots:
        try:
            public_roots(policy.public_roots)
        except CertificateError as error:
            problems.append(str(error))
    return problems


def _waiver_problems(policy: Policy, host_variables: Variables) -> list[str]:
    """Return which waivers for this host name a control that it does not have.

    Those for other hosts are checked there.
    """
    host, groups = str(host_variables["inventory_hostname"]), host_variables["group_names"]
    ids = [control.id for control in catalogue(policy)]
    problems = []
    for number, waiver in enumerate(policy.waivers, 1):
        if not waiver.covers(host, groups):
            continue
        for pattern in waiver.controls:
            if not any(matches([pattern], control_id) for control_id in ids):
                hint = suggestion(pattern, ids)
                problems.append(
                    f"{PREFIX}waivers: entry {number}: there is no control {pattern}{hint}"
                )
    return problems
