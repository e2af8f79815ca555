# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Scores: how many hosts of each group comply, and on how many each control is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .hosts import complies, repeats_reason
from .model import ControlRecord, Host, Score, Scores

ALL = "all"
"""The group of every host."""
MET = frozenset({"pass", "fixed"})
JUDGED = frozenset({*MET, "fail", "unknown", "would_fix"})
"""Statuses that count in the score of a control: what is waived or does not apply is neither."""


def scores_of(controls: Sequence[ControlRecord], hosts: Sequence[Host]) -> Scores:
    """Return the scores of a run, without what they were before."""
    groups: dict[str, Score] = {ALL: _new()}
    by_control: dict[str, Score] = {control["id"]: _new() for control in controls}
    for host in hosts:
        is_complying = complies(host)
        for name in (ALL, *host["groups"]):
            _add(groups.setdefault(name, _new()), is_complying)
        for finding in host["findings"]:
            if finding["status"] in JUDGED and not repeats_reason(host, finding):
                score = by_control.setdefault(finding["control"], _new())
                _add(score, finding["status"] in MET)
    ordered = {name: groups[name] for name in sorted(groups, key=_all_first)}
    return {"groups": ordered, "controls": by_control}


def with_earlier(scores: Scores, earlier: Scores | None) -> Scores:
    """Return the scores with those of an earlier run beside them."""
    if earlier is None:
        return scores
    return {
        "groups": _compared(scores["groups"], earlier["groups"]),
        "controls": _compared(scores["controls"], earlier["controls"]),
    }


def percent(score: Score) -> int:
    """Return the share that is met, rounded down: 100 means all."""
    return 100 * score["met"] // score["of"] if score["of"] else 0


def trend(score: Score) -> int | None:
    """Return by how many percentage points the share grew; None where it is not known."""
    before = score.get("before")
    if not before or not before[1] or not score["of"]:
        return None
    return percent(score) - 100 * before[0] // before[1]


def _new() -> Score:
    return {"met": 0, "of": 0}


def _add(score: Score, is_met: bool) -> None:
    score["of"] += 1
    score["met"] += is_met


def _all_first(name: str) -> tuple[bool, str]:
    return name != ALL, name


def _compared(scores: Mapping[str, Score], earlier: Mapping[str, Score]) -> dict[str, Score]:
    compared: dict[str, Score] = {}
    for name, score in scores.items():
        compared[name] = score
        if name in earlier:
            before = earlier[name]
            compared[name] = {**score, "before": [before["met"], before["of"]]}
    return compared
