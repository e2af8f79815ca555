# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe's signals mean: whom an administrator has to call.

Kinds of errors come from the prober, which tells them by exception types and numbers. What comes from the network (headers,
bodies, certificates) is somebody else's data: read with care, never trusted.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..finding import Status
from ..policy import Endpoint
from ..proxy.login import offered
from .certificate import CertificateError, Judgement, Root, judge

if TYPE_CHECKING:
    from cryptography import x509


class Kind(StrEnum):
    """The outcomes. Their values stand in the evidence of reach.* findings."""

    FINE = "fine"
    NOT_PROBED = "not_probed"
    UNREADABLE = "unreadable"
    NOT_RESOLVED = "name_not_resolved"
    SINKHOLED = "name_sinkholed"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    RESET_AT_NAME = "reset_at_server_name"
    NO_TLS = "answers_without_tls"
    TLS_FAILED = "tls_failed"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROXY_REFUSES = "proxy_refuses"
    PROXY_CANNOT = "proxy_cannot_reach"
    PROXY_LOGIN = "proxy_wants_login"
    CAPTIVE_PORTAL = "captive_portal"
    BLOCK_PAGE = "block_page"
    INTERCEPTED = "tls_intercepted"
    UNTRUSTED = "issuer_not_known"
    INCOMPLETE = "incomplete_chain"
    WRONG_NAME = "wrong_certificate"
    EXPIRED = "expired_certificate"
    WRONG_CLOCK = "wrong_clock"
    SERVER_ERROR = "server_error"
    WRONG_CONTENT = "wrong_content"


PASSED = frozenset({Kind.FINE})
UNDECIDED = frozenset({Kind.NOT_PROBED, Kind.UNREADABLE, Kind.UNTRUSTED})
CLOCK_TOLERANCE_SECONDS = 24 * 3600

BOGONS = tuple(
    ipaddress.ip_network(net)
    for net in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/127",
        "fc00::/7",
        "fe80::/10",
    ]
)
"""Addresses at which no public server answers: the list of OONI's tests and its IPv6 counterparts."""


@dataclass(frozen=True)
class Outcome:
    """What came of one probe. sentence says it for an administrator; chain is there where certificates were judged."""

    kind: Kind
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    chain: Judgement | None = None

    @property
    def status(self) -> Status:
        """Whether that is good enough for ETS6."""
        return Status.PASS if self.kind in PASSED else Status.UNKNOWN if self.kind in UNDECIDED else Status.FAIL


def of(probe: Mapping[str, Any], endpoint: Endpoint, roots: Sequence[x509.Certificate], clock: datetime | None) -> Outcome:
    """Judge one probe. roots are the public ones; clock is the PC's, None where it is not known."""
    try:
        return _of(probe, endpoint, roots, clock)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Outcome(Kind.UNREADABLE, f"The probe's result is not of the expected form ({type(error).__name__}: {error}).")


def _of(probe: Mapping[str, Any], endpoint: Endpoint, roots: Sequence[x509.Certificate], clock: datetime | None) -> Outcome:
    stage, error, way = probe["stage"], probe["error"], probe["way"]
    via = f" through the proxy {way}" if way else ""
    evidence = {
        "way": way or "direct",
        "stage": stage,
        "error": {"kind": str(error["kind"]), "code": error.get("code")} if error else None,
        "addresses": [str(address) for address in probe.get("addresses") or ()][:16],
        "elapsed_ms": dict(probe.get("elapsed") or {}),
    }
    connect, tls, http = probe.get("connect"), probe.get("tls"), probe.get("http")
    for name, answer in (("connect", connect), ("http", http)):
        if answer:
            evidence[name] = {"status": int(answer["status"]), "headers": _telling(answer["headers"])}
    where = f"{endpoint.host}:{endpoint.port}{via}"

    def outcome(kind: Kind, sentence: str, chain: Judgement | None = None) -> Outcome:
        return Outcome(kind, sentence, evidence, chain)

    if stage in ("dns", "tcp"):
        return _not_connected(str(stage), str(error["kind"]), where, way, endpoint, evidence)
    if stage == "connect":
        return _proxy_refused(connect, error, where, way, evidence)
    sinkholed = [address for address in evidence["addresses"] if not way and not endpoint.address and _bogon(address)]
    if sinkholed:
        return outcome(
            Kind.SINKHOLED,
            f"{endpoint.host} resolves to {sinkholed[0]}, where no public server is: a filter of names is in the way.",
        )
    if stage == "tls" and error:
        return _no_handshake(str(error["kind"]), where, endpoint, evidence)
    chain = None
    if tls:
        now = clock or datetime.now(timezone.utc)
        try:
            chain = judge(tls["presented"], tls["built"], endpoint.host, now, roots)
        except CertificateError as problem:
            return outcome(Kind.UNREADABLE, f"{where}: {problem}.")
        evidence["tls"] = {"protocol": str(tls.get("protocol", "")), **chain.to_wire()}
        bad = _certificate(chain, where, endpoint, clock)
        if bad is not None:
            return outcome(*bad, chain)
    if error or not http:
        return _no_answer(str(error["kind"]) if error else "closed", where, evidence, chain)
    kind, sentence = _answer(int(http["status"]), http["headers"], _body(http), where, way, endpoint)
    return outcome(kind, sentence, chain)


