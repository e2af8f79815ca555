# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes values into a copy of a hive with hivex, and proves that nothing else became different.

libhivex is called directly: its Python binding exists for the system's Python only, which need not be the one that runs this,
and hivexsh and hivexregedit take their input as text, in which the names of values, which come from the image, would have to be
quoted. It runs in a process of its own, so that a hive that makes it crash is no more than an error.

What hivex does not do by itself is done here: it takes a dirty hive and makes it look clean; it writes a value of more than
16,344 bytes in a way that Windows cannot read, and writes all values of a key again when one changes; it spells and places new
keys with letters beyond ASCII in a way of its own. So such hives and keys are refused, and what it wrote is read back with
hive.py, a reader of its own, and compared key by key and value by value.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .hive import BIG, KTM_LOCKED, BaseBlock, Hive, Key, Value

LIBRARY = "libhivex.so.0"
PACKAGE = "libhivex0"
WRITE = 4
VALUES = 16 * 1024
"""More values than that in one key are refused; a firewall has some hundred."""

Path = tuple[str, ...]
"""The names of a key and those above it, in upper case."""


class EditError(Exception):
    """A hive cannot be changed as wanted. The text says which key, why, and what to do."""


@dataclass(frozen=True)
class Edit:
    """One value to be set, or taken away where value is None. path is the key's, below the hive's root."""

    path: str
    name: str
    value: Value | None


@dataclass(frozen=True)
class _KeyPlan:
    """What a key is to hold. parts are the names from the root on, as they are spelled where they are there already."""

    parts: tuple[str, ...]
    values: tuple[Value, ...]


def edit(hive: Hive, edits: Sequence[Edit], *, stored: bytes) -> bytes | None:
    """Return the hive with these changes, or None where it has them already.

    stored is the hive's file as it is: it must be what was read, not what logs made of it. Raises EditError, HiveError.
    """
    plans = _plan(hive, edits)
    if not plans:
        return None
    if BaseBlock.parse(stored, hive.title).dirty:
        raise EditError(
            f"{hive.title} is dirty: what its logs hold would be lost if it were written. Start the image once in Windows and shut "
            "it down fully (shutdown /s /t 0)."
        )
    if hive.title.upper().endswith("NTUSER.DAT") and hive.base.flags & KTM_LOCKED:
        raise EditError(
            f"{hive.title} was in use when the image was made: there may be pending transactions on it. Have that user log off, and "
            "shut Windows down fully, before the image is made."
        )
    with tempfile.TemporaryDirectory(prefix="ets6-network-") as folder:
        path = os.path.join(folder, "hive")
        with open(path, "wb") as file:
            file.write(stored)
        _write(path, plans, hive.title)
        with open(path, "rb") as file:
            after = file.read()
    _compare(hive, Hive(after, hive.title), {_folded(plan.parts): plan.values for plan in plans})
    return after


def _plan(hive: Hive, edits: Sequence[Edit]) -> list[_KeyPlan]:
    """Return the keys that have to become different, with all their values."""
    by_key: dict[str, list[Edit]] = {}
    for one in edits:
        by_key.setdefault(one.path.lower(), []).append(one)
    plans = []
    for of_key in by_key.values():
        key, parts = _spelled(hive, of_key[0].path)
        before = tuple(key.values()) if key is not None else ()
        after = list(before)
        for one in of_key:
            at = next((at for at, value in enumerate(after) if value.name.lower() == one.name.lower()), None)
            if one.value is None:
                if at is not None:
                    del after[at]
            elif at is None:
                after.append(one.value)
            else:
                after[at] = Value(after[at].name, one.value.type, one.value.data)
        if tuple(after) == before:
            continue
        _refuse(hive.title, parts, after)
        plans.append(_KeyPlan(parts, tuple(after)))
    return plans


def _refuse(title: str, parts: Sequence[str], values: Sequence[Value]) -> None:
    shown = "\\".join(parts)
    if len(values) > VALUES:
        raise EditError(f"{title}: {shown} has {len(values)} values; more than {VALUES} are not written.")
    for value in values:
        if len(value.data) > BIG:
            raise EditError(
                f"{title}: {shown} holds the value {value.name!r} of {len(value.data)} bytes, and more than {BIG} bytes cannot be "
                "written again in a form that Windows reads. Change this key in Windows."
            )
    if any("\0" in name for name in (*parts, *(value.name for value in values))):
        raise EditError(
            f"{title}: {shown} has a name with a NUL in it, which cannot be written again. Change this key in Windows."
        )


def _spelled(hive: Hive, path: str) -> tuple[Key | None, tuple[str, ...]]:
    key: Key | None = hive.root
    parts = []
    for name in filter(None, path.split("\\")):
        key = None if key is None else key.subkey(name)
        if key is not None and key.is_link:
            raise EditError(f"{hive.title}: {path}: {key.name} is a link to another key, which is not written through.")
        parts.append(name if key is None else key.name)
    return key, tuple(parts)


class _HiveSetValue(ctypes.Structure):
    """``hive_set_value`` of hivex.h."""

    _fields_ = [
        ("key", ctypes.c_char_p),
        ("t", ctypes.c_int),
        ("len", ctypes.c_size_t),
        ("value", ctypes.c_char_p),
    ]


