# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writing into hives: what becomes different is what was wanted, and everything that hivex would get wrong is refused."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import struct
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils import hive_edit, hive_security
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive, HiveError, HiveValue
from ansible_collections.ets6.network.plugins.module_utils.hive_edit import Edit, EditError, edit
from ansible_collections.ets6.network.plugins.module_utils.hive_log import replay
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab import hive as made

RULES = r"ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
RULE = Edit(
    RULES,
    "ETS6-ETS6N-TCP-In",
    HiveValue("ETS6-ETS6N-TCP-In", 1, "v2.30|Action=Allow|ü|\0".encode("utf-16-le")),
)

try:
    ctypes.CDLL(hive_edit.LIBRARY)
except OSError:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip("libhivex is not installed (Debian libhivex0)", allow_module_level=True)


def tree(data: bytes) -> dict[str, dict[str, tuple[int, bytes]]]:
    """Return keys and values as python-registry reads them."""
    found = {}
    left: list[tuple[Any, str]] = [(real_hives.second_reader(data).root(), "")]
    while left:
        key, path = left.pop()
        found[path] = {
            value.name(): (
                value.value_type(),
                bytes(value.raw_data()[: value._vkrecord.data_length()]),
            )
            for value in key.values()
        }
        left += [(subkey, f"{path}\\{subkey.name()}") for subkey in key.subkeys()]
    return found


def by_dissect(data: bytes) -> dict[str, dict[str, tuple[int, bytes]]]:
    """Return keys and values as dissect.regf reads them."""
    found = {}
    left: list[tuple[Any, str]] = [(real_hives.third_reader(data), "")]
    while left:
        key, path = left.pop()
        found[path] = {value.name: (value.type, value.data) for value in key.values()}
        left += [(subkey, f"{path}\\{subkey.name}") for subkey in key.subkeys()]
    return found


def test_a_rule_in_a_real_hive_is_the_only_difference_that_other_readers_find() -> None:
    stored = real_hives.content("win10-2004-clean.SYSTEM")
    hive = Hive(stored, "SYSTEM")
    after = edit(hive, [RULE], stored=stored)
    assert after is not None
    for read in (tree, by_dissect):
        before, now = read(stored), read(after)
        assert now["\\" + RULES].pop(RULE.name) == (1, RULE.value.data if RULE.value else b"")
        assert now == before
    assert edit(Hive(after, "SYSTEM"), [RULE], stored=after) is None


def test_a_rule_of_a_real_hive_goes_and_leaves_all_others() -> None:
    stored = real_hives.content("win10-2004-clean.SYSTEM")
    gone = next(iter(tree(stored)["\\" + RULES]))
    after = edit(Hive(stored, "SYSTEM"), [Edit(RULES, gone.upper(), None)], stored=stored)
    assert after is not None
    before = tree(stored)
    del before["\\" + RULES][gone]
    assert tree(after) == before


def test_values_in_a_real_users_hive_change_and_keys_are_made() -> None:
    stored = real_hives.content("win10-clean.NTUSER.DAT")
    path = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
    blob = HiveValue("DefaultConnectionSettings", 3, bytes(range(56)))
    edits = [
        Edit(path, "ProxyEnable", HiveValue("ProxyEnable", 4, b"\1\0\0\0")),
        Edit(path.upper() + r"\CONNECTIONS", "defaultconnectionsettings", blob),
        Edit(r"Software\ets6.network\Proxy", "Ψ", HiveValue("Ψ", 1, b"x\0\0\0")),
    ]
    after = edit(Hive(stored, "NTUSER.DAT"), edits, stored=stored)
    assert after is not None
    before, now = tree(stored), tree(after)
    software = next(key for key in before if key.lower() == "\\software")
    assert now.pop(f"{software}\\ets6.network") == {}
    assert now.pop(f"{software}\\ets6.network\\Proxy") == {"Ψ": (1, b"x\0\0\0")}
    settings_key = next(key for key in before if key.lower() == "\\" + path.lower())
    before[settings_key]["ProxyEnable"] = (4, b"\1\0\0\0")
    before[settings_key + "\\Connections"]["DefaultConnectionSettings"] = (3, bytes(range(56)))
    assert now == before


@pytest.mark.parametrize("name", real_hives.DIRTY)
def test_a_real_dirty_hive_is_never_written_though_its_logs_are_there(name: str) -> None:
    stored = real_hives.content(name)
    hive = replay(stored, real_hives.logs(name), name)
    with pytest.raises(EditError, match="is dirty: writing it would lose what its logs hold"):
        edit(hive, [Edit("A", "x", HiveValue("x", 4, bytes(4)))], stored=stored)


