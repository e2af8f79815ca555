# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The merge action: where reports come from, what is reported about wrong ones, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.ets6.network.plugins.action import merge as module
from ansible_collections.ets6.network.plugins.plugin_utils.report import reading
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json

from ..plugin_utils.report.samples import build, result

GOOD, BAD = result("pass", "pass", "pass"), result("fail", "pass", "pass")


def put(path: Path, **fleet: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report_json.render(build(**fleet)), encoding="utf-8")
    return str(path)


def merge(
    folder: Path, artifacts: dict[str, Any] | None = None, **arguments: Any
) -> dict[str, Any]:
    task = SimpleNamespace(
        args={"report_dir": str(folder / "out"), **arguments}, check_mode=False, async_val=0
    )
    action = module.ActionModule(
        task, SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)), None, None, None, None
    )
    return action.run(task_vars={"ets6_network_result": {}, **(artifacts or {})})


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))


def test_files_folders_and_artifacts_become_one(tmp_path: Path) -> None:
    outcome = merge(
        tmp_path,
        {
            "ets6_report_7": reading.pack(build(c=GOOD)),
            "ets6_report_8": reading.pack(build(d=GOOD)),
        },
        reports=[
            put(tmp_path / "a.json", a=GOOD),
            str(Path(put(tmp_path / "sites" / "one" / "report.json", b=GOOD)).parents[1]),
        ],
    )
    assert [host["name"] for host in written(tmp_path)["hosts"]] == ["a", "b", "c", "d"]
    assert (outcome["failed"], outcome["complies"], outcome["conflicts"], outcome["missing"]) == (
        False,
        True,
        [],
        [],
    )
    assert (
        outcome["closing_lines"][0] == outcome["msg"] == "ets6.network: all 4 hosts comply (4 pass)"
    )
    assert written(tmp_path)["run"]["mode"] == "merge"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.json",
        "report.json.sha256",
        "history.jsonl",
        "junit.xml",
        "report.html",
    }


def test_what_does_not_comply_or_is_missing_fails_as_fail_on_says(tmp_path: Path) -> None:
    one = put(tmp_path / "a.json", a=BAD)
    assert merge(tmp_path, reports=[one])["failed"] is True
    assert merge(tmp_path, reports=[one], fail_on=["never"])["failed"] is False
    lost = merge(tmp_path, reports=[put(tmp_path / "b.json", b=GOOD)], expected=["b", "lost"])
    assert (lost["failed"], lost["complies"], lost["missing"]) == (True, False, ["lost"])


def test_drift_is_told_between_two_merges(tmp_path: Path) -> None:
    merge(tmp_path, reports=[put(tmp_path / "a.json", a=GOOD)])
    outcome = merge(tmp_path, reports=[put(tmp_path / "a.json", a=BAD)])
    assert [change["host"] for change in written(tmp_path)["drift"]["failing"]] == ["a"]
    assert any("newly failing 1 (a)" in line for line in outcome["closing_lines"])


def test_every_file_that_cannot_be_used_is_named_and_nothing_is_merged(tmp_path: Path) -> None:
    merge(tmp_path, reports=[put(tmp_path / "good.json", a=GOOD)])
    good, forged, other = (tmp_path / name for name in ("good.json", "forged.json", "other.json"))
    forged.write_text(Path(put(forged, pc=BAD)).read_text().replace('"fail"', '"pass"'))
    other.write_text("[]")
    (tmp_path / "empty").mkdir()
    paths = [str(one) for one in (good, forged, other, tmp_path / "empty", tmp_path / "none.json")]
    artifacts = {"ets6_report_1": "!", "ets6_report_2": 7}
    outcome = merge(tmp_path, artifacts, reports=paths, expected=["a"], fail_on=["never"])
    assert (outcome["failed"], outcome["complies"]) == (True, False)
    because = written(tmp_path)["run"]["fails_because"]
    assert because[0] == "Nothing was merged."
    for told in (
        f"{forged} was altered after it was written: what it says of pc does not match its hash",
        f"{other} is not a report of ets6.network",
        f"{tmp_path / 'empty' / 'report.json'} cannot be read: No such file or directory",
        f"{tmp_path / 'none.json'} cannot be read: No such file or directory",
        "the artifact ets6_report_1 is not a packed report: Only base64 data is allowed",
        "the artifact ets6_report_2 is not a packed report: a text is expected",
    ):
        assert told in because
        assert told in outcome["msg"].splitlines()
    assert len(because) == 7
    assert [(host["name"], host["status"]) for host in written(tmp_path)["hosts"]] == [
        ("a", "unknown")
    ], "no older green one stays"


def test_a_report_is_not_written_over_its_source(tmp_path: Path) -> None:
    before = Path(put(tmp_path / "out" / "report.json", a=GOOD)).read_text()
    with pytest.raises(AnsibleActionFail, match="would be written over: name another directory"):
        merge(tmp_path, reports=[str(tmp_path / "out")])
    assert (tmp_path / "out" / "report.json").read_text() == before


@pytest.mark.parametrize(("arguments", "said"), [
    ({}, "Name the reports"),
    ({"fail_on": ["never", "low"]}, "ets6_network_fail_on: never cannot be combined"),
    ({"problem": "ets6_network_serial: 0 is not accepted"}, "ets6_network_serial: 0 is not accepted"),
])  # fmt: skip
def test_what_is_wrong_with_the_run_is_said_and_red(
    tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    reports = [put(tmp_path / "a.json", a=GOOD)] if arguments else []
    outcome = merge(tmp_path, reports=reports, **arguments)
    assert (outcome["failed"], said in outcome["msg"]) == (True, True)
    assert any(said in because for because in written(tmp_path)["run"]["fails_because"])
