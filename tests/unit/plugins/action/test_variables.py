# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variables action: every wrong variable is named, with the value, what is accepted and whose it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from ansible.errors import AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible_collections.ets6.network.plugins.action import variables as module

WAIVER = {
    "control": "firewall.program",
    "hosts": ["a"],
    "reason": "So.",
    "owner": "jane",
    "expires": "2999-12-31",
}


class HostVars(dict[str, Any]):
    """Ansible's hostvars, as far as they are used."""

    def raw_get(self, host: str) -> Any:
        return self[host]


def check(
    folder: Path,
    *hosts: dict[str, Any],
    mode: str = "enforce",
    report_dir: Any = None,
    said: bool = True,
    typed: tuple[str, ...] = (),
    remote_user: str | None = None,
    password: str = "",
    play_vars: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Check hosts a, b, … with these variables.

    said: those of the first one were given with -e; typed: what stood after -e. remote_user and
    password: with -u and -k.
    """
    names = [chr(ord("a") + number) for number in range(len(hosts))]
    hostvars = {
        name: {
            "inventory_hostname": name,
            "group_names": [],
            **{
                key if key.startswith("ansible_") else f"ets6_network_{key}": value
                for key, value in host.items()
            },
        }
        for name, host in zip(names, hosts, strict=True)
    }
    task = SimpleNamespace(
        args={
            "hosts": names,
            "mode": mode,
            "report_dir": str(folder) if report_dir is None else report_dir,
        },
        check_mode=False,
        async_val=0,
        connection="local",
        dump_attrs=lambda: {"retries": None, "remote_user": remote_user},
        play=SimpleNamespace(get_vars=lambda: play_vars or {}),
    )
    shell = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    action = module.ActionModule(
        task, shell, PlayContext(passwords={"conn_pass": password}), None, None, None
    )
    extra = {
        name: value
        for name, value in hostvars.get("a", {}).items()
        if said and name.startswith("ets6_network_")
    }
    arguments = SimpleNamespace(CLIARGS={"extra_vars": typed})
    with (
        patch.object(module, "load_extra_vars", lambda loader: extra),
        patch.object(module, "context", arguments),
    ):
        result: dict[str, Any] = action.run(task_vars={"hostvars": HostVars(hostvars), **more})
    return result


def test_nothing_is_said_where_nothing_is_wrong(tmp_path: Path) -> None:
    right = {
        "apply": "no", "artifact": "ets6_report_site_1", "fail_on": "medium", "formats": ["html"], "hosts": "all", "serial": ["1", "20%", 50],
        "image": {"path": __file__, "index": 1}, "previous_report": "", "proxy": {"mode": "direct"}, "result": {}, "checked": {},
    }  # fmt: skip
    assert not check(tmp_path, right, right).get("failed")


@pytest.mark.parametrize(
    ("name", "value"), [("fail_on", ["never"]), ("formats", ["json"]), ("report_dir", "/tmp/x")]
)
def test_there_is_one_report_so_no_host_decides_on_it_for_the_others(
    tmp_path: Path, name: str, value: Any
) -> None:
    said = f"ets6_network_{name}: hosts have different values, and a run has one report; use one value (b)"
    assert check(tmp_path, {}, {name: value}, said=False)["problem"] == said
    assert not check(tmp_path, {name: value}, {name: value}, said=False).get("failed")


@pytest.mark.parametrize("name", ["mode", "problem"])
def test_what_the_playbooks_say_is_not_for_a_host_to_say(tmp_path: Path, name: str) -> None:
    assert (
        f"ets6_network_{name}: there is no such variable"
        in check(tmp_path, {name: "enforce"}, said=False)["problem"]
    )


@pytest.mark.parametrize(("name", "value"), [("hosts", "all"), ("serial", 1)])
def test_what_decides_how_a_play_goes_is_not_for_the_inventory_to_say(
    tmp_path: Path, name: str, value: Any
) -> None:
    found = check(tmp_path, {}, {name: value}, said=False)
    assert found["problem"] == (
        f"ets6_network_{name}: the inventory cannot set this, since Ansible reads it before any host's variables; set it with -e (b)"
    )
    assert check(tmp_path, {name: value}, {}, said=False, inventory_hostname="a")["failed"]
    assert not check(tmp_path, {name: value}, {}, said=False, mode="merge").get("failed")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("aply", True, "there is no such variable; did you mean ets6_network_apply?"),
        ("apply", "maybe", "'maybe' is not accepted; true or false is"),
        ("apply", 7, "7 is not accepted; true or false is"),
        (
            "artifact",
            "report",
            "'report' is not accepted; expected is ets6_report_ and letters, digits or _",
        ),
        ("artifact", "ets6_report_a-b", "'ets6_report_a-b' is not accepted"),
        (
            "fail_on",
            ["lowest"],
            "'lowest' is not accepted; accepted are low, medium, high, expired, unreachable, never",
        ),
        ("fail_on", [], "the list is empty"),
        ("fail_on", ["low", "never"], "never cannot be combined"),
        (
            "formats",
            "pdf",
            "'pdf' is not accepted; accepted are json, junit, html, markdown, sarif, csv, metrics, hdf",
        ),
        ("formats", 3, "3 is not accepted; a list is expected, of any of json"),
        ("hosts", "", "'' is not accepted; a pattern of hosts is expected"),
        ("hosts", ["a", 7], "['a', 7] is not accepted"),
        ("image", {"file": "x"}, "'file' is not accepted; accepted are path, index"),
        ("image", {"index": 1}, "{'index': 1} is not accepted"),
        ("image", "x.wim", "'x.wim' is not accepted"),
        ("image", {"path": "/no/x.wim"}, "/no/x.wim does not exist; correct -e image="),
        ("image", {"path": "/" + "x" * 300}, f"/{'x' * 198}… does not exist; correct -e image="),
        ("previous_report", "/no/such", "the file /no/such does not exist"),
        ("previous_report", "x" * 300, f"the file {'x' * 199}… does not exist"),
        ("serial", 0, "0 is not accepted; a number of hosts such as 10, a percentage such as 20%"),
        ("serial", "many", "'many' is not accepted"),
        ("serial", ["1", "120%"], "'120%' is not accepted"),
        ("serial", [], "[] is not accepted"),
        ("serial", True, "True is not accepted"),
        ("public_roots", "/no/such.pem", "/no/such.pem cannot be read: No such file or directory"),
        ("state", "here", "'here' is not accepted; accepted are present, absent"),
        (
            "waivers",
            [WAIVER],
            "entry 1: there is no control firewall.program; did you mean firewall.programs?",
        ),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_what_is_accepted(
    tmp_path: Path, name: str, value: Any, said: str
) -> None:
    found = check(tmp_path, {name: value})
    assert found["failed"] is True
    assert found["problem"].startswith(f"ets6_network_{name}: {said}")
    assert found["problem"].endswith(" (a)")
    assert found["msg"].splitlines() == [
        "Not run: 1 variable is invalid.",
        found["problem"],
    ]


def test_every_problem_is_told_once_with_the_hosts_that_have_it(tmp_path: Path) -> None:
    found = check(tmp_path, *[{"blocks": "x", "serial": 0}] * 7, {"formats": "x"})
    assert [line[-30:] for line in found["problem"].splitlines()] == [
        line[-30:]
        for line in (
            "a list of these is expected (a, b, c, d, e and 2 more)",
            "accepted are prompt, all, none (a, b, c, d, e and 2 more)",
            "accepted are json, junit, html, markdown, sarif, csv, metrics, hdf (h)",
            "a run has one report; use one value (h)",
        )
    ]


def test_a_problem_of_many_hosts_names_none_where_all_have_it(tmp_path: Path) -> None:
    for number, expected in ((5, "(a, b, c, d, e)"), (6, "(all 6 hosts)")):
        found = check(tmp_path, *[{"blocks": "x"}] * number)
        assert found["problem"].endswith(expected)


def test_a_template_that_cannot_be_evaluated_is_named(tmp_path: Path) -> None:
    class Broken(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            if name == "ets6_network_proxy":
                raise AnsibleError("'proxy_host' is undefined")
            return super().__getitem__(name)

    variables = Broken(ets6_network_proxy=None, inventory_hostname="a", group_names=[])
    assert module.host_problems(variables) == [
        "ets6_network_proxy: its template cannot be evaluated: 'proxy_host' is undefined"
    ]


def test_a_folder_into_which_nothing_can_be_written_is_refused_before_anything_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for folder, said in (
        (str(tmp_path / "file"), f"{tmp_path}/file is not a directory"),
        (str(tmp_path / "file" / "below"), f"{tmp_path}/file is not a directory"),
        (["x"], "['x'] is not accepted; a folder on the controller is expected"),
        ("", "'' is not accepted"),
    ):
        found = check(tmp_path, {}, report_dir=folder)
        assert found["problem"].startswith(f"ets6_network_report_dir: {said}"), found
    assert not check(tmp_path, {}, report_dir=str(tmp_path / "new" / "below")).get("failed")
    # Root may write anywhere, so that a test cannot rely on rights.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    found = check(tmp_path, {}, report_dir=str(tmp_path / "new" / "below"))
    assert found["problem"].startswith(f"ets6_network_report_dir: {tmp_path}/new/below is not"), (
        found
    )


def test_paths_are_expanded_as_ansible_expands_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REPORTS", "below")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image").mkdir()
    (tmp_path / "last.json").touch()
    host = {"image": {"path": "$HOME/image"}, "previous_report": "~/last.json"}
    found = check(tmp_path, host, report_dir="~/$REPORTS")
    assert not found.get("failed"), found
    assert (tmp_path / "below" / "report.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"below", "image", "last.json"}


@pytest.mark.parametrize(
    ("mode", "variables", "said"),
    [
        ("verify", {"ets6_network_apply": "true"}, "ets6_network_apply: verify changes nothing"),
        (
            "remove",
            {"ets6_network_state": "present"},
            "ets6_network_state: remove takes settings away",
        ),
        ("verify", {"ets6_network_apply": False}, ""),
        ("verify", {"ets6_network_apply": "maybe"}, ""),
        ("remove", {"ets6_network_state": "absent"}, ""),
        ("image", {"ets6_network_apply": True}, ""),
    ],
)
def test_what_contradicts_the_playbook_is_refused(
    tmp_path: Path, mode: str, variables: dict[str, Any], said: str
) -> None:
    found = check(tmp_path, {}, mode=mode, **variables)
    assert found.get("problem", "").startswith(said)
    assert bool(found.get("failed")) == bool(said)


@pytest.mark.parametrize("mode", ["enforce", "image", "merge"])
@pytest.mark.parametrize(
    ("option", "named", "correct"),
    [
        ("image_index=Windows 11 Pro", "image_index", '{"image_index": "…"}'),
        ("image=my images/install.wim", "image", '{"image": "…"}'),
        ("image=my images/a=b.wim", "image", '{"image": "…"}'),
        (
            "image=install.wim image_index=Windows 11",
            "image image_index",
            '{"image": "…", "image_index": "…"}',
        ),
        ("ansible_password=open sesame", "ansible_password", '{"ansible_password": "…"}'),
        ("sesame", "", '{"name": "…"}'),
    ],
)
def test_a_value_that_ansible_cut_off_at_a_blank_is_refused(
    tmp_path: Path, option: str, named: str, correct: str, mode: str
) -> None:
    found = check(tmp_path, {}, mode=mode, typed=("a=b", option))
    said = f"-e {named}: Ansible ends a value at the first blank, so a part of it was lost; write -e '{correct}' with"
    assert found["problem"].startswith(said), found
    assert found["problem"].endswith("(the command line)")
    assert "sesame" not in str(found)


@pytest.mark.parametrize(
    "option",
    [
        "image_index='Windows 11 Pro'",
        '{"image_index": "Windows 11 Pro"}',
        "[]",
        "@my variables.yml",
        "image=a.wim image_index=2",
        "",
    ],
)
def test_a_blank_that_cuts_off_nothing_is_accepted(tmp_path: Path, option: str) -> None:
    assert not check(tmp_path, {}, typed=(option,)).get("failed")


def test_a_merge_does_not_mind_what_is_wanted_of_pcs_but_every_name(tmp_path: Path) -> None:
    assert not check(tmp_path, {"blocks": "x"}, mode="merge").get("failed")
    found = check(tmp_path, {"fromats": "html", "fail_on": "x"}, mode="merge")
    assert "did you mean ets6_network_formats?" in found["problem"]
    assert "ets6_network_fail_on: 'x'" in found["problem"]


def test_a_run_about_nobody_fails(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert (found["failed"], found["problem"]) == (True, "")
    assert found["msg"] == "No host of the inventory matches ets6_network_hosts and --limit."


WINRM = {"ansible_connection": "winrm", "ansible_winrm_transport": "ntlm"}
LOGIN = {"ansible_user": "hans", "ansible_password": "secret"}


def test_nothing_is_begun_where_no_host_can_be_connected_to_and_the_reason_is_said_once(
    tmp_path: Path,
) -> None:
    found = check(
        tmp_path,
        *[{**WINRM, "ansible_user": "", "ansible_password": ""}] * 7,
        {**WINRM, "ansible_password": "x"},
    )
    assert found["msg"].splitlines() == [
        "Not run: no host can be connected to.",
        "ansible_user is empty and ansible_password is empty. Give ansible_user a value. Give ansible_password a value. "
        "(a, b, c, d, e and 2 more)",
        "ansible_user is not set. Set ansible_user in the inventory, or run with -u. (h)",
    ]


def test_a_connection_or_a_value_that_ansible_does_not_know_is_said(tmp_path: Path) -> None:
    found = check(
        tmp_path,
        {"ansible_connection": "winrn"},
        {"ansible_connection": "psrp", "ansible_psrp_auth": "nltm"},
    )
    first, second = found["problem"].splitlines()
    assert (
        first
        == "ansible_connection: there is no connection plugin winrn. Set winrm, psrp or ssh. (a)"
    )
    assert second == "Invalid value 'nltm' for config 'auth' for 'psrp' connection plugin. (b)"


@pytest.mark.parametrize(
    "other",
    [{**WINRM, **LOGIN}, {"ansible_connection": "local"}, {"ansible_connection": "ssh"}, {}],
)
def test_a_host_that_lacks_its_password_does_not_stop_the_others(
    tmp_path: Path, other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the controller had the program ssh.
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert not check(tmp_path, WINRM, other).get("failed")
    assert check(tmp_path, WINRM)["failed"]


def test_what_the_command_line_or_a_play_gives_is_not_missed(tmp_path: Path) -> None:
    assert not check(tmp_path, WINRM, remote_user="hans", password="secret").get("failed")
    assert not check(tmp_path, WINRM, play_vars=LOGIN).get("failed")
    assert check(tmp_path, WINRM, remote_user="hans")["failed"]


def test_a_password_that_cannot_be_evaluated_is_that_hosts_own_affair(tmp_path: Path) -> None:
    class Broken(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            if name == "ansible_password":
                raise AnsibleError("no vault secret")
            return super().__getitem__(name)

    action = module.ActionModule(None, None, PlayContext(), None, None, None)
    known = Broken(**WINRM, ansible_user="", ansible_password="")
    assert action._lacking(known, {}, known) == []
    assert action._lacking(dict(known), {}, known) != []


def test_the_search_ends_at_the_first_host_that_may_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    lacking = module.ActionModule._lacking

    def count(action: Any, known: Any, *more: Any) -> Any:
        asked.append(known["inventory_hostname"])
        return lacking(action, known, *more)

    monkeypatch.setattr(module.ActionModule, "_lacking", count)
    check(tmp_path, WINRM, {**WINRM, **LOGIN}, {**WINRM, **LOGIN})
    assert asked == ["a", "b"]


def test_a_merge_connects_to_nothing(tmp_path: Path) -> None:
    assert not check(tmp_path, WINRM, mode="merge").get("failed")
