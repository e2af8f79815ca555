# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Very many rules, of the kinds and in the shares that Windows PCs have them."""

from __future__ import annotations

import random

from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import N

PROFILES = [
    [],
    [],
    [],
    ["Domain"],
    ["Private", "Public"],
    ["Domain", "Private", "Public"],
    ["Public"],
    ["Private"],
]


def many_rules(count: int) -> dict[str, str]:
    """Return count rules: for services, app packages, programs and no program; a few for ETS6."""
    dice = random.Random(count)
    return {
        f"{{{number:08X}-0000-4000-8000-000000000000}}": _rule(dice, number)
        for number in range(count)
    }


def _rule(dice: random.Random, number: int) -> str:
    tokens = [
        ("Action", dice.choice(["Allow"] * 9 + ["Block"])),
        ("Active", dice.choice(["TRUE", "FALSE"])),
        ("Dir", dice.choice(["In", "Out"])),
    ]
    protocol = dice.choice(["6", "17", "6", "17", "1", "58", None])
    if protocol:
        tokens.append(("Protocol", protocol))
    tokens += [("Profile", name) for name in dice.choice(PROFILES)]
    if protocol in ("6", "17") and dice.random() < 0.6:
        tokens.append(
            (
                dice.choice(["LPort", "RPort"]),
                str(dice.choice([80, 135, 139, 443, 445, 554, 5353, 5355, 3702, 2869])),
            )
        )
    if dice.random() < 0.35:
        tokens += [("RA4", "LocalSubnet"), ("RA6", "LocalSubnet")]
    kind = dice.choices(["service", "package", "program", "none", "ets6"], [36, 32, 27, 4, 1])[0]
    if kind == "service":
        tokens += [("App", r"%SystemRoot%\system32\svchost.exe"), ("Svc", f"svc{number % 90}")]
    elif kind == "program":
        tokens.append(("App", rf"C:\Program Files\Vendor {number % 400}\Program{number % 700}.exe"))
    elif kind == "ets6":
        tokens.append(("App", N.replace("Program Files (x86)", f"Old{number % 30}")))
    elif kind == "none" and "Block" in tokens[0]:
        tokens[0] = ("Action", "Allow")
    tokens += [
        ("Name", f"@FirewallAPI.dll,-{25000 + number % 3000}"),
        ("Desc", f"@FirewallAPI.dll,-{28000 + number % 3000}"),
    ]
    if kind == "package":
        tokens += [("LUOwn", "S-1-5-21-1-2-3-1001"), ("AppPkgId", f"S-1-15-2-{number}")]
    tokens.append(("EmbedCtxt", "@FirewallAPI.dll,-25000"))
    return "|".join(["v2.30", *(f"{name}={value}" for name, value in tokens), ""])


def internet(count: int, seed: int = 7) -> list[str]:
    """Return addresses of the internet, as a block list has them."""
    dice = random.Random(seed)
    first = (1, 5, 8, 23, 45, 61, 77, 91, 103, 118, 141, 156, 178, 185, 193, 203, 212, 221)
    addresses: set[str] = set()
    while len(addresses) < count:
        octets = [dice.choice(first), *(dice.randint(0, 255) for _octet in range(3))]
        addresses.add(".".join(map(str, octets)))
    return sorted(addresses)


def block_lists(count: int, addresses: int) -> dict[str, str]:
    """Return rules for every program, each of which blocks many addresses; every second outbound."""
    rules = {}
    for number in range(count):
        direction = "Out" if number % 2 else "In"
        tokens = "".join(f"RA4={address}|" for address in internet(addresses, number))
        head = f"v2.30|Action=Block|Active=TRUE|Dir={direction}|"
        rules[f"list {number}"] = f"{head}{tokens}Name=Block list|"
    return rules
