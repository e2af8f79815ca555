# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.closing_lines: displays what the report came to, at the very end.

ets6.network.verdict fails hosts, and Ansible displays an error for each. The lines come after these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.utils.display import Display

from ..plugin_utils.action import ControllerAction
from ..plugin_utils.report_action import WRITTEN

display = Display()


class ActionModule(ControllerAction):
    """Display the closing lines of the report that ets6.network.report wrote last."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing of its own. With serial, the report of the last batch counts."""
        self.arguments({})
        hostvars = variables["hostvars"]
        for name in reversed(variables.get("ansible_play_hosts_all") or ()):
            written = hostvars[name].get(WRITTEN)
            if isinstance(written, Mapping) and "closing_lines" in written:
                color = "green" if written["complies"] else "red"
                for line in written["closing_lines"]:
                    display.display(str(line), color=color)
                break
        return {}
