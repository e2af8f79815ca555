# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a presented chain of certificates proves: the vendor's server, or an interceptor.

Path, dates and name are examined apart, since a validator that looks at all at once reports an
expired certificate and hides that its root is private.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import verification
except ImportError:
    # ansible-core depends on it; only ansible-test's import check runs without it.
    pass

from .certificate import (
    MAX_CERTIFICATES,
    CertificateError,
    covers,
    is_authority,
    is_signed_by,
    issuer_key_id,
    load_certificates,
    name_text,
    names_of,
    parse_address,
    timestamp_count,
    weak_signs,
)
from .products import product


class Root(Enum):
    """Where the path from the server's certificate ends."""

    PUBLIC = "public"
    PRIVATE = "private"
    ABSENT = "absent"


@dataclass(frozen=True)
class ChainReport:
    """What a chain says of the server.

    complete: what the server sent leads to the root by itself, without what the PC found elsewhere;
    None where only its own certificate was seen. verified: a public path is valid by all rules (RFC
    5280 as the web's public authorities follow it), not only by its signatures. issuer_id tells
    issuers apart: the hash of the key that the server's certificate was signed with, where it names
    it. timestamps: how many certificate transparency logs vouch for it by its own words; an
    interceptor can make these up, too. weak_signs: signs of a made-up certificate, in words; they
    prove nothing.
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
    weak_signs: tuple[str, ...]

    @property
    def is_public(self) -> bool:
        """Whether a public authority issued it for this server, whatever the dates and the clock."""
        return self.root is Root.PUBLIC and self.verified and self.name_matches

    @property
    def genuine(self) -> bool:
        """Whether that is the vendor's own certificate as any browser would accept it."""
        return self.is_public and not self.expired and not self.not_yet_valid

    @property
    def issuer_text(self) -> str:
        """The issuer, and the product where its name is known."""
        return f"{self.issuer}, {self.product}" if self.product else self.issuer

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
            "weak_signs": list(self.weak_signs),
        }


def examine_chain(
    presented: Sequence[bytes],
    built: Sequence[bytes],
    host: str,
    now: datetime,
    roots: tuple[x509.Certificate, ...],
    leaf_only: bool = False,
) -> ChainReport:
    """Return what DER certificates prove for a server's name at a time. Raises CertificateError.

    presented is what the server sent, its own certificate first, built the chain that the PC made of
    it. leaf_only: of what the server sent only its own certificate was seen.
    """
    certificates = load_certificates(presented)
    if not certificates:
        raise CertificateError("no certificate was presented")
    leaf, *sent = certificates
    available = [*sent, *load_certificates(built)]
    root, last = _walk(leaf, available, roots)
    names = names_of(leaf)
    expired = now > leaf.not_valid_after_utc
    not_yet_valid = now < leaf.not_valid_before_utc
    # A wrong date would hide everything else that is wrong.
    moment = leaf.not_valid_before_utc + timedelta(seconds=1) if expired or not_yet_valid else now
    verified = root is Root.PUBLIC and bool(names)
    complete = None if leaf_only else root is Root.ABSENT or _walk(leaf, sent, roots)[0] is root
    issuers = f"{last.issuer.rfc4514_string()} {leaf.issuer.rfc4514_string()}"
    return ChainReport(
        root=root,
        complete=complete,
        verified=verified and _verifies(leaf, available, names[0], moment, roots),
        expired=expired,
        not_yet_valid=not_yet_valid,
        name_matches=any(covers(name, host) for name in names),
        issuer=name_text(last.issuer),
        issuer_id=issuer_key_id(leaf),
        product=product(issuers),
        timestamps=timestamp_count(leaf),
        weak_signs=weak_signs(leaf),
    )


def _walk(
    leaf: x509.Certificate,
    available: Sequence[x509.Certificate],
    roots: tuple[x509.Certificate, ...],
) -> tuple[Root, x509.Certificate]:
    """Return where signatures lead from a certificate, and the last one on the path."""
    current = leaf
    for _step in range(MAX_CERTIFICATES):
        if _is_below_root(current, roots):
            return Root.PUBLIC, current
        if current.subject == current.issuer:
            return Root.PRIVATE, current
        issuer = _find_issuer(current, available)
        if issuer is None:
            return Root.ABSENT, current
        current = issuer
    return Root.ABSENT, current


def _is_below_root(certificate: x509.Certificate, roots: tuple[x509.Certificate, ...]) -> bool:
    """Return whether a certificate is a public root, or signed by one."""
    for root in roots:
        if root == certificate:
            return True
        if root.subject == certificate.issuer and is_signed_by(certificate, root):
            return True
    return False


def _find_issuer(
    certificate: x509.Certificate, available: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    for candidate in available:
        if candidate == certificate or candidate.subject != certificate.issuer:
            continue
        if is_authority(candidate) and is_signed_by(certificate, candidate):
            return candidate
    return None


def _verifies(
    leaf: x509.Certificate,
    available: Sequence[x509.Certificate],
    name: str,
    moment: datetime,
    roots: tuple[x509.Certificate, ...],
) -> bool:
    """Return whether a path to a root is valid by all rules.

    name is one of the certificate's own: whether it is the host's is examined apart.
    """
    builder = verification.PolicyBuilder().store(_store(roots)).time(moment)
    try:
        address = parse_address(name)
        if address is None:
            verifier = builder.build_server_verifier(x509.DNSName(name.replace("*", "any", 1)))
        else:
            verifier = builder.build_server_verifier(x509.IPAddress(address))
        verifier.verify(leaf, list(available))
    except (verification.VerificationError, ValueError, UnsupportedAlgorithm):
        return False
    return True


@lru_cache(maxsize=8)
def _store(roots: tuple[x509.Certificate, ...]) -> verification.Store:
    return verification.Store(list(roots))
