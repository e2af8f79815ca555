# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a presented chain of certificates proves: the vendor's server, or somebody in between.

Path, dates and name are judged apart, since a validator that looks at all at once reports an expired leaf and hides that
its root is private. Public are the roots of certifi (Mozilla's), or of the bundle that the user names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.x509 import verification
    from cryptography.x509.oid import AuthorityInformationAccessOID
except ImportError:
    # ansible-core depends on it: only ansible-test's check of imports does without.
    pass

from ..errors import ETS6Error
from .issuers import product

E = TypeVar("E", bound="x509.ExtensionType")

MAX_CERTIFICATES = 20
MAX_DER = 64 * 1024


LONGEST = (
    (datetime(2027, 3, 15, tzinfo=timezone.utc), 100),
    (datetime(2026, 3, 15, tzinfo=timezone.utc), 200),
    (datetime(1, 1, 1, tzinfo=timezone.utc), 398),
)
"""The most days that a public certificate is valid for, by the time of its issue: CA/Browser Forum ballot SC-081v3."""


STAMPED_WITHIN = timedelta(days=7)
"""Logs stamp a certificate before it is issued, and its begin is set back by hours, rarely by days."""


class Root(Enum):
    """Where the path from the leaf ends."""

    PUBLIC = "public"
    PRIVATE = "private"
    ABSENT = "absent"


class CertificateError(ETS6Error):
    """The chain cannot be read. The text says which certificate and why."""


@dataclass(frozen=True)
class Judgement:
    """What the chain says of the server.

    complete: what the server sent leads to the root by itself, without what the PC found elsewhere; None where only its own
    certificate was seen. verified: a public path
    holds by all rules (RFC 5280 as the web's public authorities keep it), not only by its signatures. issuer_id tells issuers
    apart: the hash of the key that the leaf was signed with, where the certificate names it. timestamps: how many certificate
    transparency logs vouch for it, as far as it says so itself: whoever makes certificates up can make these up too. supports:
    weak signs of a made-up certificate, in words; no proof by themselves.
    """

    root: Root
    complete: bool | None
    verified: bool
    expired: bool
    not_yet_valid: bool
    name_matches: bool
    issuer: str
    issuer_id: str
    product: str
    timestamps: int
    supports: tuple[str, ...]

    @property
    def genuine(self) -> bool:
        """Whether that is the vendor's own certificate as any browser would take it."""
        return self.root is Root.PUBLIC and self.verified and self.name_matches and not self.expired and not self.not_yet_valid

    def to_wire(self) -> dict[str, Any]:
        """Return it as evidence."""
        return {
            "root": self.root.value,
            "complete": self.complete,
            "verified": self.verified,
            "expired": self.expired,
            "not_yet_valid": self.not_yet_valid,
            "name_matches": self.name_matches,
            "issuer": self.issuer,
            "issuer_id": self.issuer_id,
            "product": self.product or None,
            "certificate_timestamps": self.timestamps,
            "weak_signs": list(self.supports),
        }


@lru_cache(maxsize=8)
def public_roots(path: str) -> tuple[x509.Certificate, ...]:
    """Return the roots of a PEM bundle; certifi's where no path is given. Raises CertificateError."""
    if not path:
        # Imported where it is needed, since a controller that names its own bundle can do without.
        try:
            import certifi
        except ImportError:
            raise CertificateError(
                "the Python package certifi, which holds the public roots, is missing on the controller: install it "
                "(pip install certifi), or name a PEM file in ets6_network_public_roots"
            ) from None
        path = certifi.where()
    bundle = Path(path)
    try:
        return tuple(x509.load_pem_x509_certificates(bundle.read_bytes()))
    except (OSError, ValueError) as error:
        raise CertificateError(f"ets6_network_public_roots: {bundle}: {error}") from None


def load(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """Read DER certificates, leaf first; of those above the leaf what can be read, up to MAX_CERTIFICATES. Raises CertificateError."""
    loaded: list[x509.Certificate] = []
    for item in chain[:MAX_CERTIFICATES]:
        try:
            if len(item) > MAX_DER:
                raise ValueError(f"longer than {MAX_DER} bytes")
            loaded.append(x509.load_der_x509_certificate(item))
        except (ValueError, x509.InvalidVersion) as error:
            if not loaded:
                raise CertificateError(f"the server's certificate cannot be read: {error}") from None
    return loaded


def judge(
    presented: Sequence[bytes],
    built: Sequence[bytes],
    host: str,
    now: datetime,
    roots: tuple[x509.Certificate, ...],
    leaf_only: bool = False,
) -> Judgement:
    """Judge a chain for a server's name at a time. built is what the PC itself made of it. Raises CertificateError.

    leaf_only: of what the server sent, only its own certificate was seen.
    """
    certificates = load(presented)
    if not certificates:
        raise CertificateError("no certificate was presented")
    leaf, sent, found = certificates[0], certificates[1:], load(built)
    root, last = _walk(leaf, [*sent, *found], roots)
    expired, early = now > leaf.not_valid_after_utc, now < leaf.not_valid_before_utc
    # A date or name that is wrong would hide everything else that is.
    moment = leaf.not_valid_before_utc + timedelta(seconds=1) if expired or early else now
    names = _names(leaf)
    return Judgement(
        root,
        None if leaf_only else root is Root.ABSENT or _walk(leaf, sent, roots)[0] is root,
        root is Root.PUBLIC and bool(names) and _verifies(leaf, [*sent, *found], names[0], moment, roots),
        expired,
        early,
        any(_covers(name, host) for name in names),
        _clean(last.issuer.rfc4514_string()),
        _issuer_id(leaf),
        product(last.issuer.rfc4514_string() + " " + leaf.issuer.rfc4514_string()),
        _stamps(leaf),
        _weak_signs(leaf),
    )


def _walk(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: tuple[x509.Certificate, ...]
) -> tuple[Root, x509.Certificate]:
    """Follow signatures from the leaf until a public root, a self-signed certificate, or nobody known."""
    current = leaf
    for _step in range(MAX_CERTIFICATES):
        if any(root == current or (root.subject == current.issuer and _signed(current, root)) for root in roots):
            return Root.PUBLIC, current
        if current.subject == current.issuer:
            return Root.PRIVATE, current
        above = next(
            (
                one
                for one in others
                if one != current and one.subject == current.issuer and _is_authority(one) and _signed(current, one)
            ),
            None,
        )
        if above is None:
            return Root.ABSENT, current
        current = above
    return Root.ABSENT, current


def _is_authority(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may issue others: who owns a public leaf must not be able to sign a vendor's name with it."""
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _verifies(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], name: str, moment: datetime, roots: tuple[x509.Certificate, ...]
) -> bool:
    """Return whether a path to a root holds by all rules. name is one of the leaf's own: whether it is the right one is another question."""
    try:
        address = _address(name)
        subject = x509.DNSName(name.replace("*", "any", 1)) if address is None else x509.IPAddress(address)
        verifier = verification.PolicyBuilder().store(_store(roots)).time(moment).build_server_verifier(subject)
        verifier.verify(leaf, list(others))
    except (verification.VerificationError, ValueError, UnsupportedAlgorithm):
        return False
    return True


@lru_cache(maxsize=8)
def _store(roots: tuple[x509.Certificate, ...]) -> verification.Store:
    return verification.Store(list(roots))


def _names(leaf: x509.Certificate) -> list[str]:
    """Return the names and addresses that a certificate is for. Only subject alternative names count (RFC 9525)."""
    names = _extension(leaf, x509.SubjectAlternativeName)
    if names is None:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _covers(name: str, host: str) -> bool:
    """Return whether a certificate's name is the host's; a wildcard stands for its one leftmost label (RFC 9525)."""
    address = _address(host)
    if address is not None:
        return _address(name) == address
    host = host.lower().rstrip(".")
    return name.lower() == host or (name.startswith("*.") and name[2:].lower() == host.partition(".")[2])


def _issuer_id(leaf: x509.Certificate) -> str:
    issuer = _extension(leaf, x509.AuthorityKeyIdentifier)
    key = None if issuer is None else issuer.key_identifier
    return key.hex() if key else _clean(leaf.issuer.rfc4514_string())


def _clean(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text)[:300]


def _stamps(leaf: x509.Certificate) -> int:
    """Return how many certificate transparency logs have vouched for this certificate, going by its own words (RFC 6962, 3.3).

    One that was stamped long before or after its issue, as a copied stamp is, does not count, nor does a log's second one.
    """
    stamps = _extension(leaf, x509.PrecertificateSignedCertificateTimestamps)
    logs = set()
    for stamp in stamps or ():
        try:
            at = stamp.timestamp.replace(tzinfo=timezone.utc)
        except (ValueError, OverflowError):
            continue  # a year that no calendar has
        if abs(at - leaf.not_valid_before_utc) <= STAMPED_WITHIN:
            logs.add(stamp.log_id)
    return len(logs)


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """Return an extension; None where it is not there, or any is so malformed that it says nothing."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None


def _weak_signs(leaf: x509.Certificate) -> tuple[str, ...]:
    signs = []
    days = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days
    stamps, wanted = _stamps(leaf), 3 if days > 180 else 2
    if stamps < wanted:
        signs.append(f"{stamps or 'no'} embedded signed certificate timestamps, browsers ask for {wanted}")
    access = _extension(leaf, x509.AuthorityInformationAccess)
    if access is None or not any(entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS for entry in access):
        signs.append("no address of its issuer's certificate")
    limit = next(most for since, most in LONGEST if leaf.not_valid_before_utc >= since)
    if days > limit:
        signs.append(f"valid for {days} days, public ones for {limit} at most")
    return tuple(signs)
