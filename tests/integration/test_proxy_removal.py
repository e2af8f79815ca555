# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The real PowerShell sets a proxy and puts back what was there, in both dialects, over the stand-ins' registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.controls import Assessment
from ansible_collections.ets6.network.plugins.plugin_utils.finding import remedies
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy import controls
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

from tests.integration import remote
from tests.integration.debian import need
from tests.lab.pc import (
    INTERNET,
    MACHINE_INTERNET,
    MACHINE_INTERNET_32,
    NETSH_VARIANTS,
    PROFILE_LIST,
    USER,
    Pc,
    connection_blob,
)
from tests.lab.script import find_pwsh

OTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"
RESTRICTED = "D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)"
OWN_KEY = r"HKLM\SOFTWARE\ets6.network"
FIVE_BYTES = ["REG_BINARY", "RgAAAAA="]


def earlier_pc() -> Pc:
    """Return a PC with an odd blob, a login in each place, a user who is not logged on, and an old netsh."""
    pc = Pc("pc", rule_count=0)
    pc.state["netsh"] = NETSH_VARIANTS[1]
    pc.winhttp_proxy("machine:s3cret@old:1", "*.old")
    connections = rf"HKU\{USER}\{INTERNET}\Connections"
    pc.set(connections, DefaultConnectionSettings=FIVE_BYTES, SavedLegacySettings=FIVE_BYTES)
    pc.set(rf"{PROFILE_LIST}\{OTHER}", ProfileImagePath=["REG_EXPAND_SZ", r"C:\Users\second"])
    second = rf"FILE\C:\Users\second\NTUSER.DAT\{INTERNET}"
    pc._wininet(second, 3, "knx:s3cret@old:1", "*.old", "")
    pc._wininet(MACHINE_INTERNET, 3, "machine:s3cret@old:1", "", "")
    vpn = connection_blob(3, "vpn:1")
    pc.set(MACHINE_INTERNET_32 + r"\Connections", **{"Office VPN": vpn})
    return pc


def settle(pc: Pc, dialect: str, folder: Path, **variables: Any) -> None:
    """Have PowerShell read the PC, and then carry out what the proxy's controls propose."""
    policy = Policy.from_variables(variables)
    request = dict(controls.request(policy))
    reply = remote.ask(pc, dialect, {**request, "probes": []}, folder)
    assessment = Assessment(Snapshot.unpack(reply["snapshot"]), policy)
    findings = [
        finding for finding in assessment.findings if finding.control.id.startswith("proxy.")
    ]
    steps = [step.to_wire() for change in remedies(findings) for step in change.operations]
    assert steps
    outcome = remote.ask(pc, dialect, {**request, "probes": [], "operations": steps}, folder)
    assert {operation["state"] for operation in outcome["operations"]} == {"done"}


def without_records(pc: Pc) -> dict[str, Any]:
    """Return the registry without this collection's keys, and without keys that hold nothing."""
    keys: dict[str, Any] = json.loads(json.dumps(pc.state["registry"]))
    return {path: key for path, key in keys.items() if "ets6.network" not in path and key["values"]}


@pytest.mark.parametrize("dialect", ["5.1", "7"])
@pytest.mark.parametrize("scope", ["machine", "users"])
def test_powershell_gives_back_what_was_there(scope: str, dialect: str, tmp_path: Path) -> None:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    pc = earlier_pc()
    before = without_records(pc)
    settle(pc, dialect, tmp_path, proxy={"mode": "named", "server": "new:1", "scope": scope})
    assert without_records(pc) != before
    records = {path: key for path, key in pc.state["registry"].items() if "ets6.network" in path}
    for path, key in records.items():
        assert (key.get("access") == RESTRICTED) == path.startswith("HKLM"), path
        assert "knx:s3cret" not in json.dumps(key) or "HKLM" not in path
    assert OWN_KEY + r"\Proxy" in records
    settle(pc, dialect, tmp_path, state="absent")
    assert without_records(pc) == before
    assert not any(pc.state["registry"][path]["values"] for path in records)
