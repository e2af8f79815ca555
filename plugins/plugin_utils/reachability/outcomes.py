# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe can come to, what to do about it, and who does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..finding import Contact, Status
from .chain import ChainReport


class Outcome(StrEnum):
    """The outcomes. Their values are in the evidence of the findings ``reach.*``."""

    FINE = "fine"
    NOT_PROBED = "not_probed"
    UNREADABLE = "unreadable"
    NOT_RESOLVED = "name_not_resolved"
    SINKHOLED = "name_sinkholed"
    HOSTS_FILE = "hosts_file"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    RESET_AT_NAME = "reset_at_server_name"
    NO_TLS = "answers_without_tls"
    TLS_FAILED = "tls_failed"
    TLS_OFF = "tls_switched_off"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROXY_REFUSES = "proxy_refuses"
    PROXY_CANNOT = "proxy_cannot_reach"
    PROXY_LOGIN = "proxy_wants_login"
    PROXY_LOGIN_REFUSED = "proxy_does_not_take_the_users_login"
    PROXY_LOGIN_UNFIT = "proxy_wants_login_that_ets6_cannot_give"
    CAPTIVE_PORTAL = "captive_portal"
    SIGN_IN_OR_BLOCK = "sign_in_or_block_page"
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
    ERROR_NOT_KNOWN = "error_not_known"
    WRONG_CONTENT = "wrong_content"


_FIREWALL_OR_VENDOR = (
    "Ask the administrators of the firewall; where every network has the same failure, the vendor."
)

ADVICE = {
    Outcome.NOT_PROBED: "Correct what kept the PC from probing, and run the playbook again.",
    Outcome.UNREADABLE: "Look at the PC itself: something else than the collection's script answers.",
    Outcome.NOT_RESOLVED: "Ask the administrators of the PC's DNS servers.",
    Outcome.SINKHOLED: "Ask the administrators of the DNS servers, or of the filter in them, to "
    "resolve the name.",
    Outcome.HOSTS_FILE: "Remove the line from the hosts file of this PC, or ask who manages it.",
    Outcome.REFUSED: _FIREWALL_OR_VENDOR,
    Outcome.TIMED_OUT: _FIREWALL_OR_VENDOR,
    Outcome.UNREACHABLE: "Ask the administrators of the network: gateway, VLAN or VPN of the PC.",
    Outcome.RESET: _FIREWALL_OR_VENDOR,
    Outcome.RESET_AT_NAME: "Ask the administrators of the firewall to exempt the name from its "
    "filter.",
    Outcome.NO_TLS: "Ask the administrators of the network: a sign-in page or a transparent proxy "
    "answers.",
    Outcome.TLS_FAILED: "Ask the administrators of the firewall or the virus scanner; where every "
    "network has the same failure, the vendor.",
    Outcome.TLS_OFF: "Switch on TLS 1.2 for clients on this PC (SCHANNEL registry values or Group "
    "Policy); where they are on, ask the administrators of the firewall.",
    Outcome.PROXY_UNREACHABLE: "Ask the administrators of the proxy, or of the PC's proxy settings.",
    Outcome.PROXY_REFUSES: "Ask the administrators of the proxy to allow the server.",
    Outcome.PROXY_CANNOT: "Ask the administrators of the proxy: its DNS, or its own connection.",
    Outcome.PROXY_LOGIN: "Probe as the PC's user (ets6_network_probe_as: user). If that fails, ask "
    "the administrators of the proxy to let the user through.",
    Outcome.PROXY_LOGIN_REFUSED: "Ask the administrators of the proxy to let this user through.",
    Outcome.PROXY_LOGIN_UNFIT: "Ask the administrators of the proxy to offer Negotiate, Kerberos "
    "or NTLM, or to let the server through without a login.",
    Outcome.CAPTIVE_PORTAL: "Sign in with a browser, or ask the administrators of the network to "
    "let the PC through.",
    Outcome.SIGN_IN_OR_BLOCK: "Open the address in a browser on the PC. Sign in where it asks for "
    "that; where it says that the server is blocked, ask the administrators of the web filter.",
    Outcome.BLOCK_PAGE: "Ask the administrators of the web filter to allow the server.",
    Outcome.PAGE_NOT_KNOWN: "Open it in a browser on the PC: a filter's page says so.",
    Outcome.INTERCEPTED: "Ask the administrators of the TLS inspection, in the firewall or the "
    "PC's virus scanner, to exempt the server.",
    Outcome.UNTRUSTED: "Ask the administrators of the firewall and the virus scanner whether they "
    "inspect TLS.",
    Outcome.NOT_TRUSTED_HERE: "Ask the administrators of the PC: Windows must be able to update "
    "its root certificates.",
    Outcome.INCOMPLETE: "Ask the administrators of the firewall whether it changes TLS; where "
    "every network has the same failure, the vendor.",
    Outcome.WRONG_NAME: "Ask the administrators of the network which server answers in place of "
    "the vendor's.",
    Outcome.EXPIRED: "Ask the vendor: its certificate is genuine and its dates are wrong.",
    Outcome.WRONG_CLOCK: "Set the PC's clock, and look at its time service.",
    Outcome.SERVER_ERROR: "Wait, and ask the vendor.",
    Outcome.ERROR_NOT_KNOWN: "Ask the administrators of the web filter or the proxy; where the "
    "server has the same error over TLS, the vendor.",
    Outcome.WRONG_CONTENT: "Ask the administrators of the web filter or the proxy; where every "
    "network has the same failure, the vendor.",
}
"""What to do, for every outcome that is not fine."""

