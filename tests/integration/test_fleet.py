# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The whole way, from the playbook to the PCs and back into a report, with real Ansible and pywinrm; PCs answer from the model."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.debian import need
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.pc import POLICY, RULES
from tests.lab.play import ROOT, play
from tests.lab.script import find_pwsh

ENFORCE, VERIFY, REMOVE = (
    "playbooks/ets6-network.yml",
    "playbooks/verify.yml",
    "playbooks/remove.yml",
)


def some(*names: str) -> Any:
    """Return a builder of these PCs of the fleet."""

    def build(network: Network) -> list[fleet.Member]:
        return [member for member in fleet.members(network) if member.pc.name in names]

    return build


def away(network: Network) -> list[fleet.Member]:
    members = [fleet.compliant(f"pc-away-{number}", network) for number in range(3)]
    for member in members:
        member.away = True
    return members


@pytest.fixture(scope="module")
def whole() -> Iterator[Lab]:
    """A fleet that the tests which change nothing share."""
    with Lab(scripts=False) as lab:
        yield lab


@pytest.fixture
def small() -> Iterator[Lab]:
    """Two PCs that can be made ready, and one that is ready."""
    with Lab(
        some("pc-never-started", "pc-prompt-cancelled", "pc-already-right"), scripts=False
    ) as lab:
        yield lab


def assert_advice_is_the_remedys(finding: dict[str, Any]) -> None:
    """The reason of a finding says what was seen, and no sentence of what to do."""
    reason = finding["reason"].lower()
    for words in re.split(r"[.;] ", finding.get("remedy", "")):
        assert len(words) < 15 or words.strip(".").lower() not in reason, finding


@pytest.mark.parametrize("how", [(VERIFY,), (ENFORCE, "--check")])
def test_what_only_looks_changes_nothing_on_any_pc_byte_for_byte(
    whole: Lab, how: tuple[str, ...]
) -> None:
    before = whole.registries()
    played = play(whole, *how)
    assert whole.registries() == before
    assert played.code == 2
    wanted = {name: member.before for name, member in whole.members.items()}
    if how[0] == VERIFY:
        wanted = {name: status.replace("would_fix", "fail") for name, status in wanted.items()}
    assert played.statuses() == wanted
    for host in played.report["hosts"]:
        for finding in host["findings"]:
            assert_advice_is_the_remedys(finding)
    if how[0] == VERIFY:
        for control in ("reach.updates", "reach.online_catalog", "proxy.login", "proxy.effective"):
            finding = played.finding("pc-proxy-half", control)
            assert finding.get("caused_by") == "proxy.wininet", finding


def test_a_compliant_fleet_is_verified_with_exit_status_0() -> None:
    with Lab(some("pc-already-right"), scripts=False) as lab:
        played = play(lab, VERIFY)
        assert (played.code, played.report["run"]["complies"]) == (0, True), played.output


def test_a_pc_that_runs_the_real_script_is_judged_as_one_that_answers_from_the_model() -> None:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    with Lab(some("pc-already-right", "pc-endpoint-down")) as lab:
        assert lab.members["pc-already-right"].dialect
        played = play(lab, VERIFY)
        assert played.statuses() == {"pc-already-right": "pass", "pc-endpoint-down": "fail"}


def test_a_fleet_is_made_ready_once_and_at_the_promised_cost(small: Lab) -> None:
    done = play(small, ENFORCE)
    assert done.code == 0, done.output
    assert done.statuses() == {
        "pc-never-started": "fixed",
        "pc-prompt-cancelled": "fixed",
        "pc-already-right": "pass",
    }
    executions = {name: traffic.executions for name, traffic in small.endpoint.traffic.items()}
    assert executions == {"pc-never-started": 2, "pc-prompt-cancelled": 2, "pc-already-right": 1}
    for traffic in small.endpoint.traffic.values():
        assert traffic.sends == traffic.executions, (
            "an execution's input went in more than one Send"
        )
        assert (traffic.stdin - traffic.wrapper) / traffic.executions <= 75_000

    before = small.registries()
    again = play(small, ENFORCE)
    assert (again.code, set(again.statuses().values()), small.registries()) == (0, {"pass"}, before)
    assert "changed=1" not in again.output


