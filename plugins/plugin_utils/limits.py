# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What one host may cost the controller: memory and time.

Ansible runs each task in a process of its own, so a limit on that process is one on its host.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from collections.abc import Iterator

from ..module_utils.bounds import address_space
from .errors import ETS6Error

MEMORY = 1 << 30
"""Bytes that a host's task may take beyond what the process has when it begins."""
SECONDS_BETWEEN_REMINDERS = 15


class LimitError(ETS6Error):
    """A host cost more memory or time than it may."""


@contextlib.contextmanager
def memory(most: int = MEMORY) -> Iterator[None]:
    """Bound what the process, and each one that it starts, may take beyond what it has now.

    What needs more raises MemoryError. Where the system does not say what a process has, as on
    macOS, nothing is bounded.
    """
    now = address_space()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bounds = [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY]
    if now:
        resource.setrlimit(resource.RLIMIT_AS, (min([now + most, *bounds]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def reminders(seconds: float) -> Iterator[None]:
    """Raise SIGALRM again and again once the seconds are over; 0 stands for no limit.

    Ansible has a task's timeout raised once, by that signal. What cleans up after it may have to
    wait for the same host, which does not answer: WinRM asks the PC to end the command.
    """
    if not seconds:
        yield
        return
    ended = threading.Event()

    def remind() -> None:
        wait = seconds + SECONDS_BETWEEN_REMINDERS
        while not ended.wait(wait):
            os.kill(os.getpid(), signal.SIGALRM)
            wait = SECONDS_BETWEEN_REMINDERS

    threading.Thread(target=remind, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def is_timeout(error: BaseException) -> bool:
    """Return whether an error is, or was raised while handling, that of a task's timeout.

    Ansible's class is internal, so it goes by its name.
    """
    return any(type(cause).__name__ == "TaskTimeoutError" for cause in _chain(error))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is a MemoryError, or was raised while one was handled."""
    return any(isinstance(cause, MemoryError) for cause in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


@contextlib.contextmanager
def explained(name: str, seconds: int) -> Iterator[None]:
    """Raise LimitError where a host, by its name in a sentence, cost more than it may.

    seconds is the task's timeout.
    """
    try:
        yield
    except BaseException as error:
        if is_timeout(error):
            text = f"{name} was not done within {seconds} seconds (ets6_network_timeout)."
        elif is_out_of_memory(error):
            most = f"{MEMORY >> 20} MiB"
            text = f"{name} sent what takes more than {most} of the controller's memory."
        else:
            raise
        raise LimitError(text) from None
