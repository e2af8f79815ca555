# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as data: what stands in report.json, and what every other format is made from.

Its shape is schema.json beside this file; version 1. Controls are sorted by their family and id, hosts by name: the same
state gives the same document but for what stands under the keys in TIMES.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..finding import SEVERITIES, Severity, Status
from . import words

SCHEMA = 1
UNREACHABLE = "unreachable"
WORST_FIRST = (UNREACHABLE, "fail", "unknown", "would_fix", "fixed", "waived", "pass", "not_applicable")
"""A host has the worst status of its findings; one without any is unknown."""
OPEN = frozenset({Status.FAIL, Status.UNKNOWN, Status.WOULD_FIX})
"""Statuses of findings that do not comply."""
TIMES = frozenset({"at", "ended", "elapsed_ms", "since"})
"""Keys whose values tell when, and how long it took: no part of the state, nor of the hashes."""
NOT_YET = "Its turn has not come."
MAX_REASON = 4_000

Json = dict[str, Any]


@dataclass(frozen=True)
class Host:
    """One host of the run and what became of it.

    reason is there where the host as a whole was not judged or not brought to its end. at is when it was judged. variables are
    the ones it was judged by.
    """

    name: str
    status: str
    at: str
    reason: str = ""
    groups: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[Json] = ()

    @classmethod
    def of(cls, name: str, result: Any, controls: Sequence[Json], groups: Sequence[str], ended: str) -> Host:
        """Read the registered result of the task ets6.network.policy; None where the host never got that far.

        A host that could not be judged has every control unknown, with the reason.
        """
        name, groups = plain(name), plain(sorted(set(groups) - {"all", "ungrouped"}))
        status, reason = "unknown", ""
        if not isinstance(result, Mapping):
            reason = "The host was not judged: the run ended for it before that."
        elif result.get("unreachable"):
            status, reason = UNREACHABLE, f"The host could not be reached: {_line(result.get('msg'))}"
        elif not isinstance(result.get("findings"), (list, tuple)):
            reason = f"The host could not be judged: {_line(result.get('msg'))}"
        if reason:
            return cls.unjudged(name, status, reason, controls, groups, ended)
        found = plain({key: result.get(key) for key in ("at", "findings", "variables")})
        findings = sorted(found["findings"], key=lambda finding: control_key(finding["control"]))
        reason = _line(result.get("msg")) if result.get("failed") else ""
        return cls(name, worst(findings), found["at"] or ended, reason, groups, found["variables"] or {}, findings)

    @classmethod
    def unjudged(cls, name: str, status: str, reason: str, controls: Sequence[Json], groups: Sequence[str], ended: str) -> Host:
        """Return a host of which nothing is known: every control is unknown, for that reason."""
        findings = [
            {"control": control["id"], "status": "unknown", "reason": reason, "evidence": {}, "changed": False, "changes": []}
            for control in controls
        ]
        return cls(name, status, ended, reason, groups, {}, findings)

    def to_wire(self, common: Mapping[str, Any]) -> Json:
        """Return the host as it stands in report.json; variables that all hosts have in common stand under run."""
        wire: Json = {
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "at": self.at,
            "groups": list(self.groups),
            "variables": {name: value for name, value in sorted(self.variables.items()) if name not in common},
            "findings": list(self.findings),
        }
        return {**wire, "sha256": digest(wire)}


def plain(content: Any) -> Any:
    """Return JSON data as any reader takes it: no tags of ansible-core, no half of a surrogate pair, no NaN."""
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return json.loads(text, parse_constant=str)


def worst(findings: Iterable[Json]) -> str:
    """Return the worst status of the findings, unknown without any."""
    statuses = {finding["status"] for finding in findings}
    return next((status for status in WORST_FIRST if status in statuses), "unknown")


def controls_of(results: Iterable[Any], default: Sequence[Json]) -> list[Json]:
    """Return the controls that hosts' results or reports name, each once as the first has it; the default where none names any."""
    found: dict[str, Json] = {}
    for result in results:
        for control in (result.get("controls") or ()) if isinstance(result, Mapping) else ():
            found.setdefault(control["id"], plain(control))
    return sorted(found.values() or default, key=lambda control: control_key(control["id"]))


def control_key(control_id: str) -> tuple[int, str]:
    """Return what controls are sorted by: firewall, proxy, reach, custom; then the id."""
    families = ("firewall", "proxy", "reach", "custom")
    family = control_id.partition(".")[0]
    return (families.index(family) if family in families else len(families), control_id)


def in_common(hosts: Sequence[Host]) -> Json:
    """Return the variables that all judged hosts have in common."""
    first, *others = [host.variables for host in hosts if host.variables] or [{}]
    return {name: value for name, value in sorted(first.items()) if all(name in one and one[name] == value for one in others)}


