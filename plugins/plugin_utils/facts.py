# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a host is, for an auditor who reads its findings: Windows, ETS6, domain and addresses.

No verdict depends on it.
"""

from __future__ import annotations

import ntpath
from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils.names import fold
from .policy.variables import Policy
from .snapshot import Snapshot, State
from .text import printable, printable_data, shorten
from .version import VERSION

TCPIP = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
DOMAIN = "Domain"
"""The primary DNS suffix, which Windows sets when a PC joins a domain."""
MAX_TEXT = 300
MAX_ITEMS = 50


def request(_policy: Policy) -> dict[str, Sequence[object]]:
    """Return what has to be read beside what the controls need: options of windows_host."""
    return {"registry": [{"path": TCPIP, "depth": 0}]}


def facts_of(snapshot: Snapshot, policy: Policy) -> dict[str, Any]:
    """Return the facts in their form in report.json. What is not known is left out."""
    kind = "pc"
    if snapshot.vantage:
        kind = "probing_host"
    elif snapshot.offline:
        kind = "image"
    facts: dict[str, Any] = {"kind": kind, "collection": VERSION}
    if not snapshot.vantage:
        facts.update(_windows(snapshot.host))
        facts["programs"] = _programs(snapshot, policy)
        domain = _domain(snapshot)
        if domain is not None:
            facts["domain"] = domain
    if snapshot.addresses is not None:
        facts["addresses"] = list(snapshot.addresses[:MAX_ITEMS])
    if snapshot.network is not None:
        facts["profiles"] = list(snapshot.network[:MAX_ITEMS])
    present: dict[str, Any] = printable_data(facts, MAX_TEXT)
    return present


def _windows(host: Mapping[str, Any]) -> dict[str, str]:
    """Return edition and version of Windows, such as Professional 23H2 and 10.0.22631.4460."""
    words = []
    for name in ("edition", "release"):
        if isinstance(host.get(name), str) and host[name]:
            words.append(shorten(printable(host[name]), MAX_TEXT))
    version = host.get("os")
    windows = {}
    if words:
        windows["edition"] = " ".join(words)
    if isinstance(version, str):
        revision = host.get("revision")
        is_number = isinstance(revision, str) and revision.isdecimal()
        windows["windows"] = f"{version}.{revision}" if is_number else version
    if isinstance(host.get("name"), str) and host["name"]:
        windows["name"] = host["name"]
    return windows


def _programs(snapshot: Snapshot, policy: Policy) -> list[dict[str, str]]:
    """Return ETS6's programs that are installed, with path and file version."""
    names = {fold(program) for program in policy.programs}
    programs = []
    for path in sorted(snapshot.files):
        file = snapshot.files[path]
        if file.state is State.PRESENT and fold(ntpath.basename(path)) in names:
            programs.append({"path": file.path, "version": file.version})
    return programs[:MAX_ITEMS]


def _domain(snapshot: Snapshot) -> str | None:
    """Return the DNS name of the PC's domain; empty without one, None where it is not known."""
    key = snapshot.registry.key(TCPIP)
    if key.state is not State.PRESENT:
        return None
    value = snapshot.registry.value(TCPIP, DOMAIN)
    return value.data if value is not None and isinstance(value.data, str) else ""
