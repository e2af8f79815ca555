# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Some 450 firewall rules such as a PC has, made up from word lists: the haystack in which ETS6's rules lie."""

from __future__ import annotations

import random
import uuid

FEATURES = (
    "CoreNet",
    "FileShare",
    "RemoteDesk",
    "WirelessDisp",
    "MediaShare",
    "RouterAcc",
    "Backup",
    "Printing",
    "Telemetry",
    "Wifi",
)
PARTS = ("Agent", "Host", "Relay", "Finder", "Store", "Sync", "Beacon", "Proxy", "Stream", "Query")
VENDORS = ("Norda", "Velmo", "Kastor", "Brimax", "Opalis", "Tarn", "Ulmen", "Zerio")
VERSIONS = ("2.10", "2.26", "2.30", "2.31", "2.32", "2.33")


def ordinary(count: int, seed: str) -> dict[str, str]:
    """Return that many rules by id, none of which has to do with ETS6. The same seed gives the same rules."""
    dice = random.Random(seed)
    rules: dict[str, str] = {}
    while len(rules) < count:
        feature, part, vendor = dice.choice(FEATURES), dice.choice(PARTS), dice.choice(VENDORS)
        direction, protocol = dice.choice(("In", "Out")), dice.choice((6, 17, 6, 17, 1, 58, None))
        tokens = [
            f"Action={'Block' if dice.random() < 0.04 else 'Allow'}",
            f"Active={dice.choice(('TRUE', 'FALSE'))}",
            f"Dir={direction}",
        ]
        if protocol is not None:
            tokens.append(f"Protocol={protocol}")
        tokens += [
            f"Profile={name}" for name in ("Domain", "Private", "Public") if dice.random() < 0.4
        ]
        if protocol in (6, 17) and dice.random() < 0.6:
            tokens.append(f"LPort={dice.randint(80, 65000)}")
        if protocol == 1:
            tokens.append("ICMP4=8:*")
        if dice.random() < 0.25:
            tokens += ["RA4=LocalSubnet", "RA6=LocalSubnet"]
        kind = dice.random()
        if kind < 0.45:
            tokens.append(rf"App=%SystemRoot%\system32\{part.lower()}{dice.randint(1, 40)}.exe")
            rule_id = f"{feature}-{part}-{direction}-{dice.randint(1, 999)}"
        elif kind < 0.8:
            tokens.append(rf"App=C:\Program Files\{vendor}\{part}\{part.lower()}.exe")
            rule_id = "{" + str(uuid.UUID(int=dice.getrandbits(128))).upper() + "}"
        else:
            path = rf"c:\users\public\{vendor.lower()}\{part.lower()}.exe"
            tokens.append(f"App={path}")
            rule_id = f"{'TCP' if protocol == 6 else 'UDP'} Query User{{{str(uuid.UUID(int=dice.getrandbits(128))).upper()}}}{path}"
        if dice.random() < 0.2:
            tokens.append(f"Svc={part.lower()}svc")
        tokens += [
            f"Name=@{feature.lower()}.dll,-{dice.randint(100, 999)}",
            f"EmbedCtxt=@{feature.lower()}.dll,-{dice.randint(100, 999)}",
        ]
        if dice.random() < 0.1:
            tokens.append("Edge=TRUE")
        rules[rule_id] = f"v{dice.choice(VERSIONS)}|" + "|".join(tokens) + "|"
    return rules


def prompt_block(
    program: str, protocol: str, profiles: tuple[str, ...] = ("Public",)
) -> tuple[str, str]:
    """Return id and text of the rule that a cancelled prompt leaves: the path is lower-cased, the name is the file's description."""
    path = program.lower()
    guid = str(uuid.uuid5(uuid.NAMESPACE_URL, path + protocol)).upper()
    number = {"TCP": 6, "UDP": 17}[protocol]
    tokens = "".join(f"Profile={profile}|" for profile in profiles)
    text = f"v2.10|Action=Block|Active=TRUE|Dir=In|Protocol={number}|{tokens}App={path}|Name=ETS 6|Desc=ETS 6|Defer=User|"
    return f"{protocol} Query User{{{guid}}}{path}", text


def allow(
    program: str, stem: str, protocol: str, profiles: tuple[str, ...] = ("Domain", "Private")
) -> tuple[str, str]:
    """Return id and text of the rule that the collection makes, as New-NetFirewallRule writes it."""
    number = {"TCP": 6, "UDP": 17}[protocol]
    tokens = "".join(f"Profile={profile}|" for profile in profiles)
    name = f"KNX ETS6: {stem}.exe ({protocol}-In)"
    text = (
        f"v2.32|Action=Allow|Active=TRUE|Dir=In|Protocol={number}|{tokens}App={program}|Name={name}|"
        "Desc=Made by the Ansible collection ets6.network. Changes by hand do not last.|EmbedCtxt=KNX ETS6|"
    )
    return f"ETS6-{stem.upper()}-{protocol}-In", text


def block_list(rule_id: str, count: int) -> tuple[str, str]:
    """Return id and text of a rule that blocks addresses of the internet, as IPBan writes them."""
    dice = random.Random(count)
    addresses = "".join(
        f"RA4={dice.choice((45, 91, 141, 185))}.{dice.randint(0, 255)}.{dice.randint(0, 255)}.7|"
        for _address in range(count)
    )
    return rule_id, f"v2.32|Action=Block|Active=TRUE|Dir=In|{addresses}Name=IPBan_Block_0|"
