# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

r"""What is known of the host that probed, beside its probes.

Its clock, the list of roots that counts for it, and on a live PC: where Windows keeps a root, which TLS
versions are switched off, and what its hosts file says of the servers.

Windows keeps the roots of Microsoft's programme in the store AuthRoot and those that administrators and
programs install in others (``SystemCertificates\ROOT``, ``EnterpriseCertificates`` and the policies');
their keys are named by thumbprints. That is documented in parts and was not tried on a real PC, so a
verdict that rests on it says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum

from ..policy.variables import Policy
from ..snapshot import HostsEntry, Registry, Snapshot, State
from .roots import RootList, public_roots

_STORES = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
PROGRAMME_KEY = rf"{_STORES}\AuthRoot\Certificates"
LOCAL_KEYS = (
    rf"{_STORES}\ROOT\Certificates",
    r"HKLM\SOFTWARE\Microsoft\EnterpriseCertificates\Root\Certificates",
    r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates\Root\Certificates",
)
_SCHANNEL = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols"
TLS_KEYS = {version: rf"{_SCHANNEL}\{version}\Client" for version in ("TLS 1.2", "TLS 1.3")}
KEYS = (PROGRAMME_KEY, *LOCAL_KEYS, *TLS_KEYS.values())
"""The registry keys that are read for it, without those below them."""


class RootStore(Enum):
    """Where Windows keeps a root. UNKNOWN: in neither, or that could not be read."""

    PROGRAMME = "Microsoft's programme"
    LOCAL = "installed on the PC"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Observer:
    """The host that probed. clock is its time, None where that is not known.

    tls_off are the TLS versions that the PC's SCHANNEL settings switch off for clients.
    """

    roots: RootList
    clock: datetime | None = None
    registry: Registry = field(default_factory=lambda: Registry({}))
    hosts_file: tuple[HostsEntry, ...] = ()

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot, policy: Policy) -> Observer:
        """Return the host of a snapshot. Raises CertificateError without a list of roots."""
        return cls(
            public_roots(policy.public_roots),
            _clock(snapshot),
            snapshot.registry,
            snapshot.hosts_file or (),
        )

    def store_of(self, thumbprint: str) -> RootStore:
        """Return where the PC keeps a root, by its thumbprint."""
        programme = self.registry.key(PROGRAMME_KEY)
        if programme.state is not State.PRESENT or not thumbprint:
            return RootStore.UNKNOWN
        if thumbprint in _names(programme.subkeys):
            return RootStore.PROGRAMME
        for path in LOCAL_KEYS:
            if thumbprint in _names(self.registry.key(path).subkeys):
                return RootStore.LOCAL
        return RootStore.UNKNOWN

    @property
    def tls_off(self) -> list[str]:
        """The TLS versions that are switched off for clients (Microsoft Learn, TLS registry settings)."""
        return [version for version, path in TLS_KEYS.items() if self._is_off(path)]

    def _is_off(self, path: str) -> bool:
        enabled = self.registry.value(path, "Enabled")
        disabled = self.registry.value(path, "DisabledByDefault")
        is_disabled = disabled is not None and disabled.data != 0
        return is_disabled or (enabled is not None and enabled.data == 0)

    def hosts_addresses(self, host: str) -> list[str]:
        """Return the addresses that the hosts file gives a server."""
        name = host.lower().rstrip(".")
        return [entry.address for entry in self.hosts_file if name in entry.names]


def _names(subkeys: tuple[str, ...]) -> set[str]:
    return {name.upper() for name in subkeys}


def _clock(snapshot: Snapshot) -> datetime | None:
    """Return the host's own time, or None where the reply has none that can be read."""
    text = snapshot.host.get("time")
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
