# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Several reports made one: of job slices, of sites, of PCs and images.

Of each host and control the newest finding counts. The order of the reports does not matter, nor does it whether one is given
twice or was merged before. What hosts say of each other's network stays as each run found it: what was seen at another time
proves nothing of now.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from . import waivers
from .document import (
    UNREACHABLE,
    WORST_FIRST,
    Host,
    Json,
    build,
    control_key,
    controls_of,
    in_common,
    plain,
    worst,
)
from .words import first

MISSING = "It was expected, and no report holds it."
MOST_NAMES = 3


Rank = tuple[str, int, str]
"""When something was found, how bad it is, and its text: the greatest counts. What is newest counts, of the same second the
worst, so that nothing turns green by the order of files; the text decides where neither does."""


@dataclass(frozen=True)
class _Found:
    """A finding of one report, and when it was found."""

    since: str
    item: Json
    stands_in: bool
    """Whether it only repeats why the host was not judged."""

    @property
    def rank(self) -> Rank:
        return self.since, -WORST_FIRST.index(self.item["status"]), _text(self.item)


@dataclass(frozen=True)
class _Record:
    """A host of one report."""

    at: str
    outcome: str
    """judged, unknown or unreachable."""
    reason: str
    groups: Sequence[str]
    variables: Mapping[str, Any]
    findings: Sequence[_Found]

    @classmethod
    def of(cls, host: Json, shared: Mapping[str, Any], today: date) -> _Record:
        """Read a host of a report, whose hosts share these variables; as it counts today."""
        at, reason = host["at"], host["reason"]
        judged = not reason or any(item["reason"] != reason for item in host["findings"] if "at" not in item)
        found = [
            _Found(
                item.get("at", at),
                _still_waived({key: value for key, value in item.items() if key != "at"}, today),
                not judged and "at" not in item,
            )
            for item in host["findings"]
        ]
        variables = {**shared, **host["variables"]} if judged else {}
        outcome = "judged" if judged else UNREACHABLE if host["status"] == UNREACHABLE else "unknown"
        return cls(at, outcome, reason, host["groups"], variables, found)

    @property
    def rank(self) -> Rank:
        """Findings have no part in it: they are chosen one by one."""
        worse = ("judged", "unknown", UNREACHABLE).index(self.outcome)
        return self.at, worse, _text([self.reason, self.groups, self.variables])


def merge(
    reports: Iterable[Json],
    run: Mapping[str, Any],
    expected: Collection[str],
    fail_on: Sequence[str],
    problems: Sequence[str] = (),
) -> Json:
    """Return the document made of these, which reading.py has checked.

    run says who merged them (origin.run). expected are hosts that must be there; hosts whose turn had not come in one of the
    reports are expected as well. problems are what was wrong with this run.
    """
    unique = {_text(report): report for report in reports}
    sources = [unique[text] for text in sorted(unique, key=lambda text: (unique[text]["run"]["ended"], text))]
    ended, today = run["ended"], date.fromisoformat(run["ended"][:10])
    records = _records(sources, today)
    wanted = {*plain(sorted(expected)), *_expected_before(sources)}
    missing = sorted(wanted - set(records))
    controls = controls_of(reversed(sources), ())
    hosts = [_newest(name, found) for name, found in records.items()]
    hosts += [Host.unjudged(name, "unknown", MISSING, controls, (), ended) for name in missing]
    hosts.sort(key=lambda host: host.name)
    common = in_common(hosts)
    wires = [host.to_wire(common) for host in hosts]
    merged = {"reports": _reports(sources), "conflicts": _conflicts(sources, records), "missing": missing}
    merged_waivers = waivers.of(sources, wires, wanted, today)
    return build({**run, "pending": [], "variables": common}, controls, wires, merged_waivers, fail_on, merged, problems)


def _records(sources: Iterable[Json], today: date) -> dict[str, list[_Record]]:
    """Return what the reports know of each host; a host that one only says is missing is not known by it."""
    records: dict[str, list[_Record]] = {}
    for report in sources:
        lacking = set(report["merged"]["missing"]) if report["merged"] else set()
        for host in report["hosts"]:
            if host["name"] not in lacking:
                records.setdefault(host["name"], []).append(_Record.of(host, report["run"]["variables"], today))
    return records


def _merged(sources: Iterable[Json]) -> list[Json]:
    return [report["merged"] for report in sources if report["merged"] is not None]


