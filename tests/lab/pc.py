# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The state of a simulated PC: registry, files, users, network, services. The PowerShell stand-ins read and write the same JSON."""

from __future__ import annotations

import base64
import json
import os
import struct
from pathlib import Path
from typing import Any

from tests.lab import rules

POLICY = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
RULES = POLICY + r"\FirewallRules"
GROUP_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
PROFILE_LIST = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"
INTERNET = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
MACHINE_INTERNET = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings"
INTERNET_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
MACHINE_INTERNET_32 = (
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings"
)
WINHTTP_KEYS = (MACHINE_INTERNET + r"\Connections", MACHINE_INTERNET_32 + r"\Connections")
NETSH = {"SOFTWARE": 0x28, r"SOFTWARE\WOW6432Node": 0x18}
"""The keys that netsh winhttp writes, and the version of the blob in each.

Sources differ, so tests take the state's ``netsh`` from NETSH_VARIANTS: dumps of administrators have
0x28 in the key of 64-bit programs, Microsoft's page on WinHTTP by Group Policy has 0x18 there, and
on Windows 7 the key of 32-bit programs was left alone.
"""
NETSH_VARIANTS = (
    NETSH,
    {"SOFTWARE": 0x18, r"SOFTWARE\WOW6432Node": 0x18},
    {"SOFTWARE": 0x28},
    {"SOFTWARE": 0x18},
)
USER = "S-1-5-21-1004336348-1177238915-682003330-1001"
FOLDER = r"C:\Program Files (x86)\ETS6"
PROGRAMS = ("ETS6N", "ETS6C")
ENVIRONMENT = {
    "ProgramFiles": r"C:\Program Files",
    "ProgramFiles(x86)": r"C:\Program Files (x86)",
    "ProgramW6432": r"C:\Program Files",
    "ProgramData": r"C:\ProgramData",
    "PUBLIC": r"C:\Users\Public",
    "SystemRoot": r"C:\Windows",
    "SystemDrive": "C:",
    "windir": r"C:\Windows",
}

INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
ACCESS = {
    "C:\\": f"O:{INSTALLER}D:PAI(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
    "(A;OICI;0x1200a9;;;BU)",
    "D:\\": "O:BAD:(A;OICIIO;SDGXGWGR;;;AU)(A;;0x1301bf;;;AU)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;;FA;;;BA)"
    "(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)",
    r"C:\Program Files": f"O:{INSTALLER}D:PAI(A;;FA;;;{INSTALLER})(A;CIIO;GA;;;{INSTALLER})"
    "(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)"
    "(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)(A;;0x1200a9;;;AC)(A;OICIIO;GXGR;;;AC)",
}
"""Owner and access rights as Windows 10 and 11 set them, from published output of Get-Acl.

Users may create folders in C:\\, and may change what is created there: what an administrator
creates in it has BELOW_C, unless inheritance is switched off (PROTECTED).
"""
BELOW_C = (
    "O:BAD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)"
    "(A;OICIIOID;SDGXGWGR;;;AU)"
)
PROTECTED = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"

Wire = list[Any]


def connection_blob(
    flags: int,
    proxy: str = "",
    bypass: str = "",
    pac_url: str = "",
    counter: int = 7,
    version: int = 0x46,
) -> Wire:
    """Return WinINET's blob, as REG_BINARY."""
    raw = struct.pack("<III", version, counter, flags)
    for text in (proxy, bypass, pac_url):
        raw += struct.pack("<I", len(text)) + text.encode("ascii")
    return ["REG_BINARY", base64.b64encode(raw + bytes(32)).decode()]


def winhttp_blob(server: str = "", bypass: str = "", version: int = 0x28) -> Wire:
    """Return WinHTTP's blob, as REG_BINARY."""
    raw = struct.pack("<III", version, 0, 3 if server else 1)
    for text in (server, bypass):
        raw += struct.pack("<I", len(text)) + text.encode("ascii")
    return ["REG_BINARY", base64.b64encode(raw).decode()]


