# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.html: one file that asks nobody for anything.

What is wrong and a table of all hosts are plain HTML, since places such as Jenkins and mail readers forbid script and style. The
script takes the table's place with a matrix that can be searched. Its data are columns (statuses as a letter a control, texts by
their number), the details packed, so that thousands of hosts stay below MAX_BYTES.

All that comes from hosts is hostile: escaped in the HTML, JSON without ``<`` for the script, which only ever sets textContent.
The content security policy names the hashes of the one script and the one style, so nothing else could run anyway.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from ..finding import SEVERITIES
from . import columns
from .columns import SYMBOLS
from .document import OPEN, Json, open_findings
from .unreachable import groups, is_away
from .waivers import ending, today
from .words import cut, first, hosts, visible

FILE = "report.html"
MARK = "<title>ets6.network: "
MAX_BYTES = 1_900_000
MOST_REASONS = 5
MOST_AWAY = 15
MOST_HOSTS = 8
MOST_CHANGES = 200
MOST_REASON = 1_000


def render(document: Json) -> str:
    """Return the text of report.html. Evidence of what passes is left to report.json where the page would become too large."""
    page = ""
    for wanted in (lambda status: True, lambda status: status in OPEN, lambda status: False):
        page = _page(document, wanted)
        if len(page.encode()) <= MAX_BYTES:
            break
    return page


def _page(document: Json, wanted: Callable[[str], bool]) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    run = document["run"]
    data, details = columns.of(document, wanted)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">',
        f"{MARK}{_text(run['verdict'])}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        *_head(document),
        "<main>",
        *_wrong(document),
        *_drift(document),
        *_merged(document),
        *_waivers(document),
        '<section id="hosts" aria-labelledby="hosts-title">\n<h2 id="hosts-title">All hosts</h2>',
        *_table(document),
        "</section>",
        *_origin(document),
        "</main>",
        f'<script type="application/json" id="data">{_json(data)}</script>',
        f'<script type="application/json" id="details">{_json(details)}</script>',
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _head(document: Json) -> list[str]:
    run = document["run"]
    counts = [_badge(status, f"{count} {status.replace('_', ' ')}") for status, count in run["hosts"].items()]
    told = {
        "check": "Predicted, nothing was changed",
        "verify": "Verified, nothing was changed",
        "enforce": "Enforced, then judged anew",
        "remove": "Removed what this collection had put there",
        "image": "Judged images",
        "merge": "Merged from several reports",
    }
    if run["mode"] in ("enforce", "remove") and run["variables"].get("apply") is False:
        told[run["mode"]] = "Judged, nothing was changed"
    lines = [
        f'<header class="{"good" if run["complies"] else "bad"}">',
        f"<h1>{_text(_capital(run['verdict']))}</h1>",
        f"<p>{' '.join(counts)}</p>",
        f"<p>{told[run['mode']]}. {_time(run['ended'])}, {_text(run['user'])} on {_text(run['controller'])}.</p>",
    ]
    lines += [f"<p>The run fails: {_text(' '.join(run['fails_because']))}</p>"] if run["fails_because"] else []
    return [*lines, '<p><a href="#hosts">All hosts</a></p>', "</header>"]


def _wrong(document: Json) -> list[str]:
    """Return what is wrong and what to do: hosts that were not reached, hosts that were not judged, then the controls, the worst first."""
    lines = ['<section aria-labelledby="wrong-title">\n<h2 id="wrong-title">What is wrong, and what to do</h2>']
    lines += _away(document)
    unjudged = [(host["reason"], host["name"]) for host in document["hosts"] if host["reason"] and not is_away(host)]
    if unjudged:
        lines += [
            f'<article class="high"><h3>{hosts(len(unjudged))} not judged to the end</h3>',
            *_reasons(unjudged),
            "</article>",
        ]
    for control, found in worst_controls(document):
        lines += [
            f'<article class="{control["severity"]}"><h3>{_text(control["headline"])}</h3>',
            f"<p>{_severity(control['severity'])} <code>{_text(control['id'])}</code>: open on "
            f'<a href="#control={_text(control["id"])}&amp;status=open">{hosts(len(found))}</a></p>',
            f"<p><b>Why it matters:</b> {_text(control['rationale'])}</p>" if control["rationale"] else "",
            f"<p><b>What to do:</b> {_text(control['remedy'])}</p>" if control["remedy"] else "",
            *_reasons(found),
            "</article>",
        ]
    if len(lines) == 1:
        lines.append("<p>Nothing.</p>")
    return [*(line for line in lines if line), "</section>"]


