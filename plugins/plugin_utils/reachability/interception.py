# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who intercepts the TLS connections to the vendor: judged over all endpoints of a host together.

Proof is a root that is not public. Strong evidence is an issuer with an inspector's name whose root
was not sent, or another document in place of a public one of the vendor. Weak signs (no timestamps
of logs, no address of the issuer, a long life) are mentioned and never make a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..declaration import Judgement
from ..finding import Contact, Status
from ..policy.endpoints import Endpoint
from ..text import join_words
from .chain import ChainReport, Root
from .comparison import Verdicts
from .outcomes import Outcome, Verdict
from .products import CONTACTS
from .roots import RootList

ALTERED = frozenset({Outcome.BLOCK_PAGE, Outcome.WRONG_CONTENT})


@dataclass
class _Evidence:
    """What the verdicts prove, by endpoint."""

    intercepted: dict[str, ChainReport] = field(default_factory=dict)
    suspected: dict[str, ChainReport] = field(default_factory=dict)
    another_server: list[str] = field(default_factory=list)
    genuine: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    not_genuine: list[str] = field(default_factory=list)

    @property
    def proven(self) -> dict[str, ChainReport]:
        """Those where the root proves it."""
        return {
            name: chain for name, chain in self.intercepted.items() if chain.root is Root.PRIVATE
        }

    @property
    def issuer_ids(self) -> list[str]:
        """The keys of the intercepting issuers, by which hosts are compared."""
        ids: set[str] = set()
        for chain in self.intercepted.values():
            ids.update(chain.issuer_ids)
        return sorted(ids)

    @property
    def places(self) -> list[str]:
        """Where the products run whose names are known."""
        products = [chain.product for chain in self.intercepted.values() if chain.product]
        return sorted({product.place.value for product in products})

    @property
    def doubtful(self) -> list[str]:
        """The endpoints that keep interception from being ruled out."""
        return [
            *self.altered,
            *sorted(self.suspected),
            *self.another_server,
            *self.not_genuine,
            *self.not_judged,
        ]

    def to_wire(self) -> dict[str, Any]:
        """Return the evidence of the finding."""
        proof, strong = {}, {}
        for name, chain in self.intercepted.items():
            if chain.root is Root.PRIVATE:
                proof[name] = f"private root: {chain.issuer}"
            else:
                strong[name] = f"an inspector's name: {chain.issuer}"
        strong.update(dict.fromkeys(self.altered, "not the vendor's document"))
        return {
            "proof": proof,
            "strong": strong,
            "weak": {name: list(chain.weak_signs) for name, chain in self.suspected.items()},
            "issuer_ids": self.issuer_ids,
            "product_places": self.places,
            "another_server": self.another_server,
            "genuine": self.genuine,
            "not_judged": self.not_judged,
            "not_genuine": self.not_genuine,
        }


def judge_interception(
    verdicts: Verdicts, endpoints: Sequence[Endpoint], roots: RootList
) -> Judgement:
    """Judge the verdicts on all endpoints, by the endpoints' names. roots is the list that counted."""
    evidence = _collect(verdicts, endpoints)
    if evidence.intercepted:
        status, sentence = Status.FAIL, _interception(evidence)
    else:
        status, sentence = _no_interception(evidence)
    if evidence.altered:
        status = Status.FAIL if status is Status.FAIL else Status.UNKNOWN
        sentence += (
            f" The answer from {join_words(evidence.altered)} is not the vendor's document: "
            "something answers in its place, or the vendor has changed it."
        )
    judgement = Judgement(status, sentence, {**evidence.to_wire(), "roots": roots.to_wire()})
    if status is Status.FAIL:
        return _advise(judgement, evidence)
    # What an endpoint came to keeps this from being judged.
    return judgement.follow(f"reach.{evidence.doubtful[0]}" if evidence.doubtful else "")


def _advise(judgement: Judgement, evidence: _Evidence) -> Judgement:
    """Return the judgement with who exempts which servers from the inspection."""
    names = join_words(sorted(evidence.intercepted))
    issuers = join_words(sorted({_issuer(chain) for chain in evidence.intercepted.values()}))
    contacts = set()
    for chain in evidence.intercepted.values():
        contacts.add(CONTACTS[chain.product.place] if chain.product else Contact.FIREWALL)
    contact = contacts.pop() if len(contacts) == 1 else Contact.FIREWALL
    return judgement.advise(
        f"Exempt the servers of {names} from the TLS inspection by {issuers}.", contact
    )


