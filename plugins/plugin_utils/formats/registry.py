# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Registry values as typed data, and the form in which they travel between a target and the controller.

Types and their numbers: Microsoft Learn, "Registry value types". On the wire a value is a list of two:
the type's name and its data, as JSON can hold it:

==================  =========================================
REG_SZ, EXPAND_SZ   text
REG_MULTI_SZ        list of text
REG_DWORD, QWORD    number, unsigned
all others          base64 of the raw bytes
==================  =========================================
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils.names import fold
from ..errors import ETS6Error
from ..text import shorten

MAX_EXCERPT = 80
"""Characters of a value in an error."""

Data = str | int | bytes | tuple[str, ...]

TEXT_TYPES = frozenset({"REG_SZ", "REG_EXPAND_SZ"})
NUMBER_TYPES = {"REG_DWORD": 1 << 32, "REG_QWORD": 1 << 64}
BYTES_TYPES = frozenset({
    "REG_NONE", "REG_BINARY", "REG_DWORD_BIG_ENDIAN", "REG_LINK",
    "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_UNKNOWN",
})  # fmt: skip


class WireError(ETS6Error):
    """A value is not in the form described above. The text says what was found instead."""


@dataclass(frozen=True, slots=True)
class Value:
    """One registry value: the type's name (``REG_DWORD``) and its data."""

    type: str
    data: Data

    @classmethod
    def from_wire(cls, raw: Any) -> Value:
        """Read a value of the wire form.

        Raises WireError when the type is not known or the data is not of that type.
        """
        if not isinstance(raw, (list, tuple)) or len(raw) != 2 or not isinstance(raw[0], str):
            raise WireError(f"expected [type, data], found {_excerpt(raw)}")
        type_name, data = raw
        return cls(type_name, _parse_data(type_name, data))

    def to_wire(self) -> list[Any]:
        """Return the wire form."""
        if isinstance(self.data, bytes):
            return [self.type, base64.b64encode(self.data).decode("ascii")]
        if isinstance(self.data, tuple):
            return [self.type, list(self.data)]
        return [self.type, self.data]


class Values(Mapping[str, Value]):
    """The values of one key.

    A name is looked up without regard to letter case. The values are listed in their order, with
    their names as they are spelled.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[str, Value]] = ()) -> None:
        self._entries: dict[str, tuple[str, Value]] = {}
        for name, value in entries:
            self._entries[fold(name)] = (name, value)

    def __getitem__(self, name: str) -> Value:
        return self._entries[fold(name)][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _value in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def changed(self, name: str, value: Value | None) -> Values:
        """Return these values with one set, or removed where value is None.

        The spelling of a name that is there stays.
        """
        copy = Values()
        copy._entries = dict(self._entries)
        key = fold(name)
        if value is None:
            copy._entries.pop(key, None)
        else:
            spelling, _value = copy._entries.get(key, (name, value))
            copy._entries[key] = (spelling, value)
        return copy


def dword(number: int) -> Value:
    """Return a REG_DWORD."""
    return Value("REG_DWORD", number)


def text(content: str) -> Value:
    """Return a REG_SZ."""
    return Value("REG_SZ", content)


def binary(content: bytes) -> Value:
    """Return a REG_BINARY."""
    return Value("REG_BINARY", content)


def fold_path(path: str) -> str:
    """Return a key's path in the form in which keys are compared, without empty parts."""
    return "\\".join(filter(None, fold(path).split("\\")))


def _parse_data(type_name: str, raw: Any) -> Data:
    """Return the data of a value of a type. Raises WireError."""
    if type_name in TEXT_TYPES and isinstance(raw, str):
        return raw
    if type_name == "REG_MULTI_SZ" and _is_list_of_texts(raw):
        return tuple(raw)
    if type_name in NUMBER_TYPES and _is_number_below(NUMBER_TYPES[type_name], raw):
        return int(raw)
    if type_name in BYTES_TYPES and isinstance(raw, str):
        try:
            return base64.b64decode(raw, validate=True)
        except ValueError as error:
            raise WireError(f"{type_name}: not base64 ({error}): {_excerpt(raw)}") from None
    raise WireError(f"{type_name}: unknown type, or data that is not of that type: {_excerpt(raw)}")


def _is_list_of_texts(raw: Any) -> bool:
    return isinstance(raw, list) and all(isinstance(text, str) for text in raw)


def _is_number_below(limit: int, raw: Any) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < limit


def _excerpt(raw: Any) -> str:
    return shorten(repr(raw), MAX_EXCERPT)
