# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What Ansible's connections need on the controller: packages, programs, a login.

Ansible itself says what it would connect with: its connection plugin, with its options set, knows
variables, play keywords, the command line, the environment and ansible.cfg. The rules follow the
plugins winrm, psrp and ssh of ansible-core 2.19 and the packages pywinrm 0.5 and pypsrp 0.9. They
name only what cannot work: a login that Kerberos, an SSH key or ~/.ssh/config may give is not
missed, and other connections are not looked at. Windows refuses an empty password over the network.

Where every host of a run lacks something, the task ets6.network.variables ends the run before it
begins. Where only some do, ets6.network.policy reports those as unreachable without a try, and the
others go on: one PC without a password never stops a fleet.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .text import join_words

NOT_TRIED = "No connection was tried. "
"""What the message of a host begins with whose connection lacks something."""
ENDED = "The PC ended the connection before it had answered."
"""The message of a host whose connection ended while a task ran."""
SILENT = "The PC accepted the connection and did not answer in time."
"""The message of a host that let a task's request wait."""
ENVIRONMENT = re.compile(
    r"""\b(?:lookup|query|q)\s*\(\s*(['"])(?:ansible\.(?:builtin|legacy)\.)?env\1\s*,\s*(['"])(\w+)\2"""
)
"""The lookup of an environment variable in a template; its third group is the name."""


LOGIN = {
    "remote_user": ("ansible_user", "-u"),
    "remote_password": ("ansible_password", "--ask-pass"),
}
"""The options of a login: the variable and the command line's word that set it."""


class Plugin(Protocol):
    """A connection plugin of Ansible whose options are set. It need not be connected."""

    ansible_name: str | None

    def get_option(self, option: str) -> Any:
        """Return the value of an option. Raises KeyError where the plugin has no such option."""

    def get_option_and_origin(self, option: str) -> tuple[Any, str]:
        """Return the value of an option, and where it comes from, such as ``var: ansible_user``."""


@dataclass(frozen=True)
class Controller:
    """What the machine that runs Ansible has; packages go by the names they are imported by."""

    has_package: Callable[[str], bool]
    has_program: Callable[[str], bool]
    environment: Mapping[str, str]
    python: str
    winrm_transports: Callable[[], Collection[str]]


