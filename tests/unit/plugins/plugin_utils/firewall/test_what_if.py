# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What if: generated stores, profiles and rules, judged by the collection and by a simple second judge, packet by packet."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.operations import LOCAL_RULES
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall import reference
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    fix,
    judge,
    pc,
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


def rule(dice: random.Random) -> str:
    """Return a rule, mostly for ETS6N.exe, with few conditions: with many, hardly two rules would meet."""
    tokens = [
        ("Action", dice.choice(["Allow"] * 6 + ["Block"] * 3 + ["ByPass"])),
        ("Active", dice.choice(["TRUE"] * 7 + ["FALSE"])),
        ("Dir", dice.choice(["In", "Out"])),
    ]
    protocol = dice.choice(["6", "17", "6", "17", None, "1"])
    if protocol:
        tokens.append(("Protocol", protocol))
    tokens += [
        ("Profile", name)
        for name in dice.choice(
            [
                [],
                [],
                ["Domain"],
                ["Private"],
                ["Domain", "Private"],
                ["Public"],
                ["Private", "Public"],
            ]
        )
    ]
    conditions = dice.choices(
        ["", "LPort", "RPort", "remote", "IFType", "LUOwn", "Svc"],
        [9, 1, 1, 5, 1, 1, 1],
        k=dice.choice([1, 1, 1, 2]),
    )
    for condition in dict.fromkeys(conditions):
        if condition in ("LPort", "RPort") and protocol in ("6", "17"):
            pool = reference.LOCAL_PORTS if condition == "LPort" else reference.REMOTE_PORTS
            tokens += [(condition, value) for value in dice.sample(pool, dice.choice([1, 2]))]
        elif condition == "remote":
            tokens += [
                ("RA4", value)
                for value in dice.sample(reference.ADDRESSES, dice.choice([0, 1, 2, 6]))
            ]
            tokens += [
                ("RA6", value)
                for value in dice.sample(reference.ADDRESSES6, dice.choice([0, 1, 2, 5]))
            ]
        elif condition == "IFType":
            tokens += [
                ("IFType", value)
                for value in dice.sample(reference.INTERFACES, dice.choice([1, 2]))
            ]
        elif condition == "LUOwn":
            tokens.append(("LUOwn", "S-1-5-21-1"))
        elif condition == "Svc":
            tokens.append(("Svc", dice.choice(["*", "PolicyAgent"])))
    app = dice.choice([*PROGRAMS * 2, *OTHERS, None])
    if app:
        tokens.append(("App", app))
    tokens.append(("Name", "ETS6"))
    return "|".join(["v2.30", *(f"{name}={value}" for name, value in tokens), ""])


def rules(dice: random.Random, most: int) -> dict[str, str]:
    # Ten ids for all stores: now and then two stores have a rule with the same one.
    return {f"{{{number}}}": rule(dice) for number in dice.sample(range(10), dice.randint(0, most))}


def settings(dice: random.Random, keys: list[str], likely: float) -> dict[str, dict[str, int]]:
    names = [
        "EnableFirewall",
        "DoNotAllowExceptions",
        "DefaultInboundAction",
        "DefaultOutboundAction",
        "AllowLocalPolicyMerge",
    ]
    usual = {"EnableFirewall": 1, "DoNotAllowExceptions": 0}
    found: dict[str, dict[str, int]] = {}
    for key in keys:
        if dice.random() < likely:
            chosen = [name for name in names if dice.random() < 0.4]
            found[key] = {
                name: usual.get(name, 1) if dice.random() < 0.7 else dice.choice([0, 1])
                for name in chosen
            }
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
    )


def as_pc(found: Machine) -> Snapshot:
    keys = ("DomainProfile", "StandardProfile", "PublicProfile")
    return pc(
        found.local,
        group_policy=found.policy,
        mdm=found.mdm,
        profiles={key: {"EnableFirewall": 1, **found.local_settings.get(key, {})} for key in keys},
        group_policy_profiles=found.policy_settings,
        mdm_profiles=found.mdm_settings,
    )


def judged(found: Machine) -> dict[tuple[str, str, str], str]:
    """Return the collection's outcomes, by direction, protocol and profile."""
    findings = judge(as_pc(found))
    return {
        (way, protocol, entry["profile"]): entry["outcome"]
        for way in ("inbound", "outbound")
        for protocol in ("tcp", "udp")
        for entry in findings[f"firewall.{way}.ets6n.{protocol}"].evidence.get("traffic", ())
    }


@pytest.mark.parametrize("seed", range(MACHINES))
def test_both_judges_agree(seed: int) -> None:
    found = machine(seed)
    for (way, protocol, profile), outcome in judged(found).items():
        second = reference.outcome(
            found, profile, way[:-5].capitalize(), {"tcp": 6, "udp": 17}[protocol]
        )
        assert outcome == second, (way, protocol, profile, found)


def test_the_matrix_holds_every_kind() -> None:
    kinds = Counter(
        (key[0], outcome)
        for seed in range(MACHINES)
        for key, outcome in judged(machine(seed)).items()
    )
    for way in ("inbound", "outbound"):
        for outcome in ("allowed", "blocked", "partial"):
            assert kinds[way, outcome] >= 50, kinds


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
