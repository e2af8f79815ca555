# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.verdict: fails each host that fails the run by fail_on.

ets6.network.report runs once, so its failure is booked on one host. This task books it on each host
that is the reason. It belongs into a play of its own: a host that fails in a batch (serial) is no
longer part of the play, and where all of a batch fail, Ansible begins no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ansible.errors import AnsibleActionFail

from ..plugin_utils import origin
from ..plugin_utils.action import ControllerAction
from ..plugin_utils.controls import default_catalogue
from ..plugin_utils.policy.run import current_run
from ..plugin_utils.report import document
from ..plugin_utils.report.hosts import HostResult
from ..plugin_utils.report.model import ControlRecord
from ..plugin_utils.report.verdict import host_fails_because
from ..plugin_utils.report_action import ARGUMENTS, registered_result, settle_argument


class ActionModule(ControllerAction):
    """Fail the host where it is a reason for the run to fail."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing of its own. Raises AnsibleActionFail with why the host fails the run."""
        spec = {"fail_on": ARGUMENTS["fail_on"], "reason": {"type": "str", "default": ""}}
        arguments = self.arguments(spec)
        if arguments["reason"]:
            raise AnsibleActionFail(arguments["reason"])
        fail_on, _problem = settle_argument("fail_on", arguments["fail_on"])
        name = str(variables["inventory_hostname"])
        registered = registered_result(variables, current_run(variables))
        default = [cast(ControlRecord, control.to_wire()) for control in default_catalogue()]
        controls = document.controls_of([registered], default)
        ended = origin.now()
        host = HostResult.from_task(name, registered, controls, (), ended).to_record({})
        reason = host_fails_because(host, controls, fail_on)
        if reason:
            raise AnsibleActionFail(f"{name}: {reason}")
        return {"msg": ""}
