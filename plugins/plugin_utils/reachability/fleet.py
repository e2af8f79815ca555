# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What hosts tell of each other: whose fault it is that an endpoint is not reached, and whether one inspector sits before all.

It works on findings as they stand in report.json. Statuses stay: what is not reached is not reached, whoever is to blame.
A vantage point is a way out (direct, or through which proxy) from a network; hosts of the same one prove nothing about what
lies behind it, and one from which nothing of the vendor is reached proves nothing about a single server.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..finding import Status
from .kinds import Kind, of_vendor

NAMES_IN_A_SENTENCE = 3
NAMES_IN_EVIDENCE = 20
OUTAGE = frozenset({
    Kind.NOT_RESOLVED, Kind.REFUSED, Kind.TIMED_OUT, Kind.UNREACHABLE, Kind.RESET, Kind.TLS_FAILED, Kind.PROXY_CANNOT, Kind.EXPIRED,
    Kind.INCOMPLETE, Kind.SERVER_ERROR,
})  # fmt: skip
"""Outcomes that a server which is down or unwell brings about, and that something on the way can bring about as well."""

INTERCEPTION_CONTROL = "reach.interception"
Json = dict[str, Any]
DIRECT = "direct"
"""How the evidence calls the way without a proxy."""
Point = tuple[str, str]
"""A way out, and the network that it starts from; empty where that is not known."""