OTHERS: dict[str, tuple[int, bytes]] = {
    "": made.sz("default"),
    "Ψ": made.sz("ψ"),
    "ü": made.dword(7),
    "nothing": (3, b""),
    "three": (3, b"abc"),
    "odd": (0xFFFF0007, b"12345"),
    "as large as one cell holds": (3, bytes(16344)),
}


def one(path: str, name: str, data: bytes | None, kind: int = 3) -> list[Edit]:
    return [Edit(path, name, None if data is None else HiveValue(name, kind, data))]


def values(data: bytes, path: str) -> list[tuple[str, int, bytes]]:
    key = Hive(data, "made").find(path)
    assert key is not None
    return [(value.name, value.type, value.data) for value in key.values()]


@pytest.mark.parametrize("minor", [3, 5, 6])
@pytest.mark.parametrize("data", [b"", b"a", b"abcd", b"abcde", bytes(16344)])
def test_siblings_of_every_kind_stay_as_they_are(minor: int, data: bytes) -> None:
    stored = made.build({"A\\B": OTHERS, "A\\C": {"x": made.dword(1)}}, minor=minor)
    after = edit(Hive(stored, "made"), one("a\\b", "new", data), stored=stored)
    assert after is not None
    assert values(after, "A\\B") == [
        *((name, kind, raw) for name, (kind, raw) in OTHERS.items()),
        ("new", 3, data),
    ]
    again = edit(Hive(after, "made"), one("A\\B", "NEW", None), stored=after)
    assert again is not None
    assert values(again, "A\\B") == values(stored, "A\\B")


def test_several_edits_of_one_key_come_to_one_state() -> None:
    stored = made.build({"A": {"x": made.dword(1), "y": made.dword(2)}})
    edits = [
        *one("A", "x", b"first"),
        *one("a", "X", b"second"),
        *one("A", "y", None),
        *one("A", "z", b"new"),
        *one("A", "z", None),
    ]
    after = edit(Hive(stored, "made"), edits, stored=stored)
    assert after is not None
    assert values(after, "A") == [("x", 3, b"second")]


def test_what_is_there_already_or_gone_already_is_no_change() -> None:
    stored = made.build({"A": {"x": made.dword(1)}})
    edits = [*one("A", "x", struct.pack("<I", 1), 4), *one("A", "y", None), *one("B\\C", "y", None)]
    assert edit(Hive(stored, "made"), edits, stored=stored) is None


LARGE = made.build(
    {"A": {"large": (3, bytes(16345)), "small": made.dword(1)}, "B": {}}, name="made"
)


def test_a_key_with_a_large_value_is_refused_and_its_neighbour_is_not() -> None:
    with pytest.raises(EditError, match=r"A holds the value 'large' of 16345 bytes"):
        edit(Hive(LARGE, "made"), one("A", "small", b"x"), stored=LARGE)
    with pytest.raises(EditError, match="value 'x' of 16345 bytes"):
        edit(Hive(LARGE, "made"), one("B", "x", bytes(16345)), stored=LARGE)
    after = edit(Hive(LARGE, "made"), one("B", "x", b"x"), stored=LARGE)
    assert after is not None
    assert values(after, "A") == values(LARGE, "A")


def test_names_that_hivex_would_cut_off_are_refused() -> None:
    stored = made.build({"A": {"x\0hidden": made.dword(1)}})
    with pytest.raises(EditError, match="NUL"):
        edit(Hive(stored, "made"), one("A", "y", b"x"), stored=stored)


@pytest.mark.parametrize("name", ["ö", "ψ"])
def test_a_new_key_that_windows_would_not_find_is_refused(name: str) -> None:
    # hivex spells and places names beyond ASCII in a way of its own.
    stored = made.build({"A": {}, "zzz": {}})
    with pytest.raises(
        EditError, match=r"hivex adds the new key .* in a way that Windows would not find it"
    ):
        edit(Hive(stored, "made"), one(name, "x", b"x"), stored=stored)


@pytest.mark.parametrize("name", ["ets6.network", "aab", "ac[d", "azz_", "Zz", "zzzz", "E"])
def test_a_new_key_stands_where_windows_looks_for_it(name: str) -> None:
    others = {"et_other", "aZb", "a_b", "zzz", "ac]e", "Öl"}
    stored = made.build({other: {} for other in others})
    after = edit(Hive(stored, "made"), one(name, "x", b"x"), stored=stored)
    assert after is not None
    found = [key.name for key in Hive(after, "made").root.subkeys()]
    assert found == sorted(others | {name}, key=str.upper)


def test_a_users_hive_that_was_in_use_is_refused() -> None:
    stored = made.build({"A": {}}, flags=1)
    with pytest.raises(EditError, match="pending transactions"):
        edit(Hive(stored, "Users/knx/NTUSER.DAT"), one("A", "x", b"x"), stored=stored)
    # Hives that Windows never unloads have this flag always: so has the real, clean one.
    assert Hive(real_hives.content("win10-2004-clean.SYSTEM"), "SYSTEM").base.flags == 1
    assert (
        edit(Hive(stored, "Windows/System32/config/SYSTEM"), one("A", "x", b"x"), stored=stored)
        is not None
    )


