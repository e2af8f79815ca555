# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a chain of certificates is a reason not to go on, and whose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..policy.endpoints import Endpoint
from .certificate import Judgement, Root
from .kinds import Kind, of_vendor

CLOCK_TOLERANCE_SECONDS = 24 * 3600


def of_chain(
    chain: Judgement, where: str, endpoint: Endpoint, clock: datetime | None, said: datetime | None
) -> tuple[Kind, str] | None:
    """Return what is wrong with the certificates: who issued them first, since an interceptor's dates and names say nothing."""
    by = f"{chain.issuer}" + (f", {chain.product}" if chain.product else "")
    signs = f" ({'; '.join(chain.supports)})" if chain.supports else ""
    if chain.root is not Root.PUBLIC and not of_vendor(endpoint.host):
        return (
            Kind.UNTRUSTED,
            f"{where}: the certificate was issued by no public authority ({by}). Where that is your own server, have "
            "ets6_network_public_roots name a file with its root and the public ones; otherwise somebody opens TLS on the way.",
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
    if chain.root is Root.ABSENT and chain.complete is None:
        return (
            Kind.UNTRUSTED,
            f"{where}: Windows finds no way from the certificate ({by}) to a root, and what else the server sent was not seen.",
        )
    if chain.root is Root.ABSENT:
        return Kind.INCOMPLETE, f"{where} does not send the certificate of its issuer ({by}), and this PC does not find it."
    if not chain.name_matches:
        return Kind.WRONG_NAME, f"{where} shows a certificate for another name than {endpoint.host}."
    if chain.expired or chain.not_yet_valid:
        now = said or datetime.now(timezone.utc)
        if clock is not None and abs((clock - now).total_seconds()) > CLOCK_TOLERANCE_SECONDS:
            return (
                Kind.WRONG_CLOCK,
                f"The PC's clock says {clock:%Y-%m-%d %H:%M} UTC and it is {now:%Y-%m-%d %H:%M}, so every certificate looks "
                f"{'expired' if chain.expired else 'not yet valid'}; set the clock.",
            )
        return Kind.EXPIRED, f"{where}: the certificate is {'expired' if chain.expired else 'not yet valid'}."
    if not chain.verified:
        return (
            Kind.UNTRUSTED,
            f"{where}: the certificate leads to a public root, but breaks the rules for public certificates ({by}); nobody can vouch for it.",
        )
    return None


def of_windows(chain: Judgement, where: str, tls: Mapping[str, Any]) -> tuple[Kind, str] | None:
    """Return what Windows has against a certificate that is fine."""
    if not tls["policy_errors"]:
        return None
    why = ", ".join([*tls["policy_errors"], *tls["chain_status"]])
    return (
        Kind.NOT_TRUSTED_HERE,
        f"{where} shows a genuine certificate ({chain.issuer}), and this PC does not trust it ({why}): its root certificates are out of date, "
        "or it cannot fetch them.",
    )
