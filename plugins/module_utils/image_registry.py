# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hives of an image as the registry that Windows mounts, and its values in their wire form."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import ModuleError
from .hive import Hive, HiveError, HiveKey, HiveValue
from .names import fold

TYPES = (
    "REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK", "REG_MULTI_SZ",
    "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD",
)  # fmt: skip
"""The types by their numbers: Microsoft Learn, "Registry value types"."""
REG_SZ, REG_EXPAND_SZ, REG_DWORD = 1, 2, 4
WOW64 = "WOW6432NODE"
TEXTS = ("REG_SZ", "REG_EXPAND_SZ")
NUMBERS = {"REG_DWORD": struct.Struct("<I"), "REG_QWORD": struct.Struct("<Q")}


class OperationError(ModuleError):
    """An operation does not have the form that windows_host documents."""


class ControlSets:
    r"""Which of SYSTEM's control sets is the current one, according to ``Select\\Current``.

    Raises HiveError where that cannot be determined, or where Windows would start with another one
    than it ran with last.
    """

    def __init__(self, system: Hive) -> None:
        self.all = tuple(_control_sets(system))
        numbers = _selected(system)
        current, following = numbers.get("CURRENT"), numbers.get("DEFAULT")
        names = {fold(name) for name in self.all}
        if current is None or f"CONTROLSET{current:03}" not in names:
            raise HiveError(
                f"{system.title}: Select\\Current names no control set that exists ({current} of "
                f"{', '.join(self.all) or 'none'}). It is not the SYSTEM hive of a Windows that can "
                "start: take it from the image again."
            )
        if following is not None and following != current:
            raise HiveError(
                f"{system.title}: Select says that Windows ran with control set {current} and will "
                f"start with {following}, so which one to judge could not be determined. Only if the image "
                "was not generalized (Sysprep), start it, and shut it down fully (shutdown /s /t 0)."
            )
        self.current = f"ControlSet{current:03}"


def _control_sets(system: Hive) -> Iterator[str]:
    for key in system.root.subkeys():
        if fold(key.name).startswith("CONTROLSET"):
            yield key.name


def _selected(system: Hive) -> dict[str, int]:
    """Return the numbers in SYSTEM's key Select, by their folded names."""
    select = system.find("Select")
    numbers: dict[str, int] = {}
    if select is None:
        return numbers
    for value in select.values():
        if value.type == REG_DWORD and len(value.data) == 4:
            numbers[fold(value.name)] = struct.unpack("<I", value.data)[0]
    return numbers


class OfflineRegistry:
    r"""Hives by the names under which Windows mounts them: ``HKLM\SYSTEM``, ``HKU\<sid>``.

    32-bit Windows has one view of SOFTWARE: there WOW6432Node is the key above it.
    """

    def __init__(
        self, hives: Mapping[str, Hive], control_set: str, *, is_64_bit: bool = True
    ) -> None:
        self._is_64_bit = is_64_bit
        self._hives = {fold(name): (name, hive) for name, hive in hives.items()}
        self._control_set = control_set

    def locate(self, path: str) -> tuple[str, str] | None:
        """Return the hive's name and the path below its root; None where the image has no such hive."""
        parts = [part for part in path.split("\\") if part]
        mounted = self._hives.get(fold("\\".join(parts[:2])))
        if mounted is None:
            return None
        name, below = mounted[0], parts[2:]
        if below and (name, fold(below[0])) == ("HKLM\\SYSTEM", "CURRENTCONTROLSET"):
            below[0] = self._control_set
        if below and (name, fold(below[0])) == ("HKLM\\SOFTWARE", WOW64) and not self._is_64_bit:
            del below[0]
        return name, "\\".join(below)

    def key(self, path: str) -> HiveKey | None:
        """Return a key; None where it does not exist. Raises HiveError, also where there is no hive."""
        location = self.locate(path)
        if location is None:
            raise HiveError(f"the image has no hive for {path}")
        name, below = location
        key: HiveKey | None = self._hives[fold(name)][1].root
        for part in below.split("\\"):
            if not part or key is None:
                continue
            key = key.subkey(part)
            if key is not None and key.is_link:
                raise _link(path)
        return key

    def read(self, keys: dict[str, Any], path: str, depth: int, names: Sequence[str] = ()) -> None:
        """Add a key to keys and, down to a depth, those below it: present, missing or unreadable.

        names are the values to read of it; all where it is empty.
        """
        try:
            key = self.key(path)
            if key is None:
                keys[path] = {"state": "missing"}
            else:
                self._read(keys, path, key, depth, names)
        except HiveError as error:
            keys[path] = {"state": "unreadable", "error": str(error)}

    def _read(
        self,
        keys: dict[str, Any],
        path: str,
        key: HiveKey,
        depth: int,
        names: Sequence[str] = (),
    ) -> None:
        subkeys = list(key.subkeys())
        wanted = {fold(name) for name in names}
        values = {}
        for value in key.values():
            if not wanted or fold(value.name) in wanted:
                values[value.name] = to_wire(value)
        keys[path] = {
            "state": "present",
            "values": values,
            "keys": [subkey.name for subkey in subkeys],
        }
        if depth <= 0:
            return
        for subkey in subkeys:
            subkey_path = f"{path}\\{subkey.name}"
            try:
                if subkey.is_link:
                    raise _link(subkey_path)
                self._read(keys, subkey_path, subkey, depth - 1)
            except HiveError as error:
                keys[subkey_path] = {"state": "unreadable", "error": str(error)}

    def text(self, path: str, name: str) -> str | None:
        """Return a REG_SZ or REG_EXPAND_SZ; None where there is none. Raises HiveError."""
        key = self.key(path)
        if key is None:
            return None
        for value in key.values():
            if fold(value.name) == fold(name) and value.type in (REG_SZ, REG_EXPAND_SZ):
                return str(to_wire(value)[1])
        return None


