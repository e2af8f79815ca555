# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a presented chain of certificates proves: the vendor's server, or somebody in between.

Path, dates and name are judged apart, since a validator that looks at all at once reports an expired leaf and hides that
its root is private. Public are the roots of certifi (Mozilla's), or of the bundle that the user names.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID
except ImportError:
    # ansible-core depends on it: only ansible-test's check of imports does without.
    pass

from .issuers import product

MAX_CERTIFICATES = 20
MAX_DER = 64 * 1024


class Root(Enum):
    """Where the path from the leaf ends."""

    PUBLIC = "public"
    PRIVATE = "private"
    ABSENT = "absent"


class CertificateError(ValueError):
    """The chain cannot be read. The text says which certificate and why."""


@dataclass(frozen=True)
class Judgement:
    """What the chain says of the server."""

    root: Root
    expired: bool
    not_yet_valid: bool
    name_matches: bool
    issuer: str
    product: str
    supports: tuple[str, ...]
    """Weak signs of a made-up certificate, in words: no proof by themselves."""

    def to_wire(self) -> dict[str, Any]:
        """Return it as evidence."""
        return {
            "root": self.root.value,
            "expired": self.expired,
            "not_yet_valid": self.not_yet_valid,
            "name_matches": self.name_matches,
            "issuer": self.issuer,
            "product": self.product or None,
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


def load(chain: Sequence[Any]) -> list[x509.Certificate]:
    """Read base64 DER certificates, leaf first. Raises CertificateError."""
    if len(chain) > MAX_CERTIFICATES:
        raise CertificateError(f"{len(chain)} certificates, more than {MAX_CERTIFICATES} are not read")
    loaded = []
    for at, item in enumerate(chain):
        try:
            raw = base64.b64decode(item, validate=True)
            if len(raw) > MAX_DER:
                raise ValueError(f"longer than {MAX_DER} bytes")
            loaded.append(x509.load_der_x509_certificate(raw))
        except (TypeError, ValueError, binascii.Error) as error:
            raise CertificateError(f"certificate {at + 1} cannot be read: {error}") from None
    return loaded


def judge(
    presented: Sequence[Any], built: Sequence[Any], host: str, now: datetime, roots: Sequence[x509.Certificate]
) -> Judgement:
    """Judge a chain for a server's name at a time. built is what the PC itself made of it. Raises CertificateError."""
    certificates = load(presented)
    if not certificates:
        raise CertificateError("no certificate was presented")
    leaf, others = certificates[0], [*certificates[1:], *load(built)]
    root, last = _walk(leaf, others, roots)
    issuer = last.issuer.rfc4514_string()
    return Judgement(
        root,
        now > leaf.not_valid_after_utc,
        now < leaf.not_valid_before_utc,
        _covers(leaf, host),
        issuer,
        product(issuer + " " + leaf.issuer.rfc4514_string()),
        _weak_signs(leaf),
    )


def _walk(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
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
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _covers(leaf: x509.Certificate, host: str) -> bool:
    """Return whether the certificate names the host (RFC 9525: only subject alternative names, one leftmost wildcard label)."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    host = host.lower().rstrip(".")
    parent = host.partition(".")[2]
    return any(name.lower() == host or (name.startswith("*.") and name[2:].lower() == parent) for name in names)


def _weak_signs(leaf: x509.Certificate) -> tuple[str, ...]:
    signs = []
    if not _has(leaf, ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS):
        signs.append("no embedded signed certificate timestamps")
    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        if not any(entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS for entry in access):
            signs.append("no address of its issuer's certificate")
    except (x509.ExtensionNotFound, ValueError):
        signs.append("no address of its issuer's certificate")
    # CA/Browser Forum ballot SC-081v3: 200 days since 2026-03-15, 398 before.
    limit = 200 if leaf.not_valid_before_utc >= datetime(2026, 3, 15, tzinfo=timezone.utc) else 398
    days = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days
    if days > limit:
        signs.append(f"valid for {days} days, public ones for {limit} at most")
    return tuple(signs)


def _has(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bool:
    try:
        certificate.extensions.get_extension_for_oid(oid)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return True
