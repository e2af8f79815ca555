# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines on the terminal: at most twelve."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .document import Json, open_findings
from .unreachable import groups, is_away
from .waivers import ending, today
from .words import cut, first, visible

MOST_LINES = 12
MOST_CONTROLS = 5
MOST_HOSTS = 4
MOST_REASONS = 4
MOST_REASON = 66
"""Letters of a reason, so that hosts have room beside it."""
WIDTH = 110


def lines(document: Json, files: Sequence[str]) -> list[str]:
    """Return the lines.

    The verdict, hosts by status, those not reached by reason, the controls that fail most with
    their first hosts, and where the files are.
    """
    run = document["run"]
    counts = ", ".join(f"{count} {status}" for status, count in run["hosts"].items())
    head = [f"ets6.network: {run['verdict']}" + (f" ({counts})" if counts else "")]
    unjudged = [host["name"] for host in document["hosts"] if host["reason"] and not is_away(host)]
    if unjudged:
        head.append(f"not judged: {first(unjudged, MOST_HOSTS)}")
    tail = [*_merged(document["merged"]), *_drift(document["drift"]), *_waivers(document)]
    if run["fails_because"]:
        tail.append("the run fails: " + " ".join(run["fails_because"]))
    # The path stays whole, however long it is: people copy it.
    where = visible(f"report: {os.path.dirname(files[0])} ({', '.join(os.path.basename(file) for file in files)})")
    room = MOST_LINES - len(head) - len(tail) - 1
    # Two lines at least are the controls', where any fail.
    failing = _failing(document, 2)
    head += _away(document, min(MOST_REASONS, room - len(failing)))
    room = MOST_LINES - len(head) - len(tail) - 1
    return [*(_cut(line) for line in (*head, *_failing(document, room), *tail)), where]


def _away(document: Json, room: int) -> list[str]:
    """Return the hosts that were not reached, a line a reason; where there is no room for all, the last line has the rest."""
    found = [(group.title, list(group.hosts)) for group in groups(document)]
    if len(found) > room:
        rest = [host for _title, hosts in found[room - 1 :] for host in hosts]
        found = [*found[: room - 1], ("other reasons" if room > 1 else "several reasons", rest)]
    return [f"not reached, {cut(title, MOST_REASON)}: {len(hosts)} ({first(hosts, MOST_HOSTS)})" for title, hosts in found]


def _failing(document: Json, room: int) -> list[str]:
    """Return the controls that fail on most hosts, in as many lines as there is room."""
    failing: dict[str, list[str]] = {}
    for host in document["hosts"]:
        for finding in open_findings(host):
            failing.setdefault(finding["control"], []).append(host["name"])
    ranked = sorted(failing.items(), key=lambda item: (-len(item[1]), item[0]))
    most = min(MOST_CONTROLS, room if len(ranked) <= room else room - 1)
    told = [f"{control}: {len(hosts)} ({first(hosts, MOST_HOSTS)})" for control, hosts in ranked[:most]]
    more = len(ranked) - most
    return [*told, f"and {more} more {'control' if more == 1 else 'controls'}"] if more > 0 else told


def _merged(merged: Json | None) -> list[str]:
    if merged is None:
        return []
    told = []
    if merged["missing"]:
        told.append(f"in no report: {first(merged['missing'], MOST_HOSTS)}")
    if merged["conflicts"]:
        told.append(f"conflicts: {len(merged['conflicts'])}, such as {merged['conflicts'][0]}")
    return told


def _drift(drift: Json | None) -> list[str]:
    if drift is None:
        return []
    parts = []
    for name, key in (("newly failing", "failing"), ("mended", "fixed")):
        hosts = list(dict.fromkeys(change["host"] for change in drift[key]))
        if hosts:
            parts.append(f"{name} {len(drift[key])} ({first(hosts, 2)})")
    for name in ("new", "gone", "lost", "found"):
        hosts = drift[f"{name}_hosts"]
        if hosts:
            parts.append(f"{name} hosts {len(hosts)} ({first(hosts, 2)})")
    return [f"since {drift['since']}: {', '.join(parts) or 'no change'}"]


def _waivers(document: Json) -> list[str]:
    told = []
    soon = ending(document["waivers"], today(document))
    over = [one for one in document["waivers"] if one["state"] == "expired"]
    ends = [f"{one['control']} {'ended' if one in over else 'ends'} {one['expires']} ({one['owner']})" for one in (*over, *soon)]
    if ends:
        told.append(f"exceptions: {first(ends, 3)}")
    unused = [f"{one['control']} ({one['owner']})" for one in document["waivers"] if one["state"] == "unused"]
    if unused:
        told.append(f"exceptions that match nothing: {first(unused, 3)}")
    return told


def _cut(line: str) -> str:
    return cut(visible(line), WIDTH)