@dataclass
class _Server:
    """Who reaches a server and who does not, by vantage point; otherwise counts what else came of it.

    leads_out has, by vantage point, the vendor's servers that are reached from there.
    """

    leads_out: Mapping[Point, set[str]]
    name: str
    reached: dict[Point, list[str]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[Point, list[str]] = field(default_factory=lambda: defaultdict(list))
    otherwise: int = 0

    @cached_property
    def reached_by(self) -> list[str]:
        """Every host that reaches it."""
        return sorted({name for names in self.reached.values() for name in names})

    @cached_property
    def failed_by(self) -> list[str]:
        """Every host that does not."""
        return sorted({name for names in self.failed.values() for name in names})

    @cached_property
    def points(self) -> int:
        """From how many vantage points it fails that reach another server of the vendor, for certain.

        Networks that are not known may be the same, and so may be one of IPv4 and one of IPv6. Behind a proxy all are one.
        """
        ways: dict[str, set[tuple[bool, str]]] = defaultdict(set)
        for way, network in self.failed:
            if self.leads_out.get((way, network), set()) - {self.name}:
                ways[way].add((":" in network, network if way == DIRECT else ""))
        return sum(max([1, *Counter(family for family, network in known if network).values()]) for known in ways.values())

    @property
    def is_out(self) -> bool:
        """Whether nobody reaches it, from more than one vantage point, and nothing else than an outage was seen."""
        return not self.reached and not self.otherwise and self.points > 1


def compare(hosts: Mapping[str, Sequence[Json]]) -> dict[str, list[Json]]:
    """Return the findings by host's name, with what the other hosts' findings say of them added to reason and evidence."""
    servers: dict[str, _Server] = {}
    leads_out: dict[Point, set[str]] = defaultdict(set)
    for name, findings in hosts.items():
        for finding in findings:
            for point, outcome in _seen(finding):
                place = finding["evidence"]["server"]
                server = servers.setdefault(place, _Server(leads_out, place))
                if outcome == Kind.FINE:
                    server.reached[point].append(name)
                    if of_vendor(place.rpartition(":")[0]):
                        leads_out[point].add(place)
                elif outcome in OUTAGE:
                    server.failed[point].append(name)
                else:
                    server.otherwise += 1
    issuers = {name: ids for name in sorted(hosts) for ids in _issuers(hosts[name])}
    alike = {ids: [name for name, others in issuers.items() if others & ids] for ids in set(issuers.values())}
    told: dict[str, list[Json]] = {}
    for name, findings in hosts.items():
        same = alike.get(issuers.get(name, frozenset()), [])
        told[name] = [_with_issuers(name, _with_others(name, finding, servers), same, len(issuers)) for finding in findings]
    return told


def _seen(finding: Json) -> Iterator[tuple[Point, str]]:
    """Return what came of an endpoint over each way, with the vantage point; nothing for any other finding."""
    evidence = finding["evidence"]
    if finding["control"].startswith("reach.") and isinstance(evidence.get("server"), str):
        for way in evidence["ways"]:
            if "way" in way:
                yield (str(way["way"]), str(evidence["network"] or "")), str(way["outcome"])


def _with_others(name: str, finding: Json, servers: Mapping[str, _Server]) -> Json:
    if finding["status"] != Status.FAIL.value or finding["evidence"].get("outcome") not in OUTAGE:
        return finding
    server = servers[finding["evidence"]["server"]]
    mine = {point for point, outcome in _seen(finding) if outcome in OUTAGE}
    beside = _others(name, [other for point in mine for other in server.reached.get(point, ())])
    reached, same, count = _others(name, server.reached_by), _others(name, server.failed_by), len(server.failed_by)
    if beside:
        told = f"It is reached from {_names(beside)}, by the same way out of the same network: look at this host itself."
    elif reached:
        told = f"It is reached from {_names(reached)}, so the server is up: what is in the way is between this host's way out and the server."
    elif server.is_out:
        told = (
            f"Seen the same from all {count} hosts and {server.points} vantage points, which reach other servers of the vendor: that points to the "
            "server itself, which is the vendor's to mend, and not this host's fault. Where one firewall stands before all of them, ask there first."
        )
    elif same and not server.otherwise:
        told = (
            f"All {count} hosts see the same, so it is not this host. Whether it is their way out or the vendor's server, only a second vantage "
            "point can tell: a host in another network, which reaches other servers of the vendor."
        )
    else:
        return finding
    elsewhere = {
        "reached_from": reached[:NAMES_IN_EVIDENCE],
        "same_from": same[:NAMES_IN_EVIDENCE],
        "vantage_points": server.points,
        "vendor_outage": server.is_out,
    }
    return _told(finding, told, elsewhere)


def _others(name: str, names: Sequence[str]) -> list[str]:
    """Return the first of the names but one's own, as many as evidence may hold and one more."""
    return [other for other in names[: NAMES_IN_EVIDENCE + 2] if other != name]


def _issuers(findings: Sequence[Json]) -> Iterator[frozenset[str]]:
    """Return who opens a host's TLS connections: an empty set for nobody, nothing where that was not judged."""
    for finding in findings:
        evidence = finding["evidence"]
        if finding["control"] == INTERCEPTION_CONTROL and (evidence.get("issuer_ids") or evidence.get("genuine")):
            yield frozenset(evidence["issuer_ids"])


def _with_issuers(name: str, finding: Json, same: Sequence[str], judged: int) -> Json:
    """Same are the hosts that have an issuer in common with this one, itself among them; none where nobody opens its TLS."""
    if finding["control"] != INTERCEPTION_CONTROL or not same or judged < 2:
        return finding
    if len(same) == judged:
        told = f"The same issuer on all {judged} hosts that could be judged: that points to a device of the network, and to no single PC."
    elif len(same) > 1:
        told = f"The same issuer on {len(same)} of {judged} hosts that could be judged."
    else:
        told = f"On none of the other {judged - 1} hosts that could be judged: look for it on this host, such as a virus scanner."
    return _told(finding, told, {"same_issuer": _others(name, same)[:NAMES_IN_EVIDENCE], "judged": judged})


def _told(finding: Json, sentence: str, elsewhere: Json) -> Json:
    return {**finding, "reason": f"{finding['reason']} {sentence}", "evidence": {**finding["evidence"], "elsewhere": elsewhere}}


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMES_IN_A_SENTENCE]) + (" and others" if len(names) > NAMES_IN_A_SENTENCE else "")
