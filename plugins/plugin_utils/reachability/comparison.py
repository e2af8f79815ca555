# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdicts on one host's endpoints in the light of each other.

A page that is not the vendor's at one server is not the vendor's at another one either. Where a
sign-in page answers for one server, it is also the likely cause that others fail. What a server
answers over genuine TLS is its own over HTTP as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from ..policy.endpoints import Endpoint
from ..proxy.routes import Route
from .answer import has_document
from .outcomes import Outcome, Verdict

PAGES = frozenset({Outcome.BLOCK_PAGE, Outcome.CAPTIVE_PORTAL})
BEHIND_A_PORTAL = frozenset({
    Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.RESET, Outcome.RESET_AT_NAME, Outcome.NO_TLS,
    Outcome.TLS_FAILED, Outcome.WRONG_NAME, Outcome.INTERCEPTED, Outcome.UNTRUSTED,
    Outcome.SINKHOLED, Outcome.NOT_RESOLVED,
})  # fmt: skip
"""Outcomes that a portal brings about as long as the user is not signed in."""

RouteVerdict = tuple[Route, Verdict]
Verdicts = Mapping[str, Sequence[RouteVerdict]]
"""The verdicts over each route to an endpoint, by the endpoint's name."""


class _Answers:
    """What is known of the answers of all endpoints together."""

    def __init__(self, verdicts: Verdicts, endpoints: Mapping[str, Endpoint]) -> None:
        self._servers_pages: set[tuple[str, str]] = set()
        self.foreign_pages: dict[str, Outcome] = {}
        self.portal_routes: set[str | None] = set()
        for name, _route, verdict in _each(verdicts):
            if verdict.is_servers_page:
                self._servers_pages.add((endpoints[name].host, verdict.page))
        genuine = {page for _host, page in self._servers_pages}
        for _name, route, verdict in _each(verdicts):
            if verdict.page and verdict.outcome in PAGES and verdict.page not in genuine:
                self.foreign_pages[verdict.page] = verdict.outcome
            if verdict.outcome is Outcome.CAPTIVE_PORTAL:
                self.portal_routes.add(route.proxy)

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


def _compare(verdict: Verdict, route: Route, endpoint: Endpoint, answers: _Answers) -> Verdict:
    outcome, page = verdict.outcome, verdict.page
    if outcome in (Outcome.FINE, Outcome.PAGE_NOT_KNOWN) and page in answers.foreign_pages:
        return _corrected(
            verdict,
            "But the page is the same as that of another server: it is not the vendor's.",
            answers.foreign_pages[page],
        )
    is_doubtful = outcome in (Outcome.BLOCK_PAGE, Outcome.PAGE_NOT_KNOWN)
    if is_doubtful and answers.is_servers_page(endpoint.host, page):
        return _corrected(
            verdict,
            "But the server answers the same over TLS, so it is its own.",
            Outcome.WRONG_CONTENT if has_document(endpoint) else Outcome.FINE,
        )
    if outcome in BEHIND_A_PORTAL and route.proxy in answers.portal_routes:
        return _corrected(
            verdict,
            "A sign-in page answers for another server, so sign in first, then probe again.",
            outcome,
        )
    return verdict


def _corrected(verdict: Verdict, sentence: str, outcome: Outcome) -> Verdict:
    return dataclasses.replace(verdict, outcome=outcome, sentence=f"{verdict.sentence} {sentence}")
