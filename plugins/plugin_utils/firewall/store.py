# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's rules and profile settings in a snapshot: local, Group Policy and MDM, and what they come to together."""

from __future__ import annotations

from typing import Any

from ..operations import FIREWALL_POLICY
from ..policy import Policy

GROUP_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
MDM_POLICY = FIREWALL_POLICY + r"\Mdm"


def request(policy: Policy) -> dict[str, list[Any]]:
    """Return what has to be read: both policies' trees, the local one's rules and profiles, and the programs' files."""
    return {
        "registry": [
            {"path": FIREWALL_POLICY, "depth": 1},
            {"path": MDM_POLICY, "depth": 1},
            {"path": GROUP_POLICY, "depth": 1},
        ],
        "files": [f"{folder.rstrip(chr(92))}\\{program}" for folder in policy.paths for program in policy.programs],
        "named_files": list(policy.programs),
    }