def test_what_was_put_there_is_taken_away_and_nothing_else(small: Lab) -> None:
    pcs = {name: member.pc for name, member in small.members.items()}
    foreign = {name: _others(pc.state) for name, pc in pcs.items()}
    proxy = {
        "mode": "named",
        "server": small.network.proxy.address,
        "scope": "users",
        "bypass": ["<local>"],
    }
    with_proxy = ["-e", json.dumps({"ets6_network_proxy": proxy})]
    assert play(small, ENFORCE, *with_proxy).code == 0
    assert _connection(pcs["pc-already-right"]) != foreign["pc-already-right"]["connection"]

    removed = play(small, REMOVE, *with_proxy)
    assert removed.code == 0, removed.output
    assert {name: _others(pc.state) for name, pc in pcs.items()} == foreign
    for pc in pcs.values():
        assert not [
            name for name in pc.state["registry"][RULES]["values"] if name.startswith("ETS6-")
        ]
    registries = small.registries()
    assert play(small, REMOVE, *with_proxy).code == 0
    assert small.registries() == registries


def _others(state: dict[str, Any]) -> dict[str, Any]:
    """Return what must be as before after a removal: everything but managed rules, the prompt's blocks, and WinINET's counters.

    A key that was made for a value stays when the value goes, empty: another program may rely on it by now.
    """
    registry = {
        path: dict(key["values"]) for path, key in state["registry"].items() if key["values"]
    }
    rules = registry.pop(RULES)
    connections = {
        path: registry.pop(path)
        for path in list(registry)
        if path.endswith("Internet Settings\\Connections")
    }
    return {
        "rules": {
            name: rule
            for name, rule in rules.items()
            if not name.startswith("ETS6-") and "Query User" not in name
        },
        "registry": registry,
        "connection": {path: _meaning(values) for path, values in connections.items()},
    }


def _connection(pc: Any) -> Any:
    return _others(pc.state)["connection"]


def _meaning(values: dict[str, Any]) -> dict[str, Any]:
    """Return a key's blobs without the change counter in bytes 4 to 7."""
    found = {}
    for name, (kind, data) in values.items():
        raw = base64.b64decode(data)
        found[name] = (kind, raw[:4] + raw[8:])
    return found


def test_a_wrong_variable_of_one_host_stops_the_run_before_any_pc_is_touched(small: Lab) -> None:
    file = small.inventory / "host_vars" / "pc-already-right.yml"
    wrong = {
        "ets6_network_profiles": ["home"],
        "ets6_network_blocks": "every",
        "ets6_network_pathes": ["C:\\x"],
    }
    file.write_text(file.read_text() + yaml.safe_dump(wrong))
    played = play(small, ENFORCE)
    assert played.code != 0
    assert sum(traffic.executions for traffic in small.endpoint.traffic.values()) == 0
    told = " ".join((played.output + played.errors).split())
    assert "ets6_network_profiles" in told
    assert "'home'" in told
    assert "domain, private, public" in told
    assert "ets6_network_blocks" in told
    assert "did you mean ets6_network_paths?" in told
    assert "pc-already-right" in told


@pytest.mark.parametrize("batches", ["1", "2"])
def test_batches_and_limits_report_on_what_was_wanted(small: Lab, batches: str) -> None:
    played = play(small, ENFORCE, "-e", f"ets6_network_serial={batches}")
    assert played.code == 0, played.output
    assert set(played.statuses()) == set(small.members)
    limited = play(small, VERIFY, "--limit", "pc-already-right")
    assert (limited.code, limited.statuses()) == (0, {"pc-already-right": "pass"})


def test_a_bad_first_batch_does_not_keep_the_later_ones_from_being_done() -> None:
    with Lab(
        some("pc-not-installed", "pc-unreachable", "pc-already-right", "pc-prints-rubbish"),
        scripts=False,
    ) as lab:
        played = play(lab, VERIFY, "-e", "ets6_network_serial=1")
        assert played.code == 2
        wanted = {
            "pc-already-right": "pass",
            "pc-not-installed": "fail",
            "pc-unreachable": "unreachable",
            "pc-prints-rubbish": "unknown",
        }
        assert played.statuses() == wanted


def test_a_pc_of_which_not_even_the_password_can_be_had_does_not_keep_the_later_ones_from_being_done() -> (
    None
):
    def build(network: Network) -> list[fleet.Member]:
        members = [fleet.compliant(f"pc-{number}", network) for number in range(3)]
        members[1].variables["ansible_password"] = (
            "{{ lookup('ansible.builtin.file', '/no/such') }}"
        )
        return members

    with Lab(build, scripts=False) as lab:
        played = play(lab, VERIFY, "-e", "ets6_network_serial=1")
    assert played.statuses() == {"pc-0": "pass", "pc-1": "unknown", "pc-2": "pass"}
    assert "/no/such" in played.host("pc-1")["reason"]


