# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a control of the firewall is about, where there is one for each program and protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..policy.variables import Policy

PROTOCOLS = ("TCP", "UDP")


@dataclass(frozen=True)
class ProgramTraffic:
    """The traffic of one program (``ETS6N.exe``) over one protocol (``TCP``, ``UDP``)."""

    program: str
    protocol: str

    @property
    def words(self) -> Mapping[str, str]:
        """The values of the placeholders: id is the last part of the control's id."""
        stem = self.program[: -len(".exe")]
        return {
            "program": self.program,
            "protocol": self.protocol,
            "id": f"{stem}.{self.protocol}".lower(),
        }


def program_traffic(policy: Policy) -> Iterator[ProgramTraffic]:
    """Return every program and protocol that the policy is about."""
    for program in policy.programs:
        for protocol in PROTOCOLS:
            yield ProgramTraffic(program, protocol)