def build(
    run: Mapping[str, Any],
    controls: Sequence[Json],
    hosts: Sequence[Json],
    waivers: Sequence[Json],
    fail_on: Sequence[str],
    merged: Json | None = None,
    problems: Sequence[str] = (),
) -> Json:
    """Return the document: with the verdict, the counts and the hash over everything.

    run says who ran what, when and from where; its pending names hosts whose turn has not come: as long as there are any,
    nothing complies. hosts are in their wire form and in order. problems are what was wrong with the run itself, which fails it
    whatever fail_on says.
    """
    failing = [host for host in hosts if not complies(host)]
    counts = Counter(host["status"] for host in hosts)
    if not hosts or problems:
        verdict = "no host was judged"
    elif failing:
        verdict = f"{len(failing)} of {words.hosts(len(hosts))} {'does' if len(failing) == 1 else 'do'} not comply"
    else:
        verdict = f"all {len(hosts)} hosts comply" if len(hosts) > 1 else "the host complies"
    if run["pending"]:
        verdict = f"{words.hosts(len(run['pending']))} not judged yet; so far {verdict}"
    document: Json = {
        "schema": SCHEMA,
        "run": {
            **run,
            "fail_on": list(fail_on),
            "complies": bool(hosts) and not failing and not run["pending"] and not problems,
            "verdict": verdict,
            "fails_because": list(problems) or fails_because(controls, hosts, fail_on),
            "hosts": {status: counts[status] for status in WORST_FIRST if counts[status]},
        },
        "drift": None,
        "waivers": list(waivers),
        "merged": merged,
        "controls": list(controls),
        "hosts": list(hosts),
    }
    return seal(document)


def seal(document: Json) -> Json:
    """Return the document with the hash over all it says; hosts count by their hashes, and drift not, which two documents make."""
    content = {key: value for key, value in document.items() if key not in ("hosts", "drift")}
    content["hosts"] = [[host["name"], host["sha256"]] for host in document["hosts"]]
    return {**document, "sha256": digest(content)}


def digest(content: Json) -> str:
    """Return the SHA-256 of a host or a report: keys sorted, no blanks, UTF-8, without its own sha256 and the keys in TIMES."""
    said = without({key: value for key, value in content.items() if key != "sha256"}, TIMES)
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def without(content: Any, keys: frozenset[str]) -> Any:
    """Return JSON data without these keys, at any depth."""
    if isinstance(content, dict):
        return {key: without(value, keys) for key, value in content.items() if key not in keys}
    if isinstance(content, list):
        return [without(item, keys) for item in content]
    return content


def everybody(report: Json) -> list[Json]:
    """Return the hosts of a report, and those whose turn has not come, as hosts that were not judged."""
    nobody: Json = {"status": "unknown", "reason": NOT_YET, "at": report["run"]["ended"], "groups": [], "findings": []}
    return [*report["hosts"], *({"name": name, **nobody} for name in report["run"]["pending"])]


def complies(host: Json) -> bool:
    """Return whether a host in its wire form complies: judged to the end, and no finding open."""
    return not host["reason"] and bool(host["findings"]) and not any(item["status"] in OPEN for item in host["findings"])


def open_findings(host: Json) -> list[Json]:
    """Return the findings of a host that do not comply, but for those which only repeat why the host was not judged."""
    return [
        item for item in host["findings"] if item["status"] in OPEN and not (host["reason"] and item["reason"] == host["reason"])
    ]


def fails_because(controls: Sequence[Json], hosts: Sequence[Json], fail_on: Sequence[str]) -> list[str]:
    """Return why the run fails, a sentence each; nothing where it does not. Without any host it always does."""
    if not hosts:
        return ["No host was judged."]
    severity = {control["id"]: Severity(control["severity"]) for control in controls}
    reasons = []
    wanted = [SEVERITIES.index(one) for one in SEVERITIES if one in fail_on]
    if wanted:
        failing = [
            host
            for host in hosts
            if host["status"] != UNREACHABLE
            and (
                host["reason"]
                or not host["findings"]
                or any(
                    item["status"] in OPEN and SEVERITIES.index(severity.get(item["control"], Severity.HIGH)) >= min(wanted)
                    for item in host["findings"]
                )
            )
        ]
        if failing:
            above = "" if min(wanted) == len(SEVERITIES) - 1 else " or above"
            reasons.append(f"Controls of severity {SEVERITIES[min(wanted)]}{above} are not met on {words.hosts(len(failing))}.")
    away = sum(host["status"] == UNREACHABLE for host in hosts)
    if UNREACHABLE in fail_on and away:
        reasons.append(f"{words.hosts(away)} could not be reached.")
    ended = sum(
        any(item["status"] in OPEN and item.get("waiver", {}).get("expired") for item in host["findings"]) for host in hosts
    )
    if "expired" in fail_on and ended:
        reasons.append(f"Exceptions have ended on {words.hosts(ended)}.")
    return reasons


def _line(text: Any) -> str:
    """Return a message on one line, and no endless one."""
    line: str = plain(" ".join(str(text or "no reason was given").split()))
    return words.cut(line, MAX_REASON)