def _library() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError:
        raise EditError(f"{LIBRARY} is needed to write hives; on Debian it comes with the package {PACKAGE}.") from None
    handle, node = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
        ("hivex_open", handle, [ctypes.c_char_p, ctypes.c_int]),
        ("hivex_root", node, [handle]),
        ("hivex_node_get_child", node, [handle, node, ctypes.c_char_p]),
        ("hivex_node_add_child", node, [handle, node, ctypes.c_char_p]),
        ("hivex_node_set_values", ctypes.c_int, [handle, node, ctypes.c_size_t, ctypes.POINTER(_HiveSetValue), ctypes.c_int]),
        ("hivex_commit", ctypes.c_int, [handle, ctypes.c_char_p, ctypes.c_int]),
        ("hivex_close", ctypes.c_int, [handle]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _write(path: str, plans: Sequence[_KeyPlan], title: str) -> None:
    """Have hivex write into the file, in a process of its own."""
    library = _library()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(library, path, plans, sender))
    child.start()
    sender.close()
    try:
        problem = receiver.recv()
    except EOFError:
        problem = "it crashed"
    child.join()
    if problem:
        raise EditError(f"{title} could not be written: hivex: {problem}.")


def _child(library: Any, path: str, plans: Sequence[_KeyPlan], sender: Any) -> None:
    sender.send(_hivex(library, path, plans))


def _hivex(library: Any, path: str, plans: Sequence[_KeyPlan]) -> str:
    """Return what went wrong, or nothing."""
    handle = library.hivex_open(path.encode(), WRITE)
    if not handle:
        return f"open: {os.strerror(ctypes.get_errno())}"
    root = library.hivex_root(handle)
    for plan in plans:
        node = root
        for name in plan.parts:
            raw = name.encode("utf-8", "surrogatepass")
            node = library.hivex_node_get_child(handle, node, raw) or library.hivex_node_add_child(handle, node, raw)
            if not node:
                return f"{name}: {os.strerror(ctypes.get_errno())}"
        values = (_HiveSetValue * len(plan.values))(
            *(
                _HiveSetValue(
                    value.name.encode("utf-8", "surrogatepass"), ctypes.c_int32(value.type).value, len(value.data), value.data
                )
                for value in plan.values
            )
        )
        if library.hivex_node_set_values(handle, node, len(plan.values), values, 0):
            return f"{'/'.join(plan.parts)}: {os.strerror(ctypes.get_errno())}"
    if library.hivex_commit(handle, None, 0):
        return f"commit: {os.strerror(ctypes.get_errno())}"
    library.hivex_close(handle)
    return ""


def _folded(parts: Sequence[str]) -> Path:
    return tuple(part.upper() for part in parts)


def _compare(before: Hive, after: Hive, wanted: Mapping[Path, tuple[Value, ...]]) -> None:
    """Hold every key and every value of the new hive against the old one's. Raises EditError on the first that is not as wanted."""
    left: list[tuple[Path, Key | None, Key, Key | None]] = [((), before.root, after.root, None)]
    new = {path[:length] for path in wanted for length in range(1, len(path) + 1)}
    while left:
        path, old, now, parent = left.pop()
        expected = wanted.get(path, tuple(old.values()) if old is not None else ())
        old_keys = list(old.subkeys()) if old is not None else []
        keys = list(now.subkeys())
        names = {key.name.upper(): key for key in old_keys}
        added = [key for key in keys if key.name.upper() not in names]
        like = old if old is not None else parent
        sound = (
            tuple(now.values()) == expected
            and (like is None or (now.security == like.security))
            and (old is None or _same(old, now))
            and [key.name for key in keys if key not in added] == [key.name for key in old_keys]
            and all((*path, key.name.upper()) in new for key in added)
            and (not added or _findable(now))
        )
        if not sound:
            raise EditError(f"{after.title}: what hivex made of {chr(92).join(path) or 'the root'} is not what was wanted.")
        left += [((*path, key.name.upper()), names.get(key.name.upper()), key, now) for key in keys]
        new -= {path}
    if new:
        raise EditError(f"{after.title}: hivex did not make {chr(92).join(sorted(new)[0])}.")


def _same(old: Key, now: Key) -> bool:
    return (old.name, old.flags, old.written, old.class_name) == (now.name, now.flags, now.written, now.class_name)


def _findable(key: Key) -> bool:
    """Tell whether Windows, which searches by halves and by hashes, finds every subkey: it orders by upper-case letters."""
    entries = list(key.entries())
    names = [_upper(subkey.name) for subkey, _kind, _hint in entries]
    return names == sorted(names) and all(_hint_fits(subkey.name, kind, hint) for subkey, kind, hint in entries)


def _hint_fits(name: str, kind: bytes, hint: bytes) -> bool:
    if kind == b"lf":
        return hint.rstrip(b"\0") == name[:4].encode("latin-1", "replace")
    if kind == b"lh":
        total = 0
        for unit in _upper(name):
            total = (total * 37 + unit) & 0xFFFFFFFF
        return hint == struct.pack("<I", total)
    return True


def _upper(name: str) -> list[int]:
    """Return the UTF-16 units of a name in upper case. Letters that become several stay: Windows maps unit by unit."""
    raised = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in name)
    return list(
        struct.unpack(f"<{len(raised.encode('utf-16-le', 'surrogatepass')) // 2}H", raised.encode("utf-16-le", "surrogatepass"))
    )
