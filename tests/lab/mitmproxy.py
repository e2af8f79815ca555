# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Mitmproxy, a real TLS inspector, on loopback, in an environment of its own: it wants an older cryptography."""

from __future__ import annotations

import os
from pathlib import Path

from tests.lab.program import HOST, Program

PROGRAM = Path(__file__).resolve().parents[2] / ".venv-mitmproxy" / "bin" / "mitmdump"
"""``make unit`` installs it."""


class Mitmproxy(Program):
    """A mitmdump with its own authority.

    mode says what lies behind it: reverse:https://host:port for a server in whose way it sits, upstream:http://host:port for a
    proxy, to which it is one itself. Either way it asks no name service.
    """

    def __init__(self, mode: str) -> None:
        super().__init__("mitmproxy")
        command = [str(PROGRAM), "--listen-host", HOST, "--listen-port", str(self.port)]
        command += ["--mode", mode, "--ssl-insecure", "--quiet"]
        command += ["--set", f"confdir={self.folder}", "--set", "keep_host_header=true"]
        self.start(command, {"PATH": os.environ["PATH"], "HOME": str(self.folder)})

    @property
    def root(self) -> Path:
        """The file with its authority's certificate."""
        return self.folder / "mitmproxy-ca-cert.pem"
