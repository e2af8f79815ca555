# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Several reports made one: of job slices, of sites, of PCs and images.

For each host and control the newest finding counts. The order of the reports does not matter, nor
does it whether one is given twice or was merged before. What findings say of other hosts stays as
each run found it, since what was seen at another time does not describe the network of this one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import groupby
from typing import Any

from ..finding import Status, severity_rank
from ..text import first_words
from . import waivers
from .document import build, controls_of
from .hashes import further_times
from .hosts import (
    HostResult,
    all_hosts,
    common_variables,
    control_key,
    plain,
    repeats_reason,
    worst_status,
)
from .model import (
    TIME,
    UNREACHABLE,
    WORST_FIRST,
    ControlRecord,
    FindingRecord,
    Host,
    Interrupted,
    Merged,
    MergedReport,
    Report,
    Run,
    UnreportedChanges,
)
from .reading import ReportError

MISSING = "It was expected, and is in no report."
MAX_CLOCK_DIFFERENCE = timedelta(minutes=10)
"""How far the clocks of machines that write reports may be apart."""
MAX_DIFFERENCES = 3
"""Differences of a host that a conflict names."""
RUN_VARIABLES = frozenset({"apply"})
"""Variables that say what a run did, and nothing about how a host is judged."""
KNOWN_FIRST = ("failed", "made", "unknown")
"""Outcomes of changes that are in no report."""
JUDGED = "judged"
OUTCOMES = (JUDGED, "unknown", UNREACHABLE)
"""What can become of a host, from the best on."""

Rank = tuple[str, int, str]
"""When something was found, how bad it is, and its text; the greatest counts.

The newest counts, and of the same second the worst, so that nothing turns green by the order of the
files. The text decides where neither does.
"""


@dataclass(frozen=True)
class _DatedFinding:
    """A finding of one report, and when it was made.

    is_placeholder: it only repeats why the host was not judged.
    """

    time: str
    finding: FindingRecord
    is_placeholder: bool

    @property
    def rank(self) -> Rank:
        return self.time, -WORST_FIRST.index(self.finding["status"]), _text(self.finding)


@dataclass(frozen=True)
class _HostVersion:
    """A host as one report has it. outcome is one of OUTCOMES."""

    at: str
    outcome: str
    reason: str
    groups: Sequence[str]
    variables: Mapping[str, Any]
    findings: Sequence[_DatedFinding]
    facts: Mapping[str, Any]
    interrupted: Interrupted | None
    unreported: Sequence[UnreportedChanges]

    @classmethod
    def from_record(cls, host: Host, shared: Mapping[str, Any], today: date) -> _HostVersion:
        """Read a host. shared: the variables of all hosts of its report."""
        judged = _was_judged(host)
        findings = []
        for finding in host["findings"]:
            time = finding.get("at", host["at"])
            is_placeholder = not judged and "at" not in finding
            undated = finding.copy()
            undated.pop("at", None)
            findings.append(_DatedFinding(time, _expire(undated, today), is_placeholder))
        variables: Mapping[str, Any] = {}
        outcome = UNREACHABLE if host["status"] == UNREACHABLE else "unknown"
        if judged:
            outcome = JUDGED
            variables = {**shared, **host["variables"]}
        return cls(
            host["at"],
            outcome,
            host["reason"],
            host["groups"],
            variables,
            findings,
            host.get("facts", {}),
            host.get("interrupted"),
            host.get("unreported", ()),
        )

    @property
    def rank(self) -> Rank:
        """Findings have no part in it, since they are chosen one by one."""
        notes = [self.interrupted, self.unreported]
        content = [self.reason, self.groups, self.variables, self.facts, notes]
        return self.at, OUTCOMES.index(self.outcome), _text(content)


Versions = Mapping[str, Sequence[_HostVersion]]
"""By the name of a host, what each report says of it."""


def merge(
    reports: Iterable[Report],
    run: Run,
    expected: Collection[str],
    fail_on: Sequence[str],
    problems: Sequence[str] = (),
) -> Report:
    """Return the report made of these, which reading.py has checked.

    run says who merged them. expected are hosts that must be there. problems are what was wrong
    with this run.
    """
    sources = _unique(reports)
    ended = run["ended"]
    today = date.fromisoformat(ended[:10])
    controls = _with_worst_severity(controls_of(reversed(sources), ()), sources)
    versions = _versions(sources, controls, today)
    wanted = {*plain(sorted(expected)), *_expected_before(sources)}
    missing = sorted(wanted.difference(versions))
    hosts = []
    for name, host_versions in versions.items():
        hosts.append(_newest(name, host_versions))
    for name in missing:
        hosts.append(HostResult.not_judged(name, "unknown", MISSING, controls, (), ended))
    hosts.sort(key=lambda host: host.name)
    common = common_variables(hosts)
    records = [host.to_record(common) for host in hosts]
    merged: Merged = {
        "reports": _merged_reports(sources),
        "conflicts": _conflicts(sources, versions),
        "missing": missing,
    }
    merged_run: Run = {**run, "pending": [], "variables": common}
    merged_waivers = waivers.records(sources, records, wanted, today)
    return build(merged_run, controls, records, merged_waivers, fail_on, merged, problems)


