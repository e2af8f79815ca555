# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hives of an image as the registry that Windows would make of them, and registry values to and from their wire form."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any

from .hive import Hive, HiveError, Key, Value

TYPES = (
    "REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK", "REG_MULTI_SZ",
    "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD",
)  # fmt: skip
"""The types by their numbers: Microsoft Learn, "Registry value types"."""


class WireError(ValueError):
    """An operation is not of the form that windows_host documents."""


class ControlSets:
    r"""Which of SYSTEM's control sets is the current one: ``Select\Current`` says it.

    Raises HiveError where it does not, or where Windows would start with another one than it ran with last.
    """

    def __init__(self, system: Hive) -> None:
        select = system.find("Select")
        numbers = {
            value.name.lower(): struct.unpack("<I", value.data)[0]
            for value in (select.values() if select is not None else ())
            if value.type == 4 and len(value.data) == 4
        }
        self.all = tuple(key.name for key in system.root.subkeys() if key.name.lower().startswith("controlset"))
        current, following = numbers.get("current"), numbers.get("default")
        if current is None or f"controlset{current:03}" not in (name.lower() for name in self.all):
            raise HiveError(
                f"{system.title}: Select\\Current names no control set that is there ({current} of {', '.join(self.all) or 'none'}). "
                "It is not the SYSTEM hive of a Windows that can start."
            )
        if following is not None and following != current:
            raise HiveError(
                f"{system.title}: Select says that Windows ran with control set {current} and will start with {following}. Which of "
                "them to judge cannot be told; start the image once in Windows and shut it down fully."
            )
        self.current = f"ControlSet{current:03}"


class Registry:
    r"""Hives by the names under which Windows mounts them: ``HKLM\SYSTEM``, ``HKLM\SOFTWARE``, ``HKU\<sid>``."""

    def __init__(self, hives: Mapping[str, Hive], control_set: str) -> None:
        self._hives = {name.lower(): (name, hive) for name, hive in hives.items()}
        self._control_set = control_set

    def place(self, path: str) -> tuple[str, str] | None:
        """Return the hive's name and the path below its root; None where the image has no such hive."""
        parts = [part for part in path.split("\\") if part]
        found = self._hives.get("\\".join(parts[:2]).lower())
        if found is None:
            return None
        name, below = found[0], parts[2:]
        if name == "HKLM\\SYSTEM" and below and below[0].lower() == "currentcontrolset":
            below[0] = self._control_set
        return name, "\\".join(below)

    def key(self, path: str) -> Key | None:
        """Return a key; None where it is not there. Raises HiveError, also where the image has no such hive."""
        place = self.place(path)
        if place is None:
            raise HiveError(f"the image has no hive for {path}")
        key: Key | None = self._hives[place[0].lower()][1].root
        for name in filter(None, place[1].split("\\")):
            if key is not None:
                key = key.subkey(name)
                if key is not None and key.is_link:
                    raise HiveError(f"{path}: {key.name} is a link to another key, which is not followed")
        return key

    def read(self, into: dict[str, Any], path: str, depth: int) -> None:
        """Read a key and, down to a depth, those below it: present, missing and unreadable are three things."""
        try:
            key = self.key(path)
            if key is None:
                into[path] = {"state": "missing"}
            else:
                self._read(into, path, key, depth)
        except HiveError as error:
            into[path] = {"state": "unreadable", "error": str(error)}

    def _read(self, into: dict[str, Any], path: str, key: Key, depth: int) -> None:
        values = {value.name: to_wire(value) for value in key.values()}
        below = list(key.subkeys())
        into[path] = {"state": "present", "values": values, "keys": [subkey.name for subkey in below]}
        for subkey in below if depth > 0 else ():
            place = f"{path}\\{subkey.name}"
            try:
                if subkey.is_link:
                    raise HiveError(f"{place} is a link to another key, which is not followed")
                self._read(into, place, subkey, depth - 1)
            except HiveError as error:
                into[place] = {"state": "unreadable", "error": str(error)}

    def text(self, path: str, name: str) -> str | None:
        """Return a REG_SZ or REG_EXPAND_SZ; None where there is none."""
        key = self.key(path)
        for value in key.values() if key is not None else ():
            if value.name.lower() == name.lower() and value.type in (1, 2):
                return str(to_wire(value)[1])
        return None


def to_wire(value: Value) -> list[Any]:
    """Return type and data as windows_host gives them. A number of the wrong length is REG_UNKNOWN, as are types without a name."""
    kind = TYPES[value.type] if value.type < len(TYPES) else "REG_UNKNOWN"
    if kind in ("REG_SZ", "REG_EXPAND_SZ"):
        text = _text(value.data)
        return [kind, text[:-1] if text.endswith("\0") else text]
    if kind == "REG_MULTI_SZ":
        parts = _text(value.data).split("\0")
        return [kind, parts[: parts.index("")] if "" in parts else parts]
    if kind == "REG_DWORD" and len(value.data) == 4:
        return [kind, struct.unpack("<I", value.data)[0]]
    if kind == "REG_QWORD" and len(value.data) == 8:
        return [kind, struct.unpack("<Q", value.data)[0]]
    if kind in ("REG_DWORD", "REG_QWORD"):
        kind = "REG_UNKNOWN"
    return [kind, base64.b64encode(value.data).decode("ascii")]


def from_wire(wire: Any) -> tuple[str, Value | None]:
    """Return name and value, given as [name, type, data], as it is stored; None where it is [name], and to go. Raises WireError."""
    if not isinstance(wire, (list, tuple)) or len(wire) not in (1, 3) or not isinstance(wire[0], str):
        raise WireError(f"{wire!r} is no value: name, type and data are expected, or the name alone")
    return wire[0], None if len(wire) == 1 else _stored(*wire)


def _stored(name: str, kind: Any, data: Any) -> Value:
    if kind not in TYPES:
        raise WireError(f"{name!r}: {kind!r} is no type of a registry value that can be written")
    number = TYPES.index(kind)
    try:
        if kind in ("REG_SZ", "REG_EXPAND_SZ"):
            return Value(name, number, (str(data) + "\0").encode("utf-16-le", "surrogatepass"))
        if kind == "REG_MULTI_SZ":
            return Value(name, number, "".join(f"{item}\0" for item in [*data, ""]).encode("utf-16-le", "surrogatepass"))
        if kind == "REG_DWORD":
            return Value(name, number, struct.pack("<I", data))
        if kind == "REG_QWORD":
            return Value(name, number, struct.pack("<Q", data))
        return Value(name, number, base64.b64decode(data, validate=True))
    except (TypeError, ValueError, struct.error, binascii.Error):
        raise WireError(f"{name!r}: the data is not of the type {kind}") from None


def _text(data: bytes) -> str:
    return data[: len(data) & ~1].decode("utf-16-le", "surrogatepass")
