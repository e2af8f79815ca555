# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The roots that count as public: certifi's (Mozilla's), or those of a file that the user names.

certifi's file is often not Mozilla's list: Linux distributions replace it by the system's store, and
inspectors' instructions append their root to it. So it is compared with the hash in the package's own
RECORD (Python packaging's "Recording installed projects").
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from importlib import metadata
from pathlib import Path

# ansible-core depends on it; only ansible-test's import check runs without it.
with contextlib.suppress(ImportError):
    from cryptography import x509

from .certificate import CertificateError

_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----(?:(?!-----BEGIN).)*?-----END CERTIFICATE-----", re.DOTALL
)
_BUNDLE = "cacert.pem"
MAX_AGE = timedelta(days=400)
"""New roots take longer than that until servers use them."""


class Origin(Enum):
    """Who vouches for a list of roots."""

    MOZILLA = "certifi, unchanged"
    CHANGED = "certifi, changed"
    USER = "ets6_network_public_roots"


@dataclass(frozen=True)
class RootList:
    """A list of roots that count as public.

    title names it with its version, released is its day where it has one. problem says why certifi's file is not Mozilla's list; unreadable
    counts its certificates that cannot be parsed.
    """

    certificates: tuple[x509.Certificate, ...]
    origin: Origin = Origin.USER
    title: str = "the list of roots"
    path: str = ""
    sha256: str = ""
    problem: str = ""
    unreadable: int = 0
    released: date | None = None

    @property
    def is_old(self) -> bool:
        """Whether the list is so old that it lacks roots which servers use by now."""
        today = datetime.now(timezone.utc).date()
        return self.released is not None and today - self.released > MAX_AGE

    def to_wire(self) -> dict[str, object]:
        """Return it as evidence."""
        return {
            "title": self.title,
            "path": self.path,
            "sha256": self.sha256,
            "origin": self.origin.value,
            "problem": self.problem or None,
            "certificates": len(self.certificates),
            "unreadable": self.unreadable,
        }


@lru_cache(maxsize=8)
def public_roots(path: str) -> RootList:
    """Return the roots of a PEM file; certifi's where path is empty. Raises CertificateError."""
    origin, title, problem = Origin.USER, "ets6_network_public_roots", ""
    if not path:
        path, title, problem = _certifi()
        origin = Origin.CHANGED if problem else Origin.MOZILLA
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CertificateError(
            f"ets6_network_public_roots: {path} cannot be read: {error.strerror}"
        ) from None
    certificates, unreadable = _parse(content)
    if not certificates:
        message = "no certificate in PEM form that can be read"
        raise CertificateError(f"ets6_network_public_roots: {path}: {message}")
    digest = hashlib.sha256(content).hexdigest()
    released = _released(title)
    return RootList(certificates, origin, title, path, digest, problem, unreadable, released)


def _released(title: str) -> date | None:
    """Return the day of a version of certifi, which is a date."""
    match = re.search(r"(\d{4})\.(\d{1,2})\.(\d{1,2})$", title)
    if match is None:
        return None
    year, month, day = (int(number) for number in match.groups())
    with contextlib.suppress(ValueError):
        return date(year, month, day)
    return None


def _parse(content: bytes) -> tuple[tuple[x509.Certificate, ...], int]:
    """Return the certificates of a PEM file, and how many cannot be read."""
    certificates = []
    unreadable = content.count(b"-----BEGIN CERTIFICATE-----")
    for block in _BLOCK.findall(content):
        with contextlib.suppress(ValueError):
            certificates.append(x509.load_pem_x509_certificate(block))
            unreadable -= 1
    return tuple(certificates), unreadable


def _certifi() -> tuple[str, str, str]:
    """Return the path of certifi's list, its title, and what is wrong with it."""
    # Imported here, since a controller that names its own bundle does not need it.
    try:
        import certifi
    except ImportError:
        raise CertificateError(
            "the Python package certifi, which holds the public roots, is missing on the "
            "controller: install it (pip install certifi), or name a PEM file in "
            "ets6_network_public_roots"
        ) from None
    path = certifi.where()
    title = f"certifi {getattr(certifi, '__version__', '')}".strip()
    return path, title, _certifi_problem(path, Path(str(certifi.__file__)).parent)


def _certifi_problem(path: str, package: Path) -> str:
    """Return why certifi's file is not the one that was installed; empty where it is."""
    if Path(path).resolve() != (package / _BUNDLE).resolve():
        return f"certifi leads to {path}, which is not a file of the package"
    recorded = _recorded_hash()
    if not recorded:
        return "the package certifi has no record of its files, so its list cannot be checked"
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError as error:
        raise CertificateError(f"certifi: {path}: {error}") from None
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != recorded:
        return "certifi's list was changed after its installation"
    return ""


def _recorded_hash() -> str:
    """Return the SHA-256 of certifi's list in the package's RECORD; empty without one."""
    try:
        files = metadata.distribution("certifi").files or ()
    except metadata.PackageNotFoundError:
        return ""
    for file in files:
        if file.name == _BUNDLE and file.hash is not None and file.hash.mode == "sha256":
            return file.hash.value
    return ""
