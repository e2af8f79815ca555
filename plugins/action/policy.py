# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.policy: observe, judge, change, observe again."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display

from ..plugin_utils import connection, facts, limits, operations, origin, record
from ..plugin_utils.action import ControllerAction
from ..plugin_utils.controls import Assessment, catalogue, default_catalogue, request
from ..plugin_utils.finding import Change, Finding, Status, remedies, sent, settle
from ..plugin_utils.policy.parsing import flag
from ..plugin_utils.policy.run import current_run, expanded, noted_run
from ..plugin_utils.policy.variables import Policy
from ..plugin_utils.policy.waivers import apply_waivers
from ..plugin_utils.proxy import pac
from ..plugin_utils.reachability import probe_plan, session
from ..plugin_utils.report.journal import Journal, JournalError
from ..plugin_utils.snapshot import Snapshot
from ..plugin_utils.targets import (
    NOT_DETERMINED,
    SESSION_PROBE,
    ChangeResult,
    ProbingHost,
    Target,
    WindowsImage,
    WindowsPC,
)
from ..plugin_utils.text import count, one_line

try:
    from requests.exceptions import ChunkedEncodingError, ReadTimeout
    from requests.exceptions import ConnectionError as RequestError
except ImportError:
    # It is there, and raises these, only where PCs are reached over winrm or psrp.
    CONNECTION_ENDED: tuple[type[Exception], ...] = (ConnectionError,)
    NO_ANSWER: tuple[type[Exception], ...] = (TimeoutError,)
else:
    CONNECTION_ENDED = (ConnectionError, ChunkedEncodingError, RequestError)
    NO_ANSWER = (TimeoutError, ReadTimeout)

display = Display()

WHOLE_RESULT = 3
"""The verbosity (-vvv) from which on Ansible prints the whole result."""
MAX_WARNING = 500
"""Characters of a warning, which is a PC's text."""


