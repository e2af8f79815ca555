# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe's signals mean: whom an administrator has to call.

Kinds of errors come from the prober, which tells them by exception types and numbers. What comes from the network (headers,
bodies, certificates) is somebody else's data: read with care, never trusted.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..finding import Status
from ..formats.http import body_of, header
from ..policy import Endpoint
from ..proxy.login import NATIVE_SCHEMES, offered
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
    PROXY_LOGIN_UNFIT = "proxy_wants_login_that_ets6_cannot_give"
    CAPTIVE_PORTAL = "captive_portal"
    BLOCK_PAGE = "block_page"
    INTERCEPTED = "tls_intercepted"
    UNTRUSTED = "issuer_not_known"
    NOT_TRUSTED_HERE = "not_trusted_by_the_pc"
    INCOMPLETE = "incomplete_chain"
    WRONG_NAME = "wrong_certificate"
    EXPIRED = "expired_certificate"
    WRONG_CLOCK = "wrong_clock"
    SERVER_ERROR = "server_error"
    WRONG_CONTENT = "wrong_content"


VENDOR_DOMAIN = "knx.org"
CONTENT = {
    ("update.knx.org", "/data/XML/project-23/knx_master.xml"): re.compile(
        rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*>\s*|<!--.*?-->\s*)*<KNX[\s>]", re.DOTALL
    ),
    ("onlinecatalog.knx.org", "/Download/Manufacturers"): re.compile(
        rb"\A(?:\xef\xbb\xbf)?\s*<[^<]{0,200}<?[^<>]{0,200}unsignedShort", re.IGNORECASE
    ),
}
"""What the vendor's public documents begin with, by server and path: an XML document with the root KNX, and a list of unsignedShort.
From third-party clients of the vendor's servers; not documented by the vendor."""

PASSED = frozenset({Kind.FINE})
UNDECIDED = frozenset({Kind.NOT_PROBED, Kind.UNREADABLE, Kind.UNTRUSTED, Kind.PROXY_LOGIN})
"""Remote management has no login to hand over, so nobody knows whether the one of the PC's user works."""
CUT_OFF = frozenset({"reset", "closed", "timeout"})
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
    """What came of one probe. sentence says it for an administrator; chain is there where certificates were judged.

    page is the hash of the page that was answered: two servers that have nothing to do with each other do not send the same.
    """

    kind: Kind
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    chain: Judgement | None = None
    page: str = ""

    @property
    def status(self) -> Status:
        """Whether that is good enough for ETS6."""
        return Status.PASS if self.kind in PASSED else Status.UNKNOWN if self.kind in UNDECIDED else Status.FAIL


