# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report of a run that has begun, and what becomes of the one before it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import stat
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import (
    begun,
    document,
    files,
    formats,
    journal,
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
    assert report["run"]["fails_because"] == [document.NOT_ENDED]
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
    assert reading.read(last)["run"]["fails_because"] == [document.NOT_ENDED]


KILLED = 9
STEPS = ("fsync", "replace", "unlink")
"""What changes files, by the name of its function in os."""


def killed_at(step: int, write: Callable[[], object]) -> bool:
    """Write in a process that is killed before the given step. Return whether it came so far."""

    def run() -> None:
        steps = iter(range(10_000))

        def dying(real: Callable[..., object]) -> Callable[..., object]:
            def function(*arguments: object) -> object:
                if next(steps) == step:
                    os._exit(KILLED)
                return real(*arguments)

            return function

        for name in STEPS:
            setattr(os, name, dying(getattr(os, name)))

        def unlink(path: Path) -> None:
            os.unlink(path)

        # pathlib has taken its own of some.
        Path.unlink = unlink  # type: ignore[assignment,method-assign]
        write()
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode in (0, KILLED)
    return process.exitcode == KILLED


def state_of(folder: Path) -> dict[str, str]:
    """Return which run each file is of, by a host that only that one judged."""
    found = {}
    for path in folder.iterdir():
        if not path.name.startswith((files.TEMPORARY, previous.FILE)):
            names = re.findall("pc-(?:old|new)", path.read_text())
            found[path.name] = ", ".join(sorted(set(names)))
    return found


def check_set(folder: Path) -> str:
    """Return which run the set is of; empty where report.json says that it has not ended."""
    report = reading.read(folder / "report.json")
    if report["run"]["fails_because"] == [document.NOT_ENDED]:
        return ""
    state = state_of(folder)
    checksum = state.pop("report.json.sha256")
    assert checksum == ""
    assert len(set(state.values())) == 1, state
    content = (folder / "report.json").read_bytes()
    assert (
        (folder / "report.json.sha256").read_text().startswith(hashlib.sha256(content).hexdigest())
    )
    return state["report.json"]


def write_set(folder: Path, name: str, formats_of_it: tuple[str, ...]) -> None:
    with files.locked(folder):
        formats.write(build(**{name: result("pass", "fail", "pass")}), folder, formats_of_it)


def start_run(folder: Path) -> None:
    begun.write(folder, {**RUN, "pending": []}, ["pc-new"], ALL, ())


@pytest.mark.parametrize("does", ["begins", "ends"])
def test_killed_between_any_two_steps_no_set_of_two_runs_looks_whole(
    tmp_path: Path, does: str
) -> None:
    seen = set()
    for step in range(200):
        folder = tmp_path / str(step)
        write_set(folder, "pc-old", ("json", "junit", "html", "csv"))
        again = partial(start_run, folder)
        if does == "ends":
            again = partial(write_set, folder, "pc-new", ALL)
        was_killed = killed_at(step, again)
        seen.add(check_set(folder))
        if not was_killed:
            break
        # The next run is none the worse for it.
        write_set(folder, "pc-new", ALL)
        assert check_set(folder) == "pc-new"
        assert not list(folder.glob(f"{files.TEMPORARY}*"))
    assert step > 10, "no steps were seen"
    assert seen == ({"pc-old", ""} if does == "begins" else {"pc-old", "", "pc-new"})
    assert not (folder / "report.csv").exists()


def test_a_full_disk_leaves_the_set_of_before_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, "pc-old", ("json", "junit", "html", "csv"))
    real = os.fsync
    calls = iter(range(100))

    def full(handle: int) -> None:
        if next(calls) == 3:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_set(tmp_path, "pc-new", ALL)
    assert check_set(tmp_path) == "pc-old"
    assert (tmp_path / "report.csv").exists()
    assert not list(tmp_path.glob(f"{files.TEMPORARY}*"))


def test_who_may_not_read_a_report_may_not_read_the_next_one(tmp_path: Path) -> None:
    ended(tmp_path)
    for name in ("report.json", "report.html"):
        (tmp_path / name).chmod(0o600)
    begin(tmp_path)
    journal.add(tmp_path, {"host": "pc"})
    ended(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    kept = ("report.json", "report.html", "previous.json", "changes.jsonl")
    assert {name: oct(modes[name]) for name in kept} == dict.fromkeys(kept, "0o600")
    assert modes["junit.xml"] != 0o600


def test_a_report_of_which_a_change_failed_is_one_of_hosts_that_were_judged(tmp_path: Path) -> None:
    half_way = result("fail", "pass", "pass", failed=True, msg="Not everything could be changed.")
    with files.locked(tmp_path):
        formats.write(build(pc=half_way), tmp_path, ALL)
    assert previous.is_judged(tmp_path)
    with files.locked(tmp_path):
        formats.write(build(pc={"failed": True, "msg": "Not run."}), tmp_path, ALL)
    assert not previous.is_judged(tmp_path)