def _not_connected(stage: str, kind: str, where: str, way: str, endpoint: Endpoint, evidence: Mapping[str, Any]) -> Outcome:
    if way:
        happened = {"dns": "its name is not resolved", "tcp": _word(kind)}[stage]
        return Outcome(
            Kind.PROXY_UNREACHABLE, f"The proxy {way} is not reached ({happened}), and so neither is {endpoint.host}.", evidence
        )
    if stage == "dns" and kind != "timeout":
        return Outcome(Kind.NOT_RESOLVED, f"The name {endpoint.host} is not resolved; look at the PC's DNS servers.", evidence)
    if kind == "refused":
        return Outcome(Kind.REFUSED, f"{where} refuses the connection: the server is down, or a firewall rejects it.", evidence)
    if kind == "unreachable":
        return Outcome(Kind.UNREACHABLE, f"There is no route to {where}.", evidence)
    if kind == "timeout":
        return Outcome(
            Kind.TIMED_OUT, f"{where} does not answer in time ({stage}): usually a firewall that drops the packets.", evidence
        )
    return Outcome(Kind.RESET, f"The connection to {where} was broken off ({_word(kind)}).", evidence)


def _proxy_refused(connect: Any, error: Any, where: str, way: str, evidence: Mapping[str, Any]) -> Outcome:
    status = int(connect["status"]) if connect else None
    if status is None:
        return Outcome(
            Kind.PROXY_UNREACHABLE,
            f"The proxy {way} takes the connection and does not answer ({_word(str(error['kind']))}).",
            evidence,
        )
    if status == 407:
        return _login(connect, where, way, evidence)
    if status in (502, 503, 504):
        return Outcome(Kind.PROXY_CANNOT, f"The proxy {way} cannot reach the server (it answered {status}).", evidence)
    return Outcome(Kind.PROXY_REFUSES, f"The proxy {way} refuses {where} (it answered {status}); allow the host there.", evidence)


def _login(answer: Any, where: str, way: str, evidence: Mapping[str, Any]) -> Outcome:
    schemes = ", ".join(sorted(offered(answer["headers"]))) or "no scheme"
    return Outcome(
        Kind.PROXY_LOGIN,
        f"The proxy {way} wants a login ({schemes}) for {where}. Remote management has none to give; whether the PC's user has one that works was not proven.",
        evidence,
    )


def _no_handshake(kind: str, where: str, endpoint: Endpoint, evidence: Mapping[str, Any]) -> Outcome:
    if kind == "plain_http":
        return Outcome(Kind.NO_TLS, f"{where} answers without TLS: something else than the vendor's server is there.", evidence)
    if kind in ("reset", "closed"):
        return Outcome(
            Kind.RESET_AT_NAME,
            f"{where} is connected, and broken off as soon as the name {endpoint.host} is said: a firewall filters by server name.",
            evidence,
        )
    if kind == "timeout":
        return Outcome(Kind.TIMED_OUT, f"{where} is connected, and silent when TLS begins.", evidence)
    return Outcome(Kind.TLS_FAILED, f"{where}: TLS does not come about ({_word(kind)}).", evidence)


def _no_answer(kind: str, where: str, evidence: Mapping[str, Any], chain: Judgement | None) -> Outcome:
    if kind == "timeout":
        return Outcome(Kind.TIMED_OUT, f"{where} takes the request and does not answer in time.", evidence, chain)
    return Outcome(Kind.RESET, f"{where} takes the request and breaks off ({_word(kind)}).", evidence, chain)