def of(
    probe: Mapping[str, Any],
    endpoint: Endpoint,
    roots: tuple[x509.Certificate, ...],
    clock: datetime | None,
    other_name: Mapping[str, Any] | None = None,
) -> Outcome:
    """Judge one probe.

    roots are the public ones; clock is the PC's, None where it is not known. other_name is a probe of the same address that
    said another server's name, None where there was none.
    """
    try:
        return _of(probe, endpoint, roots, clock, other_name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Outcome(Kind.UNREADABLE, f"The probe's result is not of the expected form ({type(error).__name__}: {error}).")


def _of(
    probe: Mapping[str, Any],
    endpoint: Endpoint,
    roots: tuple[x509.Certificate, ...],
    clock: datetime | None,
    other_name: Mapping[str, Any] | None,
) -> Outcome:
    stage, error, way = str(probe["stage"])[:20], probe["error"], str(probe["way"])
    via = f" through the proxy {way}" if way else ""
    evidence: dict[str, Any] = {
        "way": way or "direct",
        "stage": stage,
        "error": {"kind": str(error["kind"])[:20], "code": error.get("code")} if error else None,
        "addresses": [str(address)[:60] for address in probe.get("addresses") or ()][:16],
        "elapsed_ms": {str(key)[:20]: int(value) for key, value in dict(probe.get("elapsed") or {}).items()},
    }
    connect, tls, http = probe.get("connect"), probe.get("tls"), probe.get("http")
    for name, answer in (("connect", connect), ("http", http)):
        if answer:
            evidence[name] = {"status": int(answer["status"]), "headers": _telling(answer["headers"])}
    where = f"{endpoint.host}:{endpoint.port}{via}"

    sinkholed = "" if way or endpoint.address else next((one for one in evidence["addresses"] if _bogon(one)), "")
    sinkhole = Outcome(
        Kind.SINKHOLED,
        f"{endpoint.host} resolves to {sinkholed}, where no public server is: a filter of names is in the way, or a DNS server of your own "
        "answers for it.",
        evidence,
    )
    if stage == "dns" or (stage == "tcp" and not sinkholed):
        return _not_connected(stage, str(error["kind"]), where, way, endpoint, evidence)
    if stage == "connect":
        return _proxy_refused(connect, error, where, way, evidence)
    if sinkholed and (stage in ("tcp", "tls") or not tls):
        return sinkhole
    if stage == "tls" and error:
        return _no_handshake(str(error["kind"]), where, endpoint, evidence, other_name)
    chain = None
    if tls:
        now = clock or datetime.now(timezone.utc)
        try:
            chain = judge(tls["presented"], tls["built"], endpoint.host, now, roots)
        except CertificateError as problem:
            return Outcome(Kind.UNREADABLE, f"{where}: {problem}.", evidence)
        evidence["tls"] = {
            "protocol": str(tls.get("protocol", ""))[:20],
            "policy_errors": [str(one)[:60] for one in tls.get("policy_errors") or ()][:8],
            "chain_status": [str(one)[:60] for one in tls.get("chain_status") or ()][:8],
            **chain.to_wire(),
        }
        if sinkholed and not chain.genuine:
            return sinkhole
        bad = _certificate(chain, where, endpoint, clock, _said(http)) or _windows(chain, where, evidence["tls"])
        if bad is not None:
            return Outcome(*bad, evidence, chain)
    if error or not http:
        return _no_answer(str(error["kind"]) if error else "closed", where, evidence, chain)
    body = body_of(http)
    kind, sentence = _answer(int(http["status"]), http["headers"], body, where, way, endpoint)
    if chain is not None and not chain.complete:
        sentence += " It does not send the certificate of its issuer; this PC found that by itself, another one may not."
    return Outcome(kind, sentence, evidence, chain, hashlib.sha256(body).hexdigest() if _is_page(http["headers"], body) else "")


def _not_connected(stage: str, kind: str, where: str, way: str, endpoint: Endpoint, evidence: Mapping[str, Any]) -> Outcome:
    if way:
        happened = {"dns": "its name is not resolved", "tcp": _word(kind)}[stage]
        return Outcome(
            Kind.PROXY_UNREACHABLE, f"The proxy {way} is not reached ({happened}), and so neither is {endpoint.host}.", evidence
        )
    if stage == "dns":
        why = {"timeout": "no answer in time", "try_again": "no name server answered"}.get(kind, "there is no such name")
        return Outcome(
            Kind.NOT_RESOLVED, f"The name {endpoint.host} is not resolved ({why}); look at the PC's DNS servers.", evidence
        )
    if kind == "refused":
        return Outcome(Kind.REFUSED, f"{where} refuses the connection: the server is down, or a firewall rejects it.", evidence)
    if kind == "unreachable":
        return Outcome(Kind.UNREACHABLE, f"There is no route to {where}.", evidence)
    if kind == "timeout":
        return Outcome(Kind.TIMED_OUT, f"{where} does not answer in time: usually a firewall that drops the packets.", evidence)
    return Outcome(Kind.RESET, f"The connection to {where} was broken off ({_word(kind)}).", evidence)


def _proxy_refused(connect: Any, error: Any, where: str, way: str, evidence: Mapping[str, Any]) -> Outcome:
    if not connect:
        kind = str(error["kind"])
        happened = "answers with something that is not HTTP" if kind == "other" else f"does not answer ({_word(kind)})"
        return Outcome(Kind.PROXY_UNREACHABLE, f"The proxy {way} takes the connection and {happened}.", evidence)
    status = int(connect["status"])
    if status == 407:
        return _login(connect, where, way, evidence)
    if status == 511 or 300 <= status < 400:
        return Outcome(
            Kind.CAPTIVE_PORTAL,
            f"The proxy {way} answers with a sign-in page ({status}): the network wants a login in the browser first.",
            evidence,
        )
    if status >= 500:
        return Outcome(Kind.PROXY_CANNOT, f"The proxy {way} cannot reach the server (it answered {status}).", evidence)
    return Outcome(Kind.PROXY_REFUSES, f"The proxy {way} refuses {where} (it answered {status}); allow the host there.", evidence)


def _login(answer: Any, where: str, way: str, evidence: dict[str, Any] | Mapping[str, Any]) -> Outcome:
    schemes = offered(answer["headers"])
    fit = bool(schemes & NATIVE_SCHEMES)
    proven = (
        "Remote management has none to give, so whether the one of the PC's user works was not proven."
        if fit
        else "ETS6 can hand over the PC user's own login only, by Negotiate, Kerberos or NTLM, so it does not get through."
    )
    return Outcome(
        Kind.PROXY_LOGIN if fit else Kind.PROXY_LOGIN_UNFIT,
        f"The proxy {way or 'that sits in the way'} wants a login ({', '.join(sorted(schemes)) or 'no scheme'}) for {where}. {proven}",
        evidence,
    )


def _no_handshake(
    kind: str, where: str, endpoint: Endpoint, evidence: dict[str, Any], other_name: Mapping[str, Any] | None
) -> Outcome:
    if kind == "plain_http":
        return Outcome(Kind.NO_TLS, f"{where} answers without TLS: something else than the vendor's server is there.", evidence)
    if kind in CUT_OFF:
        # The same address under another name: only where that gets further is it the name that somebody dislikes.
        further = None if other_name is None else _got_further(other_name)
        evidence["other_name_gets_further"] = further
        happened = (
            f"silent when TLS begins with the name {endpoint.host}" if kind == "timeout" else f"{_word(kind)} when TLS begins"
        )
        if further:
            return Outcome(
                Kind.RESET_AT_NAME,
                f"{where} is connected, and cut off as soon as the name {endpoint.host} is said ({_word(kind)}), while another name gets "
                "through: a firewall filters by server name.",
                evidence,
            )
        guess = "also under another name" if further is False else "a firewall may filter by server name, or the server is unwell"
        return Outcome(
            Kind.TIMED_OUT if kind == "timeout" else Kind.RESET, f"{where} is connected, and {happened}: {guess}.", evidence
        )
    return Outcome(Kind.TLS_FAILED, f"{where}: TLS does not come about ({_word(kind)}).", evidence)


def _got_further(other: Mapping[str, Any]) -> bool | None:
    """Return whether a probe came past the point at which others are cut off; None where it never came there."""
    error, stage = other["error"], other["stage"]
    if stage in ("dns", "tcp", "connect"):
        return None
    return stage != "tls" or str(error["kind"]) not in CUT_OFF


def _no_answer(kind: str, where: str, evidence: Mapping[str, Any], chain: Judgement | None) -> Outcome:
    if kind == "timeout":
        return Outcome(Kind.TIMED_OUT, f"{where} takes the request and does not answer in time.", evidence, chain)
    if kind == "other":
        return Outcome(Kind.WRONG_CONTENT, f"{where} answers with something that is not HTTP.", evidence, chain)
    return Outcome(Kind.RESET, f"{where} takes the request and breaks off ({_word(kind)}).", evidence, chain)


def _certificate(
    chain: Judgement, where: str, endpoint: Endpoint, clock: datetime | None, said: datetime | None
) -> tuple[Kind, str] | None:
    """Return what is wrong with the certificates: who issued them first, since an interceptor's dates and names say nothing."""
    by = f"{chain.issuer}" + (f", {chain.product}" if chain.product else "")
    signs = f" ({'; '.join(chain.supports)})" if chain.supports else ""
    if chain.root is not Root.PUBLIC and not of_vendor(endpoint):
        return (
            Kind.UNTRUSTED,
            f"{where}: the certificate was issued by no public authority ({by}). Where that is your own server, put its root into "
            "ets6_network_public_roots; otherwise somebody opens TLS on the way.",
        )
    if chain.root is not Root.PUBLIC and not chain.name_matches:
        return (
            Kind.WRONG_NAME,
            f"{where}: another server answers, with a certificate that is not for {endpoint.host} and not public ({by}): a sign-in page, "
            "a filter of names, or a device of your own.",
        )
    if chain.root is Root.PRIVATE:
        return (
            Kind.INTERCEPTED,
            f"TLS to {where} is opened on the way: the certificate's root is not public ({by}). The vendor forbids that; take the host out of the inspection.",
        )
    if chain.root is Root.ABSENT and chain.product:
        return (
            Kind.INTERCEPTED,
            f"TLS to {where} is opened on the way: the issuer is no public one and goes by the name of an inspector ({by}). Take the host out of "
            "the inspection.",
        )
    if chain.root is Root.ABSENT and chain.supports:
        return (
            Kind.UNTRUSTED,
            f"{where}: who issued the certificate ({by}) is not known, and its issuer was not sent. It may be interception{signs}; that is no proof.",
        )
    if chain.root is Root.ABSENT:
        return Kind.INCOMPLETE, f"{where} does not send the certificate of its issuer ({by}), and this PC does not find it."
    if chain.expired or chain.not_yet_valid:
        now = said or datetime.now(timezone.utc)
        if clock is not None and abs((clock - now).total_seconds()) > CLOCK_TOLERANCE_SECONDS:
            return (
                Kind.WRONG_CLOCK,
                f"The PC's clock says {clock:%Y-%m-%d %H:%M} UTC and it is {now:%Y-%m-%d %H:%M}, so every certificate looks "
                f"{'expired' if chain.expired else 'not yet valid'}; set the clock.",
            )
        return Kind.EXPIRED, f"{where}: the certificate is {'expired' if chain.expired else 'not yet valid'}."
    if not chain.name_matches:
        return Kind.WRONG_NAME, f"{where} shows a certificate for another name than {endpoint.host}."
    if not chain.verified:
        return (
            Kind.UNTRUSTED,
            f"{where}: the certificate leads to a public root, but breaks the rules for public certificates ({by}); nobody can vouch for it.",
        )
    return None


def _windows(chain: Judgement, where: str, tls: Mapping[str, Any]) -> tuple[Kind, str] | None:
    """Return what Windows has against a certificate that is fine."""
    if not tls["policy_errors"]:
        return None
    why = ", ".join([*tls["policy_errors"], *tls["chain_status"]])
    return (
        Kind.NOT_TRUSTED_HERE,
        f"{where} shows a genuine certificate ({chain.issuer}), and this PC does not trust it ({why}): its root certificates are out of date, "
        "or it cannot fetch them.",
    )


def of_vendor(endpoint: Endpoint) -> bool:
    """Return whether a server is the vendor's, and not one that the user added."""
    return f".{endpoint.host}".endswith(f".{VENDOR_DOMAIN}")


def _said(http: Any) -> datetime | None:
    """Return the time that the server gives in its answer; None where it gives none."""
    try:
        moment = parsedate_to_datetime(header(http, "date")) if http else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _answer(status: int, headers: Any, body: bytes, where: str, way: str, endpoint: Endpoint) -> tuple[Kind, str]:
    plain = endpoint.scheme == "http"
    page = _is_page(headers, body)
    squid = header({"headers": headers}, "x-squid-error")
    if status == 407:
        refused = _login({"headers": headers}, where, way, {})
        return refused.kind, refused.sentence
    target = header({"headers": headers}, "location")
    elsewhere = urlsplit(target).hostname if target else None
    if status == 511 or (plain and 300 <= status < 400 and elsewhere and not _same_site(elsewhere, endpoint.host)):
        return (
            Kind.CAPTIVE_PORTAL,
            f"{where} is answered by a sign-in page ({_shown(elsewhere or str(status))}): the network wants a login in the browser first.",
        )
    if plain and way and status >= 500 and (squid or status in (502, 503, 504)):
        return Kind.PROXY_CANNOT, f"The proxy {way} cannot reach {endpoint.host} (it answered {status})."
    if plain and way and status == 403 and squid:
        return Kind.PROXY_REFUSES, f"The proxy {way} refuses {where} (it answered 403); allow the host there."
    if status == 451 or (plain and page and status == 403):
        return Kind.BLOCK_PAGE, f"{where} is answered by a page that refuses it ({status}): a filter, or the server itself."
    if status >= 500:
        return Kind.SERVER_ERROR, f"{where} is reached and answers with an error of its own ({status})."
    expected = CONTENT.get((endpoint.host, endpoint.path))
    if expected is not None and status == 200:
        if expected.search(body[:4096]):
            return Kind.FINE, f"{where} is reached, and sends the vendor's document."
        if page:
            return (
                Kind.BLOCK_PAGE,
                f"{where} is answered by a web page instead of the vendor's document: a filter or a sign-in page.",
            )
        return Kind.WRONG_CONTENT, f"{where} is reached, and what it sends is not the vendor's document."
    return Kind.FINE, f"{where} is reached (HTTP {status})."


def _is_page(headers: Any, body: bytes) -> bool:
    """Return whether an answer is a web page."""
    return "html" in header({"headers": headers}, "content-type").lower() or body[:200].lstrip().lower().startswith(
        (b"<!doctype html", b"<html")
    )


def _same_site(one: str, other: str) -> bool:
    """Return whether two names share their last two labels: a vendor may redirect within its own domain."""
    return one.lower().rstrip(".").split(".")[-2:] == other.lower().rstrip(".").split(".")[-2:]


def _shown(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text)[:200]


def _telling(headers: Any) -> list[list[str]]:
    """Return the headers that tell who answered, for the evidence; cookies and the like stay out of reports."""
    telling = ("server", "via", "location", "proxy-authenticate", "x-squid-error", "x-cache", "content-type", "date")
    return [[str(name), _shown(str(value))] for name, value in headers if str(name).lower() in telling][:20]


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