CONTACTS = {
    Outcome.NOT_PROBED: Contact.PC,
    Outcome.UNREADABLE: Contact.PC,
    Outcome.HOSTS_FILE: Contact.PC,
    Outcome.REFUSED: Contact.FIREWALL,
    Outcome.TIMED_OUT: Contact.FIREWALL,
    Outcome.RESET: Contact.FIREWALL,
    Outcome.RESET_AT_NAME: Contact.FIREWALL,
    Outcome.TLS_FAILED: Contact.FIREWALL,
    Outcome.TLS_OFF: Contact.PC,
    Outcome.PROXY_UNREACHABLE: Contact.PROXY,
    Outcome.PROXY_REFUSES: Contact.PROXY,
    Outcome.PROXY_CANNOT: Contact.PROXY,
    Outcome.PROXY_LOGIN: Contact.CONTROLLER,
    Outcome.PROXY_LOGIN_REFUSED: Contact.PROXY,
    Outcome.PROXY_LOGIN_UNFIT: Contact.PROXY,
    Outcome.CAPTIVE_PORTAL: Contact.USER,
    Outcome.SIGN_IN_OR_BLOCK: Contact.USER,
    Outcome.BLOCK_PAGE: Contact.PROXY,
    Outcome.PAGE_NOT_KNOWN: Contact.USER,
    Outcome.INTERCEPTED: Contact.FIREWALL,
    Outcome.UNTRUSTED: Contact.FIREWALL,
    Outcome.NOT_TRUSTED_HERE: Contact.PC,
    Outcome.INCOMPLETE: Contact.FIREWALL,
    Outcome.EXPIRED: Contact.VENDOR,
    Outcome.WRONG_CLOCK: Contact.PC,
    Outcome.SERVER_ERROR: Contact.VENDOR,
    Outcome.ERROR_NOT_KNOWN: Contact.PROXY,
    Outcome.WRONG_CONTENT: Contact.PROXY,
}
"""Who does it, where that is not who runs the network."""

CAUSES = {
    Outcome.PROXY_UNREACHABLE: "proxy.wininet",
    Outcome.INTERCEPTED: "reach.interception",
    Outcome.PROXY_LOGIN_UNFIT: "proxy.login",
    Outcome.PROXY_LOGIN_REFUSED: "proxy.login",
}
"""The control that is the cause of such an outcome, where it fails, too."""

_UNDECIDED = frozenset({
    Outcome.NOT_PROBED,
    Outcome.UNREADABLE,
    Outcome.UNTRUSTED,
    Outcome.PAGE_NOT_KNOWN,
    # Remote management has no login to hand over, so it cannot prove that the user's works.
    Outcome.PROXY_LOGIN,
})  # fmt: skip

VENDOR_DOMAIN = "knx.org"


@dataclass(frozen=True)
class Verdict:
    """What one probe came to.

    sentence says it for an administrator: what was seen, and not what to do. advice, contact and
    caused_by (the id of a control) are set where they are not those of the outcome. chain is set
    where certificates were examined. page is the fingerprint of the answer (answer.fingerprint); two
    unrelated servers do not send the same one. address is the one that was connected to.
    behind_address is the verdict on what arrived, where the address alone speaks against the server.
    """

    outcome: Outcome
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    chain: ChainReport | None = None
    page: str = ""
    address: str = ""
    behind_address: Verdict | None = None
    advice: str = ""
    contact: Contact | None = None
    caused_by: str = ""

    @property
    def status(self) -> Status:
        """Whether that is good enough for ETS6."""
        if self.outcome is Outcome.FINE:
            return Status.PASS
        if self.outcome in _UNDECIDED:
            return Status.UNKNOWN
        return Status.FAIL

    @property
    def is_servers_page(self) -> bool:
        """Whether genuine TLS proves that the answer is the server's."""
        return bool(self.page) and self.chain is not None and self.chain.genuine


def is_vendor_host(host: str) -> bool:
    """Return whether a server is the vendor's by its name, and not one that the user added."""
    return f".{host}".endswith(f".{VENDOR_DOMAIN}")
