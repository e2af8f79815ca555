# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_waivers: controls that may fail on some PCs until a day.

A waiver has a reason and an owner. The control is still judged, and shown as waived; what would
meet it is left alone. A waiver holds until the end of its last day in UTC, and the control fails
again on the day after.

A waiver names one control or a list of them; ``*`` in an id matches any characters. It covers the
consequences of what it covers, too: findings that name it as their cause.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from ..finding import Finding, Status
from .parsing import (
    NotAcceptedError,
    dictionary,
    not_accepted,
    numbered,
    parse_each,
    parse_fields,
)

REQUIRED = ("control", "reason", "owner", "expires")
KEYS = (*REQUIRED, "hosts", "groups", "ticket")
WAIVABLE = frozenset({Status.FAIL, Status.UNKNOWN})


@dataclass(frozen=True)
class Waiver:
    """One waiver, for the named hosts and the hosts of the named groups (``all`` is every host)."""

    controls: tuple[str, ...]
    hosts: tuple[str, ...]
    groups: tuple[str, ...]
    reason: str
    owner: str
    expires: date
    ticket: str = ""

    def covers(self, host: str, groups: Collection[str]) -> bool:
        """Return whether it is for a host that is in these groups."""
        if host in self.hosts or "all" in self.groups:
            return True
        return not set(self.groups).isdisjoint(groups)

    def is_for_control(self, control_id: str) -> bool:
        """Return whether it is for a control."""
        return matches(self.controls, control_id)

    def has_expired(self, today: date) -> bool:
        """Return whether its last day (UTC) is over."""
        return today > self.expires

    def to_wire(self) -> dict[str, Any]:
        """Return the waiver as it stands in report.json."""
        return {
            "control": ", ".join(self.controls),
            "controls": list(self.controls),
            "hosts": list(self.hosts),
            "groups": list(self.groups),
            "reason": self.reason,
            "owner": self.owner,
            "expires": self.expires.isoformat(),
            "ticket": self.ticket,
        }


def apply_waivers(
    findings: Sequence[Finding],
    waivers: Sequence[Waiver],
    host: str,
    groups: Collection[str],
    today: date,
) -> list[Finding]:
    """Return the findings of a host. What a waiver covers is waived, without a remedy.

    A finding whose waiver has expired stays as it is and names it. Of several waivers the one that
    expires last counts.
    """
    on_host = [waiver for waiver in waivers if waiver.covers(host, groups)]
    by_control = {finding.control.id: finding for finding in findings}
    applied = []
    for finding in findings:
        covering = _covering(finding, by_control, on_host)
        applied.append(_apply(finding, covering, today))
    return applied


def matches(patterns: Iterable[str], control_id: str) -> bool:
    """Return whether one of the patterns of control ids matches an id."""
    return any(fnmatchcase(control_id, pattern) for pattern in patterns)


def _covering(
    finding: Finding, findings: Mapping[str, Finding], waivers: Sequence[Waiver]
) -> list[Waiver]:
    """Return the waivers for a finding or for what it follows from."""
    covering: list[Waiver] = []
    chain: list[str] = []
    cause: Finding | None = finding
    while cause is not None and cause.control.id not in chain:
        chain.append(cause.control.id)
        covering += [waiver for waiver in waivers if waiver.is_for_control(cause.control.id)]
        cause = findings.get(cause.caused_by)
    return covering


def _apply(finding: Finding, covering: Sequence[Waiver], today: date) -> Finding:
    if not covering or finding.status not in WAIVABLE:
        return finding
    waiver = max(covering, key=lambda candidate: candidate.expires)
    expired = waiver.has_expired(today)
    record = {**waiver.to_wire(), "status": finding.status.value, "expired": expired}
    if expired:
        return dataclasses.replace(finding, waiver=record)
    return dataclasses.replace(finding, status=Status.WAIVED, remedy=(), waiver=record)


def parse_waivers(value: Any) -> tuple[Waiver, ...]:
    """Return the waivers. Raises NotAcceptedError with every problem and where it is."""
    if not isinstance(value, (list, tuple)):
        raise not_accepted(value, "a list of waivers is expected")
    return tuple(parse_each(numbered(value), _parse_waiver))


def _parse_waiver(entry: Any) -> Waiver:
    expected = f"a dictionary with {', '.join(REQUIRED)} and hosts or groups"
    fields = dictionary(entry, KEYS, expected, REQUIRED)
    values = parse_fields(fields, PARSERS)
    waiver = Waiver(
        values.pop("control"), values.pop("hosts", ()), values.pop("groups", ()), **values
    )
    if not waiver.hosts and not waiver.groups:
        raise NotAcceptedError(
            "hosts or groups must say which hosts it is for; groups: [all] is for every host"
        )
    return waiver


def _parse_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise not_accepted(value, "a text is expected")
    return str(value)


def _parse_ticket(value: Any) -> str:
    return "" if value == "" else _parse_text(value)


def _parse_controls(value: Any) -> tuple[str, ...]:
    entries = value if isinstance(value, (list, tuple)) else [value]
    for entry in entries:
        # fnmatch has more than the asterisk; ids do not have these characters.
        if not isinstance(entry, str) or not re.fullmatch(r"[A-Za-z0-9_.*-]+", entry):
            raise not_accepted(
                value,
                "a control's id, a pattern such as firewall.*, or a list of these is expected",
            )
    if not entries:
        raise NotAcceptedError("the list is empty; at least one entry is needed")
    return tuple(str(entry) for entry in entries)


def _parse_names(names: Any) -> tuple[str, ...]:
    expected = "a list of names is expected"
    if not isinstance(names, (list, tuple)):
        raise not_accepted(names, expected)
    for name in names:
        if not isinstance(name, str) or not name:
            raise not_accepted(names, expected)
    return tuple(str(name) for name in names)


def _parse_date(value: Any) -> date:
    # YAML makes a date of 2027-03-31 by itself; from the command line it comes as text.
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise not_accepted(
        value, "the last day is expected, such as 2027-03-31 (it ends with that day in UTC)"
    )


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "control": _parse_controls,
    "hosts": _parse_names,
    "groups": _parse_names,
    "reason": _parse_text,
    "owner": _parse_text,
    "expires": _parse_date,
    "ticket": _parse_ticket,
}
"""The parser of each key of a waiver."""
