# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The types of report.json, version 1. schema.json beside this file is the same for its readers."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from ..finding import Status

SCHEMA = 1
TIME = "%Y-%m-%dT%H:%M:%SZ"
"""Times in a report are in UTC, to the second."""
UNREACHABLE = "unreachable"
IMAGE = "image"
"""The mode of a run that is about images, and the kind of such a host in its facts."""
IMAGES = "ets6_network_images"
"""The inventory group of the images of ets6.network.image."""
WORST_FIRST = (
    UNREACHABLE,
    "fail",
    "unknown",
    "would_fix",
    "fixed",
    "waived",
    "pass",
    "not_applicable",
)
"""Every status of a host, which has the worst of its findings; without findings it is unknown."""
OPEN = frozenset({Status.FAIL, Status.UNKNOWN, Status.WOULD_FIX})
"""Statuses of findings that do not comply."""

Json = dict[str, Any]
"""JSON data whose keys are not the report's: evidence, variables."""


class Run(TypedDict):
    """What is known of a run before its verdict: who ran what, when and from where.

    ended is a time in UTC. pending names hosts whose batch (serial) has not begun.
    """

    mode: str
    ended: str
    user: str
    controller: str
    job: str
    playbook: str
    limit: str
    collection: str
    ansible: str
    python: str
    pending: list[str]
    variables: Json


class RunRecord(Run):
    """A run with its verdict. hosts counts the hosts by status."""

    fail_on: list[str]
    complies: bool
    verdict: str
    fails_because: list[str]
    hosts: dict[str, int]


class ControlRecord(TypedDict):
    """A control, as finding.Control.to_wire returns it."""

    id: str
    title: str
    headline: str
    severity: str
    rationale: str
    remedy: str


class ChangeRecord(TypedDict):
    """A change on a host, as finding.Change.to_wire returns it."""

    subject: str
    before: Json
    after: Json


class WaiverTerms(TypedDict):
    """A waiver, as policy.waivers.Waiver.to_wire returns it. expires is its last day.

    controls are ids or patterns of ids; control is the same as one text.
    """

    control: str
    controls: list[str]
    hosts: list[str]
    groups: list[str]
    reason: str
    owner: str
    expires: str
    ticket: str


class AppliedWaiver(WaiverTerms):
    """The waiver that covers a finding. status is the finding's without the waiver."""

    status: str
    expired: bool


class WaiverRecord(WaiverTerms):
    """A waiver with what became of it in a run. findings is how many it covers."""

    state: str
    note: str
    findings: int


class FindingRecord(TypedDict):
    """A control's finding on a host. at is set where another run than the host's newest made it.

    One that is not met has remedy and contact, and caused_by where it follows from another one.
    """

    control: str
    status: str
    reason: str
    evidence: Json
    changed: bool
    changes: list[ChangeRecord]
    at: NotRequired[str]
    remedy: NotRequired[str]
    contact: NotRequired[str]
    caused_by: NotRequired[str]
    sent: NotRequired[bool]
    waiver: NotRequired[AppliedWaiver]


class Interrupted(TypedDict):
    """An earlier run that did not end on this host: when it began (may be empty), and how much."""

    at: str
    operations: int


class UnreportedChanges(TypedDict):
    """Changes that a run sent to a host and did not report, by changes.jsonl. at is when.

    outcome is ``made``, ``failed`` where not all operations of the changes were carried out, or
    ``unknown`` where the run did not note an answer.
    """

    at: str
    outcome: str
    changes: list[ChangeRecord]


class Host(TypedDict):
    """A host of the run. reason says why it was not judged, or not to the end; else it is empty.

    facts is what plugin_utils.facts returns, of a host that was judged.
    """

    name: str
    status: str
    reason: str
    at: str
    groups: list[str]
    variables: Json
    facts: NotRequired[Json]
    findings: list[FindingRecord]
    interrupted: NotRequired[Interrupted]
    unreported: NotRequired[list[UnreportedChanges]]
    sha256: str


StatusChange = TypedDict(
    "StatusChange", {"host": str, "control": str, "was": str | None, "is": str}
)
"""A finding whose status has changed since the report before; was is None for a new control.

``is`` is a keyword of Python, so this type is not written as a class.
"""


class Drift(TypedDict):
    """What changed since an earlier report. The *_hosts are names of hosts."""

    since: str
    failing: list[StatusChange]
    fixed: list[StatusChange]
    new_hosts: list[str]
    gone_hosts: list[str]
    lost_hosts: list[str]
    found_hosts: list[str]


class MergedReport(TypedDict):
    """A report that was merged: its run, and its hash."""

    run: RunRecord
    sha256: str


class Merged(TypedDict):
    """How several reports became one."""

    reports: list[MergedReport]
    conflicts: list[str]
    missing: list[str]


class Score(TypedDict):
    """How often something is met, of how many. before is the same of the run before."""

    met: int
    of: int
    before: NotRequired[list[int]]


class Scores(TypedDict):
    """Complying hosts by group, and hosts on which a control is met by its id."""

    groups: dict[str, Score]
    controls: dict[str, Score]


class HistoryRun(TypedDict):
    """How many hosts complied at the end of a run."""

    ended: str
    mode: str
    complying: int
    hosts: int


class Report(TypedDict):
    """report.json as a whole."""

    schema: int
    run: RunRecord
    drift: Drift | None
    scores: NotRequired[Scores]
    history: NotRequired[list[HistoryRun]]
    waivers: list[WaiverRecord]
    merged: Merged | None
    controls: list[ControlRecord]
    hosts: list[Host]
    sha256: str
