# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who opens the TLS connections to the vendor: judged over all endpoints of a host together.

Proof is a root that is not public. Strong evidence is an issuer that goes by an inspector's name where no root was sent, or a
public document of the vendor that does not come as it is. Weak signs (no timestamps of logs, no address of the issuer, a long
life) are told and never make a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..declaration import Judgement
from ..finding import Status
from .certificate import Judgement as Chain
from .certificate import Root
from .kinds import Kind, Outcome

ALTERED = frozenset({Kind.BLOCK_PAGE, Kind.WRONG_CONTENT})

Chains = Mapping[str, Sequence[tuple[Outcome, Chain]]]


def judge(seen: Mapping[str, Sequence[Outcome]], encrypted: Collection[str]) -> Judgement:
    """Judge the outcomes of all endpoints, by the endpoints' names; encrypted are those that are asked over TLS."""
    judged = {name: [(found, found.chain) for found in outcomes if found.chain] for name, outcomes in seen.items()}
    chains = {name: pairs for name, pairs in judged.items() if pairs}
    caught = _first(chains, lambda found, _chain: found.kind is Kind.INTERCEPTED)
    proven = {name: chain for name, chain in caught.items() if chain.root is Root.PRIVATE}
    named = {name: chain for name, chain in caught.items() if name not in proven}
    suspected = _first(chains, lambda found, _chain: found.kind is Kind.UNTRUSTED)
    strangers = sorted(_first(chains, lambda _found, chain: not chain.name_matches))
    genuine = sorted(name for name, outcomes in seen.items() if outcomes and all(_genuine(found.chain) for found in outcomes))
    own = {found.page for outcomes in seen.values() for found in outcomes if found.own_page}
    altered = sorted(
        name
        for name, outcomes in seen.items()
        if any(found.kind in ALTERED and found.chain is None and found.page not in own for found in outcomes)
    )
    evidence: dict[str, Any] = {
        "proof": {name: f"private root: {chain.issuer}" for name, chain in sorted(proven.items())},
        "strong": {
            **{name: f"an inspector's name: {chain.issuer}" for name, chain in sorted(named.items())},
            **dict.fromkeys(altered, "not the vendor's document"),
        },
        "weak": {name: list(chain.supports) for name, chain in sorted(suspected.items())},
        "issuer_ids": sorted({chain.issuer_id for chain in caught.values()}),
        "another_server": strangers,
        "genuine": genuine,
        "not_judged": sorted(name for name in encrypted if not all(found.chain for found in seen[name]) or not seen[name]),
        "not_genuine": sorted(set(chains) - set(genuine) - set(caught) - set(suspected) - set(strangers)),
    }
    status, sentence = _verdict(caught, proven, suspected, strangers, genuine, evidence)
    if altered:
        status = Status.FAIL if status is Status.FAIL else Status.UNKNOWN
        sentence += f" Not the vendor's own answer came from {', '.join(altered)}: somebody answers in its place."
    return Judgement(status, sentence, evidence)


def _verdict(
    caught: Mapping[str, Chain],
    proven: Mapping[str, Chain],
    suspected: Mapping[str, Chain],
    strangers: Sequence[str],
    genuine: Sequence[str],
    evidence: Mapping[str, Any],
) -> tuple[Status, str]:
    if caught:
        issuers = sorted({chain.issuer + (f" ({chain.product})" if chain.product else "") for chain in caught.values()})
        everywhere = " Everywhere by the same issuer." if len(caught) > 1 and len(evidence["issuer_ids"]) == 1 else ""
        certain = "" if proven else " The root was not sent, so this rests on the issuer's name: strong evidence, and no proof."
        return (
            Status.FAIL,
            f"TLS is opened on the way to {', '.join(sorted(caught))} by {'; '.join(issuers)}.{everywhere}{certain}",
        )
    sentences = []
    if suspected:
        sentences.append(
            f"The certificates of {', '.join(sorted(suspected))} lead to no public root, and that is no proof of interception, nor of its absence."
        )
    if strangers:
        sentences.append(f"Another server than the vendor's answers for {', '.join(strangers)}.")
    if evidence["not_genuine"]:
        sentences.append(
            f"What {', '.join(evidence['not_genuine'])} sent is too little to tell whether it leads to a public root; its own finding has more."
        )
    if evidence["not_judged"]:
        sentences.append(
            f"No TLS came about with {', '.join(evidence['not_judged'])}, so nothing can be said about interception there."
        )
    if genuine:
        sentences.insert(0, f"The certificates of {', '.join(genuine)} lead to public roots.")
    if not sentences:
        return Status.NOT_APPLICABLE, "No endpoint is asked over TLS."
    return Status.PASS if len(sentences) == 1 and genuine else Status.UNKNOWN, " ".join(sentences)


def _first(chains: Chains, wanted: Any) -> dict[str, Chain]:
    """Return, by endpoint, the first chain that is wanted."""
    found = {}
    for name, pairs in chains.items():
        chain = next((chain for outcome, chain in pairs if wanted(outcome, chain)), None)
        if chain is not None:
            found[name] = chain
    return found


def _genuine(chain: Chain | None) -> bool:
    """Return whether a public authority gave the server this certificate; its dates do not matter, nor does the PC's clock."""
    return chain is not None and chain.root is Root.PUBLIC and chain.verified and chain.name_matches
