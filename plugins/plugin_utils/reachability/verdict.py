# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe's signals mean, from the name service to the answer: one probe to one verdict.

Headers, bodies and certificates come from the network. They are read with care and never trusted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..policy.endpoints import Endpoint
from ..probes import UNREADABLE, HttpAnswer, Probe, ProbeError, TlsAnswer
from . import failures, trust
from .addresses import dead_ipv6, sinkhole_of, suspicious_address
from .answer import (
    answer_id,
    evident_headers,
    fingerprint,
    has_document,
    is_document,
    judge_answer,
    server_time,
)
from .certificate import CertificateError
from .chain import ChainReport, examine_chain
from .observer import Observer
from .outcomes import Outcome, Verdict

MAX_WORD = 60
"""Characters of an address or of an error in the evidence."""
MAX_URL = 200
NO_ERROR = ProbeError("closed")


@dataclass(frozen=True)
class FollowUps:
    """Further probes of an endpoint, None where there was none.

    other_name asked the same address under another server's name. moved asked for what the endpoint
    redirects to.
    """

    other_name: Probe | None = None
    moved: Probe | None = None
    moved_to: str = ""


def judge_probe(
    probe: Probe, endpoint: Endpoint, observer: Observer, follow_ups: FollowUps = FollowUps()
) -> Verdict:
    """Return the verdict on one probe."""
    if probe.stage == UNREADABLE:
        return Verdict(Outcome.UNREADABLE, f"The probe's result cannot be read: {probe.problem}.")
    return _Case(probe, endpoint, observer, follow_ups).verdict()


