# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The policy action: how often it asks the PC, what it has it do, and what it says of the outcome.

One made-up control stands for all of them (it wants a registry value to be 1), and a PC in a few lines answers.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.ets6.network.plugins.action import policy as module
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.declaration import (
    Family,
    Judgement,
    failed,
    passed,
)
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Change, Contact, Severity
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.context import FirewallContext
from ansible_collections.ets6.network.plugins.plugin_utils.formats.registry import dword
from ansible_collections.ets6.network.plugins.plugin_utils.operations import SetRegistryValues

KEY = r"HKLM\SOFTWARE\Acme"
RECORD = r"HKLM\SOFTWARE\ets6.network changes"
REQUEST = {"registry": [{"path": KEY, "depth": 0}], "probes": [{"name": "first"}]}


def family(judge: Callable[[FirewallContext], Judgement]) -> Family[FirewallContext]:
    """Return a family with the one control that wants a value to be 1."""
    made_up: Family[FirewallContext] = Family("firewall", Contact.PC)
    made_up.control(
        control_id="firewall.one",
        title="The value is one",
        headline="The value is not one",
        severity=Severity.HIGH,
        rationale="Because.",
        remedy="Set it.",
    )(judge)
    return made_up


def judge_one(context: FirewallContext) -> Judgement:
    value = context.snapshot.registry.value(KEY, "x")
    if value == dword(1):
        probes = [probe.name for probe in context.snapshot.probes or ()]
        return passed("It is 1.", {"probes": probes})
    data = None if value is None else value.data
    operation = SetRegistryValues(KEY, {"x": dword(1)}, "acme")
    return failed(f"It is {data}.", remedy=[Change("Acme", {"x": data}, {"x": 1}, [operation])])


class Target:
    """Answers like windows_host. refuses: every operation fails. loses: reports on none of them."""

    def __init__(self, x: int | None, refuses: bool = False, loses: bool = False) -> None:
        self.x, self.refuses, self.loses = x, refuses, loses
        self.error = "access denied"
        self.begun: str | None = None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(
        self, module_name: str, module_args: dict[str, Any], **_others: Any
    ) -> dict[str, Any]:
        self.asked.append((module_name, module_args))
        outcomes = []
        for step in module_args.get("operations", ()):
            if self.refuses and outcomes:
                outcomes.append({"state": "not_done", "error": ""})
            elif self.refuses:
                outcomes.append({"state": "failed", "error": self.error})
            else:
                if step["path"] == KEY:
                    self.x = step["values"][0][2]
                outcomes.append({"state": "done"})
            if step["path"] == RECORD:
                self.begun = None
        values = {} if self.x is None else {"x": ["REG_DWORD", self.x]}
        record = {} if self.begun is None else {"Begun": ["REG_SZ", self.begun]}
        probes = [{"name": probe["name"], "proxy": ""} for probe in module_args.get("probes", ())]
        content = {
            "version": 1,
            "registry": {
                KEY: {"state": "present", "values": values},
                RECORD: {"state": "present", "values": record},
            },
            "probes": probes,
        }
        packed = base64.b64encode(gzip.compress(json.dumps(content).encode())).decode()
        return {"snapshot": packed, "operations": [] if self.loses else outcomes}


@pytest.fixture(autouse=True)
def only_one_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "FIREWALL", family(judge_one))
    monkeypatch.setattr(controls, "PROXY", Family("proxy", Contact.PC))
    monkeypatch.setattr(controls, "REACHABILITY", Family("reach", Contact.PC))
    monkeypatch.setattr(module, "request", lambda policy: REQUEST)
    monkeypatch.setattr(module, "default_catalogue", lambda: ())
    monkeypatch.setattr(module.probe_plan, "missing_probes", lambda context: [])


def run(target: Any, check: bool = False, timeout: int = 0, **arguments: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        args=arguments, check_mode=check, diff=True, async_val=0, timeout=timeout
    )
    shell = SimpleNamespace(tmpdir=None, _IS_WINDOWS=True)
    action = module.ActionModule(
        task, SimpleNamespace(_shell=shell), SimpleNamespace(), None, None, None
    )
    action._execute_module = target
    return action.run(task_vars={"inventory_hostname": "pc"})


