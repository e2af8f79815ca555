# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report action: which hosts it reports on, when it fails, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.ets6.network.plugins.action import report as module
from ansible_collections.ets6.network.plugins.plugin_utils import report_action
from ansible_collections.ets6.network.plugins.plugin_utils.report import formats

from ..plugin_utils.report.samples import single_result as result

BESIDE = {"report.json.sha256", "history.jsonl"}
"""Files that every run writes beside those of the formats."""


class Play:
    """A play over these hosts, of which those of the batch are being run and the dropped ones have failed in an earlier task."""

    def __init__(self, folder: Path, **results: Any) -> None:
        self.folder = folder
        self.results = results
        self.batch = list(results)
        self.dropped: set[str] = set()
        self.check = False
        self.run = ""
        self.variables: dict[str, Any] = {}

    def report(self, **arguments: Any) -> dict[str, Any]:
        task = SimpleNamespace(
            args={"report_dir": str(self.folder), **arguments}, check_mode=self.check, async_val=0
        )
        action = module.ActionModule(
            task, SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)), None, None, None, None
        )
        hostvars = {
            name: {
                "group_names": ["pcs"],
                **self.variables,
                **({} if found is None else {"ets6_network_result": found}),
            }
            for name, found in self.results.items()
        }
        variables = {
            "hostvars": hostvars,
            "ets6_network_checked": {"run": self.run},
            "ansible_play_hosts_all": list(self.results),
            "ansible_play_hosts": [name for name in self.results if name not in self.dropped],
            "ansible_play_batch": [name for name in self.batch if name not in self.dropped],
        }
        return action.run(task_vars=variables)

    @property
    def written(self) -> dict[str, Any]:
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))


def test_what_an_earlier_run_of_the_same_ansible_playbook_found_is_not_this_ones(
    tmp_path: Path,
) -> None:
    play = Play(tmp_path, one=result("pass", run="this"), two=result("pass", run="earlier"))
    play.run = "this"
    assert play.report()["complies"] is False
    assert [host["status"] for host in play.written["hosts"]] == ["pass", "unknown"]
    play.results["two"] = result("pass", run="this")
    assert play.report()["complies"] is True


def test_waivers_and_custom_controls_are_there_though_no_host_could_be_asked(
    tmp_path: Path,
) -> None:
    waiver = {
        "control": "firewall.programs",
        "hosts": ["one"],
        "reason": "So.",
        "owner": "jane",
        "expires": "2020-01-01",
    }
    own = {
        "id": "known",
        "title": "Known",
        "severity": "low",
        "message": "It is not.",
        "expression": "host.name == 'x'",
    }
    play = Play(tmp_path, one={"unreachable": True, "msg": "away"})
    play.variables = {"ets6_network_waivers": [waiver], "ets6_network_controls": [own]}
    play.report()
    assert [one["state"] for one in play.written["waivers"]] == ["expired"]
    assert "custom.known" in {
        finding["control"] for finding in play.written["hosts"][0]["findings"]
    }


def test_hosts_that_comply(tmp_path: Path) -> None:
    play = Play(tmp_path, one=result("pass"), two=result("fixed"))
    outcome = play.report()
    assert (outcome["failed"], outcome["complies"]) == (False, True)
    assert outcome["hosts"] == {"fixed": 1, "pass": 1}
    files = {Path(file).name for file in outcome["files"]}
    assert {path.name for path in tmp_path.iterdir()} == files | BESIDE
    assert (
        outcome["closing_lines"][0]
        == outcome["msg"]
        == "ets6.network: all 2 hosts comply (1 fixed, 1 pass)"
    )
    assert [host["groups"] for host in play.written["hosts"]] == [["pcs"], ["pcs"]]


@pytest.mark.parametrize(
    "found",
    [
        result("fail"),
        result("unknown"),
        result("would_fix"),
        result("pass", failed=True, msg="Not everything could be changed."),
        {"failed": True, "msg": "rubbish"},
        {"unreachable": True, "msg": "away"},
        None,
    ],
)
def test_one_host_that_does_not_comply_fails_the_run_after_the_report_is_written(
    found: Any, tmp_path: Path
) -> None:
    play = Play(tmp_path, fine=result("pass"), other=found)
    outcome = play.report()
    assert (outcome["failed"], outcome["complies"]) == (True, False)
    assert [host["name"] for host in play.written["hosts"]] == ["fine", "other"]
    assert outcome["closing_lines"]


