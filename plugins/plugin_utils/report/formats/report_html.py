# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.html: one file that loads nothing from elsewhere.

What is wrong and a table of all hosts are plain HTML, since Jenkins, mail readers and the like
forbid script and style. The script replaces the table with a matrix that can be searched. Its data
are columns, and the details are compressed, so that thousands of hosts stay below MAX_BYTES.

Everything that comes from hosts is hostile. It is escaped in the HTML, and JSON for the script has
no ``<``; the script only ever sets textContent. The content security policy names the hashes of the
one script and the one style, so that nothing else could run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from html import escape
from urllib.parse import quote

from ...finding import Contact, Status
from ...text import count, first_words, join_words, sentence, shorten
from .. import files
from ..causes import CONTACTS, Cause, by_work, causes
from ..hosts import NOT_YET, all_hosts, any_judged, earlier_runs
from ..model import OPEN, Host, Json, Merged, Report, Score, Scores, StatusChange, WaiverRecord
from ..scores import ALL, percent, trend
from ..unreachable import Group, groups, not_judged
from ..waivers import EXPIRED, ending_soon
from . import html_data, pictures
from .html_data import SYMBOLS
from .markup import badge, link, row, section, severity_badge, table, text, time

FILE = "report.html"
MARK = "<title>ets6.network: "
MAX_BYTES = 1_900_000
MAX_REASONS = 5
"""Reasons for which a control is open, in its card."""
MAX_REMEDIES = 3
"""Remedies that one contact has in a card."""
MAX_AWAY = 15
"""Reasons why hosts were not reached."""
MAX_HOSTS = 8
MAX_GROUPS = 100
MAX_EXAMPLES = 20
"""Hosts of a card that are looked at for a picture."""
CHANGED = "What was changed"
CHANGED_TITLES = {"check": "What would be changed"}
MAX_CHANGES = 200
MAX_REASON = 1_000
"""Characters of a reason."""
EVIDENCE = (frozenset(Status), OPEN, frozenset[str]())
"""Statuses of findings whose evidence is in the page; the next where it would become too large."""
MODES = {
    "check": "Predicted, nothing was changed",
    "verify": "Verified, nothing was changed",
    "enforce": "Enforced, then judged again",
    "remove": "Removed what this collection had set",
    "image": "Changed images, then judged them again",
    "merge": "Merged from several reports",
}
CHANGING = ("enforce", "remove", "image")
"""Modes that change hosts, unless the variable apply is false."""
WAIVER_STATES = {
    "in_force": "in force",
    "expired": "expired",
    "unused": "matches nothing",
    "not_judged": "not judged",
}
EARLIER_RUN = f"text={quote('an earlier run')}"
"""What shows the hosts on which an earlier run did not end, in the matrix."""
COMPLIANT = ("pass", "not_applicable")
"""Statuses that the plain table only counts."""


def render(report: Report) -> str:
    """Return the text of report.html.

    Evidence of what passes is left out where the page would become too large; report.json has it.
    """
    page = ""
    for with_evidence in EVIDENCE:
        page = _page(report, with_evidence)
        if len(page.encode()) <= MAX_BYTES:
            break
    return page


