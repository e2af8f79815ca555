# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a chain of certificates is a reason not to go on, and whose.

No list of roots is trusted blindly, and no product or network is blamed without proof. A root that
counts as public makes a certificate genuine only where nothing contradicts it: an inspector's name, a
certificate with neither timestamps nor an issuer's address, or a list that was changed. A root that
does not count as public is proof of interception only where nothing speaks for a public authority that
the list does not have.
"""

from __future__ import annotations

from datetime import datetime, timezone

from ..finding import Contact
from ..policy.endpoints import Endpoint
from ..probes import TlsAnswer
from .chain import ChainReport, Root
from .observer import Observer, RootStore
from .outcomes import Outcome, Verdict, is_vendor_host
from .roots import Origin

MAX_ERRORS = 8
"""Errors of Windows that a sentence or the evidence names."""
_NOT_TRIED = "where Windows keeps roots was not tried on a real PC"


def chain_problem(
    chain: ChainReport,
    where: str,
    endpoint: Endpoint,
    observer: Observer,
    server_time: datetime | None,
) -> Verdict | None:
    """Return what is wrong with the certificates, None where they are fine.

    The issuer is judged first: an interceptor's dates and names say nothing.
    """
    if chain.root is not Root.PUBLIC:
        return _issuer_problem(chain, where, endpoint, observer)
    if chain.product:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the certificate leads to a root of {observer.roots.title}, but its issuer "
            f"has the name of an inspector ({chain.issuer_text}). That root was probably added to "
            "the list, so it proves nothing; name an unchanged list in ets6_network_public_roots.",
        )
    if not chain.name_matches:
        return Verdict(
            Outcome.WRONG_NAME,
            f"{where} presents a certificate for another name than {endpoint.host}.",
        )
    doubt = _doubt(chain, observer) if is_vendor_host(endpoint.host) else ""
    if doubt:
        return Verdict(Outcome.UNTRUSTED, f"{where}: {doubt}")
    if chain.expired or chain.not_yet_valid:
        return _date_problem(chain, where, observer.clock, server_time)
    if not chain.verified:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the certificate leads to a public root, but breaks the rules for public "
            f"certificates ({chain.issuer_text}), so it proves nothing.",
        )
    return None


def _doubt(chain: ChainReport, observer: Observer) -> str:
    """Return why a root of the list does not prove that a certificate is the vendor's."""
    roots, store = observer.roots, observer.store_of(chain.root_thumbprint)
    if not chain.resembles_public:
        return (
            f"the certificate leads to a root of {roots.title} ({chain.issuer}), but has neither "
            "timestamps of public logs nor an address of its issuer. An inspector whose root was "
            "added to the list looks the same."
        )
    if roots.origin is Origin.MOZILLA or store is RootStore.PROGRAMME:
        return ""
    if chain.weak_signs:
        return (
            f"the certificate leads to a root of {roots.title} ({chain.issuer}), which is not "
            f"Mozilla's unchanged list, and differs from public ones ({'; '.join(chain.weak_signs)}"
            "). An inspector whose root was added to the list looks the same."
        )
    if roots.problem:
        return (
            f"the certificate leads to a root of the list ({chain.issuer}), but {roots.problem}. "
            "Install the package certifi again, or name a file with public roots in "
            "ets6_network_public_roots."
        )
    if store is RootStore.LOCAL:
        return (
            f"the certificate leads to a root of {roots.title} ({chain.issuer}), but this PC has "
            "that root only where administrators and programs install roots, and not among those "
            f"of Microsoft's programme ({_NOT_TRIED})."
        )
    return ""


def store_remark(chain: ChainReport, observer: Observer) -> str:
    """Return that a genuine certificate rests on a store of Windows; empty where it does not."""
    if not observer.roots.problem or not chain.is_public:
        return ""
    if observer.store_of(chain.root_thumbprint) is not RootStore.PROGRAMME:
        return ""
    return (
        f"Of the list of roots, {observer.roots.problem}; its root counts as public since this PC "
        f"has it among those of Microsoft's programme ({_NOT_TRIED})."
    )


