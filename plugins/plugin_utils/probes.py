# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe showed: typed, and not yet judged.

A probe asks one URL over one route: directly, or through an HTTP proxy. Its form on the wire is
documented by windows_host (return value ``snapshot``); windows_session_probe and endpoint_probe give
the same.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .wire import SnapshotError, data, expect, items, mapping, number, optional, text

DIRECT = ""
"""The route without a proxy."""
STAGES = ("queue", "dns", "tcp", "connect", "tls", "http", "done")
"""How far a probe came. ``queue``: its turn did not come within the time for all probes."""
UNREADABLE = "unreadable"
"""The stage of a probe whose result is not of the expected form."""
MAX_ADDRESSES = 16
BODY_CAP = 64 * 1024
"""Bytes of a body that probers read."""
NO_BODY = frozenset({204, 304})
"""Statuses of answers without a body (RFC 9110, 15.3.5 and 15.4.5)."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProbeError:
    """Why a probe came no further.

    kind is a word of ours (``refused``, ``timeout``, …), code the number of Windows or of the
    operating system, where there is one.
    """

    kind: str
    code: int | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """An answer over HTTP. body is put together where it came in chunks, cut off at the prober's cap.

    complete: the body, as far as the prober reads it, did not end before its announced length.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    complete: bool = True

    def header(self, name: str) -> str:
        """Return the first header of a name, whatever its letter case; empty without any."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return ""


@dataclass(frozen=True)
class TlsAnswer:
    """The certificates of a TLS handshake, in DER, the server's own first.

    presented is what the server sent, built the chain that the PC made of it. policy_errors and
    chain_status are .NET's names of what the PC has against it. leaf_only: of what the server sent
    only its own certificate was seen.
    """

    presented: tuple[bytes, ...]
    built: tuple[bytes, ...] = ()
    protocol: str = ""
    policy_errors: tuple[str, ...] = ()
    chain_status: tuple[str, ...] = ()
    leaf_only: bool = False


@dataclass(frozen=True)
class Probe:
    """The result of one probe over one route (``host:port`` of a proxy, or DIRECT).

    addresses are what the name resolved to, address the one that was connected to, local the PC's own
    address of that connection, elapsed the milliseconds of each stage. connect is the proxy's answer
    to CONNECT. user is set where the probe was made in a user's session. problem says what is wrong
    with a result that cannot be read. record is the result as it came, for custom controls.
    """

    name: str
    route: str
    stage: str
    error: ProbeError | None = None
    addresses: tuple[str, ...] = ()
    address: str = ""
    local: str = ""
    elapsed: Mapping[str, int] = field(default_factory=dict)
    connect: HttpAnswer | None = None
    tls: TlsAnswer | None = None
    http: HttpAnswer | None = None
    user: str = ""
    problem: str = ""
    record: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other probes of a host: name and route."""
        return self.name, self.route


def parse_probe(raw: Any, location: str) -> Probe:
    """Return a probe. Raises SnapshotError where it has no name or route.

    One that is odd otherwise costs only its own endpoint: its stage is UNREADABLE.
    """
    record = expect(dict, raw, location)
    name = text(record.get("name"), f"{location}.name")
    route = text(record.get("proxy"), f"{location}.proxy")
    try:
        return _parse(record, name, route, location)
    except SnapshotError as error:
        return Probe(name, route, UNREADABLE, problem=str(error), record=record)


def _parse(record: dict[str, Any], name: str, route: str, location: str) -> Probe:
    stage = record.get("stage")
    if stage not in STAGES:
        raise SnapshotError(f"{location}.stage: expected one of {', '.join(STAGES)}")
    probe = Probe(
        name,
        route,
        stage,
        optional(_error, record.get("error"), f"{location}.error"),
        items(text, record.get("addresses") or [], f"{location}.addresses")[:MAX_ADDRESSES],
        optional(text, record.get("address"), f"{location}.address") or "",
        optional(text, record.get("local"), f"{location}.local") or "",
        mapping(number, record.get("elapsed") or {}, f"{location}.elapsed"),
        optional(_http, record.get("connect"), f"{location}.connect"),
        optional(_tls, record.get("tls"), f"{location}.tls"),
        optional(_http, record.get("http"), f"{location}.http"),
        text(record.get("user", ""), f"{location}.user"),
        record=record,
    )
    if probe.error is None and stage in ("dns", "tcp", "tls"):
        raise SnapshotError(
            f"{location}.error: expected an object, since the probe ended at {stage}"
        )
    return probe


def _error(raw: Any, location: str) -> ProbeError:
    record = expect(dict, raw, location)
    kind = text(record.get("kind"), f"{location}.kind")
    return ProbeError(kind, optional(number, record.get("code"), f"{location}.code"))


def _http(raw: Any, location: str) -> HttpAnswer:
    record = expect(dict, raw, location)
    headers = items(_header, record.get("headers") or [], f"{location}.headers")
    body = data(record.get("body") or "", f"{location}.body")
    answer = HttpAnswer(number(record.get("status"), f"{location}.status"), headers, body)
    if answer.header("transfer-encoding").lower().endswith("chunked"):
        content, is_whole = _join_chunks(body)
        complete = is_whole or len(body) >= BODY_CAP
        return HttpAnswer(answer.status, headers, content, complete)
    return dataclasses.replace(answer, complete=_is_complete(answer))


def _is_complete(answer: HttpAnswer) -> bool:
    """Return whether a body is as long as announced, or as the prober reads it."""
    announced = answer.header("content-length")
    if answer.status in NO_BODY or not re.fullmatch("[0-9]{1,18}", announced):
        return True
    return len(answer.body) >= min(int(announced), BODY_CAP)


def _header(raw: Any, location: str) -> tuple[str, str]:
    pair = items(text, raw, location)
    if len(pair) != 2:
        raise SnapshotError(f"{location}: expected a name and a value")
    return pair[0], pair[1]


def _tls(raw: Any, location: str) -> TlsAnswer:
    record = expect(dict, raw, location)
    return TlsAnswer(
        items(data, record.get("presented"), f"{location}.presented"),
        items(data, record.get("built") or [], f"{location}.built"),
        text(record.get("protocol") or "", f"{location}.protocol"),
        items(text, record.get("policy_errors") or [], f"{location}.policy_errors"),
        items(text, record.get("chain_status") or [], f"{location}.chain_status"),
        expect(bool, record.get("leaf_only", False), f"{location}.leaf_only"),
    )


def _join_chunks(raw: bytes) -> tuple[bytes, bool]:
    """Return a chunked body (RFC 9112, 7.1) put together, and whether its last chunk came."""
    parts: list[bytes] = []
    while True:
        line, end, rest = raw.partition(b"\r\n")
        size = re.match(rb"[0-9A-Fa-f]{1,8}", line)
        if not end or not size:
            return b"".join(parts), False
        if int(size[0], 16) == 0:
            return b"".join(parts), True
        length = int(size[0], 16)
        parts.append(rest[:length])
        raw = rest[length + 2 :]
