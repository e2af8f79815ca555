# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tinyproxy, a real proxy of another kind than squid, on loopback: its own errors are a bare 500."""

from __future__ import annotations

from tests.lab.program import HOST, Program


class Tinyproxy(Program):
    """A tinyproxy process.

    upstream is the proxy that it goes through, so that it resolves no name itself; without one it
    connects by itself.
    """

    def __init__(self, program: str, upstream: str = "") -> None:
        super().__init__("tinyproxy")
        configuration = self.folder / "tinyproxy.conf"
        lines = [
            f"Port {self.port}",
            f"Listen {HOST}",
            f"Allow {HOST}",
            "Timeout 30",
        ]
        if upstream:
            lines.append(f"Upstream http {upstream}")
        configuration.write_text("\n".join([*lines, ""]))
        self.start([program, "-d", "-c", str(configuration)])
