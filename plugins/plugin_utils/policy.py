# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is wanted of a PC: the role's variables, parsed and typed, or refused with every problem at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ansible.module_utils.parsing.convert_bool import boolean

from . import custom, waiver
from .firewall.address import AddressError, remote_address
from .proxy.setting import ProxySetting, SettingError, proxy_setting

PREFIX = "ets6_network_"

STATES = ("present", "absent")
PROFILES = ("domain", "private", "public")
OUTBOUND = ("auto", "always", "never")
BLOCKS = ("prompt", "all", "none")
PROBE_AS = ("connection", "user")
MULTICAST_ANSWERS = ("unmanaged", "allow")

DEFAULT_PROGRAMS = ("ETS6N.exe", "ETS6C.exe")
DEFAULT_PATHS = (r"%ProgramFiles(x86)%\ETS6", r"%ProgramFiles%\ETS6")

T = TypeVar("T")


class PolicyError(ValueError):
    """One or more variables are wrong. problems has a line each: variable, value, and what is accepted."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Endpoint:
    """A server of the vendor, or one of the user's own. The name is the last part of its control's id, ``reach.<name>``.

    address (``127.0.0.1:8443``) is where to connect instead of asking the name service, like curl's --connect-to.
    """

    name: str
    url: str
    title: str = ""
    address: str = ""

    @property
    def scheme(self) -> str:
        """The protocol: http or https."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port, 80 or 443 where the URL names none."""
        return urlsplit(self.url).port or (443 if self.scheme == "https" else 80)

    @property
    def server(self) -> str:
        """Name and port, an address of IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def path(self) -> str:
        """The path, ``/`` where the URL names none."""
        return urlsplit(self.url).path or "/"

    def to_wire(self) -> dict[str, str]:
        """Return the endpoint as windows_host and endpoint_probe take it."""
        wire = {"name": self.name, "url": self.url}
        return {**wire, "address": self.address} if self.address else wire


VENDOR_ENDPOINTS = (
    Endpoint("updates", "https://update.knx.org", "ETS updates"),
    Endpoint("app_updates", "https://api.knx.org", "ETS app updates"),
    Endpoint("app_updates_http", "http://api.knx.org", "ETS app updates, not encrypted"),
    Endpoint("cloud_licensing", "https://openapi.knx.org", "ETS cloud licensing"),
    Endpoint(
        "administrative_data", "http://update.knx.org/data/XML/project-23/knx_master.xml", "ETS administrative data updates"
    ),
    Endpoint("online_catalog", "http://onlinecatalog.knx.org/Download/Manufacturers", "ETS online catalog updates"),
)
"""What the vendor asks of a network: KNX support article 4403452514066. Where a path is named, a document is known that stands there."""
TAKEN = frozenset({"interception", "multicast"})
"""Names that no endpoint can have, since its control is reach. and its name: these controls are there already."""


@dataclass(frozen=True)
class Policy:
    """What is wanted of a PC. Field names are the role's variables without their prefix."""

    state: str = "present"
    programs: tuple[str, ...] = DEFAULT_PROGRAMS
    paths: tuple[str, ...] = DEFAULT_PATHS
    profiles: tuple[str, ...] = ("domain", "private")
    remote_addresses: tuple[str, ...] = ()
    outbound: str = "auto"
    blocks: str = "prompt"
    multicast_answers: str = "unmanaged"
    proxy: ProxySetting = field(default_factory=ProxySetting)
    endpoints: tuple[Endpoint, ...] = VENDOR_ENDPOINTS
    probe_as: str = "connection"
    probe_timeout: int = 10
    public_roots: str = ""
    controls: tuple[custom.OwnControl, ...] = ()
    waivers: tuple[waiver.Waiver, ...] = ()

    @classmethod
    def from_variables(cls, variables: Mapping[str, Any]) -> Policy:
        """Read the variables, by their names without the prefix; one that is missing has its default.

        Raises PolicyError with every problem found.
        """
        problems: list[str] = []
        known: dict[str, Any] = {}
        for name, value in variables.items():
            parser = PARSERS.get(name)
            if parser is None:
                near = difflib.get_close_matches(name, PARSERS, 1)
                problems.append(
                    f"{PREFIX}{name}: there is no such variable" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")
                )
                continue
            try:
                known[name] = parser(value)
            except ValueError as error:
                problems.append(f"{PREFIX}{name}: {error}")
        if problems:
            raise PolicyError(problems)
        return cls(**known)


