# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's controls over a snapshot."""

from __future__ import annotations

from ..finding import Finding, Status
from ..policy import Policy
from ..snapshot import Snapshot
from .catalogue import catalogue
from .store import request

__all__ = ["catalogue", "judge", "request"]


def judge(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return a finding for every control of the catalogue."""
    return [Finding(control, Status.UNKNOWN, "not judged yet") for control in catalogue(policy)]
