# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A real server program of another project on a free port of loopback, with its files in a folder of its own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
START_SECONDS = 30.0


class Stoppable:
    """What runs until it is stopped, at the end of a with statement at the latest."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it and remove its files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()


class Program(Stoppable):
    """A process that listens. Subclasses write its configuration into ``folder``, then call ``start``.

    The folder is not below pytest's, where a program that gives up root's rights could not read it.
    """

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"ets6-{name}-"))
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port: int = free.getsockname()[1]
        self.address = f"{HOST}:{self.port}"
        self._name = name
        self._output = self.folder / "output"

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the program and wait until it listens. Raises RuntimeError with its output where it does not."""
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process and remove its files."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return
            time.sleep(0.05)
        output = self._output.read_text(errors="replace")
        raise RuntimeError(f"{self._name} does not listen: {output}")
