# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Certificates made for one run: a root that the lab calls public, an intermediate, and leaves; and an inspector's private root."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


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
        certificate = _certificate(name, key, name, key, authority=True)
        return cls(certificate, key)

    def intermediate(self, name: str) -> Authority:
        """Make an intermediate authority below this one."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self._name(), self.key, authority=True)
        return Authority(certificate, key, (certificate, *self.chain))

    def issue(self, file: Path, names: list[str], days: int = 90, started: int = 1, alone: bool = False) -> Path:
        """Write leaf, chain and key into one PEM file, as ssl.SSLContext.load_cert_chain takes it; alone leaves the chain out."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(names[0], key, self._name(), self.key, names=names, days=days, started=started)
        parts = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in (leaf, *(() if alone else self.chain))]
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
    return builder.sign(issuer_key, hashes.SHA256())