class ActionModule(ControllerAction):
    """Bring a PC or an image to the policy, or have a POSIX host probe.

    In check mode say what that would take; with apply=false only judge.
    """

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the findings, and the changes as a diff."""
        self._variables = variables
        seconds = self._task.timeout or 0
        try:
            with self._explained(), limits.memory(), limits.reminders(seconds), pac.budget():
                return self._judged(variables)
        except AnsibleConnectionFailure as error:
            # Ansible would make the host unreachable as well, and display the error twice.
            return {"unreachable": True, "msg": str(error)}

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return limits.explained("The PC", self._task.timeout or 0)

    def _judged(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        arguments = dict(self._task.args)
        apply = flag(arguments.pop("apply", True))
        image = arguments.pop("image", None)
        host = str(variables.get("inventory_hostname", ""))
        report_dir = arguments.pop("report_dir", "")
        self._journal = Journal(
            expanded(report_dir) if report_dir else None, noted_run(variables), host
        )
        policy = Policy.from_variables(arguments)
        target = self._target(policy, image, apply)
        problems = connection.problems(self._connection, variables)
        if problems:
            # Not tried: an empty password could lock the account.
            message = connection.NOT_TRIED + " ".join(problems)
            return {"unreachable": True, "msg": message}

        snapshot = target.observe(target.first_request(request(policy)))
        before = Assessment(snapshot, policy)
        findings: Sequence[Finding] = self._waived(before)
        self._interrupted = record.interrupted(snapshot.registry)
        if self._interrupted:
            display.warning(f"{host}: {self._interrupted.sentence}")
        changes = self._changes(findings) if apply else []
        try:
            with self._explained():
                findings, outcome = self._settled(target, before, findings, changes)
        except Exception as error:
            is_sent = bool(changes) and (target.rehearses or not self._task.check_mode)
            if not is_sent or target.all_or_nothing:
                raise
            # Whatever goes wrong once changes were sent, they are never forgotten.
            outcome = ChangeResult(snapshot, (), [_lost(target, changes, error)], sent=changes)
            findings = sent(findings, changes)
        return self._result(policy, findings, outcome)

    def _changes(self, findings: Sequence[Finding]) -> list[Change]:
        """Return what is to be changed; the record of an earlier run is removed at the end."""
        changes = remedies(findings)
        if self._interrupted:
            changes.append(self._interrupted.removal())
        return changes

    def _settled(
        self,
        target: Target,
        before: Assessment,
        findings: Sequence[Finding],
        changes: Sequence[Change],
    ) -> tuple[Sequence[Finding], ChangeResult]:
        """Return the findings after the changes, and what became of these."""
        snapshot, policy = before.snapshot, before.policy
        outcome = self._changed(target, snapshot, changes)
        changed = before if outcome.snapshot is snapshot else Assessment(outcome.snapshot, policy)
        try:
            after = _probed(target, changed)
        except Exception as error:
            if not outcome.made:
                raise
            failures = [*outcome.failures, f"Not everything could be probed: {_words(error)}"]
            outcome, after = dataclasses.replace(outcome, failures=failures), changed
        if after is before:
            return findings, outcome
        status = Status.WOULD_FIX if self._task.check_mode else Status.FIXED
        settled = settle(findings, self._waived(after), outcome.made, status)
        return _with_restarts(settled, outcome.restarts), outcome

    def _target(self, policy: Policy, image: Mapping[str, Any] | None, apply: bool) -> Target:
        if image:
            return WindowsImage(self._execute, policy, image, restore=apply)
        # The connection's shell tells: winrm, psrp, or a PowerShell or cmd over SSH.
        if getattr(self._connection._shell, "_IS_WINDOWS", False):
            return WindowsPC(self._execute, policy)
        return ProbingHost(self._execute, policy)

    def _execute(self, module: str, options: dict[str, Any]) -> Mapping[str, Any]:
        """Run a module on the host.

        Raises AnsibleConnectionFailure, which makes the host unreachable, also where the connection
        ends in the middle: ssh reports it so by itself, while winrm and psrp let through what their
        HTTP library raised, and the task would fail.
        """
        host = self._variables.get("inventory_hostname")
        try:
            with self._explained(), self._reply_not_printed():
                reply: Mapping[str, Any] = self._execute_module(
                    module_name=module, module_args=options, task_vars=dict(self._variables)
                )
        except (*NO_ANSWER, *CONNECTION_ENDED) as error:
            display.vvv(f"{host}: {type(error).__name__}: {error}")
            is_silent = isinstance(error, NO_ANSWER)
            # Python's own text would end up in the report.
            raise AnsibleConnectionFailure(
                connection.SILENT if is_silent else connection.ENDED
            ) from None
        # Not under "warnings": ansible-core 2.21 prints those itself, without the host.
        notes: Sequence[str] = ()
        if module == SESSION_PROBE:
            notes = reply.get("remaining") or ()
        elif module == WindowsImage.module:
            notes = reply.get("notes") or ()
        for note in notes:
            display.warning(one_line(f"{host}: {note}", MAX_WARNING))
        return reply

    @contextlib.contextmanager
    def _reply_not_printed(self) -> Iterator[None]:
        """Keep a PC's reply off the terminal at -vvv, where the connection ssh prints all output.

        Logins of proxies and queries of scripts are in it, only packed. The task's no_log, or the
        connection's, would hide the reasons of unreachable hosts, too.
        """
        verbosity = display.verbosity
        if verbosity == WHOLE_RESULT and getattr(self._connection, "transport", "") == "ssh":
            display.verbosity = WHOLE_RESULT - 1
        try:
            yield
        finally:
            display.verbosity = verbosity

    def _changed(
        self, target: Target, snapshot: Snapshot, changes: Sequence[Change]
    ) -> ChangeResult:
        """Return what became of the changes, in check mode what would become of them."""
        if not changes:
            return ChangeResult(snapshot, (), ())
        steps: list[operations.Operation] = []
        for change in changes:
            steps.extend(change.operations)
        predicted = snapshot.change(operations.predict(steps, snapshot.registry))
        if self._task.check_mode and not target.rehearses:
            return ChangeResult(predicted, changes, ())
        probes = probe_plan.missing_probes(Assessment(predicted, target.policy).proxy)
        if not self._task.check_mode:
            try:
                self._journal.sent(origin.now(), [change.to_wire() for change in changes])
            except JournalError as error:
                return ChangeResult(snapshot, (), [str(error)])
        outcome = target.change(
            changes, snapshot.registry, {**request(target.policy), "probes": probes}
        )
        if not self._task.check_mode:
            made = [change.subject for change in outcome.made]
            self._journal.answered(origin.now(), made, outcome.failures)
        observed = outcome.snapshot
        return ChangeResult(
            observed.with_probes(snapshot).with_probes(observed),
            outcome.made,
            outcome.failures,
            outcome.restarts,
        )

    def _waived(self, assessment: Assessment) -> list[Finding]:
        """Return the findings; what a waiver covers on this host is waived."""
        return apply_waivers(
            assessment.findings,
            assessment.policy.waivers,
            str(self._variables.get("inventory_hostname", "")),
            self._variables.get("group_names", ()),
            datetime.now(timezone.utc).date(),
        )

    def _result(
        self, policy: Policy, findings: Sequence[Finding], outcome: ChangeResult
    ) -> dict[str, Any]:
        host = str(self._variables.get("inventory_hostname", ""))
        message = _message(findings, outcome)
        result: dict[str, Any] = {
            "controls": _further_controls(policy),
            "findings": [finding.to_wire() for finding in findings],
            "run": current_run(self._variables),
            "at": origin.now(),
            "waivers": [waiver.to_wire() for waiver in policy.waivers],
            "variables": origin.without_secrets(_judging(self._task.args)),
            "facts": facts.facts_of(outcome.snapshot, policy),
            "changed": bool(outcome.made or outcome.sent),
            "failed": bool(outcome.failures),
            "msg": message,
        }
        if self._interrupted:
            result["interrupted"] = self._interrupted.to_wire()
            result["msg"] = f"{message} {self._interrupted.sentence}"
        if self._task.diff:
            result["diff"] = [_diff(host, change) for change in outcome.made]
        if display.verbosity < WHOLE_RESULT:
            # With -v Ansible prints a result, which has every finding, as JSON.
            result["_ansible_verbose_override"] = True
            display.v(f"{host}: {message}")
        return result


def _message(findings: Sequence[Finding], outcome: ChangeResult) -> str:
    """Return what the task says of the host."""
    if outcome.sent:
        return " ".join(outcome.failures)
    if outcome.failures:
        return " ".join(["Not everything could be changed.", *outcome.failures])
    summary = _summary(findings)
    if outcome.restarts:
        return " ".join([f"{summary}.", *outcome.restarts.values()])
    return summary


def _judging(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that say how a host is judged: where its report goes does not."""
    return {name: value for name, value in arguments.items() if name != "report_dir"}


