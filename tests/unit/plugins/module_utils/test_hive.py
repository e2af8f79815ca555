# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The reader of hives: on real ones against python-registry, on made ones with every kind of record, and on damaged ones."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils.hive import (
    BaseBlock,
    Hive,
    HiveError,
    check,
)
from ansible_collections.ets6.network.plugins.module_utils.hive_log import replay
from ansible_collections.ets6.network.tests.lab import hive as made
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives
from hypothesis import example, given, settings
from hypothesis import strategies as st

Tree = dict[str, list[tuple[str, int, bytes]]]


def tree(hive: Hive) -> Tree:
    found: Tree = {}
    left = [(hive.root, "")]
    while left:
        key, path = left.pop()
        found[path] = [(value.name, value.type, value.data) for value in key.values()]
        left += [(subkey, f"{path}\\{subkey.name}") for subkey in key.subkeys()]
    return found


def raw(value: Any) -> bytes:
    """Return the bytes of a value; of those that stand in the value's own record python-registry gives too many, or none."""
    record = value._vkrecord
    if record.raw_data_length() < 0x80000000:
        return bytes(value.raw_data())
    return bytes(record._buf[record.data_offset() : record.data_offset() + record.data_length()])


def independent(data: bytes) -> Tree:
    found: Tree = {}
    left: list[tuple[Any, str]] = [(real_hives.second_reader(data).root(), "")]
    while left:
        key, path = left.pop()
        # "(default)" is what python-registry calls the value without a name.
        found[path] = [
            (value.name().replace("(default)", ""), value.value_type(), raw(value))
            for value in key.values()
        ]
        left += [(subkey, f"{path}\\{subkey.name()}") for subkey in key.subkeys()]
    return found


def by_dissect(data: bytes) -> Tree:
    """Return what dissect.regf reads.

    It calls the value without a name "(Default)", which is also the real name of one in Nls\\Locale.
    """
    found: Tree = {}
    left: list[tuple[Any, str]] = [(real_hives.third_reader(data), "")]
    while left:
        key, path = left.pop()
        found[path] = [
            (value.name if value.cell.NameLength else "", value.type, value.data)
            for value in key.values()
        ]
        left += [(subkey, f"{path}\\{subkey.name}") for subkey in key.subkeys()]
    return found


def short_types(found: Tree) -> Tree:
    """python-registry gives the lower bits of a type; device properties use the upper ones too."""
    return {
        path: [(name, kind & 0xFFF, data) for name, kind, data in values]
        for path, values in found.items()
    }


@pytest.mark.parametrize("name", [*real_hives.CLEAN, *real_hives.DIRTY])
def test_a_real_hive_is_read_as_two_other_readers_read_it(name: str) -> None:
    logs = real_hives.logs(name) if name in real_hives.DIRTY else {}
    hive = replay(real_hives.content(name), logs, name)
    whole = tree(hive)
    assert check(hive) == len(whole) > 1000
    mine, theirs = short_types(whole), independent(hive.data)
    assert mine.keys() == theirs.keys()
    assert [path for path in mine if mine[path] != theirs[path]] == []
    theirs = by_dissect(hive.data)
    assert whole.keys() == theirs.keys()
    assert [path for path in whole if whole[path] != theirs[path]] == []


VALUES = {
    "": made.sz("the default"),
    "text": made.sz("Füße"),
    "κλειδί": made.expand_sz("%ProgramFiles%\\ETS6"),
    "number": made.dword(0xFFFFFFFF),
    "nothing": (made.BINARY, b""),
    "three": (made.BINARY, b"abc"),
    "four": (made.BINARY, b"abcd"),
    "five": (made.BINARY, b"abcde"),
    "one cell": (made.BINARY, b"0123456789abcdef" * 1021),
    "segments": (made.BINARY, b"0123456789abcdef" * 3000),
    "odd type": (0xFFFF0112, b"x" * 9),
}
KEYS = {"": {"at the root": made.dword(1)}, "A": VALUES, "A\\b": {}, "A\\Ψ": {}, "many": {}} | {
    f"many\\key {number:04}": {"number": made.dword(number)} for number in range(1200)
}


@pytest.mark.parametrize("minor", [3, 5, 6])
def test_every_kind_of_record_is_read(minor: int) -> None:
    hive = Hive(made.build(KEYS, minor=minor), "made")
    found = tree(hive)
    assert found.keys() == {f"\\{path}" if path else "" for path in KEYS}
    for path, values in KEYS.items():
        assert found[f"\\{path}" if path else ""] == [
            (name, kind, data) for name, (kind, data) in values.items()
        ]
    assert hive.root.security == made.SECURITY
    assert hive.root.class_name == b""
    assert independent(hive.data) == short_types(found)
    assert by_dissect(hive.data) == found


