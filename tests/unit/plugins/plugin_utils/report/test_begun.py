# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report of a run that has begun, and what becomes of the one before it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import (
    begun,
    files,
    formats,
    previous,
    reading,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json

from .samples import RUN, build, result

REPORT = build(pc=result("pass", "pass", "pass"))
ALL = ("json", "junit", "html")


def ended(folder: Path) -> None:
    with files.locked(folder):
        formats.write(REPORT, folder, ALL)


def begin(folder: Path) -> None:
    begun.write(folder, RUN, ["pc-1", "pc-2"], ALL, ())


def test_a_run_that_is_interrupted_leaves_no_report_of_yesterday_as_its_own(tmp_path: Path) -> None:
    ended(tmp_path)
    green = (tmp_path / "junit.xml").read_text()
    begin(tmp_path)
    report = reading.read(tmp_path / "report.json")
    assert report["run"]["fails_because"] == [begun.NOT_ENDED]
    assert report["run"]["pending"] == ["pc-1", "pc-2"]
    assert report["run"]["complies"] is False
    red = (tmp_path / "junit.xml").read_text()
    assert red != green
    assert "<error" in red or "<failure" in red
    assert "has not ended" in (tmp_path / "report.html").read_text()


def test_what_was_kept_outlasts_runs_that_are_interrupted(tmp_path: Path) -> None:
    ended(tmp_path)
    for _run in range(3):
        begin(tmp_path)
    kept = previous.report_before(tmp_path, "", (), is_first_batch=True)
    assert kept is not None
    assert [host["name"] for host in kept["hosts"]]


@pytest.mark.parametrize("what", ["link", "fifo", "rubbish", "surrogate"])
def test_what_is_not_a_report_neither_stops_a_run_nor_is_copied(tmp_path: Path, what: str) -> None:
    folder, secret = tmp_path / "reports", tmp_path / "secret"
    folder.mkdir()
    secret.write_text("root:secret")
    last = folder / "report.json"
    if what == "link":
        last.symlink_to(secret)
    elif what == "fifo":
        os.mkfifo(last)
    elif what == "rubbish":
        last.write_bytes(b"\xff{")
    else:
        text = report_json.render(REPORT)
        odd = text.replace('"verdict": "', '"verdict": "\\ud800', 1)
        assert odd != text
        last.write_text(odd)
    since = time.monotonic()
    begin(folder)
    assert time.monotonic() - since < 5
    assert secret.read_text() == "root:secret"
    for file in folder.iterdir():
        assert not file.is_symlink()
        assert "root:secret" not in file.read_text(errors="replace")
    assert reading.read(last)["run"]["fails_because"] == [begun.NOT_ENDED]
