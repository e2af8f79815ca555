# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Mitmproxy, a real TLS inspector, on loopback, in an environment of its own: it wants an older cryptography."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

PROGRAM = Path(__file__).resolve().parents[2] / ".venv-mitmproxy" / "bin" / "mitmdump"
"""``make unit`` installs it."""
START_SECONDS = 30.0


class Mitmproxy:
    """A mitmdump on a free port, with its own authority in a folder of its own.

    mode says what lies behind it: reverse:https://host:port for a server in whose way it sits, upstream:http://host:port for a
    proxy, to which it is one itself. Either way it asks no name service.
    """

    def __init__(self, mode: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ets6-mitmproxy-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        host, _colon, port = self.address.rpartition(":")
        command = [
            str(PROGRAM),
            "--listen-host",
            host,
            "--listen-port",
            port,
            "--mode",
            mode,
            "--ssl-insecure",
            "--quiet",
        ]
        command += ["--set", f"confdir={self._folder}", "--set", "keep_host_header=true"]
        self._log = (self._folder / "output").open("wb")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=environment
        )
        try:
            self._wait(host, int(port))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Mitmproxy:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def root(self) -> Path:
        """The file with its authority's certificate."""
        return self._folder / "mitmproxy-ca-cert.pem"

    def stop(self) -> None:
        """End the process and remove its files."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, host: str, port: int) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
                return
            time.sleep(0.1)
        told = (self._folder / "output").read_text(errors="replace")
        raise RuntimeError(f"mitmdump did not start: {told}")
