# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What if: generated stores, profiles and rules, judged by the collection and by a simple second judge, packet by packet."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from collections import Counter
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.operations import LOCAL_RULES
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall import reference
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    MDM_CONFLICT,
    fix,
    judge,
    pc,
    subjects,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.reference import (
    Machine,
)

MACHINES = 400
PROGRAMS = [
    r"C:\Program Files (x86)\ETS6\ETS6N.exe",
    r"c:\program files (x86)\ets6\ets6n.EXE",
    r"%ProgramFiles(x86)%\ETS6\ETS6N.exe",
    r"C:\PROGRA~2\ETS6\ETS6N.EXE",
]
OTHERS = [
    r"C:\Program Files (x86)\ETS6\ETS6C.exe",
    r"D:\ETS6\ETS6N.exe",
    r"%SystemRoot%\system32\svchost.exe",
    r"C:\PROGRA~1\ETS6\ETS6N.exe",
]


NAMED_DEVICES = [
    ("10.0.0.0/8", "fd00::/8"),
    ("203.0.113.0/24",),
    ("192.168.0.0/16", "2001:db8::/32"),
]

CONDITIONS = ["", "LPort", "RPort", "remote", "IFType", "LUOwn", "LUAuth", "Svc", "Security"]
WEIGHTS = [9, 1, 1, 5, 1, 1, 2, 1, 1]
SOME_PROFILES = [
    [],
    [],
    ["Domain"],
    ["Private"],
    ["Domain", "Private"],
    ["Public"],
    ["Private", "Public"],
]


def rule(dice: random.Random) -> str:
    """Return a rule, mostly for ETS6N.exe, with few conditions.

    With many conditions, hardly two rules would meet.
    """
    tokens = [
        ("Action", dice.choice(["Allow"] * 6 + ["Block"] * 3 + ["ByPass"])),
        ("Active", dice.choice(["TRUE"] * 7 + ["FALSE"])),
        ("Dir", dice.choice(["In", "Out"])),
    ]
    protocol = dice.choice(["6", "17", "6", "17", None, "1"])
    if protocol:
        tokens.append(("Protocol", protocol))
    tokens += [("Profile", name) for name in dice.choice(SOME_PROFILES)]
    conditions = dice.choices(CONDITIONS, WEIGHTS, k=dice.choice([1, 1, 1, 2]))
    for condition in dict.fromkeys(conditions):
        if condition not in ("LPort", "RPort") or protocol in ("6", "17"):
            tokens += condition_tokens(dice, condition)
    app = dice.choice([*PROGRAMS * 2, *OTHERS, None])
    if app:
        tokens.append(("App", app))
    tokens.append(("Name", "ETS6"))
    return written("v2.30", tokens)


def written(head: str, tokens: list[tuple[str, str]]) -> str:
    return "|".join([head, *(f"{name}={value}" for name, value in tokens), ""])


def condition_tokens(dice: random.Random, condition: str) -> list[tuple[str, str]]:
    """Return the tokens of a condition."""
    if condition == "remote":
        return remote_tokens(dice, "RA4", "RA6")
    pools = {
        "LPort": (reference.LOCAL_PORTS, [1, 2]),
        "RPort": (reference.REMOTE_PORTS, [1, 2]),
        "IFType": (reference.INTERFACES, [1, 2]),
        "LUOwn": ([reference.ANN], [1]),
        "LUAuth": (reference.ACCOUNTS, [1]),
        "Svc": (["*", "PolicyAgent"], [1]),
        "Security": (["Authenticate"], [1]),
    }
    if not condition:
        return []
    pool, numbers = pools[condition]
    return [(condition, value) for value in dice.sample(pool, dice.choice(numbers))]


def remote_tokens(dice: random.Random, token4: str, token6: str) -> list[tuple[str, str]]:
    tokens = [
        (token4, value) for value in dice.sample(reference.ADDRESSES, dice.choice([0, 1, 2, 8]))
    ]
    tokens += [
        (token6, value) for value in dice.sample(reference.ADDRESSES6, dice.choice([0, 1, 2, 6]))
    ]
    return tokens


def rules(dice: random.Random, most: int) -> dict[str, str]:
    # Ten ids for all stores: now and then two stores have a rule with the same one.
    return {f"{{{number}}}": rule(dice) for number in dice.sample(range(10), dice.randint(0, most))}