def _link(path: str) -> HiveError:
    return HiveError(f"{path} is a link to another key, which is not followed")


def to_wire(value: HiveValue) -> list[Any]:
    """Return type and data as windows_host returns them.

    A number of the wrong length is REG_UNKNOWN, as are types without a name.
    """
    kind = "REG_UNKNOWN"
    if value.type < len(TYPES):
        kind = TYPES[value.type]
    if kind in TEXTS:
        return [kind, _text(value.data).removesuffix("\0")]
    if kind == "REG_MULTI_SZ":
        parts = _text(value.data).split("\0")
        if "" in parts:
            parts = parts[: parts.index("")]
        return [kind, parts]
    if kind in NUMBERS:
        number = NUMBERS[kind]
        if len(value.data) == number.size:
            return [kind, number.unpack(value.data)[0]]
        kind = "REG_UNKNOWN"
    return [kind, base64.b64encode(value.data).decode("ascii")]


def from_wire(wire: Any) -> tuple[str, HiveValue | None]:
    """Return name and value as they are stored, of [name, type, data].

    [name] alone, for a value to be removed, gives None. Raises OperationError.
    """
    is_list = isinstance(wire, (list, tuple)) and len(wire) in (1, 3)
    if not is_list or not isinstance(wire[0], str):
        raise OperationError(f"{wire!r}: expected name, type and data, or the name alone")
    if len(wire) == 1:
        return wire[0], None
    name, kind, data = wire
    if kind not in TYPES:
        raise OperationError(f"{name!r}: {kind!r} is not a type of registry values")
    stored = _stored(kind, data)
    if stored is None:
        raise OperationError(f"{name!r}: the data does not have the type {kind}")
    return name, HiveValue(name, TYPES.index(kind), stored)


def _stored(kind: str, data: Any) -> bytes | None:
    """Return data as it is stored; None where it is not of the type."""
    if kind == "REG_MULTI_SZ":
        return _stored_texts(data)
    if kind in NUMBERS:
        return _stored_number(NUMBERS[kind], data)
    if not isinstance(data, str):
        return None
    if kind in TEXTS:
        return f"{data}\0".encode("utf-16-le", "surrogatepass")
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        return None


def _stored_texts(data: Any) -> bytes | None:
    if not isinstance(data, (list, tuple)) or not all(isinstance(item, str) for item in data):
        return None
    text = "".join(f"{item}\0" for item in [*data, ""])
    return text.encode("utf-16-le", "surrogatepass")


def _stored_number(number: struct.Struct, data: Any) -> bytes | None:
    try:
        return number.pack(data)
    except struct.error:
        return None


def _text(data: bytes) -> str:
    return data[: len(data) & ~1].decode("utf-16-le", "surrogatepass")
