# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Hosts that could not be reached, by reason.

Only texts of the controller are read here, which are English: Python's and OpenSSH's errors as
Ansible's connections winrm, psrp and ssh hand them on. They decide under which heading a host is
listed, and nothing else; report.json has them whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..connection import ENDED, NOT_TRIED, SILENT
from .model import UNREACHABLE, Host, Report

BEFORE = re.compile(r"The host could not be (?:reached|judged): (?:Task failed: )?")
"""What the report and Ansible put before an error."""
SSH_GONE = "ssh ended, and Ansible does not say why"
"""Where ssh ends before Ansible has written to it, Ansible reports the broken pipe alone."""
TABLE: Sequence[tuple[str, str, str]] = (
    (
        "the name is not resolved",
        "Check the name in the inventory, or set ansible_host to an address.",
        r"NameResolutionError|Could not resolve hostname|Name or service not known",
    ),
    (
        "the certificate is not trusted",
        "Trust the issuer (ansible_winrm_ca_trust_path, ansible_psrp_ca_cert), and use the name in "
        "the PC's certificate.",
        r"CERTIFICATE_VERIFY_FAILED",
    ),
    (
        "TLS fails",
        "Check that the port is the one of WinRM over HTTPS, 5986 by default.",
        r"SSLError",
    ),
    (
        "user or password is wrong",
        "Check user and password, and whether the account is locked.",
        r"credentials were rejected by the server|[Ff]ailed to authenticate|Permission denied"
        r"|Invalid/incorrect|Kerberos auth failure",
    ),
    (
        "the user may not log on",
        "Make the user an administrator of the PC.",
        r"'wsmanfault_code': '?5\b|\(Code: 5,",
    ),
    (
        "the SSH host key is not known, or has changed",
        "Check the PC's host key, and add it to known_hosts.",
        r"Host key verification failed|Host Key checking is enabled",
    ),
    (
        "the connection is refused",
        "Set up WinRM or the SSH server on the PC, and check the port.",
        r"Connection refused",
    ),
    (
        "it accepts the connection and does not answer",
        "Check WinRM or the SSH server on the PC, and firewalls between it and the controller.",
        re.escape(SILENT) + r"|Read timed out|HTTP read timeout|during banner exchange",
    ),
    (
        "switched off, or not in this network",
        "Run again when the PC is on; else check address, route and firewall.",
        r"timed out|No route to host|Network is unreachable|Host is down",
    ),
    (
        SSH_GONE,
        "Run again, or run ssh by hand to see its error.",
        r"Data could not be sent to remote host .* over SSH(?:\.|: \[Errno)",
    ),
    (
        "the connection ended half-way",
        "Run again; else check that scheme and port fit together, and firewalls between the PC and "
        "the controller.",
        re.escape(ENDED)
        + r"|Connection aborted|Connection reset|[Cc]onnection closed|closed connection"
        + r"|Broken pipe",
    ),
)
"""A heading, what to do, and what of an error means it. The first that fits counts."""


@dataclass(frozen=True)
class Group:
    """Hosts with one reason.

    title is a heading of the table, and example the first host's error; without a heading the title
    is the error itself.
    """

    title: str
    remedy: str
    example: str
    hosts: list[str] = field(default_factory=list)


def title(reason: str) -> str:
    """Return in a few words why a host was not reached.

    Where no connection was tried, the task that did not try it and the closing lines have said what
    is missing.
    """
    if BEFORE.sub("", reason, count=1).startswith(NOT_TRIED):
        return "no connection was tried"
    return _group_of(reason).title


def groups(report: Report) -> list[Group]:
    """Return the hosts that were not reached, or not to the end, by reason, most hosts first."""
    by_title: dict[str, Group] = {}
    for host in report["hosts"]:
        if host["status"] == UNREACHABLE:
            group = _group_of(host["reason"])
            by_title.setdefault(group.title, group).hosts.append(host["name"])
    return sorted(by_title.values(), key=lambda group: (-len(group.hosts), group.title))


def not_judged(report: Report) -> list[Host]:
    """Return the hosts that were reached, and not judged or not to the end."""
    hosts = report["hosts"]
    return [host for host in hosts if host["reason"] and host["status"] != UNREACHABLE]


def _group_of(reason: str) -> Group:
    """Return the group, still without hosts, that a host with this reason belongs to."""
    text = BEFORE.sub("", reason, count=1)
    if text.startswith(NOT_TRIED):
        title, _stop, remedy = text.removeprefix(NOT_TRIED).partition(". ")
        return Group(title, remedy, "")
    for title, remedy, pattern in TABLE:
        if re.search(pattern, text):
            return Group(title, remedy, text)
    return Group(text, "", "")
