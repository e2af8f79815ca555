# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines on the terminal: at most twelve."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..text import count, first_words, printable, shorten
from .hosts import open_findings
from .model import Drift, Merged, Report, StatusChange
from .unreachable import groups, not_judged
from .waivers import EXPIRED, UNUSED, ending_soon

MAX_LINES = 12
MAX_CONTROLS = 5
MIN_CONTROL_LINES = 2
"""Lines that the controls have at least, where any fail."""
MAX_HOSTS = 4
MAX_DRIFT_HOSTS = 2
MAX_REASONS = 4
MAX_REASON = 66
"""Characters of a reason, so that there is room for hosts beside it."""
MAX_WAIVERS = 3
WIDTH = 110


def lines(report: Report, files: Sequence[str]) -> list[str]:
    """Return the lines.

    They are the verdict with the hosts by status, those not reached by reason, the controls that
    fail on most hosts with their first hosts, and the paths of the files.
    """
    head = [_verdict(report)]
    unjudged = [host["name"] for host in not_judged(report)]
    if unjudged:
        head.append(f"not judged: {first_words(unjudged, MAX_HOSTS)}")
    tail = _merged(report["merged"]) + _drift(report["drift"]) + _waivers(report)
    if report["run"]["fails_because"]:
        tail.append("the run fails: " + " ".join(report["run"]["fails_because"]))
    room = MAX_LINES - len(head) - len(tail) - 1
    failing = _failing_controls(report, MIN_CONTROL_LINES)
    head += _away(report, min(MAX_REASONS, room - len(failing)))
    room = MAX_LINES - len(head) - len(tail) - 1
    body = [*head, *_failing_controls(report, room), *tail]
    return [*(shorten(printable(line), WIDTH) for line in body), _files(files)]


def _verdict(report: Report) -> str:
    run = report["run"]
    text = f"ets6.network: {run['verdict']}"
    if run["hosts"]:
        counts = [f"{number} {status}" for status, number in run["hosts"].items()]
        text += f" ({', '.join(counts)})"
    return text


def _files(files: Sequence[str]) -> str:
    """Return the line with the paths, which is never cut, since people copy it."""
    names = [os.path.basename(file) for file in files]
    return printable(f"report: {os.path.dirname(files[0])} ({', '.join(names)})")


def _away(report: Report, room: int) -> list[str]:
    """Return the hosts that were not reached, a line a reason; the last line has what is left."""
    by_reason = [(group.title, list(group.hosts)) for group in groups(report)]
    if len(by_reason) > room:
        rest: list[str] = []
        for _title, hosts in by_reason[room - 1 :]:
            rest += hosts
        title = "other reasons" if room > 1 else "several reasons"
        by_reason = [*by_reason[: room - 1], (title, rest)]
    away = []
    for title, hosts in by_reason:
        names = first_words(hosts, MAX_HOSTS)
        away.append(f"not reached, {shorten(title, MAX_REASON)}: {len(hosts)} ({names})")
    return away


def _failing_controls(report: Report, room: int) -> list[str]:
    """Return the controls that fail on most hosts, in as many lines as there is room."""
    failing: dict[str, list[str]] = {}
    for host in report["hosts"]:
        for finding in open_findings(host):
            failing.setdefault(finding["control"], []).append(host["name"])
    ranked = sorted(failing.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    shown = min(MAX_CONTROLS, room)
    if len(ranked) > room:
        shown = min(MAX_CONTROLS, room - 1)
    controls = []
    for control, hosts in ranked[:shown]:
        controls.append(f"{control}: {len(hosts)} ({first_words(hosts, MAX_HOSTS)})")
    if len(ranked) > shown:
        controls.append(f"and {count(len(ranked) - shown, 'more control')}")
    return controls


def _merged(merged: Merged | None) -> list[str]:
    if merged is None:
        return []
    merged_lines = []
    if merged["missing"]:
        merged_lines.append(f"in no report: {first_words(merged['missing'], MAX_HOSTS)}")
    conflicts = merged["conflicts"]
    if conflicts:
        merged_lines.append(f"conflicts: {len(conflicts)}, for example {conflicts[0]}")
    return merged_lines


def _drift(drift: Drift | None) -> list[str]:
    if drift is None:
        return []
    parts = _changed_findings("newly failing", drift["failing"])
    parts += _changed_findings("resolved", drift["fixed"])
    for name, hosts in (
        ("new hosts", drift["new_hosts"]),
        ("gone hosts", drift["gone_hosts"]),
        ("lost hosts", drift["lost_hosts"]),
        ("found hosts", drift["found_hosts"]),
    ):
        if hosts:
            parts.append(f"{name} {len(hosts)} ({first_words(hosts, MAX_DRIFT_HOSTS)})")
    return [f"since {drift['since']}: {', '.join(parts) or 'no change'}"]


def _changed_findings(name: str, changes: Sequence[StatusChange]) -> list[str]:
    hosts = list(dict.fromkeys(change["host"] for change in changes))
    if not hosts:
        return []
    return [f"{name} {len(changes)} ({first_words(hosts, MAX_DRIFT_HOSTS)})"]


def _waivers(report: Report) -> list[str]:
    ends, unused = [], []
    for waiver in report["waivers"]:
        control, owner = waiver["control"], waiver["owner"]
        if waiver["state"] == EXPIRED:
            ends.append(f"{control} ended {waiver['expires']} ({owner})")
        elif waiver["state"] == UNUSED:
            unused.append(f"{control} ({owner})")
    for waiver in ending_soon(report):
        ends.append(f"{waiver['control']} ends {waiver['expires']} ({waiver['owner']})")
    waiver_lines = []
    if ends:
        waiver_lines.append(f"waivers: {first_words(ends, MAX_WAIVERS)}")
    if unused:
        waiver_lines.append(f"waivers that match nothing: {first_words(unused, MAX_WAIVERS)}")
    return waiver_lines