def _expected_before(sources: Iterable[Json]) -> set[str]:
    """Return the hosts that the reports themselves say are lacking."""
    return {name for report in sources for name in report["run"]["pending"]} | {
        name for merged in _merged(sources) for name in merged["missing"]
    }


def _reports(sources: Iterable[Json]) -> list[Json]:
    """Return the run and the hash of each report, the oldest first; of one that was merged those that it was made of."""
    found = {
        _text(one): one
        for report in sources
        for one in (report["merged"]["reports"] if report["merged"] else [{"run": report["run"], "sha256": report["sha256"]}])
    }
    return sorted(found.values(), key=lambda one: (one["run"]["ended"], _text(one)))


def _newest(name: str, records: Sequence[_Record]) -> Host:
    """Return the host as the newest record has it, with findings of older ones where it has none of that control."""
    newest = max(records, key=lambda record: record.rank)
    chosen: dict[str, _Found] = {}
    for found in (found for record in records for found in record.findings):
        control = found.item["control"]
        chosen[control] = max(chosen.get(control, found), found, key=lambda one: one.rank)
    findings = []
    for control in sorted(chosen, key=control_key):
        found = chosen[control]
        own = found.since == newest.at and found.stands_in == (newest.outcome != "judged")
        item = {**found.item, "reason": newest.reason} if own and found.stands_in else found.item
        # What another run found says when, so that it is told from what this one did.
        findings.append(item if own else {**item, "at": found.since})
    status = UNREACHABLE if newest.outcome == UNREACHABLE else worst(findings)
    return Host(name, status, newest.at, newest.reason, newest.groups, newest.variables, findings)


def _still_waived(item: Json, today: date) -> Json:
    """Return a finding as it counts today: one whose exception has ended since it was made fails again."""
    waiver = item.get("waiver")
    if item["status"] != "waived" or waiver is None or date.fromisoformat(waiver["expires"]) >= today:
        return item
    return {**item, "status": waiver["status"], "waiver": {**waiver, "expired": True}}


def _conflicts(sources: Sequence[Json], records: Mapping[str, Sequence[_Record]]) -> list[str]:
    """Return what does not fit together, a sentence each."""
    told = {line for merged in _merged(sources) for line in merged["conflicts"]}
    versions = sorted({one["run"]["collection"] for one in _reports(sources)})
    if len(versions) > 1:
        told.add(f"The reports were written by several versions of the collection: {', '.join(versions)}.")
    definitions: dict[str, str] = {}
    for control in (control for report in sources for control in report["controls"]):
        if definitions.setdefault(control["id"], _text(control)) != _text(control):
            told.add(f"{control['id']} is not the same control in all reports; the newest definition is shown.")
    told.update(line for name, found in records.items() for line in _host_conflicts(name, found))
    return sorted(told)


def _host_conflicts(name: str, records: Sequence[_Record]) -> list[str]:
    """Return in what the reports differ on a host: whether it was judged, by which variables, and what was found."""
    differences = []
    outcomes = {(record.at, record.outcome) for record in records}
    if {"judged"} < {outcome for _at, outcome in outcomes}:
        differences.append(f"the host ({_turns(outcomes)})")
    judged = [record.variables for record in records if record.outcome == "judged"]
    names = {name for variables in judged for name in variables}
    variables = sorted(name for name in names if len({_text(one.get(name)) for one in judged}) > 1)
    if variables:
        differences.append(f"the variables {', '.join(variables)}")
    statuses: dict[str, set[tuple[str, str]]] = {}
    for found in (found for record in records for found in record.findings if not found.stands_in):
        statuses.setdefault(found.item["control"], set()).add((found.since, found.item["status"]))
    for control in sorted(statuses, key=control_key):
        if len({status for _since, status in statuses[control]}) > 1:
            differences.append(f"{control} ({_turns(statuses[control])})")
    if not differences:
        return []
    told = f"{name} differs in {first(differences, MOST_NAMES)}"
    times = {record.at for record in records}
    return [
        f"{told}: what was found last counts, at {max(times)}."
        if len(times) > 1
        else f"{told}, all of the same second: what is worse counts."
    ]


def _turns(found: Iterable[tuple[str, str]]) -> str:
    """Return what was found at which time as words, the oldest first: ``fail, then pass``."""
    return ", then ".join(word for word, _same in groupby(word for _at, word in sorted(found)))


def _text(content: Any) -> str:
    """Return JSON data as a text that is the same for the same data."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False)
