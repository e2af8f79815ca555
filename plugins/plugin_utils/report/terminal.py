# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The closing lines on the terminal: at most twelve, and no date in them is ever cut."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..finding import Contact
from ..text import count, first_words, printable, shorten
from .causes import CONTACTS, Cause, causes
from .hosts import has_own_findings
from .model import Drift, Host, Merged, Report, StatusChange
from .unreachable import BEFORE, groups, not_judged
from .waivers import EXPIRED, UNUSED, ending_soon

MAX_LINES = 12
MIN_WORK_LINES = 2
"""Lines that the open findings have at least, where there are any."""
MAX_CONTROLS = 3
MAX_HOSTS = 4
MAX_DRIFT_HOSTS = 2
MAX_REASONS = 4
MAX_REASON = 66
"""Characters of a reason, so that there is room for hosts beside it."""
MAX_ENTRIES = 4
WIDTH = 110


def lines(report: Report, files: Sequence[str]) -> list[str]:
    """Return the lines.

    They are the verdict with the hosts by status; what a playbook would fix, and what others have to
    do, by contact; hosts that were not checked, by reason; what changed, waivers that end or have
    no effect; and the paths of the files.
    """
    tail = _merged(report["merged"]) + _drift(report["drift"]) + _waivers(report)
    if report["run"]["fails_because"]:
        tail.append("the run fails: " + " ".join(report["run"]["fails_because"]))
    tail = _unjudged(report) + tail
    room = MAX_LINES - len(tail) - 2
    work = _work(report, MIN_WORK_LINES)
    away = _away(report, min(MAX_REASONS, room - len(work)))
    work = _work(report, room - len(away))
    body = [_verdict(report), *work, *away, *tail]
    return [*(shorten(printable(line), WIDTH) for line in body), _files(files)]


def refusal_lines(refusal: Sequence[str], files: Sequence[str], kept: Path | None) -> list[str]:
    """Return the lines of a run that was refused: why, in full, and what became of the report.

    kept is the directory with an earlier run's report, which stays; None where there was none.
    """
    first = refusal[0].rstrip(".")
    closing = [f"ets6.network: {first[:1].lower()}{first[1:]}"]
    closing += [printable(line) for line in refusal[1:]]
    if kept is not None:
        closing.append(printable(f"report: {kept} is still that of the last run that judged hosts"))
    elif files:
        closing.append(_files(files))
    return closing


def _with_names(text: str, names: Sequence[str]) -> str:
    """Return a line with names in parentheses: as many as fit into it, and how many more."""
    return _fitted(f"{text} (", names, ")", MAX_HOSTS) or f"{text} ({count(len(names), 'host')})"


def _list(text: str, entries: Sequence[str]) -> str:
    """Return a line with as many of the entries as fit into it, and how many more there are."""
    return _fitted(f"{text}: ", entries, "", MAX_ENTRIES) or f"{text}: {len(entries)}"


def _fitted(before: str, words: Sequence[str], after: str, most: int) -> str:
    """Return a line with as many of the words as fit into it; empty where not even one does."""
    for number in range(min(most, len(words)), 0, -1):
        line = f"{before}{first_words(words, number)}{after}"
        if len(printable(line)) <= WIDTH:
            return line
    return ""


def _work(report: Report, room: int) -> list[str]:
    """Return what is to be done, a line for each contact; the last line has what is left."""
    by_contact: dict[Contact, list[tuple[Cause, dict[str, list[str]]]]] = {}
    for cause in causes(report):
        for contact, remedies in cause.by_contact().items():
            by_contact.setdefault(contact, []).append((cause, remedies))
    work = []
    for contact in CONTACTS:
        if contact in by_contact:
            work.append(_contact_line(contact, by_contact[contact]))
    if len(work) > room:
        rest = len(work) - room + 1
        work = [*work[: room - 1], f"for {count(rest, 'other contact')}: see the report"]
    return work


def _contact_line(contact: Contact, entries: Sequence[tuple[Cause, dict[str, list[str]]]]) -> str:
    hosts: dict[str, None] = {}
    controls = []
    for cause, remedies in entries:
        number = 0
        for names in remedies.values():
            number += len(names)
            hosts.update(dict.fromkeys(names))
        controls.append(f"{cause.control['id']} {number}")
    subject = f"for {CONTACTS[contact]}"
    if contact is Contact.ENFORCE:
        # The remedy is an instruction with the playbook's name, and then what it changes.
        remedy = next(iter(entries[0][1]))
        subject = remedy.partition(". ")[0]
    line = ""
    for number in range(MAX_CONTROLS, 0, -1):
        line = _with_names(f"{subject}: {first_words(controls, number)}", list(hosts))
        if len(line) <= WIDTH:
            break
    return line


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
        text = f"not reached, {shorten(title, MAX_REASON)}: {len(hosts)}"
        away.append(_with_names(text, hosts))
    return away


def _unjudged(report: Report) -> list[str]:
    """Return one line with the hosts that were reached and not judged to the end, and why.

    Those that are incomplete were judged, but a change failed, or something could not be probed.
    Those that are in no merged report have a line of their own.
    """
    missing = report["merged"]["missing"] if report["merged"] else []
    hosts = [host for host in not_judged(report) if host["name"] not in missing]
    if not hosts:
        return []
    extents = sorted({_extent(host) for host in hosts}, reverse=True)
    reasons = {BEFORE.sub("", host["reason"], count=1) for host in hosts}
    reason = reasons.pop() if len(reasons) == 1 else "several reasons"
    text = f"{' or '.join(extents)}, {shorten(reason.rstrip('.'), MAX_REASON)}: {len(hosts)}"
    return [_with_names(text, [host["name"] for host in hosts])]


def _extent(host: Host) -> str:
    return "incomplete" if has_own_findings(host) else "not judged"


def _merged(merged: Merged | None) -> list[str]:
    if merged is None:
        return []
    merged_lines = []
    if merged["missing"]:
        merged_lines.append(_list("in no report", merged["missing"]))
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
        waiver_lines.append(_list("waivers", ends))
    if unused:
        waiver_lines.append(_list("waivers that match nothing", unused))
    return waiver_lines
