# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The judgement of one endpoint from the verdicts over its routes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from ..declaration import Judgement, unknown
from ..finding import Status
from ..policy.endpoints import Endpoint
from ..snapshot import Snapshot
from ..text import join_words
from .certificate import parse_address
from .comparison import RouteVerdict
from .outcomes import ADVICE, CAUSES, CONTACTS, Outcome, Verdict
from .products import ADVICE as PRODUCT_ADVICE
from .products import CONTACTS as PRODUCT_CONTACTS

WORST_FIRST = (Status.FAIL, Status.UNKNOWN, Status.PASS)


def judge_endpoint(
    endpoint: Endpoint, verdicts: Sequence[RouteVerdict], snapshot: Snapshot
) -> Judgement:
    """Judge an endpoint by the worst of its routes."""
    if not verdicts:
        reason = snapshot.errors.get("users", "no user's proxy settings could be read")
        judgement = unknown(
            f"Not probed: the route of ETS6 could not be determined, since {reason}."
        )
        return judgement.follow("proxy.effective")
    verdicts = sorted(verdicts, key=_badness)
    worst = verdicts[0][1]
    sentences = [*_sentences(verdicts), *_remarks(verdicts)]
    evidence = {
        "server": endpoint.server,
        "network": _network(snapshot),
        "outcome": worst.outcome.value,
        "ways": [_route_evidence(verdict) for verdict in verdicts],
    }
    judgement = Judgement(worst.status, " ".join(sentences), evidence)
    judgement = _advise(judgement, worst)
    return judgement.follow(worst.caused_by or CAUSES.get(worst.outcome, ""))


def _advise(judgement: Judgement, worst: Verdict) -> Judgement:
    """Return the judgement with what to do and who does it, a known product before the outcome.

    The server is in the reason: where several have the same failure, the same is to be done.
    """
    if worst.outcome not in ADVICE:
        return judgement
    product = worst.chain.product if worst.chain else None
    if worst.outcome is Outcome.INTERCEPTED and product:
        advice = f"{PRODUCT_ADVICE[product.place]} Product: {product.name}."
        return judgement.advise(advice, PRODUCT_CONTACTS[product.place])
    contact = worst.contact or CONTACTS.get(worst.outcome)
    return judgement.advise(worst.advice or ADVICE[worst.outcome], contact)


def _badness(route_verdict: RouteVerdict) -> int:
    return WORST_FIRST.index(route_verdict[1].status)


def _sentences(verdicts: Sequence[RouteVerdict]) -> list[str]:
    """Return what each route came to; with its users where there are several."""
    sentences = []
    for route, verdict in verdicts:
        users = f" ({', '.join(route.users)})" if len(verdicts) > 1 else ""
        sentences.append(f"{verdict.sentence}{users}")
    return sentences


def _remarks(verdicts: Sequence[RouteVerdict]) -> list[str]:
    """Return what else is known of the routes."""
    remarks = []
    passed: list[str] = []
    detected = False
    for route, _verdict in verdicts:
        passed += [proxy or "the direct route" for proxy in route.unreached]
        detected = detected or route.autodetect
    if passed:
        remarks.append(
            f"The script names {join_words(passed)} before that, which is not reached: ETS6 waits "
            "for it each time, and continues."
        )
    if detected:
        remarks.append(
            "Automatic detection is on: on a network that answers it, ETS6 takes another route, "
            "which was not probed."
        )
    return remarks


def _route_evidence(route_verdict: RouteVerdict) -> dict[str, Any]:
    route, verdict = route_verdict
    return {
        "users": list(route.users),
        "outcome": verdict.outcome.value,
        "why": route.reason,
        **verdict.evidence,
    }


def _network(snapshot: Snapshot) -> str | None:
    """Return the network that the host's probes started from, as far as an address shows it.

    None where no probe was connected.
    """
    for probe in snapshot.probes or ():
        local = parse_address(probe.local.partition("%")[0])
        if local is not None:
            prefix = 24 if local.version == 4 else 64
            return str(ipaddress.ip_network((local, prefix), strict=False))
    return None