def test_a_pc_that_complies_is_asked_once() -> None:
    target = Target(1)
    result = run(target)
    assert len(target.asked) == 1
    assert (result["changed"], result["failed"], result["diff"]) == (False, False, [])
    assert [finding["status"] for finding in result["findings"]] == ["pass"]
    assert [control["id"] for control in result["controls"]] == ["firewall.one"]


def test_a_pc_whose_connection_lacks_something_is_not_asked_and_counts_as_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        module.connection,
        "problems",
        lambda plugin, variables: ["ansible_user is empty. Set it.", "And so on."],
    )
    target = Target(1)
    result = run(target)
    assert target.asked == []
    assert (result["unreachable"], result["msg"]) == (
        True,
        "No connection was tried. ansible_user is empty. Set it. And so on.",
    )
    assert "findings" not in result


def test_drift_is_mended_in_a_second_execution_that_reads_everything_again() -> None:
    target = Target(7)
    result = run(target)
    assert [bool(asked.get("operations")) for _name, asked in target.asked] == [False, True]
    assert target.asked[1][1]["registry"] == target.asked[0][1]["registry"]
    (finding,) = result["findings"]
    assert (finding["status"], finding["changed"]) == ("fixed", True)
    assert finding["reason"] == "It is 7. Now: It is 1."
    assert finding["evidence"] == {"probes": ["first"]}, (
        "what was probed before the change still counts"
    )
    assert result["diff"] == [
        {
            "before_header": "pc: Acme",
            "after_header": "pc: Acme",
            "before": {"x": 7},
            "after": {"x": 1},
        }
    ]


def test_the_catalogue_is_not_sent_with_every_host(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = module.Policy.from_variables(
        {"endpoints": {"news": {"url": "https://news.example"}}, "programs": ["ETS6N.exe"]}
    )
    monkeypatch.undo()
    (further,) = module._further_controls(policy)
    assert further["id"] == "reach.news"
    assert module._further_controls(module.Policy()) == []


def journal_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "changes.jsonl").read_text().splitlines()]


def test_a_change_is_noted_before_it_is_sent_and_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The report expands the path, too.
    monkeypatch.setenv("REPORTS", str(tmp_path))

    class Watched(Target):
        def __call__(self, module_name: str, module_args: dict[str, Any], **others: Any) -> Any:
            if module_args.get("operations"):
                self.noted = journal_of(tmp_path)
            return super().__call__(module_name, module_args, **others)

    target = Watched(7)
    result = run(target, report_dir="$REPORTS")
    assert result["changed"] is True
    assert "report_dir" not in result["variables"]
    (sent,) = target.noted
    assert (sent["host"], sent["state"]) == ("pc", "sent")
    assert sent["changes"] == [{"subject": "Acme", "before": {"x": 7}, "after": {"x": 1}}]
    answered = journal_of(tmp_path)[1]
    assert (answered["state"], answered["made"], answered["failures"]) == ("answered", ["Acme"], [])


def test_a_play_of_ones_own_is_told_from_others_by_its_process(tmp_path: Path) -> None:
    run(Target(7), report_dir=str(tmp_path))
    assert {line["run"] for line in journal_of(tmp_path)} == {f"process {os.getppid()}"}


