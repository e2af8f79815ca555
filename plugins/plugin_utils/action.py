# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The base of this collection's action plugins: they check arguments, call Python and return."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from .errors import ETS6Error


class ControllerAction(ActionBase):
    """A task that runs on the controller, also in check mode."""

    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the task's result. Raises AnsibleActionFail for what people can correct."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # With each error Ansible prints where the task is written: lines of this collection's role,
        # for each host again. They come from this, and there is no public way to leave them out.
        self._task._ds = None  # type: ignore[attr-defined]
        try:
            return result | self.result(task_vars or {})
        except ETS6Error as error:
            raise AnsibleActionFail(str(error)) from error

    @abstractmethod
    def result(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the task adds to its result. variables are those of the task's host."""

    def arguments(self, spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return the task's arguments. Raises AnsibleActionFail where they do not fit the spec."""
        _validation, arguments = self.validate_argument_spec(dict(spec))  # type: ignore[no-untyped-call]
        return dict(arguments)
