# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an HTTP answer means: the server's, a proxy's, or that of something in the server's place."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from ..policy.endpoints import DEFAULT_PORTS, Endpoint
from ..probes import Headers, HttpAnswer
from ..proxy.login import NATIVE_SCHEMES, offered
from ..text import one_line
from .outcomes import Outcome, Verdict

DOCUMENTS = {
    ("update.knx.org", "/data/XML/project-23/knx_master.xml"): re.compile(
        rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*>\s*|<!--(?:[^-]|-(?!->))*-->\s*)*<KNX[\s>]"
    ),
    ("onlinecatalog.knx.org", "/Download/Manufacturers"): re.compile(
        rb"\A(?:\xef\xbb\xbf)?\s*<[^<]{0,200}<?[^<>]{0,200}unsignedShort", re.IGNORECASE
    ),
}
"""What the vendor's public documents begin with, by server and path: an XML document with the root
KNX, and a list of unsignedShort. From third-party clients of the vendor's servers; the vendor does
not document them."""
APIS = frozenset({"api.knx.org"})
"""Servers for programs: a web page is not expected there, though none of their documents is known."""
PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--(?:[^-]|-(?!->))*-->\s*)*"
    rb"<(?:!doctype\s+html|html|head|body|title|meta|script)\b",
    re.IGNORECASE,
)
"""What a web page begins with that has no type."""
DOCUMENT_HEAD = 4096
"""Bytes of a body in which the beginning of a document is looked for."""
HEADERS_IN_EVIDENCE = frozenset({
    "server", "via", "location", "proxy-authenticate", "x-squid-error", "x-cache", "content-type",
    "date",
})  # fmt: skip
"""Headers that tell who answered. Cookies and the like stay out of reports."""
WISPR = b"WISPAccessGatewayParam"
"""What portals write for programs in their sign-in pages (WISPr)."""
GONE = frozenset({404, 410})
EMPTY_PAGE = "empty"
"""The fingerprint of an empty answer begins with it."""
REDIRECT = "redirect"
"""The fingerprint of a redirect begins with it."""
MAX_TARGET = 1000
MAX_HEADERS = 20
MAX_HEADER = 200


def judge_answer(answer: HttpAnswer, where: str, route: str, endpoint: Endpoint) -> Verdict:
    """Return what an answer to the request for an endpoint means.

    Over TLS it is the server's own: the certificate was judged before. route is the proxy, empty
    without one.
    """
    if answer.status == 407:
        return login_verdict(answer, where, route)
    verdict = _any_answer(answer, where, route, endpoint)
    if verdict.outcome is Outcome.FINE and not answer.complete:
        return Verdict(
            Outcome.RESET,
            f"{where} sends the beginning of an answer (HTTP {answer.status}, {len(answer.body)} "
            "bytes), which ends before its announced length.",
        )
    return verdict


def _any_answer(answer: HttpAnswer, where: str, route: str, endpoint: Endpoint) -> Verdict:
    if endpoint.scheme == "https":
        return _answer_over_tls(answer, where, endpoint)
    return _plain_answer(answer, where, route, endpoint)


def _plain_answer(answer: HttpAnswer, where: str, route: str, endpoint: Endpoint) -> Verdict:
    foreign = _foreign_answer(answer, where, route, endpoint)
    if foreign is not None:
        return foreign
    if answer.status >= 500:
        return Verdict(
            Outcome.ERROR_NOT_KNOWN,
            f"{where} is answered by an error ({answer.status}). Over HTTP nothing proves who sent "
            "it: the server, a proxy or a filter.",
        )
    if has_document(endpoint):
        return _answer_for_document(answer, where, endpoint)
    return _answer_over_http(answer, where, endpoint)


def _answer_over_tls(answer: HttpAnswer, where: str, endpoint: Endpoint) -> Verdict:
    if answer.status >= 500 or answer.status == 451:
        return _server_error(answer, where)
    if has_document(endpoint) and not _is_redirect(answer):
        if is_document(answer, endpoint):
            return _document(where)
        return _wrong_document(where, answer.status)
    return Verdict(Outcome.FINE, f"{where} is reached (HTTP {answer.status}).")


