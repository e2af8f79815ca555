# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a probe's signals mean, from the name service to the answer.

Kinds of errors come from the prober, which tells them by exception types and numbers. What comes from the network (headers,
bodies, certificates) is somebody else's data: read with care, never trusted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..policy.endpoints import Endpoint
from ..probes import UNREADABLE, HttpAnswer, Probe, ProbeError
from . import answer, trust
from .certificate import CertificateError, Judgement, judge
from .kinds import CUT_OFF, Kind, Outcome, of_vendor, word

if TYPE_CHECKING:
    from cryptography import x509

NOWHERE = tuple(map(ipaddress.ip_network, ["0.0.0.0/8", "127.0.0.0/8", "240.0.0.0/4", "::/127"]))
"""Addresses at which no server of any network answers."""
BOGONS = (
    *NOWHERE,
    *map(
        ipaddress.ip_network,
        [
            "10.0.0.0/8",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "fc00::/7",
            "fe80::/10",
        ],
    ),
)
"""Addresses at which no public server answers: the list of OONI's tests and its IPv6 counterparts. The user's own servers may."""


def of(
    probe: Probe,
    endpoint: Endpoint,
    roots: tuple[x509.Certificate, ...],
    clock: datetime | None,
    other_name: Probe | None = None,
) -> Outcome:
    """Judge one probe.

    roots are the public ones; clock is the PC's, None where it is not known. other_name is a probe of the same address that
    said another server's name, None where there was none.
    """
    if probe.stage == UNREADABLE:
        return Outcome(Kind.UNREADABLE, f"The probe's result cannot be read: {probe.problem}.")
    stage, error, way = probe.stage, probe.error, probe.route
    via = f" through the proxy {way}" if way else ""
    evidence: dict[str, Any] = {
        "way": way or "direct",
        "stage": stage,
        "error": {"kind": error.kind[:20], "code": error.code} if error else None,
        "addresses": [address[:60] for address in probe.addresses],
        **({"user": probe.user} if probe.user else {}),
        "elapsed_ms": {key[:20]: value for key, value in probe.elapsed.items()},
    }
    connect, tls, http = probe.connect, probe.tls, probe.http
    for name, got in (("connect", connect), ("http", http)):
        if got:
            evidence[name] = {"status": got.status, "headers": answer.telling(got.headers)}
    where = f"{endpoint.server}{via}"

    empty = BOGONS if of_vendor(endpoint.host) else NOWHERE
    sinkholed = "" if way or endpoint.address else next((one for one in evidence["addresses"] if _is_in(one, empty)), "")
    sinkhole = Outcome(
        Kind.SINKHOLED,
        f"{endpoint.host} resolves to {sinkholed}, where no public server is: a filter of names is in the way, or a DNS server of your own "
        "answers for it.",
        evidence,
    )
    if stage == "queue":
        told = (
            f"Not probed{via}: others took all the time that ets6_network_probe_timeout gives to all of them together; raise it."
        )
        return Outcome(Kind.NOT_PROBED, told, evidence)
    if stage == "dns" or (stage == "tcp" and not sinkholed):
        return _not_connected(stage, error.kind if error else "", where, way, endpoint, evidence)
    if stage == "connect":
        return _proxy_refused(connect, error, where, way, evidence)
    if sinkholed and (stage in ("tcp", "tls") or not tls):
        return sinkhole
    if stage == "tls" and error:
        return _no_handshake(error.kind, where, endpoint, evidence, other_name)
    chain = None
    if tls:
        now = clock or datetime.now(timezone.utc)
        try:
            chain = judge(tls.presented, tls.built, endpoint.host, now, roots, leaf_only=tls.leaf_only)
        except CertificateError as problem:
            return Outcome(Kind.UNREADABLE, f"{where}: {problem}.", evidence)
        evidence["tls"] = {
            "protocol": tls.protocol[:20],
            "policy_errors": [one[:60] for one in tls.policy_errors[:8]],
            "chain_status": [one[:60] for one in tls.chain_status[:8]],
            **chain.to_wire(),
        }
        if sinkholed and not chain.genuine:
            return sinkhole
        bad = trust.of_chain(chain, where, endpoint, clock, answer.said(http)) or trust.of_windows(chain, where, evidence["tls"])
        if bad is not None:
            return Outcome(*bad, evidence, chain)
    if error or not http:
        return _no_answer(error.kind if error else "closed", where, evidence, chain)
    kind, sentence = answer.judge(http, where, way, endpoint)
    if chain is not None and chain.complete is False:
        sentence += " It does not send the certificate of its issuer; this PC found that by itself, another one may not."
    return Outcome(kind, sentence, evidence, chain, answer.fingerprint(http.body))