def test_keys_are_found_without_regard_to_case() -> None:
    hive = Hive(made.build(KEYS), "made")
    found = hive.find("MANY\\Key 0007")
    assert found is not None
    assert [value.data for value in found.values()] == [struct.pack("<I", 7)]
    assert hive.find("a\\ψ") is not None
    assert hive.find("") is hive.root
    assert hive.find("many\\key 9999\\x") is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a registry hive"),
        (b"MSWIM\0\0\0" * 100, "is not a registry hive"),
        (made.build({}, dirty=True), "is dirty"),
        (made.build({})[:4096], "is cut off"),
        (made.build({})[:6000], "is cut off"),
        (made.log(made.build({}), [], 7), "is the log of a hive"),
        (made.build({}, minor=9), "version 1.9"),
        (made.build({})[:4096] + b"HBIN" + made.build({})[4100:], "no valid hive bin"),
    ],
)
def test_what_is_no_sound_hive_is_refused_by_name(data: bytes, said: str) -> None:
    with pytest.raises(HiveError, match=said) as caught:
        Hive(data, "Windows/System32/config/SYSTEM")
    assert "Windows/System32/config/SYSTEM" in str(caught.value)


def test_a_head_with_a_wrong_checksum_is_dirty() -> None:
    data = made.build({})
    assert not BaseBlock.parse(data, "made").dirty
    assert BaseBlock.parse(data[:300] + b"?" + data[301:], "made").dirty


def test_keys_in_a_circle_do_not_hang() -> None:
    data = made.build({"A": {}, "A\\B": {}})
    hive = Hive(data, "made")
    outer, inner = hive.find("A"), hive.find("A\\B")
    assert outer is not None
    assert inner is not None
    circle = data.replace(
        b"lh\x01\x00" + struct.pack("<I", inner.offset),
        b"lh\x01\x00" + struct.pack("<I", outer.offset),
    )
    assert circle != data
    with pytest.raises(HiveError, match=r"nested|twice"):
        check(Hive(circle, "made"))
    with pytest.raises(HiveError, match="nested"):
        Hive(circle, "made").find("\\".join(["A"] * 1000))


def walk(data: bytes) -> None:
    """Read everything; the only error that may come is HiveError."""
    with contextlib.suppress(HiveError):
        hive = Hive(data, "made")
        check(hive)
        left = [hive.root]
        while left:
            key = left.pop()
            assert isinstance(key.security, bytes)
            assert isinstance(key.class_name, bytes)
            left += key.subkeys()


SMALL = made.build({path: values for path, values in KEYS.items() if not path.startswith("many")})


@given(st.integers(min_value=0, max_value=len(SMALL)))
def test_a_truncated_hive_raises_nothing_but_its_own_error(size: int) -> None:
    walk(SMALL[:size])


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.integers(4096, 4096 + 8191), st.integers(0, 255)), min_size=1, max_size=6)
)
@example([(4096 + 32 + 3, 0x7F)])
def test_a_hive_with_flipped_bytes_raises_nothing_but_its_own_error(
    flips: list[tuple[int, int]],
) -> None:
    data = bytearray(SMALL)
    for at, byte in flips:
        data[at] = byte
    walk(bytes(data))


@settings(max_examples=200)
@given(st.binary(max_size=600), st.integers(0, len(SMALL) - 1))
def test_a_hive_with_rubbish_in_it_raises_nothing_but_its_own_error(
    rubbish: bytes, at: int
) -> None:
    walk(made.seal((SMALL[:at] + rubbish + SMALL[at + len(rubbish) :])[: len(SMALL)]))


def test_a_few_bytes_do_not_name_millions_of_keys() -> None:
    """The root's list becomes a list of lists, in which the one list of another key is there again and again."""
    children = {f"a\\{number}": {} for number in range(50)}
    data = bytearray(made.build({**children, **{f"k{number}": {} for number in range(200)}}))
    hive = Hive(bytes(data), "x")
    root, inner = hive.root, hive.root.subkey("a")
    assert inner is not None
    outer_list, _end = hive.cell(root._subkey_list, 4)
    struct.pack_into("<2sH", data, outer_list, b"ri", 400)
    for entry in range(400):
        struct.pack_into("<I", data, outer_list + 4 + 4 * entry, inner._subkey_list)
    node, _end = hive.cell(root.offset, 4)
    struct.pack_into("<I", data, node + 20, 400 * 50)
    with pytest.raises(HiveError, match="listed twice"):
        list(Hive(bytes(data), "x").root.subkeys())


def test_a_few_bytes_do_not_make_gigabytes() -> None:
    data = bytearray(made.build({"a": {"big": (made.BINARY, bytes(16344 * 60))}}))
    hive = Hive(bytes(data), "x")
    place = bytes(data).index(b"db")
    while struct.unpack_from("<H", data, place + 2)[0] != 60:
        place = bytes(data).index(b"db", place + 1)
    segments, _end = hive.cell(struct.unpack_from("<I", data, place + 4)[0], 4 * 60)
    first = struct.unpack_from("<I", data, segments)[0]
    for number in range(60):
        struct.pack_into("<I", data, segments + 4 * number, first)
    key = Hive(bytes(data), "x").root.subkey("a")
    assert key is not None
    with pytest.raises(HiveError, match="a segment is listed twice"):
        list(key.values())
