# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.artifact: hands report.json on to later jobs.

It does what ansible.builtin.set_stats does. It is not a part of ets6.network.report because Ansible
drops what a failed task would hand on, and that task fails where PCs do not comply.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..plugin_utils.action import ControllerAction
from ..plugin_utils.report import reading
from ..plugin_utils.report.formats import report_json

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "report_dir": {"type": "path", "required": True},
}


class ActionModule(ControllerAction):
    """Make an artifact of the report."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the packed report as a custom statistic of the run."""
        arguments = self.arguments(ARGUMENTS)
        report = reading.read(Path(arguments["report_dir"]) / report_json.FILE)
        statistics = {
            "data": {arguments["name"]: reading.pack(report)},
            "per_host": False,
            "aggregate": False,
        }
        return {"ansible_stats": statistics}
