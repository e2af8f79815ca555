# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_endpoints: the vendor's servers, and the user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .parsing import NotAcceptedError, dictionary, flag, is_port, not_accepted, parse_each

KEYS = ("url", "title", "address", "enabled")
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Endpoint:
    """A server to be reached. Its name is the last part of its control's id, ``reach.<name>``.

    address (``127.0.0.1:8443``) is where to connect instead of asking the name service, like curl's
    --connect-to.
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
        return urlsplit(self.url).port or DEFAULT_PORTS[self.scheme]

    @property
    def server(self) -> str:
        """Name and port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def path(self) -> str:
        """The path, ``/`` where the URL names none."""
        return urlsplit(self.url).path or "/"

    def to_wire(self) -> dict[str, str]:
        """Return the endpoint as windows_host and endpoint_probe take it."""
        wire = {"name": self.name, "url": self.url}
        if self.address:
            wire["address"] = self.address
        return wire


VENDOR_ENDPOINTS = (
    Endpoint("updates", "https://update.knx.org", "ETS updates"),
    Endpoint("app_updates", "https://api.knx.org", "ETS app updates"),
    Endpoint("app_updates_http", "http://api.knx.org", "ETS app updates, not encrypted"),
    Endpoint("cloud_licensing", "https://openapi.knx.org", "ETS cloud licensing"),
    Endpoint(
        "administrative_data",
        "http://update.knx.org/data/XML/project-23/knx_master.xml",
        "ETS administrative data updates",
    ),
    Endpoint(
        "online_catalog",
        "http://onlinecatalog.knx.org/Download/Manufacturers",
        "ETS online catalog updates",
    ),
)
"""What the vendor asks of a network: KNX support article 4403452514066.

Where an endpoint has a path, the document at that path is known.
"""
OPTIONAL_ENDPOINTS = (
    Endpoint("knx_login", "https://id.knx.org", "KNX login in a browser"),
    Endpoint("my_knx", "https://my.knx.org", "MyKNX in a browser"),
)
"""Servers of the vendor that its support article does not list: since ETS 6.3 the Project Access
Assistant and licences lead to them in a browser. Off unless the user enables them."""
RESERVED_NAMES = frozenset({"interception", "multicast"})
"""Names that no endpoint can have, since a control of reachability has them already."""


def parse_endpoints(value: Any) -> tuple[Endpoint, ...]:
    """Return the vendor's endpoints with the user's changes, by name.

    Raises NotAcceptedError with the problem of every endpoint.
    """
    if not isinstance(value, Mapping):
        raise not_accepted(value, "a dictionary of endpoints by name is expected")
    endpoints = {endpoint.name: endpoint for endpoint in VENDOR_ENDPOINTS}
    optional = {endpoint.name: endpoint for endpoint in OPTIONAL_ENDPOINTS}

    def parse(item: tuple[Any, Any]) -> None:
        name, entry = item
        _check_name(name)
        base = endpoints.get(name) or optional.get(name)
        try:
            endpoint = _parse_endpoint(name, entry, base)
        except NotAcceptedError as error:
            raise error.within(name) from None
        if endpoint is None:
            endpoints.pop(name, None)
        else:
            endpoints[name] = endpoint

    parse_each((("", item) for item in value.items()), parse)
    return tuple(endpoints.values())


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise not_accepted(
            name, "a name of lower-case letters, digits and _ is expected, such as my_server"
        )
    if name in RESERVED_NAMES:
        raise not_accepted(name, f"the control reach.{name} exists already; choose another name")


def _parse_endpoint(name: str, entry: Any, base: Endpoint | None) -> Endpoint | None:
    """Return the endpoint with the entry's changes; None where it is switched off."""
    fields = dictionary(entry, KEYS, f"a dictionary with any of {', '.join(KEYS)}")
    try:
        enabled = flag(fields.get("enabled", True))
    except NotAcceptedError as error:
        raise error.within("enabled") from None
    if not enabled:
        if base is None and "url" not in fields:
            endpoints = (*VENDOR_ENDPOINTS, *OPTIONAL_ENDPOINTS)
            names = ", ".join(endpoint.name for endpoint in endpoints)
            raise NotAcceptedError(f"the vendor's table has no such endpoint; it has {names}")
        return None
    if base is None:
        base = Endpoint(name, "")
    return Endpoint(
        name,
        _parse_url(fields.get("url", base.url)),
        str(fields.get("title", base.title)),
        _parse_address(fields.get("address", "")),
    )


def _parse_url(value: Any) -> str:
    """Return a URL for a server to be probed, without a login in it."""
    if isinstance(value, str) and value.isascii() and not re.search(r"[\s\x00-\x1f]", value):
        try:
            parts = urlsplit(value)
            is_server = bool(parts.hostname) and parts.port != 0 and parts.username is None
        except ValueError:
            pass
        else:
            if is_server and parts.scheme in DEFAULT_PORTS:
                return value
    raise not_accepted(
        value,
        "http:// or https:// and a server name is expected, without a login, "
        "such as https://update.knx.org",
    ).within("url")


def _parse_address(value: Any) -> str:
    if value == "":
        return ""
    if isinstance(value, str):
        match = re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", value)
        if match and is_port(match[1]):
            return value
    raise not_accepted(value, "an address and a port are expected, such as 192.0.2.10:443").within(
        "address"
    )
