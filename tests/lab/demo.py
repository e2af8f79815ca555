# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What ``make demo`` shows: a fleet of troubled PCs before and after one command, and that it did just what it predicted.

Exit status 0 only where every PC came out as expected, check mode had predicted it, a second run changed nothing, and Ansible
called nothing deprecated.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import threading
import time
from pathlib import Path

from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.play import ROOT, Played, play

SECONDS_OF_SILENCE = 2.0
WIDTH = 118
DEPRECATED = "[DEPRECATION WARNING]"


class Failure(Exception):
    """The demo did not go as it must. The text says what was expected and what came."""


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--playbook",
        default="playbooks/ets6-network.yml",
        help="path, or full name of an installed collection's",
    )
    parser.add_argument(
        "--cwd",
        type=Path,
        default=ROOT,
        help="folder to run ansible-playbook in; its ansible.cfg counts",
    )
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
    print(
        f"{len(lab.members)} simulated Windows PCs behind WinRM on loopback: some over HTTP with NTLM, some over HTTPS."
    )
    if lab.pwsh:
        kinds = ", ".join(f"{name} (as {lab.members[name].dialect})" for name in scripts)
        print(
            f"PowerShell was found, so these run the real script, which takes some seconds each time: {kinds}."
        )
        print("The others answer from a model of it.")
    else:
        print("No PowerShell was found (pwsh), so every PC answers from a model of the script.")

    registries = lab.registries()
    predicted = _run(
        lab,
        "1. What would be done (--check --diff)",
        playbook,
        folder,
        reports,
        "--check",
        "--diff",
    )
    if lab.registries() != registries:
        raise Failure("check mode changed a PC's registry")
    done = _run(lab, "2. Doing it", playbook, folder, reports, "--diff")
    registries = lab.registries()
    again = _run(lab, "3. A second run", playbook, folder, reports)
    if lab.registries() != registries:
        raise Failure("the second run changed a PC's registry")

    print()
    for name, member in lab.members.items():
        _tell(name, member, predicted, done)
    _hold(lab, predicted, done, again)
    print(
        "\nCheck mode predicted what was done, rule by rule and field by field; the second run changed nothing."
    )
    print(
        "Reports of the last run: "
        + ", ".join(str(_short(reports / name)) for name in sorted(os.listdir(reports)))
    )


def _run(lab: Lab, title: str, playbook: str, folder: Path, reports: Path, *words: str) -> Played:
    """Run the playbook, with a line now and then as it goes on. The run itself fails, since not all PCs comply."""
    print(f"\n{title}", flush=True)
    finished = threading.Event()
    ticker = threading.Thread(target=_tick, args=(lab, finished), daemon=True)
    ticker.start()
    try:
        done = play(lab, playbook, *words, reports=reports, folder=folder)
    finally:
        finished.set()
        ticker.join()
    if done.code not in (0, 2) or not done.report:
        raise Failure(
            f"ansible-playbook ended with {done.code}:\n{done.output[-3000:]}\n{done.errors[-3000:]}"
        )
    if DEPRECATED in done.output + done.errors:
        raise Failure(
            f"ansible-core calls something deprecated:\n{done.output[-3000:]}\n{done.errors[-3000:]}"
        )
    print(f"   {done.report['run']['verdict']} ({done.seconds:.1f} s)")
    return done


def _tick(lab: Lab, finished: threading.Event) -> None:
    """Say how many PCs were asked and how often, whenever that has changed."""
    before = {name: traffic.executions for name, traffic in lab.endpoint.traffic.items()}
    last = 0
    while not finished.wait(SECONDS_OF_SILENCE):
        counts = [
            traffic.executions - before[name] for name, traffic in lab.endpoint.traffic.items()
        ]
        if sum(counts) != last:
            last = sum(counts)
            asked = sum(count > 0 for count in counts)
            print(
                f"   … {asked} of {len(lab.members)} PCs asked, {last} executions so far",
                flush=True,
            )


def _tell(name: str, member: fleet.Member, predicted: Played, done: Played) -> None:
    control = member.because[0]
    before = predicted.host(name)["status"].replace("would_fix", "fail")
    after = done.host(name)
    reason = after["reason"] or done.finding(name, control)["reason"]
    print(f"{name:<25} {before:>11} → {after['status']:<12} {member.trouble}")
    for line in textwrap.wrap(f"{control}: {reason}", WIDTH - 26, max_lines=3, placeholder=" …"):
        print(f"{'':<25} {line}")


def _hold(lab: Lab, predicted: Played, done: Played, again: Played) -> None:
    """Compare what came with what was expected. Raises Failure."""
    for name, member in lab.members.items():
        for played, wanted in ((predicted, member.before), (done, member.after)):
            found = played.host(name)["status"]
            if found != wanted:
                raise Failure(f"{name} ({member.trouble}) is {found}, expected was {wanted}")
        control, wanted = member.because
        status = done.finding(name, control)["status"]
        if status != wanted:
            raise Failure(f"{name}: {control} is {status}, expected was {wanted}")
        statuses = [
            {
                one["control"]: one["status"].replace("would_fix", "fixed")
                for one in played.host(name)["findings"]
            }
            for played in (predicted, done)
        ]
        if statuses[0] != statuses[1]:
            different = [
                control
                for control in statuses[0]
                if statuses[0][control] != statuses[1].get(control)
            ]
            raise Failure(f"{name}: check mode predicted something else for {', '.join(different)}")
        if any(one["changed"] for one in again.host(name)["findings"]):
            raise Failure(f"{name}: the second run changed something")
    if predicted.diff() != done.diff():
        raise Failure("the diff that check mode printed is not the one of the run")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