def _page(report: Report, with_evidence: Collection[str]) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    data = html_data.matrix_data(report, with_evidence)
    details = html_data.packed_details(report, with_evidence)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        f"{MARK}{text(report['run']['verdict'])}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        *_header(report),
        "<main>",
        *_sections(report),
        "</main>",
        f'<script type="application/json" id="data">{_json(data)}</script>',
        f'<script type="application/json" id="details">{_json(details)}</script>',
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _sections(report: Report) -> list[str]:
    """Return the table of contents and the sections that it names."""
    sections = {
        "wrong": ("What is wrong, and what to do", _wrong(report)),
        "changed": (_changed_title(report), _changed(report)),
        "unchecked": ("What was not checked, and why", _unchecked(report)),
        "drift": _drift(report),
        "scores": ("How much complies", _scores(report)),
        "waivers": ("Waivers", _waivers(report)),
        "merged": ("Merged reports", _merged(report["merged"])),
        "hosts": ("All hosts", _plain_table(report)),
        "origin": ("Who ran what", _origin(report)),
    }
    filled = {name: entry for name, entry in sections.items() if entry[1]}
    links = []
    for name, (title, _lines) in filled.items():
        links.append(f'<li><a href="#{name}">{title}</a></li>')
    lines = [f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>']
    for name, (title, content) in filled.items():
        lines += section(name, title, content)
    return lines


def _header(report: Report) -> list[str]:
    run = report["run"]
    counts = []
    for status, number in run["hosts"].items():
        counts.append(badge(status, f"{number} {status.replace('_', ' ')}"))
    origin = f"{text(run['user'])} on {text(run['controller'])}"
    lines = [
        f'<header class="{"good" if run["complies"] else "bad"}">',
        f"<h1>{text(sentence(run['verdict']))}</h1>",
        f"<p>{' '.join(counts)}</p>",
        f"<p>{pictures.status_bar(run['hosts'], 'hosts')}</p>" if counts else "",
        f"<p>{_what_was_done(report)}. {time(run['ended'])}, {origin}.</p>",
    ]
    if run["fails_because"]:
        lines.append(f"<p>The run fails: {text(' '.join(run['fails_because']))}</p>")
    return [*lines, *_highlights(report), "</header>"]


def _what_was_done(report: Report) -> str:
    run = report["run"]
    if run["pending"]:
        return "Not ended"
    if run["mode"] != "merge" and not any_judged(report):
        return "No host was judged or changed"
    if run["mode"] in CHANGING and run["variables"].get("apply") is False:
        return "Judged, nothing was changed"
    return MODES[run["mode"]]


def _highlights(report: Report) -> list[str]:
    """Return links to sections that are easily overlooked, with what they say in short."""
    ended = [waiver["control"] for waiver in report["waivers"] if waiver["state"] == EXPIRED]
    highlights = {
        "changed": (_changed_title(report), _changes_in_short(report)),
        "unchecked": ("Not checked", _unchecked_in_short(report)),
        "waivers": ("Waivers that ended", first_words(ended, MAX_HOSTS)),
    }
    lines = []
    for name, (title, content) in highlights.items():
        if content:
            lines.append(f'<p><a href="#{name}">{title}</a>: {text(content)}</p>')
    return lines


def _changes_in_short(report: Report) -> str:
    hosts = _changed_hosts(report)
    names = set().union(*hosts.values())
    if not hosts:
        return ""
    return f"{count(len(hosts), 'setting')} on {count(len(names), 'host')}"


def _unchecked_in_short(report: Report) -> str:
    away = sum(len(group.hosts) for group in groups(report))
    numbers = {
        "not reached": away,
        "not completely judged or changed": len(not_judged(report)),
        "not judged yet": len(report["run"]["pending"]),
    }
    parts = []
    for words, number in numbers.items():
        if number:
            parts.append(f"{count(number, 'host')} {words}")
    return ", ".join(parts)


def _wrong(report: Report) -> list[str]:
    """Return who has to do what, then a card for the root causes with the same thing to do."""
    groups = by_work(causes(report))
    lines = _contacts(groups)
    for group in groups:
        lines += _card(group)
    return lines or [f"<p>{_nothing_wrong(report)}</p>"]


def _nothing_wrong(report: Report) -> str:
    """Return what can be said where no finding is open: less where hosts were not judged."""
    hosts = all_hosts(report)
    judged = [host for host in hosts if not host["reason"]]
    if not judged:
        return "Not known: no host was judged."
    if len(judged) == len(hosts):
        return "Nothing."
    on_judged = "the host that was" if len(judged) == 1 else f"the {len(judged)} hosts that were"
    rest = len(hosts) - len(judged)
    return f"Nothing on {on_judged} judged. What is wrong on the other {rest} is not known."


def _contacts(work: Sequence[Sequence[Cause]]) -> list[str]:
    """Return a table of who acts, on which controls and on how many hosts."""
    controls: dict[Contact, dict[str, str]] = {}
    hosts: dict[Contact, set[str]] = {}
    for group in work:
        first = group[0]
        for contact, remedies in first.by_contact().items():
            controls.setdefault(contact, {})[first.control["id"]] = _headline(group)
            for names in remedies.values():
                hosts.setdefault(contact, set()).update(names)
    if not controls:
        return []
    rows = []
    for contact, name in CONTACTS.items():
        if contact in controls:
            links = []
            for control_id, headline in controls[contact].items():
                links.append(f'<a href="#cause-{text(control_id)}">{text(headline)}</a>')
            rows.append(row(text(sentence(name)), ["<br>".join(links), str(len(hosts[contact]))]))
    return table(("Who acts", "What is wrong", "Hosts"), rows)


def _changed(report: Report) -> list[str]:
    """Return what was changed in this run, or would be in check mode, with its hosts."""
    hosts = _changed_hosts(report)
    if not hosts:
        return []
    ordered = sorted(hosts.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    rows = []
    for subject, names in ordered[:MAX_CHANGES]:
        rows.append(row(text(subject), [str(len(names)), _host_links(names)]))
    lines = table(("What", "Hosts", "Names"), rows)
    if len(ordered) > MAX_CHANGES:
        lines.append(f"<p>and {len(ordered) - MAX_CHANGES} more</p>")
    return lines


def _changed_title(report: Report) -> str:
    return CHANGED_TITLES.get(report["run"]["mode"], CHANGED)


def _changed_hosts(report: Report) -> dict[str, list[str]]:
    """Return the hosts by what was changed on them, or would be."""
    hosts: dict[str, list[str]] = {}
    for host in report["hosts"]:
        for finding in host["findings"]:
            for change in finding["changes"] if finding["changed"] else ():
                names = hosts.setdefault(change["subject"], [])
                if host["name"] not in names[-1:]:
                    names.append(host["name"])
    return hosts


def _unchecked(report: Report) -> list[str]:
    """Return hosts that were not reached or judged, and those that an earlier run left half-way."""
    lines = _away(groups(report))
    unjudged = not_judged(report)
    if unjudged:
        lines += [
            f'<article class="high"><h3>{count(len(unjudged), "host")} not completely judged or changed'
            "</h3>",
            *_reasons([(host["reason"], host["name"]) for host in unjudged], "status=open"),
            "</article>",
        ]
    return lines + _pending(report) + _interrupted(report)


def _pending(report: Report) -> list[str]:
    """Return the hosts whose batch has not begun."""
    pending = report["run"]["pending"]
    if not pending:
        return []
    names = text(first_words(pending, MAX_CHANGES))
    return [
        f'<article class="high"><h3>{count(len(pending), "host")} not judged yet</h3>',
        f"<p>{NOT_YET} <small>{names}</small></p>",
        "</article>",
    ]


def _interrupted(report: Report) -> list[str]:
    """Return the hosts with changes of an earlier run that did not end, or did not report on them."""
    entries = []
    for host in report["hosts"]:
        note = earlier_runs(host)
        if note:
            entries.append((note, host["name"]))
    if not entries:
        return []
    title = f"{count(len(entries), 'host')} on which an earlier run did not come to its end"
    return [
        f'<article class="medium"><h3>{title}</h3>',
        *_reasons(entries, EARLIER_RUN),
        "</article>",
    ]


def _scores(report: Report) -> list[str]:
    """Return the share of complying hosts over the runs, by group, and the controls' shares."""
    lines = []
    history = report.get("history", [])
    if len(history) > 1:
        lines.append(f"<p>{pictures.history_chart(history)}</p>")
    scores = report.get("scores")
    if scores is None:
        return lines
    lines += _group_scores(report["hosts"], scores)
    return lines + _control_scores(scores)


def _group_scores(hosts: Sequence[Host], scores: Scores) -> list[str]:
    """Return a row for each group, with its hosts by status."""
    statuses: dict[str, Counter[str]] = {ALL: Counter()}
    for host in hosts:
        for name in (ALL, *host["groups"]):
            statuses.setdefault(name, Counter())[host["status"]] += 1
    rows = []
    for name, score in list(scores["groups"].items())[:MAX_GROUPS]:
        title = "every host" if name == ALL else name
        picture = pictures.status_bar(statuses[name], title) if score["of"] else ""
        rows.append(row(text(title), [picture, *_score_cells(score)]))
    return table(("Group", "Hosts by status", "Complies", "Share", "Trend"), rows)


def _control_scores(scores: Scores) -> list[str]:
    """Return a row for each control that was judged on some host."""
    rows = []
    for control_id, score in scores["controls"].items():
        if score["of"]:
            rows.append(row(f"<code>{text(control_id)}</code>", _score_cells(score)))
    if not rows:
        return []
    return [
        "<details><summary>By control</summary>",
        *table(("Control", "Is met", "Share", "Trend"), rows),
        "</details>",
    ]


def _score_cells(score: Score) -> list[str]:
    points = trend(score)
    words = "new"
    if points is not None:
        words = "no change"
    if points:
        words = f"{points:+d} points"
    return [f"{score['met']} of {score['of']}", f"{percent(score)} %", words]


def _card(group: Sequence[Cause]) -> list[str]:
    """Return the card of controls that are not met, with what follows from them.

    The same is to be done for all of them, so the first one's reasons serve as the example.
    """
    first = group[0]
    control = first.control
    lines = [
        f'<article class="{control["severity"]}" id="cause-{text(control["id"])}">'
        f"<h3>{text(_headline(group))}</h3>",
        *_open_controls(group),
    ]
    if control["rationale"]:
        lines.append(f"<p><b>Why it matters:</b> {text(control['rationale'])}</p>")
    lines += _remedies(first)
    if len(group) > 1:
        lines.append(f"<p><b>Reasons</b> of <code>{text(control['id'])}</code>:</p>")
    entries = [(finding["reason"], name) for name, finding in first.findings]
    lines += _reasons(entries, _open_filter(control["id"]), control["id"])
    lines += _example(first)
    lines += _consequences(group)
    return [*lines, "</article>"]


def _headline(group: Sequence[Cause]) -> str:
    return join_words(cause.headline for cause in group)


def _open_filter(control_id: str) -> str:
    """Return the address that shows the hosts on which a control is open."""
    return f"control={quote(control_id)}&status=open"


def _open_controls(group: Sequence[Cause]) -> list[str]:
    """Return a line for each control, with on how many hosts it is open."""
    lines = []
    for cause in group:
        control = cause.control
        lines.append(
            f"<p>{severity_badge(control['severity'])} <code>{text(control['id'])}</code>: open on "
            f'<a href="#{text(_open_filter(control["id"]))}">{count(len(cause.hosts), "host")}</a></p>'
        )
    return lines


def _consequences(group: Sequence[Cause]) -> list[str]:
    """Return the controls that are not met because of these, with on how many hosts."""
    hosts: dict[str, set[str]] = {}
    for cause in group:
        for control_id, names in cause.consequences.items():
            hosts.setdefault(control_id, set()).update(names)
    if not hosts:
        return []
    lines = ["<p><b>What follows from it:</b></p><ul>"]
    for control_id in sorted(hosts):
        number = count(len(hosts[control_id]), "host")
        lines.append(f"<li><code>{text(control_id)}</code> on {number}</li>")
    return [*lines, "</ul>"]


def _example(cause: Cause) -> list[str]:
    """Return the picture of the first host that has one."""
    for name, finding in cause.findings[:MAX_EXAMPLES]:
        picture = pictures.finding_picture(finding)
        if picture:
            caption = link(name, cause.control["id"])
            return [f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"]
    return []


def _remedies(cause: Cause) -> list[str]:
    """Return what to do, by who does it."""
    lines = []
    for contact, remedies in cause.by_contact().items():
        ordered = sorted(remedies.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        for remedy, hosts in ordered[:MAX_REMEDIES]:
            names = ""
            if len(hosts) < len(cause.findings):
                # More names are with the reasons below.
                names = count(len(hosts), "host")
                if len(hosts) <= MAX_HOSTS:
                    names = _host_links(hosts, cause.control["id"])
                names = f" <small>{names}</small>"
            lines.append(
                f"<p><b>What to do</b> ({CONTACTS[contact]})<b>:</b> {text(remedy)}{names}</p>"
            )
        rest = sum(len(hosts) for _remedy, hosts in ordered[MAX_REMEDIES:])
        if rest:
            lines.append(f"<p>and the like on {count(rest, 'host')}</p>")
    return lines


def _away(away: Sequence[Group]) -> list[str]:
    """Return the hosts that were not reached, by reason, with what to do and the first's error."""
    if not away:
        return []
    hosts = sum(len(group.hosts) for group in away)
    lines = [f'<article class="high"><h3>{count(hosts, "host")} not reached</h3>', "<ul>"]
    for group in away[:MAX_AWAY]:
        title = text(shorten(sentence(group.title), MAX_REASON))
        parts = [f"{count(len(group.hosts), 'host')}: {title}"]
        if group.remedy:
            parts.append(f"<b>What to do:</b> {text(group.remedy)}")
        if group.example:
            parts.append(f"<code>{text(shorten(group.example, MAX_REASON))}</code>")
        parts.append(f"<small>{_host_links(group.hosts)}</small>")
        lines.append(f"<li>{'<br>'.join(parts)}</li>")
    if len(away) > MAX_AWAY:
        rest = sum(len(group.hosts) for group in away[MAX_AWAY:])
        lines.append(f"<li>and {count(rest, 'host')} with other reasons</li>")
    return [*lines, "</ul>", "</article>"]


def _reasons(entries: Sequence[tuple[str, str]], filters: str, control: str = "") -> list[str]:
    """Return the reasons of (reason, host), the most frequent first, each with its hosts.

    Hosts are links to the control's finding, or to all findings of the host. filters: what shows
    all of them in the matrix.
    """
    by_reason: dict[str, list[str]] = {}
    for reason, host in entries:
        by_reason.setdefault(reason, []).append(host)
    ordered = sorted(by_reason.items(), key=lambda entry: (-len(entry[1]), entry[1]))
    lines = ["<ul>"]
    for reason, hosts in ordered[:MAX_REASONS]:
        links = _host_links(hosts, control)
        lines.append(f"<li>{text(shorten(reason, MAX_REASON))}<br><small>{links}</small></li>")
    rest = sum(len(hosts) for _reason, hosts in ordered[MAX_REASONS:])
    if rest:
        words = f"and {count(rest, 'host')} with other reasons"
        lines.append(f'<li><a href="#{text(filters)}">{words}</a></li>')
    return [*lines, "</ul>"]


def _host_links(hosts: Sequence[str], control: str = "") -> str:
    """Return links to the first hosts; the names of all open, as --limit takes them."""
    links = ", ".join(link(host, control) for host in hosts[:MAX_HOSTS])
    if len(hosts) <= MAX_HOSTS:
        return links
    names = text(",".join(hosts))
    return (
        f"{links} <details><summary>and {len(hosts) - MAX_HOSTS} more</summary>"
        f'<code class="limit">{names}</code></details>'
    )


def _drift(report: Report) -> tuple[str, list[str]]:
    """Return title and content of what changed since the report before."""
    drift = report["drift"]
    if drift is None:
        return "", []
    lines = _changed_findings("Newly failing", drift["failing"])
    lines += _changed_findings("Resolved", drift["fixed"])
    for title, hosts in (
        ("New hosts", drift["new_hosts"]),
        ("Gone hosts", drift["gone_hosts"]),
        ("Hosts that could be judged then, and not now", drift["lost_hosts"]),
        ("Hosts that could not be judged then, and now", drift["found_hosts"]),
    ):
        if hosts:
            lines.append(f"<p><b>{title}:</b> {text(first_words(hosts, MAX_CHANGES))}</p>")
    title = f"What changed since {time(drift['since'])}"
    return title, lines or ["<p>Nothing.</p>"]


def _changed_findings(title: str, changes: Sequence[StatusChange]) -> list[str]:
    if not changes:
        return []
    rows = []
    for change in changes[:MAX_CHANGES]:
        was = "new" if change["was"] is None else badge(change["was"])
        cells = [f"<code>{text(change['control'])}</code>", was, badge(change["is"])]
        rows.append(row(text(change["host"]), cells))
    lines = [
        f"<details open><summary>{title}: {len(changes)}</summary>",
        *table(("Host", "Control", "Was", "Is"), rows),
    ]
    if len(changes) > MAX_CHANGES:
        lines.append(f"<p>and {len(changes) - MAX_CHANGES} more</p>")
    return [*lines, "</details>"]


def _merged(merged: Merged | None) -> list[str]:
    """Return what was merged: missing hosts and conflicts before the many runs."""
    if merged is None:
        return []
    lines = []
    if merged["missing"]:
        missing = first_words(merged["missing"], MAX_CHANGES)
        lines.append(f"<p><b>Expected, and in no report:</b> {text(missing)}</p>")
    conflicts = merged["conflicts"]
    if conflicts:
        lines.append(f"<details open><summary>Conflicts: {len(conflicts)}</summary><ul>")
        for conflict in conflicts[:MAX_CHANGES]:
            lines.append(f"<li>{text(shorten(conflict, MAX_REASON))}</li>")
        if len(conflicts) > MAX_CHANGES:
            lines.append(f"<li>and {len(conflicts) - MAX_CHANGES} more</li>")
        lines.append("</ul></details>")
    rows = []
    for part in merged["reports"][-MAX_CHANGES:]:
        run = part["run"]
        hosts = str(sum(run["hosts"].values()))
        cells = (run["playbook"], run["user"], run["controller"], run["job"], hosts, part["sha256"])
        rows.append(row(time(run["ended"]), map(text, cells)))
    heads = ("When", "What", "Who", "From where", "Job", "Hosts", "sha256 in its report.json")
    lines += [
        f"<details><summary>Reports: {len(merged['reports'])}</summary>",
        *table(heads, rows),
        "</details>",
    ]
    return lines


def _waivers(report: Report) -> list[str]:
    if not report["waivers"]:
        return []
    soon = ending_soon(report)
    rows = [_waiver_row(waiver, waiver in soon) for waiver in report["waivers"]]
    heads = ("Control", "For", "State", "Last day", "Owner", "Reason", "Ticket", "Findings")
    return table(heads, rows)


def _waiver_row(waiver: WaiverRecord, ends_soon: bool) -> str:
    state = "ends soon" if ends_soon else WAIVER_STATES[waiver["state"]]
    if waiver["note"]:
        state += f": {waiver['note']}"
    scope = [*waiver["hosts"], *(f"group {group}" for group in waiver["groups"])]
    cells = [
        text(first_words(scope, MAX_HOSTS)),
        text(state),
        time(waiver["expires"]),
        text(waiver["owner"]),
        text(waiver["reason"]),
        text(waiver["ticket"]),
        str(waiver["findings"]),
    ]
    return row(f"<code>{text(waiver['control'])}</code>", cells, waiver["state"])


def _plain_table(report: Report) -> list[str]:
    """Return the table for readers without script: a host's controls by their status."""
    seen: set[str] = set()
    for host in report["hosts"]:
        seen.update(finding["status"] for finding in host["findings"])
    statuses = [status for status in SYMBOLS if status in seen and status not in COMPLIANT]
    heads = [sentence(SYMBOLS[status][1]) for status in (*statuses, *COMPLIANT)]
    rows = []
    for host in report["hosts"]:
        cells = [badge(host["status"]), *_plain_cells(host, statuses)]
        rows.append(row(text(host["name"]), cells))
    return ['<div id="plain">', *table(["Host", "Status", *heads], rows), "</div>"]


def _plain_cells(host: Host, statuses: Iterable[str]) -> list[str]:
    by_status: dict[str, list[str]] = {}
    for finding in host["findings"]:
        by_status.setdefault(finding["status"], []).append(finding["control"])
    cells = {status: ", ".join(by_status.get(status, ())) for status in statuses}
    if host["reason"] and len(by_status.get("unknown", ())) == len(host["findings"]):
        cells["unknown"] = shorten(host["reason"], html_data.MAX_REASON)
    numbers = [str(len(by_status.get(status, ()))) for status in COMPLIANT]
    # The id of a control is broken after a dot, if anywhere.
    return [text(cell).replace(".", ".<wbr>") for cell in (*cells.values(), *numbers)]


def _origin(report: Report) -> list[str]:
    run = report["run"]
    playbook = f"{run['playbook']} ({run['mode']})"
    if run["limit"]:
        playbook += f", limited to {run['limit']}"
    variables = ""
    if run["variables"]:
        variables = json.dumps(run["variables"], ensure_ascii=False)
    versions = (
        f"ets6.network {run['collection']}, ansible-core {run['ansible']}, Python {run['python']}"
    )
    facts = {
        "Who": run["user"],
        "From where": run["controller"],
        "When": run["ended"],
        "What": playbook,
        "Job": run["job"],
        "Versions": versions,
        "Variables": variables,
        "Fails on": ", ".join(run["fail_on"]),
        "Hash of the content (its sha256 in report.json; not that of the file)": report["sha256"],
    }
    lines = ["<dl>"]
    for name, value in facts.items():
        if value:
            lines.append(f"<dt>{name}</dt><dd>{text(value)}</dd>")
    return [*lines, "</dl>"]


def _json(content: Json) -> str:
    """Return JSON that cannot end the script element that it is in."""
    compact = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return compact.replace("<", "\\u003c")


@lru_cache
def _asset(name: str) -> str:
    return files.package_text(f"formats/{name}")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
