# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.policy: observe, judge, change, observe again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import judge, operations
from ..plugin_utils.finding import Change, Finding, Status, remedies, settle
from ..plugin_utils.policy import Policy, PolicyError
from ..plugin_utils.reachability import ways
from ..plugin_utils.snapshot import Snapshot, SnapshotError


class ActionModule(ActionBase):
    """Bring one PC to the policy, or with check mode say what that would take."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the findings, and the changes as a diff."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            policy = Policy.from_variables(self._task.args)
        except PolicyError as error:
            raise AnsibleActionFail(str(error)) from error
        self._task_vars = task_vars or {}
        result["controls"] = [control.to_wire() for control in judge.catalogue(policy)]

        snapshot = self._observe(judge.request(policy), policy)
        before = judge.judge(snapshot, policy)
        changes = remedies(before)
        predicted = snapshot.change(operations.predict([step for change in changes for step in change.operations], snapshot.registry))
        probes = ways.not_yet_probed(predicted, policy)
        check = bool(self._task.check_mode)

        failures: list[str] = []
        after = predicted if check else snapshot
        if changes and not check:
            after, failures = self._change(changes, probes, snapshot, policy)
        elif probes:
            seen = self._observe({"probes": probes}, policy).probes
            after = dataclasses.replace(after, probes=(*(snapshot.probes or ()), *(seen or ())))

        findings = settle(before, judge.judge(after, policy), changes, Status.WOULD_FIX if check else Status.FIXED)
        result["findings"] = [finding.to_wire() for finding in findings]
        result["changed"] = bool(changes)
        if self._task.diff:
            result["diff"] = [_diff(change) for change in changes]
        if failures:
            result["failed"] = True
            result["msg"] = "Not everything could be changed. " + " ".join(failures)
        else:
            result["msg"] = _summary(findings)
        return result

    def _change(
        self, changes: Sequence[Change], probes: list[dict[str, Any]], snapshot: Snapshot, policy: Policy
    ) -> tuple[Snapshot, list[str]]:
        """Have the changes made and everything read again. Return the new snapshot and what went wrong, a sentence each."""
        steps = [(change, step) for change in changes for step in change.operations]
        request = dict(judge.request(policy), probes=probes, operations=[step.to_wire() for _change, step in steps])
        after, outcomes = self._ask(request, policy)
        if len(outcomes) != len(steps):
            raise AnsibleActionFail(f"The PC was given {len(steps)} operations and reported on {len(outcomes)}: nothing is known of the others.")
        failures = [
            f"{change.subject}: {outcome.get('state')}" + (f" ({outcome['error']})" if outcome.get("error") else "") + "."
            for (change, _step), outcome in zip(steps, outcomes, strict=True)
            if outcome.get("state") != "done"
        ]
        if not probes:
            after = dataclasses.replace(after, probes=snapshot.probes)
        return after, failures

    def _observe(self, request: dict[str, Any], policy: Policy) -> Snapshot:
        return self._ask(request, policy)[0]

    def _ask(self, request: dict[str, Any], policy: Policy) -> tuple[Snapshot, list[dict[str, Any]]]:
        """Run windows_host once. Raises AnsibleActionFail where it gives no snapshot; a dead connection is Ansible's to report."""
        reply = self._execute_module(
            module_name="ets6.network.windows_host",
            module_args=dict(request, probe_timeout=policy.probe_timeout),
            task_vars=self._task_vars,
        )
        if reply.get("failed") and "snapshot" not in reply:
            raise AnsibleActionFail(f"The PC could not be read: {reply.get('msg') or reply.get('module_stderr') or 'no reason given'}")
        try:
            return Snapshot.unpack(reply.get("snapshot")), list(reply.get("operations") or ())
        except SnapshotError as error:
            raise AnsibleActionFail(f"The PC's reply is not usable: {error}") from error


def _diff(change: Change) -> dict[str, Any]:
    return {
        "before_header": change.subject,
        "after_header": change.subject,
        "before": {key: change.before[key] for key in change.before},
        "after": {key: change.after[key] for key in change.before},
    }


def _summary(findings: Sequence[Finding]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.status.value] = counts.get(finding.status.value, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