@pytest.mark.parametrize(("name", "value"), [("hosts", "pc-already-right"), ("serial", "1")])
def test_what_a_play_would_not_heed_in_the_inventory_is_refused_there(
    small: Lab, name: str, value: str
) -> None:
    (small.inventory / "group_vars" / "pcs.yml").write_text(f"ets6_network_{name}: {value}\n")
    before = small.registries()
    played = play(small, ENFORCE)
    assert (played.code, small.registries()) == (2, before)
    assert played.report["run"]["fails_because"][0] == "Not run: 1 variable is invalid."
    assert (
        f"ets6_network_{name}: the inventory cannot set this"
        in played.report["run"]["fails_because"][1]
    )
    said = play(small, VERIFY, "-e", f"ets6_network_{name}={value}", "--limit", "pc-already-right")
    assert (said.code, said.statuses()) == (0, {"pc-already-right": "pass"})


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (
            "set_fact: {ets6_network_apply: true}",
            "debug:",
            {"pc-never-started": "fail", "pc-already-right": "pass"},
        ),
        ("debug:", "fail:", {"pc-never-started": "unknown", "pc-already-right": "pass"}),
    ],
)
def test_no_fact_talks_verify_into_changing_something_and_no_earlier_run_speaks_for_it(
    tmp_path: Path, before: str, after: str, wanted: dict[str, str]
) -> None:
    def only(task: str) -> str:
        head = "- hosts: pc-already-right:pc-never-started\n  gather_facts: false\n  tasks:\n"
        return f"{head}    - ansible.builtin.{task}\n      when: inventory_hostname == 'pc-never-started'\n"

    def build(network: Network) -> list[fleet.Member]:
        return [
            fleet.drifted("pc-never-started", network),
            fleet.compliant("pc-already-right", network),
        ]

    verified = f"- ansible.builtin.import_playbook: {ROOT / VERIFY}"
    site = tmp_path / "site.yml"
    site.write_text(
        f"{only(before)}{verified}\n{only(after)}{verified if after == 'fail:' else ''}\n"
    )
    with Lab(build, scripts=False) as lab:
        untouched = lab.registries()
        played = play(lab, str(site), "-e", "ets6_network_fail_on=never")
        assert lab.registries() == untouched
    assert played.statuses() == wanted, played.output


def test_the_strategy_of_a_users_configuration_does_not_matter(
    small: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")
    played = play(small, ENFORCE)
    assert (played.code, played.report["run"]["complies"]) == (0, True)


def test_a_report_comes_also_when_every_pc_is_away() -> None:
    with Lab(away, scripts=False) as lab:
        played = play(lab, ENFORCE)
        assert played.code != 0
        assert set(played.statuses().values()) == {"unreachable"}
        assert len(played.statuses()) == 3


@pytest.mark.parametrize("playbook", [ENFORCE, VERIFY, REMOVE])
def test_a_run_without_hosts_is_never_green_and_says_so(
    small: Lab, playbook: str, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {}}\n")
    small.inventory = tmp_path
    played = play(small, playbook, reports=tmp_path / "report")
    assert played.code != 0
    assert played.report["hosts"] == []
    assert played.report["run"]["complies"] is False
    assert "no host" in played.output.lower()


def test_a_failure_in_the_middle_says_what_was_done_and_what_was_not(small: Lab) -> None:
    pc = small.members["pc-never-started"].pc
    pc.state["faults"]["new_firewall_rule:ETS6-ETS6C-TCP-In"] = "Windows System Error 5"
    played = play(small, ENFORCE)
    assert played.code == 2
    host = played.host("pc-never-started")
    assert host["status"] == "fail"
    own = [name for name in pc.state["registry"][RULES]["values"] if name.startswith("ETS6-")]
    for control, status in (("firewall.rule.ets6c.tcp", "fail"), ("firewall.rule.ets6n.tcp", None)):
        finding = played.finding("pc-never-started", control)
        stands = f"ETS6-{control.split('.')[2].upper()}-TCP-In" in own
        assert finding["status"] == (status or ("fixed" if stands else "fail"))
    assert "ETS6-ETS6C-TCP-In: set_firewall_rule failed" in " ".join(played.output.split())
    assert played.statuses()["pc-prompt-cancelled"] == "fixed"


def test_what_cannot_be_read_is_unknown_and_never_a_pass(small: Lab) -> None:
    small.members["pc-already-right"].pc.state["registry"][POLICY]["denied"] = True
    small.members["pc-already-right"].pc.state["registry"][RULES]["denied"] = True
    played = play(small, VERIFY, "--limit", "pc-already-right")
    assert played.code == 2
    assert played.finding("pc-already-right", "firewall.inbound.ets6n.tcp")["status"] == "unknown"
    assert played.statuses() == {"pc-already-right": "unknown"}