def _issuer_problem(
    chain: ChainReport, where: str, endpoint: Endpoint, observer: Observer
) -> Verdict:
    """Return what a chain means that does not lead to a public root."""
    issuer = chain.issuer_text
    if not is_vendor_host(endpoint.host):
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the certificate was not issued by a public authority ({issuer}). If that is "
            "your own server, have ets6_network_public_roots name a file with its root and the "
            "public ones. Otherwise TLS is intercepted.",
        )
    if chain.product:
        # The product outranks the server's name, which some inspectors leave out.
        return _named_inspector(chain, where)
    if not chain.name_matches:
        return Verdict(
            Outcome.WRONG_NAME,
            f"{where}: another server answers, with a certificate that is not for {endpoint.host} "
            f"and not public ({issuer}): a sign-in page, a filter of names, or a device of your "
            "own.",
        )
    if chain.root is Root.ABSENT and not chain.issuer_seen:
        return _absent_issuer(chain, where)
    return _unknown_root(chain, where, observer)


def _named_inspector(chain: ChainReport, where: str) -> Verdict:
    issuer = chain.issuer_text
    if chain.root is Root.PRIVATE:
        reason = f"the certificate's root is not public ({issuer})"
    else:
        reason = f"the issuer is not public and has the name of an inspector ({issuer})"
    return Verdict(
        Outcome.INTERCEPTED,
        f"TLS to {where} is intercepted: {reason}. The vendor forbids that.",
    )


def _unknown_root(chain: ChainReport, where: str, observer: Observer) -> Verdict:
    """Return what a root means that the list does not have."""
    issuer, roots = chain.issuer_text, observer.roots.title
    store = observer.store_of(chain.root_thumbprint)
    if store is RootStore.PROGRAMME:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the root of the certificate ({issuer}) is not in {roots}, and this PC has "
            f"it among those of Microsoft's programme ({_NOT_TRIED}). It is probably a public "
            "authority that the list does not have; update the package certifi.",
        )
    if chain.resembles_public:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the root of the certificate ({issuer}) is not in {roots}, and the "
            "certificate has what those of public authorities have: a public authority that the "
            "list does not have, or a careful inspector. Update the package certifi, and compare "
            "with the issuer that a browser shows on another network.",
        )
    if observer.roots.is_old:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the root of the certificate ({issuer}) is not in {roots}, which is too old "
            "to prove that it is not public.",
            advice="Update the package certifi on the controller.",
            contact=Contact.CONTROLLER,
        )
    if chain.root is Root.PRIVATE:
        return Verdict(
            Outcome.INTERCEPTED,
            f"TLS to {where} is intercepted: the certificate's root is not public ({issuer}). The "
            "vendor forbids that.",
        )
    return Verdict(
        Outcome.UNTRUSTED,
        f"{where}: the root of the certificate ({issuer}) was not sent and is not in {roots}. It "
        f"may be interception ({'; '.join(chain.weak_signs)}); that does not prove it.",
    )


def _absent_issuer(chain: ChainReport, where: str) -> Verdict:
    issuer = chain.issuer_text
    if chain.weak_signs:
        return Verdict(
            Outcome.UNTRUSTED,
            f"{where}: the issuer of the certificate ({issuer}) is not known, and its certificate "
            f"was not sent. It may be interception ({'; '.join(chain.weak_signs)}); that does not "
            "prove it.",
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
    """Return whose dates are wrong: the PC's clock, going by the server's, or the certificate's."""
    problem = "expired" if chain.expired else "not yet valid"
    source = "by the server's answer" if server_time else "by the controller"
    now = server_time or datetime.now(timezone.utc)
    if clock is not None and chain.is_valid_at(now):
        return Verdict(
            Outcome.WRONG_CLOCK,
            f"The PC's clock says {clock:%Y-%m-%d %H:%M} UTC and {source} it is "
            f"{now:%Y-%m-%d %H:%M}, so the certificate of {where} looks {problem}.",
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
