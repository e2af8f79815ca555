# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was there before this collection set a proxy, recorded on the PC, and how it is put back.

Before the first change of a setting its values are recorded in a REG_SZ with JSON:
``{"before": {path: {name: [type, data] or null}}, "set": {…}}``. Removal puts the values back if the
setting still means what was set. Then the record is deleted.

What was set for a user is recorded in that user's own hive: a proxy setting may hold a login, which
no other user may read. A new user starts from the default profile and so has its record, too: removal
gives that user the settings which the default profile had before. The paths in such a record begin
below the user's root. What was set for the machine is recorded in HKLM, in a key that only SYSTEM and
Administrators may open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..finding import Change
from ..formats.registry import Value, WireError, fold_path, text
from ..operations import (
    OWN_KEY,
    Operation,
    RegistryChange,
    SetRegistryValues,
    by_key,
    predict,
)
from ..snapshot import Registry, State

USER_RECORDS = r"Software\ets6.network\Proxy"
"""The key of a user's record, below the user's root."""
MACHINE_RECORDS = rf"{OWN_KEY}\Proxy"
WININET_UNIT = "proxy wininet"
"""All layers and the switch between users and machine are one unit of operations.

Half of them would give ETS6 a proxy that the policy does not name.
"""
WINHTTP_UNIT = "proxy winhttp"


@dataclass(frozen=True)
class RecordLocation:
    """Where a record is. root is what its paths begin below, empty where they are whole."""

    key: str
    name: str
    root: str = ""

    def relative(self, path: str) -> str:
        """Return a key's path as the record names it."""
        return path.removeprefix(self.root)


@dataclass(frozen=True)
class Record:
    """What was recorded of a setting: the values before the first change, and what was set last.

    before holds values in their wire form by key and name, None where there was no value. What is
    in a record may have been changed on the PC, so its values are parsed when they are put back.
    """

    before: Mapping[str, Any]
    meaning: Mapping[str, Any]


@dataclass(frozen=True)
class ManagedSetting:
    """A setting of which a record may exist: a layer, ProxySettingsPerUser, or WinHTTP's proxy.

    keys are the only ones that its record may name. read returns what the setting means now, None
    where it cannot be read.
    """

    title: str
    unit: str
    location: RecordLocation
    keys: tuple[str, ...]
    read: Callable[[Registry], dict[str, Any] | None]


def machine_record(name: str) -> RecordLocation:
    """Return where a setting of the machine is recorded."""
    return RecordLocation(MACHINE_RECORDS, name)


def layer_record(layer_id: str) -> RecordLocation:
    """Return where a layer is recorded: ``machine``, ``machine32``, or a user's SID."""
    if layer_id.startswith("machine"):
        return machine_record(layer_id)
    root = f"HKU\\{layer_id}\\"
    return RecordLocation(root + USER_RECORDS, "wininet", root)


def is_recorded(registry: Registry, location: RecordLocation) -> bool | None:
    """Return whether there is a record; None where that could not be read."""
    key = registry.key(location.key)
    if key.state is State.UNREADABLE:
        return None
    return location.name in key.values


def read_record(registry: Registry, location: RecordLocation) -> Record | None:
    """Return the record of a setting; None without one, or where it is not of the right form."""
    value = registry.value(location.key, location.name)
    if value is None or not isinstance(value.data, str):
        return None
    try:
        raw = json.loads(value.data)
    except (json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    before, meaning = raw.get("before"), raw.get("set")
    if not isinstance(before, dict) or not isinstance(meaning, dict):
        return None
    return Record(before, meaning)


def was_reset(
    registry: Registry,
    location: RecordLocation,
    required: Mapping[str, Any],
    current: Mapping[str, Any],
) -> bool:
    """Return whether this collection set what is required, and something has changed it since."""
    record = read_record(registry, location)
    return record is not None and record.meaning == required and current != required


def write_record(
    registry: Registry,
    location: RecordLocation,
    unit: str,
    values: Sequence[tuple[str, str]],
    meaning: Mapping[str, Any],
) -> SetRegistryValues:
    """Return the operation that records values, given as path of the key and name.

    What an earlier record holds stays: it is the state before the first change.
    """
    record = read_record(registry, location)
    before: dict[str, dict[str, Any]] = {}
    if record is not None:
        for path, recorded in record.before.items():
            if isinstance(recorded, dict):
                before[path] = dict(recorded)
    for path, name in values:
        value = registry.value(path, name)
        wire = None if value is None else value.to_wire()
        before.setdefault(location.relative(path), {}).setdefault(name, wire)
    document = {"before": before, "set": dict(meaning)}
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return SetRegistryValues(location.key, {location.name: text(content)}, unit)


def put_back(registry: Registry, setting: ManagedSetting) -> Change | None:
    """Return the change that puts back what was there before.

    None where that is not recorded, or where the setting was changed since.
    """
    location = setting.location
    record = read_record(registry, location)
    meaning = setting.read(registry)
    if record is None or meaning is None or record.meaning != meaning:
        return None
    changes = _recorded_changes(record, location, setting.keys)
    if changes is None:
        return None
    operations: list[Operation] = [
        *differing(registry, changes, setting.unit),
        SetRegistryValues(location.key, {location.name: None}, setting.unit),
    ]
    after = setting.read(predict(operations, registry)) or {}
    return Change(
        f"{setting.title}, as it was before",
        meaning,
        {key: after.get(key) for key in meaning},
        operations,
    )


def differing(
    registry: Registry, changes: Sequence[RegistryChange], unit: str
) -> list[SetRegistryValues]:
    """Return the operations that write those of the values that differ from what is there."""
    necessary = []
    for path, name, value in changes:
        if registry.value(path, name) != value:
            necessary.append((path, name, value))
    return by_key(necessary, unit)


def _recorded_changes(
    record: Record, location: RecordLocation, keys: Sequence[str]
) -> list[RegistryChange] | None:
    """Return the changes that put a record's values back; None where it holds anything else."""
    allowed = {fold_path(key) for key in keys}
    changes: list[RegistryChange] = []
    for relative, values in record.before.items():
        path = location.root + relative
        if fold_path(path) not in allowed or not isinstance(values, dict):
            return None
        try:
            for name, wire in values.items():
                changes.append((path, name, None if wire is None else Value.from_wire(wire)))
        except WireError:
            return None
    return changes
