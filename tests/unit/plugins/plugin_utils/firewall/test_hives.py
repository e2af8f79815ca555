# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rules of real PCs: the codec on every one of them, and both judges on the programs they are for."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_rule import Rule
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall import (
    hives,
    reference,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    ENVIRONMENT,
    N,
    fix,
    judge,
    pc,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.reference import (
    Machine,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.test_what_if import (
    needs_in,
    rules,
)

VERSIONS = {"win10-2004-clean": 0x021E, "win10-1709-dirty": 0x021B}
SIMPLE = frozenset({
    "Action", "Active", "Dir", "Protocol", "Profile", "LPort", "RPort", "RA4", "RA6", "App", "Svc", "Name", "Desc", "EmbedCtxt",
    "Edge", "Defer", "IFType", "AppPkgId", "LUOwn",
})  # fmt: skip


@pytest.mark.parametrize("name", hives.HIVES)
def test_every_rule_comes_back_byte_for_byte(name: str) -> None:
    strings = hives.every_string(name)
    assert len(strings) > 900
    for key, rule_id, text in strings:
        rule = Rule.parse(rule_id, text)
        assert rule.write() == text, (key, rule_id)
        assert not rule.unknown, (key, rule_id)
        for matched in (
            rule.remote_addresses,
            rule.local_addresses,
            rule.local_ports,
            rule.remote_ports,
        ):
            assert bool(matched) is bool(matched.spans or matched.words)


@pytest.mark.parametrize("name", hives.HIVES)
def test_a_real_pc_gets_four_rules_and_is_right(name: str) -> None:
    snapshot = pc(hives.local_rules(name), version=VERSIONS[name])
    findings = judge(snapshot)
    assert findings["firewall.malformed_rules"].status is Status.PASS
    assert findings["firewall.inbound.ets6n.udp"].status is Status.FAIL
    after, changes = fix(snapshot)
    assert len(changes) == 4
    assert {finding.status for finding in judge(after).values()} == {Status.PASS}
    assert fix(after)[1] == []


def expanded(app: str) -> str:
    for variable, value in ENVIRONMENT.items():
        app = app.lower().replace(f"%{variable.lower()}%", value.lower())
    return app


def simple_programs(name: str) -> list[str]:
    """Return the programs all of whose rules the second judge understands."""
    by_program: dict[str, bool] = {}
    for rule_id, text in hives.local_rules(name).items():
        rule = Rule.parse(rule_id, text)
        words = any(port.words for port in (rule.local_ports, rule.remote_ports))
        simple = {token for token, _value in rule.tokens} <= SIMPLE and not words
        path = expanded(rule.app)
        by_program[path] = by_program.get(path, True) and simple
    return sorted(
        path
        for path, simple in by_program.items()
        if simple and path.endswith(".exe") and "%" not in path
    )


USERS = [{"sid": sid, "logged_on": True} for sid in (reference.ANN, reference.BOB)]


@pytest.mark.parametrize("name", hives.HIVES)
def test_both_judges_agree_on_the_programs_of_a_real_pc(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = simple_programs(name)
    assert len(programs) >= 10
    rules_of_pc = hives.local_rules(name)
    folders = {f"%{variable.lower()}%": value.lower() for variable, value in ENVIRONMENT.items()}
    monkeypatch.setattr(reference, "FOLDERS", folders)
    compared = 0
    for path in random.Random(name).sample(programs, 6):
        monkeypatch.setattr(reference, "PROGRAM", path)
        compared += compare(path, rules_of_pc)
    assert compared > 12


def compare(path: str, rules_of_pc: dict[str, str]) -> int:
    """Compare the verdicts on a program, and return how many of them are not blocked."""
    folder, _backslash, program = path.rpartition("\\")
    snapshot = pc(rules_of_pc, files=[path], users=USERS)
    findings = judge(snapshot, programs=[program], paths=[folder])
    machine = Machine(rules_naming(path, rules_of_pc), {}, {}, {}, {}, {})
    ports = set()
    for text in machine.local.values():
        if path in expanded(text):
            ports.update(map(int, re.findall(r"[LR]Port=(\d+)", text)))
    compared = 0
    for way, (protocol, number) in itertools.product(("inbound", "outbound"), PROTOCOLS.items()):
        control = f"firewall.{way}.{program.removesuffix('.exe')}.{protocol}"
        for entry in findings[control].evidence["traffic"]:
            compared += entry["outcome"] != "blocked"
            second = reference.outcomes(
                machine, entry["profile"], way[:-5].capitalize(), number, ports
            )
            assert needs_in(entry) == second, (path, way, protocol, entry)
    return compared


PROTOCOLS = {"tcp": 6, "udp": 17}


def rules_naming(path: str, rules_of_pc: dict[str, str]) -> dict[str, str]:
    """Return the rules for a program, and those for every program."""
    mine = {}
    for rule_id, text in rules_of_pc.items():
        app = text.partition("App=")[2].partition("|")[0]
        if not app or expanded(app) == path:
            mine[rule_id] = text
    return mine


@pytest.mark.parametrize("name", hives.HIVES)
@pytest.mark.parametrize("seed", range(5))
def test_both_judges_agree_on_ets6_among_the_rules_of_a_real_pc(name: str, seed: int) -> None:
    all_rules = {**hives.local_rules(name), **rules(random.Random(seed), 5)}
    findings = judge(pc(all_rules, users=USERS))
    near = {
        rule_id: text
        for rule_id, text in all_rules.items()
        if "App=" not in text or "ets6" in text.lower()
    }
    machine = Machine(near, {}, {}, {}, {}, {})
    for way, protocol, number in (("inbound", "udp", 17), ("outbound", "tcp", 6)):
        for entry in findings[f"firewall.{way}.ets6n.{protocol}"].evidence["traffic"]:
            assert entry["program"] == N
            direction = way[:-5].capitalize()
            second = reference.outcomes(machine, entry["profile"], direction, number)
            assert needs_in(entry) == second
