# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Scores by group and control, and the history of runs beside the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import scores
from ansible_collections.ets6.network.plugins.plugin_utils.report.history import FILE, History
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import Report

from .samples import AWAY, build, result

GROUPS = {"a": ["berlin"], "b": ["berlin"], "c": ["bonn"]}


def run(
    folder: Path,
    *,
    limit: str = "",
    pending: tuple[str, ...] = (),
    mode: str = "verify",
    **hosts: Any,
) -> Report:
    report = build(groups=GROUPS, **hosts)
    report["run"]["mode"] = mode
    report["run"]["limit"] = limit
    report["run"]["pending"] = list(pending)
    history = History(folder)
    completed = history.complete(report)
    history.write()
    return completed


PASS = result("pass", "pass", "pass")
FAIL = result("fail", "pass", "not_applicable")


def test_scores_count_hosts_by_group_and_by_control(tmp_path: Path) -> None:
    found = run(tmp_path, a=PASS, b=FAIL, c=AWAY)["scores"]
    assert found["groups"] == {
        "all": {"met": 1, "of": 3},
        "berlin": {"met": 1, "of": 2},
        "bonn": {"met": 0, "of": 1},
    }
    assert list(found["controls"].values()) == [
        {"met": 1, "of": 2},
        {"met": 2, "of": 2},
        {"met": 1, "of": 1},
    ], "what does not apply, and hosts that were not judged, do not count"


def test_the_trend_is_against_the_last_run_with_the_same_limit(tmp_path: Path) -> None:
    run(tmp_path, a=FAIL, b=FAIL)
    run(tmp_path, limit="a", a=PASS)
    report = run(tmp_path, a=PASS, b=FAIL)
    score = report["scores"]["groups"]["all"]
    assert score == {"met": 1, "of": 2, "before": [0, 2]}
    assert scores.trend(score) == 50
    assert [(item["complying"], item["hosts"]) for item in report["history"]] == [(0, 2), (1, 2)]


@pytest.mark.parametrize("mode", ["image", "check", "merge"])
def test_the_trend_of_images_is_not_that_of_pcs(tmp_path: Path, mode: str) -> None:
    image = {**PASS, "facts": {"kind": "image"}}
    run(tmp_path, a=FAIL)
    assert "before" not in run(tmp_path, mode=mode, c=image)["scores"]["groups"]["all"]
    assert run(tmp_path, mode="image", c=image)["scores"]["groups"]["all"]["before"] == [1, 1]
    assert run(tmp_path, mode="enforce", a=PASS)["scores"]["groups"]["all"]["before"] == [0, 1]


def test_a_share_is_rounded_down_so_that_100_means_all() -> None:
    assert scores.percent({"met": 999, "of": 1000}) == 99
    assert scores.percent({"met": 1000, "of": 1000}) == 100
    assert scores.percent({"met": 0, "of": 0}) == 0
    assert scores.trend({"met": 0, "of": 0, "before": [1, 1]}) is None


def test_a_run_that_is_not_finished_or_judged_no_host_is_no_history(tmp_path: Path) -> None:
    assert run(tmp_path, pending=("z",), a=PASS)["history"] == []
    assert run(tmp_path, a=AWAY)["history"] == []
    assert (tmp_path / FILE).read_text(encoding="utf-8").strip() == ""


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"ended": 1}',
        '{"ended": "<script>", "mode": "", "limit": "", "images": false, "scores": {"groups": {}, "controls": {}}}',
        '{"ended": "2026-11-24T10:00:00Z", "mode": "", "limit": "", "images": false, "scores": {"groups": {}}}',
        json.dumps({
            "ended": "2026-11-24T10:00:00Z",
            "mode": "",
            "limit": "",
            "images": False,
            "scores": {"groups": {"all": {"met": -1, "of": 1}}, "controls": {}},
        }),
    ],
)  # fmt: skip
def test_a_line_that_is_not_of_the_form_is_left_out(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(line + "\n", encoding="utf-8")
    assert len(run(tmp_path, a=PASS)["history"]) == 1


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    run(tmp_path, a=PASS)
    line = (tmp_path / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).write_text(line * 1_000, encoding="utf-8")
    report = run(tmp_path, a=PASS)
    assert len(report["history"]) == 30
    assert len((tmp_path / FILE).read_text(encoding="utf-8").splitlines()) == 400
