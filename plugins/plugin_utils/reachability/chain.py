# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a presented chain of certificates proves: the vendor's server, or an interceptor.

Path, dates and name are examined apart, since a validator that looks at all at once reports an
expired certificate and hides that its root is private.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    common_name,
    covers,
    is_authority,
    is_signed_by,
    issuer_key_id,
    key_id,
    load_certificates,
    name_text,
    names_of,
    parse_address,
    resembles_public,
    thumbprint,
    timestamp_count,
    weak_signs,
)
from .products import Product, find_product

MAX_DNS_NAME = 253
DNS_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
"""A host name (RFC 1123, 2.1)."""
MAX_STEPS = 60
"""Certificates that are looked at over all paths of one chain."""


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
    5280 as the web's public authorities follow it), not only by its signatures. name_matches: without
    a public root the common name counts as well, for inspectors that write no other. issuer_ids tell
    issuers apart: the keys of all issuers on the path, the highest one first. timestamps: how many
    certificate transparency logs vouch for it by its own words; an interceptor can make these up,
    too. weak_signs: signs of a made-up certificate, in words; they prove nothing. resembles_public:
    see certificate. root_thumbprint: how Windows' stores name the root; empty where it was not seen.
    issuer_seen: the issuer's own certificate was sent or found.
    """

    root: Root
    complete: bool | None
    verified: bool
    expired: bool
    not_yet_valid: bool
    name_matches: bool
    issuer: str
    issuer_ids: tuple[str, ...]
    product: Product | None
    timestamps: int
    weak_signs: tuple[str, ...]
    resembles_public: bool
    not_before: datetime
    not_after: datetime
    root_thumbprint: str
    issuer_seen: bool

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
        if self.product is None:
            return self.issuer
        return f"{self.issuer}, {self.product.name}"

    def is_valid_at(self, moment: datetime) -> bool:
        """Return whether the server's certificate is valid at a time."""
        return self.not_before <= moment <= self.not_after

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
            "issuer_id": self.issuer_ids[0],
            "product": self.product.name if self.product else None,
            "product_place": self.product.place.value if self.product else None,
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
    path = _best_path(leaf, available, roots)
    names = names_of(leaf)
    expired = now > leaf.not_valid_after_utc
    not_yet_valid = now < leaf.not_valid_before_utc
    # A wrong date would hide everything else that is wrong.
    moment = leaf.not_valid_before_utc if expired or not_yet_valid else now
    is_public = path.root is Root.PUBLIC
    complete = path.root is Root.ABSENT or _best_path(leaf, sent, roots).root is path.root
    claimed = names or ([] if is_public else [common_name(leaf)])
    return ChainReport(
        root=path.root,
        complete=None if leaf_only else complete,
        verified=is_public and _verifies(leaf, available, names, moment, roots),
        expired=expired,
        not_yet_valid=not_yet_valid,
        name_matches=any(covers(name, host) for name in claimed),
        issuer=name_text(path.certificates[-1].issuer),
        issuer_ids=path.issuer_ids,
        product=find_product(path.issuer_names),
        timestamps=timestamp_count(leaf),
        weak_signs=weak_signs(leaf),
        resembles_public=resembles_public(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        root_thumbprint=path.root_thumbprint,
        issuer_seen=len(path.certificates) > 1,
    )


@dataclass(frozen=True)
class _Path:
    """A path of signatures from the server's certificate. anchor is the public root above it."""

    root: Root
    certificates: tuple[x509.Certificate, ...]
    anchor: x509.Certificate | None = None

    @property
    def issuer_names(self) -> str:
        """The names of all issuers on the path."""
        return " ".join(name_text(certificate.issuer) for certificate in self.certificates)

    @property
    def root_thumbprint(self) -> str:
        """How Windows' stores name the root; empty where it was not seen."""
        if self.anchor is not None:
            return thumbprint(self.anchor)
        return thumbprint(self.certificates[-1]) if self.root is Root.PRIVATE else ""

    @property
    def issuer_ids(self) -> tuple[str, ...]:
        """The keys of all issuers on the path, the highest first: its name where it has no key id."""
        ids = []
        for certificate in reversed(self.certificates):
            ids.append(issuer_key_id(certificate))
            if certificate != self.certificates[0]:
                ids.append(key_id(certificate))
        ids = [issuer_id for issuer_id in dict.fromkeys(ids) if issuer_id]
        return tuple(ids) or (name_text(self.certificates[0].issuer),)


def _best_path(
    leaf: x509.Certificate,
    available: Sequence[x509.Certificate],
    roots: tuple[x509.Certificate, ...],
) -> _Path:
    """Return a path to a public root, else one to a private root, else the longest one.

    Cross-signed certificates have several issuers of one name, so every path is tried, up to
    MAX_STEPS certificates in all.
    """
    best = _Path(Root.ABSENT, (leaf,))
    pending: list[tuple[x509.Certificate, ...]] = [(leaf,)]
    for _step in range(MAX_STEPS):
        if not pending:
            break
        certificates = pending.pop()
        path = _end_of(certificates, roots)
        if path.root is Root.PUBLIC:
            return path
        if _is_better(path, best):
            best = path
        if len(certificates) < MAX_CERTIFICATES:
            issuers = _issuers(certificates, available)
            pending += [(*certificates, issuer) for issuer in reversed(issuers)]
    return best


def _is_better(path: _Path, best: _Path) -> bool:
    if path.root is best.root:
        return path.root is Root.ABSENT and len(path.certificates) > len(best.certificates)
    return path.root is Root.PRIVATE


def _end_of(
    certificates: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...]
) -> _Path:
    """Return what the last certificate of a path leads to by itself."""
    last = certificates[-1]
    for root in roots:
        if root == last or (root.subject == last.issuer and is_signed_by(last, root)):
            return _Path(Root.PUBLIC, certificates, root)
    if last.subject == last.issuer and is_signed_by(last, last):
        return _Path(Root.PRIVATE, certificates)
    return _Path(Root.ABSENT, certificates)


