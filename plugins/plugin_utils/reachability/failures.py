# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What it means that a probe came no further than a stage.

The prober tells errors apart by exception types and numbers, never by texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..finding import Contact
from ..policy.endpoints import Endpoint
from ..probes import UNREADABLE, HttpAnswer, Probe, ProbeError
from ..text import join_words, one_line
from .answer import login_verdict
from .outcomes import Outcome, Verdict

CUT_OFF = frozenset({"reset", "closed", "timeout"})
"""Errors that a filter of server names brings about, and a server that is down as well."""
BEFORE_TLS = frozenset({UNREADABLE, "queue", "dns", "tcp", "connect"})
NOT_ABOUT_VERSIONS = CUT_OFF | {"plain_http"}
"""Errors that no TLS version of this PC explains."""
NEEDED_TLS = "TLS 1.2"
NO_COMMON_ALGORITHM = frozenset({0x80090331, 0x80090331 - (1 << 32)})
"""SEC_E_ALGORITHM_MISMATCH, unsigned and as .NET has it (Microsoft Learn, "Schannel Error Codes for TLS
and SSL Alerts")."""
MAX_TARGET = 200
DESCRIPTIONS = {
    "timeout": "no answer in time",
    "refused": "refused",
    "reset": "reset",
    "closed": "closed",
    "unreachable": "no route",
    "not_found": "name not resolved",
    "tls_alert": "TLS alert",
}


def _describe(error: str) -> str:
    return DESCRIPTIONS.get(error, "error")


def not_begun(via: str) -> Verdict:
    """Return what it means that a probe's turn did not come."""
    return Verdict(
        Outcome.NOT_PROBED,
        f"Not probed{via}: other probes took the whole ets6_network_probe_timeout.",
        advice="Raise ets6_network_probe_timeout.",
        contact=Contact.CONTROLLER,
    )


def name_not_resolved(error: str, endpoint: Endpoint) -> Verdict:
    """Return what it means that the server's name was not resolved."""
    reasons = {"timeout": "no answer in time", "try_again": "no name server answered"}
    reason = reasons.get(error, "there is no such name")
    return Verdict(
        Outcome.NOT_RESOLVED,
        f"The name {endpoint.host} is not resolved ({reason}).",
    )


def not_connected(error: str, where: str) -> Verdict:
    """Return what it means that the server could not be connected to."""
    if error == "refused":
        return Verdict(
            Outcome.REFUSED,
            f"{where} refuses the connection: the server is down, or a firewall rejects it.",
        )
    if error == "unreachable":
        return Verdict(Outcome.UNREACHABLE, f"There is no route to {where}.")
    if error == "timeout":
        return Verdict(
            Outcome.TIMED_OUT,
            f"{where} does not answer in time: usually a firewall that drops the packets.",
        )
    return Verdict(
        Outcome.RESET, f"The connection to {where} was interrupted ({_describe(error)})."
    )


def proxy_not_connected(stage: str, error: str, route: str, endpoint: Endpoint) -> Verdict:
    """Return what it means that the proxy could not be connected to."""
    reason = "its name is not resolved" if stage == "dns" else _describe(error)
    return Verdict(
        Outcome.PROXY_UNREACHABLE,
        f"The proxy {route} is not reached ({reason}), so {endpoint.host} is not reached either.",
    )


def no_tunnel(probe: Probe, where: str) -> Verdict:
    """Return what it means that the proxy opened no tunnel."""
    route = probe.route
    if probe.connect is not None:
        return _tunnel_refused(probe.connect, where, route, probe.user)
    error = probe.error.kind if probe.error else "closed"
    reply = f"does not answer ({_describe(error)})"
    if error == "other":
        reply = "answers with something that is not HTTP"
    return Verdict(
        Outcome.PROXY_UNREACHABLE, f"The proxy {route} accepts the connection and {reply}."
    )