def refuse_future(report: Report, now: str, name: str) -> None:
    """Raise ReportError for a report with a time that is still to come, since the newest counts."""
    latest = _shifted(now, MAX_CLOCK_DIFFERENCE)
    times = [report["run"]["ended"]]
    for host in report["hosts"]:
        times.append(host["at"])
        times += further_times(host)
    if max(times) > latest:
        raise ReportError(
            f"{name} has the time {max(times)}, and it is {now} now: set the clock of the machine "
            "that wrote it, and repeat that run"
        )


def _shifted(time: str, difference: timedelta) -> str:
    moment = datetime.strptime(time, TIME).replace(tzinfo=timezone.utc)
    return (moment + difference).strftime(TIME)


def _with_worst_severity(
    controls: Iterable[ControlRecord], sources: Iterable[Report]
) -> list[ControlRecord]:
    """Return the controls, each with the worst severity that any report gives it."""
    worst: dict[str, str] = {}
    for report in sources:
        for control in report["controls"]:
            severity = control["severity"]
            known = worst.get(control["id"], severity)
            worst[control["id"]] = max(known, severity, key=severity_rank)
    return [{**control, "severity": worst[control["id"]]} for control in controls]


def _unique(reports: Iterable[Report]) -> list[Report]:
    """Return the reports, each once, the oldest first."""
    unique = {_text(report): report for report in reports}
    return sorted(unique.values(), key=lambda report: (report["run"]["ended"], _text(report)))


def _versions(
    sources: Iterable[Report], controls: Sequence[ControlRecord], today: date
) -> dict[str, list[_HostVersion]]:
    """Return what the reports say of each host, but for those that only say that it is missing.

    A host that is pending in a report was not judged by a run that was interrupted, or goes on.
    """
    versions: dict[str, list[_HostVersion]] = {}
    for report in sources:
        missing = report["merged"]["missing"] if report["merged"] else []
        shared = report["run"]["variables"]
        for host in all_hosts(report):
            if host["name"] not in missing:
                complete = _with_placeholders(host, controls)
                version = _HostVersion.from_record(complete, shared, today)
                versions.setdefault(host["name"], []).append(version)
    return versions


def _with_placeholders(host: Host, controls: Sequence[ControlRecord]) -> Host:
    """Return a host; one of which nothing was found has every control unknown."""
    if host["findings"]:
        return host
    names = (host["name"], host["status"], host["reason"])
    return HostResult.not_judged(*names, controls, host["groups"], host["at"]).to_record({})


def _was_judged(host: Host) -> bool:
    if not host["reason"]:
        return True
    undated = [finding for finding in host["findings"] if "at" not in finding]
    return not all(repeats_reason(host, finding) for finding in undated)


def _expected_before(sources: Iterable[Report]) -> set[str]:
    """Return the hosts that the reports themselves say are missing."""
    names: set[str] = set()
    for report in sources:
        if report["merged"]:
            names.update(report["merged"]["missing"])
    return names


def _merged_reports(sources: Iterable[Report]) -> list[MergedReport]:
    """Return run and hash of each report, the oldest first; for a merged one those of its parts."""
    reports: dict[str, MergedReport] = {}
    for source in sources:
        parts: list[MergedReport] = [{"run": source["run"], "sha256": source["sha256"]}]
        if source["merged"]:
            parts = source["merged"]["reports"]
        for part in parts:
            reports[_text(part)] = part
    return sorted(reports.values(), key=lambda part: (part["run"]["ended"], _text(part)))


def _newest(name: str, versions: Sequence[_HostVersion]) -> HostResult:
    """Return the host as the newest version has it, with older findings of controls it lacks."""
    newest = max(versions, key=lambda version: version.rank)
    # A PC that could not be reached since still has the record of a run that did not end.
    judged = [version for version in versions if version.outcome == JUDGED]
    last_judged = max(judged, key=lambda version: version.rank, default=newest)
    chosen: dict[str, _DatedFinding] = {}
    for dated in _all_findings(versions):
        control = dated.finding["control"]
        chosen[control] = max(chosen.get(control, dated), dated, key=lambda entry: entry.rank)
    findings = []
    for control in sorted(chosen, key=control_key):
        dated = chosen[control]
        finding = dated.finding
        is_newest = dated.time == newest.at and dated.is_placeholder == (newest.outcome != JUDGED)
        if is_newest and dated.is_placeholder:
            finding = {**finding, "reason": newest.reason}
        elif not is_newest:
            # What another run found has its time, which tells it from what this one found.
            finding = {**finding, "at": dated.time}
        findings.append(finding)
    status = UNREACHABLE if newest.outcome == UNREACHABLE else worst_status(findings)
    return HostResult(
        name,
        status,
        newest.at,
        newest.reason,
        newest.groups,
        newest.variables,
        findings,
        newest.facts,
        last_judged.interrupted,
        _all_unreported(versions),
    )


