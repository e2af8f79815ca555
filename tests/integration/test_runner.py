# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The playbooks under ansible-runner, which AWX runs every job with: exit status, reports, and the slices of a job made one report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from tests.lab import fleet
from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
SLICES = (("pc-already-right", "pc-unreachable"), ("pc-never-started", "pc-zz"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    def build(network: fleet.Network) -> list[fleet.Member]:
        wanted = {name for names in SLICES for name in names}
        return [
            *(member for member in fleet.members(network) if member.pc.name in wanted),
            fleet.compliant("pc-zz", network),
        ]

    with Lab(build, scripts=False) as running:
        yield running


def run(
    lab: Lab, folder: Path, playbook: str, limit: str = "", **variables: Any
) -> tuple[Any, dict[str, Any]]:
    """Run a playbook as a job; return the job as ansible-runner tells it, and what it hands on to later jobs."""
    job = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=str(ROOT),
        playbook=f"playbooks/{playbook}.yml",
        inventory=str(lab.inventory),
        extravars={"ets6_network_report_dir": str(folder / "report"), **variables},
        envvars={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        limit=limit or None,
        quiet=True,
    )
    artifacts: dict[str, Any] = {}
    for event in job.events:
        artifacts.update(event.get("event_data", {}).get("artifact_data") or {})
    return job, artifacts


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report" / "report.json").read_text(encoding="utf-8")))


def test_a_job_that_complies_is_successful_and_hands_nothing_on_unless_asked(
    lab: Lab, tmp_path: Path
) -> None:
    job, artifacts = run(lab, tmp_path, "verify", "pc-zz")
    assert (job.status, job.rc) == ("successful", 0)
    assert artifacts == {}
    assert report(tmp_path)["run"]["complies"] is True


def test_the_slices_of_a_job_become_one_report(lab: Lab, tmp_path: Path) -> None:
    """AWX starts each slice with its part of the inventory and a number of its own; what they hand on are later jobs' variables."""
    handed: dict[str, Any] = {}
    for number, hosts in enumerate(SLICES, 40):
        folder = tmp_path / str(number)
        folder.mkdir()
        job, artifacts = run(
            lab, folder, "verify", ",".join(hosts), awx_job_id=number, awx_user_name="ada"
        )
        assert (job.status, job.rc) == ("failed", 2), "each slice has a PC that does not comply"
        assert list(artifacts) == [f"ets6_report_{number}"], "handed on by a failed job too"
        handed.update(artifacts)
    assert set(handed) == {"ets6_report_40", "ets6_report_41"}

    job, artifacts = run(lab, tmp_path, "merge", awx_job_id=42, awx_user_name="ada", **handed)
    assert (job.status, job.rc) == ("failed", 2)
    merged = report(tmp_path)
    assert {host["name"]: host["status"] for host in merged["hosts"]} == {
        "pc-already-right": "pass",
        "pc-never-started": "fail",
        "pc-unreachable": "unreachable",
        "pc-zz": "pass",
    }
    assert merged["merged"]["missing"] == merged["merged"]["conflicts"] == []
    assert [one["run"]["job"] for one in merged["merged"]["reports"]] == ["40", "41"]
    assert (merged["run"]["job"], merged["run"]["user"]) == ("42", "ada")
    assert list(artifacts) == ["ets6_report_42"], "what was merged can be merged again"


def test_a_slice_that_never_ran_is_missed(lab: Lab, tmp_path: Path) -> None:
    _job, handed = run(lab, tmp_path, "verify", "pc-zz", awx_job_id=50)
    for limit in ("", "pc-zz"):
        folder = tmp_path / f"merged{limit}"
        folder.mkdir()
        job, _artifacts = run(lab, folder, "merge", limit, ets6_network_fail_on=["high"], **handed)
        assert (job.status, job.rc) == ("failed", 2)
        assert report(folder)["merged"]["missing"] == [
            "pc-already-right",
            "pc-never-started",
            "pc-unreachable",
        ]
    folder = tmp_path / "told"
    folder.mkdir()
    job, _artifacts = run(lab, folder, "merge", expected=["pc-zz"], **handed)
    assert (job.status, job.rc) == ("successful", 0)


def test_a_run_that_could_write_no_report_hands_on_none(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    _job, handed = run(lab, tmp_path, "verify", "pc-zz", awx_job_id=60)
    assert list(handed) == ["ets6_report_60"]
    (tmp_path / "report" / "junit.xml").unlink()
    (tmp_path / "report" / "junit.xml").mkdir()
    job, handed = run(lab, tmp_path, "verify", "pc-zz", awx_job_id=61)
    assert (job.status, handed) == ("failed", {})