def _not_connected(stage: str, kind: str, where: str, way: str, endpoint: Endpoint, evidence: Mapping[str, Any]) -> Outcome:
    if way:
        happened = {"dns": "its name is not resolved", "tcp": word(kind)}[stage]
        return Outcome(
            Kind.PROXY_UNREACHABLE, f"The proxy {way} is not reached ({happened}), and so neither is {endpoint.host}.", evidence
        )
    if stage == "dns":
        why = {"timeout": "no answer in time", "try_again": "no name server answered"}.get(kind, "there is no such name")
        return Outcome(
            Kind.NOT_RESOLVED, f"The name {endpoint.host} is not resolved ({why}); look at the PC's DNS servers.", evidence
        )
    if kind == "refused":
        return Outcome(Kind.REFUSED, f"{where} refuses the connection: the server is down, or a firewall rejects it.", evidence)
    if kind == "unreachable":
        return Outcome(Kind.UNREACHABLE, f"There is no route to {where}.", evidence)
    if kind == "timeout":
        return Outcome(Kind.TIMED_OUT, f"{where} does not answer in time: usually a firewall that drops the packets.", evidence)
    return Outcome(Kind.RESET, f"The connection to {where} was broken off ({word(kind)}).", evidence)


def _proxy_refused(connect: HttpAnswer | None, error: ProbeError | None, where: str, way: str, evidence: Mapping[str, Any]) -> Outcome:
    if not connect:
        kind = error.kind if error else "closed"
        happened = "answers with something that is not HTTP" if kind == "other" else f"does not answer ({word(kind)})"
        return Outcome(Kind.PROXY_UNREACHABLE, f"The proxy {way} takes the connection and {happened}.", evidence)
    status = connect.status
    if status == 407:
        return answer.login(connect, where, way, evidence, str(evidence.get("user", "")))
    if status == 511 or 300 <= status < 400:
        return Outcome(
            Kind.CAPTIVE_PORTAL,
            f"The proxy {way} answers with a sign-in page ({status}): the network wants a login in the browser first.",
            evidence,
        )
    if status >= 500:
        return Outcome(Kind.PROXY_CANNOT, f"The proxy {way} cannot reach the server (it answered {status}).", evidence)
    return Outcome(Kind.PROXY_REFUSES, f"The proxy {way} refuses {where} (it answered {status}); allow the host there.", evidence)


def _no_handshake(
    kind: str, where: str, endpoint: Endpoint, evidence: dict[str, Any], other_name: Probe | None
) -> Outcome:
    if kind == "plain_http":
        return Outcome(Kind.NO_TLS, f"{where} answers without TLS: something else than the vendor's server is there.", evidence)
    if kind in CUT_OFF:
        # The same address under another name: only where that gets further is it the name that somebody dislikes.
        further = None if other_name is None else _got_further(other_name)
        evidence["other_name_gets_further"] = further
        happened = (
            f"silent when TLS begins with the name {endpoint.host}" if kind == "timeout" else f"{word(kind)} when TLS begins"
        )
        if further:
            return Outcome(
                Kind.RESET_AT_NAME,
                f"{where} is connected, and cut off as soon as the name {endpoint.host} is said ({word(kind)}), while another name gets "
                "through: a firewall filters by server name.",
                evidence,
            )
        guess = "also under another name" if further is False else "a firewall may filter by server name, or the server is unwell"
        return Outcome(
            Kind.TIMED_OUT if kind == "timeout" else Kind.RESET, f"{where} is connected, and {happened}: {guess}.", evidence
        )
    return Outcome(Kind.TLS_FAILED, f"{where}: TLS does not come about ({word(kind)}).", evidence)


def _got_further(other: Probe) -> bool | None:
    """Return whether a probe came past the point at which others are cut off; None where it never came there."""
    if other.stage in (UNREADABLE, "queue", "dns", "tcp", "connect"):
        return None
    return other.stage != "tls" or other.error is None or other.error.kind not in CUT_OFF


def _no_answer(kind: str, where: str, evidence: Mapping[str, Any], chain: Judgement | None) -> Outcome:
    if kind == "timeout":
        return Outcome(Kind.TIMED_OUT, f"{where} takes the request and does not answer in time.", evidence, chain)
    if kind == "other":
        return Outcome(Kind.WRONG_CONTENT, f"{where} answers with something that is not HTTP.", evidence, chain)
    return Outcome(Kind.RESET, f"{where} takes the request and breaks off ({word(kind)}).", evidence, chain)


def _is_in(address: str, nets: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(parsed in net for net in nets if net.version == parsed.version)