class _Case:
    """One probe of an endpoint, from one host."""

    def __init__(
        self, probe: Probe, endpoint: Endpoint, observer: Observer, follow_ups: FollowUps
    ) -> None:
        self.probe = probe
        self.endpoint = endpoint
        self.observer = observer
        self.follow_ups = follow_ups
        self.via = f" through the proxy {probe.route}" if probe.route else ""
        self.where = f"{endpoint.server}{self.via}"
        self.error = probe.error or NO_ERROR
        self.chain: ChainReport | None = None

    def verdict(self) -> Verdict:
        try:
            self.chain = _examine(self.probe.tls, self.endpoint, self.observer)
        except CertificateError as error:
            verdict = Verdict(Outcome.UNREADABLE, f"{self.where}: {error}.")
        else:
            verdict = self._verdict()
        evidence = self._evidence()
        is_examined = verdict.outcome not in (Outcome.SINKHOLED, Outcome.HOSTS_FILE)
        sentence = f"{verdict.sentence}{self._remarks(verdict)}"
        return dataclasses.replace(
            verdict,
            sentence=sentence,
            evidence=evidence,
            address=self.probe.address,
            chain=self.chain if is_examined else None,
        )

    def _verdict(self) -> Verdict:
        stage = self.probe.stage
        if stage in ("queue", "dns", "tcp", "connect"):
            return self._before_tls()
        if stage == "tls" and self.probe.error:
            return self._handshake_failed()
        verdict = self._answered()
        if self._is_proven(verdict):
            return verdict
        wrong_address = self._wrong_address()
        if wrong_address is None:
            return verdict
        return dataclasses.replace(wrong_address, behind_address=verdict)

    def _before_tls(self) -> Verdict:
        probe = self.probe
        if probe.stage == "queue":
            return failures.not_begun(self.via)
        if probe.stage == "connect":
            return failures.no_tunnel(probe, self.where)
        if probe.route:
            return failures.proxy_not_connected(
                probe.stage, self.error.kind, probe.route, self.endpoint
            )
        if probe.stage == "dns":
            return failures.name_not_resolved(self.error.kind, self.endpoint)
        return self._wrong_address() or failures.not_connected(self.error.kind, self.where)

    def _handshake_failed(self) -> Verdict:
        local = failures.no_common_tls(self.error, self.where, self.observer.tls_off)
        further = failures.gets_further(self.follow_ups.other_name)
        return (
            self._wrong_address()
            or local
            or failures.no_handshake(self.error.kind, self.where, self.endpoint, further)
        )

    def _answered(self) -> Verdict:
        """Return what certificates and answer mean, whatever the address."""
        probe = self.probe
        if probe.tls and self.chain:
            problem = self._tls_problem(probe.tls, self.chain)
            if problem:
                return problem
        if probe.error or probe.http is None:
            return failures.no_answer(self.error.kind, self.where)
        verdict = judge_answer(probe.http, self.where, probe.route, self.endpoint)
        moved = self._moved() if verdict.outcome is not Outcome.FINE else None
        return dataclasses.replace(moved or verdict, page=fingerprint(probe.http))

    def _tls_problem(self, tls: TlsAnswer, chain: ChainReport) -> Verdict | None:
        moment = server_time(self.probe.http)
        problem = trust.chain_problem(chain, self.where, self.endpoint, self.observer, moment)
        return problem or trust.windows_problem(chain, self.where, tls)

    def _moved(self) -> Verdict | None:
        """Return that the vendor's document is where the endpoint redirects to, None where not."""
        moved, url = self.follow_ups.moved, self.follow_ups.moved_to
        if moved is None or moved.http is None or not moved.http.complete:
            return None
        target = Endpoint(self.endpoint.name, url)
        if not is_document(moved.http, self.endpoint) or not _is_trusted(
            moved, target, self.observer
        ):
            return None
        return Verdict(
            Outcome.FINE,
            f"{self.where} redirects to {url[:MAX_URL]}, which sends the vendor's document. That "
            "ETS6 follows a redirect, as .NET does by default, was not tried.",
        )

    def _is_proven(self, verdict: Verdict) -> bool:
        """Return whether what arrived outweighs the address that it came from."""
        if self.chain is not None:
            is_inspector = verdict.outcome is Outcome.INTERCEPTED and bool(self.chain.product)
            return self.chain.genuine or (is_inspector and not sinkhole_of(self.probe.address))
        return verdict.outcome is Outcome.FINE and has_document(self.endpoint)

    def _wrong_address(self) -> Verdict | None:
        """Return that the name leads to an address without the server, None where it does not."""
        address = suspicious_address(self.probe, self.endpoint)[:MAX_WORD]
        if not address:
            return None
        host = self.endpoint.host
        if address in self.observer.hosts_addresses(host):
            return Verdict(
                Outcome.HOSTS_FILE,
                f"The hosts file of this PC leads {host} to {address}, where it is not.",
            )
        owner = sinkhole_of(address)
        place = f"which is the sinkhole of {owner}" if owner else "where no public server is"
        return Verdict(
            Outcome.SINKHOLED,
            f"{host} resolves to {address}, {place}: a filter of names is active, or a DNS server "
            "of your own answers for it.",
        )

    def _remarks(self, verdict: Verdict) -> str:
        remarks = []
        if verdict.outcome is Outcome.FINE:
            remarks += [self._chain_remark(), self._store_remark()]
        if verdict.outcome is Outcome.INTERCEPTED:
            remarks.append(self._product_remark())
        remarks += [self._ipv6_remark(), self._hosts_remark(verdict)]
        return "".join(f" {remark}" for remark in remarks if remark)

    def _chain_remark(self) -> str:
        if self.chain is None or self.chain.complete is not False:
            return ""
        return (
            "It does not send the certificate of its issuer; this PC found that by itself, another "
            "one may not."
        )

    def _store_remark(self) -> str:
        return trust.store_remark(self.chain, self.observer) if self.chain else ""

    def _product_remark(self) -> str:
        product = self.chain.product if self.chain else None
        if product is None:
            return ""
        return f"{product.name} is a {product.place.value}."

    def _ipv6_remark(self) -> str:
        address = dead_ipv6(self.probe)[:MAX_WORD]
        if not address:
            return ""
        return (
            f"Its first address, {address}, had not answered over IPv6 when IPv4 did. If it does "
            "not answer, ETS6 waits for it each time (.NET Framework tries addresses one after "
            "another; how long was not measured)."
        )

    def _hosts_remark(self, verdict: Verdict) -> str:
        addresses = self.observer.hosts_addresses(self.endpoint.host)
        if not addresses or self.probe.route or verdict.outcome is Outcome.HOSTS_FILE:
            return ""
        address = addresses[0][:MAX_WORD]
        return f"The hosts file of this PC leads {self.endpoint.host} to {address}."

    def _evidence(self) -> dict[str, Any]:
        probe = self.probe
        evidence: dict[str, Any] = {
            "way": probe.route or "direct",
            "line": self._line(),
            "stage": probe.stage,
            "error": _error_evidence(probe.error),
            "addresses": [address[:MAX_WORD] for address in probe.addresses],
            "elapsed_ms": {stage[:MAX_WORD]: value for stage, value in probe.elapsed.items()},
        }
        if probe.user:
            evidence["user"] = probe.user
        if probe.connect:
            evidence["connect"] = _answer_evidence(probe.connect)
        if probe.http:
            evidence["http"] = _answer_evidence(probe.http)
            evidence["answer"] = answer_id(probe.http)
        if probe.tls and self.chain:
            evidence["tls"] = _tls_evidence(probe.tls, self.chain)
        if failures.is_cut_off(probe):
            further = failures.gets_further(self.follow_ups.other_name)
            evidence["other_name_gets_further"] = further
        return evidence

    def _line(self) -> str:
        """Return the route as one line: name, address, proxy, TLS issuer, answer, and what failed."""
        probe = self.probe
        parts = [self.endpoint.server]
        if probe.route:
            parts.append(f"proxy {probe.route}")
        if probe.address:
            parts.append(probe.address[:MAX_WORD])
        if probe.connect:
            parts.append(f"CONNECT {probe.connect.status}")
        if probe.tls and self.chain:
            parts.append(f"{probe.tls.protocol[:MAX_WORD] or 'TLS'} by {self.chain.issuer_text}")
        if probe.http:
            parts.append(f"HTTP {probe.http.status}")
        if probe.error:
            parts.append(f"failed at {probe.stage}: {probe.error.kind[:MAX_WORD]}")
        return " → ".join(parts)


