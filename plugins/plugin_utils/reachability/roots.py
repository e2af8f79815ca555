# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The roots that count as public: certifi's (Mozilla's), or those of a file that the user names."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from pathlib import Path

# ansible-core depends on it; only ansible-test's import check runs without it.
with contextlib.suppress(ImportError):
    from cryptography import x509

from .certificate import CertificateError


@lru_cache(maxsize=8)
def public_roots(path: str) -> tuple[x509.Certificate, ...]:
    """Return the roots of a PEM file; certifi's where path is empty. Raises CertificateError."""
    bundle = Path(path or _certifi_path())
    try:
        return tuple(x509.load_pem_x509_certificates(bundle.read_bytes()))
    except (OSError, ValueError) as error:
        raise CertificateError(f"ets6_network_public_roots: {bundle}: {error}") from None


def _certifi_path() -> str:
    # Imported here, since a controller that names its own bundle does not need it.
    try:
        import certifi
    except ImportError:
        raise CertificateError(
            "the Python package certifi, which holds the public roots, is missing on the "
            "controller: install it (pip install certifi), or name a PEM file in "
            "ets6_network_public_roots"
        ) from None
    return certifi.where()