def test_a_link_to_another_key_is_not_written_through() -> None:
    stored = bytearray(made.build({"A\\B": {}}))
    found = Hive(bytes(stored), "made").find("A")
    assert found is not None
    stored[4096 + found.offset + 6] |= 0x10
    with pytest.raises(EditError, match="is a link to another key"):
        edit(Hive(bytes(stored), "made"), one("A\\B", "x", b"x"), stored=bytes(stored))


def test_whatever_else_hivex_does_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = made.build({"A": {"x": made.dword(1)}, "B": {"y": made.dword(2)}})

    def spoil(path: str, plans: Any, title: str) -> None:
        write(path, plans, title)
        with open(path, "r+b") as file:
            content = file.read().replace(
                struct.pack("<I", 2) + struct.pack("<I", 4),
                struct.pack("<I", 3) + struct.pack("<I", 4),
            )
            file.seek(0)
            file.write(content)

    write = hive_edit._write
    monkeypatch.setattr(hive_edit, "_write", spoil)
    with pytest.raises(EditError, match=r"hivex wrote B differently than planned \(values\)"):
        edit(Hive(stored, "made"), one("A", "x", b"new"), stored=stored)
    monkeypatch.setattr(hive_edit, "_write", lambda *_arguments: None)
    with pytest.raises(EditError, match=r"hivex wrote A differently than planned \(values\)"):
        edit(Hive(stored, "made"), one("A", "x", b"new"), stored=stored)
    with pytest.raises(EditError, match="hivex did not create N"):
        edit(Hive(stored, "made"), one("N", "x", b"new"), stored=stored)


def test_a_crash_of_hivex_is_an_error_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = made.build({"A": {}})
    faulthandler.disable()
    monkeypatch.setattr(
        hive_edit, "_hivex", lambda *_arguments: os.kill(os.getpid(), signal.SIGSEGV)
    )
    with pytest.raises(EditError, match="hivex: the process that read it crashed"):
        edit(Hive(stored, "made"), one("A", "x", b"x"), stored=stored)


def test_without_hivex_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = made.build({"A": {}})
    monkeypatch.setattr(hive_edit, "LIBRARY", "libnothing.so.0")
    with pytest.raises(EditError, match="Debian it comes with the package libhivex0"):
        edit(Hive(stored, "made"), one("A", "x", b"x"), stored=stored)


OWN = r"Software\ets6.network"
RECORD = Edit(rf"{OWN}\Proxy", "machine", HiveValue("machine", 1, b"s\0\0\0"), restrict=OWN)
RESTRICTED_RULES = "D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)"
ACES = {
    "SY": bytes.fromhex("000214003f000f00010100000000000512000000"),
    "BA": bytes.fromhex("000218003f000f0001020000000000052000000020020000"),
}
"""Full control that keys below inherit, for S-1-5-18 and S-1-5-32-544 (MS-DTYP 2.4.4.2, 2.4.2.4)."""


def rules(descriptor: bytes) -> str:
    """Return the access rules of a security descriptor in words of SDDL (MS-DTYP 2.4.6)."""
    control, _owner, _group, _audit, at = struct.unpack_from("<HIIII", descriptor, 2)
    size, count = struct.unpack_from("<HH", descriptor, at + 2)
    entries = descriptor[at + 8 : at + size]
    shown = "D:P" if control & 0x1000 else "D:"
    for name, entry in ACES.items():
        if entries.startswith(entry):
            shown += f"(A;CI;KA;;;{name})"
            entries = entries[len(entry) :]
            count -= 1
    assert (entries, count) == (b"", 0), "another account may open the key"
    return shown


def shares(data: bytes) -> dict[int, int]:
    """Return how many keys share each security descriptor; the ring of these and their counts are checked."""
    hive = Hive(data, "made")
    found: dict[int, int] = {}
    pending = [hive.root]
    while pending:
        key = pending.pop()
        found[key.security_cell] = found.get(key.security_cell, 0) + 1
        pending += key.subkeys()
    for cell, count in found.items():
        _sk, following, previous, counted = struct.unpack_from("<4sIII", data, 4096 + cell + 4)
        assert counted == count
        assert following in found
        assert struct.unpack_from("<I", data, 4096 + following + 12)[0] == cell
        assert struct.unpack_from("<I", data, 4096 + previous + 8)[0] == cell
    return found


def test_the_lab_s_hives_can_be_read_by_users() -> None:
    key = Hive(made.build({"A": {}}), "made").find("A")
    assert key is not None
    with pytest.raises(AssertionError, match="another account may open the key"):
        rules(key.security)


