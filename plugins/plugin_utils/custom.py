# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Custom controls over a host: what their expressions see, and their findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from .finding import Finding
from .policy.custom_controls import CustomControl
from .snapshot import Key, Snapshot
from .text import without_url_secrets


def judge(
    controls: Sequence[CustomControl], snapshot: Snapshot, findings: Sequence[Finding]
) -> list[Finding]:
    """Return a finding for each custom control."""
    if not controls:
        return []
    data = view(snapshot, findings)
    return [control.judge(data) for control in controls]


def view(snapshot: Snapshot, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what expressions see: the snapshot as windows_host documents it, and the findings.

    Values of the registry are their data alone, bytes in base64. findings holds control, status,
    reason and evidence by the control's id. Logins and queries of URLs are left out.
    """
    data = {
        "host": dict(snapshot.host),
        "environment": dict(snapshot.environment),
        "registry": {path: _key(snapshot.registry.key(path)) for path in snapshot.registry},
        "files": _records(snapshot.files.values(), ("path", "state", "version", "size", "error")),
        "users": _records(snapshot.users, ("sid", "name", "profile", "hive", "logged_on")),
        "network": None if snapshot.network is None else list(snapshot.network),
        "services": None if snapshot.services is None else dict(snapshot.services),
        "firewall_products": _records(snapshot.firewall_products, ("name", "enabled")),
        "registered_firewalls": _records(snapshot.registered_firewalls, ("name", "categories")),
        "networks": _records(snapshot.networks, ("interface", "index", "name", "category")),
        "firewall_service": None
        if snapshot.firewall_service is None
        else _record(snapshot.firewall_service, ("rules", "values", "modify_state")),
        "probes": None
        if snapshot.probes is None
        else [dict(probe.record) for probe in snapshot.probes],
        "errors": dict(snapshot.errors),
        "offline": snapshot.offline,
        "findings": {finding.control.id: _finding(finding) for finding in findings},
    }
    shown: dict[str, Any] = _without_url_secrets(data)
    return shown


def _without_url_secrets(data: Any) -> Any:
    """Return JSON data, keys included, without what URLs may hide.

    What an expression sees may become evidence, and then it is in every report.
    """
    if isinstance(data, str):
        return without_url_secrets(data)
    if isinstance(data, Mapping):
        entries = ((without_url_secrets(key), value) for key, value in data.items())
        return {key: _without_url_secrets(value) for key, value in entries}
    if isinstance(data, (list, tuple)):
        return [_without_url_secrets(item) for item in data]
    return data


def _key(key: Key) -> dict[str, Any]:
    return {
        "state": key.state.value,
        "values": {name: value.to_wire()[1] for name, value in key.values.items()},
        "keys": list(key.subkeys),
        "error": key.error,
    }


def _records(items: Any, names: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return dataclasses as dictionaries of some of their fields; None for a section not read."""
    if items is None:
        return None
    return [_record(item, names) for item in items]


def _record(item: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(item, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, Enum) else value


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "control": finding.control.id,
        "status": finding.status.value,
        "reason": finding.reason,
        "evidence": dict(finding.evidence),
    }