def _answer_for_document(answer: HttpAnswer, where: str, endpoint: Endpoint) -> Verdict:
    if is_document(answer, endpoint):
        return _document(where)
    if _is_redirect(answer):
        return Verdict(
            Outcome.PAGE_NOT_KNOWN,
            f"{where} is answered by a redirect ({answer.status}) to {_shown_target(answer)} "
            "instead of the vendor's document. Its sender could not be determined.",
        )
    if answer.status in GONE:
        return Verdict(
            Outcome.PAGE_NOT_KNOWN,
            f"{where} is answered by {answer.status} (not found) instead of the vendor's document: "
            "the vendor may have moved it, or a filter answers. Its sender could not be "
            "determined.",
        )
    if is_page(answer):
        return Verdict(
            Outcome.BLOCK_PAGE,
            f"{where} is answered by a web page instead of the vendor's document: a filter or a "
            "sign-in page.",
        )
    return _wrong_document(where, answer.status)


def _answer_over_http(answer: HttpAnswer, where: str, endpoint: Endpoint) -> Verdict:
    form = _doubtful_form(answer)
    if form and endpoint.host in APIS:
        return Verdict(
            Outcome.PAGE_NOT_KNOWN,
            f"{where} is answered by {form} ({answer.status}). Its sender could not be determined.",
        )
    sentence = f"{where} is reached (HTTP {answer.status})."
    if form:
        sentence += " Over HTTP nothing proves that the answer is the server's own."
    return Verdict(Outcome.FINE, sentence)


def _doubtful_form(answer: HttpAnswer) -> str:
    """Return what an answer is that a filter could have sent as well; empty for any other.

    A portal redirects to its own pages under any name, but cannot show them under the vendor's name
    over TLS.
    """
    if _is_redirect(answer):
        return "" if _target(answer).startswith("https://") else "a redirect"
    if is_page(answer):
        return "a web page"
    return "a refusal" if answer.status == 403 else ""


def _foreign_answer(
    answer: HttpAnswer, where: str, route: str, endpoint: Endpoint
) -> Verdict | None:
    """Return what an answer means that the server did not give, None where it may be the server's."""
    status = answer.status
    if status == 511 or WISPR in answer.body:
        return Verdict(
            Outcome.CAPTIVE_PORTAL,
            f"{where} is answered by a sign-in page ({status}): the network requires a login in "
            "the browser first.",
        )
    if _is_redirect(answer) and _other_site(_target(answer), endpoint.host):
        return Verdict(
            Outcome.SIGN_IN_OR_BLOCK,
            f"{where} is answered by a redirect ({status}) to {_shown_target(answer)}: a sign-in "
            "page of the network, or a page that blocks the server.",
        )
    if route:
        refused = _proxys_answer(answer, where, route, endpoint)
        if refused is not None:
            return refused
    if status == 451 or (status == 403 and is_page(answer)):
        return Verdict(
            Outcome.BLOCK_PAGE,
            f"{where} is answered by a page that refuses it ({status}): a filter, or the server "
            "itself.",
        )
    return None


def _proxys_answer(
    answer: HttpAnswer, where: str, route: str, endpoint: Endpoint
) -> Verdict | None:
    """Return what a proxy answered by itself, None where that cannot be told."""
    status = answer.status
    is_squids = bool(answer.header("x-squid-error"))
    if status >= 500 and is_squids:
        return Verdict(
            Outcome.PROXY_CANNOT,
            f"The proxy {route} cannot reach {endpoint.host} (it answered {status}).",
        )
    if status == 403 and is_squids:
        return Verdict(
            Outcome.PROXY_REFUSES,
            f"The proxy {route} refuses {where} (it answered 403).",
        )
    return None


def _server_error(answer: HttpAnswer, where: str) -> Verdict:
    return Verdict(
        Outcome.SERVER_ERROR,
        f"{where} is reached and answers with an error of its own ({answer.status}).",
    )


def _document(where: str) -> Verdict:
    return Verdict(Outcome.FINE, f"{where} is reached, and sends the vendor's document.")


def _wrong_document(where: str, status: int) -> Verdict:
    return Verdict(
        Outcome.WRONG_CONTENT,
        f"{where} is reached, and what it sends is not the vendor's document (HTTP {status}).",
    )


def has_document(endpoint: Endpoint) -> bool:
    """Return whether the document at an endpoint is known."""
    return (endpoint.host, endpoint.path) in DOCUMENTS


def is_document(answer: HttpAnswer, endpoint: Endpoint) -> bool:
    """Return whether an answer is the document of an endpoint."""
    pattern = DOCUMENTS[(endpoint.host, endpoint.path)]
    return answer.status == 200 and bool(pattern.search(answer.body[:DOCUMENT_HEAD]))


def _is_redirect(answer: HttpAnswer) -> bool:
    return 300 <= answer.status < 400


def _target(answer: HttpAnswer) -> str:
    return answer.header("location").strip()


def _shown_target(answer: HttpAnswer) -> str:
    return one_line(_target(answer), MAX_HEADER) or "no address"