def test_what_cannot_be_noted_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "changes.jsonl").symlink_to(tmp_path / "elsewhere")
    target = Target(7)
    result = run(target, report_dir=str(tmp_path))
    assert (target.x, len(target.asked), result["changed"], result["failed"]) == (7, 1, False, True)
    assert "changes.jsonl cannot be written" in result["msg"]
    assert [finding["status"] for finding in result["findings"]] == ["fail"]
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_is_noted_of_a_run_that_changes_nothing(tmp_path: Path) -> None:
    run(Target(7), check=True, report_dir=str(tmp_path))
    run(Target(7), apply=False, report_dir=str(tmp_path))
    run(Target(1), report_dir=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_check_mode_predicts_without_a_change() -> None:
    target = Target(None)
    predicted = run(target, check=True)
    assert target.x is None
    assert len(target.asked) == 1
    assert predicted["findings"][0]["status"] == "would_fix"
    done = run(target)
    assert predicted["changed"] is done["changed"] is True
    assert predicted["diff"] == done["diff"]


def test_without_apply_a_failure_stays_a_failure() -> None:
    target = Target(7)
    result = run(target, apply=False)
    assert (target.x, len(target.asked), result["changed"]) == (7, 1, False)
    assert result["findings"][0]["status"] == "fail"


def test_a_change_that_fails_is_said_and_not_counted() -> None:
    result = run(Target(7, refuses=True))
    assert result["failed"] is True
    assert (
        result["msg"]
        == "Not everything could be changed. Acme: set_registry_values failed (access denied)."
    )
    assert (result["changed"], result["diff"]) == (False, [])
    assert (result["findings"][0]["status"], result["findings"][0]["changed"]) == ("fail", False)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            requests.exceptions.ConnectionError(
                "('Connection aborted.', RemoteDisconnected('...'))"
            ),
            "The PC ended the connection before it had answered.",
        ),
        (
            requests.exceptions.ChunkedEncodingError(
                "IncompleteRead(7 bytes read, 9 more expected)"
            ),
            "The PC ended the connection before it had answered.",
        ),
        (
            ConnectionResetError(104, "Connection reset by peer"),
            "The PC ended the connection before it had answered.",
        ),
        (
            requests.exceptions.ReadTimeout("HTTPSConnectionPool(...): Read timed out."),
            "The PC accepted the connection and did not answer in time.",
        ),
    ],
)
def test_a_pc_whose_connection_fails_half_way_is_unreachable_in_plain_words(
    error: Exception, message: str
) -> None:
    def target(**_arguments: Any) -> dict[str, Any]:
        raise error

    result = run(target)
    assert (result["unreachable"], result["msg"]) == (True, message)
    assert not result.get("failed")


class TaskTimeoutError(BaseException):
    """What ansible-core raises; its own class is internal."""


LOST: dict[str, tuple[Any, str]] = {
    "ended": (
        requests.exceptions.ConnectionError(),
        "The PC ended the connection before it had answered.",
    ),
    "closed": (AnsibleConnectionFailure("closed by remote host."), "closed by remote host."),
    "timeout": (
        TaskTimeoutError(),
        "The PC was not done within 7 seconds (ets6_network_timeout).",
    ),
    "memory": (
        MemoryError(),
        "The PC sent what takes more than 1024 MiB of the controller's memory.",
    ),
    "cut": ({"snapshot": "rubbish"}, "The PC sent a reply that cannot be used: "),
    "none": ({"failed": True, "msg": "boom"}, "The PC could not be read: boom."),
    "library": (RuntimeError("Code 500\n\x1b[31m"), "Code 500 \\x1b[31m."),
}
"""What comes of the execution that changes something, and how the report begins to say it."""


@pytest.mark.parametrize("lost", LOST)
def test_changes_that_were_sent_are_never_forgotten_whatever_becomes_of_the_answer(
    lost: str,
) -> None:
    answer, said = LOST[lost]
    target = Target(7)

    def loses(**arguments: Any) -> dict[str, Any]:
        reply = target(**arguments)
        if not arguments["module_args"].get("operations"):
            return reply
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)

    result = run(loses, timeout=7)
    assert target.x == 1, "the PC was changed"
    assert result["msg"].startswith(said)
    assert (
        "The PC was sent 1 operation before that: which of them were carried out could not be "
        "determined. The next run reads everything again." in result["msg"]
    )
    assert (result["failed"], result["changed"]) == (True, True)
    (finding,) = result["findings"]
    assert (finding["status"], finding["sent"], finding["changed"]) == ("unknown", True, False)
    assert finding["reason"].startswith("It is 7. Its changes were sent;")
    assert finding["changes"] == [{"subject": "Acme", "before": {"x": 7}, "after": {"x": 1}}]


