# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be done to a PC.

Each operation also says what it comes to in registry values: for an image, and to predict what a
change would do. Operations that share a ``unit`` belong together: where one of them fails,
windows_host restores what the earlier ones of its unit changed. A firewall operation is a unit of
its own, since each rule is right or wrong by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .formats import firewall_rule, winhttp
from .formats.registry import Value, binary, dword
from .snapshot import Registry, State

FIREWALL_POLICY = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
LOCAL_RULES = FIREWALL_POLICY + r"\FirewallRules"
LOCAL_PROFILES = {
    "Domain": "DomainProfile",
    "Private": "StandardProfile",
    "Public": "PublicProfile",
}
"""The keys of the local profile settings, by the names that Set-NetFirewallProfile takes."""

OWN_KEY = r"HKLM\SOFTWARE\ets6.network"
"""This collection's key of the machine.

What is recorded below it may hold the login of a proxy, so only SYSTEM and Administrators may open
it and the keys below.
"""

NOT_KNOWN_TO_SERVICE = "CmdletizationQuery_NotFound_InstanceID"
"""Id of the error of the NetSecurity cmdlets for a rule that the firewall's service does not know.

The registry has it: it was written there directly, and counts after the next start of the PC.
"""

RegistryChange = tuple[str, str, Value | None]
"""Path of the key, name of the value, and its new value; None removes it."""


class Operation(Protocol):
    """One thing that a target does, completely or not at all."""

    def to_wire(self) -> dict[str, Any]:
        """Return the operation as windows_host takes it (its documentation: option C(operations))."""

    def as_registry(self, registry: Registry) -> list[RegistryChange]:
        """Return what the operation comes to in registry values, given what is there."""


@dataclass(frozen=True)
class SetRegistryValues:
    """Write values of one registry key, and remove those that are None.

    A key that is missing is created for the values that are written.
    """

    path: str
    values: Mapping[str, Value | None]
    unit: str

    def to_wire(self) -> dict[str, Any]:
        """Return the operation as windows_host takes it."""
        # Not a dictionary: Ansible's JSON reader on the PC does not accept an empty name, which is
        # that of a key's default value.
        values = []
        for name, value in self.values.items():
            data = [] if value is None else value.to_wire()
            values.append([name, *data])
        wire: dict[str, Any] = {
            "do": "set_registry_values",
            "unit": self.unit,
            "path": self.path,
            "values": values,
        }
        if self.path.startswith(f"{OWN_KEY}\\"):
            wire["restrict"] = OWN_KEY
        return wire

    def as_registry(self, registry: Registry) -> list[RegistryChange]:
        """Return the values."""
        return [(self.path, name, value) for name, value in self.values.items()]


def by_key(changes: Iterable[RegistryChange], unit: str) -> list[SetRegistryValues]:
    """Return the changes as operations, one for each key, in their order."""
    keys: dict[str, dict[str, Value | None]] = {}
    for path, name, value in changes:
        keys.setdefault(path, {})[name] = value
    return [SetRegistryValues(path, values, unit) for path, values in keys.items()]