def redirect_target(answer: HttpAnswer | None, endpoint: Endpoint) -> str:
    """Return the URL that an endpoint with a known document redirects to, where it can be probed.

    Empty for any other answer. The URL comes from the network: only a plain one is taken, without a
    login.
    """
    if answer is None or not _is_redirect(answer) or not has_document(endpoint):
        return ""
    try:
        target = urljoin(endpoint.url, _target(answer))
        is_url = _is_plain_url(target)
    except ValueError:
        return ""
    return target if is_url else ""


def _is_plain_url(url: str) -> bool:
    """Return whether a URL is one of HTTP, in ASCII, without a login. Raises ValueError."""
    if not re.fullmatch("[!-~]+", url) or len(url) > MAX_TARGET:
        return False
    parts = urlsplit(url)
    has_server = bool(parts.hostname) and parts.port != 0
    return has_server and parts.scheme in DEFAULT_PORTS and parts.username is None


def _other_site(target: str, host: str) -> str:
    """Return where a redirect leads that leaves the site, also one that cannot be parsed; else empty."""
    try:
        name = urlsplit(target).hostname
    except ValueError:
        return target
    if name and site(name) != site(host):
        return name
    return ""


def site(host: str) -> list[str]:
    """Return the last two labels of a name: a vendor may redirect within its own domain."""
    return host.lower().rstrip(".").split(".")[-2:]


def answer_id(answer: HttpAnswer) -> str:
    """Return what an answer is, short enough for the evidence: hosts are compared by it."""
    content = _shown_target(answer) if _is_redirect(answer) else fingerprint(answer)[:16]
    return f"{answer.status} {content}"


def fingerprint(answer: HttpAnswer) -> str:
    """Return what tells one answer from another; empty where it says too little for that.

    Numbers and long words are left out, since pages have times and ids in them. Of an empty body only
    a success tells something: a filter may answer every name by it. A redirect is known by where it
    leads, since its text is that of the web server's program.
    """
    if _is_redirect(answer):
        target = _target(answer)
        return f"{REDIRECT} {target[:MAX_TARGET]}" if target else ""
    words = re.sub(rb"[0-9A-Za-z_=/+-]{20,}|[0-9]+", b"", answer.body).strip()
    if words:
        return hashlib.sha256(words).hexdigest()
    return f"{EMPTY_PAGE} {answer.status}" if 200 <= answer.status < 300 else ""


def is_empty(page: str) -> bool:
    """Return whether a fingerprint is that of an empty answer."""
    return page.startswith(EMPTY_PAGE)


def is_redirect(page: str) -> bool:
    """Return whether a fingerprint is that of a redirect."""
    return page.startswith(REDIRECT)


def is_page(answer: HttpAnswer) -> bool:
    """Return whether an answer is a web page."""
    if "html" in answer.header("content-type").lower():
        return True
    return bool(PAGE.match(answer.body[:DOCUMENT_HEAD]))


def evident_headers(headers: Headers) -> list[list[str]]:
    """Return the headers for the evidence."""
    pairs = []
    for name, value in headers:
        if name.lower() in HEADERS_IN_EVIDENCE:
            pairs.append([name, one_line(value, MAX_HEADER)])
    return pairs[:MAX_HEADERS]


def login_verdict(answer: HttpAnswer, where: str, route: str, user: str = "") -> Verdict:
    """Return what a proxy's 407 means. user is set where it was asked in that user's session."""
    if user:
        return Verdict(
            Outcome.PROXY_LOGIN_REFUSED,
            f"The proxy {route} does not accept the Windows login of {user} for {where}.",
        )
    schemes = offered(answer)
    names = ", ".join(sorted(schemes)) or "no scheme"
    demand = f"The proxy {route or 'on the network path'} wants a login ({names}) for {where}."
    if schemes & NATIVE_SCHEMES:
        return Verdict(
            Outcome.PROXY_LOGIN,
            f"{demand} Remote management has none to give, so it was not proven that the one of "
            "the PC's user works.",
        )
    return Verdict(
        Outcome.PROXY_LOGIN_UNFIT,
        f"{demand} ETS6 can hand over the PC user's own login only, by Negotiate, Kerberos or "
        "NTLM, so it does not get through.",
    )


def server_time(answer: HttpAnswer | None) -> datetime | None:
    """Return the time that the server gives in its answer; None where it gives none."""
    if answer is None:
        return None
    try:
        moment = parsedate_to_datetime(answer.header("date"))
    except (ValueError, OverflowError):
        # The second comes of a year of eleven digits.
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
