# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One run of ansible-playbook against a lab: for the demo, the tests and the benches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Played:
    """What a run of ansible-playbook left: its exit status, what it printed, the report that it wrote, and how long it took."""

    code: int
    output: str
    errors: str
    report: dict[str, Any]
    """report.json; empty where the run wrote none."""
    seconds: float

    def host(self, name: str) -> dict[str, Any]:
        """Return a host of the report."""
        return next(host for host in self.report["hosts"] if host["name"] == name)

    def statuses(self) -> dict[str, str]:
        """Return the status of each host."""
        return {host["name"]: host["status"] for host in self.report.get("hosts", ())}

    def finding(self, name: str, control: str) -> dict[str, Any]:
        """Return what a control says of a host."""
        return next(
            finding for finding in self.host(name)["findings"] if finding["control"] == control
        )

    def diff(self) -> list[str]:
        """Return the lines of all hosts' diffs, sorted, since hosts come in any order."""
        return sorted(line for line in self.output.splitlines() if line[:1] in ("+", "-", "@"))


def play(
    lab: Lab, playbook: str, *words: str, reports: Path | None = None, folder: Path = ROOT
) -> Played:
    """Run a playbook, given by its path or full name, in a folder, whose ansible.cfg counts. Reports go into the lab's folder."""
    return run(
        playbook,
        "-i",
        str(lab.inventory),
        *words,
        reports=reports or lab.folder / "report",
        folder=folder,
    )


def run(playbook: str, *words: str, reports: Path, folder: Path = ROOT) -> Played:
    """Run a playbook on whatever the words say."""
    written = reports / "report.json"
    earlier = written.stat().st_mtime_ns if written.exists() else 0
    given = json.dumps({"ets6_network_report_dir": str(reports)})
    since = time.monotonic()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), playbook, "-e", given, *words],
        cwd=folder,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PWD": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    new = written.exists() and written.stat().st_mtime_ns > earlier
    report = json.loads(written.read_text(encoding="utf-8")) if new else {}
    return Played(done.returncode, done.stdout, done.stderr, report, time.monotonic() - since)
