# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is known of the proxies of one host, worked out once for all controls and probes."""

from __future__ import annotations

from functools import cached_property

from ..policy.variables import Policy
from ..snapshot import Snapshot
from . import effective


class ProxyContext:
    """The proxies of one host, and the policy."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot = snapshot
        self.policy = policy

    @cached_property
    def ways(self) -> dict[str, list[effective.Way]]:
        """The distinct ways to each endpoint, by its name."""
        return effective.ways(self.snapshot, self.policy.endpoints, self.policy.proxy)

    @cached_property
    def scripts(self) -> list[str]:
        """The addresses of the proxy scripts that decide for some user, each once."""
        return effective.scripts(self.snapshot, self.policy.proxy)
