# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Certificates made for one run: a root that the lab calls public, an intermediate, and leaves; and an inspector's private root."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    ExtensionOID,
    NameOID,
)


@dataclass(frozen=True)
class Authority:
    """A certificate that issues others, with its key, and those above it up to but without the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def root(cls, name: str) -> Authority:
        """Make a self-signed root."""
        return cls(*certificate_of(None, [], authority=True, name=name, days=4000, started=400))

    def intermediate(self, name: str, days: int = 2000, started: int = 400) -> Authority:
        """Make an intermediate authority below this one."""
        certificate, key = certificate_of(
            self, [], authority=True, name=name, days=days, started=started
        )
        return Authority(certificate, key, (certificate, *self.chain))

    def issue(self, file: Path, names: list[str], chain: str = "usual", **options: Any) -> Path:
        """Write leaf, chain and key into one PEM file, as ssl.SSLContext.load_cert_chain takes it.

        chain is usual (all but the root), alone (only the leaf) or whole (this authority too, be it a root); options are
        certificate_of's.
        """
        leaf, key = certificate_of(self, names, **options)
        above = {"usual": self.chain, "alone": (), "whole": self.chain or (self.certificate,)}[
            chain
        ]
        parts = [
            certificate.public_bytes(serialization.Encoding.PEM) for certificate in (leaf, *above)
        ]
        parts.append(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.write_bytes(b"".join(parts))
        return file

    def pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def certificate_of(
    issuer: Authority | None,
    names: list[str],
    *,
    authority: bool = False,
    name: str = "",
    key: ec.EllipticCurvePrivateKey | None = None,
    days: int = 90,
    started: int = 1,
    logged: bool = False,
    more: Sequence[x509.ExtensionType] = (),
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate for server names, or an authority's; without an issuer, one that is signed with its own key.

    It is valid for days, since started days ago. logged gives it what a public authority's has: timestamps of two logs, and an
    address of its issuer.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or names[0])])
    signing = issuer.key if issuer else key
    since = datetime.now(timezone.utc) - timedelta(days=started)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                not authority, False, False, False, False, authority, authority, False, False
            ),
            critical=True,
        )
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False
        )
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    for extension in (*(_as_public(since) if logged else ()), *more):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signing, hashes.SHA256()), key


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def stamps(*logs: tuple[bytes, datetime]) -> x509.UnrecognizedExtension:
    """Return signed certificate timestamps (RFC 6962, 3.3) of logs and times. Their signatures are not a log's, whose key the lab does not have."""
    entries = b""
    for log, at in logs:
        signature = b"\x04\x03" + struct.pack(">H", 8) + bytes(8)
        stamp = (
            b"\x00"
            + log.ljust(32, b"\x00")
            + struct.pack(">Q", int(at.timestamp() * 1000))
            + b"\x00\x00"
            + signature
        )
        entries += struct.pack(">H", len(stamp)) + stamp
    listed = struct.pack(">H", len(entries)) + entries
    head = bytes([len(listed)]) if len(listed) < 128 else b"\x82" + struct.pack(">H", len(listed))
    return x509.UnrecognizedExtension(
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS, b"\x04" + head + listed
    )


def _as_public(since: datetime) -> list[x509.ExtensionType]:
    issuer = x509.UniformResourceIdentifier("http://ca.example/issuing.crt")
    access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, issuer)
    return [stamps((b"one", since), (b"two", since)), x509.AuthorityInformationAccess([access])]