def _away(document: Json) -> list[str]:
    """Return the hosts that were not reached, by reason, with what to do and the first one's error."""
    found = groups(document)
    if not found:
        return []
    count = sum(len(group.hosts) for group in found)
    lines = [f'<article class="high"><h3>{hosts(count)} not reached</h3>', "<ul>"]
    for group in found[:MOST_AWAY]:
        remedy = f"<br><b>What to do:</b> {_text(group.remedy)}" if group.remedy else ""
        example = f"<br><code>{_text(cut(group.example, MOST_REASON))}</code>" if group.example else ""
        names = f"<br><small>{_text(first(group.hosts, MOST_HOSTS))}</small>"
        lines.append(
            f"<li>{hosts(len(group.hosts))}: {_text(cut(_capital(group.title), MOST_REASON))}{remedy}{example}{names}</li>"
        )
    if len(found) > MOST_AWAY:
        lines.append(f"<li>and {hosts(sum(len(group.hosts) for group in found[MOST_AWAY:]))} with other reasons</li>")
    return [*lines, "</ul>", "</article>"]


def worst_controls(document: Json) -> list[tuple[Json, list[tuple[str, str]]]]:
    """Return the controls with open findings on judged hosts, each with (reason, host): by severity, then by how many they are."""
    found: dict[str, list[tuple[str, str]]] = {}
    for host in document["hosts"]:
        for item in open_findings(host):
            found.setdefault(item["control"], []).append((item["reason"], host["name"]))
    rank = {control["id"]: SEVERITIES.index(control["severity"]) for control in document["controls"]}
    known = [control for control in document["controls"] if control["id"] in found]
    ordered = sorted(known, key=lambda control: (-rank[control["id"]], -len(found[control["id"]])))
    return [(control, found[control["id"]]) for control in ordered]


