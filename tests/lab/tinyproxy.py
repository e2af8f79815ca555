# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tinyproxy, a real proxy of another kind than squid, on loopback: its own errors are a bare 500."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

START_SECONDS = 20.0


class Tinyproxy:
    """A tinyproxy process on a free port, with its configuration in a folder of its own.

    upstream is the proxy that it goes through, so that it resolves no name itself; without one it
    connects by itself.
    """

    def __init__(self, program: str, upstream: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ets6-tinyproxy-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        configuration = Path(self._folder.name) / "tinyproxy.conf"
        lines = ["Listen 127.0.0.1", "Allow 127.0.0.1", "Timeout 30"]
        if upstream:
            lines.append(f"Upstream http {upstream}")
        configuration.write_text("\n".join([f"Port {port}", *lines, ""]))
        self._process = subprocess.Popen(
            [program, "-d", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait(port)

    def _wait(self, port: int) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError("tinyproxy does not listen")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Tinyproxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
