# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdicts on one host's endpoints in the light of each other.

A page that is not the vendor's at one server is not the vendor's at another one either. Where a
sign-in page answers for one server, it is also the likely cause that others fail. What a server
answers over genuine TLS is its own over HTTP as well, and where TLS finds it, it is over HTTP too.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ..policy.endpoints import Endpoint
from ..proxy.routes import Route
from .answer import has_document, is_empty, is_redirect, site
from .outcomes import Outcome, Verdict, is_vendor_host

PAGES = frozenset({Outcome.BLOCK_PAGE, Outcome.CAPTIVE_PORTAL, Outcome.SIGN_IN_OR_BLOCK})
PORTALS = frozenset({Outcome.CAPTIVE_PORTAL, Outcome.SIGN_IN_OR_BLOCK})
BEHIND_A_PORTAL = frozenset({
    Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.RESET, Outcome.RESET_AT_NAME, Outcome.NO_TLS,
    Outcome.TLS_FAILED, Outcome.WRONG_NAME, Outcome.INTERCEPTED, Outcome.UNTRUSTED,
    Outcome.SINKHOLED, Outcome.NOT_RESOLVED,
})  # fmt: skip
"""Outcomes that a portal brings about as long as the user is not signed in."""

DOUBTFUL = frozenset({
    Outcome.BLOCK_PAGE, Outcome.PAGE_NOT_KNOWN, Outcome.ERROR_NOT_KNOWN, Outcome.SIGN_IN_OR_BLOCK,
})  # fmt: skip
"""Outcomes that are the server's own word where it says the same over TLS."""

ACCEPTED = frozenset({Outcome.FINE, Outcome.PAGE_NOT_KNOWN})

RouteVerdict = tuple[Route, Verdict]
Verdicts = Mapping[str, Sequence[RouteVerdict]]
"""The verdicts over each route to an endpoint, by the endpoint's name."""


class _Answers:
    """What is known of the answers of all endpoints together."""

    def __init__(self, verdicts: Verdicts, endpoints: Mapping[str, Endpoint]) -> None:
        self._servers_pages: set[tuple[str, str]] = set()
        self._vendors_pages: set[str] = set()
        self.foreign_pages: dict[str, Outcome] = {}
        self._endpoints_of_page: dict[str, list[Endpoint]] = defaultdict(list)
        self._servers_addresses: set[tuple[str, str, str | None]] = set()
        self.portal_routes: set[str | None] = set()
        for name, route, verdict in _each(verdicts):
            self._add_proof(endpoints[name], route, verdict)
        for name, route, verdict in _each(verdicts):
            endpoint = endpoints[name]
            is_servers = self.is_servers_page(endpoint.host, verdict.page)
            if verdict.outcome in PORTALS and not is_servers:
                self.portal_routes.add(route.proxy)
            self._add_page(endpoint, verdict)

    def _add_proof(self, endpoint: Endpoint, route: Route, verdict: Verdict) -> None:
        if verdict.is_servers_page:
            self._servers_pages.add((endpoint.host, verdict.page))
        is_document = verdict.outcome is Outcome.FINE and has_document(endpoint)
        if is_document or (verdict.is_servers_page and not is_empty(verdict.page)):
            self._vendors_pages.add(verdict.page)
        if verdict.chain is not None and verdict.chain.genuine:
            self._servers_addresses.add((endpoint.host, verdict.address, route.proxy))

    def _add_page(self, endpoint: Endpoint, verdict: Verdict) -> None:
        page = verdict.page
        # Where a redirect leads is judged by itself.
        if not page or is_redirect(page) or page in self._vendors_pages:
            return
        if verdict.outcome in PAGES:
            self.foreign_pages[page] = verdict.outcome
        if verdict.chain is None:
            self._endpoints_of_page[page].append(endpoint)

    def neighbour_with_page(self, endpoint: Endpoint, page: str) -> str:
        """Return an endpoint of an unrelated server that has the same page over HTTP; empty without."""
        for neighbour in self._endpoints_of_page.get(page, ()):
            if _are_unrelated(neighbour.host, endpoint.host):
                return neighbour.name
        return ""

    def is_at_address(self, endpoint: Endpoint, route: Route, verdict: Verdict) -> bool:
        """Return whether TLS proves that a server is at the address of a verdict."""
        return (endpoint.host, verdict.address, route.proxy) in self._servers_addresses

    def is_servers_page(self, host: str, page: str) -> bool:
        """Return whether a server sends the same page over genuine TLS."""
        return (host, page) in self._servers_pages


