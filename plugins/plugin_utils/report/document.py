# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as data: what is in report.json, from which every other format is made.

Controls are sorted by family and id, hosts by name. The same state gives the same document but for
the times (hashes.TIMES).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..text import count
from . import journal
from .hashes import seal
from .hosts import complies, control_key, plain
from .model import (
    SCHEMA,
    WORST_FIRST,
    ControlRecord,
    Host,
    Merged,
    Report,
    Run,
    WaiverRecord,
)
from .verdict import fails_because

NOT_ENDED = (
    "This run has not ended: it is still going on, or it was interrupted. What was sent to hosts to "
    f"change them is in {journal.FILE}."
)


def not_ended(run: Run, hosts: Iterable[str]) -> Report:
    """Return the report of a run that is to judge these hosts, until it writes its own."""
    pending: Run = {**run, "pending": sorted(hosts), "variables": {}}
    return build(pending, (), (), (), (), problems=[NOT_ENDED])


def has_only_begun(report: Report) -> bool:
    """Return whether a report is that of a run which has not judged any host yet."""
    return not report["hosts"] and report["run"]["fails_because"] == [NOT_ENDED]


def controls_of(results: Iterable[Any], default: Sequence[ControlRecord]) -> list[ControlRecord]:
    """Return the controls that results of hosts or reports name, each once as the first has it.

    A result of a host defines only the controls that default, the collection's catalogue, does not
    have; its findings name the others. Where nothing names any, default is returned.
    """
    known = {control["id"]: control for control in default}
    controls: dict[str, ControlRecord] = {}
    for result in results:
        if isinstance(result, Mapping):
            for control in result.get("controls") or ():
                controls.setdefault(control["id"], plain(control))
            for finding in result.get("findings") or ():
                if finding["control"] in known:
                    controls.setdefault(finding["control"], known[finding["control"]])
    return sorted(controls.values() or default, key=lambda control: control_key(control["id"]))


def build(
    run: Run,
    controls: Sequence[ControlRecord],
    hosts: Sequence[Host],
    waivers: Sequence[WaiverRecord],
    fail_on: Sequence[str],
    merged: Merged | None = None,
    problems: Sequence[str] = (),
) -> Report:
    """Return the document, with verdict, counts and hash.

    As long as run names pending hosts, nothing complies. hosts are in order. problems are what was
    wrong with the run itself; they fail it whatever fail_on says.
    """
    failing = sum(not complies(host) for host in hosts)
    finished = bool(hosts) and not run["pending"] and not problems
    statuses = Counter(host["status"] for host in hosts)
    return seal(
        {
            "schema": SCHEMA,
            "run": {
                **run,
                "fail_on": list(fail_on),
                "complies": finished and not failing,
                "verdict": _verdict(run, len(hosts), failing, problems),
                "fails_because": list(problems) or fails_because(controls, hosts, fail_on),
                "hosts": {status: statuses[status] for status in WORST_FIRST if statuses[status]},
            },
            "drift": None,
            "waivers": list(waivers),
            "merged": merged,
            "controls": list(controls),
            "hosts": list(hosts),
            "sha256": "",
        }
    )


def _verdict(run: Run, hosts: int, failing: int, problems: Sequence[str]) -> str:
    if not hosts or problems:
        verdict = "no host was judged"
    elif failing:
        verb = "does" if failing == 1 else "do"
        verdict = f"{failing} of {count(hosts, 'host')} {verb} not comply"
    elif hosts == 1:
        verdict = "the host complies"
    else:
        verdict = f"all {hosts} hosts comply"
    if run["pending"]:
        verdict = f"{count(len(run['pending']), 'host')} not judged yet; so far {verdict}"
    return verdict
