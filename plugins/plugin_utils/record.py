# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The record that windows_host keeps on a PC while it changes something.

It is written before the first change and removed after the last. Only SYSTEM and Administrators may
open its key. One that is found at the beginning
of a run is that of a run which was interrupted in the middle, or whose PC went off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .finding import Change
from .operations import SetRegistryValues
from .snapshot import NOT_READ, Registry, State
from .text import count

KEY = r"HKLM\SOFTWARE\ets6.network changes"
VALUE = "Begun"
REQUEST = {"registry": [{"path": KEY, "depth": 0}]}
"""What has to be read, as options of windows_host."""
_FORM = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z) ([1-9][0-9]{0,5})", re.ASCII
)
"""When it was begun (UTC), and how many operations were sent."""


@dataclass(frozen=True)
class Interrupted:
    """What a PC says of an earlier run. Both are empty or 0 where the record cannot be read."""

    at: str
    operations: int

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        if not self.at:
            return (
                "An earlier run may have begun to change this PC and not ended: its record "
                f"({KEY}) cannot be read. What is there now was read again."
            )
        number = count(self.operations, "operation")
        return (
            f"An earlier run began {number} on this PC at {self.at} and did not end them: it was "
            "interrupted, or the PC went off. What is there now was read again."
        )

    def to_wire(self) -> dict[str, Any]:
        """Return it as it stands in report.json."""
        return {"at": self.at, "operations": self.operations}

    def removal(self) -> Change:
        """Return the change that removes the record."""
        record = {"at": self.at, "operations": self.operations}
        operation = SetRegistryValues(KEY, {VALUE: None}, "record")
        return Change(
            "record of an interrupted run", record, {"at": None, "operations": None}, [operation]
        )


def interrupted(registry: Registry) -> Interrupted | None:
    """Return what is left of an earlier run; None where there is nothing."""
    key = registry.key(KEY)
    if key.state is State.UNREADABLE and key is not NOT_READ:
        # The key exists only from the first change of a run to its last.
        return Interrupted("", 0)
    value = key.values.get(VALUE)
    if value is None:
        return None
    match = _FORM.fullmatch(value.data) if isinstance(value.data, str) else None
    if match is None:
        return Interrupted("", 0)
    return Interrupted(match[1], int(match[2]))
