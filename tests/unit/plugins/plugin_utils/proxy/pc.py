# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A PC of the lab, asked and changed as windows_host would: the lab writes blobs and performs operations with code of its own."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.finding import Change, Finding, remedies
from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import Endpoint
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.probes import parse_probe
from ansible_collections.ets6.network.plugins.plugin_utils.proxy import controls
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import assess

from tests.lab import model
from tests.lab.pc import INTERNET, PROFILE_LIST, USER, Pc

OTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"
NOW = "2026-11-23T10:00:00Z"


def pc_with_proxy(flags: int = 1, proxy: str = "", bypass: str = "", pac_url: str = "") -> Pc:
    """Return a PC whose user has this proxy."""
    pc = Pc("pc")
    pc.user_proxy(flags, proxy, bypass, pac_url)
    return pc


def second_user(pc: Pc, logged_on: bool = False, loaded: bool = False) -> str:
    """Add a user; return the key of their Internet Settings as the state spells it."""
    pc.set(rf"{PROFILE_LIST}\{OTHER}", ProfileImagePath=["REG_EXPAND_SZ", r"C:\Users\second"])
    pc.state["users"].append({"sid": OTHER, "profile": r"C:\Users\second", "logged_on": logged_on})
    root = rf"HKU\{OTHER}" if loaded else r"FILE\C:\Users\second\NTUSER.DAT"
    pc._wininet(rf"{root}\{INTERNET}", 1, "", "", "")
    return rf"{root}\{INTERNET}"


def ask(
    pc: Pc,
    probes: list[dict[str, Any]] | None = None,
    operations: list[dict[str, Any]] | None = None,
    **policy: Any,
) -> Any:
    """Run windows_host on the PC; return the snapshot and what became of the operations."""
    request = {
        key: value
        for key, value in controls.request(Policy.from_variables(policy)).items()
        if key != "probes"
    }
    reply = model.answer(pc, {**request, "operations": operations or []})
    snapshot = Snapshot.unpack(reply["snapshot"])
    return with_probes(snapshot, probes or []), reply["operations"]


def with_probes(snapshot: Snapshot, probes: list[dict[str, Any]]) -> Snapshot:
    """Return the snapshot with these probes, in the form in which a PC sends them, and no others."""
    parsed = tuple(parse_probe(probe, "probe") for probe in probes)
    return dataclasses.replace(snapshot, probes=parsed)


def snapshot(pc: Pc, probes: list[dict[str, Any]] | None = None, **policy: Any) -> Snapshot:
    """Return what stands on the PC, and the probes that are given."""
    found: Snapshot = ask(pc, probes, **policy)[0]
    return found


def context(
    pc: Pc, probes: list[dict[str, Any]] | None = None, endpoints: Sequence[Endpoint] = ()
) -> ProxyContext:
    """Return what is known of the PC's proxies. endpoints: those of the policy, else the default ones."""
    policy = Policy(endpoints=tuple(endpoints)) if endpoints else Policy()
    return ProxyContext(snapshot(pc, probes), policy)


def judge(pc: Pc, probes: list[dict[str, Any]] | None = None, **policy: Any) -> dict[str, Finding]:
    """Return the findings by control."""
    found = assess(snapshot(pc, probes, **policy), Policy.from_variables(policy), "proxy")
    return {finding.control.id: finding for finding in found}


def fix(pc: Pc, **policy: Any) -> tuple[list[Change], list[dict[str, Any]]]:
    """Have every remedy carried out; return the remedies and what became of the operations."""
    changes = remedies(judge(pc, **policy).values())
    steps = [step.to_wire() for change in changes for step in change.operations]
    return changes, ask(pc, operations=steps, **policy)[1]


def registry(pc: Pc) -> str:
    """Return the PC's registry as text, to be compared."""
    return json.dumps(pc.state["registry"], sort_keys=True)


def values(pc: Pc, path: str) -> dict[str, Any]:
    """Return the values of a key."""
    found: dict[str, Any] = pc.state["registry"][path]["values"]
    return found


def raw(pc: Pc, path: str, name: str) -> bytes:
    """Return the bytes of a REG_BINARY."""
    return base64.b64decode(values(pc, path)[name][1])


def probe(name: str, way: str = "", **found: Any) -> dict[str, Any]:
    """Return a probe's result: everything fine unless told otherwise."""
    return {
        "name": name,
        "proxy": way,
        "stage": "done",
        "error": None,
        "addresses": ["192.0.2.80"],
        "address": "192.0.2.80",
        "local": "192.0.2.7",
        "elapsed": {},
        "connect": None,
        "tls": None,
        "http": {"status": 200, "headers": [], "body": ""},
        **found,
    }


def script(url: str, text: str, status: int = 200, **found: Any) -> dict[str, Any]:
    """Return the probe that fetched a proxy script."""
    body = base64.b64encode(text.encode()).decode()
    return probe(f"pac {url}", **{"http": {"status": status, "headers": [], "body": body}, **found})


MINE = rf"HKU\{USER}\{INTERNET}"
"""The Internet Settings of the user who is logged on."""
