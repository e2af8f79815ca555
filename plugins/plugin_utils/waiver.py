# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Exceptions: a control that may fail on some PCs until a day, with a reason and an owner.

A waived control is still judged, and shown as waived; what would mend it is left alone. It holds until the end of its last
day in UTC, and the control fails again on the day after.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from .finding import Finding, Status

REQUIRED = ("control", "reason", "owner", "expires")
ACCEPTED = (*REQUIRED, "hosts", "groups", "ticket")
WAIVABLE = frozenset({Status.FAIL, Status.UNKNOWN})


@dataclass(frozen=True)
class Waiver:
    """One exception, for the named hosts and the hosts of the named groups (``all`` is every host)."""

    control: str
    hosts: tuple[str, ...]
    groups: tuple[str, ...]
    reason: str
    owner: str
    expires: date
    ticket: str = ""

    def covers(self, host: str, groups: Collection[str]) -> bool:
        """Return whether it is meant for a host that is in these groups."""
        return host in self.hosts or "all" in self.groups or not set(self.groups).isdisjoint(groups)

    def ended(self, today: date) -> bool:
        """Return whether its last day (UTC) is over."""
        return today > self.expires

    def to_wire(self) -> dict[str, Any]:
        """Return the exception as it stands in report.json."""
        return {
            "control": self.control,
            "hosts": list(self.hosts),
            "groups": list(self.groups),
            "reason": self.reason,
            "owner": self.owner,
            "expires": self.expires.isoformat(),
            "ticket": self.ticket,
        }


def apply(
    findings: Iterable[Finding], waivers: Sequence[Waiver], host: str, groups: Collection[str], today: date
) -> list[Finding]:
    """Return the findings of a host: what is covered by an exception is waived, without a remedy.

    A finding whose exception has ended stays as it is and names it. Of several the one that holds longest counts.
    """
    judged = []
    for finding in findings:
        covering = [one for one in waivers if one.control == finding.control.id and one.covers(host, groups)]
        if covering and finding.status in WAIVABLE:
            waiver = max(covering, key=lambda one: one.expires)
            ended = waiver.ended(today)
            finding = dataclasses.replace(
                finding,
                status=finding.status if ended else Status.WAIVED,
                remedy=finding.remedy if ended else (),
                waiver={**waiver.to_wire(), "status": finding.status.value, "expired": ended},
            )
        judged.append(finding)
    return judged


def parse(value: Any) -> tuple[Waiver, ...]:
    """Read the variable ets6_network_waivers. Raises ValueError with the first problem and where it is."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{value!r} is not accepted; a list of exceptions is expected")
    return tuple(_waiver(entry, f"entry {number}") for number, entry in enumerate(value, 1))


def _waiver(entry: Any, where: str) -> Waiver:
    if not isinstance(entry, Mapping):
        raise ValueError(
            f"{where}: {entry!r} is not accepted; a dictionary with {', '.join(REQUIRED)} and hosts or groups is expected"
        )
    unknown = sorted(str(name) for name in entry if name not in ACCEPTED)
    if unknown:
        raise ValueError(f"{where}: {unknown[0]!r} is not accepted; accepted are {', '.join(ACCEPTED)}")
    texts = {}
    for name in ("control", "reason", "owner", "ticket"):
        texts[name] = entry.get(name, "")
        if not isinstance(texts[name], str) or (name in REQUIRED and not texts[name].strip()):
            raise ValueError(f"{where}.{name}: {entry.get(name)!r} is not accepted; a text is expected")
    lists = {}
    for name in ("hosts", "groups"):
        found = entry.get(name, [])
        if not isinstance(found, (list, tuple)) or not all(isinstance(item, str) and item for item in found):
            raise ValueError(f"{where}.{name}: {found!r} is not accepted; a list of names is expected")
        lists[name] = tuple(str(item) for item in found)
    if not any(lists.values()):
        raise ValueError(f"{where}: hosts or groups must say for whom it is; groups: [all] is for every host")
    return Waiver(
        str(texts["control"]),
        lists["hosts"],
        lists["groups"],
        str(texts["reason"]),
        str(texts["owner"]),
        _date(entry.get("expires"), f"{where}.expires"),
        str(texts["ticket"]),
    )


def _date(value: Any, where: str) -> date:
    # YAML makes a date of 2027-03-31 by itself; from the command line it comes as text.
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(
        f"{where}: {value!r} is not accepted; the last day is expected, such as 2027-03-31 (it ends with that day in UTC)"
    )