@dataclass(frozen=True)
class FirewallRule:
    """A managed allow rule in the words of New-NetFirewallRule. No remote address means any."""

    id: str
    display_name: str
    description: str
    group: str
    program: str
    direction: str
    protocol: str
    profiles: tuple[str, ...]
    remote_addresses: tuple[str, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """Return the rule's parameters as windows_host takes them."""
        parameters: dict[str, Any] = {
            "id": self.id,
            "display_name": self.display_name,
            "description": self.description,
            "group": self.group,
            "program": self.program,
            "direction": self.direction,
            "protocol": self.protocol,
            "profiles": list(self.profiles),
        }
        if self.remote_addresses:
            parameters["remote_addresses"] = list(self.remote_addresses)
        return parameters


@dataclass(frozen=True)
class SetFirewallRule:
    """Create a rule in the local store, or correct every field of the one with this id."""

    rule: FirewallRule

    def to_wire(self) -> dict[str, Any]:
        """Return the operation as windows_host takes it."""
        return {"do": "set_firewall_rule", "rule": self.rule.to_wire()}

    def as_registry(self, registry: Registry) -> list[RegistryChange]:
        """Return the rule as Windows writes it in the version of this PC's store."""
        version = registry.value(FIREWALL_POLICY, "PolicyVersion")
        number = None
        if version is not None and isinstance(version.data, int):
            number = version.data
        text = firewall_rule.compose(self.rule, number)
        return [(LOCAL_RULES, self.rule.id, Value("REG_SZ", text))]


@dataclass(frozen=True)
class RemoveFirewallRule:
    """Remove the rule with this id from the local store."""

    id: str

    def to_wire(self) -> dict[str, Any]:
        """Return the operation as windows_host takes it."""
        return {"do": "remove_firewall_rule", "id": self.id}

    def as_registry(self, registry: Registry) -> list[RegistryChange]:
        """Return the rule's removal."""
        return [(LOCAL_RULES, self.id, None)]


@dataclass(frozen=True)
class AllowMulticastAnswers:
    """Let unicast answers to a multicast in, in one profile of the local settings.

    profile is Domain, Private or Public.
    """

    profile: str

    def to_wire(self) -> dict[str, Any]:
        """Return the operation as windows_host takes it.

        There it is Set-NetFirewallProfile -AllowUnicastResponseToMulticast True.
        """
        return {"do": "allow_multicast_answers", "profile": self.profile}

    def as_registry(self, registry: Registry) -> list[RegistryChange]:
        """Return the profile's value."""
        path = f"{FIREWALL_POLICY}\\{LOCAL_PROFILES[self.profile]}"
        return [(path, "DisableUnicastResponsesToMulticastBroadcast", dword(0))]


@dataclass(frozen=True)
class SetWinHttpProxy:
    """Set WinHTTP's machine-wide proxy; without a server, direct access."""

    server: str
    bypass: str
    unit: str

    def to_wire(self) -> dict[str, Any]:
        """Return the operation as windows_host takes it."""
        return {
            "do": "set_winhttp_proxy",
            "unit": self.unit,
            "server": self.server,
            "bypass": self.bypass,
        }

    def as_registry(self, registry: Registry) -> list[RegistryChange]:
        """Return the values of the 64-bit and the 32-bit key, as netsh writes them.

        The version of a blob that is there stays. The key of 32-bit programs is not made.
        """
        changes: list[RegistryChange] = []
        for path in winhttp.KEYS:
            if path != winhttp.KEYS[0] and registry.key(path).state is not State.PRESENT:
                continue
            version = winhttp_version(registry, path)
            blob = binary(winhttp.compose(self.server, self.bypass, version))
            changes.append((path, winhttp.VALUE, blob))
        return changes


def winhttp_version(registry: Registry, path: str) -> int:
    """Return the version of WinHTTP's blob in a key; without one, that which is written there."""
    value = registry.value(path, winhttp.VALUE)
    version = None
    if value is not None and isinstance(value.data, bytes):
        version = winhttp.version_of(value.data)
    return version or winhttp.VERSIONS[path]


def predict(operations: Iterable[Operation], registry: Registry) -> Registry:
    """Return the registry as it would be after the operations."""
    for operation in operations:
        for path, name, value in operation.as_registry(registry):
            registry = registry.changed(path, name, value)
    return registry


def as_registry_operations(
    operations: Sequence[Operation], registry: Registry
) -> list[dict[str, Any]]:
    """Return the operations in the wire form of set_registry_values, for an image."""
    wire = []
    for operation in operations:
        changes = operation.as_registry(registry)
        wire += [step.to_wire() for step in by_key(changes, "")]
        for path, name, value in changes:
            registry = registry.changed(path, name, value)
    return wire