def _issuers(
    certificates: tuple[x509.Certificate, ...], available: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Return every certificate that signed the last one of a path and is not on it."""
    last = certificates[-1]
    issuers: list[x509.Certificate] = []
    for candidate in available:
        if candidate.subject != last.issuer or candidate in certificates or candidate in issuers:
            continue
        if is_authority(candidate) and is_signed_by(last, candidate):
            issuers.append(candidate)
    return issuers


def _verifies(
    leaf: x509.Certificate,
    available: Sequence[x509.Certificate],
    names: Sequence[str],
    moment: datetime,
    roots: tuple[x509.Certificate, ...],
) -> bool:
    """Return whether a path to a root is valid by all rules.

    names are the certificate's own: whether one is the host's is examined apart. Any one is enough. The
    verifier refuses names with an underscore, a final dot and the like; with those alone it verifies
    without one.
    """
    if not names:
        return False
    builder = verification.PolicyBuilder().store(_store(roots)).time(moment)
    subject = _usable_subject(names)
    try:
        if subject is not None:
            builder.build_server_verifier(subject).verify(leaf, list(available))
        else:
            _nameless(builder).build_client_verifier().verify(leaf, list(available))
    except (verification.VerificationError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _nameless(builder: verification.PolicyBuilder) -> verification.PolicyBuilder:
    """Return a policy that asks no more of the server's certificate than its path.

    Raises ValueError before cryptography 45, which has no such policies.
    """
    if not hasattr(builder, "extension_policies"):
        raise ValueError("no policy of its own")
    return builder.extension_policies(
        ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
        ee_policy=verification.ExtensionPolicy.permit_all().require_present(
            x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
        ),
    )


def _usable_subject(names: Sequence[str]) -> x509.DNSName | x509.IPAddress | None:
    """Return the first name that the verifier takes, as it takes it; None without any."""
    for name in names:
        address = parse_address(name)
        if address is not None:
            return x509.IPAddress(address)
        plain = re.sub(r"\A\*\.", "any.", name)
        if len(plain) <= MAX_DNS_NAME and DNS_NAME.fullmatch(plain):
            return x509.DNSName(plain)
    return None


@lru_cache(maxsize=8)
def _store(roots: tuple[x509.Certificate, ...]) -> verification.Store:
    return verification.Store(list(roots))