def _collect(verdicts: Verdicts, endpoints: Sequence[Endpoint]) -> _Evidence:
    evidence = _Evidence()
    servers_pages = _servers_pages(verdicts)
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.name):
        name = endpoint.name
        endpoint_verdicts = [verdict for _route, verdict in verdicts[name]]
        if _is_altered(endpoint_verdicts, servers_pages):
            evidence.altered.append(name)
        if endpoint.scheme == "https" and not _all_judged(endpoint_verdicts):
            evidence.not_judged.append(name)
        _classify(name, endpoint_verdicts, evidence)
    return evidence


def _classify(name: str, verdicts: Sequence[Verdict], evidence: _Evidence) -> None:
    """Add an endpoint to what its certificates prove; not where it has none."""
    chains = [verdict.chain for verdict in verdicts if verdict.chain]
    if not chains:
        return
    is_genuine = _is_genuine(verdicts)
    if is_genuine:
        evidence.genuine.append(name)
    intercepted = _first_chain(verdicts, Outcome.INTERCEPTED)
    suspected = _first_chain(verdicts, Outcome.UNTRUSTED)
    is_another_server = not all(chain.name_matches for chain in chains)
    if intercepted:
        evidence.intercepted[name] = intercepted
    if suspected:
        evidence.suspected[name] = suspected
    if is_another_server:
        evidence.another_server.append(name)
    if not any((is_genuine, intercepted, suspected, is_another_server)):
        evidence.not_genuine.append(name)


def _is_genuine(verdicts: Sequence[Verdict]) -> bool:
    return all(
        verdict.chain and verdict.chain.is_public and verdict.outcome is not Outcome.UNTRUSTED
        for verdict in verdicts
    )


def _first_chain(verdicts: Sequence[Verdict], outcome: Outcome) -> ChainReport | None:
    for verdict in verdicts:
        if verdict.outcome is outcome and verdict.chain:
            return verdict.chain
    return None


def _all_judged(verdicts: Sequence[Verdict]) -> bool:
    return bool(verdicts) and all(verdict.chain for verdict in verdicts)


def _is_altered(verdicts: Sequence[Verdict], servers_pages: set[str]) -> bool:
    """Return whether something else came over HTTP in place of a known document."""
    for verdict in verdicts:
        is_foreign = verdict.chain is None and verdict.page not in servers_pages
        if is_foreign and verdict.outcome in ALTERED:
            return True
    return False


def _servers_pages(verdicts: Verdicts) -> set[str]:
    pages = set()
    for route_verdicts in verdicts.values():
        for _route, verdict in route_verdicts:
            if verdict.is_servers_page:
                pages.add(verdict.page)
    return pages


def _interception(evidence: _Evidence) -> str:
    issuers = sorted({_issuer(chain) for chain in evidence.intercepted.values()})
    sentence = (
        f"TLS is intercepted on the connections to {join_words(sorted(evidence.intercepted))} by "
        f"{'; '.join(issuers)}."
    )
    highest = {chain.issuer_ids[0] for chain in evidence.intercepted.values()}
    if len(evidence.intercepted) > 1 and len(highest) == 1:
        sentence += " Everywhere by the same issuer."
    if not evidence.proven:
        sentence += (
            " The root was not sent, so this rests on the issuer's name: strong evidence, and no "
            "proof."
        )
    return sentence


def _issuer(chain: ChainReport) -> str:
    return f"{chain.issuer} ({chain.product.name})" if chain.product else chain.issuer


def _no_interception(evidence: _Evidence) -> tuple[Status, str]:
    sentences = _doubts(evidence)
    if evidence.genuine:
        certificates = f"The certificates of {join_words(evidence.genuine)} lead to public roots."
        status = Status.UNKNOWN if sentences else Status.PASS
        return status, " ".join([certificates, *sentences])
    if not sentences:
        return Status.NOT_APPLICABLE, "No endpoint is asked over TLS."
    return Status.UNKNOWN, " ".join(sentences)


def _doubts(evidence: _Evidence) -> list[str]:
    """Return a sentence for each reason why interception is not ruled out."""
    sentences = []
    if evidence.suspected:
        sentences.append(
            f"Who issued the certificates of {join_words(sorted(evidence.suspected))} could not be "
            "determined, and that is not proof of interception, nor of its absence."
        )
    if evidence.another_server:
        sentences.append(
            f"Another server than the vendor's answers for {join_words(evidence.another_server)}."
        )
    if evidence.not_genuine:
        sentences.append(
            f"What {join_words(evidence.not_genuine)} sent is too little to tell whether it leads "
            "to a public root; its own finding has more."
        )
    if evidence.not_judged:
        sentences.append(
            f"No TLS came about with {join_words(evidence.not_judged)}, so nothing can be said "
            "about interception there."
        )
    return sentences
