# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the probes say of each endpoint, and of interception over all of them."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from ..declaration import Judgement, unknown
from ..finding import Status
from ..policy.endpoints import Endpoint
from ..policy.variables import Policy
from ..proxy import effective
from ..snapshot import Snapshot
from . import answer, interception, outcome
from .certificate import CertificateError, public_roots
from .kinds import CALLS, CAUSES, CONTACTS, Kind, Outcome
from .ways import other_name

INTERCEPTION = "interception"
"""The key of the judgement that is about all endpoints; no endpoint can have that name."""
PAGES = frozenset({Kind.BLOCK_PAGE, Kind.CAPTIVE_PORTAL})
BEHIND_A_PORTAL = frozenset({
    Kind.REFUSED, Kind.TIMED_OUT, Kind.RESET, Kind.RESET_AT_NAME, Kind.NO_TLS, Kind.TLS_FAILED, Kind.WRONG_NAME, Kind.INTERCEPTED,
    Kind.UNTRUSTED, Kind.SINKHOLED, Kind.NOT_RESOLVED,
})  # fmt: skip

Result = tuple[effective.Way, Outcome]


def judge(
    snapshot: Snapshot, policy: Policy, ways: Mapping[str, Sequence[effective.Way]]
) -> dict[str, Judgement]:
    """Return a judgement of each endpoint by its name, and one of INTERCEPTION."""
    try:
        roots = public_roots(policy.public_roots)
    except CertificateError as error:
        names = [*(endpoint.name for endpoint in policy.endpoints), INTERCEPTION]
        return dict.fromkeys(names, unknown(str(error)))
    clock = _clock(snapshot)
    probes = {probe.key: probe for probe in snapshot.probes or ()}
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
    seen = _compared(seen, policy.endpoints)
    judgements = {}
    for endpoint in policy.endpoints:
        judgements[endpoint.name] = _judge_endpoint(endpoint, seen[endpoint.name], snapshot)
    outcomes = {name: [outcome for _way, outcome in results] for name, results in seen.items()}
    encrypted = [endpoint.name for endpoint in policy.endpoints if endpoint.scheme == "https"]
    judgements[INTERCEPTION] = interception.judge(outcomes, encrypted)
    return judgements


def _compared(seen: Mapping[str, list[Result]], endpoints: Sequence[Endpoint]) -> dict[str, list[Result]]:
    """Return the outcomes in the light of each other.

    A page that is no page of the vendor's at one server is none at another one either; and where a sign-in page answers for
    one server, it is in the way of the others that fail, too. What a server answers over genuine TLS is its own over HTTP as well.
    """
    table = {endpoint.name: endpoint for endpoint in endpoints}
    own = {(table[name].host, found.page) for name, results in seen.items() for _way, found in results if found.own_page}
    genuine = {page for _host, page in own}
    pages = {
        found.page: found.kind
        for results in seen.values()
        for _way, found in results
        if found.page and found.kind in PAGES and found.page not in genuine
    }
    portals = {way.way for results in seen.values() for way, found in results if found.kind is Kind.CAPTIVE_PORTAL}
    compared: dict[str, list[Result]] = {}
    for name, results in seen.items():
        endpoint = table[name]
        for way, found in results:
            if found.kind in (Kind.FINE, Kind.PAGE_NOT_KNOWN) and found.page in pages:
                sentence = f"{found.sentence} But the page is the same as that of another server: it is not the vendor's."
                found = dataclasses.replace(found, kind=pages[found.page], sentence=sentence)
            elif found.kind in (Kind.BLOCK_PAGE, Kind.PAGE_NOT_KNOWN) and (endpoint.host, found.page) in own:
                kind = Kind.WRONG_CONTENT if answer.is_known(endpoint) else Kind.FINE
                sentence = f"{found.sentence} But the server answers the same over TLS, so it is its own."
                found = dataclasses.replace(found, kind=kind, sentence=sentence)
            elif way.way in portals and found.kind in BEHIND_A_PORTAL:
                found = dataclasses.replace(
                    found,
                    sentence=f"{found.sentence} A sign-in page answers for another server, so sign in first, then look again.",
                )
            compared.setdefault(name, []).append((way, found))
        compared.setdefault(name, [])
    return compared


def _judge_endpoint(endpoint: Endpoint, results: list[Result], snapshot: Snapshot) -> Judgement:
    if not results:
        why = snapshot.errors.get("users", "no user's proxy settings could be read")
        return unknown(f"Not probed: which way ETS6 takes is not known, since {why}.").follow("proxy.effective")
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    results = sorted(results, key=lambda result: order.index(result[1].status))
    worst = results[0][1]
    sentences = [found.sentence + (f" ({', '.join(way.users)})" if len(results) > 1 else "") for way, found in results]
    passed = list(dict.fromkeys(one or "the direct way" for way, _found in results for one in way.passed))
    if passed:
        sentences.append(
            f"The script names {' and '.join(passed)} before that, which is not reached: ETS6 waits for it each time, and goes on."
        )
    if any(way.detected for way, _found in results):
        sentences.append("Automatic detection is on: a network that answers it leads ETS6 another way, which was not probed.")
    if worst.kind in CALLS:
        sentences.append(CALLS[worst.kind])
    evidence = {
        "server": endpoint.server,
        "network": _network(snapshot),
        "outcome": worst.kind.value,
        "ways": [
            {"users": list(way.users), "outcome": found.kind.value, "why": way.reason, **found.evidence} for way, found in results
        ],
    }
    judgement = Judgement(worst.status, " ".join(sentences), evidence)
    if worst.kind in CALLS:
        judgement = judgement.advise(CALLS[worst.kind], CONTACTS.get(worst.kind))
    return judgement.follow(CAUSES.get(worst.kind, ""))


def _network(snapshot: Snapshot) -> str | None:
    """Return the network that the host's probes started from, as far as an address tells; None where none came to a connection."""
    for probe in snapshot.probes or ():
        try:
            local = ipaddress.ip_address(probe.local.partition("%")[0])
        except ValueError:
            continue
        return str(ipaddress.ip_network((local, 24 if local.version == 4 else 64), strict=False))
    return None


def _clock(snapshot: Snapshot) -> datetime | None:
    """Return the PC's own time, or None where it does not say."""
    said = snapshot.host.get("time")
    try:
        moment = datetime.fromisoformat(said.replace("Z", "+00:00")) if isinstance(said, str) else None
    except ValueError:
        return None
    return None if moment is None else moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