def test_fail_on_decides_on_failing_and_not_on_complying(tmp_path: Path) -> None:
    play = Play(tmp_path, one=result("fail"), two={"unreachable": True})
    assert [
        play.report(fail_on=one)["failed"]
        for one in (["never"], ["high"], "medium", ["high", "unreachable"])
    ] == [
        False,
        False,
        True,
        True,
    ]
    assert play.written["run"]["complies"] is False


def test_no_host_always_fails(tmp_path: Path) -> None:
    for arguments in ({}, {"hosts": []}, {"fail_on": "never"}):
        play = Play(tmp_path)
        outcome = play.report(**arguments)
        assert (outcome["failed"], outcome["complies"]) == (True, False)
        assert play.written["hosts"] == []


def test_batches_report_after_each_and_fail_after_the_last(tmp_path: Path) -> None:
    play = Play(tmp_path, a=result("fail"), b=None, c=None)
    play.batch = ["a"]
    first = play.report()
    assert (first["failed"], first["complies"]) == (False, False)
    assert [host["name"] for host in play.written["hosts"]] == ["a"]
    assert play.written["run"]["pending"] == ["b", "c"]
    assert first["closing_lines"] == [], "the closing lines come once"
    play.results["b"], play.results["c"], play.batch = result("pass"), result("pass"), ["b", "c"]
    last = play.report()
    assert last["failed"] is True
    assert last["closing_lines"]
    assert play.written["run"]["hosts"] == {"fail": 1, "pass": 2}
    assert play.written["run"]["pending"] == []


def test_a_good_first_batch_is_not_the_verdict(tmp_path: Path) -> None:
    play = Play(tmp_path, a=result("pass"), b=None)
    play.batch = ["a"]
    assert play.report()["complies"] is False
    assert play.written["run"]["complies"] is False


def test_the_last_host_may_have_dropped_out(tmp_path: Path) -> None:
    play = Play(tmp_path, a=result("pass"), b=None)
    play.dropped = {"b"}
    assert play.report()["failed"] is True
    assert play.written["run"]["pending"] == []


def test_what_an_earlier_play_left_is_not_taken_for_a_later_batch(tmp_path: Path) -> None:
    play = Play(tmp_path, a=result("pass"), b=result("pass"))
    play.batch = ["a"]
    play.report()
    assert play.written["run"]["pending"] == ["b"]


def test_check_mode_is_said_but_for_verify(tmp_path: Path) -> None:
    play = Play(tmp_path, a=result("pass"))
    play.check = True
    play.report(mode="enforce")
    assert play.written["run"]["mode"] == "check"
    play.report(mode="verify")
    assert play.written["run"]["mode"] == "verify"


