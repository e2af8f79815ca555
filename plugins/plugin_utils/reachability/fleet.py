# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the hosts of a run show of each other.

That is who is responsible where an endpoint is not reached, and whether one inspector is on the path
of all hosts. It works on findings in the form of report.json. Statuses stay: what is not reached is not reached,
whoever is responsible. A vantage point is a route (direct, or through a proxy) from a network. Hosts
of the same one prove nothing about what comes after it, and one from which nothing of the vendor is
reached proves nothing about a single server.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..finding import Status
from ..wire import SnapshotError, expect, items, optional, text
from .outcomes import Outcome, is_vendor_host
from .products import Place

NAMES_IN_A_SENTENCE = 3
NAMES_IN_EVIDENCE = 20
OUTAGE = frozenset({
    Outcome.NOT_RESOLVED, Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.UNREACHABLE, Outcome.RESET,
    Outcome.TLS_FAILED, Outcome.PROXY_CANNOT, Outcome.EXPIRED, Outcome.INCOMPLETE,
    Outcome.SERVER_ERROR,
})  # fmt: skip
"""Outcomes that a server which is down brings about, and that the network can bring about as well."""

INTERCEPTION_CONTROL = "reach.interception"
DIRECT = "direct"
"""How the evidence calls the route without a proxy."""
Json = dict[str, Any]
Point = tuple[str, str]
"""A vantage point: a route, and the network that it starts from; empty where that is not known."""


UNCLEAR = frozenset({
    Outcome.WRONG_CONTENT, Outcome.PAGE_NOT_KNOWN, Outcome.SIGN_IN_OR_BLOCK, Outcome.BLOCK_PAGE,
    Outcome.ERROR_NOT_KNOWN,
})  # fmt: skip
"""Outcomes that the vendor brings about where it moves something, and a filter as well."""


@dataclass(frozen=True)
class _RouteOutcome:
    """What an endpoint came to from one vantage point. answer tells the HTTP answer from others."""

    point: Point
    outcome: str
    answer: str


@dataclass(frozen=True)
class _EndpointFinding:
    """A finding that says whether a server is reached."""

    server: str
    status: str
    outcome: str
    routes: tuple[_RouteOutcome, ...]

    @property
    def is_outage(self) -> bool:
        """Whether the server was not reached, in a manner that an outage would explain."""
        return self.status == Status.FAIL.value and self.outcome in OUTAGE


