# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The action plugin ets6.network.closing_lines: displays what the report came to, at the very end.

A task that fails is followed by Ansible's error. The lines come after all of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.utils.display import Display

from ..plugin_utils.action import ControllerAction
from ..plugin_utils.report_action import WRITTEN

display = Display()


class ActionModule(ControllerAction):
    """Display the closing lines that ets6.network.report or ets6.network.merge returned last."""

    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing of its own. With serial, the report of the last batch counts."""
        self.arguments({})
        hostvars = variables["hostvars"]
        for name in reversed(variables.get("ansible_play_hosts_all") or ()):
            written = hostvars[name].get(WRITTEN)
            if isinstance(written, Mapping):
                color = "green" if written.get("complies") else "red"
                for line in written.get("closing_lines") or ():
                    display.display(str(line), color=color)
                break
        return {}
