# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probes, certificates and verdicts for the tests of this package, each in one place."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import Endpoint
from ansible_collections.ets6.network.plugins.plugin_utils.probes import parse_probe
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.observer import Observer
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.outcomes import Verdict
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.roots import RootList
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.verdict import (
    FollowUps,
    judge_probe,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.lab.certificates import Authority, certificate_of

Json = dict[str, Any]

NAME = "update.knx.org"
NOW = datetime.now(timezone.utc)
PUBLIC = Authority.root("Public Root")
ISSUING = PUBLIC.intermediate("Issuing CA")
ROOTS = (PUBLIC.certificate,)
ROOT_LIST = RootList(ROOTS)
UPDATES = Endpoint("updates", f"https://{NAME}")
ERROR = {"kind": "timeout", "code": None, "text": ""}


def der(*chain: x509.Certificate) -> tuple[bytes, ...]:
    """Return certificates as a TLS handshake has them."""
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)


def encoded(*chain: x509.Certificate) -> list[str]:
    """Return certificates as a target sends them."""
    return [base64.b64encode(certificate).decode() for certificate in der(*chain)]


def leaf(
    authority: Authority = ISSUING, names: Sequence[str] = (NAME,), **options: Any
) -> x509.Certificate:
    """Return a server's certificate."""
    return certificate_of(authority, list(names), **options)[0]


def tls(*presented: x509.Certificate, **fields: Any) -> Json:
    """Return a handshake with this chain, by default a genuine one."""
    chain = presented or (leaf(logged=True), ISSUING.certificate)
    return {
        "protocol": "Tls12",
        "policy_errors": [],
        "presented": encoded(*chain),
        "built": [],
        "chain_status": [],
        **fields,
    }


def http(status: int = 200, body: bytes = b"", **headers: str) -> Json:
    """Return an HTTP answer. ``_`` in a header's name is sent as ``-``."""
    pairs = [[name.replace("_", "-"), value] for name, value in headers.items()]
    return {"status": status, "headers": pairs, "body": base64.b64encode(body).decode()}


def probe(**fields: Any) -> Json:
    """Return a probe as a target sends it: all is well, but for the given fields."""
    addresses = fields.get("addresses", ["192.0.2.80"])
    return {
        "name": "updates",
        "proxy": "",
        "stage": "done",
        "error": None,
        "addresses": addresses,
        "address": (addresses or [None])[-1],
        "local": "192.0.2.7",
        "elapsed": {"dns": 1},
        "connect": None,
        "tls": tls(),
        "http": http(),
        **fields,
    }


def failed(stage: str, kind: str = "timeout", **fields: Any) -> Json:
    """Return a probe that came no further than a stage."""
    error = {"kind": kind, "code": None, "text": "..."}
    return probe(**{"stage": stage, "error": error, "tls": None, "http": None, **fields})


def judged(
    record: Json,
    endpoint: Endpoint = UPDATES,
    other_name: Json | None = None,
    **observer: Any,
) -> Verdict:
    """Return the verdict on a probe."""
    watcher = Observer(**{"roots": ROOT_LIST, "clock": NOW, **observer})
    follow_ups = FollowUps(parse_probe(other_name, "probes[1]") if other_name else None)
    return judge_probe(parse_probe(record, "probes[0]"), endpoint, watcher, follow_ups)


def seen(*records: Json, **sections: Any) -> Snapshot:
    """Return the snapshot of a host that only probes."""
    return Snapshot.from_wire({"version": 1, "probes": list(records), **sections}, vantage=True)