def _further_controls(policy: Policy) -> list[dict[str, str]]:
    """Return the controls that a report does not know: others are not sent with every host."""
    known = default_catalogue()
    return [control.to_wire() for control in catalogue(policy) if control not in known]


def _probed(target: Target, assessment: Assessment) -> Assessment:
    """Return the assessment with the probes that only follow from what the first ones showed.

    It is the same one where none follow, so that nothing is worked out twice.
    """
    policy = assessment.policy
    for _round in range(probe_plan.ROUNDS):
        probes = probe_plan.missing_probes(assessment.proxy)
        if not probes:
            break
        observed = target.observe({"probes": probes})
        assessment = Assessment(assessment.snapshot.with_probes(observed), policy)
    snapshot = assessment.snapshot
    for user, user_probes in session.user_probes(assessment.proxy):
        snapshot = target.observe_as_user(user, user_probes, snapshot)
    return assessment if snapshot is assessment.snapshot else Assessment(snapshot, policy)


def _lost(target: Target, changes: Sequence[Change], error: Exception) -> str:
    number = sum(len(change.operations) for change in changes)
    return (
        f"{_words(error)} {target.name} was sent {count(number, 'operation')} before that: "
        f"{NOT_DETERMINED}"
    )


def _words(error: Exception) -> str:
    """Return an error as a sentence on one line."""
    text = one_line(str(getattr(error, "message", "") or error), MAX_WARNING)
    return text if text.endswith((".", "…")) else f"{text}."


def _with_restarts(findings: Sequence[Finding], restarts: Mapping[str, str]) -> list[Finding]:
    """Return the findings; one whose change waits for a restart of the PC says so."""
    explained = []
    for finding in findings:
        sentences = [restarts[item.subject] for item in finding.remedy if item.subject in restarts]
        reason = " ".join([finding.reason, *sentences])
        explained.append(dataclasses.replace(finding, reason=reason))
    return explained


def _diff(host: str, change: Change) -> dict[str, Any]:
    """Return a change for --diff; a thing that is not there has no lines."""
    header = f"{host}: {change.subject}"
    return {
        "before_header": header,
        "after_header": header,
        "before": _present_values(change.before),
        "after": _present_values(change.after),
    }


def _present_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.status.value for finding in findings)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