def compare_verdicts(
    verdicts: Verdicts, endpoints: Sequence[Endpoint]
) -> dict[str, list[RouteVerdict]]:
    """Return the verdicts of one host, corrected by what the others show."""
    by_name = {endpoint.name: endpoint for endpoint in endpoints}
    answers = _Answers(verdicts, by_name)
    compared: dict[str, list[RouteVerdict]] = {name: [] for name in verdicts}
    for name, route, verdict in _each(verdicts):
        compared[name].append((route, _compare(verdict, route, by_name[name], answers)))
    return compared


def _each(verdicts: Verdicts) -> Iterator[tuple[str, Route, Verdict]]:
    for name, route_verdicts in verdicts.items():
        for route, verdict in route_verdicts:
            yield name, route, verdict


def _are_unrelated(host: str, other: str) -> bool:
    """Return whether two servers have no reason to answer alike, as a user's mirrors have."""
    is_vendors = is_vendor_host(host) or is_vendor_host(other)
    return host != other and (is_vendors or site(host) != site(other))


def _compare(verdict: Verdict, route: Route, endpoint: Endpoint, answers: _Answers) -> Verdict:
    if verdict.behind_address is not None and answers.is_at_address(endpoint, route, verdict):
        arrived = dataclasses.replace(verdict.behind_address, evidence=verdict.evidence)
        verdict = _corrected(
            arrived,
            f"Its address, {verdict.address}, is not a public one, and TLS proves that the server "
            "is there.",
            arrived.outcome,
        )
    is_servers = answers.is_servers_page(endpoint.host, verdict.page)
    if verdict.outcome in DOUBTFUL and is_servers:
        return _corrected(
            verdict,
            "But the server answers the same over TLS, so it is its own.",
            _own_outcome(verdict.outcome, endpoint),
        )
    if verdict.outcome in ACCEPTED and verdict.chain is None and not is_servers:
        return _without_foreign_page(verdict, endpoint, answers)
    if verdict.outcome in BEHIND_A_PORTAL and route.proxy in answers.portal_routes:
        return _corrected(
            verdict,
            "A sign-in or block page answers for another server: see its finding first, then probe "
            "again.",
            verdict.outcome,
        )
    return verdict


def _without_foreign_page(verdict: Verdict, endpoint: Endpoint, answers: _Answers) -> Verdict:
    """Return the verdict on an answer over HTTP, corrected where another server has the same one."""
    page = verdict.page
    if page in answers.foreign_pages:
        return _corrected(
            verdict,
            "But the page is the same as that of another server: it is not the vendor's.",
            answers.foreign_pages[page],
        )
    neighbour = answers.neighbour_with_page(endpoint, page)
    if neighbour:
        return _corrected(
            verdict,
            f"But it is the same answer as that to {neighbour}, another server: a filter may answer "
            "for both.",
            Outcome.PAGE_NOT_KNOWN,
        )
    return verdict


def _own_outcome(outcome: Outcome, endpoint: Endpoint) -> Outcome:
    """Return what a doubtful answer is once it is known to be the server's."""
    if outcome is Outcome.ERROR_NOT_KNOWN:
        return Outcome.SERVER_ERROR
    return Outcome.WRONG_CONTENT if has_document(endpoint) else Outcome.FINE


def _corrected(verdict: Verdict, sentence: str, outcome: Outcome) -> Verdict:
    return dataclasses.replace(verdict, outcome=outcome, sentence=f"{verdict.sentence} {sentence}")