def _has_package(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _winrm_transports() -> Collection[str]:
    names: list[str] = importlib.import_module("winrm").FEATURE_SUPPORTED_AUTHTYPES
    return names


CONTROLLER = Controller(
    _has_package,
    lambda name: shutil.which(name) is not None,
    os.environ,
    sys.executable,
    _winrm_transports,
)
"""This machine."""


def problems(
    plugin: Plugin, variables: Mapping[str, Any], controller: Controller = CONTROLLER
) -> list[str]:
    """Return why this connection cannot work; nothing where it may work.

    Each is a sentence, and further ones with what to do. variables are the host's, with their
    templates: they only say which environment variable an empty value was read from.
    """
    check = CHECKS.get(getattr(plugin, "ansible_name", None) or "")
    return check(_Connection(plugin, variables, controller)) if check else []


@dataclass(frozen=True)
class _Connection:
    """One host's connection, and the sentences that several kinds of connection share."""

    plugin: Plugin
    variables: Mapping[str, Any]
    controller: Controller

    def option(self, name: str) -> Any:
        return self.plugin.get_option(name)

    def missing(self, module: str, package: str, needed_by: str) -> list[str]:
        """Return that a Python package is missing, unless it is there. needed_by needs it."""
        if self.controller.has_package(module):
            return []
        return [
            f"The Python package {package} is missing on the controller, which {needed_by} needs. "
            f"Run there: {self.controller.python} -m pip install '{package}'"
        ]

    def login(self, *options: str) -> list[str]:
        """Return which of the options remote_user and remote_password are without a value."""
        causes, remedies = [], []
        for option in options:
            if self.option(option) in (None, ""):
                cause, remedy = self._empty(option)
                causes.append(cause)
                remedies.append(remedy)
        if not causes:
            return []
        return [f"{join_words(causes)}. {' '.join(remedies)}"]

    def _empty(self, option: str) -> tuple[str, str]:
        """Return which variable is without a value, and what to do."""
        value, origin = self.plugin.get_option_and_origin(option)
        kind, _colon, name = origin.partition(": ")
        if value is None or kind != "var":
            variable, flag = LOGIN[option]
            return f"{variable} is not set", f"Set {variable} in the inventory, or run with {flag}."
        lookup = ENVIRONMENT.search(str(self.variables.get(name, "")))
        if lookup is None or self.controller.environment.get(lookup[3]):
            return f"{name} is empty", f"Give {name} a value."
        return (
            f"{name} is empty",
            f"Set the environment variable {lookup[3]}, which {name} is read from.",
        )


def _winrm(connection: _Connection) -> list[str]:
    causes = connection.missing("winrm", "pywinrm", "the connection winrm")
    if causes:
        return causes
    transports = _winrm_transports_of(connection)
    accepted = connection.controller.winrm_transports()
    for transport in transports:
        if transport not in accepted:
            return [
                f"ansible_winrm_transport: {transport!r} is not accepted. "
                f"Set one of {', '.join(accepted)}."
            ]
    # Ansible tries them one after the other, so one that may work is enough.
    tried = [_winrm_transport(connection, transport) for transport in transports]
    return tried[0] if all(tried) else []


def _winrm_transports_of(connection: _Connection) -> list[str]:
    """Return the transports that Ansible tries: those set, else one by user and scheme."""
    transports = connection.option("transport")
    if transports and transports[0] is not None:
        return [str(transport) for transport in transports]
    if "@" in str(connection.option("remote_user") or ""):
        return ["kerberos"]
    return ["ssl"] if _winrm_is_https(connection) else ["plaintext"]


def _winrm_is_https(connection: _Connection) -> bool:
    scheme = connection.option("scheme")
    if scheme is None:
        return bool(connection.option("port") != 5985)
    return bool(scheme == "https")


WINRM_PACKAGES = {
    "ntlm": ("requests_ntlm", "requests-ntlm"),
    "credssp": ("requests_credssp", "pywinrm[credssp]"),
    "kerberos": ("kerberos", "pywinrm[kerberos]"),
}
"""The package of a transport: as it is imported, as it is installed."""


def _winrm_transport(connection: _Connection, transport: str) -> list[str]:
    """Return why one transport of winrm cannot work."""
    needed_by = f"winrm with the transport {transport}"
    extras = connection.option("_extras") or {}
    causes: list[str] = []
    if transport in WINRM_PACKAGES:
        causes = connection.missing(*WINRM_PACKAGES[transport], needed_by)
    elif extras.get("ansible_winrm_message_encryption") == "always":
        causes = [_no_encryption("ansible_winrm_message_encryption", "always", needed_by)]
    files = [extras.get(f"ansible_winrm_{name}") for name in ("cert_pem", "cert_key_pem")]
    if transport == "certificate" or (transport == "ssl" and any(files)):
        variables = ("ansible_winrm_cert_pem", "ansible_winrm_cert_key_pem")
        causes += _certificate(needed_by, all(files), *variables)
        causes += _https(needed_by, _winrm_is_https(connection), "ansible_winrm_scheme")
    elif transport != "kerberos":
        causes += connection.login(*LOGIN)
    elif _gets_ticket(connection):
        causes += connection.login("remote_user")
    return causes


def _gets_ticket(connection: _Connection) -> bool:
    """Return whether Ansible gets the Kerberos ticket itself.

    With a ticket that is there already, neither user nor password matters.
    """
    mode = connection.option("kerberos_mode")
    if mode is None:
        return connection.option("remote_password") not in (None, "")
    return bool(mode == "managed")


def _no_encryption(variable: str, value: str, needed_by: str) -> str:
    return (
        f"{variable}: {value} is not possible for {needed_by}. Use {ENCRYPTING[variable]}, or leave "
        "the encryption to HTTPS."
    )


ENCRYPTING = {
    "ansible_winrm_message_encryption": "the transport ntlm, kerberos or credssp",
    "ansible_psrp_message_encryption": "negotiate, ntlm, kerberos or credssp",
}
"""What can encrypt messages without HTTPS."""


def _certificate(needed_by: str, complete: bool, certificate: str, key: str) -> list[str]:
    if complete:
        return []
    return [f"{needed_by} needs a certificate and its key. Set {certificate} and {key}."]


def _https(needed_by: str, is_https: bool, variable: str) -> list[str]:
    return [] if is_https else [f"{needed_by} needs HTTPS. Set {variable} to https."]


def _psrp(connection: _Connection) -> list[str]:
    causes = connection.missing("pypsrp", "pypsrp", "the connection psrp")
    if causes:
        return causes
    auth = str(connection.option("auth"))
    needed_by = f"psrp with the authentication {auth}"
    if auth == "certificate":
        return _psrp_certificate(connection, needed_by)
    if auth == "kerberos":
        return connection.missing("gssapi", "pypsrp[kerberos]", needed_by) or connection.missing(
            "krb5", "pypsrp[kerberos]", needed_by
        )
    if auth == "basic":
        causes = _psrp_basic(connection, needed_by)
    elif auth == "credssp":
        causes = connection.missing("requests_credssp", "pypsrp[credssp]", needed_by)
    if not _psrp_may_have_login(connection, auth):
        causes += connection.login(*LOGIN)
    return causes


def _psrp_certificate(connection: _Connection, needed_by: str) -> list[str]:
    files = [connection.option(name) for name in ("certificate_pem", "certificate_key_pem")]
    variables = ("ansible_psrp_certificate_pem", "ansible_psrp_certificate_key_pem")
    causes = _certificate(needed_by, all(files), *variables)
    return causes + _https(needed_by, _psrp_is_https(connection), "ansible_psrp_protocol")


def _psrp_basic(connection: _Connection, needed_by: str) -> list[str]:
    encryption = connection.option("message_encryption")
    encrypts_over_http = encryption == "auto" and not _psrp_is_https(connection)
    if encryption == "always" or encrypts_over_http:
        return [_no_encryption("ansible_psrp_message_encryption", encryption, needed_by)]
    return []


def _psrp_may_have_login(connection: _Connection, auth: str) -> bool:
    """Return whether a Kerberos ticket, or pyspnego's file of NTLM accounts, may be the login."""
    if auth == "negotiate" and connection.controller.has_package("gssapi"):
        return True
    return auth in ("negotiate", "ntlm") and "NTLM_USER_FILE" in connection.controller.environment


def _psrp_is_https(connection: _Connection) -> bool:
    protocol = connection.option("protocol")
    if protocol is None:
        return bool(connection.option("port") != 5985)
    return bool(protocol == "https")


def _ssh(connection: _Connection) -> list[str]:
    program = str(connection.option("ssh_executable"))
    causes = _program(connection, program, "the connection ssh", "openssh-client")
    if connection.option("password_mechanism") == "sshpass" and connection.option("password"):
        causes += _program(connection, "sshpass", "ssh with a password by sshpass", "sshpass")
    return causes


def _program(connection: _Connection, program: str, needed_by: str, package: str) -> list[str]:
    if connection.controller.has_program(program):
        return []
    return [
        f"The program {program} is missing on the controller, which {needed_by} needs. Install it; "
        f"Debian's package is {package}."
    ]


CHECKS: Mapping[str, Callable[[_Connection], list[str]]] = {
    "ansible.builtin.winrm": _winrm,
    "ansible.builtin.psrp": _psrp,
    "ansible.builtin.ssh": _ssh,
}
"""What is checked of which connection plugin, by its full name."""
