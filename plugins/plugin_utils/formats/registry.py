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

from ..errors import ETS6Error

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
            raise WireError(f"expected [type, data], found {_shown(raw)}")
        kind, data = raw
        if kind in TEXT_TYPES and isinstance(data, str):
            return cls(kind, data)
        if kind == "REG_MULTI_SZ" and isinstance(data, list) and all(isinstance(item, str) for item in data):
            return cls(kind, tuple(data))
        limit = NUMBER_TYPES.get(kind)
        if limit and isinstance(data, int) and not isinstance(data, bool) and 0 <= data < limit:
            return cls(kind, data)
        if kind in BYTES_TYPES and isinstance(data, str):
            try:
                return cls(kind, base64.b64decode(data, validate=True))
            except ValueError as error:
                raise WireError(f"{kind}: not base64 ({error}): {_shown(data)}") from None
        raise WireError(f"{kind}: unknown type, or data that is not of that type: {_shown(data)}")

    def to_wire(self) -> list[Any]:
        """Return the wire form."""
        if isinstance(self.data, bytes):
            return [self.type, base64.b64encode(self.data).decode("ascii")]
        if isinstance(self.data, tuple):
            return [self.type, list(self.data)]
        return [self.type, self.data]


class Values(Mapping[str, Value]):
    """The values of one key: looked up without regard to letter case, listed as they are spelled and in their order."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, Value]] = ()) -> None:
        self._items: dict[str, tuple[str, Value]] = {name.lower(): (name, value) for name, value in items}

    def __getitem__(self, name: str) -> Value:
        return self._items[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _value in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def changed(self, name: str, value: Value | None) -> Values:
        """Return these values with one set, or taken away where value is None; the spelling of a name that is there stays."""
        copy = Values()
        copy._items = dict(self._items)
        if value is None:
            copy._items.pop(name.lower(), None)
        else:
            known = copy._items.get(name.lower())
            copy._items[name.lower()] = (known[0] if known else name, value)
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


def fold(path: str) -> str:
    """Return a key's path in the one spelling under which keys are compared: lower case, no blank or doubled backslashes."""
    return "\\".join(part for part in path.lower().split("\\") if part)


def _shown(raw: Any) -> str:
    shown = repr(raw)
    return shown if len(shown) <= 80 else shown[:77] + "..."
