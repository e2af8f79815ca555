# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.hdf.json of real runs, as MITRE's own reader takes it.

inspecjs is what Heimdall and SAF read files with. Its types of exec-json are generated from the
published schema, and it refuses a file in which a required key is missing or a type is wrong. The
schema itself is in no package. What inspecjs does not look at, the bounds of the impact, is in the
schema of the unit tests.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_hdf

from tests.integration.debian import do_without
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.play import ROOT, play
from tests.unit.plugins.plugin_utils.report.samples import (
    AWAY,
    build,
    hostile,
    large,
    result,
    waived,
)
from tests.unit.plugins.plugin_utils.report.test_hdf import EXECUTION

READER = ROOT / ".venv-inspecjs"
"""``make unit`` installs inspecjs there, with a Node.js to run it."""
PROGRAM = """
const inspecjs = require("inspecjs");
const text = require("fs").readFileSync(process.argv[1], "utf-8");
const read = inspecjs.convertFile(text, true);
const answer = {errors: {}, controls: {}};
for (const [form, error] of Object.entries(read.errors || {})) {
  answer.errors[form] = error.message;
}
if (read["1_0_ExecJson"]) {
  const run = inspecjs.contextualizeEvaluation(read["1_0_ExecJson"]);
  for (const control of run.contains[0].contains) {
    const {status, severity, waived} = control.hdf;
    answer.controls[control.data.id] = {status, severity, waived, results: control.hdf.segments.length};
  }
}
console.log(JSON.stringify(answer));
"""


def read(file: Path) -> dict[str, Any]:
    """Return what inspecjs makes of a file: errors by form, and its status of each control."""
    node = READER / "bin" / "node"
    if not (READER / "ready").exists():
        do_without(f"{READER} is missing; make unit installs it")
    done = subprocess.run(
        [str(node), "-e", PROGRAM, str(file)],
        cwd=READER,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def read_report(file: Path) -> dict[str, Any]:
    """Return the controls of a file that is of the form."""
    answer = read(file)
    assert "1_0_ExecJson" not in answer["errors"], answer["errors"]
    jsonschema.Draft202012Validator(EXECUTION).validate(json.loads(file.read_text("utf-8")))
    controls: dict[str, Any] = answer["controls"]
    return controls


def written(folder: Path, **hosts: Any) -> Path:
    file = folder / "report.hdf.json"
    file.write_text(report_hdf.render(build(**hosts)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(fleet.members, scripts=False) as running:
        yield running


@pytest.mark.parametrize("playbook", ["verify", "enforce"])
def test_the_report_of_a_run_is_read(lab: Lab, tmp_path: Path, playbook: str) -> None:
    today = datetime.now(timezone.utc).date()
    waiver = {
        "control": "firewall.deliberate_blocks",
        "groups": ["all"],
        "reason": "It is wanted.",
        "owner": "jane",
        "expires": (today + timedelta(days=3)).isoformat(),
    }
    variables = json.dumps({"ets6_network_formats": "hdf", "ets6_network_waivers": [waiver]})
    run = play(lab, f"playbooks/{playbook}.yml", "-e", variables, reports=tmp_path)
    controls = read_report(tmp_path / "report.hdf.json")
    hosts = run.report["hosts"]
    assert list(controls) == [control["id"] for control in run.report["controls"]]
    assert {control["results"] for control in controls.values()} == {len(hosts)}
    for control in run.report["controls"]:
        found = {host["name"]: finding(host, control["id"]) for host in hosts}
        fails = {"fail", "would_fix"} & set(found.values())
        read_status = controls[control["id"]]["status"]
        assert (read_status == "Failed") == bool(fails), (control["id"], read_status, found)
        assert controls[control["id"]]["severity"] == control["severity"]


def finding(host: dict[str, Any], control: str) -> str:
    """Return the status of a control on a host."""
    (status,) = [one["status"] for one in host["findings"] if one["control"] == control]
    return str(status)


def test_a_control_that_applies_nowhere_is_not_one_that_was_not_reviewed(tmp_path: Path) -> None:
    right = result("pass", "not_applicable", "pass")
    controls = read_report(written(tmp_path, a=right))
    statuses = ["Passed", "Not Applicable", "Passed"]
    assert [control["status"] for control in controls.values()] == statuses
    assert [control["severity"] for control in controls.values()] == ["high", "medium", "low"]
    controls = read_report(written(tmp_path, a=right, b=AWAY))
    statuses = ["Profile Error"] * 3
    assert [control["status"] for control in controls.values()] == statuses
    controls = read_report(written(tmp_path, b=waived("2026-12-24", "jane")))
    first = next(iter(controls.values()))
    assert (first["status"], first["waived"]) == ("Not Applicable", True)


def test_hostile_texts_and_large_fleets_are_read(tmp_path: Path) -> None:
    read_report(written(tmp_path, a=hostile()))
    controls = read_report(written(tmp_path, **large(2_000)))
    assert {control["results"] for control in controls.values()} == {2_000}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("platform", "release"), None),
        (("profiles", 0, "sha256"), 7),
        (("profiles", 0, "controls", 0, "impact"), "high"),
        (("profiles", 0, "controls", 0, "results", 0, "status"), "pass"),
        (("profiles", 0, "controls", 0, "results", 0, "start_time"), None),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, tuple) else None,
)
def test_what_is_not_of_the_form_is_refused(
    tmp_path: Path, path: tuple[str | int, ...], value: Any
) -> None:
    file = written(tmp_path, a=result("fail", "pass", "pass"))
    content = json.loads(file.read_text("utf-8"))
    part = content
    for key in path[:-1]:
        part = part[key]
    assert part[path[-1]]
    part[path[-1]] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    assert "1_0_ExecJson" in read(file)["errors"]
    assert not jsonschema.Draft202012Validator(EXECUTION).is_valid(content)
