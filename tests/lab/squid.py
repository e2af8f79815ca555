# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Squid, a real proxy, on loopback: open, or asking for a login by the schemes that are named."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from tests.lab.network import VENDOR
from tests.lab.program import Program

HELPERS = Path("/usr/lib/squid")
"""Where Debian has squid's helpers, which check logins. Only ntlm_fake_auth ever has to check one here."""
SCHEMES = {
    "negotiate": ("negotiate_kerberos_auth -s GSS_C_NO_NAME", "children 1 startup=0"),
    "ntlm": ("ntlm_fake_auth", "children 4 startup=0"),
    "digest": ("digest_file_auth -c {folder}/digest", "children 1 startup=0"),
    "basic": ("basic_ncsa_auth {folder}/basic", "children 1 startup=0"),
}


class Squid(Program):
    """A squid process to which the vendor's names lead to loopback.

    denied is a server's name that it denies to every client.
    """

    def __init__(self, program: str, schemes: Iterable[str] = (), denied: str = "") -> None:
        super().__init__("squid")
        # squid, started by root, becomes a user without rights.
        self.folder.chmod(0o777)
        self._write("hosts", "".join(f"127.0.0.1 {name}\n" for name in VENDOR))
        for name in ("basic", "digest"):
            self._write(name, "")
        configuration = self._write("squid.conf", self._configuration(schemes, denied))
        # -d 1: its errors go to the output, too.
        instance = f"ets6{self.port}"
        self.start([program, "-N", "-d", "1", "-n", instance, "-f", str(configuration)])

    def saw(self, request: str) -> bool:
        """Tell whether this was asked, given as method, address and the answer's status. Squid writes it down a moment later."""
        log = self.folder / "access.log"
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if log.exists() and request in log.read_text(encoding="utf-8").splitlines():
                return True
            time.sleep(0.05)
        return False

    def _configuration(self, schemes: Iterable[str], denied: str) -> str:
        folder = self.folder
        lines = [
            f"http_port {self.address}",
            f"hosts_file {folder}/hosts",
            "dns_nameservers 127.0.0.1",  # the names that are not in the file are not asked anywhere
            "dns_timeout 1 seconds",
            "pid_filename none",
            "logformat short %rm %ru %>Hs",
            f"access_log stdio:{folder}/access.log logformat=short",
            f"cache_log {folder}/cache.log",
            f"coredump_dir {folder}",
            "netdb_filename none",
            "pinger_enable off",
            "cache deny all",
            "shutdown_lifetime 0 seconds",
            "visible_hostname lab",
        ]
        if denied:
            lines += [f"acl denied dstdomain {denied}", "http_access deny denied"]
        wanted = list(schemes)
        for scheme in wanted:
            helper, children = SCHEMES[scheme]
            lines += [
                f"auth_param {scheme} program {HELPERS}/{helper.format(folder=folder)}",
                f"auth_param {scheme} {children}",
            ]
            if scheme in ("basic", "digest"):
                lines.append(
                    f"auth_param {scheme} realm Negotiate, NTLM"
                )  # a realm that must not be taken for schemes
        lines += (
            ["acl login proxy_auth REQUIRED", "http_access allow login"]
            if wanted
            else ["http_access allow all"]
        )
        return "\n".join([*lines, "http_access deny all", ""])

    def _write(self, name: str, content: str) -> Path:
        file = self.folder / name
        file.write_text(content, encoding="utf-8")
        file.chmod(0o644)
        return file
