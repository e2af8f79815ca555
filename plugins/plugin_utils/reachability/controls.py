# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reachability's controls over a snapshot: one for each endpoint, and one on interception over all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..finding import Control, Finding, Severity, Status
from ..policy import Endpoint, Policy
from ..proxy import effective
from ..snapshot import Snapshot
from . import outcome
from .certificate import CertificateError, Root, public_roots
from .outcome import Kind, Outcome
from .ways import other_name

CLOUD_LICENSING = "openapi.knx.org"
PAGES = frozenset({Kind.BLOCK_PAGE, Kind.CAPTIVE_PORTAL})
ALTERED = frozenset({Kind.BLOCK_PAGE, Kind.WRONG_CONTENT})
BEHIND_A_PORTAL = frozenset({
    Kind.REFUSED, Kind.TIMED_OUT, Kind.RESET, Kind.RESET_AT_NAME, Kind.NO_TLS, Kind.TLS_FAILED, Kind.WRONG_NAME, Kind.INTERCEPTED,
    Kind.UNTRUSTED, Kind.SINKHOLED, Kind.NOT_RESOLVED,
})  # fmt: skip

INTERCEPTION = Control(
    "reach.interception",
    "Nobody opens the TLS connections to the vendor",
    Severity.HIGH,
    "The vendor forbids a firewall with deep inspection (KNX support article 4403452514066): updates, the catalog or licensing fail with it, "
    "also where the PC trusts the inspector.",
    "Take the vendor's servers out of the inspection; the findings of the endpoints name the issuer.",
)


MULTICAST = Control(
    "reach.multicast",
    "KNXnet/IP devices of the building are found (UDP 3671, 224.0.23.12)",
    Severity.LOW,
    "ETS6 finds devices by a multicast to 224.0.23.12, UDP port 3671; each answers by unicast to the program that asked.",
    "Look at firewall.inbound.*.udp, firewall.multicast_answers and firewall.active_profile; then let ETS6 search.",
)
CLOUD_NOTICE = (
    "The vendor's notice: with cloud licensing ETS6 sends user information (login, computer and software information) encrypted to the license "
    "server, which keeps the IP address of who asked for the license for one year. Whoever does not use it disables this endpoint in "
    "ets6_network_endpoints; it is then neither probed nor required."
)


def endpoint_control(endpoint: Endpoint) -> Control:
    """Return the control of an endpoint."""
    why = (
        "What ETS6 needs of the network stands in the vendor's table (KNX support article 4403452514066)."
        if outcome.of_vendor(endpoint)
        else "Added in ets6_network_endpoints."
    )
    return Control(
        f"reach.{endpoint.name}",
        f"{endpoint.title or endpoint.name}: {endpoint.host}:{endpoint.port} is reached",
        Severity.HIGH if endpoint.scheme == "https" else Severity.MEDIUM,
        f"{why} {CLOUD_NOTICE}" if endpoint.host == CLOUD_LICENSING else why,
        "What is in the way, and whom to ask, stands in the finding.",
    )


def catalogue(policy: Policy) -> list[Control]:
    """Return a control for each endpoint, interception, and what cannot be probed."""
    return [*(endpoint_control(endpoint) for endpoint in policy.endpoints), INTERCEPTION, MULTICAST]


def request(policy: Policy) -> dict[str, list[object]]:
    """Return the probes; nothing is probed where the PC is to be as it was before."""
    return {"probes": [] if policy.state == "absent" else [endpoint.to_wire() for endpoint in policy.endpoints]}


Result = tuple[effective.Way, Outcome]