def _certificate(chain: Judgement, where: str, endpoint: Endpoint, clock: datetime | None) -> tuple[Kind, str] | None:
    """Return what is wrong with the certificates: who issued them first, since an interceptor's dates and names say nothing."""
    by = f"{chain.issuer}" + (f", {chain.product}" if chain.product else "")
    if chain.root is Root.PRIVATE:
        return (
            Kind.INTERCEPTED,
            f"TLS to {where} is opened on the way: the certificate's root is not public ({by}). The vendor forbids that; take the host out of the inspection.",
        )
    if chain.root is Root.ABSENT and chain.product:
        return (
            Kind.INTERCEPTED,
            f"TLS to {where} is opened on the way: the issuer is no public one and names itself ({by}). Take the host out of the inspection.",
        )
    if chain.root is Root.ABSENT:
        if chain.supports:
            signs = "; ".join(chain.supports)
            return (
                Kind.UNTRUSTED,
                f"{where}: who issued the certificate ({by}) is not known, and its issuer was not sent. It may be interception ({signs}); that is no proof.",
            )
        return Kind.INCOMPLETE, f"{where} does not send the certificate of its issuer ({by}); Windows may find it, or not."
    if chain.expired or chain.not_yet_valid:
        if clock is not None and abs((clock - datetime.now(timezone.utc)).total_seconds()) > CLOCK_TOLERANCE_SECONDS:
            return (
                Kind.WRONG_CLOCK,
                f"The PC's clock says {clock:%Y-%m-%d %H:%M} UTC, so every certificate looks {'expired' if chain.expired else 'not yet valid'}; set the clock.",
            )
        return Kind.EXPIRED, f"{where}: the certificate is {'expired' if chain.expired else 'not yet valid'}."
    if not chain.name_matches:
        return Kind.WRONG_NAME, f"{where} shows a certificate for another name than {endpoint.host}."
    return None


def _answer(status: int, headers: Any, body: bytes, where: str, way: str, endpoint: Endpoint) -> tuple[Kind, str]:
    content_type = _header(headers, "content-type").lower()
    page = "html" in content_type or body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if status == 407:
        return (
            Kind.PROXY_LOGIN,
            f"The proxy {way} wants a login ({', '.join(sorted(offered(headers))) or 'no scheme'}) for {where}.",
        )
    target = _header(headers, "location")
    elsewhere = urlsplit(target).hostname if target else None
    if status == 511 or (
        300 <= status < 400 and elsewhere and not _same_site(elsewhere, endpoint.host) and endpoint.scheme == "http"
    ):
        return (
            Kind.CAPTIVE_PORTAL,
            f"{where} is answered by a sign-in page ({elsewhere or status}): the network wants a login in the browser first.",
        )
    if status == 451 or (status == 403 and page and endpoint.scheme == "http"):
        return Kind.BLOCK_PAGE, f"{where} is answered by a block page ({status})."
    if endpoint.scheme == "http" and way and status in (502, 503, 504):
        return Kind.PROXY_CANNOT, f"The proxy {way} cannot reach {endpoint.host} (it answered {status})."
    if status >= 500:
        return Kind.SERVER_ERROR, f"{where} is reached and answers with an error of its own ({status})."
    return Kind.FINE, f"{where} is reached (HTTP {status})."


def _same_site(one: str, other: str) -> bool:
    """Return whether two names share their last two labels: a vendor may redirect within its own domain."""
    return one.lower().rstrip(".").split(".")[-2:] == other.lower().rstrip(".").split(".")[-2:]


def _body(answer: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(answer.get("body") or "", validate=True)
    except ValueError:
        return b""


def _header(headers: Any, name: str) -> str:
    return next((str(value) for key, value in headers if str(key).lower() == name), "")


def _telling(headers: Any) -> list[list[str]]:
    """Return the headers that tell who answered, for the evidence; cookies and the like stay out of reports."""
    telling = ("server", "via", "location", "proxy-authenticate", "x-squid-error", "x-cache", "content-type", "date")
    return [
        [str(name), re.sub(r"[\x00-\x1f\x7f]", "?", str(value))[:200]] for name, value in headers if str(name).lower() in telling
    ][:20]


def _bogon(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(parsed in net for net in BOGONS if net.version == parsed.version)


def _word(kind: str) -> str:
    words = {
        "timeout": "no answer in time",
        "refused": "refused",
        "reset": "reset",
        "closed": "closed",
        "unreachable": "no route",
        "not_found": "name not resolved",
        "tls_alert": "TLS alert",
    }
    return words.get(kind, "error")
