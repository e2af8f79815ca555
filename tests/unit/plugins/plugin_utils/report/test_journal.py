# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is noted of changes, and when it is forgotten."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import (
    hashes,
    journal,
    model,
    reading,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.hosts import earlier_runs
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import ChangeRecord, Report

from .samples import AWAY, build, result

AT = "2026-11-24T10:00:00Z"


def hosts_of(folder: Path) -> list[str]:
    lines = (folder / journal.FILE).read_text().splitlines()
    return [json.loads(line)["host"] for line in lines]


def change(subject: str) -> ChangeRecord:
    return {"subject": subject, "before": {"x": None}, "after": {"x": 1}}


def note(folder: Path, run: str, host: str, *subjects: str) -> journal.Journal:
    noted = journal.Journal(folder, run, host)
    noted.sent(AT, [change(subject) for subject in subjects])
    return noted


def odd(**fields: Any) -> str:
    """Return a line that is right but for these fields."""
    line = {"run": "r", "host": "pc", "at": AT, "state": "sent", **fields}
    if "made" not in line:
        line.setdefault("changes", [change("A")])
    return json.dumps(line)


def deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _level in range(levels):
        nested = [nested]
    return nested


def report_on(folder: Path, run: str, **results: Any) -> Report:
    """Return the report of a run, with what is noted of others."""
    report = build(**results)
    unreported = journal.unreported(folder, run)
    for host in report["hosts"]:
        if host["name"] in unreported:
            host["unreported"] = unreported[host["name"]]
            host["sha256"] = hashes.digest({**host, "sha256": ""})
    return report


def test_lines_stay_until_a_whole_report_has_judged_their_host(tmp_path: Path) -> None:
    for host in ("pc-1", "pc-2", "pc-3"):
        note(tmp_path, "run", host, "rule A")
    assert hosts_of(tmp_path) == ["pc-1", "pc-2", "pc-3"]
    away = {"unreachable": True, "msg": "No route to host."}
    report = build(**{"pc-1": result("pass", "fail", "pass"), "pc-2": away})
    report["run"]["pending"] = ["pc-3"]
    journal.forget_reported(tmp_path, report, "run")
    assert hosts_of(tmp_path) == ["pc-1", "pc-2", "pc-3"]
    report["run"]["pending"] = []
    journal.forget_reported(tmp_path, report, "run")
    assert hosts_of(tmp_path) == ["pc-2", "pc-3"]
    later = {name: result("pass", "pass", "pass") for name in ("pc-2", "pc-3")}
    journal.forget_reported(tmp_path, build(**later), "run")
    assert not (tmp_path / journal.FILE).exists()
    journal.forget_reported(tmp_path, report, "run")


def test_what_a_run_without_a_report_sent_is_told_by_the_next(tmp_path: Path) -> None:
    note(tmp_path, "killed", "pc", "rule A", "rule B\u2028").answered(AT, ["rule A"], ["No."])
    note(tmp_path, "killed", "pc", "rule C")
    note(tmp_path, "killed", "other", "rule D")
    note(tmp_path, "now", "pc", "rule E")
    report = report_on(tmp_path, "now", pc=result("pass", "pass", "pass"))
    (host,) = report["hosts"]
    told = {sent["outcome"]: sent for sent in host["unreported"]}
    assert {name: [item["subject"] for item in sent["changes"]] for name, sent in told.items()} == {
        "made": ["rule A"],
        "failed": ["rule B\u2028"],
        "unknown": ["rule C"],
    }
    assert told["unknown"] == {
        "at": AT,
        "outcome": "unknown",
        "changes": [change("rule C")],
    }
    sentences = earlier_runs(host)
    assert f"changed it at {AT}: rule A." in sentences
    assert "not, or not completely, made: rule B" in sentences
    assert "whether they were made is not known: rule C." in sentences
    journal.forget_reported(tmp_path, report, "now")
    assert hosts_of(tmp_path) == ["other"]


def test_of_a_host_that_is_away_it_is_told_again(tmp_path: Path) -> None:
    note(tmp_path, "killed", "pc", "rule A")
    for _run in range(2):
        report = report_on(tmp_path, "now", pc=AWAY)
        assert report["hosts"][0]["unreported"][0]["changes"] == [change("rule A")]
        journal.forget_reported(tmp_path, report, "now")
    assert hosts_of(tmp_path) == ["pc"]