def connections(dice: random.Random, likely: float) -> dict[str, str]:
    """Return connection security rules, in most cases none."""
    if dice.random() > likely:
        return {}
    found = {}
    for number in range(dice.randint(1, 3)):
        actions = ["SecureServer", "Secure", "Boundary", "DoNotSecure"]
        tokens = [
            ("Action", dice.choice(actions)),
            ("Active", dice.choice(["TRUE", "TRUE", "FALSE"])),
            *[("Profile", name) for name in dice.choice(SOME_PROFILES)],
        ]
        protocol = dice.choice([None, None, "6", "17"])
        if protocol:
            tokens.append(("Protocol", protocol))
        if dice.random() < 0.6:
            tokens += remote_tokens(dice, "EP2_4", "EP2_6")
        found[f"c{number}"] = written("v2.30", [*tokens, ("Name", "IPsec")])
    return found


def settings(dice: random.Random, keys: list[str], likely: float) -> dict[str, dict[str, int]]:
    usual = {"EnableFirewall": 1, "DoNotAllowExceptions": 0}
    found: dict[str, dict[str, int]] = {}
    for key in keys:
        if dice.random() >= likely:
            continue
        found[key] = {}
        for name in reference.DEFAULTS:
            if dice.random() < 0.4:
                is_usual = dice.random() < 0.7
                found[key][name] = usual.get(name, 1) if is_usual else dice.choice([0, 1])
    return found


def machine(seed: int) -> Machine:
    dice = random.Random(seed)
    return Machine(
        local=rules(dice, 6),
        local_settings=settings(dice, ["DomainProfile", "StandardProfile", "PublicProfile"], 0.6),
        policy=rules(dice, 2),
        policy_settings=settings(
            dice, ["DomainProfile", "PrivateProfile", "PublicProfile", "StandardProfile"], 0.25
        ),
        mdm=rules(dice, 1),
        mdm_settings=settings(dice, ["DomainProfile", "StandardProfile", "PublicProfile"], 0.15),
        connections=connections(dice, 0.2),
        policy_connections=connections(dice, 0.1),
        mdm_wins=dice.random() < 0.6,
        devices=dice.choice([(), (), *NAMED_DEVICES]),
        own_port=dice.choice([0, 0, 3672, 50005]),
    )


def variables(found: Machine) -> dict[str, Any]:
    """Return the policy: the user's devices, and a port of the user's own."""
    own = {"name": "own", "direction": "in", "protocol": "udp", "ports": [found.own_port]}
    return {
        "remote_addresses": list(found.devices),
        "needed_traffic": [own] if found.own_port else [],
    }


def as_pc(found: Machine) -> Snapshot:
    keys = ("DomainProfile", "StandardProfile", "PublicProfile")
    return pc(
        found.local,
        group_policy=found.policy,
        mdm=found.mdm,
        profiles={key: {"EnableFirewall": 1, **found.local_settings.get(key, {})} for key in keys},
        group_policy_profiles=found.policy_settings,
        mdm_profiles=found.mdm_settings,
        connections=found.connections,
        group_policy_connections=found.policy_connections,
        users=[{"sid": sid, "logged_on": True} for sid in (reference.ANN, reference.BOB)],
        local_accounts=[{"sid": reference.ANN, "name": "ann", "group": False}],
        keys={
            MDM_CONFLICT: {
                "state": "present",
                "values": {"MDMWinsOverGP": ["REG_DWORD", int(found.mdm_wins)]},
            }
        },
    )


Case = tuple[str, str, str]
"""Direction, protocol and profile."""


def judged(found: Machine) -> dict[Case, dict[str, Any]]:
    """Return the collection's verdicts as they stand in the evidence."""
    findings = judge(as_pc(found), **variables(found))
    verdicts = {}
    for way, protocol in itertools.product(("inbound", "outbound"), ("tcp", "udp")):
        evidence = findings[f"firewall.{way}.ets6n.{protocol}"].evidence
        for entry in evidence.get("traffic", ()):
            verdicts[way, protocol, entry["profile"]] = entry
    return verdicts


def needs_in(entry: dict[str, Any]) -> dict[str, str]:
    return {item["need"]: item["outcome"] for item in entry["needs"]}


@pytest.mark.parametrize("seed", range(MACHINES))
def test_both_judges_agree(seed: int) -> None:
    found = machine(seed)
    for (way, protocol, profile), entry in judged(found).items():
        direction, number = way[:-5].capitalize(), {"tcp": 6, "udp": 17}[protocol]
        stronger = dataclasses.replace(found, mdm_wins=False)
        second = reference.outcomes(stronger, profile, direction, number)
        assert needs_in(entry) == second, (way, protocol, profile, found)
        doubtful = reference.is_doubtful(found, profile, direction, number)
        assert (entry["outcome"] == "unknown") == doubtful, (way, protocol, profile, found)


