# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Exceptions of old policies (Windows XP): AuthorizedApplications and GloballyOpenPorts.

They still ship in security templates. MS-GPFAS 2.2.4 has their form: a value
``path:scope:enabled|disabled:name`` or ``port:TCP|UDP:scope:enabled|disabled:name``. What they do
beside the rules of today is not documented, so they make verdicts unknown and never pass or fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..snapshot import Key

_ENTRY = {
    "path": re.compile(
        r"(?P<path>(?:[A-Za-z]:)?[^:]+):(?P<scope>.*):(?P<state>enabled|disabled):(?P<name>.*)",
        re.IGNORECASE,
    ),
    "port": re.compile(
        r"(?P<port>\d{1,5}):(?P<protocol>tcp|udp):(?P<scope>.*):(?P<state>enabled|disabled):"
        r"(?P<name>.*)",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True)
class OldException:
    """One exception in one profile.

    allows: it is switched on. path is the program, or port and protocol (TCP, UDP) the port; an
    entry without both means that local exceptions of the kind are ignored (AllowUserPrefMerge=0).
    source says in words where it is.
    """

    profile: str
    allows: bool
    source: str
    path: str = ""
    port: int = 0
    protocol: str = ""

    @property
    def about_local_rules(self) -> bool:
        """Whether it says that local exceptions are ignored."""
        return not self.path and not self.port


def old_exceptions(
    switch: Key, entries: Key, profile: str, kind: str, path: str
) -> Iterator[OldException]:
    """Return the exceptions of a policy's key, and of its subkey List. kind: path or port."""
    merge = switch.values.get("AllowUserPrefMerge")
    if merge is not None and merge.data == 0:
        yield OldException(profile, False, f"AllowUserPrefMerge = 0 in {path}")
    for value in entries.values.values():
        if not isinstance(value.data, str):
            continue
        match = _ENTRY[kind].fullmatch(value.data)
        if match is None:
            continue
        allows = match["state"].lower() == "enabled"
        source = f"'{value.data}' in {path}\\List"
        if kind == "path":
            yield OldException(profile, allows, source, path=match["path"])
        else:
            yield OldException(
                profile, allows, source, port=int(match["port"]), protocol=match["protocol"].upper()
            )
