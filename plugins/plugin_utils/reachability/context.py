# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the probes of one host showed, worked out once for all controls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..declaration import Judgement
from ..policy.variables import Policy
from ..proxy.context import ProxyContext
from ..snapshot import Snapshot
from . import endpoints


class ReachabilityContext:
    """The probes of one host, its proxies, and the policy."""

    def __init__(self, snapshot: Snapshot, policy: Policy, proxy: ProxyContext) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.proxy = proxy

    @cached_property
    def judgements(self) -> Mapping[str, Judgement]:
        """The judgement of each endpoint by its name, and that of ``interception``."""
        return endpoints.judge(self.snapshot, self.policy, self.proxy.routes)
