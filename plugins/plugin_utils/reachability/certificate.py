# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What one certificate says: its names, its issuer's key, and signs that it was made up.

Certificates come from the network, so whatever is malformed in one says nothing and raises nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TypeVar

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
    from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
except ImportError:
    # ansible-core depends on it; only ansible-test's import check runs without it.
    SIGNING_KEYS: tuple[type, ...] = ()
else:
    SIGNING_KEYS = (
        rsa.RSAPublicKey,
        ec.EllipticCurvePublicKey,
        ed25519.Ed25519PublicKey,
        ed448.Ed448PublicKey,
        dsa.DSAPublicKey,
    )

from ..errors import ETS6Error
from ..text import one_line

ExtensionT = TypeVar("ExtensionT", bound="x509.ExtensionType")

MAX_CERTIFICATES = 20
MAX_DER = 64 * 1024
MAX_NAME = 300
"""Characters of an issuer's name."""

LONGEST_LIVES = (
    (datetime(2027, 3, 15, tzinfo=timezone.utc), 100),
    (datetime(2026, 3, 15, tzinfo=timezone.utc), 200),
    (datetime(1, 1, 1, tzinfo=timezone.utc), 398),
)
"""The most days that a public certificate is valid for, by the time of its issue: CA/Browser Forum
ballot SC-081v3."""

STAMPED_WITHIN = timedelta(days=7)
"""Logs stamp a certificate before it is issued. Its begin is set back by hours, rarely by days."""


class CertificateError(ETS6Error):
    """The chain or the list of roots cannot be read. The text says which part and why."""


def load_certificates(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """Return DER certificates parsed, the server's own first, up to MAX_CERTIFICATES.

    A certificate above the server's own that cannot be read is left out. Raises CertificateError
    where the server's own cannot be read.
    """
    certificates: list[x509.Certificate] = []
    for der in chain[:MAX_CERTIFICATES]:
        try:
            certificates.append(_load(der))
        except (ValueError, TypeError, x509.InvalidVersion) as error:
            if not certificates:
                message = f"the server's certificate cannot be read: {error}"
                raise CertificateError(message) from None
    return certificates


def _load(der: bytes) -> x509.Certificate:
    if len(der) > MAX_DER:
        raise ValueError(f"longer than {MAX_DER} bytes")
    certificate = x509.load_der_x509_certificate(der)
    # cryptography parses these when they are first read, and raises ValueError or TypeError then.
    _parsed = (certificate.subject, certificate.issuer, certificate.not_valid_after_utc)
    return certificate


def is_authority(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may issue others.

    The owner of a public server certificate must not be able to sign a vendor's name with it.
    """
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the issuer's name and key fit a certificate."""
    try:
        if not isinstance(issuer.public_key(), SIGNING_KEYS):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses that a certificate is for.

    Only subject alternative names count (RFC 9525).
    """
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return []
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def common_name(certificate: x509.Certificate) -> str:
    """Return the common name of a certificate's subject; empty without one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address, or None for any other text."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def covers(name: str, host: str) -> bool:
    """Return whether a certificate's name is the host's.

    A wildcard replaces the leftmost label, and only that (RFC 9525).
    """
    address = parse_address(host)
    if address is not None:
        return parse_address(name) == address
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if name.startswith("*."):
        return name[2:] == host.partition(".")[2]
    return name == host


def name_text(name: x509.Name) -> str:
    """Return a name of a certificate as text for a report."""
    return one_line(name.rfc4514_string(), MAX_NAME)


def issuer_key_id(certificate: x509.Certificate) -> str:
    """Return what tells the issuer's key from others; empty where the certificate does not say."""
    identifier = _extension(certificate, x509.AuthorityKeyIdentifier)
    if identifier is not None and identifier.key_identifier:
        return identifier.key_identifier.hex()
    return ""


def key_id(certificate: x509.Certificate) -> str:
    """Return the hash of a certificate's own key (RFC 5280, 4.2.1.2, method 1)."""
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the SHA-1 by which Windows' stores name a certificate, in upper case."""
    # It is a name here and proves nothing.
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303


def timestamp_count(certificate: x509.Certificate) -> int:
    """Return how many transparency logs vouch for a certificate, by its own words (RFC 6962, 3.3).

    A timestamp from long before or after the issue, as a copied one is, does not count, nor does a
    log's second one.
    """
    timestamps = _extension(certificate, x509.PrecertificateSignedCertificateTimestamps)
    logs = set()
    for timestamp in timestamps or ():
        try:
            moment = timestamp.timestamp.replace(tzinfo=timezone.utc)
        except (ValueError, OverflowError):
            continue  # a year that the calendar does not have
        if abs(moment - certificate.not_valid_before_utc) <= STAMPED_WITHIN:
            logs.add(timestamp.log_id)
    return len(logs)


def weak_signs(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the signs, in words, that a certificate was made up. They prove nothing."""
    signs = []
    days = _days(certificate)
    timestamps = timestamp_count(certificate)
    required = _required_timestamps(certificate)
    if timestamps < required:
        signs.append(
            f"{timestamps or 'no'} embedded signed certificate timestamps, browsers ask for "
            f"{required}"
        )
    if not has_issuer_address(certificate):
        signs.append("no address of its issuer's certificate")
    limit = _longest_life(certificate.not_valid_before_utc)
    if days > limit:
        signs.append(f"valid for {days} days, public ones for {limit} at most")
    return tuple(signs)


def resembles_public(certificate: x509.Certificate) -> bool:
    """Return whether a certificate has what public authorities' have and inspectors' usually lack.

    Enough timestamps, or an address of its issuer. An inspector can make up both.
    """
    is_logged = timestamp_count(certificate) >= _required_timestamps(certificate)
    return is_logged or has_issuer_address(certificate)


def _days(certificate: x509.Certificate) -> int:
    return (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days


def _required_timestamps(certificate: x509.Certificate) -> int:
    """Return how many embedded timestamps browsers ask for (Chrome's CT policy)."""
    return 3 if _days(certificate) > 180 else 2


def has_issuer_address(certificate: x509.Certificate) -> bool:
    """Return whether a certificate says where its issuer's certificate is."""
    access = _extension(certificate, x509.AuthorityInformationAccess) or ()
    return any(entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS for entry in access)


def _longest_life(issued: datetime) -> int:
    return next(days for since, days in LONGEST_LIVES if issued >= since)


def _extension(certificate: x509.Certificate, extension: type[ExtensionT]) -> ExtensionT | None:
    """Return an extension; None where it is missing, or any extension is malformed."""
    try:
        return certificate.extensions.get_extension_for_class(extension).value
    except (
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        ValueError,
    ):
        return None
