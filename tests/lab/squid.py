# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Squid, a real proxy, on loopback: open, or asking for a login by the schemes that are named."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.lab.network import VENDOR

HELPERS = Path("/usr/lib/squid")
"""Where Debian has squid's helpers, which check logins. Only ntlm_fake_auth ever has to check one here."""
SCHEMES = {
    "negotiate": ("negotiate_kerberos_auth -s GSS_C_NO_NAME", "children 1 startup=0"),
    "ntlm": ("ntlm_fake_auth", "children 4 startup=0"),
    "digest": ("digest_file_auth -c {folder}/digest", "children 1 startup=0"),
    "basic": ("basic_ncsa_auth {folder}/basic", "children 1 startup=0"),
}
START_SECONDS = 20.0


class Squid:
    """A squid process on a free port, with all its files in a folder of its own. The vendor's names lead to loopback.

    denied is a server's name that it denies to every client.
    """

    def __init__(self, program: str, schemes: Iterable[str] = (), denied: str = "") -> None:
        # Not below pytest's folder: squid, started by root, becomes a user who may not look into that.
        self._folder = Path(tempfile.mkdtemp(prefix="ets6-squid-"))
        self._folder.chmod(0o777)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._write("hosts", "".join(f"127.0.0.1 {name}\n" for name in VENDOR))
        for name in ("basic", "digest"):
            self._write(name, "")
        configuration = self._write("squid.conf", self._configuration(schemes, denied))
        self._log = (self._folder / "output").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                "-N",
                "-n",
                f"ets6{self.address.rpartition(':')[2]}",
                "-f",
                str(configuration),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Squid:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def saw(self, request: str) -> bool:
        """Tell whether this was asked, given as method, address and the answer's status. Squid writes it down a moment later."""
        log = self._folder / "access.log"
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if log.exists() and request in log.read_text(encoding="utf-8").splitlines():
                return True
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        """End the process and remove its files."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configuration(self, schemes: Iterable[str], denied: str) -> str:
        folder = self._folder
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
        file = self._folder / name
        file.write_text(content, encoding="utf-8")
        file.chmod(0o644)
        return file

    def _wait(self) -> None:
        host, _colon, port = self.address.rpartition(":")
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            time.sleep(0.05)
        told = (self._folder / "output").read_text(errors="replace")
        log = self._folder / "cache.log"
        raise RuntimeError(
            f"squid did not start: {told}{log.read_text(errors='replace') if log.exists() else ''}"
        )
