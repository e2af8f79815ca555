# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ctrl-C and SIGTERM while a run begins, reads, changes and writes: the report says it, and what was sent is not forgotten."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import document, reading

from tests.lab import faults, fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import ROOT, Played, play

Runs = tuple[dict[str, "Run"], Played]
ENFORCE = "playbooks/ets6-network.yml"
PHASES = {
    "begins": "",
    "reads": faults.NEVER_ENDS,
    "changes": faults.SECOND + faults.NEVER_ENDS,
    "writes": "",
}
"""What a run is about to do, and what keeps its PC from going on."""
SIGNALS = ("SIGINT", "SIGTERM")
SECONDS = 120


def members(network: Network) -> list[fleet.Member]:
    built = []
    for phase, fault in PHASES.items():
        for name in SIGNALS:
            kind = fleet.compliant if phase == "writes" else fleet.drifted
            member = kind(f"pc-{phase}-{name.lower()}", network)
            member.fault = fault
            built.append(member)
    return built


@dataclass
class Run:
    """A run over one PC that a signal ends while it is in a phase."""

    lab: Lab
    phase: str
    signal: str
    earlier: Path

    left: dict[str, bytes] = field(default_factory=dict)
    changed: bool = False

    def __post_init__(self) -> None:
        self.pc = f"pc-{self.phase}-{self.signal.lower()}"
        self.folder = self.lab.folder / f"report-{self.pc}"
        shutil.copytree(self.earlier, self.folder)
        self.before = self.files()
        self.registry = self.lab.registries()[self.pc]
        self.output = self.lab.folder / f"{self.pc}.txt"

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def interrupt(self) -> None:
        """Start the run, send the signal once it is in its phase, and wait until it has ended."""
        with contextlib.ExitStack() as stack:
            if self.phase == "begins":
                stack.enter_context(locked(self.folder))
            with self.output.open("wb") as output:
                program = Path(sys.executable).with_name("ansible-playbook")
                folder = f"ets6_network_report_dir={self.folder}"
                words = [ENFORCE, "-i", self.lab.inventory, "--limit", self.pc, "-e", folder]
                process = subprocess.Popen(
                    [program, *words],
                    cwd=ROOT,
                    env={**os.environ, "PWD": str(ROOT)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            try:
                if self.phase == "writes":
                    wait(self.has_begun)
                    stack.enter_context(locked(self.folder))
                wait(self.is_there)
                if self.signal == "SIGINT":
                    # As a terminal does it: to all of its foreground.
                    os.killpg(process.pid, signal.SIGINT)
                else:
                    process.terminate()
                self.code = process.wait(SECONDS)
            finally:
                process.kill()
                process.wait()

    def has_begun(self) -> bool:
        return (self.folder / "report.json").read_bytes() != self.before["report.json"]

    def is_there(self) -> bool:
        """Return whether the run is in its phase."""
        if self.phase in ("begins", "writes"):
            return waits(self.folder)
        if self.phase == "reads":
            return self.lab.endpoint.traffic[self.pc].executions > 0
        return self.is_changed()

    def is_changed(self) -> bool:
        return self.lab.registries()[self.pc] != self.registry


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a run out of its directory."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def waits(folder: Path) -> bool:
    """Return whether another process has a directory open, as one that waits for its lock."""
    for process in Path("/proc").glob("[0-9]*"):
        # A process may end meanwhile.
        with contextlib.suppress(OSError):
            opened = [os.readlink(link) for link in (process / "fd").iterdir()]
            if process.name != str(os.getpid()) and str(folder) in opened:
                return True
    return False


def wait(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def runs() -> Iterator[tuple[dict[str, Run], Played]]:
    """Return what each of the interrupted runs left, and a run of all PCs after them."""
    with Lab(members, scripts=False) as lab:
        lab.endpoint.faults = {}
        earlier = lab.folder / "report"
        play(lab, "playbooks/verify.yml", reports=earlier)
        lab.endpoint.faults = {name: member.fault for name, member in lab.members.items()}
        for traffic in lab.endpoint.traffic.values():
            traffic.executions = 0
        interrupted = {}
        for phase in PHASES:
            for name in SIGNALS:
                run = Run(lab, phase, name, earlier)
                run.interrupt()
                interrupted[run.pc] = run
        for run in interrupted.values():
            run.left = run.files()
            run.changed = run.is_changed()
        lab.endpoint.faults = {}
        folder = interrupted["pc-changes-sigint"].folder
        yield interrupted, play(lab, ENFORCE, reports=folder)


@pytest.mark.parametrize("name", SIGNALS)
def test_before_a_run_begins_the_report_of_before_stays(runs: Runs, name: str) -> None:
    run = runs[0][f"pc-begins-{name.lower()}"]
    assert run.code != 0
    assert run.left == run.before
    assert run.changed is False


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("phase", ["reads", "changes", "writes"])
def test_a_run_that_is_interrupted_says_so_in_each_file(runs: Runs, phase: str, name: str) -> None:
    run = runs[0][f"pc-{phase}-{name.lower()}"]
    assert run.code != 0
    report = reading.check(run.left["report.json"].decode(), "report.json")
    assert report["run"]["fails_because"] == [document.NOT_ENDED]
    assert report["run"]["pending"] == [run.pc]
    assert b'errors="1"' in run.left["junit.xml"]
    assert b"This run has not ended" in run.left["report.html"]
    assert b"changes.jsonl" in run.left["report.html"]


@pytest.mark.parametrize("name", SIGNALS)
def test_what_was_sent_is_beside_the_report(runs: Runs, name: str) -> None:
    for phase in PHASES:
        run = runs[0][f"pc-{phase}-{name.lower()}"]
        assert run.changed is (phase == "changes")
        assert ("changes.jsonl" in run.left) is run.changed
    sent = runs[0][f"pc-changes-{name.lower()}"].left["changes.jsonl"].splitlines()
    (line,) = [json.loads(text) for text in sent]
    assert (line["host"], line["state"]) == (f"pc-changes-{name.lower()}", "sent")
    subjects = {change["subject"] for change in line["changes"]}
    assert "firewall rule ETS6-ETS6N-TCP-In" in subjects, subjects


def test_the_next_run_judges_each_pc_and_compares_with_the_last_one_that_ended(runs: Runs) -> None:
    interrupted, later = runs
    assert later.code == 0, later.output
    assert set(later.statuses().values()) == {"fixed", "pass"}
    before = json.loads(interrupted["pc-begins-sigint"].before["report.json"])
    assert later.report["drift"]["since"] == before["run"]["ended"]
    assert not (interrupted["pc-changes-sigint"].folder / "changes.jsonl").exists()


def test_the_next_report_tells_what_was_sent_without_one(runs: Runs) -> None:
    interrupted, later = runs
    run = interrupted["pc-changes-sigint"]
    sent = json.loads(run.left["changes.jsonl"].splitlines()[0])
    told = {
        host["name"]: host["unreported"] for host in later.report["hosts"] if "unreported" in host
    }
    assert told == {
        run.pc: [
            {
                "at": sent["at"],
                "outcome": "unknown",
                "changes": sent["changes"],
            }
        ]
    }
    for name in ("report.html", "junit.xml"):
        text = (run.folder / name).read_text(encoding="utf-8")
        assert "or did not judge this host, sent it changes at" in text, name
