# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The door of the task ets6.network.artifact: hands report.json on, as ansible.builtin.set_stats hands on what it is given.

It is no part of ets6.network.report because Ansible drops what a failed task would hand on, and that task fails where PCs do
not comply.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.report import json, reading


class ActionModule(ActionBase):
    """Make an artifact of the report."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the packed report as a custom statistic of the run."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            {"name": {"type": "str", "required": True}, "report_dir": {"type": "path", "required": True}}
        )
        try:
            report = reading.read(Path(arguments["report_dir"]) / json.FILE)
        except reading.ReportError as error:
            raise AnsibleActionFail(str(error)) from error
        result["ansible_stats"] = {"data": {arguments["name"]: reading.pack(report)}, "per_host": False, "aggregate": False}
        return result