def by_reason(found: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Return the reasons, the most frequent first, each with its hosts."""
    grouped: dict[str, list[str]] = {}
    for reason, host in found:
        grouped.setdefault(reason, []).append(host)
    return sorted(grouped.items(), key=lambda item: (-len(item[1]), item[1]))


def _reasons(found: Sequence[tuple[str, str]]) -> list[str]:
    grouped = by_reason(found)
    lines = [
        f"<li>{_text(cut(reason, MOST_REASON))}<br><small>{_text(first(hosts, MOST_HOSTS))}</small></li>"
        for reason, hosts in grouped[:MOST_REASONS]
    ]
    if len(grouped) > MOST_REASONS:
        count = sum(len(hosts) for _reason, hosts in grouped[MOST_REASONS:])
        lines.append(f"<li>and {hosts(count)} with other reasons</li>")
    return ["<ul>", *lines, "</ul>"]


def _drift(document: Json) -> list[str]:
    drift = document["drift"]
    if drift is None:
        return []
    lines = [
        '<section aria-labelledby="drift-title">',
        f'<h2 id="drift-title">What changed since {_time(drift["since"])}</h2>',
    ]
    for title, key in (("Newly failing", "failing"), ("Mended", "fixed")):
        if drift[key]:
            rows = [
                f'<tr><th scope="row">{_text(change["host"])}<td><code>{_text(change["control"])}</code>'
                f"<td>{'new' if change['was'] is None else _badge(change['was'])}<td>{_badge(change['is'])}"
                for change in drift[key][:MOST_CHANGES]
            ]
            more = f"<p>and {len(drift[key]) - MOST_CHANGES} more</p>" if len(drift[key]) > MOST_CHANGES else ""
            lines += [
                f'<details open><summary>{title}: {len(drift[key])}</summary><table><thead><tr><th scope="col">Host<th scope="col">Control'
                f'<th scope="col">Was<th scope="col">Is</thead><tbody>{"".join(rows)}</tbody></table>{more}</details>'
            ]
    for title, key in (
        ("New hosts", "new_hosts"),
        ("Gone hosts", "gone_hosts"),
        ("Hosts that could be judged then, and not now", "lost_hosts"),
        ("Hosts that could not be judged then, and now", "found_hosts"),
    ):
        if drift[key]:
            lines.append(f"<p><b>{title}:</b> {_text(first(drift[key], MOST_CHANGES))}</p>")
    if len(lines) == 2:
        lines.append("<p>Nothing.</p>")
    return [*lines, "</section>"]


def _merged(document: Json) -> list[str]:
    """Return what was merged: hosts that are missing and conflicts before the many runs."""
    merged = document["merged"]
    if merged is None:
        return []
    lines = ['<section aria-labelledby="merged-title">\n<h2 id="merged-title">Merged reports</h2>']
    if merged["missing"]:
        lines.append(f"<p><b>Expected, and in no report:</b> {_text(first(merged['missing'], MOST_CHANGES))}</p>")
    if merged["conflicts"]:
        items = "".join(f"<li>{_text(cut(conflict, MOST_REASON))}</li>" for conflict in merged["conflicts"][:MOST_CHANGES])
        more = len(merged["conflicts"]) - MOST_CHANGES
        items += f"<li>and {more} more</li>" if more > 0 else ""
        lines.append(f"<details open><summary>Conflicts: {len(merged['conflicts'])}</summary><ul>{items}</ul></details>")
    rows = []
    for one in merged["reports"][-MOST_CHANGES:]:
        run = one["run"]
        cells = [run["playbook"], run["user"], run["controller"], run["job"], str(sum(run["hosts"].values())), one["sha256"]]
        rows.append(f'<tr><th scope="row">{_time(run["ended"])}{"".join(f"<td>{_text(cell)}" for cell in cells)}')
    heads = ("When", "What", "Who", "From where", "Job", "Hosts", "SHA-256 of its report.json's content")
    return [
        *lines,
        f"<details><summary>Reports: {len(merged['reports'])}</summary>",
        *_wide_table(heads, rows),
        "</details></section>",
    ]


def _wide_table(heads: Iterable[str], rows: Iterable[str]) -> list[str]:
    return [
        '<div class="wide"><table><thead><tr>',
        *(f'<th scope="col">{head}' for head in heads),
        "</thead><tbody>",
        *rows,
        "</tbody></table></div>",
    ]


def _waivers(document: Json) -> list[str]:
    if not document["waivers"]:
        return []
    states = {"in_force": "in force", "expired": "ended", "unused": "matches nothing", "not_judged": "not judged"}
    now = today(document)
    soon = ending(document["waivers"], now)
    rows = []
    for waiver in document["waivers"]:
        state = "ends soon" if waiver in soon else states[waiver["state"]]
        told = f"{state}: {waiver['note']}" if waiver["note"] else state
        meant = first([*waiver["hosts"], *(f"group {group}" for group in waiver["groups"])], MOST_HOSTS)
        cells = [_text(meant), _text(told), _time(waiver["expires"])]
        cells += map(_text, (waiver["owner"], waiver["reason"], waiver["ticket"], str(waiver["findings"])))
        rows.append(
            f'<tr class="{waiver["state"]}"><th scope="row"><code>{_text(waiver["control"])}</code>'
            f"{''.join(f'<td>{cell}' for cell in cells)}"
        )
    heads = ("Control", "For", "State", "Last day", "Owner", "Reason", "Ticket", "Findings")
    return [
        '<section aria-labelledby="waivers-title">\n<h2 id="waivers-title">Exceptions</h2>',
        *_wide_table(heads, rows),
        "</section>",
    ]


def _table(document: Json) -> list[str]:
    """Return the plain table for readers without script: a host's controls by their status, and how many are right."""
    counted = ("pass", "not_applicable")
    seen = {item["status"] for host in document["hosts"] for item in host["findings"]}
    listed = [status for status in SYMBOLS if status in seen and status not in counted]
    heads = ["Host", "Status", *(_capital(SYMBOLS[status][1]) for status in (*listed, *counted))]
    rows = []
    for host in document["hosts"]:
        by_status: dict[str, list[str]] = {status: [] for status in SYMBOLS}
        for item in host["findings"]:
            by_status[item["status"]].append(item["control"])
        cells = [", ".join(by_status[status]) for status in listed]
        if host["reason"] and len(by_status["unknown"]) == len(host["findings"]):
            cells = [cut(host["reason"], columns.MAX_REASON) if status == "unknown" else "" for status in listed]
        cells += [str(len(by_status[status])) for status in counted]
        row = "".join(f"<td>{_text(cell)}" for cell in cells)
        rows.append(f'<tr><th scope="row">{_text(host["name"])}<td>{_badge(host["status"])}{row}')
    return ['<div id="plain">', *_wide_table(heads, rows), "</div>"]


def _origin(document: Json) -> list[str]:
    run = document["run"]
    facts = [
        ("Who", run["user"]),
        ("From where", run["controller"]),
        ("When", run["ended"]),
        ("What", f"{run['playbook']} ({run['mode']})" + (f", limited to {run['limit']}" if run["limit"] else "")),
        ("Job", run["job"]),
        ("Versions", f"ets6.network {run['collection']}, ansible-core {run['ansible']}, Python {run['python']}"),
        ("Variables", json.dumps(run["variables"], ensure_ascii=False) if run["variables"] else ""),
        ("Fails on", ", ".join(run["fail_on"])),
        ("SHA-256 of report.json's content", document["sha256"]),
    ]
    return [
        '<section aria-labelledby="origin-title">\n<h2 id="origin-title">Who ran what</h2><dl>',
        *(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts if value),
        "</dl></section>",
    ]


def _json(content: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


@lru_cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode('ascii')}"


def _badge(status: str, word: str = "") -> str:
    symbol, name = SYMBOLS[status]
    return f'<span class="s {status}">{symbol} {word or name}</span>'


def _severity(severity: str) -> str:
    return f'<span class="severity {severity}">{severity}</span>'


def _text(text: str) -> str:
    return escape(visible(text))


def _time(time: str) -> str:
    return f'<time datetime="{_text(time)}">{_text(time.replace("T", " ").replace("Z", " UTC"))}</time>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
