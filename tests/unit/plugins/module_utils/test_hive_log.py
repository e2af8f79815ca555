# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The replay of logs: on real dirty hives, on made ones, and every way in which logs do not go with their hive."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive, HiveError, check
from ansible_collections.ets6.network.plugins.module_utils.hive_log import marvin32, replay
from ansible_collections.ets6.network.tests.lab import hive as made
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "keys", "sequence"),
    [("win10-1709-dirty.SYSTEM", 35595, 2130), ("win10-dirty.NTUSER.DAT", 3105, 588)],
)
def test_a_real_dirty_hive_is_replayed_whole(name: str, keys: int, sequence: int) -> None:
    primary = real_hives.content(name)
    hive = replay(primary, real_hives.logs(name), name)
    assert check(hive) == keys
    assert (hive.base.sequence, hive.base.finished) == (sequence, sequence)
    reader = real_hives.second_reader(hive.data)
    stored = reader._regf
    assert (stored.hive_sequence1(), stored.hive_sequence2()) == (sequence, sequence)
    assert replay(hive.data, real_hives.logs(name), name).data == hive.data
    with pytest.raises(HiveError, match=r"dirty and its logs .* are not beside it"):
        replay(primary, {}, name)


def test_what_the_logs_of_a_real_hive_add_is_there() -> None:
    name = "win10-1709-dirty.SYSTEM"
    stale = real_hives.content(name)
    before = {
        key.name()
        for key in real_hives.second_reader(stale).open("ControlSet001\\Services").subkeys()
    }
    services = replay(stale, real_hives.logs(name), name).find("ControlSet001\\Services")
    assert services is not None
    assert {key.name for key in services.subkeys()} - before == {"ad_driver"}


@pytest.mark.parametrize("name", real_hives.DIRTY)
def test_a_real_dirty_hive_without_one_of_its_logs_is_refused_where_that_cannot_be_told_from_a_loss(
    name: str,
) -> None:
    logs = real_hives.logs(name)
    first, second = sorted(logs)
    if name.endswith("SYSTEM"):
        for missing in (first, second):
            with pytest.raises(HiveError, match="missing or unreadable"):
                replay(
                    real_hives.content(name),
                    {title: log for title, log in logs.items() if title != missing},
                    name,
                )
    else:
        # Its first log continues the hive at once, the second is of an earlier round.
        assert replay(real_hives.content(name), {first: logs[first]}, name).base.sequence == 588
        with pytest.raises(HiveError, match="nothing newer"):
            replay(real_hives.content(name), {second: logs[second]}, name)


@given(st.binary(max_size=100))
def test_marvin_is_the_hash_that_another_spelling_of_it_gives(data: bytes) -> None:
    assert marvin32(data) == made.marvin(data)


OLD = made.build({"A": {"x": made.dword(1)}}, sequence=7, name="SYSTEM")
MIDDLE = made.build({"A": {"x": made.dword(2)}, "B": {"y": made.sz("z" * 3000)}}, name="SYSTEM")
NEW = made.build(
    {"A": {"x": made.dword(3)}, "B": {"y": made.sz("z" * 3000)}, "C": {"v": (3, bytes(9000))}},
    name="SYSTEM",
)
DIRTY = made.dirtied(OLD)
FIRST = made.entry(7, OLD, MIDDLE)
SECOND = made.entry(8, MIDDLE, NEW)
THIRD = made.entry(9, NEW, MIDDLE)


def one_log(*entries: bytes, sequence: int = 7) -> dict[str, bytes]:
    return {"LOG1": made.log(OLD, entries, sequence), "LOG2": b""}


def number(hive: Hive) -> int:
    found = hive.find("A")
    assert found is not None
    return int(struct.unpack("<I", next(found.values()).data)[0])


def test_entries_are_applied_in_order_and_the_hive_grows_and_shrinks() -> None:
    assert number(replay(DIRTY, one_log(FIRST), "made")) == 2
    assert number(replay(DIRTY, one_log(FIRST, SECOND), "made")) == 3
    hive = replay(DIRTY, one_log(FIRST, SECOND, THIRD), "made")
    assert (number(hive), hive.base.sequence, hive.base.size) == (2, 9, len(MIDDLE) - 4096)
    assert hive.data[4096:] == MIDDLE[4096:]


