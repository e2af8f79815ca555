# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How names are compared: as Windows does, wherever keys, values and files are looked up."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.module_utils import names
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive, HiveValue, check
from ansible_collections.ets6.network.plugins.module_utils.hive_edit import Edit, EditError, edit
from ansible_collections.ets6.network.tests.lab import hive as made
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives


def test_the_table_is_that_of_an_ntfs_volume(tmp_path: Path) -> None:
    """ntfs-3g writes Windows' table into $UpCase of every volume that it makes."""
    mkntfs, ntfscat = (
        shutil.which(name, path="/usr/bin:/sbin:/usr/sbin") for name in ("mkntfs", "ntfscat")
    )
    if mkntfs is None or ntfscat is None:
        real_hives.not_here("mkntfs is not installed (Debian ntfs-3g)")
    volume = tmp_path / "volume"
    with volume.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(
        [mkntfs, "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", volume],
        check=True,
        capture_output=True,
    )
    table = subprocess.run([ntfscat, "-i", "10", volume], check=True, capture_output=True).stdout
    expected = struct.unpack("<65536H", table)
    for unit, upper in enumerate(expected):
        assert names.fold(chr(unit)) == chr(upper), hex(unit)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Masse", "MASSE", True),
        ("Masse", "Maße", False),
        ("ı", "I", False),
        ("µ", "Μ", False),
        ("ÿ", "Ÿ", True),
        ("ǆ", "Ǆ", True),
        ("ǅ", "Ǆ", False),
        ("\U00010428", "\U00010400", False),
        ("ﬁ", "FI", False),
    ],
)
def test_names_are_compared_one_utf_16_unit_at_a_time(one: str, other: str, same: bool) -> None:
    assert (names.fold(one) == names.fold(other)) is same


SIBLINGS = ["Masse", "Maße", "\U00010400", "\U00010428", "Ÿ"]


@pytest.mark.parametrize("name", SIBLINGS)
def test_each_of_similar_siblings_is_found_and_changed_alone(name: str) -> None:
    stored = made.build({sibling: {"x": made.sz(sibling)} for sibling in SIBLINGS})
    key = Hive(stored, "made").find(name)
    assert key is not None
    assert key.name == name
    after = edit(
        Hive(stored, "made"), [Edit(name, "x", HiveValue("x", 4, bytes(4)))], stored=stored
    )
    assert after is not None
    for sibling in SIBLINGS:
        found = Hive(after, "made").find(sibling)
        assert found is not None
        assert ([value.type for value in found.values()] == [4]) is (sibling == name)


def test_a_new_key_beside_such_siblings_is_found() -> None:
    stored = made.build({sibling: {} for sibling in SIBLINGS})
    for name in ("ets6.network", "Mast", "Zoo"):
        after = edit(
            Hive(stored, "made"), [Edit(name, "x", HiveValue("x", 4, bytes(4)))], stored=stored
        )
        assert after is not None
        ordered = [key.name for key in Hive(after, "made").root.subkeys()]
        assert ordered == sorted([*SIBLINGS, name], key=names.sort_key)


def test_the_sibling_is_named_beside_which_windows_would_not_find_a_new_key() -> None:
    stored = made.build({"Ä": {}, "zzz": {}})
    with pytest.raises(
        EditError,
        match=r"hivex adds the new key Ö.* in a way that Windows would not find it. Create this key in Windows",
    ):
        edit(Hive(stored, "made"), [Edit("Ö", "x", HiveValue("x", 4, bytes(4)))], stored=stored)


@pytest.mark.parametrize("name", ["odd/nthive-testhive", "odd/lf-unicode-sibling.hive"])
def test_real_hives_with_odd_names_are_read_and_changed(name: str) -> None:
    stored = real_hives.content(name)
    hive = Hive(stored, name)
    assert check(hive) > 1
    for key in hive.root.subkeys():
        for subkey in key.subkeys():
            found = key.subkey(subkey.name)
            assert found is not None
            assert found.name == subkey.name
    path = next(hive.root.subkeys()).name
    after = edit(
        hive, [Edit(f"{path}\\ets6.network", "x", HiveValue("x", 4, bytes(4)))], stored=stored
    )
    assert after is not None
    assert check(Hive(after, name)) == check(hive) + 1


def test_a_key_that_loses_its_last_value_goes_and_so_do_those_above_it() -> None:
    stored = made.build(
        {
            "Windows' own": {},
            "ets6\\a\\b": {"x": made.dword(1)},
            "kept\\a": {"x": made.dword(1)},
            "kept\\c": {},
        }
    )
    edits = [Edit("ets6\\a\\b", "x", None), Edit("kept\\a", "x", None)]
    after = edit(Hive(stored, "made"), edits, stored=stored)
    assert after is not None
    hive = Hive(after, "made")
    assert [key.name for key in hive.root.subkeys()] == ["kept", "Windows' own"]
    kept = hive.find("kept")
    assert kept is not None
    assert [key.name for key in kept.subkeys()] == ["c"]
    assert {key.name() for key in real_hives.second_reader(after).root().subkeys()} == {
        "kept",
        "Windows' own",
    }


def test_a_key_that_gets_another_value_or_has_subkeys_stays() -> None:
    stored = made.build({"a": {"x": made.dword(1)}, "b": {"x": made.dword(1)}, "b\\c": {}})
    edits = [
        Edit("a", "x", None),
        Edit("a", "y", HiveValue("y", 4, bytes(4))),
        Edit("b", "x", None),
    ]
    after = edit(Hive(stored, "made"), edits, stored=stored)
    assert after is not None
    assert [key.name for key in Hive(after, "made").root.subkeys()] == ["a", "b"]
