# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an HTTP answer means: the server's, a proxy's, or that of somebody who answers in the server's place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..policy.endpoints import Endpoint
from ..probes import Headers, HttpAnswer
from ..proxy.login import NATIVE_SCHEMES, offered
from .kinds import Kind, Outcome

CONTENT = {
    ("update.knx.org", "/data/XML/project-23/knx_master.xml"): re.compile(
        rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*>\s*|<!--(?:[^-]|-(?!->))*-->\s*)*<KNX[\s>]"
    ),
    ("onlinecatalog.knx.org", "/Download/Manufacturers"): re.compile(
        rb"\A(?:\xef\xbb\xbf)?\s*<[^<]{0,200}<?[^<>]{0,200}unsignedShort", re.IGNORECASE
    ),
}
"""What the vendor's public documents begin with, by server and path: an XML document with the root KNX, and a list of unsignedShort.
From third-party clients of the vendor's servers; not documented by the vendor."""
APIS = frozenset({"api.knx.org"})
"""Servers that programs talk to: a web page is not what one expects there, though none of their documents is known."""


def judge(answer: HttpAnswer, where: str, way: str, endpoint: Endpoint) -> tuple[Kind, str]:
    """Return what an answer to the request for an endpoint means. Over TLS it is the server's own: the certificate told who that is."""
    status, body = answer.status, answer.body
    if status == 407:
        refused = login(answer, where, way, {})
        return refused.kind, refused.sentence
    plain = endpoint.scheme == "http"
    if plain and (other := _somebody_elses(answer, where, way, endpoint)):
        return other
    if status >= 500 or status == 451:
        return Kind.SERVER_ERROR, f"{where} is reached and answers with an error of its own ({status})."
    redirect = 300 <= status < 400
    expected = CONTENT.get((endpoint.host, endpoint.path))
    if expected is not None and status == 200 and expected.search(body[:4096]):
        return Kind.FINE, f"{where} is reached, and sends the vendor's document."
    if expected is not None and not redirect:
        if plain and is_page(answer):
            return (
                Kind.BLOCK_PAGE,
                f"{where} is answered by a web page instead of the vendor's document: a filter or a sign-in page.",
            )
        return Kind.WRONG_CONTENT, f"{where} is reached, and what it sends is not the vendor's document."
    if not plain:
        return Kind.FINE, f"{where} is reached (HTTP {status})."
    if redirect and expected is not None:
        return (
            Kind.PAGE_NOT_KNOWN,
            f"{where} is answered by a redirect ({status}) instead of the vendor's document, and nothing tells whose it is.",
        )
    # A portal leads to pages of its own under any name, but cannot show them under the vendor's name over TLS.
    doubtful = status == 403 or is_page(answer) or (redirect and not _target(answer).startswith("https://"))
    if doubtful and endpoint.host in APIS:
        what = "a redirect" if redirect else "a web page" if is_page(answer) else "a refusal"
        return Kind.PAGE_NOT_KNOWN, f"{where} is answered by {what} ({status}), and nothing tells whose it is."
    remark = " Over HTTP nothing proves that the answer is the server's own." if doubtful else ""
    return Kind.FINE, f"{where} is reached (HTTP {status}).{remark}"


def _somebody_elses(answer: HttpAnswer, where: str, way: str, endpoint: Endpoint) -> tuple[Kind, str] | None:
    """Return what an answer means that the server did not give, None where it may be the server's."""
    status = answer.status
    squid = answer.header("x-squid-error")
    elsewhere = _elsewhere(_target(answer), endpoint.host) if 300 <= status < 400 else ""
    if status == 511 or elsewhere:
        return (
            Kind.CAPTIVE_PORTAL,
            f"{where} is answered by a sign-in page ({_shown(elsewhere or str(status))}): the network wants a login in the browser first.",
        )
    if way and status >= 500 and (squid or status in (502, 503, 504)):
        return Kind.PROXY_CANNOT, f"The proxy {way} cannot reach {endpoint.host} (it answered {status})."
    if way and status == 403 and squid:
        return Kind.PROXY_REFUSES, f"The proxy {way} refuses {where} (it answered 403); allow the host there."
    if status == 451 or (status == 403 and is_page(answer)):
        return Kind.BLOCK_PAGE, f"{where} is answered by a page that refuses it ({status}): a filter, or the server itself."
    return None


def _target(answer: HttpAnswer) -> str:
    return answer.header("location").strip()


def _elsewhere(target: str, host: str) -> str:
    """Return where a redirect leads that leaves the site, also one that cannot be read; empty where it stays."""
    try:
        name = urlsplit(target).hostname
    except ValueError:
        return target
    return name if name and not _same_site(name, host) else ""


def is_known(endpoint: Endpoint) -> bool:
    """Return whether a document is known that stands at an endpoint."""
    return (endpoint.host, endpoint.path) in CONTENT


def fingerprint(body: bytes) -> str:
    """Return what tells one answer from another: no numbers or long words, since pages have times and ids in them; empty where nothing is left."""
    left = re.sub(rb"[0-9A-Za-z_=/+-]{20,}|[0-9]+", b"", body).strip()
    return hashlib.sha256(left).hexdigest() if left else ""


def is_page(answer: HttpAnswer) -> bool:
    """Return whether an answer is a web page."""
    if "html" in answer.header("content-type").lower():
        return True
    return answer.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _same_site(one: str, other: str) -> bool:
    """Return whether two names share their last two labels: a vendor may redirect within its own domain."""
    return one.lower().rstrip(".").split(".")[-2:] == other.lower().rstrip(".").split(".")[-2:]


def _shown(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text)[:200]


def telling(headers: Headers) -> list[list[str]]:
    """Return the headers that tell who answered, for the evidence; cookies and the like stay out of reports."""
    telling = ("server", "via", "location", "proxy-authenticate", "x-squid-error", "x-cache", "content-type", "date")
    return [[name, _shown(value)] for name, value in headers if name.lower() in telling][:20]


def login(answer: HttpAnswer, where: str, way: str, evidence: Mapping[str, Any], user: str = "") -> Outcome:
    """Return what a proxy's 407 means; user is who asked in a session of their own."""
    if user:
        return Outcome(
            Kind.PROXY_LOGIN_REFUSED, f"The proxy {way} does not take the Windows login of {user} for {where}.", evidence
        )
    schemes = offered(answer)
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


def said(http: HttpAnswer | None) -> datetime | None:
    """Return the time that the server gives in its answer; None where it gives none."""
    try:
        moment = parsedate_to_datetime(http.header("date")) if http else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=timezone.utc)