def test_an_answer_to_what_another_run_reported_leaves_with_it(tmp_path: Path) -> None:
    going_on = note(tmp_path, "beside", "pc", "rule A")
    report = report_on(tmp_path, "now", pc=result("pass", "pass", "pass"))
    journal.forget_reported(tmp_path, report, "now")
    going_on.answered(AT, ["rule A"], [])
    assert journal.unreported(tmp_path, "now") == {}
    journal.forget_reported(tmp_path, report, "now")
    assert not (tmp_path / journal.FILE).exists()


def test_a_file_that_grew_too_large_is_named_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_BYTES", 100)
    note(tmp_path, "killed", "pc", "rule A")
    with pytest.raises(
        journal.JournalError, match=r"changes\.jsonl cannot be written: it has more"
    ):
        note(tmp_path, "now", "pc", "rule B")


def test_the_sentence_stays_short() -> None:
    (host,) = build(pc=result("pass", "pass", "pass"))["hosts"]
    many: model.UnreportedChanges = {
        "at": AT,
        "outcome": "made",
        "changes": [change("x" * 100_000)] * 100,
    }
    host["unreported"] = [many] * 1_000
    assert len(earlier_runs(host)) < 10_000
    assert earlier_runs(host).endswith("report.json has 995 more of them.")


def test_what_another_run_noted_since_this_one_looked_stays(tmp_path: Path) -> None:
    report = report_on(tmp_path, "now", pc=result("pass", "pass", "pass"))
    note(tmp_path, "beside", "pc", "rule A")
    journal.forget_reported(tmp_path, report, "now")
    assert hosts_of(tmp_path) == ["pc"]


@pytest.mark.parametrize(
    "line",
    [
        '{"host": "pc-3", "cha',
        "[]",
        "1",
        "[" * 100_000,
        '{"run": "r", "host": "pc"}',
        odd(state="begun"),
        odd(at=1),
        odd(at="soon"),
        odd(at="0099-01-01T00:00:00Z"),
        odd(host=None),
        odd(run=7),
        odd(changes=["A"]),
        odd(changes={"subject": "A"}),
        odd(changes=[{"subject": "A", "before": 1, "after": {}}]),
        odd(changes=[{"subject": "A", "before": [["a", 1], [None, 2]], "after": {}}]),
        odd(changes=[{"subject": "A", "before": {"x": deep(900)}, "after": {}}]),
        odd(changes=[]),
        odd(state="answered", made="A"),
        odd(state="answered", made=[1]),
        odd(run="killed", state="answered", made=None),
        odd(run="other", state="answered", made=["rule A"]),
    ],
)
def test_a_line_that_is_cut_off_or_odd_costs_no_other_one(tmp_path: Path, line: str) -> None:
    note(tmp_path, "killed", "pc", "rule A")
    with (tmp_path / journal.FILE).open("a") as file:
        file.write(line)
    assert [sent["outcome"] for sent in journal.unreported(tmp_path, "now")["pc"]] == ["unknown"]
    journal.forget_reported(tmp_path, build(**{"pc-1": result("pass", "pass", "pass")}), "now")
    assert hosts_of(tmp_path) == ["pc"]
    assert json.loads((tmp_path / journal.FILE).read_text())["run"] == "killed"
    whole = report_on(tmp_path, "now", pc=result("pass", "pass", "pass"))
    assert reading.check(json.dumps(hashes.seal(whole)), "report.json")
    journal.forget_reported(tmp_path, whole, "now")
    assert not (tmp_path / journal.FILE).exists()


@pytest.mark.parametrize("what", ["link", "fifo", "directory"])
def test_only_a_regular_file_is_written(tmp_path: Path, what: str) -> None:
    path, secret = tmp_path / journal.FILE, tmp_path / "secret"
    secret.write_text("")
    if what == "link":
        path.symlink_to(secret)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    since = time.monotonic()
    with pytest.raises(journal.JournalError, match="Nothing was changed"):
        journal.add(tmp_path, {"host": "pc"})
    assert time.monotonic() - since < 5
    assert secret.read_text() == ""


def test_a_line_that_does_not_fit_on_the_disk_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.add(tmp_path, {"host": "pc-1"})
    before = (tmp_path / journal.FILE).read_bytes()
    real = os.write
    room = [5, 0]

    def full(handle: int, data: bytes) -> int:
        free = room.pop(0)
        if not free:
            raise OSError(28, "No space left on device")
        return real(handle, data[:free])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(journal.JournalError, match="No space left on device"):
        journal.add(tmp_path, {"host": "pc-2"})
    assert room == []
    assert (tmp_path / journal.FILE).read_bytes() == before