def _all_unreported(versions: Iterable[_HostVersion]) -> list[UnreportedChanges]:
    """Return what any report has of runs without one, in the order of time.

    The same changes count once, with the outcome that says most.
    """
    unreported: dict[str, UnreportedChanges] = {}
    for version in versions:
        for sent in version.unreported:
            key = _text([sent["at"], sent["changes"]])
            other = unreported.setdefault(key, sent)
            if KNOWN_FIRST.index(sent["outcome"]) < KNOWN_FIRST.index(other["outcome"]):
                unreported[key] = sent
    return [unreported[key] for key in sorted(unreported)]


def _all_findings(versions: Iterable[_HostVersion]) -> Iterator[_DatedFinding]:
    for version in versions:
        yield from version.findings


def _expire(finding: FindingRecord, today: date) -> FindingRecord:
    """Return a finding as it counts today: it fails again where its waiver has expired since."""
    waiver = finding.get("waiver")
    if finding["status"] != "waived" or waiver is None:
        return finding
    if date.fromisoformat(waiver["expires"]) >= today:
        return finding
    return {**finding, "status": waiver["status"], "waiver": {**waiver, "expired": True}}


def _conflicts(sources: Sequence[Report], versions: Versions) -> list[str]:
    """Return what does not fit together, a sentence each."""
    conflicts = set(_control_conflicts(sources))
    for report in sources:
        if report["merged"]:
            conflicts.update(report["merged"]["conflicts"])
    collections = sorted({part["run"]["collection"] for part in _merged_reports(sources)})
    if len(collections) > 1:
        conflicts.add(
            "The reports were written by several versions of the collection: "
            f"{', '.join(collections)}."
        )
    for name, host_versions in versions.items():
        conflict = _host_conflict(name, host_versions)
        if conflict:
            conflicts.add(conflict)
    return sorted(conflicts)


def _control_conflicts(sources: Iterable[Report]) -> Iterator[str]:
    definitions: dict[str, str] = {}
    for report in sources:
        for control in report["controls"]:
            if definitions.setdefault(control["id"], _text(control)) != _text(control):
                yield (
                    f"{control['id']} is not the same control in all reports; the newest "
                    "definition is shown."
                )


def _host_conflict(name: str, versions: Sequence[_HostVersion]) -> str:
    """Return what the reports differ in about a host; empty where they do not.

    It is whether the host was judged, by which variables, and what was found.
    """
    differences = _outcome_differences(versions)
    differences += _variable_differences(versions)
    differences += _finding_differences(versions)
    if not differences:
        return ""
    text = f"{name} differs in {first_words(differences, MAX_DIFFERENCES)}"
    times = {version.at for version in versions}
    if len(times) > 1:
        return f"{text}: what was found last counts, at {max(times)}."
    return f"{text}, all of the same second: what is worse counts."


def _outcome_differences(versions: Iterable[_HostVersion]) -> list[str]:
    dated = {(version.at, version.outcome) for version in versions}
    outcomes = {version.outcome for version in versions}
    if JUDGED in outcomes and len(outcomes) > 1:
        return [f"the host ({_sequence(dated)})"]
    return []


def _variable_differences(versions: Iterable[_HostVersion]) -> list[str]:
    judged = [version.variables for version in versions if version.outcome == JUDGED]
    differing = []
    for name in sorted(set().union(*judged) - RUN_VARIABLES):
        if len({_text(variables.get(name)) for variables in judged}) > 1:
            differing.append(name)
    return [f"the variables {', '.join(differing)}"] if differing else []


def _finding_differences(versions: Iterable[_HostVersion]) -> list[str]:
    by_control: dict[str, set[tuple[str, str]]] = {}
    for dated in _all_findings(versions):
        if not dated.is_placeholder:
            entry = (dated.time, dated.finding["status"])
            by_control.setdefault(dated.finding["control"], set()).add(entry)
    differences = []
    for control in sorted(by_control, key=control_key):
        if len(_unexplained_statuses(by_control[control])) > 1:
            differences.append(f"{control} ({_sequence(by_control[control])})")
    return differences


def _unexplained_statuses(dated: Iterable[tuple[str, str]]) -> set[str]:
    """Return the statuses of a finding, without those that enforcing has made untrue.

    What was found before a run fixed it is no contradiction, and then it passes.
    """
    statuses: set[str] = set()
    for _time, status in sorted(dated):
        if status == Status.FIXED:
            statuses = {Status.PASS.value}
        else:
            statuses.add(status)
    return statuses


def _sequence(dated: Iterable[tuple[str, str]]) -> str:
    """Return words with their times as a text, the oldest first: ``fail, then pass``."""
    words = [word for _time, word in sorted(dated)]
    return ", then ".join(word for word, _repeated in groupby(words))


def _text(content: object) -> str:
    """Return JSON data as a text that is the same for the same data."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False)
