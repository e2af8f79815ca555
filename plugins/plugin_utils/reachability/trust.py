# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a chain of certificates is a reason not to go on, and whose."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ..policy.endpoints import Endpoint
from ..probes import TlsAnswer
from .chain import ChainReport, Root
from .outcomes import Outcome, Verdict, is_vendor_host

CLOCK_TOLERANCE = timedelta(days=1)
MAX_ERRORS = 8
"""Errors of Windows that a sentence or the evidence names."""


def chain_problem(
    chain: ChainReport,
    where: str,
    endpoint: Endpoint,
    clock: datetime | None,
    server_time: datetime | None,
) -> Verdict | None:
    """Return what is wrong with the certificates, None where they are fine.

    The issuer is judged first: an interceptor's dates and names say nothing. clock is the PC's.
    """
    if chain.root is not Root.PUBLIC:
        return _issuer_problem(chain, where, endpoint)
    if not chain.name_matches:
        return Verdict(
            Outcome.WRONG_NAME,
            f"{where} presents a certificate for another name than {endpoint.host}.",
        )
    if chain.expired or chain.not_yet_valid:
        return _date_problem(chain, where, clock, server_time)
    if not chain.verified:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the certificate leads to a public root, but breaks the rules for public "
            f"certificates ({chain.issuer_text}), so it proves nothing.",
        )
    return None


def _issuer_problem(chain: ChainReport, where: str, endpoint: Endpoint) -> Verdict:
    """Return what a chain means that does not lead to a public root."""
    issuer = chain.issuer_text
    if not is_vendor_host(endpoint.host):
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the certificate was not issued by a public authority ({issuer}). If that is "
            "your own server, have ets6_network_public_roots name a file with its root and the "
            "public ones. Otherwise TLS is intercepted.",
        )
    if not chain.name_matches:
        return Verdict(
            Outcome.WRONG_NAME,
            f"{where}: another server answers, with a certificate that is not for {endpoint.host} "
            f"and not public ({issuer}): a sign-in page, a filter of names, or a device of your "
            "own.",
        )
    if chain.root is Root.PRIVATE:
        return Verdict(
            Outcome.INTERCEPTED,
            f"TLS to {where} is intercepted: the certificate's root is not public ({issuer}). The "
            "vendor forbids that; exempt the host from the inspection.",
        )
    if chain.product:
        return Verdict(
            Outcome.INTERCEPTED,
            f"TLS to {where} is intercepted: the issuer is not public and has the name of an "
            f"inspector ({issuer}). Exempt the host from the inspection.",
        )
    return _absent_issuer(chain, where)


def _absent_issuer(chain: ChainReport, where: str) -> Verdict:
    issuer = chain.issuer_text
    if chain.weak_signs:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the issuer of the certificate ({issuer}) is not known, and its certificate "
            f"was not sent. It may be interception ({'; '.join(chain.weak_signs)}); that is no "
            "proof.",
        )
    if chain.complete is None:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: Windows finds no path from the certificate ({issuer}) to a root, and what "
            "else the server sent was not seen.",
        )
    return Verdict(
        Outcome.INCOMPLETE,
        f"{where} does not send the certificate of its issuer ({issuer}), and this PC does not "
        "find it.",
    )


def _date_problem(
    chain: ChainReport, where: str, clock: datetime | None, server_time: datetime | None
) -> Verdict:
    problem = "expired" if chain.expired else "not yet valid"
    now = server_time or datetime.now(timezone.utc)
    if clock is not None and abs(clock - now) > CLOCK_TOLERANCE:
        return Verdict(
            Outcome.WRONG_CLOCK,
            f"The PC's clock says {clock:%Y-%m-%d %H:%M} UTC and it is {now:%Y-%m-%d %H:%M}, so "
            f"every certificate looks {problem}; set the clock.",
        )
    return Verdict(Outcome.EXPIRED, f"{where}: the certificate is {problem}.")


def windows_problem(chain: ChainReport, where: str, tls: TlsAnswer) -> Verdict | None:
    """Return what Windows has against a certificate that is fine, None where it has nothing."""
    if not tls.policy_errors:
        return None
    errors = ", ".join([*tls.policy_errors[:MAX_ERRORS], *tls.chain_status[:MAX_ERRORS]])
    return Verdict(
        Outcome.NOT_TRUSTED_HERE,
        f"{where} presents a genuine certificate ({chain.issuer}), and this PC does not trust it "
        f"({errors}): its root certificates are out of date, or it cannot download them.",
    )