class Pc:
    """One PC. state is what both kinds of PC answer from; a script PC's lies in a file while it runs."""

    def __init__(self, name: str, rule_count: int = 450) -> None:
        self.name = name
        self.state: dict[str, Any] = {
            "host": {"name": name},
            "clock": 0,
            "environment": dict(ENVIRONMENT),
            "drives": ["C:", "D:"],
            "network": ["private"],
            "addresses": ["192.0.2.7"],
            "services": {"MpsSvc": "Running", "BFE": "Running"},
            "firewall_products": [],
            "registered_firewalls": [],
            "networks": [
                {"interface": "Ethernet", "index": 5, "name": "office", "category": "private"}
            ],
            "service_rules": None,
            "modify_state": 0,
            "users": [{"sid": USER, "profile": r"C:\Users\knx", "logged_on": True}],
            "accounts": [
                {"sid": USER, "name": "knx", "type": 1},
                {"sid": "S-1-5-32-544", "name": "Administratoren", "type": 4},
            ],
            "files": {},
            "access": dict(ACCESS),
            "hive_sizes": {},
            "hosts": ["# Copyright (c) 1993-2009 Microsoft Corp."],
            "faults": {},
            "netsh": dict(NETSH),
            "names": {},
            "registry": {},
        }
        self.set(
            r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
            CurrentBuildNumber=["REG_SZ", "22631"],
            DisplayVersion=["REG_SZ", "23H2"],
            EditionID=["REG_SZ", "Professional"],
            UBR=["REG_DWORD", 4460],
        )
        self.set(
            r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters",
            Domain=["REG_SZ", "lab.example"],
        )
        self.set(POLICY, PolicyVersion=["REG_DWORD", 0x0220])
        self.set(
            RULES,
            **{key: ["REG_SZ", text] for key, text in rules.ordinary(rule_count, name).items()},
        )
        for profile in ("DomainProfile", "StandardProfile", "PublicProfile"):
            self.set(
                rf"{POLICY}\{profile}",
                EnableFirewall=["REG_DWORD", 1],
                DisableNotifications=["REG_DWORD", 0],
            )
        self.set(PROFILE_LIST, Default=["REG_EXPAND_SZ", r"%SystemDrive%\Users\Default"])
        self.set(
            rf"{PROFILE_LIST}\S-1-5-18",
            ProfileImagePath=["REG_EXPAND_SZ", r"%SystemRoot%\system32\config\systemprofile"],
        )
        self.set(rf"{PROFILE_LIST}\{USER}", ProfileImagePath=["REG_EXPAND_SZ", r"C:\Users\knx"])
        self.user_proxy(flags=1)
        self.set(rf"FILE\C:\Users\Default\NTUSER.DAT\{INTERNET}", ProxyEnable=["REG_DWORD", 0])
        self.set(MACHINE_INTERNET, EnableHttp1_1=["REG_DWORD", 1])
        self.set(MACHINE_INTERNET_32, EnableHttp1_1=["REG_DWORD", 1])
        self.winhttp_proxy("")
        self.install(FOLDER)

    def set(self, path: str, **values: Wire) -> None:
        """Set values of a key, which is made with those above it where it is missing; what else it holds stays."""
        registry = self.state["registry"]
        parts = path.split("\\")
        first = parts.index("NTUSER.DAT") if parts[0] == "FILE" else 1
        for end in range(first + 1, len(parts) + 1):
            registry.setdefault("\\".join(parts[:end]), {"values": {}})
        registry[path]["values"].update(values)

    def install(self, folder: str) -> None:
        """Put ETS6's programs into a folder."""
        for program in PROGRAMS:
            self.state["files"][rf"{folder}\{program}.exe"] = {
                "version": "6.3.1.0",
                "size": 12345678,
            }

    def protect(self, path: str, sddl: str = PROTECTED) -> None:
        """Give a file and the folders above it, but for the root of the drive, an owner and access rights."""
        names = path.split("\\")
        for end in range(2, len(names) + 1):
            self.state["access"]["\\".join(names[:end])] = sddl

    def uninstall(self) -> None:
        """Take ETS6's programs away."""
        self.state["files"].clear()

    def rule(self, rule: tuple[str, str]) -> None:
        """Add a rule to the local store."""
        self.set(RULES, **{rule[0]: ["REG_SZ", rule[1]]})

    def allow_all(
        self, folder: str = FOLDER, profiles: tuple[str, ...] = ("Domain", "Private")
    ) -> None:
        """Add the four allow rules, for programs in a folder."""
        for program in PROGRAMS:
            for protocol in ("TCP", "UDP"):
                self.rule(
                    rules.allow(
                        rf"{folder}\{program}.exe",
                        program.upper() if program.isupper() else program,
                        protocol,
                        profiles,
                    )
                )

    def user_proxy(self, flags: int, proxy: str = "", bypass: str = "", pac_url: str = "") -> None:
        """Give the user a proxy: both blobs and the plain values, in step."""
        self._wininet(rf"HKU\{USER}\{INTERNET}", flags, proxy, bypass, pac_url)

    def machine_proxy(self, proxy: str, bypass: str = "") -> None:
        """Give the machine a proxy that counts for everybody."""
        self.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 0])
        for path in (MACHINE_INTERNET, MACHINE_INTERNET_32):
            self._wininet(path, 3, proxy, bypass, "")

    def winhttp_proxy(self, server: str, bypass: str = "") -> None:
        """Give WinHTTP a proxy, as netsh does on this PC."""
        for view, version in self.state["netsh"].items():
            path = rf"HKLM\{view}\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
            self.set(path, WinHttpSettings=winhttp_blob(server, bypass, version))

    def _wininet(self, path: str, flags: int, proxy: str, bypass: str, pac_url: str) -> None:
        blob = connection_blob(flags, proxy, bypass, pac_url)
        self.set(path + r"\Connections", DefaultConnectionSettings=blob, SavedLegacySettings=blob)
        plain: dict[str, Wire] = {"ProxyEnable": ["REG_DWORD", flags >> 1 & 1]}
        for name, text in (("ProxyServer", proxy), ("ProxyOverride", bypass)):
            if text:
                plain[name] = ["REG_SZ", text]
        # Windows deletes this one where the script is off.
        if pac_url and flags & 4:
            plain["AutoConfigURL"] = ["REG_SZ", pac_url]
        self.set(path, **plain)

    def save(self, file: Path) -> None:
        """Write the state for the stand-ins."""
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(self.state), encoding="utf-8")
        os.replace(temporary, file)

    def load(self, file: Path) -> None:
        """Take over what the stand-ins made of the state."""
        self.state = json.loads(file.read_text(encoding="utf-8"))
