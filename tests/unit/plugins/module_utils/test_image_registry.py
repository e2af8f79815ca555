# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Registry values on their way between their wire form and a hive."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils.image_registry import (
    OperationError,
    from_wire,
    to_wire,
)

VALUES = [
    ["REG_SZ", "Grüße \ud800"],
    ["REG_EXPAND_SZ", ""],
    ["REG_MULTI_SZ", ["one", "two"]],
    ["REG_MULTI_SZ", []],
    ["REG_DWORD", 0xFFFFFFFF],
    ["REG_QWORD", 1 << 63],
    ["REG_BINARY", "AAEC"],
    ["REG_NONE", ""],
]


@pytest.mark.parametrize("wire", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(wire: list[Any]) -> None:
    name, value = from_wire(["name", *wire])
    assert value is not None
    assert (name, to_wire(value)) == ("name", wire)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("REG_SZ", 1),
        ("REG_SZ", None),
        ("REG_MULTI_SZ", "text"),
        ("REG_MULTI_SZ", [1]),
        ("REG_MULTI_SZ", None),
        ("REG_DWORD", "1"),
        ("REG_DWORD", -1),
        ("REG_DWORD", 1 << 32),
        ("REG_QWORD", None),
        ("REG_BINARY", "no base64"),
        ("REG_BINARY", "ä"),
        ("REG_BINARY", [1]),
    ],
)
def test_data_of_another_type_is_refused(kind: str, data: Any) -> None:
    with pytest.raises(OperationError, match=f"'name': the data does not have the type {kind}"):
        from_wire(["name", kind, data])


@pytest.mark.parametrize("wire", [[], ["name", "REG_SZ"], [1, "REG_SZ", ""], "name", None])
def test_what_is_no_value_is_refused(wire: Any) -> None:
    with pytest.raises(OperationError, match="expected name, type and data, or the name alone"):
        from_wire(wire)
