# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What was there before this collection set a proxy, recorded on the PC, and how it is put back.

Before the first change of a setting its values are recorded in a key of this collection (RECORDS),
one REG_SZ for a setting with JSON: ``{"before": {path: {name: [type, data] or null}}, "set": {…}}``.
Removal puts the values back if the setting still means what was set. Then the record is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..finding import Change
from ..formats.registry import Value, WireError, fold, text
from ..operations import Operation, RegistryChange, SetRegistryValues, by_key, predict
from ..snapshot import Registry

RECORDS = r"HKLM\SOFTWARE\ets6.network\Proxy"
WININET_UNIT = "proxy wininet"
"""All layers and the switch between users and machine are one unit of operations.

Half of them would give ETS6 a proxy that the policy does not name.
"""
WINHTTP_UNIT = "proxy winhttp"


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

    id: str
    title: str
    unit: str
    keys: tuple[str, ...]
    read: Callable[[Registry], dict[str, Any] | None]


def read_record(registry: Registry, setting_id: str) -> Record | None:
    """Return the record of a setting; None without one, or where it is not of the right form."""
    value = registry.value(RECORDS, setting_id)
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


def write_record(
    registry: Registry,
    setting_id: str,
    unit: str,
    changes: Sequence[RegistryChange],
    meaning: Mapping[str, Any],
) -> SetRegistryValues:
    """Return the operation that records what the changes overwrite.

    What an earlier record holds stays: it is the state before the first change.
    """
    record = read_record(registry, setting_id)
    before: dict[str, dict[str, Any]] = {}
    if record is not None:
        for path, values in record.before.items():
            if isinstance(values, dict):
                before[path] = dict(values)
    for path, name, _value in changes:
        value = registry.value(path, name)
        wire = None if value is None else value.to_wire()
        before.setdefault(path, {}).setdefault(name, wire)
    document = {"before": before, "set": dict(meaning)}
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return SetRegistryValues(RECORDS, {setting_id: text(content)}, unit)


def put_back(registry: Registry, setting: ManagedSetting) -> Change | None:
    """Return the change that puts back what was there before.

    None where that is not recorded, or where the setting was changed since.
    """
    record = read_record(registry, setting.id)
    meaning = setting.read(registry)
    if record is None or meaning is None or record.meaning != meaning:
        return None
    changes = _recorded_changes(record, setting.keys)
    if changes is None:
        return None
    operations: list[Operation] = [
        *differing(registry, changes, setting.unit),
        SetRegistryValues(RECORDS, {setting.id: None}, setting.unit),
    ]
    after = setting.read(predict(operations, registry)) or {}
    return Change(
        f"{setting.title}, as it was before",
        meaning,
        {key: after.get(key) for key in meaning},
        operations,
    )


def forget(setting_id: str) -> Change:
    """Return the change that deletes the record of a user whose profile is gone."""
    operation = SetRegistryValues(RECORDS, {setting_id: None}, WININET_UNIT)
    subject = f"the record of {setting_id}, whose profile is gone"
    return Change(subject, {"record": "kept"}, {"record": None}, [operation])


def differing(
    registry: Registry, changes: Sequence[RegistryChange], unit: str
) -> list[SetRegistryValues]:
    """Return the operations that write those of the values that differ from what is there."""
    return by_key(
        [change for change in changes if change[2] != registry.value(change[0], change[1])], unit
    )


def _recorded_changes(record: Record, keys: Sequence[str]) -> list[RegistryChange] | None:
    """Return the changes that put a record's values back; None where it holds anything else."""
    allowed = {fold(key) for key in keys}
    changes: list[RegistryChange] = []
    for path, values in record.before.items():
        if fold(path) not in allowed or not isinstance(values, dict):
            return None
        try:
            for name, wire in values.items():
                changes.append((path, name, None if wire is None else Value.from_wire(wire)))
        except WireError:
            return None
    return changes
