# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Certificates made for one run: a root that the lab calls public, an intermediate, and leaves; and an inspector's private root."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID, NameOID


@dataclass(frozen=True)
class Authority:
    """A certificate that issues others, with its key, and those above it up to but without the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def root(cls, name: str) -> Authority:
        """Make a self-signed root."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, name, key, authority=True, days=4000, started=400)
        return cls(certificate, key)

    def intermediate(self, name: str) -> Authority:
        """Make an intermediate authority below this one."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self._name(), self.key, authority=True, days=2000, started=400)
        return Authority(certificate, key, (certificate, *self.chain))

    def issue(
        self, file: Path, names: list[str], days: int = 90, started: int = 1, chain: str = "usual", logged: bool = False
    ) -> Path:
        """Write leaf, chain and key into one PEM file, as ssl.SSLContext.load_cert_chain takes it.

        The leaf is valid for days, since started days ago. chain is usual (all but the root), alone (only the leaf) or whole
        (this authority too, be it a root); logged gives the leaf what a public authority's has: timestamps of two logs, and an
        address of its issuer.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        more = _as_public(datetime.now(timezone.utc) - timedelta(days=started)) if logged else []
        leaf = _certificate(names[0], key, self._name(), self.key, names=names, days=days, started=started, more=more)
        above = {"usual": self.chain, "alone": (), "whole": self.chain or (self.certificate,)}[chain]
        parts = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in (leaf, *above)]
        parts.append(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        file.write_bytes(b"".join(parts))
        return file

    def pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def _name(self) -> str:
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    authority: bool = False,
    names: list[str] | None = None,
    days: int = 90,
    started: int = 1,
    more: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=started))
        .not_valid_after(now - timedelta(days=started) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False), critical=True
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def stamps(*logs: tuple[bytes, datetime]) -> x509.UnrecognizedExtension:
    """Return signed certificate timestamps (RFC 6962, 3.3) of logs and times. Their signatures are no logs': nobody here has a log's key."""
    entries = b""
    for log, at in logs:
        signature = b"\x04\x03" + struct.pack(">H", 8) + bytes(8)
        stamp = b"\x00" + log.ljust(32, b"\x00") + struct.pack(">Q", int(at.timestamp() * 1000)) + b"\x00\x00" + signature
        entries += struct.pack(">H", len(stamp)) + stamp
    listed = struct.pack(">H", len(entries)) + entries
    head = bytes([len(listed)]) if len(listed) < 128 else b"\x82" + struct.pack(">H", len(listed))
    return x509.UnrecognizedExtension(ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS, b"\x04" + head + listed)


def _as_public(since: datetime) -> list[x509.ExtensionType]:
    issuer = x509.UniformResourceIdentifier("http://ca.example/issuing.crt")
    access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, issuer)
    return [stamps((b"one", since), (b"two", since)), x509.AuthorityInformationAccess([access])]
