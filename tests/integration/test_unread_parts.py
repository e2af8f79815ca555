# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A property: what cannot be read, or is missing, never turns a fail or an unknown into a pass. Every PC of the lab, every part."""

from __future__ import annotations

import base64
import copy
import dataclasses
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import (
    PARSERS,
    Policy,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import probe_plan
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

from tests.lab import fleet, model, rules
from tests.lab.faults import ODD
from tests.lab.network import Network
from tests.lab.pc import (
    BELOW_C,
    INTERNET,
    PROFILE_LIST,
    PROGRAMS,
    PROTECTED,
    connection_blob,
)

GOOD = frozenset({Status.PASS, Status.NOT_APPLICABLE})
"""What an open finding must not become because less is known."""
BUILDERS = {build.__name__.lstrip("_"): build for build in fleet.BUILDERS}
BUILDERS["nothing_right"] = lambda network: fleet.nothing_right("pc-nothing-right", network)


def _proxy_is_right(network: Network) -> fleet.Member:
    """Return a PC whose users and WinHTTP have the proxy that is wanted, and whose environment names another one."""
    member = fleet.nothing_right("pc-proxy-right", network)
    member.pc.winhttp_proxy(network.proxy.address)
    member.pc.user_proxy(3, network.proxy.address, "<local>;*.example.com")
    member.pc.state["environment"]["HTTPS_PROXY"] = "http://proxy.example:1"
    return member


BUILDERS["proxy_is_right"] = _proxy_is_right


def _elsewhere(network: Network) -> fleet.Member:
    """Return a PC with ETS6 in two more folders, which only rules name: users can replace one of the two."""
    member = fleet.compliant("pc-elsewhere", network)
    member.pc.allow_all(r"C:\Tools\ETS6")
    for folder, sddl in ((r"C:\Tools\ETS6", PROTECTED), (r"C:\evil", BELOW_C)):
        member.pc.install(folder)
        for program in PROGRAMS:
            member.pc.rule(rules.prompt_block(rf"{folder}\{program}.exe", "UDP", ("Private",)))
            member.pc.protect(rf"{folder}\{program}.exe", sddl)
    return member


BUILDERS["elsewhere"] = _elsewhere


def _two_users(network: Network) -> fleet.Member:
    """Return a PC whose first user has the proxy that is wanted and whose second user has not, and no user is logged on."""
    member = _proxy_is_right(network)
    second = "S-1-5-21-1004336348-1177238915-682003330-1002"
    member.pc.set(rf"{PROFILE_LIST}\{second}", ProfileImagePath=["REG_SZ", r"C:\Users\second"])
    member.pc.set(
        rf"FILE\C:\Users\second\NTUSER.DAT\{INTERNET}\Connections",
        DefaultConnectionSettings=connection_blob(3, "old-proxy.example:1"),
    )
    member.pc.state["users"] = []
    return member


BUILDERS["two_users"] = _two_users


@dataclass(frozen=True)
class Seen:
    """What a PC of the lab answered, in the form of the wire, and the policy for it."""

    content: dict[str, Any]
    policy: Policy


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    network = Network(tmp_path_factory.mktemp("network"))
    answers = {}
    for name, build in BUILDERS.items():
        member = build(network)
        variables = {
            "public_roots": str(network.roots),
            **{key.removeprefix("ets6_network_"): value for key, value in member.variables.items()},
        }
        policy = Policy.from_variables({key: variables[key] for key in variables if key in PARSERS})
        asked = {**controls.request(policy), "probe_timeout": 10}
        answers[name] = Seen(_ask(member, asked, policy), policy)
    yield answers
    network.stop()


def _ask(member: fleet.Member, asked: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """Return what the PC answers, with all that is probed of it."""
    content = _unpacked(model.answer(member.pc, asked))
    for _round in range(probe_plan.ROUNDS):
        context = controls.Assessment(Snapshot.from_wire(content), policy).proxy
        more = probe_plan.missing_probes(context)
        if not more:
            break
        content["probes"] += _unpacked(model.answer(member.pc, {"probes": more}))["probes"]
    return content


def _unpacked(reply: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(reply["snapshot"])))
    return content


def statuses(content: Any, policy: Policy) -> dict[str, Status]:
    findings = controls.Assessment(Snapshot.from_wire(content), policy).findings
    return {finding.control.id: finding.status for finding in findings}


def less(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the answer with one part null, gone or of another type, or with one key unreadable or gone; each with its name."""
    for part in content:
        if part in ("version", "registry", "errors"):
            continue
        yield f"{part}: null", {**content, part: None}
        yield f"{part}: gone", {key: value for key, value in content.items() if key != part}
        odd = {ODD: ODD} if isinstance(content[part], list) else [ODD]
        yield f"{part}: odd", {**content, part: odd}
    yield "registry: null", {**content, "registry": None}
    yield "registry: odd", {**content, "registry": [ODD]}
    for path in content["registry"]:
        for name, key in (
            ("unreadable", {"state": "unreadable", "error": "Zugriff verweigert"}),
            ("odd", {"state": "present", "values": {"x": ["REG_DWORD", ODD]}}),
            ("gone", None),
        ):
            changed = copy.deepcopy(content)
            changed["registry"][path] = key
            if key is None:
                del changed["registry"][path]
            yield f"{path}: {name}", changed
    yield from less_of_items(content)
    for number, _user in enumerate(content.get("users") or ()):
        changed = copy.deepcopy(content)
        changed["users"][number] |= {"hive": "unavailable", "error": "Zugriff verweigert"}
        sid = changed["users"][number]["sid"]
        for path in list(changed["registry"]):
            if path.startswith(f"HKU\\{sid}\\"):
                del changed["registry"][path]
        yield f"user {sid}", changed


def less_of_items(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the answer with one file or folder unreadable, or one probe that did not come to its end."""
    for number, file in enumerate(content["files"]):
        changed = copy.deepcopy(content)
        changed["files"][number] |= {"state": "unreadable", "error": "Zugriff verweigert"}
        yield f"file {file['path']}", changed
    for path in content["access"]:
        for name, entry in (
            ("unreadable", {"error": "Zugriff verweigert"}),
            ("a link", {**content["access"][path], "attributes": 0x410}),
            ("odd", {"sddl": ODD}),
            ("gone", None),
        ):
            changed = copy.deepcopy(content)
            changed["access"][path] = entry
            if entry is None:
                del changed["access"][path]
            yield f"access of {path}: {name}", changed
    for number, probe in enumerate(content["probes"] or ()):
        changed = copy.deepcopy(content)
        changed["probes"][number] |= {
            "stage": "queue",
            "error": {"kind": "timeout", "code": None, "text": "the time for all probes ended"},
            "http": None,
            "tls": None,
            "connect": None,
        }
        yield f"probe {probe['name']}: timeout", changed
        changed = copy.deepcopy(content)
        del changed["probes"][number]
        yield f"probe {probe['name']}: gone", changed


def _is_about_environment(what: str) -> bool:
    part, _colon, _how = what.partition(":")
    is_key = what.rpartition(":")[0].endswith("\\Environment")
    return part in ("environment", "users", "registry") or is_key


@pytest.mark.parametrize("pc", BUILDERS)
def test_what_is_not_known_never_makes_a_pc_look_better(seen: dict[str, Seen], pc: str) -> None:
    before = statuses(seen[pc].content, seen[pc].policy)
    better = {}
    for what, content in less(seen[pc].content):
        after = statuses(content, seen[pc].policy)
        assert after.keys() == before.keys()
        for control, status in after.items():
            if control == "proxy.environment" and _is_about_environment(what):
                assert status is Status.UNKNOWN, what
            if before[control] not in GOOD and status is Status.PASS:
                better[what, control] = (before[control].value, status.value)
    assert better == {}


def test_every_part_of_a_snapshot_is_in_the_answers(seen: dict[str, Seen]) -> None:
    """Whoever adds a part has it tried above."""
    known = {field.name for field in dataclasses.fields(Snapshot)}
    parts = known - {"offline", "vantage", "unread"} | {"version"}
    for answer in seen.values():
        assert set(answer.content) == parts


def test_of_a_pc_of_which_nothing_is_known_nothing_is_good(seen: dict[str, Seen]) -> None:
    policy = next(iter(seen.values())).policy
    after = statuses({"version": 1}, policy)
    assert {control for control, status in after.items() if status is Status.PASS} == set()