def _tunnel_refused(answer: HttpAnswer, where: str, route: str, user: str) -> Verdict:
    status = answer.status
    if status == 407:
        return login_verdict(answer, where, route, user)
    if status == 511:
        return Verdict(
            Outcome.CAPTIVE_PORTAL,
            f"The proxy {route} answers with a sign-in page ({status}): the network requires a "
            "login in the browser first.",
        )
    if 300 <= status < 400:
        target = one_line(answer.header("location"), MAX_TARGET) or "no address"
        return Verdict(
            Outcome.SIGN_IN_OR_BLOCK,
            f"The proxy {route} answers with a redirect ({status}) to {target}: a sign-in page of "
            "the network, or a page that blocks the server.",
        )
    if status == 500:
        return Verdict(
            Outcome.ERROR_NOT_KNOWN,
            f"The proxy {route} answers with an error (500): it cannot resolve or reach the server, "
            "or is out of order itself. The number does not say which.",
        )
    if status >= 500:
        return Verdict(
            Outcome.PROXY_CANNOT,
            f"The proxy {route} cannot reach the server (it answered {status}).",
        )
    return Verdict(
        Outcome.PROXY_REFUSES,
        f"The proxy {route} refuses {where} (it answered {status}).",
    )


def no_common_tls(error: ProbeError, where: str, tls_off: Sequence[str]) -> Verdict | None:
    """Return that this PC and the server have no TLS version in common, None where it is not that.

    tls_off are the versions that the PC's settings switch off. The number alone says less: Windows has
    it also for the alert insufficient_security of the other side.
    """
    is_local = error.code in NO_COMMON_ALGORITHM or error.kind == "no_common_tls"
    # Without TLS 1.3 most servers are reached by TLS 1.2. Another side's alert is explained by that
    # only where TLS 1.2 is off.
    is_explained = NEEDED_TLS in tls_off and error.kind not in NOT_ABOUT_VERSIONS
    if tls_off and (is_local or is_explained):
        versions = join_words(tls_off)
        return Verdict(
            Outcome.TLS_OFF,
            f"{where}: TLS fails, and this PC has {versions} switched off for clients in its "
            "SCHANNEL settings.",
        )
    if is_local:
        return Verdict(
            Outcome.TLS_OFF,
            f"{where}: TLS fails on this PC itself (SEC_E_ALGORITHM_MISMATCH or its like): it has "
            "no version or cipher in common with the server. What the number means on a PC with "
            "TLS switched off was not tried on a real one.",
        )
    return None


def no_handshake(
    error: str, where: str, endpoint: Endpoint, other_name_gets_further: bool | None
) -> Verdict:
    """Return what it means that TLS failed.

    other_name_gets_further: whether the same address finishes a handshake under another name, None
    where that is not known. Only that tells a filter of names from a server that is down.
    """
    if error == "plain_http":
        return Verdict(
            Outcome.NO_TLS,
            f"{where} answers without TLS: something other than the vendor's server is there.",
        )
    if error not in CUT_OFF:
        return Verdict(Outcome.TLS_FAILED, f"{where}: TLS fails ({_describe(error)}).")
    if other_name_gets_further:
        return Verdict(
            Outcome.RESET_AT_NAME,
            f"{where} is connected, and cut off as soon as TLS names {endpoint.host} "
            f"({_describe(error)}), while another name gets through: a firewall filters by server "
            "name.",
        )
    guess = "a firewall may filter by server name, or the server is down"
    if other_name_gets_further is False:
        guess = "also under another name"
    if error == "timeout":
        return Verdict(
            Outcome.TIMED_OUT,
            f"{where} is connected, and silent when TLS begins with the name {endpoint.host}: "
            f"{guess}. Packets that are too long for a VPN or tunnel on the path (MTU) look the "
            "same.",
        )
    return Verdict(
        Outcome.RESET, f"{where} is connected, and {_describe(error)} when TLS begins: {guess}."
    )


def gets_further(other_name_probe: Probe | None) -> bool | None:
    """Return whether a probe under another name finished the handshake.

    False where it was cut off as well; None where neither is known. A server that refuses unknown
    names does that by an alert, which proves nothing.
    """
    if other_name_probe is None or other_name_probe.stage in BEFORE_TLS:
        return None
    if other_name_probe.tls is not None:
        return True
    error = other_name_probe.error
    return False if error is not None and error.kind in CUT_OFF else None


def no_answer(error: str, where: str) -> Verdict:
    """Return what it means that the server did not answer the request."""
    if error == "timeout":
        return Verdict(
            Outcome.TIMED_OUT, f"{where} accepts the request and does not answer in time."
        )
    if error == "other":
        return Verdict(Outcome.WRONG_CONTENT, f"{where} answers with something that is not HTTP.")
    return Verdict(
        Outcome.RESET,
        f"{where} accepts the request and closes the connection ({_describe(error)}).",
    )


def is_cut_off(probe: Probe) -> bool:
    """Return whether TLS was cut off, as a filter of names does it."""
    return probe.stage == "tls" and probe.error is not None and probe.error.kind in CUT_OFF