@dataclass
class _Server:
    """Who reaches a server and who does not, by vantage point; otherwise counts other outcomes.

    vendor_servers has, by vantage point, the vendor's servers that are reached from there.
    """

    vendor_servers: Mapping[Point, set[str]]
    name: str
    reached: dict[Point, list[str]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[Point, list[str]] = field(default_factory=lambda: defaultdict(list))
    otherwise: int = 0
    answers: dict[str, set[Point]] = field(default_factory=lambda: defaultdict(set))

    @property
    def points_of_answer(self) -> int:
        """From how many vantage points the only answer came; 0 where there are several."""
        if len(self.answers) != 1 or "" in self.answers or self.reached or self.failed:
            return 0
        return _count_points(*self.answers.values())

    @cached_property
    def reached_by(self) -> list[str]:
        """Every host that reaches it."""
        return sorted(set().union(*self.reached.values()))

    @cached_property
    def failed_by(self) -> list[str]:
        """Every host that does not."""
        return sorted(set().union(*self.failed.values()))

    @cached_property
    def points(self) -> int:
        """How many vantage points, for certain, fail to reach it and reach another vendor's server.

        Networks that are not known may be the same, and so may be one of IPv4 and one of IPv6. All
        networks that go through the same proxy are one vantage point.
        """
        reaching = set()
        for point in self.failed:
            if self.vendor_servers.get(point, set()) - {self.name}:
                reaching.add(point)
        return _count_points(reaching)

    @property
    def is_out(self) -> bool:
        """Whether no host reaches it, from several vantage points, and all see an outage."""
        return not self.reached and not self.otherwise and self.points > 1


def _count_points(points: Iterable[Point]) -> int:
    """Return how many vantage points are different for certain."""
    networks: dict[str, set[str]] = defaultdict(set)
    for route, network in points:
        networks[route].add(network if route == DIRECT else "")
    return sum(_count_networks(route_networks) for route_networks in networks.values())


def _count_networks(networks: set[str]) -> int:
    """Return how many networks are different for certain; at least one. Empty is not known."""
    families = Counter(":" in network for network in networks if network)
    return max([1, *families.values()])


def compare(hosts: Mapping[str, Sequence[Json]]) -> dict[str, list[Json]]:
    """Return the findings by host, with what the others' show added to reason and evidence."""
    servers = _servers(hosts)
    issuers = _Issuers(hosts)
    compared: dict[str, list[Json]] = {}
    for name, findings in hosts.items():
        compared[name] = []
        for finding in findings:
            if finding["control"] == INTERCEPTION_CONTROL:
                compared[name].append(issuers.compare(name, finding))
            else:
                compared[name].append(_compare_endpoint(name, finding, servers))
    return compared


def _servers(hosts: Mapping[str, Sequence[Json]]) -> dict[str, _Server]:
    servers: dict[str, _Server] = {}
    vendor_servers: dict[Point, set[str]] = defaultdict(set)
    for name, findings in hosts.items():
        for finding in findings:
            endpoint = _parse_endpoint(finding)
            if endpoint is None:
                continue
            server = servers.setdefault(endpoint.server, _Server(vendor_servers, endpoint.server))
            for route in endpoint.routes:
                _add(server, name, route, vendor_servers)
    return servers


def _add(
    server: _Server, host: str, route: _RouteOutcome, vendor_servers: dict[Point, set[str]]
) -> None:
    if route.outcome == Outcome.FINE:
        server.reached[route.point].append(host)
        if is_vendor_host(server.name.rpartition(":")[0]):
            vendor_servers[route.point].add(server.name)
    elif route.outcome in OUTAGE:
        server.failed[route.point].append(host)
    else:
        server.otherwise += 1
        server.answers[route.answer].add(route.point)


def _parse_endpoint(finding: Json) -> _EndpointFinding | None:
    """Return a finding about an endpoint; None for any other, and for one without such evidence."""
    if not finding["control"].startswith("reach."):
        return None
    evidence = finding["evidence"]
    try:
        network = optional(text, evidence.get("network"), "network") or ""
        routes = []
        for record in items(_parse_route, evidence.get("ways"), "ways"):
            if record is not None:
                route, outcome, answer = record
                routes.append(_RouteOutcome((route, network), outcome, answer))
        return _EndpointFinding(
            text(evidence.get("server"), "server"),
            finding["status"],
            text(evidence.get("outcome"), "outcome"),
            tuple(routes),
        )
    except SnapshotError:
        return None


def _parse_route(raw: Any, place: str) -> tuple[str, str, str] | None:
    """Return route, outcome and answer; None where it was not probed."""
    record = expect(dict, raw, place)
    if "way" not in record:
        return None
    route = text(record["way"], f"{place}.way")
    outcome = text(record.get("outcome"), f"{place}.outcome")
    return route, outcome, text(record.get("answer", ""), f"{place}.answer")


def _compare_endpoint(name: str, finding: Json, servers: Mapping[str, _Server]) -> Json:
    endpoint = _parse_endpoint(finding)
    if endpoint is None:
        return finding
    server = servers[endpoint.server]
    if endpoint.outcome in UNCLEAR and server.points_of_answer > 1:
        return _same_answer(finding, server)
    return _compare_outage(name, finding, endpoint, server) if endpoint.is_outage else finding


def _same_answer(finding: Json, server: _Server) -> Json:
    return _extended(
        finding,
        f"The same answer from {server.points_of_answer} vantage points, so it is not this host: "
        "the vendor has moved or changed something, or one filter is on the path of all of them.",
        {"vantage_points": server.points_of_answer, "vendor_outage": False},
    )


def _compare_outage(name: str, finding: Json, endpoint: _EndpointFinding, server: _Server) -> Json:
    same_point: list[str] = []
    for route in endpoint.routes:
        if route.outcome in OUTAGE:
            same_point += server.reached.get(route.point, ())
    neighbours = _without(name, same_point)
    reached_from = _without(name, server.reached_by)
    same_from = _without(name, server.failed_by)
    if neighbours:
        sentence = (
            f"It is reached from {_names(neighbours)}, over the same route from the same network, "
            "so the obstacle is on this host itself."
        )
    elif reached_from:
        sentence = (
            f"It is reached from {_names(reached_from)}, so the server is up: the obstacle is "
            "between this host's route and the server."
        )
    elif same_from and not server.otherwise:
        sentence = _seen_by_all(server)
    else:
        return finding
    return _extended(
        finding,
        sentence,
        {
            "reached_from": reached_from[:NAMES_IN_EVIDENCE],
            "same_from": same_from[:NAMES_IN_EVIDENCE],
            "vantage_points": server.points,
            "vendor_outage": server.is_out,
        },
    )


def _seen_by_all(server: _Server) -> str:
    count = len(server.failed_by)
    if server.is_out:
        return (
            f"Seen the same from all {count} hosts and {server.points} vantage points, which reach "
            "other servers of the vendor: that points to the server itself, which is the vendor's "
            "to repair, and not this host's fault. Where one firewall protects all of them, ask "
            "its administrators first."
        )
    return (
        f"All {count} hosts see the same, so it is not this host. Whether it is their network or "
        "the vendor's server, only a second vantage point can tell: a host in another network, "
        "which reaches other servers of the vendor."
    )


class _Issuers:
    """Who intercepts the TLS connections of each host that could be judged.

    A host that is not intercepted has no ids.
    """

    def __init__(self, hosts: Mapping[str, Sequence[Json]]) -> None:
        self._ids: dict[str, frozenset[str]] = {}
        for name in sorted(hosts):
            for finding in hosts[name]:
                ids = _parse_issuers(finding)
                if ids is not None:
                    self._ids[name] = ids
        self._hosts_of: dict[str, list[str]] = defaultdict(list)
        for name, ids in self._ids.items():
            for issuer_id in ids:
                self._hosts_of[issuer_id].append(name)
        self._same: dict[frozenset[str], list[str]] = {}

    def compare(self, name: str, finding: Json) -> Json:
        """Return a finding about interception with what the others' show."""
        judged = len(self._ids)
        same = self._same_issuer(self._ids.get(name, frozenset()))
        if not same or judged < 2:
            return finding
        sentence = _issuer_sentence(_place(finding), len(same), judged)
        others = _without(name, same)[:NAMES_IN_EVIDENCE]
        return _extended(finding, sentence, {"same_issuer": others, "judged": judged})

    def _same_issuer(self, ids: frozenset[str]) -> list[str]:
        """Return the hosts that have an issuer in common, the one with these ids among them."""
        if ids not in self._same:
            hosts: set[str] = set()
            for issuer_id in ids:
                hosts.update(self._hosts_of[issuer_id])
            self._same[ids] = sorted(hosts)
        return self._same[ids]


def _place(finding: Json) -> str:
    """Return where the product runs that intercepts a host's TLS; empty where that is not known."""
    try:
        places = items(text, finding["evidence"].get("product_places", []), "product_places")
    except SnapshotError:
        return ""
    return places[0] if len(places) == 1 else ""


def _issuer_sentence(place: str, same: int, judged: int) -> str:
    """Return what it means that hosts have an issuer in common. A known product outranks the count."""
    extent = f"The same issuer on {same} of {judged} hosts that could be judged"
    meaning = ""
    if same == judged:
        extent = f"The same issuer on all {judged} hosts that could be judged"
        meaning = ": that points to a device of the network, and to no single PC"
    if same == 1:
        extent = f"On none of the other {judged - 1} hosts that could be judged"
        meaning = ": that points to this host, for example to a virus scanner"
    if place == Place.SCANNER:
        meaning = f": it is a {place}, which may have a key of its own for each"
    if place in (Place.APPLIANCE, Place.CLOUD):
        meaning = f": it is a {place}, and not of a single PC"
    return f"{extent}{meaning}."


def _parse_issuers(finding: Json) -> frozenset[str] | None:
    """Return who intercepts a host's TLS connections; None where that was not judged."""
    if finding["control"] != INTERCEPTION_CONTROL:
        return None
    evidence = finding["evidence"]
    try:
        ids = items(text, evidence.get("issuer_ids"), "issuer_ids")
        genuine = items(text, evidence.get("genuine"), "genuine")
    except SnapshotError:
        return None
    return frozenset(ids) if ids or genuine else None


def _extended(finding: Json, sentence: str, elsewhere: Json) -> Json:
    return {
        **finding,
        "reason": f"{finding['reason']} {sentence}",
        "evidence": {**finding["evidence"], "elsewhere": elsewhere},
    }


def _without(name: str, names: Sequence[str]) -> list[str]:
    """Return the first other names, as many as evidence may hold and one more."""
    return [other for other in names[: NAMES_IN_EVIDENCE + 2] if other != name]


def _names(names: Sequence[str]) -> str:
    more = " and others" if len(names) > NAMES_IN_A_SENTENCE else ""
    return ", ".join(names[:NAMES_IN_A_SENTENCE]) + more
