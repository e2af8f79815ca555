# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is noted of changes, and when it is forgotten."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import journal

from .samples import build, result


def hosts_of(folder: Path) -> list[str]:
    lines = (folder / journal.FILE).read_text().splitlines()
    return [json.loads(line)["host"] for line in lines]


def test_lines_stay_until_a_report_has_judged_their_host(tmp_path: Path) -> None:
    for host in ("pc-1", "pc-2", "pc-3"):
        journal.Journal(tmp_path, "run", host).sent("2026-11-24T10:00:00Z", [])
    assert hosts_of(tmp_path) == ["pc-1", "pc-2", "pc-3"]
    away = {"unreachable": True, "msg": "No route to host."}
    report = build(**{"pc-1": result("pass", "fail", "pass"), "pc-2": away})
    journal.forget_reported(tmp_path, report)
    assert hosts_of(tmp_path) == ["pc-2", "pc-3"]
    journal.forget_reported(
        tmp_path, build(**{name: result("pass", "pass", "pass") for name in ("pc-2", "pc-3")})
    )
    assert list(tmp_path.iterdir()) == []
    journal.forget_reported(tmp_path, report)


def test_a_line_that_was_cut_off_costs_no_other_one(tmp_path: Path) -> None:
    journal.add(tmp_path, {"host": "pc-2"})
    with (tmp_path / journal.FILE).open("a") as file:
        file.write('{"host": "pc-3", "cha')
    journal.forget_reported(tmp_path, build(**{"pc-1": result("pass", "pass", "pass")}))
    assert hosts_of(tmp_path) == ["pc-2"]


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
