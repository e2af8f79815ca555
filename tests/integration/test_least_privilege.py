# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A PC whose account is not an administrator: what docs/security.md says is still judged, and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status, remedies
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

from tests.integration import remote
from tests.integration.debian import need
from tests.lab.pc import GROUP_POLICY, INTERNET, MACHINE_INTERNET, PROFILE_LIST, USER, Pc
from tests.lab.script import find_pwsh

PROXY = {"mode": "named", "server": "proxy.example:8080", "scope": "users"}
OTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"


def lab_pc(*, administrator: bool) -> Pc:
    """Return a PC with one user who is logged on and one who is not."""
    pc = Pc("pc-account", rule_count=3)
    pc.set(rf"{PROFILE_LIST}\{OTHER}", ProfileImagePath=["REG_SZ", r"C:\Users\other"])
    pc.set(rf"FILE\C:\Users\other\NTUSER.DAT\{INTERNET}", ProxyEnable=["REG_DWORD", 0])
    if administrator:
        return pc
    # Microsoft Learn: loading a hive takes the privileges SE_RESTORE_NAME and SE_BACKUP_NAME; GetOwnerSid asks for the process; users
    # read most of HKLM, and write none of it.
    pc.state["faults"] |= {"reg_load": "Zugriff verweigert", f"owner:{USER}": "HRESULT 0x80041003"}
    for path, key in pc.state["registry"].items():
        if path.startswith(rf"HKU\{USER}"):
            key["denied"] = True
        if path.startswith("HKLM"):
            key["denied"] = "write"
    return pc


def ask(pc: Pc, folder: Path, policy: Policy, **more: Any) -> tuple[dict[str, Any], Snapshot]:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    request = {**controls.request(policy), "probes": [], **more}
    reply = remote.ask(pc, "5.1", request, folder)
    assert not reply.get("failed"), reply["msg"]
    return reply, Snapshot.unpack(reply["snapshot"])


def statuses(snapshot: Snapshot, policy: Policy) -> dict[str, Status]:
    findings = controls.Assessment(snapshot, policy).findings
    return {finding.control.id: finding.status for finding in findings}


def test_what_is_judged_without_the_rights_of_an_administrator(tmp_path: Path) -> None:
    policy = Policy.from_variables({"proxy": PROXY})
    judged = {}
    for administrator in (True, False):
        pc = lab_pc(administrator=administrator)
        judged[administrator] = statuses(ask(pc, tmp_path, policy)[1], policy)
    different = {
        control: status
        for control, status in judged[False].items()
        if status is not judged[True][control]
    }
    # The rest of the firewall and WinHTTP are judged alike: users read what these need.
    assert different == {
        "proxy.effective": Status.UNKNOWN,
        "proxy.environment": Status.UNKNOWN,
        "proxy.login": Status.UNKNOWN,
        "proxy.wininet": Status.UNKNOWN,
    }
    assert judged[False]["firewall.rule.ets6n.tcp"] is Status.FAIL


@pytest.mark.parametrize("path", [GROUP_POLICY, MACHINE_INTERNET])
def test_a_key_of_the_machine_that_cannot_be_read_costs_what_needs_it(
    tmp_path: Path, path: str
) -> None:
    policy = Policy.from_variables({"proxy": {**PROXY, "scope": "machine"}})
    pc = lab_pc(administrator=True)
    before = statuses(ask(pc, tmp_path, policy)[1], policy)
    pc.set(path)
    pc.state["registry"][path]["denied"] = True
    after = statuses(ask(pc, tmp_path, policy)[1], policy)
    changed = {control for control in before if before[control] is not after[control]}
    family = "firewall." if path == GROUP_POLICY else "proxy."
    assert changed
    assert {control.startswith(family) for control in changed} == {True}
    assert {after[control] for control in changed} == {Status.UNKNOWN}


def test_nothing_is_begun_without_the_right_to_write(tmp_path: Path) -> None:
    policy = Policy()
    pc = lab_pc(administrator=False)
    snapshot = ask(pc, tmp_path, policy)[1]
    operations = [
        operation.to_wire()
        for change in remedies(controls.Assessment(snapshot, policy).findings)
        for operation in change.operations
    ]
    assert len(operations) == 4
    before = json.dumps(pc.state["registry"])
    reply, _snapshot = ask(pc, tmp_path, policy, operations=operations)
    assert [result["state"] for result in reply["operations"]] == ["failed", *["not_done"] * 3]
    assert "verweigert" in reply["operations"][0]["error"]
    assert json.dumps(pc.state["registry"]) == before