@pytest.mark.parametrize(("arguments", "said"), [
    ({"fail_on": ["never", "low"]}, "ets6_network_fail_on: never cannot be combined"),
    ({"fail_on": "lowest"}, "ets6_network_fail_on: 'lowest' is not accepted; accepted are low, medium"),
    ({"fail_on": []}, "ets6_network_fail_on: the list is empty"),
    ({"formats": ["pdf"]}, "ets6_network_formats: 'pdf' is not accepted; accepted are json, junit"),
    ({"formats": {"a": 1}}, "ets6_network_formats: {'a': 1} is not accepted; a list is expected"),
])  # fmt: skip
def test_a_wrong_argument_leaves_a_red_report_and_no_older_green_one(
    tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    Play(tmp_path, a=result("pass")).report()
    outcome = Play(tmp_path, a=result("pass")).report(**arguments)
    written = Play(tmp_path).written
    assert (outcome["failed"], written["run"]["complies"]) == (True, False)
    assert [one["status"] for one in written["hosts"]] == ["unknown"], (
        "what stands there is an earlier play's"
    )
    assert written["run"]["fails_because"][0].startswith(said)
    assert len([one for one in written["run"]["fails_because"] if "ets6_network_" in one]) == 1
    assert said in outcome["msg"]


REFUSED = "Not run: 1 variable is invalid.\nets6_network_state: 'x' is not accepted"


def test_a_refused_run_leaves_the_last_good_report_and_no_green_result_for_programs(
    tmp_path: Path,
) -> None:
    Play(tmp_path, a=result("pass")).report(formats=list(formats.ALL))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    refused = Play(tmp_path, a=result("pass"))
    outcome = refused.report(formats=list(formats.ALL), problem=REFUSED, fail_on="lowest")
    changed = {
        name for name, content in before.items() if (tmp_path / name).read_bytes() != content
    }
    assert changed == {"junit.xml", "summary.md", "report.sarif", "ets6_network.prom"}
    assert {file.name for file in tmp_path.iterdir()} == set(before)
    assert (outcome["failed"], outcome["complies"]) == (True, False)
    assert "files" not in outcome, "the older report is not handed on as this run's"
    assert outcome["closing_lines"][0] == "ets6.network: not run: 1 variable is invalid"
    assert outcome["closing_lines"][1] == "ets6_network_state: 'x' is not accepted"
    assert outcome["msg"] == "Not run: 1 variable is invalid.", "what is wrong is said once"


def test_a_refused_run_without_an_earlier_report_writes_a_red_one(tmp_path: Path) -> None:
    for _time in range(2):
        outcome = Play(tmp_path, a=result("pass")).report(problem=REFUSED)
        written = Play(tmp_path).written
        assert written["run"]["fails_because"] == REFUSED.splitlines()
        assert [host["status"] for host in written["hosts"]] == ["unknown"]
        assert outcome["files"], "a report in which no host was judged is no good one"


def test_a_refused_run_is_not_compared_with_the_report_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(report_action.display, "warning", warnings.append)
    gone = str(tmp_path / "gone.json")
    Play(tmp_path, a=result("pass")).report(problem=REFUSED, previous_report=gone)
    assert warnings == []
    Play(tmp_path, a=result("pass")).report(previous_report=gone)
    assert len(warnings) == 1


def test_the_checksum_is_the_one_of_sha256sum(tmp_path: Path) -> None:
    Play(tmp_path, a=result("pass")).report()
    command = ["sha256sum", "--check", "report.json.sha256"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "report.json").write_text("{}")
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 1


def test_the_history_has_a_line_for_each_run_and_gives_the_trend(tmp_path: Path) -> None:
    play = Play(tmp_path, a=result("fail"), b=result("pass"))
    play.report()
    (score,) = play.written["scores"]["controls"].values()
    assert score == {"met": 1, "of": 2}
    play.results["a"] = result("pass")
    play.report()
    written = play.written
    assert written["scores"]["groups"]["pcs"] == {"met": 2, "of": 2, "before": [1, 2]}
    assert [run["complying"] for run in written["history"]] == [1, 2]
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 2


def test_an_argument_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError):
        Play(tmp_path, a=result("pass")).report(reports="x")


def test_what_an_earlier_run_left_of_another_format_goes_and_nobody_elses_file(
    tmp_path: Path,
) -> None:
    play = Play(tmp_path, a=result("pass"))
    play.report(formats=list(formats.ALL))
    assert len(list(tmp_path.iterdir())) == 8 + len(BESIDE)
    play.report(formats=["html"])
    names = {one.name for one in tmp_path.iterdir()}
    assert names == {"report.json", "report.html", "previous.json"} | BESIDE
    foreign = ("junit.xml", "summary.md", "report.csv", "report.sarif")
    for name in foreign:
        (tmp_path / name).write_text("<testsuites name='pytest'/>, another program's")
    play.report(formats=["html"])
    assert {one.name for one in tmp_path.iterdir()} >= set(foreign)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(
        AnsibleActionFail, match=r"ets6_network_report_dir: .*/taken cannot be written"
    ):
        Play(tmp_path / "taken", a=result("pass")).report()
