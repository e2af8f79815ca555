# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Settings as exports and scripts of administrators have them: what they come to, and that removal gives them back.

Names of organizations were replaced by others of the same length.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.formats.winhttp import WinHttpSettings
from ansible_collections.ets6.network.plugins.plugin_utils.formats.wininet import (
    ConnectionSettings,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    MINE,
    context,
    fix,
    judge,
    registry,
    script,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.test_changes import (
    without_records,
)

from tests.lab.pc import (
    INTERNET_POLICY,
    MACHINE_INTERNET,
    MACHINE_INTERNET_32,
    WINHTTP_KEYS,
    Pc,
    connection_blob,
)

CONNECTIONS = MINE + r"\Connections"
DEFAULT, SAVED = "DefaultConnectionSettings", "SavedLegacySettings"
FULL = "http://www.example.com/pac/mine"


def binary(text: str) -> list[str]:
    """Return a REG_BINARY from hexadecimal digits, with or without commas."""
    return ["REG_BINARY", base64.b64encode(bytes.fromhex(text.replace(",", " "))).decode()]


def plain(pc: Pc, path: str, **values: Any) -> None:
    """Set plain values: texts and numbers."""
    for name, data in values.items():
        kind = "REG_SZ" if isinstance(data, str) else "REG_DWORD"
        pc.set(path, **{name: [kind, data]})


def nothing(pc: Pc) -> None:
    """Take away what the lab's user has."""
    for path in (MINE, CONNECTIONS):
        pc.state["registry"][path]["values"].clear()


def dial_up_client(pc: Pc) -> None:
    """An export with a proxy in the second blob and in dial-up connections, and none in the first blob."""
    pc.set(
        CONNECTIONS,
        DefaultConnectionSettings=connection_blob(1, counter=10),
        SavedLegacySettings=connection_blob(11, "127.0.0.1:80", "<local>", counter=0x51),
        Netkeeper=connection_blob(11, "127.0.0.1:80", "<local>", counter=0x30302C31),
        greenvpn=connection_blob(1, counter=2),
    )
    plain(pc, MINE, ProxyEnable=1, ProxyServer="127.0.0.1:80", ProxyOverride="<local>")


def proxy_and_script(pc: Pc) -> None:
    """An export with flags 7, whose two blobs differ in their counters."""
    for name, counter in ((DEFAULT, 3), (SAVED, 0xCC1)):
        pc.set(CONNECTIONS, **{name: connection_blob(7, "192.168.1.1:80", "", FULL, counter)})
    plain(pc, MINE, ProxyEnable=1, ProxyServer="192.168.1.1:80", AutoConfigURL=FULL)


def five_bytes(pc: Pc) -> None:
    """What at least six scripts write to switch automatic detection off."""
    pc.set(
        CONNECTIONS,
        DefaultConnectionSettings=binary("4600000000"),
        SavedLegacySettings=binary("4600000000"),
    )
    plain(pc, MINE, ProxyEnable=0)


def script_of_a_program(pc: Pc) -> None:
    """What a program composes as text: flags 5, 31 characters, a tail of 32 bytes that begins with 1."""
    digits = "46000000d2eb00000500000000000000000000001f000000" + FULL.encode().hex()
    pc.set(CONNECTIONS, DefaultConnectionSettings=binary(digits + "01" + "00" * 31))
    plain(pc, MINE, AutoConfigURL=FULL)


def old_server(pc: Pc) -> None:
    """A blob from a script for new users: a proxy that is off, and what detection found."""
    digits = (
        "460000009c5900000100000014000000" + b"old.example.com:8080".hex() + "07000000"
        "3c6c6f63616c3e0000000001000000000000005052fd5dd65fc5010400000000010006"
        "c0a82864c0a8ee01c0a84001000000000000000000000000"
    )
    pc.set(
        CONNECTIONS,
        DefaultConnectionSettings=binary(digits),
        SavedLegacySettings=binary(digits),
    )
    plain(pc, MINE, AutoDetect=0)


def flag_removed(pc: Pc) -> None:
    """A build machine's script sets the ninth byte of the first blob to 0, and deletes plain values."""
    pc.set(
        CONNECTIONS,
        DefaultConnectionSettings=connection_blob(0, "p:8080", "<local>"),
        SavedLegacySettings=connection_blob(11, "p:8080", "<local>"),
    )
    plain(pc, MINE, ProxyEnable=0)


def detection_hardened(pc: Pc) -> None:
    """A hardening script disables the service and deletes both blobs."""
    service = r"HKLM\SYSTEM\CurrentControlSet\Services\WinHttpAutoProxySvc"
    pc.set(service, Start=["REG_DWORD", 4])


def preference_only(pc: Pc) -> None:
    """Microsoft's article 819961 and many scripts: plain values, MigrateProxy 1."""
    pc.set(
        CONNECTIONS,
        DefaultConnectionSettings=connection_blob(1),
        SavedLegacySettings=connection_blob(1),
    )
    server = "http://ProxyServername:80"
    plain(pc, MINE, MigrateProxy=1, ProxyEnable=1, ProxyServer=server, ProxyOverride="<local>")


def cleared_and_frozen(pc: Pc) -> None:
    """A script clears the proxy in plain values, and sets MigrateProxy to 0 beside it."""
    pc.set(
        CONNECTIONS,
        DefaultConnectionSettings=connection_blob(3, "stale:8080"),
        SavedLegacySettings=connection_blob(3, "stale:8080"),
    )
    plain(pc, MINE, MigrateProxy=0, ProxyEnable=0, ProxyServer="", ProxyOverride="<local>")


def zeros_for_the_machine(pc: Pc) -> None:
    """A GPO's export for the machine: a blob of zeros, an empty script."""
    pc.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 0])
    pc.set(MACHINE_INTERNET, AutoConfigURL=["REG_SZ", ""])
    pc.set(MACHINE_INTERNET + r"\Connections", DefaultConnectionSettings=binary("00" * 184))


