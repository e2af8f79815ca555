# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How far a probe came, or a packet through the firewall: lines of stages, from evidence.

Evidence is read with care, since reports of other versions of the collection may have another form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...text import sentence
from ..model import FindingRecord, Json

ARROW = " → "
"""What is between the stages in the line of a probe."""
FAILED_AT = "failed at "
WORST_PROFILES = ("blocked", "partial", "unknown")
"""Outcomes of traffic that have a line, the worst first."""


@dataclass(frozen=True)
class Stage:
    """A step of a line: what it is, its text, and ``fail`` or ``pass`` where it decides."""

    title: str
    content: str
    outcome: str = ""


@dataclass(frozen=True)
class Lines:
    """The lines of a finding, the worst first, and what they are."""

    title: str
    lines: list[list[Stage]]


def lines_of(finding: FindingRecord) -> Lines:
    """Return the way of each probe, or of the worst packet through the firewall."""
    evidence = finding["evidence"]
    if finding["control"].startswith("reach."):
        return Lines("Way of the probe", [_probe_line(way) for way in _ways(evidence)])
    traffic = _worst_traffic(evidence)
    lines = [_packet_line(finding["control"], traffic)] if traffic else []
    return Lines("Way of the packet", lines)


def _records(content: object) -> list[Json]:
    """Return the objects in a list; nothing where it is not a list."""
    if not isinstance(content, list):
        return []
    return [item for item in content if isinstance(item, dict)]


def _ways(evidence: Json) -> Iterator[Json]:
    """Yield the routes of a probe that have a line; they are sorted, the worst first."""
    for way in _records(evidence.get("ways")):
        if isinstance(way.get("line"), str):
            yield way


def _probe_line(way: Json) -> list[Stage]:
    """Return the stages of a route; the last one decides."""
    outcome = str(way.get("outcome", ""))
    names = [name for name in way["line"].split(ARROW) if name]
    last = names.pop() if names else ""
    stages = [Stage("", name) for name in names]
    if last.startswith(FAILED_AT):
        return [*stages, Stage(FAILED_AT.strip(), last.removeprefix(FAILED_AT), "fail")]
    if outcome == "fine":
        return [*stages, Stage("", last, "pass")]
    return [*stages, Stage("", last), Stage("outcome", outcome.replace("_", " "), "fail")]


def _worst_traffic(evidence: Json) -> Json | None:
    """Return the first traffic of the worst outcome; None where all passes."""
    records = _records(evidence.get("traffic"))
    for outcome in WORST_PROFILES:
        for record in records:
            if record.get("outcome") == outcome:
                return record
    return None


def _packet_line(control: str, traffic: Json) -> list[Stage]:
    """Return packet, profile, policy, rule and verdict."""
    protocol = control.rpartition(".")[2].upper()
    verb = "from" if ".outbound." in control else "to"
    program = str(traffic.get("program", "")).rpartition("\\")[2]
    return [
        Stage("packet", f"{protocol} {verb} {program}"),
        Stage("profile", str(traffic.get("profile", ""))),
        *_decision(traffic),
        Stage("verdict", str(traffic.get("outcome", "")), "fail"),
    ]


def _decision(traffic: Json) -> list[Stage]:
    """Return policy and rule that keep traffic from passing, or the setting that does."""
    blocking: Json = {}
    for decision in _records(traffic.get("decided_by")):
        if decision.get("passes") is False:
            blocking = decision
            break
    rule = blocking.get("rule")
    if rule:
        name = f"{blocking.get('name')} ({rule})"
        return [Stage("policy", str(blocking.get("store"))), Stage("rule", name)]
    reason = str(blocking.get("reason", "no rule decides")).removeprefix("blocked ")
    return [Stage("policy", sentence(reason))]