@pytest.mark.parametrize("turned", [False, True])
def test_two_logs_follow_each_other_whichever_is_the_older(turned: bool) -> None:
    older, newer = made.log(OLD, [FIRST], 7), made.log(OLD, [SECOND, THIRD], 8)
    logs = {"LOG1": newer, "LOG2": older} if turned else {"LOG1": older, "LOG2": newer}
    assert replay(DIRTY, logs, "made").base.sequence == 9


def test_what_is_older_than_the_hive_is_not_applied() -> None:
    logs = {"LOG1": made.log(OLD, [made.entry(5, OLD, NEW)], 5), "LOG2": made.log(OLD, [FIRST], 7)}
    assert number(replay(DIRTY, logs, "made")) == 2
    left_over = made.log(OLD, [FIRST, made.entry(4, OLD, NEW)], 7)
    assert number(replay(DIRTY, {"LOG1": left_over}, "made")) == 2


def test_a_clean_hive_is_not_touched_whatever_its_logs_hold() -> None:
    assert replay(OLD, one_log(FIRST, SECOND), "made").data == OLD


def test_a_gap_before_the_first_entry_is_as_windows_leaves_it_if_both_logs_are_there() -> None:
    later = made.entry(20, OLD, NEW)
    logs = {"LOG1": made.log(OLD, [later], 20), "LOG2": made.log(OLD, [], 7)}
    assert number(replay(DIRTY, logs, "made")) == 3


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ({}, "not beside it"),
        ({"LOG1": b"", "LOG2": b""}, "not beside it, or empty"),
        ({"LOG1": made.log(OLD, [], 7)}, "nothing newer"),
        ({"LOG1": made.log(OLD, [FIRST], 6)}, "nothing newer"),
        ({"LOG1": made.log(OLD, [made.entry(20, OLD, NEW)], 20)}, "missing or unreadable"),
        (one_log(FIRST, THIRD), "gap"),
        ({"LOG1": made.log(OLD, [FIRST], 7), "LOG2": made.log(OLD, [THIRD], 9)}, "gap"),
        (one_log(FIRST, flipped(SECOND, len(SECOND) - 1)), "torn or damaged"),
        (one_log(FIRST, flipped(SECOND, 20)), "torn or damaged"),
        (one_log(FIRST, SECOND[:-512]), "torn or damaged"),
        ({"LOG1": made.seal(made.log(OLD, [FIRST], 7)[:28] + struct.pack("<I", 1) + made.log(OLD, [FIRST], 7)[32:])}, "old format"),
        ({"LOG1": made.log(OLD, [b"DIRT" + bytes(508)], 7)}, "old format"),
        ({"LOG1": made.log(made.build({}, name="SOFTWARE"), [FIRST], 7)}, "another hive"),
        (one_log(made.entry(7, OLD, OLD[:4096] + b"????" + OLD[4100:])), "it is not a valid hive"),
    ],
)  # fmt: skip
def test_logs_that_do_not_tell_the_whole_story_are_refused(
    logs: dict[str, bytes], said: str
) -> None:
    with pytest.raises(HiveError, match=said) as caught:
        replay(DIRTY, logs, "config/SYSTEM")
    assert "Load and unload it in Windows, with its logs beside it (reg load" in str(caught.value)
    assert "Only if the image was not generalized (Sysprep), you can start it" in str(caught.value)


def test_a_hive_whose_head_is_damaged_is_refused() -> None:
    with pytest.raises(HiveError, match="checksum of its head"):
        replay(DIRTY[:300] + b"?" + DIRTY[301:], one_log(FIRST), "made")


LOG = made.log(OLD, [FIRST, SECOND], 7)
OUTCOMES = {MIDDLE[4096:], NEW[4096:]}


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(LOG) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, len(LOG)),
)
def test_a_damaged_log_gives_a_state_that_there_was_or_an_error(
    flips: list[tuple[int, int]], size: int
) -> None:
    log = bytearray(LOG)
    for at, byte in flips:
        log[at] = byte
    for damaged in (bytes(log), bytes(log[:size])):
        try:
            hive = replay(DIRTY, {"LOG1": damaged}, "made")
        except HiveError:
            continue
        assert hive.data[4096:] in OUTCOMES
