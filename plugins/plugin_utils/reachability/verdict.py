# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe's signals mean, from the name service to the answer: one probe to one verdict.

Headers, bodies and certificates come from the network. They are read with care and never trusted.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..policy.endpoints import Endpoint
from ..probes import UNREADABLE, Probe, TlsAnswer
from . import failures, trust
from .answer import evident_headers, fingerprint, judge_answer, server_time
from .certificate import CertificateError, parse_address
from .chain import ChainReport, examine_chain
from .outcomes import Outcome, Verdict, is_vendor_host

if TYPE_CHECKING:
    from cryptography import x509

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NO_SERVERS = tuple(
    ipaddress.ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "240.0.0.0/4", "::/127")
)
"""Addresses at which no network has a server."""
NO_PUBLIC_SERVERS = NO_SERVERS + tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Addresses at which no public server is: the list of OONI's tests and its IPv6 counterparts. A
user's own server may be there."""
MAX_WORD = 60
"""Characters of an address or of an error in the evidence."""


@dataclass(frozen=True)
class Observer:
    """What is known of the host that probed. clock is its time, None where that is not known.

    roots are the public ones.
    """

    roots: tuple[x509.Certificate, ...]
    clock: datetime | None = None


def judge_probe(
    probe: Probe, endpoint: Endpoint, observer: Observer, other_name_probe: Probe | None = None
) -> Verdict:
    """Return the verdict on one probe.

    other_name_probe is a probe of the same address under another server's name, None where there was
    none.
    """
    if probe.stage == UNREADABLE:
        return Verdict(Outcome.UNREADABLE, f"The probe's result cannot be read: {probe.problem}.")
    evidence = _evidence(probe)
    chain = None
    if probe.stage in ("queue", "dns", "tcp", "connect"):
        verdict = _before_tls(probe, endpoint)
    elif probe.stage == "tls" and probe.error:
        verdict = _handshake_failed(probe, endpoint, other_name_probe, evidence)
    else:
        try:
            chain = _examine(probe.tls, endpoint, observer)
        except CertificateError as error:
            where = _where(probe, endpoint)
            return Verdict(Outcome.UNREADABLE, f"{where}: {error}.", evidence)
        if probe.tls and chain:
            evidence["tls"] = _tls_evidence(probe.tls, chain)
        verdict = _after_tls(probe, endpoint, observer, chain)
        if verdict.outcome is Outcome.SINKHOLED:
            chain = None
    return dataclasses.replace(verdict, evidence=evidence, chain=chain)


def _where(probe: Probe, endpoint: Endpoint) -> str:
    return f"{endpoint.server}{_via(probe)}"


def _via(probe: Probe) -> str:
    return f" through the proxy {probe.route}" if probe.route else ""


def _evidence(probe: Probe) -> dict[str, Any]:
    error = probe.error
    evidence: dict[str, Any] = {
        "way": probe.route or "direct",
        "stage": probe.stage,
        "error": {"kind": error.kind[:MAX_WORD], "code": error.code} if error else None,
        "addresses": [address[:MAX_WORD] for address in probe.addresses],
        "elapsed_ms": {stage[:MAX_WORD]: value for stage, value in probe.elapsed.items()},
    }
    if probe.user:
        evidence["user"] = probe.user
    for name, answer in (("connect", probe.connect), ("http", probe.http)):
        if answer:
            headers = evident_headers(answer.headers)
            evidence[name] = {"status": answer.status, "headers": headers}
    return evidence


def _tls_evidence(tls: TlsAnswer, chain: ChainReport) -> dict[str, Any]:
    errors = tls.policy_errors[: trust.MAX_ERRORS]
    statuses = tls.chain_status[: trust.MAX_ERRORS]
    return {
        "protocol": tls.protocol[:MAX_WORD],
        "policy_errors": [error[:MAX_WORD] for error in errors],
        "chain_status": [status[:MAX_WORD] for status in statuses],
        **chain.to_wire(),
    }


def _examine(tls: TlsAnswer | None, endpoint: Endpoint, observer: Observer) -> ChainReport | None:
    if tls is None:
        return None
    now = observer.clock or datetime.now(timezone.utc)
    return examine_chain(
        tls.presented, tls.built, endpoint.host, now, observer.roots, tls.leaf_only
    )


def _before_tls(probe: Probe, endpoint: Endpoint) -> Verdict:
    where = _where(probe, endpoint)
    error = probe.error.kind if probe.error else ""
    if probe.stage == "queue":
        return failures.not_begun(_via(probe))
    if probe.stage == "connect":
        return failures.no_tunnel(probe, where)
    if probe.route:
        return failures.proxy_not_connected(probe.stage, error, probe.route, endpoint)
    if probe.stage == "dns":
        return failures.name_not_resolved(error, endpoint)
    return _sinkholed(probe, endpoint) or failures.not_connected(error, where)


def _handshake_failed(
    probe: Probe, endpoint: Endpoint, other_name_probe: Probe | None, evidence: dict[str, Any]
) -> Verdict:
    sinkholed = _sinkholed(probe, endpoint)
    if sinkholed:
        return sinkholed
    error = probe.error.kind if probe.error else ""
    further = failures.gets_further(other_name_probe)
    if error in failures.CUT_OFF:
        evidence["other_name_gets_further"] = further
    return failures.no_handshake(error, _where(probe, endpoint), endpoint, further)


def _after_tls(
    probe: Probe, endpoint: Endpoint, observer: Observer, chain: ChainReport | None
) -> Verdict:
    where = _where(probe, endpoint)
    is_genuine = chain is not None and chain.genuine
    sinkholed = _sinkholed(probe, endpoint)
    if sinkholed and not is_genuine:
        return sinkholed
    if probe.tls and chain:
        problem = _tls_problem(probe, probe.tls, chain, endpoint, observer)
        if problem:
            return problem
    if probe.error:
        return failures.no_answer(probe.error.kind, where)
    if probe.http is None:
        return failures.no_answer("closed", where)
    verdict = judge_answer(probe.http, where, probe.route, endpoint)
    sentence = f"{verdict.sentence}{_chain_remark(chain)}"
    return dataclasses.replace(verdict, sentence=sentence, page=fingerprint(probe.http.body))


def _chain_remark(chain: ChainReport | None) -> str:
    if chain is None or chain.complete is not False:
        return ""
    return (
        " It does not send the certificate of its issuer; this PC found that by itself, another "
        "one may not."
    )


def _tls_problem(
    probe: Probe, tls: TlsAnswer, chain: ChainReport, endpoint: Endpoint, observer: Observer
) -> Verdict | None:
    where = _where(probe, endpoint)
    problem = trust.chain_problem(chain, where, endpoint, observer.clock, server_time(probe.http))
    return problem or trust.windows_problem(chain, where, tls)


def _sinkholed(probe: Probe, endpoint: Endpoint) -> Verdict | None:
    """Return that the name leads to an address without a server, None where it does not."""
    if probe.route or endpoint.address:
        return None
    networks = NO_PUBLIC_SERVERS if is_vendor_host(endpoint.host) else NO_SERVERS
    for address in probe.addresses:
        if _is_in(address, networks):
            return Verdict(
                Outcome.SINKHOLED,
                f"{endpoint.host} resolves to {address[:MAX_WORD]}, where no public server is: a "
                "filter of names is active, or a DNS server of your own answers for it.",
            )
    return None


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    parsed = parse_address(address.partition("%")[0])
    if parsed is None:
        return False
    return any(network.version == parsed.version and parsed in network for network in networks)