def test_a_pc_that_reports_on_other_operations_than_it_was_sent_has_done_it_knows_what() -> None:
    result = run(Target(7, loses=True))
    assert result["msg"].startswith("The PC reported on 0 of 1 operation.")
    assert result["findings"][0]["sent"] is True


def test_what_is_lost_after_a_change_was_made_does_not_take_the_change_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = [{"name": "second", "proxies": [""]}]
    monkeypatch.setattr(
        module.probe_plan, "missing_probes", lambda context: more if target.x == 1 else []
    )
    target = Target(7)

    def ends(**arguments: Any) -> dict[str, Any]:
        if "registry" not in arguments["module_args"]:
            raise requests.exceptions.ConnectionError
        return target(**arguments)

    result = run(ends)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["findings"][0]["status"] == "fixed"
    assert "Not everything could be probed: The PC ended the connection" in result["msg"]


@pytest.mark.parametrize(
    ("begun", "at", "number"),
    [
        ("2026-11-28T21:00:00Z 4", "2026-11-28T21:00:00Z", 4),
        ("\x1b[31m \n4", "", 0),
        ("2026-11-28T21:00:00Z -4", "", 0),
        ("", "", 0),
        ("2026-11-28T21:00:00Z 4" * 100_000, "", 0),
    ],
)
def test_what_an_interrupted_run_left_is_reported_and_then_removed(
    begun: str, at: str, number: int
) -> None:
    target = Target(1)
    target.begun = begun
    only_judged = run(target, apply=False)
    assert only_judged["interrupted"] == {"at": at, "operations": number}
    sentence = "An earlier run began 4 operations" if number else "An earlier run may have begun"
    assert sentence in only_judged["msg"]
    assert "\x1b" not in only_judged["msg"]
    assert (target.begun, only_judged["changed"]) == (begun, False)
    predicted = run(target, check=True)
    assert (target.begun, predicted["changed"]) == (begun, True)
    done = run(target)
    assert done["interrupted"] == {"at": at, "operations": number}
    assert (target.begun, done["changed"], done["failed"]) == (None, True, False)
    again = run(target)
    assert "interrupted" not in again
    assert again["changed"] is False


def test_an_error_of_an_image_means_that_nothing_was_changed() -> None:
    target = Target(7)

    def refuses(**arguments: Any) -> dict[str, Any]:
        if arguments["module_args"].get("operations"):
            return {"failed": True, "msg": "it is in use"}
        return target(**arguments)

    with pytest.raises(AnsibleActionFail, match="it is in use"):
        run(refuses, image={"path": "/images/win11.wim", "index": "1"})


@pytest.mark.parametrize("error", [TaskTimeoutError(), MemoryError()])
def test_a_pc_that_takes_too_long_or_too_much_is_an_error_of_that_pc(error: BaseException) -> None:
    def target(**_arguments: Any) -> dict[str, Any]:
        try:
            raise error
        finally:
            # As Ansible's winrm does, which asks the PC to end the command.
            raise requests.exceptions.ConnectionError

    with pytest.raises(AnsibleActionFail, match=r"within 7 seconds|1024 MiB"):
        run(target, timeout=7)


def test_an_error_of_the_controllers_own_files_is_not_laid_on_the_connection() -> None:
    def target(**_arguments: Any) -> dict[str, Any]:
        raise PermissionError(13, "Permission denied", "windows_host.ps1")

    with pytest.raises(PermissionError):
        run(target)


def test_a_way_that_nobody_probed_costs_one_more_execution_and_no_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = [{"name": "first", "proxies": ["proxy:3128"]}]
    rounds = iter([more, []])
    monkeypatch.setattr(module.probe_plan, "missing_probes", lambda context: next(rounds))
    target = Target(1)
    result = run(target, check=True)
    assert [asked["probes"] for _name, asked in target.asked] == [[{"name": "first"}], more]
    assert result["changed"] is False


def test_a_pc_that_leaves_questions_open_is_not_asked_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = [{"name": "pac http://proxy.example.com/x.pac", "proxies": [""]}]
    monkeypatch.setattr(module.probe_plan, "missing_probes", lambda context: more)
    target = Target(1)
    run(target)
    assert len(target.asked) == 1 + module.probe_plan.ROUNDS


