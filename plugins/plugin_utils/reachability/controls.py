# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reachability's controls over a snapshot: one for each endpoint, and one on interception over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..finding import Control, Finding, Severity, Status
from ..policy import Endpoint, Policy
from ..proxy import effective
from ..snapshot import Snapshot
from . import outcome
from .certificate import CertificateError, Root, public_roots
from .outcome import Kind, Outcome

INTERCEPTION = Control(
    "reach.interception",
    "Nobody opens the TLS connections to the vendor",
    Severity.HIGH,
    "The vendor forbids a firewall with deep inspection (KNX support article 4403452514066): updates, the catalog or licensing fail with it, "
    "also where the PC trusts the inspector.",
    "Take the vendor's servers out of the inspection; the findings of the endpoints name the issuer.",
)


def endpoint_control(endpoint: Endpoint) -> Control:
    """Return the control of an endpoint."""
    return Control(
        f"reach.{endpoint.name}",
        f"{endpoint.title or endpoint.name}: {endpoint.host}:{endpoint.port} is reached",
        Severity.HIGH if endpoint.scheme == "https" else Severity.MEDIUM,
        "What ETS6 needs of the network stands in the vendor's table (KNX support article 4403452514066), or was added in ets6_network_endpoints.",
        "What is in the way, and whom to ask, stands in the finding.",
    )


def catalogue(policy: Policy) -> list[Control]:
    """Return a control for each endpoint, and interception."""
    return [*(endpoint_control(endpoint) for endpoint in policy.endpoints), INTERCEPTION]


def request(policy: Policy) -> dict[str, list[object]]:
    """Return the probes; nothing is probed where the PC is to be as it was before."""
    return {"probes": [] if policy.state == "absent" else [endpoint.to_wire() for endpoint in policy.endpoints]}


def judge(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return a finding for each control."""
    reason = ""
    if policy.state == "absent":
        reason = "The PC is to be as it was before; this is not asked of it then."
    elif snapshot.offline:
        reason = "An image reaches nothing; ask a PC that was made from it."
    if reason:
        return [Finding(control, Status.NOT_APPLICABLE, reason) for control in catalogue(policy)]
    try:
        roots = public_roots(policy.public_roots)
    except CertificateError as error:
        return [Finding(control, Status.UNKNOWN, str(error)) for control in catalogue(policy)]
    clock = _clock(snapshot)
    probes = {(probe["name"], probe["way"]): probe for probe in snapshot.probes or ()}
    seen: dict[str, list[Outcome]] = {}
    findings = []
    ways = effective.ways(snapshot, policy.endpoints)
    for endpoint in policy.endpoints:
        results: list[tuple[effective.Way, Outcome]] = []
        for way in ways[endpoint.name]:
            probe = None if way.way is None else probes.get((endpoint.name, way.way))
            if way.way is None:
                results.append(
                    (way, Outcome(Kind.NOT_PROBED, f"Not probed: which way ETS6 takes cannot be told ({way.reason})."))
                )
            elif probe is None:
                why = snapshot.errors.get("probes", "the PC's reply does not hold this probe")
                results.append(
                    (way, Outcome(Kind.NOT_PROBED, f"Not probed {'through ' + way.way if way.way else 'directly'}: {why}."))
                )
            else:
                results.append((way, outcome.of(probe, endpoint, roots, clock)))
        seen[endpoint.name] = [found for _way, found in results]
        findings.append(_finding(endpoint, results, snapshot))
    return [*findings, _interception(seen)]


def _finding(endpoint: Endpoint, results: list[tuple[effective.Way, Outcome]], snapshot: Snapshot) -> Finding:
    control = endpoint_control(endpoint)
    if not results:
        why = snapshot.errors.get("users", "no user's proxy settings could be read")
        return Finding(control, Status.UNKNOWN, f"Not probed: which way ETS6 takes is not known, since {why}.")
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    results = sorted(results, key=lambda result: order.index(result[1].status))
    worst = results[0][1]
    sentences = [found.sentence + (f" ({', '.join(way.users)})" if len(results) > 1 else "") for way, found in results]
    evidence = {
        "outcome": worst.kind.value,
        "ways": [
            {"users": list(way.users), "outcome": found.kind.value, "why": way.reason, **found.evidence} for way, found in results
        ],
    }
    status = worst.status
    if worst.kind is Kind.PROXY_LOGIN:
        # Remote management has no login to hand over; proxy.login judges whether the schemes fit ETS6's users.
        status = Status.UNKNOWN
    return Finding(control, status, " ".join(sentences), evidence)


def _interception(seen: Mapping[str, list[Outcome]]) -> Finding:
    judged = {name: [found for found in outcomes if found.chain is not None] for name, outcomes in seen.items()}
    judged = {name: outcomes for name, outcomes in judged.items() if outcomes}
    caught = {name: found for name, outcomes in judged.items() for found in outcomes if found.kind is Kind.INTERCEPTED}
    suspected = sorted(name for name, outcomes in judged.items() for found in outcomes if found.kind is Kind.UNTRUSTED)
    clean = sorted(
        name
        for name, outcomes in judged.items()
        if all(found.chain is not None and found.chain.root is Root.PUBLIC and found.chain.name_matches for found in outcomes)
    )
    evidence: dict[str, Any] = {
        "intercepted": {name: found.chain.issuer for name, found in sorted(caught.items()) if found.chain is not None},
        "suspected": suspected,
        "genuine": clean,
        "not_judged": sorted(set(seen) - set(judged)),
    }
    if caught:
        issuers = sorted({found.chain.issuer for found in caught.values() if found.chain is not None})
        everywhere = " Everywhere by the same issuer." if len(caught) > 1 and len(issuers) == 1 else ""
        return Finding(
            INTERCEPTION,
            Status.FAIL,
            f"TLS is opened on the way to {', '.join(sorted(caught))} by {'; '.join(issuers)}.{everywhere}",
            evidence,
        )
    if suspected:
        return Finding(
            INTERCEPTION,
            Status.UNKNOWN,
            f"The issuer of {', '.join(suspected)} is not known and was not sent; that is no proof of interception, nor of its absence.",
            evidence,
        )
    if not clean:
        return Finding(
            INTERCEPTION, Status.UNKNOWN, "No TLS connection came about, so nothing can be said about interception.", evidence
        )
    left = f" Not judged, since no TLS came about there: {', '.join(evidence['not_judged'])}." if evidence["not_judged"] else ""
    return Finding(INTERCEPTION, Status.PASS, f"The certificates of {', '.join(clean)} lead to public roots.{left}", evidence)


def _clock(snapshot: Snapshot) -> datetime | None:
    """Return the PC's own time, or None where it does not say."""
    said = snapshot.host.get("time")
    try:
        moment = datetime.fromisoformat(said.replace("Z", "+00:00")) if isinstance(said, str) else None
    except ValueError:
        return None
    return None if moment is None else moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