def test_the_matrix_holds_every_kind() -> None:
    kinds: Counter[tuple[str, str]] = Counter()
    deciders: Counter[str] = Counter()
    conflicts = 0
    for seed in range(MACHINES):
        for entry in judged(machine(seed)).values():
            conflicts += "MDMWinsOverGP" in entry["chain"][-1]
            kinds.update(needs_in(entry).items())
            for part in entry["decided_by"]:
                deciders[part["store"] or part["reason"].split("(")[0][:40]] += 1
                deciders.update(text.split(" ")[0] for text in part["conditions"])
    assert conflicts >= 10
    for need, outcome in itertools.product(
        [*reference.NEEDS, "own"], ("allowed", "blocked", "partial")
    ):
        assert kinds[need, outcome] >= 10, kinds
    for decider in ("local rules", "Group Policy", "MDM policy", "the", "remote", "local"):
        assert deciders[decider] >= 20, deciders
    assert sum(number for word, number in deciders.items() if "connection security" in word) >= 50


REMOVAL = re.compile(r"[Rr]emove rule '[^']*' \(([^,]*), ([^)]*)\)")
COMMAND = re.compile(r"Remove-NetFirewallRule -Name '([^']*)'")
AND_MORE = re.compile(r"' and (\d+) more; or set ets6_network_blocks to all")


@pytest.mark.parametrize("seed", range(150))
def test_advice_is_never_wrong(seed: int) -> None:
    found = machine(seed)
    snapshot = as_pc(found)
    policy = variables(found)
    findings = judge(snapshot, **policy)
    for finding in findings.values():
        for rule_id, store in REMOVAL.findall(f"{finding.reason} {finding.advice}"):
            assert store == "local rules", finding.reason
            assert "App" in reference.read(found.local[rule_id]), finding.reason
    deliberate = findings["firewall.deliberate_blocks"]
    announced = COMMAND.findall(deliberate.advice)
    further = sum(map(int, AND_MORE.findall(deliberate.advice)))
    removing = judge(snapshot, blocks="all", **policy)["firewall.deliberate_blocks"]
    if deliberate.status is Status.FAIL:
        assert set(announced) <= set(subjects(removing.remedy))
        assert len(announced) + further == len(removing.remedy)
    for rule_id in subjects(removing.remedy):
        assert "App" in reference.read(found.local[rule_id])


@pytest.mark.parametrize("seed", range(150))
def test_a_text_never_contradicts_its_status(seed: int) -> None:
    found = machine(seed)
    for control, finding in judge(as_pc(found), **variables(found)).items():
        if not control.startswith(("firewall.inbound.", "firewall.outbound.")):
            continue
        if finding.status is Status.PASS:
            assert "blocked" not in finding.reason, finding.reason
        elif finding.status is Status.FAIL:
            # An allow rule may be needed where the default blocks by one of two policies.
            assert re.search("blocked|Needed: ", finding.reason), finding.reason
        elif finding.status is Status.UNKNOWN:
            assert "could not be determined" in finding.reason, finding.reason


@pytest.mark.parametrize("seed", range(150))
def test_one_run_settles_whatever_it_finds(seed: int) -> None:
    dice = random.Random(seed)
    policy = {
        "blocks": dice.choice(["prompt", "all", "none"]),
        "outbound": dice.choice(["auto", "always", "never"]),
        "profiles": dice.sample(["domain", "private", "public"], dice.randint(1, 3)),
        "multicast_answers": dice.choice(["unmanaged", "allow"]),
        "remote_addresses": dice.choice([[], ["LocalSubnet"], ["10.0.0.0/8", "fd00::/8"]]),
    }
    before = as_pc(machine(seed))
    after, _changes = fix(before, **policy)
    assert fix(after, **policy)[1] == []
    findings = judge(after, **policy)
    for control, finding in judge(before, **policy).items():
        if finding.remedy and control.startswith(
            ("firewall.rule.", "firewall.prompt_blocks", "firewall.stale_rules")
        ):
            assert findings[control].status is Status.PASS, (control, findings[control].reason)
    # And it takes back what it did, and only that.
    gone, _changes = fix(after, state="absent")
    ids = {name for name in gone.registry.key(LOCAL_RULES).values if name.startswith("ETS6-")}
    assert ids == set()
    assert fix(gone, state="absent")[1] == []
