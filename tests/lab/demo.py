# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What ``make demo`` shows: a fleet of troubled PCs before and after one command, and that it did just what it predicted.

Exit status 0 only where every PC came out as expected, check mode had predicted it, and a second run changed nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.lab import fleet
from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
SECONDS_OF_SILENCE = 2.0
WIDTH = 118

Report = dict[str, Any]


class Failure(Exception):
    """The demo did not go as it must. The text says what was expected and what came."""


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--playbook", default="playbooks/ets6-network.yml", help="path, or full name of an installed collection's"
    )
    parser.add_argument("--cwd", type=Path, default=ROOT, help="folder to run ansible-playbook in; its ansible.cfg counts")
    parser.add_argument("--report-dir", type=Path, default=Path("ets6-report").absolute())
    given = parser.parse_args()
    started = time.monotonic()
    with Lab() as lab:
        try:
            _show(lab, given.playbook, given.cwd, given.report_dir)
        except Failure as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
    print(f"The lab is stopped. {time.monotonic() - started:.0f} s.")
    return 0


def _show(lab: Lab, playbook: str, folder: Path, reports: Path) -> None:
    scripts = [name for name, member in lab.members.items() if member.dialect]
    print(f"{len(lab.members)} simulated Windows PCs behind WinRM on loopback: some over HTTP with NTLM, some over HTTPS.")
    if lab.pwsh:
        kinds = ", ".join(f"{name} (as {lab.members[name].dialect})" for name in scripts)
        print(f"PowerShell was found, so these run the real script: {kinds}. The others answer from a model of it.")
    else:
        print("No PowerShell was found (pwsh), so every PC answers from a model of the script.")

    registries = lab.registries()
    predicted, told = _run(lab, "1. What would be done (--check --diff)", playbook, folder, reports, "--check", "--diff")
    if lab.registries() != registries:
        raise Failure("check mode changed a PC's registry")
    done, did = _run(lab, "2. Doing it", playbook, folder, reports, "--diff")
    before_second = lab.registries()
    again, _diffs = _run(lab, "3. A second run", playbook, folder, reports)

    print()
    for name, member in lab.members.items():
        _tell(name, member, predicted, done)
    _hold(lab, predicted, done, again, told, did, unchanged=lab.registries() == before_second)
    print(
        f"\nCheck mode predicted what was done, rule by rule and field by field; the second run changed nothing: {again['run']['verdict']}."
    )
    print("Reports of the last run: " + ", ".join(str(_short(reports / name)) for name in sorted(os.listdir(reports))))


def _run(lab: Lab, title: str, playbook: str, folder: Path, reports: Path, *words: str) -> tuple[Report, dict[str, Any]]:
    """Run the playbook and return its report and, by host, its diffs. The run itself fails, since not all PCs comply."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(lab.inventory), playbook]
    command += ["-e", f"ets6_network_report_dir={reports}", *words]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    print(f"\n{title}", flush=True)
    (reports / "report.json").unlink(missing_ok=True)
    since, finished = time.monotonic(), threading.Event()
    ticker = threading.Thread(target=_tick, args=(lab, finished), daemon=True)
    ticker.start()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    finished.set()
    ticker.join()
    if done.returncode not in (0, 2) or not (reports / "report.json").exists():
        raise Failure(f"ansible-playbook ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    report: Report = json.loads((reports / "report.json").read_text(encoding="utf-8"))
    print(f"   {report['run']['verdict']} ({time.monotonic() - since:.1f} s)")
    return report, _diffs(done.stdout)


def _tick(lab: Lab, finished: threading.Event) -> None:
    while not finished.wait(SECONDS_OF_SILENCE):
        count = sum(traffic.executions for traffic in lab.endpoint.traffic.values())
        print(f"   … {count} executions on the PCs so far", flush=True)


def _diffs(output: str) -> dict[str, Any]:
    """Return what ansible-playbook printed as diffs, in a form that two runs can be compared in."""
    lines = [line for line in output.splitlines() if line[:1] in "+-" or line.startswith("@@")]
    return {"lines": sorted(lines)}


def _tell(name: str, member: fleet.Member, predicted: Report, done: Report) -> None:
    control = member.because[0]
    before, after = _host(predicted, name), _host(done, name)
    reason = after["reason"] or next((one["reason"] for one in after["findings"] if one["control"] == control), "")
    first = {"would_fix": "fail"}.get(before["status"], before["status"])
    print(f"{name:<25} {first:>11} → {after['status']:<12} {member.trouble}")
    print(f"{'':<25} {_cut(f'{control}: {reason}')}")


def _hold(lab: Lab, predicted: Report, done: Report, again: Report, told: Any, did: Any, unchanged: bool) -> None:
    for name, member in lab.members.items():
        for report, wanted in ((predicted, member.before), (done, member.after)):
            found = _host(report, name)["status"]
            if found != wanted:
                raise Failure(f"{name} ({member.trouble}) is {found}, expected was {wanted}")
        control, wanted = member.because
        status = next(one["status"] for one in _host(done, name)["findings"] if one["control"] == control)
        if status != wanted:
            raise Failure(f"{name}: {control} is {status}, expected was {wanted}")
        statuses = [
            {one["control"]: one["status"].replace("would_fix", "fixed") for one in _host(report, name)["findings"]}
            for report in (predicted, done)
        ]
        if statuses[0] != statuses[1]:
            different = [control for control in statuses[0] if statuses[0][control] != statuses[1].get(control)]
            raise Failure(f"{name}: check mode predicted something else for {', '.join(different)}")
        if any(one["changed"] for one in _host(again, name)["findings"]):
            raise Failure(f"{name}: the second run changed something")
    if told != did:
        raise Failure("the diff that check mode printed is not the one of the run")
    if not unchanged:
        raise Failure("the second run changed a PC's registry")


def _host(report: Report, name: str) -> dict[str, Any]:
    return next(host for host in report["hosts"] if host["name"] == name)


def _cut(line: str) -> str:
    most = WIDTH - 26
    return line if len(line) <= most else line[: most - 1] + "…"


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
