# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What one host may cost: each test runs in a process of its own, since the limits are a process'."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import limits


def in_process(function: Callable[[], None]) -> int | None:
    """Return the exit code of a process that calls a function: 0 where it raised nothing."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    process.join(60)
    return process.exitcode


def too_much() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    kept: list[bytearray] = []

    def take() -> None:
        with limits.explained("The PC", 0), limits.memory(64 << 20):
            while len(kept) < 1_000:
                kept.append(bytearray(1 << 20))

    with pytest.raises(limits.LimitError, match="takes more than 1024 MiB"):
        take()
    assert len(kept) < 300
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def enough() -> None:
    with limits.memory(256 << 20):
        assert len(bytearray(64 << 20)) == 64 << 20


def reminded() -> None:
    class Alarm(Exception):
        pass

    def alarm(*_arguments: object) -> None:
        raise Alarm

    signal.signal(signal.SIGALRM, alarm)
    limits.SECONDS_BETWEEN_REMINDERS = 0.2
    with limits.reminders(0.1):
        for _time in range(3):
            with pytest.raises(Alarm):
                time.sleep(20)
    time.sleep(0.5)


@pytest.mark.parametrize("function", [too_much, enough, reminded])
def test_a_limit_holds_and_ends(function: Callable[[], None]) -> None:
    assert in_process(function) == 0
