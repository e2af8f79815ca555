# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What became of the waivers in a run: which hold, which have expired, and which match nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from ..policy.waivers import matches
from .hosts import control_key, plain
from .model import Host, Report, WaiverRecord, WaiverTerms

IN_FORCE = "in_force"
"""It waives a finding."""
EXPIRED = "expired"
"""Its last day is over."""
UNUSED = "unused"
"""Nothing that it is for fails."""
NOT_JUDGED = "not_judged"
"""No host that it is for was judged in this run, so it is not known whether it is still needed."""
SOON = timedelta(days=30)

_KEYS = ("control", "controls", "hosts", "groups", "reason", "owner", "expires", "ticket")


def records(
    results: Iterable[Any], hosts: Sequence[Host], inventory: Collection[str], today: date
) -> list[WaiverRecord]:
    """Return the waivers that results of hosts or reports name, each once, with what became of it.

    inventory names hosts that are known though they are not in this run.
    """
    waivers: dict[str, WaiverTerms] = {}
    for result in results:
        if isinstance(result, Mapping):
            for waiver in result.get("waivers") or ():
                waivers.setdefault(_key(waiver), plain({name: waiver[name] for name in _KEYS}))
    judged = [_record(waiver, hosts, inventory, today) for waiver in waivers.values()]
    return sorted(judged, key=_order)


def day_of(report: Report) -> date:
    """Return the day of the report, in UTC. It decides which waivers hold."""
    return date.fromisoformat(report["run"]["ended"][:10])


def ending_soon(report: Report) -> list[WaiverRecord]:
    """Return the waivers in force that end within SOON."""
    last = day_of(report) + SOON
    soon = []
    for waiver in report["waivers"]:
        if waiver["state"] == IN_FORCE and date.fromisoformat(waiver["expires"]) <= last:
            soon.append(waiver)
    return soon


def _record(
    waiver: WaiverTerms, hosts: Sequence[Host], inventory: Collection[str], today: date
) -> WaiverRecord:
    findings = sum(_count_waived(waiver, host) for host in hosts)
    state, note = IN_FORCE, ""
    if date.fromisoformat(waiver["expires"]) < today:
        state, note = EXPIRED, "Its last day is over."
    elif not findings:
        state, note = _why_not_in_force(waiver, hosts, inventory)
    return {**waiver, "state": state, "note": note, "findings": findings}


def _why_not_in_force(
    waiver: WaiverTerms, hosts: Sequence[Host], inventory: Collection[str]
) -> tuple[str, str]:
    """Return the state of a waiver that covers no finding, and a note that says why."""
    covered = [host for host in hosts if _is_for(waiver, host)]
    if any(_was_judged(waiver, host) for host in covered):
        return UNUSED, "The control does not fail on any host that it is for."
    if covered:
        return NOT_JUDGED, "No host that it is for could be judged."
    if set(waiver["hosts"]).intersection(inventory):
        return NOT_JUDGED, "The hosts that it is for are not in this run."
    return UNUSED, "There is no such host or group."


def _is_for(waiver: WaiverTerms, host: Host) -> bool:
    if host["name"] in waiver["hosts"] or "all" in waiver["groups"]:
        return True
    return not set(waiver["groups"]).isdisjoint(host["groups"])


def _was_judged(waiver: WaiverTerms, host: Host) -> bool:
    if host["reason"]:
        return False
    return any(matches(waiver["controls"], finding["control"]) for finding in host["findings"])


def _count_waived(waiver: WaiverTerms, host: Host) -> int:
    key = _key(waiver)
    waived = 0
    for finding in host["findings"]:
        applied = finding.get("waiver")
        if applied and _key(applied) == key:
            waived += 1
    return waived


def _order(waiver: WaiverRecord) -> tuple[str, tuple[int, str], str]:
    return waiver["expires"], control_key(waiver["control"]), _key(waiver)


def _key(waiver: Mapping[str, Any]) -> str:
    """Return what tells waivers apart."""
    return json.dumps([waiver.get(name) for name in _KEYS], ensure_ascii=False)
