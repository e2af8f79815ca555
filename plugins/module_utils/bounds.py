# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs what parses foreign data in a process of its own, with a bound on its memory and its time.

A library that is given a damaged file may crash, take all memory or never return. Here each of that
ends as a BoundsError.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from .errors import ModuleError

MEMORY = 1 << 30
"""Bytes that a process may take beyond what this one has."""
SECONDS = 120
"""Time for one call."""
DAMAGED = "it is damaged or of an unknown form"
_FORK = multiprocessing.get_context("fork")


class BoundsError(ModuleError):
    """A process crashed, or took more memory or time than it may. The text says which, as a clause."""


class Worker:
    """An object in a process of its own.

    create makes the object there. A ModuleError or OSError of a call, and of create, is raised here.
    """

    def __init__(
        self, create: Callable[[], Any], *, memory: int = MEMORY, seconds: float = SECONDS
    ) -> None:
        self._seconds = seconds
        self._memory = memory
        self._connection, far_end = _FORK.Pipe()
        self._process = _FORK.Process(target=_serve, args=(create, far_end, memory), daemon=True)
        self._process.start()
        far_end.close()
        try:
            self._receive()
        except BaseException:
            self.close()
            raise

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of the object and return what it returns.

        Raises BoundsError, and the ModuleError that the method raises.
        """
        try:
            self._connection.send((name, arguments))
        except OSError:
            raise self._crash() from None
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.join()

    def _receive(self) -> Any:
        if not self._connection.poll(self._seconds):
            self._process.kill()
            raise BoundsError(f"it took more than {self._seconds:g} seconds")
        try:
            error, result = self._connection.recv()
        except (EOFError, OSError):
            raise self._crash() from None
        if error is not None:
            raise error
        return result

    def _crash(self) -> BoundsError:
        self._process.join()
        return BoundsError(f"the process that read it crashed (exit code {self._process.exitcode})")


def call(function: Callable[[], Any], *, memory: int = MEMORY, seconds: float = SECONDS) -> Any:
    """Call a function in a process of its own and return what it returns.

    Raises BoundsError, and the ModuleError that the function raises.
    """
    worker = Worker(lambda: _Function(function), memory=memory, seconds=seconds)
    try:
        return worker.call("run")
    finally:
        worker.close()


def limit_memory(memory: int) -> None:
    """Let this process take so many bytes more than it has."""
    limit = address_space() + memory
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    # A crash within the bound is expected: it needs no copy of the memory on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def address_space() -> int:
    """Return the bytes of this process' address space; 0 where that is not known, as on macOS."""
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


class _Function:
    def __init__(self, function: Callable[[], Any]) -> None:
        self.run = function


def _serve(create: Callable[[], Any], connection: Connection, memory: int) -> None:
    # What this process inherits, such as a lock, is not its to hold.
    os.closerange(3, connection.fileno())
    os.closerange(connection.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    limit_memory(memory)
    served = _reply(connection, create, memory)
    while served is not None:
        try:
            name, arguments = connection.recv()
        except (EOFError, OSError):
            return
        method = getattr(served, name)
        _reply(connection, lambda: method(*arguments), memory)  # noqa: B023 (called at once)


def _reply(connection: Connection, work: Callable[[], Any], memory: int) -> Any:
    """Do something and send what came of it. Return it, too; None where it failed."""
    error: ModuleError | OSError | None = None
    result = None
    try:
        result = work()
    except MemoryError:
        error = BoundsError(f"it took more than {memory >> 20} MiB of memory")
    except ModuleError as problem:
        error = problem
    except OSError as problem:
        # Without a file's name it is about the content: a place in it that does not exist, for example.
        error = problem if problem.filename else BoundsError(f"{DAMAGED} ({_words(problem)})")
    except Exception as problem:  # noqa: BLE001 (on damaged data a library raises whatever came of it)
        error = BoundsError(f"{DAMAGED} ({_words(problem)})")
    connection.send((error, result if isinstance(result, _PLAIN) else None))
    return result


_PLAIN = (bytes, int, str, tuple, list, dict, type(None))
"""What can be sent; the served object itself stays where it is."""


def _words(problem: Exception) -> str:
    text = " ".join(str(problem).split())[:200]
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__