def judge(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return a finding for each control."""
    reason = ""
    if policy.state == "absent":
        reason = "The PC is to be as it was before; this is not asked of it then."
    elif snapshot.offline:
        reason = "An image reaches nothing; ask a PC that was made from it."
    if reason:
        return [Finding(control, Status.NOT_APPLICABLE, reason) for control in catalogue(policy)]
    return [*judge_ways(snapshot, policy, effective.ways(snapshot, policy.endpoints)), _multicast()]


def judge_ways(snapshot: Snapshot, policy: Policy, ways: Mapping[str, Sequence[effective.Way]]) -> list[Finding]:
    """Return a finding for each endpoint over its ways, and one on interception."""
    try:
        roots = public_roots(policy.public_roots)
    except CertificateError as error:
        return [
            *(Finding(endpoint_control(endpoint), Status.UNKNOWN, str(error)) for endpoint in policy.endpoints),
            Finding(INTERCEPTION, Status.UNKNOWN, str(error)),
        ]
    clock = _clock(snapshot)
    probes = {(probe["name"], probe["way"]): probe for probe in snapshot.probes or ()}
    seen: dict[str, list[Result]] = {}
    for endpoint in policy.endpoints:
        results = seen.setdefault(endpoint.name, [])
        for way in ways[endpoint.name]:
            probe = None if way.way is None else probes.get((endpoint.name, way.way))
            if way.way is None:
                found = Outcome(Kind.NOT_PROBED, f"Not probed: which way ETS6 takes cannot be told ({way.reason}).")
            elif probe is None:
                why = snapshot.errors.get("probes", "the PC's reply does not hold this probe")
                found = Outcome(Kind.NOT_PROBED, f"Not probed {'through ' + way.way if way.way else 'directly'}: {why}.")
            else:
                other = None if way.way else probes.get((other_name(endpoint), way.way))
                found = outcome.of(probe, endpoint, roots, clock, other)
            results.append((way, found))
    seen = _compared(seen)
    findings = [_finding(endpoint, seen[endpoint.name], snapshot) for endpoint in policy.endpoints]
    return [*findings, _interception({name: [found for _way, found in results] for name, results in seen.items()})]


def _compared(seen: Mapping[str, list[Result]]) -> dict[str, list[Result]]:
    """Return the outcomes in the light of each other.

    A page that is no page of the vendor's at one server is none at another one either; and where a sign-in page answers for
    one server, it is in the way of the others that fail, too.
    """
    pages = {found.page: found.kind for results in seen.values() for _way, found in results if found.page and found.kind in PAGES}
    portals = {way.way for results in seen.values() for way, found in results if found.kind is Kind.CAPTIVE_PORTAL}
    compared: dict[str, list[Result]] = {}
    for name, results in seen.items():
        for way, found in results:
            if found.kind is Kind.FINE and found.page in pages:
                sentence = f"{found.sentence} But the page is the same as that of another server: it is not the vendor's."
                found = dataclasses.replace(found, kind=pages[found.page], sentence=sentence)
            elif way.way in portals and found.kind in BEHIND_A_PORTAL:
                found = dataclasses.replace(
                    found,
                    sentence=f"{found.sentence} A sign-in page answers for another server, so sign in first, then look again.",
                )
            compared.setdefault(name, []).append((way, found))
        compared.setdefault(name, [])
    return compared


def _finding(endpoint: Endpoint, results: list[Result], snapshot: Snapshot) -> Finding:
    control = endpoint_control(endpoint)
    if not results:
        why = snapshot.errors.get("users", "no user's proxy settings could be read")
        return Finding(control, Status.UNKNOWN, f"Not probed: which way ETS6 takes is not known, since {why}.")
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    results = sorted(results, key=lambda result: order.index(result[1].status))
    worst = results[0][1]
    sentences = [found.sentence + (f" ({', '.join(way.users)})" if len(results) > 1 else "") for way, found in results]
    if any(way.detected for way, _found in results):
        sentences.append("Automatic detection is on: a network that answers it leads ETS6 another way, which was not probed.")
    evidence = {
        "outcome": worst.kind.value,
        "ways": [
            {"users": list(way.users), "outcome": found.kind.value, "why": way.reason, **found.evidence} for way, found in results
        ],
    }
    return Finding(control, worst.status, " ".join(sentences), evidence)


def _multicast() -> Finding:
    return Finding(
        MULTICAST,
        Status.NOT_APPLICABLE,
        "Not probed: an answer goes to the program that asked, and firewall rules are bound to ETS6's programs, so only ETS6 itself can try. "
        "What decides on the PC is judged by firewall.inbound.*.udp, firewall.multicast_answers and firewall.active_profile.",
    )


def _interception(seen: Mapping[str, list[Outcome]]) -> Finding:
    """Judge all chains together. Proof is a root that is not public; an inspector's name without a root is strong evidence, weak signs are none."""
    chains = {name: [(found, found.chain) for found in outcomes if found.chain is not None] for name, outcomes in seen.items()}
    chains = {name: found for name, found in chains.items() if found}
    every = [(name, found, chain) for name, pairs in chains.items() for found, chain in pairs]
    caught = {name: chain for name, found, chain in every if found.kind is Kind.INTERCEPTED}
    suspected = sorted({name for name, found, _chain in every if found.kind is Kind.UNTRUSTED})
    strangers = sorted({name for name, _found, chain in every if chain.root is not Root.PUBLIC and not chain.name_matches})
    clean = sorted(
        name for name, pairs in chains.items() if all(chain.root is Root.PUBLIC and chain.verified for _found, chain in pairs)
    )
    altered = sorted(name for name, found in seen.items() if any(one.kind in ALTERED for one in found))
    evidence: dict[str, Any] = {
        "intercepted": {name: chain.issuer for name, chain in sorted(caught.items())},
        "proof": {
            name: "private root" if chain.root is Root.PRIVATE else "issuer's name" for name, chain in sorted(caught.items())
        },
        "issuer_ids": sorted({chain.issuer_id for chain in caught.values()}),
        "suspected": suspected,
        "another_server": strangers,
        "plain_http_altered": altered,
        "genuine": clean,
        "not_judged": sorted(set(seen) - set(chains)),
    }
    if caught:
        issuers = sorted({chain.issuer + (f" ({chain.product})" if chain.product else "") for chain in caught.values()})
        everywhere = " Everywhere by the same issuer." if len(caught) > 1 and len(evidence["issuer_ids"]) == 1 else ""
        certain = (
            ""
            if any(chain.root is Root.PRIVATE for chain in caught.values())
            else (" The root was not sent, so this rests on the issuer's name: strong evidence, not proof.")
        )
        return Finding(
            INTERCEPTION,
            Status.FAIL,
            f"TLS is opened on the way to {', '.join(sorted(caught))} by {'; '.join(issuers)}.{everywhere}{certain}",
            evidence,
        )
    if suspected or strangers:
        sentences = []
        if suspected:
            sentences.append(
                f"The certificates of {', '.join(suspected)} lead to no public root, and that is no proof of interception, nor of its absence."
            )
        if strangers:
            sentences.append(f"Another server than the vendor's answers for {', '.join(strangers)}.")
        return Finding(INTERCEPTION, Status.UNKNOWN, " ".join(sentences), evidence)
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