def test_an_image_is_given_registry_values() -> None:
    target = Target(7)
    result = run(target, image={"path": "/images/win11.wim", "index": "1"})
    name, asked = target.asked[1]
    assert (name, asked["path"], asked["index"]) == (
        "ets6.network.windows_image",
        "/images/win11.wim",
        "1",
    )
    assert [step["do"] for step in asked["operations"]] == ["set_registry_values"]
    assert result["findings"][0]["status"] == "fixed"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("/images/win11.wim is cut off.", "/images/win11.wim is cut off."),
        ("boom", "The image /images/win11.wim could not be read: boom"),
    ],
)
def test_the_error_of_an_image_names_it_once(message: str, expected: str) -> None:
    def target(**_arguments: Any) -> dict[str, Any]:
        return {"failed": True, "msg": message}

    with pytest.raises(AnsibleActionFail) as raised:
        run(target, image={"path": "/images/win11.wim", "index": "1"})
    assert str(raised.value).rstrip(".") == expected.rstrip(".")


def test_an_image_rehearses_in_check_mode_and_says_what_it_will_refuse() -> None:
    target = Target(7)
    result = run(target, check=True, image={"path": "/images/win11.wim", "index": "1"})
    assert len(target.asked) == 2
    assert (result["findings"][0]["status"], result["failed"]) == ("would_fix", False)
    refused = run(
        Target(7, refuses=True), check=True, image={"path": "/images/win11.wim", "index": "1"}
    )
    assert (refused["findings"][0]["status"], refused["failed"], refused["changed"]) == (
        "fail",
        True,
        False,
    )
    assert "access denied" in refused["msg"]


def test_a_rule_that_the_service_does_not_know_asks_for_a_restart_and_is_no_failure() -> None:
    target = Target(7, refuses=True)
    target.error = "Nicht gefunden [CmdletizationQuery_NotFound_InstanceID,Remove-NetFirewallRule]"
    result = run(target)
    assert (result["failed"], result["changed"]) == (False, False)
    (finding,) = result["findings"]
    assert finding["status"] == "fail"
    assert "Restart the PC; the next run then changes it, if the service" in finding["reason"]
    assert "Restart the PC" in result["msg"]


def test_operations_that_were_not_begun_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [SetRegistryValues(KEY, {name: dword(1)}, "acme") for name in "xyz"]
    judgement = failed("No.", remedy=[Change("Acme", {"x": 0}, {"x": 1}, steps)])
    monkeypatch.setattr(controls, "FIREWALL", family(lambda context: judgement))
    result = run(Target(7, refuses=True))
    assert (
        result["msg"]
        == "Not everything could be changed. Acme: set_registry_values failed (access denied). Not begun: 2 more."
    )


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            {"failed": True, "msg": "Access is denied."},
            "The PC could not be read: Access is denied.",
        ),
        ({"failed": True, "module_stderr": "boom"}, "The PC could not be read: boom"),
        (
            {"failed": True, "msg": "No JSON found", "module_stderr": "python3: not found\n"},
            "The PC could not be read: No JSON found: python3: not found",
        ),
        (
            {"failed": True, "msg": "PowerShell runs in ConstrainedLanguage mode"},
            "AppLocker or App Control for Business sets. Nothing was tried",
        ),
        (
            {"module_stderr": "… MethodInvocationNotSupportedInConstrainedLanguage"},
            "PowerShell runs in ConstrainedLanguage mode there",
        ),
        ({"snapshot": "rubbish"}, "The PC sent a reply that cannot be used"),
    ],
)
def test_a_pc_that_cannot_be_judged_is_an_error_with_its_reason(
    reply: dict[str, Any], told: str
) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run(lambda **_asked: reply)
    assert told in str(caught.value)


def test_a_wrong_variable_stops_before_the_pc_is_asked() -> None:
    target = Target(1)
    with pytest.raises(AnsibleActionFail, match="ets6_network_state: 'off' is not accepted"):
        run(target, state="off")
    assert target.asked == []
