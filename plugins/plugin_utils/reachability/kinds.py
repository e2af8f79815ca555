# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can come of a probe, and whom to call about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..finding import Contact, Status
from .certificate import Judgement


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
    PROXY_LOGIN_REFUSED = "proxy_does_not_take_the_users_login"
    PROXY_LOGIN_UNFIT = "proxy_wants_login_that_ets6_cannot_give"
    CAPTIVE_PORTAL = "captive_portal"
    BLOCK_PAGE = "block_page"
    PAGE_NOT_KNOWN = "page_not_known"
    INTERCEPTED = "tls_intercepted"
    UNTRUSTED = "issuer_not_known"
    NOT_TRUSTED_HERE = "not_trusted_by_the_pc"
    INCOMPLETE = "incomplete_chain"
    WRONG_NAME = "wrong_certificate"
    EXPIRED = "expired_certificate"
    WRONG_CLOCK = "wrong_clock"
    SERVER_ERROR = "server_error"
    WRONG_CONTENT = "wrong_content"


CALLS = {
    Kind.NOT_PROBED: "Look at the reason first.",
    Kind.UNREADABLE: "Look at the PC itself: its answer makes no sense.",
    Kind.NOT_RESOLVED: "Ask who runs the PC's DNS servers.",
    Kind.SINKHOLED: "Ask who runs the DNS servers, or the filter in them, to let the name through.",
    Kind.REFUSED: "Ask who runs the firewall; where every network sees it, the vendor.",
    Kind.TIMED_OUT: "Ask who runs the firewall; where every network sees it, the vendor.",
    Kind.UNREACHABLE: "Ask who runs the network: gateway, VLAN or VPN of the PC.",
    Kind.RESET: "Ask who runs the firewall; where every network sees it, the vendor.",
    Kind.RESET_AT_NAME: "Ask who runs the firewall to take the name out of its filter.",
    Kind.NO_TLS: "Ask who runs the network: a sign-in page or a transparent proxy answers.",
    Kind.TLS_FAILED: "Ask who runs the firewall or the virus scanner; where every network sees it, the vendor.",
    Kind.PROXY_UNREACHABLE: "Ask who runs the proxy, or who set it on the PC.",
    Kind.PROXY_REFUSES: "Ask who runs the proxy to allow the server.",
    Kind.PROXY_CANNOT: "Ask who runs the proxy: its DNS, or its own way out.",
    Kind.PROXY_LOGIN: "Have it asked as the PC's user (ets6_network_probe_as: user); where that fails, ask who runs the proxy whether the user may pass.",
    Kind.PROXY_LOGIN_REFUSED: "Ask who runs the proxy to let this user through.",
    Kind.PROXY_LOGIN_UNFIT: "Ask who runs the proxy to offer Negotiate, Kerberos or NTLM, or to let the server through without a login.",
    Kind.CAPTIVE_PORTAL: "Sign in with a browser, or ask who runs the network to let the PC through.",
    Kind.BLOCK_PAGE: "Ask who runs the web filter to allow the server.",
    Kind.PAGE_NOT_KNOWN: "Open it in a browser on the PC: a filter's page says so.",
    Kind.INTERCEPTED: "Ask who runs the TLS inspection, in the firewall or the PC's virus scanner, to take the server out of it.",
    Kind.UNTRUSTED: "Ask who runs the firewall and the virus scanner whether they open TLS.",
    Kind.NOT_TRUSTED_HERE: "Ask who looks after the PC: Windows must be able to update its root certificates.",
    Kind.INCOMPLETE: "Ask who runs the firewall whether it changes TLS; where every network sees it, the vendor.",
    Kind.WRONG_NAME: "Ask who runs the network what answers in the vendor's place.",
    Kind.EXPIRED: "Ask the vendor; its certificate is genuine and its dates are wrong.",
    Kind.WRONG_CLOCK: "Set the PC's clock, and look at its time service.",
    Kind.SERVER_ERROR: "Wait, and ask the vendor.",
    Kind.WRONG_CONTENT: "Ask who runs the web filter or the proxy; where every network sees it, the vendor.",
}
"""Whom to call, or what to do, for every outcome that is not fine."""

CONTACTS = {
    Kind.UNREADABLE: Contact.PC,
    Kind.REFUSED: Contact.FIREWALL,
    Kind.TIMED_OUT: Contact.FIREWALL,
    Kind.RESET: Contact.FIREWALL,
    Kind.RESET_AT_NAME: Contact.FIREWALL,
    Kind.TLS_FAILED: Contact.FIREWALL,
    Kind.PROXY_UNREACHABLE: Contact.PROXY,
    Kind.PROXY_REFUSES: Contact.PROXY,
    Kind.PROXY_CANNOT: Contact.PROXY,
    Kind.PROXY_LOGIN: Contact.CONTROLLER,
    Kind.PROXY_LOGIN_REFUSED: Contact.PROXY,
    Kind.PROXY_LOGIN_UNFIT: Contact.PROXY,
    Kind.CAPTIVE_PORTAL: Contact.USER,
    Kind.PAGE_NOT_KNOWN: Contact.USER,
    Kind.UNTRUSTED: Contact.FIREWALL,
    Kind.NOT_TRUSTED_HERE: Contact.PC,
    Kind.INCOMPLETE: Contact.FIREWALL,
    Kind.EXPIRED: Contact.VENDOR,
    Kind.WRONG_CLOCK: Contact.PC,
    Kind.SERVER_ERROR: Contact.VENDOR,
    Kind.WRONG_CONTENT: Contact.PROXY,
}
"""Who does it, where it is not who runs the network."""
CAUSES = {
    Kind.INTERCEPTED: "reach.interception",
    Kind.PROXY_LOGIN_UNFIT: "proxy.login",
    Kind.PROXY_LOGIN_REFUSED: "proxy.login",
}
"""The control that fails with such an outcome, too, and is its cause."""
VENDOR_DOMAIN = "knx.org"
PASSED = frozenset({Kind.FINE})
UNDECIDED = frozenset({Kind.NOT_PROBED, Kind.UNREADABLE, Kind.UNTRUSTED, Kind.PAGE_NOT_KNOWN, Kind.PROXY_LOGIN})
"""The last: remote management has no login to hand over, so nobody knows whether the one of the PC's user works."""
CUT_OFF = frozenset({"reset", "closed", "timeout"})


@dataclass(frozen=True)
class Outcome:
    """What came of one probe. sentence says it for an administrator; chain is there where certificates were judged.

    page tells what was answered (answer.fingerprint): two servers that have nothing to do with each other do not send the same.
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

    @property
    def own_page(self) -> bool:
        """Whether it is certain that the answer is the server's own."""
        return bool(self.page) and self.chain is not None and self.chain.genuine


def of_vendor(host: str) -> bool:
    """Return whether a server is the vendor's by its name, and not one that the user added."""
    return f".{host}".endswith(f".{VENDOR_DOMAIN}")


def word(kind: str) -> str:
    """Return what went wrong, in words."""
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
