# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The ways that docs/reports.md tells auditors to check a report: its own program, and jq with sha256sum."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import drift, merging
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json

from tests.integration.debian import need
from tests.integration.documents import blocks, commands
from tests.unit.plugins.plugin_utils.report.samples import (
    AWAY,
    HOSTILE,
    RUN,
    build,
    hostile,
    result,
)

(PROGRAM,) = (block.text for block in blocks("docs/reports.md") if block.language == "python")
(SHELL,) = (
    one.text
    for block in blocks("docs/reports.md")
    if "jq " in block.text
    for one in commands(block)
)


@pytest.fixture
def report() -> dict[str, Any]:
    """Return a merged report in which every kind of data occurs."""
    one = build(**{"pc-17": result("fail", "pass", "pass"), HOSTILE: hostile(), "über": AWAY})
    one["drift"] = drift.between(build(**{"pc-17": result("pass", "pass", "pass")}), one, ())
    other = build(**{"pc-18": result("pass", "pass", "pass")})
    return merging.merge([one, other], {**RUN, "mode": "merge"}, ["pc-lost"], ["low"])


def check(report: dict[str, Any], folder: Path) -> tuple[int, str]:
    (folder / "check.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "report.json").write_text(report_json.render(report), encoding="utf-8")
    command = [
        sys.executable,
        "-I",
        "-X",
        "utf8",
        str(folder / "check.py"),
        str(folder / "report.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.returncode, done.stderr.strip()


def test_the_program_finds_what_was_altered(report: dict[str, Any], tmp_path: Path) -> None:
    assert check(report, tmp_path) == (0, "")
    report["hosts"][-1]["findings"][0]["reason"] = "All is well."
    report["run"]["user"] = "eve"
    assert check(report, tmp_path) == (1, "Altered: über, the report itself")
    report["hosts"].pop()
    assert check(report, tmp_path) == (1, "Altered: the report itself")


def test_jq_and_sha256sum_give_the_sum_that_stands_in_the_report(
    report: dict[str, Any], tmp_path: Path
) -> None:
    need("jq", "jq")
    (tmp_path / "report.json").write_text(report_json.render(report), encoding="utf-8")
    for host in report["hosts"]:
        line = SHELL.replace('"pc-17"', "$name").replace("jq -cjS", 'jq --arg name "$1" -cjS')
        command = ["sh", "-c", line, "sh", host["name"]]
        told = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        assert told.split()[0] == host["sha256"], json.dumps(host["name"])
