# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What came of the exceptions (waivers) in a run: which hold, which have ended, and which match nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from .document import Json, control_key, plain

STATES = ("in_force", "expired", "unused", "not_judged")
"""in_force: it waives a finding. expired: its last day is over. unused: nothing that it is meant for fails. not_judged: no
host that it is meant for was judged in this run, so nobody knows."""
SOON = timedelta(days=30)

_OWN = ("control", "hosts", "groups", "reason", "owner", "expires", "ticket")


def of(results: Iterable[Any], hosts: Sequence[Json], inventory: Collection[str], today: date) -> list[Json]:
    """Return the exceptions that hosts' results or reports name, each once, with what came of it.

    hosts are in their wire form; inventory names hosts that are known though they are not in this run.
    """
    found: dict[str, Json] = {}
    for result in results:
        for waiver in (result.get("waivers") or ()) if isinstance(result, Mapping) else ():
            found.setdefault(_key(waiver), plain({name: waiver[name] for name in _OWN}))
    told = [{**waiver, **_state(waiver, hosts, inventory, today)} for waiver in found.values()]
    return sorted(told, key=lambda waiver: (waiver["expires"], control_key(waiver["control"]), _key(waiver)))


def today(document: Json) -> date:
    """Return the day on which the document was made, by which exceptions hold or not."""
    return date.fromisoformat(document["run"]["ended"][:10])


def ending(waivers: Sequence[Json], today: date) -> list[Json]:
    """Return the exceptions in force that end within SOON."""
    return [one for one in waivers if one["state"] == "in_force" and date.fromisoformat(one["expires"]) - today <= SOON]


def _state(waiver: Json, hosts: Sequence[Json], inventory: Collection[str], today: date) -> Json:
    findings = sum(_key(item.get("waiver") or {}) == _key(waiver) for host in hosts for item in host["findings"])
    meant = [
        host
        for host in hosts
        if host["name"] in waiver["hosts"] or "all" in waiver["groups"] or not set(waiver["groups"]).isdisjoint(host["groups"])
    ]
    judged = [
        host for host in meant if any(item["control"] == waiver["control"] for item in host["findings"]) and not host["reason"]
    ]
    if date.fromisoformat(waiver["expires"]) < today:
        state, note = "expired", "Its last day is over."
    elif findings:
        state, note = "in_force", ""
    elif meant and not judged:
        state, note = "not_judged", "No host that it is meant for could be judged."
    elif judged:
        state, note = "unused", "The control does not fail on any host that it is meant for."
    elif set(waiver["hosts"]) & set(inventory):
        state, note = "not_judged", "The hosts that it is meant for are not in this run."
    else:
        state, note = "unused", "There is no such host or group."
    return {"state": state, "note": note, "findings": findings}


def _key(waiver: Mapping[str, Any]) -> str:
    return json.dumps([waiver.get(name) for name in _OWN], ensure_ascii=False)
