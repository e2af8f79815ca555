# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes values into a copy of a hive with hivex, and proves that nothing else became different.

libhivex is called directly: its Python binding exists for the system's Python only, which need not
be the one that runs this, and hivexsh and hivexregedit take their input as text, in which the names
of values, which come from the image, would have to be quoted. It runs within bounds, in a process of
its own, so that a hive that makes it crash is no more than an error.

Hazards of hivex: it takes a dirty hive and makes it look clean; it writes a value of more than 16,344
bytes in a form that Windows cannot read, and writes all values of a key again when one changes; it
spells and places new keys with letters beyond ASCII in a way of its own. So such hives and keys are
refused, and what it wrote is read back with hive.py, an independent reader, and compared key by key
and value by value.
"""

from __future__ import annotations

import ctypes
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import bounds, c_library, hive_security
from .bounds import BoundsError
from .errors import ModuleError
from .hive import KTM_LOCKED, MAX_CELL, BaseBlock, Entry, Hive, HiveKey, HiveValue
from .hive_log import HOW_TO_CLEAN
from .names import fold, name_hash, sort_key

LIBRARY = "libhivex.so.0"
PACKAGE = "libhivex0"
MAX_VALUES = 16 * 1024
"""More values than that in one key are refused; a firewall has some hundred."""
_WRITE = 4

KeyPath = tuple[str, ...]
"""The names of a key and of those above it, folded."""


class EditError(ModuleError):
    """A hive cannot be changed as requested. The text says which key, why, and what to do."""


@dataclass(frozen=True)
class Edit:
    """A value to be set, or removed where value is None. path is the key's, below the hive's root.

    restrict is the key above it, where only SYSTEM and Administrators may open both.
    """

    path: str
    name: str
    value: HiveValue | None
    restrict: str = ""


@dataclass(frozen=True)
class _KeyPlan:
    """What a key is to hold.

    parts are the names from the root on, as existing keys spell them. removed: the key itself goes.
    """

    parts: tuple[str, ...]
    values: tuple[HiveValue, ...]
    removed: bool = False

    @property
    def path(self) -> KeyPath:
        return _folded(self.parts)

    @property
    def text(self) -> str:
        return "\\".join(self.parts)


def edit(hive: Hive, edits: Sequence[Edit], *, stored: bytes) -> bytes | None:
    """Return the hive with these changes, or None where it has them already.

    stored is the content of the hive's file: the hive must be what that holds, not what logs made of
    it. A key that loses its last value, and has no subkeys, is removed. Raises EditError and
    HiveError.
    """
    plans = _plan(hive, edits)
    if not plans:
        return None
    if BaseBlock.parse(stored, hive.title).dirty:
        raise EditError(
            f"{hive.title} is dirty: writing it would lose what its logs hold. {HOW_TO_CLEAN}"
        )
    if hive.title.upper().endswith("NTUSER.DAT") and hive.base.flags & KTM_LOCKED:
        raise EditError(
            f"{hive.title} was in use when the image was made: there may be pending transactions on "
            "it. Have that user log off, and shut Windows down fully, before the image is made."
        )
    with tempfile.TemporaryDirectory(prefix="ets6-network-") as folder:
        path = os.path.join(folder, "hive")
        with open(path, "wb") as file:
            file.write(stored)
        _write(path, plans, hive.title)
        with open(path, "rb") as file:
            after = file.read()
    restricted = _restricted_keys(edits)
    after = hive_security.restrict(after, hive.title, restricted)
    comparison = _Comparison(plans, restricted, hive.title)
    comparison.compare(hive, Hive(after, hive.title))
    return after


def _restricted_keys(edits: Sequence[Edit]) -> list[str]:
    keys: list[str] = []
    for change in edits:
        if change.restrict and change.value is not None:
            keys += [change.restrict, change.path]
    return keys


def _plan(hive: Hive, edits: Sequence[Edit]) -> list[_KeyPlan]:
    """Return the keys that have to become different, with all their values."""
    edits_of_key: dict[str, list[Edit]] = {}
    for change in edits:
        edits_of_key.setdefault(fold(change.path), []).append(change)
    plans = []
    for changes in edits_of_key.values():
        key, parts = _locate(hive, changes[0].path)
        before = [] if key is None else list(key.values())
        after = _edited(before, changes)
        if after == before:
            continue
        plan = _KeyPlan(parts, tuple(after))
        _refuse(hive.title, plan)
        plans.append(plan)
    return _without_empty_keys(hive, plans)


def _edited(before: Sequence[HiveValue], changes: Sequence[Edit]) -> list[HiveValue]:
    """Return the values of a key after changes, in their order."""
    values = list(before)
    for change in changes:
        index = _index(values, change.name)
        if change.value is None:
            if index is not None:
                del values[index]
        elif index is None:
            values.append(change.value)
        else:
            name = values[index].name
            values[index] = HiveValue(name, change.value.type, change.value.data)
    return values


def _index(values: Sequence[HiveValue], name: str) -> int | None:
    folded = fold(name)
    for index, value in enumerate(values):
        if fold(value.name) == folded:
            return index
    return None


def _without_empty_keys(hive: Hive, plans: Sequence[_KeyPlan]) -> list[_KeyPlan]:
    """Return the plans, with the keys that they empty removed, the inner ones first."""
    kept = [plan for plan in plans if plan.values]
    removed: list[_KeyPlan] = []
    for plan in plans:
        parts = plan.parts
        while parts and _is_emptied(hive, parts, [*plans, *removed], removed):
            removed.append(_KeyPlan(parts, (), removed=True))
            parts = parts[:-1]
        if not plan.values and parts == plan.parts:
            kept.append(plan)
    return [*kept, *removed]


def _is_emptied(
    hive: Hive, parts: tuple[str, ...], plans: Sequence[_KeyPlan], removed: Sequence[_KeyPlan]
) -> bool:
    """Return whether nothing is left in a key that existed before."""
    path = _folded(parts)
    key, _spelled = _locate(hive, "\\".join(parts))
    values: Sequence[HiveValue] = ()
    if key is not None:
        values = tuple(key.values())
    for plan in plans:
        if plan.path == path:
            values = plan.values
        elif plan.values and plan.path[: len(path)] == path:
            return False
    if key is None or values:
        return False
    gone = {plan.path for plan in removed}
    return all((*path, fold(subkey.name)) in gone for subkey in key.subkeys())


def _refuse(title: str, plan: _KeyPlan) -> None:
    """Raise EditError for a key that hivex would not write as Windows reads it."""
    if len(plan.values) > MAX_VALUES:
        raise EditError(
            f"{title}: {plan.text} has {len(plan.values)} values; more than {MAX_VALUES} are not "
            "written."
        )
    for value in plan.values:
        if len(value.data) > MAX_CELL:
            raise EditError(
                f"{title}: {plan.text} holds the value {value.name!r} of {len(value.data)} bytes, "
                f"and more than {MAX_CELL} bytes cannot be written again in a form that Windows "
                "reads. Change this key in Windows."
            )
    names = [*plan.parts, *(value.name for value in plan.values)]
    if any("\0" in name for name in names):
        raise EditError(
            f"{title}: {plan.text} has a name with a NUL in it, which cannot be written again. "
            "Change this key in Windows."
        )


def _locate(hive: Hive, path: str) -> tuple[HiveKey | None, tuple[str, ...]]:
    """Return a key, None where it does not exist, and the names on its path as they are spelled."""
    key: HiveKey | None = hive.root
    parts = []
    for name in path.split("\\"):
        if not name:
            continue
        if key is not None:
            key = key.subkey(name)
        if key is not None and key.is_link:
            raise EditError(
                f"{hive.title}: {path}: {key.name} is a link to another key, which is not followed."
            )
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


_HANDLE, _NODE, _TEXT, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS = {
    "hivex_open": (_HANDLE, [_TEXT, _INT]),
    "hivex_root": (_NODE, [_HANDLE]),
    "hivex_node_get_child": (_NODE, [_HANDLE, _NODE, _TEXT]),
    "hivex_node_add_child": (_NODE, [_HANDLE, _NODE, _TEXT]),
    "hivex_node_delete_child": (_INT, [_HANDLE, _NODE]),
    "hivex_node_set_values": (
        _INT,
        [_HANDLE, _NODE, ctypes.c_size_t, ctypes.POINTER(_HiveSetValue), _INT],
    ),
    "hivex_commit": (_INT, [_HANDLE, _TEXT, _INT]),
    "hivex_close": (_INT, [_HANDLE]),
}
"""The functions of hivex.h that are used: what they return, and their parameters."""


def _library() -> Any:
    try:
        return c_library.load(LIBRARY, _FUNCTIONS)
    except OSError:
        raise EditError(
            f"{LIBRARY} is needed to write hives; on Debian it comes with the package {PACKAGE}."
        ) from None


def _write(path: str, plans: Sequence[_KeyPlan], title: str) -> None:
    """Have hivex write into the file."""
    library = _library()
    try:
        problem = bounds.call(lambda: _hivex(library, path, plans))
    except BoundsError as error:
        problem = str(error)
    if problem:
        raise EditError(f"{title} could not be written: hivex: {problem}.")


def _hivex(library: Any, path: str, plans: Sequence[_KeyPlan]) -> str:
    """Return what went wrong, or nothing."""
    handle = library.hivex_open(path.encode(), _WRITE)
    if not handle:
        return f"open: {_reason()}"
    for plan in plans:
        node = library.hivex_root(handle)
        for name in plan.parts:
            raw = _raw(name)
            child = library.hivex_node_get_child(handle, node, raw)
            node = child or library.hivex_node_add_child(handle, node, raw)
            if not node:
                return f"{name}: {_reason()}"
        if plan.removed:
            failed = library.hivex_node_delete_child(handle, node)
        else:
            values = _set_values(plan.values)
            failed = library.hivex_node_set_values(handle, node, len(values), values, 0)
        if failed:
            return f"{plan.text}: {_reason()}"
    if library.hivex_commit(handle, None, 0):
        return f"commit: {_reason()}"
    library.hivex_close(handle)
    return ""


def _set_values(values: Sequence[HiveValue]) -> Any:
    array = (_HiveSetValue * len(values))()
    for item, value in zip(array, values, strict=True):
        item.key = _raw(value.name)
        item.t = ctypes.c_int32(value.type).value
        item.len = len(value.data)
        item.value = value.data
    return array


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _reason() -> str:
    return os.strerror(ctypes.get_errno())


def _folded(parts: Sequence[str]) -> KeyPath:
    return tuple(fold(part) for part in parts)


@dataclass(frozen=True)
class _Pair:
    """A key of the new hive with the one of the old hive. A key that was added has none.

    model is the key whose security descriptor it has to have: its own of before, or its parent's.
    """

    path: KeyPath
    before: HiveKey | None
    after: HiveKey
    model: HiveKey


class _Comparison:
    """Compares every key and every value of a new hive with the old one's."""

    def __init__(self, plans: Sequence[_KeyPlan], restricted: Sequence[str], title: str) -> None:
        self._title = title
        self._restricted = {_folded(path.split("\\")) for path in restricted}
        self._values = {plan.path: plan.values for plan in plans}
        self._removed = {plan.path for plan in plans if plan.removed}
        self._expected_new: set[KeyPath] = set()
        for plan in plans:
            if not plan.removed:
                self._expected_new.update(_ancestry(plan.path))

    def compare(self, before: Hive, after: Hive) -> None:
        """Raise EditError on the first key that is not as planned."""
        pending = [_Pair((), before.root, after.root, before.root)]
        seen: set[KeyPath] = set()
        while pending:
            pair = pending.pop()
            seen.add(pair.path)
            self._compare_key(pair)
            pending += self._subkeys(pair)
        missing = self._expected_new - seen
        if missing:
            raise EditError(f"{self._title}: hivex did not create {_shown(min(missing))}.")

    def _compare_key(self, pair: _Pair) -> None:
        before, after = pair.before, pair.after
        expected: tuple[HiveValue, ...] = ()
        if before is not None:
            expected = tuple(before.values())
        expected = self._values.get(pair.path, expected)
        if tuple(after.values()) != expected:
            raise self._difference(pair.path, "values")
        security = pair.model.security
        if pair.path in self._restricted:
            security = hive_security.RESTRICTED
        if after.security != security:
            raise self._difference(pair.path, "security descriptor")
        if before is not None and _metadata(before) != _metadata(after):
            raise self._difference(pair.path, "name, flags, time or class")

    def _subkeys(self, pair: _Pair) -> Iterator[_Pair]:
        """Return the keys below a key in pairs. Raises EditError where others are there than planned."""
        kept = []
        if pair.before is not None:
            for entry in pair.before.entries():
                if (*pair.path, fold(entry.key.name)) not in self._removed:
                    kept.append(entry)
        entries = list(pair.after.entries())
        position = 0
        for index, entry in enumerate(entries):
            path = (*pair.path, fold(entry.key.name))
            if position < len(kept) and kept[position].key.name == entry.key.name:
                self._compare_entry(path, kept[position], entry)
                yield _Pair(path, kept[position].key, entry.key, kept[position].key)
                position += 1
            elif path in self._expected_new:
                self._check_added(path, entries, index)
                yield _Pair(path, None, entry.key, pair.after)
            else:
                raise self._difference(path, "place among its siblings")
        if position < len(kept):
            raise self._difference((*pair.path, fold(kept[position].key.name)), "presence")

    def _compare_entry(self, path: KeyPath, before: Entry, after: Entry) -> None:
        unchanged = (before.kind, before.hint) == (after.kind, after.hint)
        if not unchanged and not _hint_fits(after):
            raise self._difference(path, "hash in its parent's list")

    def _check_added(self, path: KeyPath, entries: Sequence[Entry], index: int) -> None:
        """Raise EditError for a new key that Windows, which searches by halves and hashes, would not find."""
        added = entries[index]
        name = added.key.name
        siblings = []
        if index and sort_key(entries[index - 1].key.name) > sort_key(name):
            siblings.append(entries[index - 1].key.name)
        if index + 1 < len(entries) and sort_key(name) > sort_key(entries[index + 1].key.name):
            siblings.append(entries[index + 1].key.name)
        if siblings or not _hint_fits(added):
            order = f" beside {siblings[0]!r}" if siblings else ""
            raise EditError(
                f"{self._title}: hivex adds the new key {_shown(path)}{order} in a way that Windows "
                "would not find it. Create this key in Windows."
            )

    def _difference(self, path: KeyPath, what: str) -> EditError:
        return EditError(
            f"{self._title}: hivex wrote {_shown(path)} differently than planned ({what})."
        )


def _ancestry(path: KeyPath) -> Iterator[KeyPath]:
    """Return the path of every key from below the root down to a key."""
    for length in range(1, len(path) + 1):
        yield path[:length]


def _shown(path: KeyPath) -> str:
    return "\\".join(path) or "the root"


def _metadata(key: HiveKey) -> tuple[Any, ...]:
    return key.name, key.flags, key.written, key.class_name


def _hint_fits(entry: Entry) -> bool:
    """Return whether the hint beside a key in its parent's list is the one that Windows expects."""
    name = entry.key.name
    if entry.kind == b"lf":
        # The first four characters; a character beyond Latin-1 gives a null.
        expected = "".join(letter if ord(letter) < 256 else "\0" for letter in name[:4])
        return entry.hint == expected.encode("latin-1").ljust(4, b"\0")
    if entry.kind == b"lh":
        return entry.hint == struct.pack("<I", name_hash(name))
    return True