@pytest.mark.parametrize("keys", ["none", "one above", "both", "with rights of their own"])
def test_a_restricted_key_is_only_for_the_system_and_administrators(keys: str) -> None:
    present = {"none": [], "one above": [OWN]}.get(keys, [OWN, RECORD.path])
    stored = made.build({"Software\\Other": {"x": made.dword(1)}, **{path: {} for path in present}})
    if keys == "with rights of their own":
        stored = made.with_own_security(stored, Hive(stored, "made").find(OWN).offset)  # type: ignore[union-attr]
    after = edit(Hive(stored, "made"), [RECORD], stored=stored)
    assert after is not None
    assert values(after, RECORD.path) == [("machine", 1, b"s\0\0\0")]
    hive = Hive(after, "made")
    for path in (OWN, RECORD.path):
        key = hive.find(path)
        assert key is not None
        assert rules(key.security) == RESTRICTED_RULES
    other = hive.find(r"Software\Other")
    assert other is not None
    assert other.security == made.SECURITY
    assert sorted(shares(after).values()) == [2, 3]
    again = edit(hive, [Edit(RECORD.path, "more", RECORD.value, restrict=OWN)], stored=after)
    assert again is not None
    assert sorted(shares(again).values()) == [2, 3]
    gone = edit(
        Hive(again, "made"), [Edit(RECORD.path, "machine", None, restrict=OWN)], stored=again
    )
    assert gone is not None
    assert shares(gone) == shares(again)


RESTRICTED_HIVE = made.build({RECORD.path: {"x": made.dword(1)}, "Other": {}})


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, len(RESTRICTED_HIVE) - 1), st.integers(0, 7)),
        min_size=1,
        max_size=5,
    )
)
def test_a_damaged_hive_is_an_error_or_its_keys_are_restricted(
    flips: list[tuple[int, int]],
) -> None:
    damaged = bytearray(RESTRICTED_HIVE)
    for position, bit in flips:
        damaged[position] ^= 1 << bit
    try:
        after = hive_security.restrict(bytes(damaged), "made", [OWN, RECORD.path])
        found = [Hive(after, "made").find(path) for path in (OWN, RECORD.path)]
    except HiveError:
        return
    for key in found:
        assert key is None or rules(key.security) == RESTRICTED_RULES


def test_another_reader_finds_the_restricted_keys_of_a_real_hive() -> None:
    stored = real_hives.content("win10-clean.NTUSER.DAT")
    after = edit(Hive(stored, "NTUSER.DAT"), [RECORD], stored=stored)
    assert after is not None
    before, now = tree(stored), tree(after)
    for path in (OWN, RECORD.path):
        spelled = next(key for key in now if key.lower() == f"\\{path}".lower())
        now.pop(spelled)
        key = real_hives.second_reader(after).open(path)
        record = key._nkrecord.sk_record()
        assert rules(record.unpack_binary(0x14, record.unpack_dword(0x10))) == RESTRICTED_RULES
    assert now == before


NAMES = st.text(st.characters(exclude_characters="\0\\", exclude_categories=["Cs"]), max_size=12)
DATA = st.tuples(st.integers(0, 11), st.binary(max_size=40))


@settings(max_examples=60)
@given(
    st.dictionaries(NAMES, DATA, max_size=6),
    st.lists(
        st.tuples(st.sampled_from(["A", "A\\B", "New\\Key"]), NAMES, st.none() | DATA),
        min_size=1,
        max_size=6,
    ),
)
def test_any_edits_give_what_they_say_or_are_refused(
    start: dict[str, tuple[int, bytes]], wanted: list[tuple[str, str, tuple[int, bytes] | None]]
) -> None:
    start = {
        name: value
        for name, value in start.items()
        if [other.lower() for other in start].count(name.lower()) == 1
    }
    stored = made.build({"A": start, "A\\B": start})
    edits = [
        Edit(path, name, None if value is None else HiveValue(name, *value))
        for path, name, value in wanted
    ]
    expected = {
        path: {name.lower(): value for name, value in start.items()} for path in ("A", "A\\B")
    }
    for path, name, value in wanted:
        if value is None:
            expected.get(path, {}).pop(name.lower(), None)
        else:
            expected.setdefault(path, {})[name.lower()] = value
    try:
        after = edit(Hive(stored, "made"), edits, stored=stored) or stored
    except (EditError, HiveError):
        return
    for path, values_wanted in expected.items():
        # A key that has nothing any more is removed, or was not made.
        is_there = Hive(after, "made").find(path) is not None
        found = values(after, path) if values_wanted or is_there else []
        assert {name.lower(): (kind, raw) for name, kind, raw in found} == values_wanted