def _choice(accepted: tuple[str, ...]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in accepted:
            raise ValueError(f"{value!r} is not accepted; accepted are {', '.join(accepted)}")
        return value.lower()

    return parse


def _list_of(single: Callable[[Any], T], *, empty: bool) -> Callable[[Any], tuple[T, ...]]:
    def parse(value: Any) -> tuple[T, ...]:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{value!r} is not accepted; a list is expected")
        if not value and not empty:
            raise ValueError("the list is empty; at least one entry is needed")
        known: dict[str, T] = {}
        for item in map(single, value):
            # To Windows a name is the same in any letter case.
            known.setdefault(str(item).lower(), item)
        return tuple(known.values())

    return parse


def _program(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^\\/:*?\"<>|\x00-\x1f]+\.exe", value, re.IGNORECASE):
        raise ValueError(
            f"{value!r} is not accepted; a file name that ends in .exe is expected, such as ETS6N.exe (folders go into {PREFIX}paths)"
        )
    return value


def _folder(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[A-Za-z*]:\\|%[^%|\\]+%(?:\\|$))[^/:*?\"<>|\x00-\x1f]*", value):
        raise ValueError(
            rf"{value!r} is not accepted; an absolute Windows folder is expected, such as C:\Program Files (x86)\ETS6 "
            r"or %ProgramFiles%\ETS6 (*:\ stands for every fixed drive)"
        )
    return value.rstrip("\\") if len(value) > 3 else value


def _address(value: Any) -> str:
    try:
        return remote_address(value)
    except AddressError as error:
        raise ValueError(str(error)) from None


def _proxy(value: Any) -> ProxySetting:
    try:
        return proxy_setting(value)
    except SettingError as error:
        raise ValueError(str(error)) from None


def _endpoints(value: Any) -> tuple[Endpoint, ...]:
    """Merge the user's table over the vendor's, by name."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not accepted; a dictionary of endpoints by name is expected")
    table = {endpoint.name: endpoint for endpoint in VENDOR_ENDPOINTS}
    for name, entry in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"{name!r} is not accepted as a name; lower-case letters, digits and _ are")
        if name in TAKEN:
            raise ValueError(f"{name!r} is not accepted as a name; another control of reachability has it")
        if not isinstance(entry, Mapping):
            raise ValueError(
                f"{name}: {entry!r} is not accepted; a dictionary is expected, with any of url, title, address, enabled"
            )
        unknown = sorted(set(entry) - {"url", "title", "address", "enabled"})
        if unknown:
            raise ValueError(f"{name}: {unknown[0]!r} is not accepted; accepted are url, title, address, enabled")
        try:
            enabled = boolean(entry.get("enabled", True))
        except TypeError:
            raise ValueError(f"{name}.enabled: {entry['enabled']!r} is not accepted; true or false is") from None
        if not enabled:
            if name not in table and "url" not in entry:
                raise ValueError(f"{name}: the vendor's table has no such endpoint; it has {', '.join(table)}")
            table.pop(name, None)
            continue
        vendor = table.get(name, Endpoint(name, ""))
        table[name] = Endpoint(
            name,
            _url(f"{name}.url", entry.get("url", vendor.url)),
            str(entry.get("title", vendor.title)),
            _host_and_port(f"{name}.address", entry.get("address", "")),
        )
    return tuple(table.values())


def _url(where: str, value: Any) -> str:
    accepted = "http:// or https://, a server name and nothing that logs in, such as https://update.knx.org"
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        good = False
    if not good or not str(value).isascii() or re.search(r"[\s\x00-\x1f]", value):
        # A URL with a login in it is not repeated: it would end up in logs.
        raise ValueError(f"{where}: {'the value' if '@' in str(value) else repr(value)} is not accepted; expected is {accepted}")
    return str(value)


def _host_and_port(where: str, value: Any) -> str:
    if value == "":
        return ""
    match = re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", value) if isinstance(value, str) else None
    if not match or not 0 < int(match[1]) < 65536:
        raise ValueError(f"{where}: {value!r} is not accepted; expected is an address and a port, such as 192.0.2.10:443")
    return str(value)


def _timeout(value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 60:
        raise ValueError(f"{value!r} is not accepted; whole seconds from 1 to 60 are")
    return number


def _path(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not accepted; the path of a file on the controller is expected")
    return value


PARSERS: dict[str, Callable[[Any], Any]] = {
    "state": _choice(STATES),
    "programs": _list_of(_program, empty=False),
    "paths": _list_of(_folder, empty=False),
    "profiles": _list_of(_choice(PROFILES), empty=False),
    "remote_addresses": _list_of(_address, empty=True),
    "outbound": _choice(OUTBOUND),
    "blocks": _choice(BLOCKS),
    "multicast_answers": _choice(MULTICAST_ANSWERS),
    "proxy": _proxy,
    "endpoints": _endpoints,
    "probe_as": _choice(PROBE_AS),
    "probe_timeout": _timeout,
    "public_roots": _path,
    "controls": custom.parse,
    "waivers": waiver.parse,
}
"""A parser for each variable: returns the field's value, or raises ValueError saying what was found and what is accepted."""
