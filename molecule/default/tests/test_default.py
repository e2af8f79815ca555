# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What stands on the PCs after the role: read over WinRM with reg.exe and by readers that share no code with the collection."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

RULES = (
    r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
)
CONNECTIONS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
FOLDER = r"C:\Program Files (x86)\ETS6"
LAB = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / ".lab" / "default"


def values(host: Any, key: str) -> dict[str, str]:
    """Return name and printed data of a key's values."""
    answer = host.ansible("raw", f'reg.exe query "{key}"', check=False)
    assert answer["rc"] == 0, answer
    found = {}
    for line in answer["stdout"].splitlines():
        match = re.fullmatch(r"    (.+?)    (REG_\w+)    (.*)", line)
        if match:
            found[match[1]] = match[3]
    return found


def keys(host: Any, key: str) -> list[str]:
    """Return the names of the keys below a key."""
    answer = host.ansible("raw", f'reg.exe query "{key}"', check=False)
    return [
        line.rpartition("\\")[2]
        for line in answer["stdout"].splitlines()
        if line.startswith("HKEY_")
    ]


@pytest.fixture
def rules(host: Any) -> dict[str, dict[str, list[str]]]:
    """Return the PC's firewall rules: id, then token, then its values in their order."""
    parsed: dict[str, dict[str, list[str]]] = {}
    for name, text in values(host, RULES).items():
        tokens: dict[str, list[str]] = {}
        for part in text.split("|")[1:-1]:
            token, _equals, value = part.partition("=")
            tokens.setdefault(token, []).append(value)
        parsed[name] = tokens
    return parsed


def for_ets(rules: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    return {
        name: rule
        for name, rule in rules.items()
        if rule.get("App", [""])[0].lower().endswith(("ets6n.exe", "ets6c.exe"))
    }


def test_the_four_rules_stand_and_allow(rules: dict[str, dict[str, list[str]]]) -> None:
    for program in ("ETS6N", "ETS6C"):
        for protocol, number in (("TCP", "6"), ("UDP", "17")):
            rule = rules[f"ETS6-{program}-{protocol}-In"]
            assert (rule["Action"], rule["Active"], rule["Dir"], rule["Protocol"]) == (
                ["Allow"],
                ["TRUE"],
                ["In"],
                [number],
            )
            assert rule["App"] == [rf"{FOLDER}\{program}.exe"]
            assert rule["Profile"] == ["Domain", "Private"]
            assert rule["EmbedCtxt"] == ["KNX ETS6"]
            assert not {"LPort", "RPort", "RA4", "RA6", "LA4", "LA6", "IFType", "Svc"} & rule.keys()


def test_nothing_blocks_ets(rules: dict[str, dict[str, list[str]]]) -> None:
    assert [name for name, rule in for_ets(rules).items() if rule["Action"] != ["Allow"]] == []


def test_other_rules_are_left_alone(rules: dict[str, dict[str, list[str]]]) -> None:
    assert len(rules) - len(for_ets(rules)) == 450


def test_outbound_rules_only_where_outbound_is_blocked(
    host: Any, rules: dict[str, dict[str, list[str]]]
) -> None:
    outbound = [name for name, rule in for_ets(rules).items() if rule["Dir"] == ["Out"]]
    blocked = host.backend.get_hostname() == "pc-outbound-blocked"
    assert len(outbound) == (4 if blocked else 0)


def test_the_user_has_the_proxy_that_was_asked_for(host: Any) -> None:
    if host.backend.get_hostname() != "pc-proxy-half":
        pytest.skip("only one PC is given a proxy")
    wanted = host.ansible.get_variables()["ets6_network_proxy"]["server"].encode()
    users = [sid for sid in keys(host, "HKU") if re.fullmatch(r"S-1-5-21-[\d-]+", sid)]
    assert users
    for sid in users:
        for name in ("DefaultConnectionSettings", "SavedLegacySettings"):
            blob = bytes.fromhex(values(host, rf"HKU\{sid}\{CONNECTIONS}")[name])
            flags, length = (
                int.from_bytes(blob[8:12], "little"),
                int.from_bytes(blob[12:16], "little"),
            )
            assert (flags & 2, blob[16 : 16 + length]) == (2, wanted)


def test_verify_found_nothing_and_changed_nothing(host: Any) -> None:
    report = json.loads((LAB / "verified" / "report.json").read_text(encoding="utf-8"))
    mine = next(one for one in report["hosts"] if one["name"] == host.backend.get_hostname())
    assert mine["status"] == "pass"
    assert not any(finding["changed"] for finding in mine["findings"])
