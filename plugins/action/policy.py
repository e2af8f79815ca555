# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.policy: observe, judge, change, observe again."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils import connection, judge, operations, waiver
from ..plugin_utils.finding import Change, Finding, Status, remedies, settle
from ..plugin_utils.policy import Policy, PolicyError
from ..plugin_utils.reachability import session, ways
from ..plugin_utils.report import origin
from ..plugin_utils.run import current
from ..plugin_utils.snapshot import Registry, Snapshot, SnapshotError, User

try:
    from requests.exceptions import ChunkedEncodingError
    from requests.exceptions import ConnectionError as RequestError
except ImportError:
    # Only where PCs are reached over winrm or psrp it is there, and raises these.
    ENDED: tuple[type[Exception], ...] = (ConnectionError,)
else:
    ENDED = (ConnectionError, ChunkedEncodingError, RequestError)

display = Display()

NOT_KNOWN = "which of them were done is not known. The next run reads everything again."

Request = dict[str, Any]
"""Options of windows_host, which windows_image and endpoint_probe share."""

VANTAGE = Snapshot.from_wire({"version": 1, "vantage": True})
"""A host that is no Windows PC, before it was asked: its way out is known from the variables alone."""


class ActionModule(ActionBase):
    """Bring one PC or image to the policy, or have a POSIX host probe; in check mode say what that would take; with apply=false only judge it."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the findings, and the changes as a diff."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        arguments = dict(self._task.args)
        apply = boolean(arguments.pop("apply", True))
        self._image: Mapping[str, Any] | None = arguments.pop("image", None) or None
        try:
            policy = Policy.from_variables(arguments)
        except PolicyError as error:
            raise AnsibleActionFail(str(error)) from error
        lacking = connection.problems(self._connection, self._task_vars)
        if lacking:
            # Not tried: an empty password could lock the account.
            result["unreachable"], result["msg"] = True, connection.NOT_TRIED + " ".join(lacking)
            return result
        result["controls"] = [control.to_wire() for control in judge.catalogue(policy)]

        if self._image is not None or self._is_windows():
            request: Request = dict(judge.request(policy))
        else:
            request = {"probes": ways.not_yet_probed(VANTAGE, policy)}
        snapshot, _outcomes = self._ask(request, policy)
        before = self._judge(snapshot, policy)
        changes = remedies(before) if apply else []
        predicted = snapshot.change(operations.predict(_steps(changes), snapshot.registry))

        done: Sequence[Change] = changes
        failures: list[str] = []
        # An image rehearses in check mode: that shows what it will refuse.
        if changes and (self._image is not None or not self._task.check_mode):
            probes = ways.not_yet_probed(predicted, policy)
            seen, done, failures = self._change(changes, snapshot.registry, probes, policy)
            after = seen.with_probes(snapshot).with_probes(seen)
        else:
            after = predicted
        for _round in range(ways.ROUNDS):
            probes = ways.not_yet_probed(after, policy)
            if not probes:
                break
            after = after.with_probes(self._ask({"probes": probes}, policy)[0])
        for user, probes in session.wanted(after, policy):
            after = self._ask_user(user, probes, after, policy)

        status = Status.WOULD_FIX if self._task.check_mode else Status.FIXED
        findings = settle(before, self._judge(after, policy), done, status)
        result["findings"] = [finding.to_wire() for finding in findings]
        result["run"] = current(self._task_vars)
        result["at"] = datetime.now(timezone.utc).strftime(origin.TIME)
        result["waivers"] = [one.to_wire() for one in policy.waivers]
        result["variables"] = origin.shown(self._task.args)
        result["changed"] = bool(done)
        if self._task.diff:
            result["diff"] = [_diff(change) for change in done]
        result["failed"] = bool(failures)
        result["msg"] = "Not everything could be changed. " + " ".join(failures) if failures else _summary(findings)
        return result

    def _judge(self, snapshot: Snapshot, policy: Policy) -> list[Finding]:
        """Return the findings; what an exception covers on this host is waived."""
        host, groups = str(self._task_vars.get("inventory_hostname", "")), self._task_vars.get("group_names", ())
        return waiver.apply(judge.judge(snapshot, policy), policy.waivers, host, groups, datetime.now(timezone.utc).date())

    def _change(
        self, changes: Sequence[Change], registry: Registry, probes: list[dict[str, Any]], policy: Policy
    ) -> tuple[Snapshot, list[Change], list[str]]:
        """Have the changes made and everything read again.

        Return the new snapshot, the changes that were made, and sentences on the operations that were not.
        """
        steps = self._wire(changes, registry)
        request = dict(judge.request(policy), probes=probes, operations=[step for _change, step in steps])
        try:
            after, outcomes = self._ask(request, policy)
        except AnsibleConnectionFailure as ended:
            raise AnsibleConnectionFailure(
                f"{ended.message} {self._place()} was given {len(steps)} operations before that: {NOT_KNOWN}"
            ) from None
        if len(outcomes) != len(steps):
            raise AnsibleActionFail(
                f"{self._place()} was given {len(steps)} operations and reported on {len(outcomes)}: {NOT_KNOWN}"
            )
        failures = []
        undone = set()
        waiting = 0
        for (change, step), outcome in zip(steps, outcomes, strict=True):
            state, error = outcome.get("state"), outcome.get("error")
            if state != "done":
                undone.add(change.subject)
                if state == "not_done" and not error:
                    waiting += 1
                    continue
                failures.append(f"{change.subject}: {step['do']} {state}" + (f" ({error})." if error else "."))
        if waiting:
            failures.append(f"Not begun: {waiting} more.")
        return after, [change for change in changes if change.subject not in undone], failures

    def _wire(self, changes: Sequence[Change], registry: Registry) -> list[tuple[Change, dict[str, Any]]]:
        """Return every operation in the form that the target takes, beside the change that it is a part of."""
        if self._image is None:
            return [(change, step.to_wire()) for change in changes for step in change.operations]
        steps = []
        for change in changes:
            steps += [(change, step) for step in operations.as_registry_operations(change.operations, registry)]
            registry = operations.predict(change.operations, registry)
        return steps

    def _ask(self, request: Request, policy: Policy) -> tuple[Snapshot, list[dict[str, Any]]]:
        """Run the target's module once.

        Raises AnsibleActionFail where it gives no snapshot; a connection that does not come about is Ansible's to report.
        """
        seconds = ways.seconds(request["probes"], policy) if request.get("probes") else policy.probe_timeout
        if self._image is not None:
            asked = {option: items for option, items in request.items() if option != "probes"}
            module, arguments = "ets6.network.windows_image", {**self._image, **asked}
        elif self._is_windows():
            module, arguments = "ets6.network.windows_host", dict(request, probe_timeout=seconds)
        else:
            module, arguments = "ets6.network.endpoint_probe", dict(request, probe_timeout=seconds)
        reply = self._execute(module, arguments)
        if "snapshot" not in reply:
            raise AnsibleActionFail(f"{self._place()} could not be read: {_reason(reply)}")
        try:
            return Snapshot.unpack(reply["snapshot"]), list(reply.get("operations") or ())
        except SnapshotError as error:
            raise AnsibleActionFail(f"{self._place()} gave a reply that is not usable: {error}") from error

    def _ask_user(self, user: User, probes: list[dict[str, str]], snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Have a user's session probe, and return the snapshot with it. Where that cannot be, nothing is proven, and its errors say why."""
        asked = {
            "sid": user.sid,
            "probes": [{"name": one["name"], "url": one["url"]} for one in probes],
            "timeout": policy.probe_timeout,
        }
        reply = self._execute("ets6.network.windows_session_probe", asked)
        for warning in reply.get("warnings") or ():
            display.warning(f"{self._task_vars.get('inventory_hostname')}: {warning}")
        if "lines" in reply:
            found, why = session.results(reply["lines"], user, probes)
        else:
            found, why = [], _reason(reply)
        told = "; ".join(filter(None, [snapshot.errors.get("session", ""), why]))
        errors = {**snapshot.errors, "session": told} if told else snapshot.errors
        return dataclasses.replace(snapshot.with_probes(dataclasses.replace(snapshot, probes=tuple(found))), errors=errors)

    def _execute(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module on the target.

        Raises AnsibleConnectionFailure, which makes the host unreachable, also where the connection ends in the middle: ssh reports
        it so by itself, while winrm and psrp let through what their HTTP library raised, and the task would have failed.
        """
        try:
            reply: dict[str, Any] = self._execute_module(module_name=module, module_args=arguments, task_vars=self._task_vars)
        except ENDED as error:
            display.vvv(f"{self._task_vars.get('inventory_hostname')}: {type(error).__name__}: {error}")
            # The cause would stand in the report, and is Python's.
            raise AnsibleConnectionFailure(f"{self._place()} ended the connection before it had answered.") from None
        return reply

    def _is_windows(self) -> bool:
        """Return whether the host is a Windows PC, going by its connection (winrm, psrp, or a PowerShell or cmd over SSH)."""
        return bool(getattr(self._connection._shell, "_IS_WINDOWS", False))

    def _place(self) -> str:
        if self._image is None and not self._is_windows():
            return "The host, which is no Windows PC going by its connection,"
        return "The PC" if self._image is None else f"The image {self._image.get('path')}"


def _reason(reply: Mapping[str, Any]) -> str:
    return str(reply.get("msg") or reply.get("module_stderr") or "no reason was given")


def _steps(changes: Sequence[Change]) -> list[operations.Operation]:
    return [step for change in changes for step in change.operations]


def _diff(change: Change) -> dict[str, Any]:
    return {
        "before_header": change.subject,
        "after_header": change.subject,
        "before": dict(change.before),
        "after": {key: change.after[key] for key in change.before},
    }


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.status.value for finding in findings)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