def plain_for_the_machine(pc: Pc) -> None:
    """A Puppet class and a laboratory's batch file: plain values for the machine, in both views."""
    pc.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 0])
    servers = "".join(f"{name}=p:3128;" for name in ("http", "https", "ftp", "socks"))
    for path in (MACHINE_INTERNET, MACHINE_INTERNET_32):
        plain(pc, path, ProxyEnable=1, ProxyServer=servers, ProxyOverride="<local>;")


PUBLISHED: list[tuple[Callable[[Pc], None], str | None, Status]] = [
    (dial_up_client, "", Status.PASS),
    (proxy_and_script, "script:1", Status.PASS),
    (five_bytes, "", Status.PASS),
    (script_of_a_program, "script:1", Status.PASS),
    (old_server, "", Status.PASS),
    (flag_removed, "", Status.PASS),
    (detection_hardened, "", Status.PASS),
    (preference_only, None, Status.UNKNOWN),
    (cleared_and_frozen, "stale:8080", Status.FAIL),
    (zeros_for_the_machine, "", Status.UNKNOWN),
    (plain_for_the_machine, None, Status.UNKNOWN),
]
"""What was published, the route to the first endpoint, and the status of proxy.effective."""
PROBES = [script(FULL, 'function FindProxyForURL() { return "PROXY script:1" }')]


def published_pc(spoil: Callable[[Pc], None]) -> Pc:
    """Return a PC with published settings instead of the lab's."""
    pc = Pc("pc", rule_count=0)
    nothing(pc)
    spoil(pc)
    return pc


@pytest.mark.parametrize(("spoil", "route", "status"), PUBLISHED)
def test_what_published_settings_come_to(
    spoil: Callable[[Pc], None], route: str | None, status: Status
) -> None:
    pc = published_pc(spoil)
    (only,) = context(pc, PROBES).routes["updates"]
    finding = judge(pc, PROBES)["proxy.effective"]
    assert (only.proxy, finding.status) == (route, status), finding.reason


@pytest.mark.parametrize("scope", ["machine", "users"])
@pytest.mark.parametrize("setting", [{"mode": "direct"}, {"mode": "named", "server": "new:1"}])
@pytest.mark.parametrize("spoil", [entry[0] for entry in PUBLISHED])
def test_published_settings_come_back(
    spoil: Callable[[Pc], None], setting: dict[str, Any], scope: str
) -> None:
    pc = published_pc(spoil)
    before = without_records(registry(pc))
    policy: dict[str, Any] = {"proxy": {**setting, "scope": scope}}
    fix(pc, **policy)
    assert judge(pc, **policy)["proxy.wininet"].status is Status.PASS
    assert fix(pc, **policy)[0] == []
    fix(pc, state="absent")
    assert without_records(registry(pc)) == before


def test_a_dial_up_connection_with_another_proxy_is_said() -> None:
    finding = judge(published_pc(dial_up_client))["proxy.effective"]
    assert "While the connection 'Netkeeper' is up, it is automatic detection, then the proxy" in (
        finding.reason
    )
    assert "greenvpn" not in finding.reason


WINHTTP = {
    "a vendor's page calls it the default": "18,00,00,00,00,00,00,00,01" + ",00" * 11,
    "scripts for Wine": "28000000000000000100000000000000000000" + "00",
    "a builder of policies": "28000000000000000300000016000000"
    + b"http=192.168.5.45:3128".hex()
    + "00000000",
    "flags of a proxy without one": "28,00,00,00,00,00,00,00,03" + ",00" * 11,
}


@pytest.mark.parametrize("name", WINHTTP)
@pytest.mark.parametrize("key", WINHTTP_KEYS)
def test_published_blobs_of_winhttp_are_read_and_come_back(name: str, key: str) -> None:
    pc = Pc("pc", rule_count=0)
    for path in WINHTTP_KEYS:
        pc.state["registry"][path]["values"].pop("WinHttpSettings")
    pc.set(key, WinHttpSettings=binary(WINHTTP[name]))
    before = without_records(registry(pc))
    for setting in ({"mode": "named", "server": "new:1"}, {"mode": "direct"}):
        fix(pc, proxy=setting)
        assert judge(pc, proxy=setting)["proxy.winhttp"].status is Status.PASS
    fix(pc, state="absent")
    assert without_records(registry(pc)) == before
    raw = base64.b64decode(binary(WINHTTP[name])[1])
    assert WinHttpSettings.parse(raw).write() == raw


def test_published_blobs_are_written_as_they_were_read() -> None:
    for spoil, _route, _status in PUBLISHED:
        for key in published_pc(spoil).state["registry"].values():
            for name, (kind, data) in key["values"].items():
                raw = base64.b64decode(data) if kind == "REG_BINARY" else b""
                if name != "WinHttpSettings" and len(raw) >= 56 and any(raw):
                    assert ConnectionSettings.parse(raw).write() == raw, json.dumps(name)