def _examine(tls: TlsAnswer | None, endpoint: Endpoint, observer: Observer) -> ChainReport | None:
    if tls is None:
        return None
    now = observer.clock or datetime.now(timezone.utc)
    roots = observer.roots.certificates
    return examine_chain(tls.presented, tls.built, endpoint.host, now, roots, tls.leaf_only)


def _is_trusted(probe: Probe, target: Endpoint, observer: Observer) -> bool:
    """Return whether a probe of another URL met no certificate that proves nothing."""
    try:
        chain = _examine(probe.tls, target, observer)
    except CertificateError:
        return False
    return chain is None or chain.genuine


def _error_evidence(error: ProbeError | None) -> dict[str, Any] | None:
    return {"kind": error.kind[:MAX_WORD], "code": error.code} if error else None


def _answer_evidence(answer: HttpAnswer) -> dict[str, Any]:
    return {"status": answer.status, "headers": evident_headers(answer.headers)}


def _tls_evidence(tls: TlsAnswer, chain: ChainReport) -> Mapping[str, Any]:
    errors = tls.policy_errors[: trust.MAX_ERRORS]
    statuses = tls.chain_status[: trust.MAX_ERRORS]
    return {
        "protocol": tls.protocol[:MAX_WORD],
        "policy_errors": [error[:MAX_WORD] for error in errors],
        "chain_status": [status[:MAX_WORD] for status in statuses],
        **chain.to_wire(),
    }
