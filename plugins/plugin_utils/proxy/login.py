# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which login a proxy wants, learnt by asking it: what it answered to the probes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..policy.variables import Policy
from ..probes import HttpAnswer, Probe
from ..snapshot import Snapshot
from ..text import join_words
from .context import ProxyContext

NATIVE_SCHEMES = frozenset({"negotiate", "kerberos", "ntlm"})


def judge(context: ProxyContext) -> Judgement:
    """Judge what proxies answered to the probes: 407 names the schemes (RFC 9110, 15.5.8 and 11.7.1)."""
    snapshot, policy, ways = context.snapshot, context.policy, context.ways
    used = {(name, way.way) for name, found in ways.items() for way in found if way.way}
    if not used:
        if any(way.way is None for found in ways.values() for way in found):
            return unknown("Which proxy ETS6 uses cannot be told, see proxy.effective.")
        return not_applicable("No endpoint is reached through a proxy.")
    # Probes over another way than ETS6's are those from before a change.
    proxied = [probe for probe in snapshot.probes or () if probe.key in used]
    if not proxied:
        return unknown(f"The proxy {join_words(sorted({way for _name, way in used}))} was not asked.")
    heard = _Heard.of(proxied)
    evidence = {way: sorted(found) for way, found in sorted(heard.schemes.items())}
    if not heard.answered:
        return unknown(_no_answer(probe.route for probe in proxied))
    if heard.refused:
        way, users = sorted(heard.refused.items())[0]
        return failed(f"The proxy {way} does not take the Windows login of {join_words(sorted(users))}, which is what ETS6 hands over. Have the proxy let that user through.",
            {**evidence, "refused": {way: sorted(users) for way, users in sorted(heard.refused.items())}},
        )
    unfit = {way: found for way, found in heard.schemes.items() if not found & NATIVE_SCHEMES}
    if unfit:
        way, found = sorted(unfit.items())[0]
        offers = ", ".join(sorted(found)) or "no scheme at all"
        return failed(f"The proxy {way} asks for a login and offers {offers}; ETS6 can only hand over the PC user's own login, by Negotiate, Kerberos or NTLM. "
            "Have the proxy offer one of these, or let the vendor's servers through without a login.",
            evidence,
        )
    if unclear := heard.asked_by_user - heard.taken.keys():
        why = "it lets that user through no further than to itself"
        reason = f"Whether the proxy {join_words(sorted(unclear))} takes the user's Windows login is not known: {why}."
        return unknown(reason, evidence)
    if silent := {way for _name, way in used} - heard.answered:
        return unknown(_no_answer(silent), evidence)
    if heard.schemes:
        offers = "; ".join(f"{way}: {', '.join(found)}" for way, found in evidence.items())
        return passed(f"The proxy asks for a login and offers what Windows can answer ({offers}). It works only if the proxy's user is the PC's user; "
            f"this connection has no such login, so that was not proven{_why_not(snapshot, policy)}.",
            evidence,
        )
    if heard.taken:
        return passed(f"The proxy {join_words(sorted(heard.taken))} wants a login and takes the Windows login of {join_words(sorted(set().union(*heard.taken.values())))}, "
            "which ETS6 hands over.",
            {"taken": {way: sorted(users) for way, users in sorted(heard.taken.items())}},
        )
    return passed(f"The proxy {join_words(sorted(heard.answered))} asks for no login.")


@dataclass(frozen=True)
class _Heard:
    """What proxies answered, by way: the schemes of those that want a login, and which users' own login was taken or refused."""

    answered: set[str] = field(default_factory=set)
    asked_by_user: set[str] = field(default_factory=set)
    schemes: dict[str, set[str]] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)
    refused: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, probes: Iterable[Probe]) -> _Heard:
        heard = cls()
        for probe in probes:
            if probe.user:
                heard.asked_by_user.add(probe.route)
            for answer in (probe.connect, probe.http):
                if answer is not None:
                    heard.answered.add(probe.route)
                    heard._add(probe, answer)
        return heard

    def _add(self, probe: Probe, answer: HttpAnswer) -> None:
        route, user = probe.route, probe.user
        if answer.status == 407:
            self.schemes.setdefault(route, set()).update(offered(answer))
            if user:
                self.refused.setdefault(route, set()).add(user)
            return
        reached = answer is probe.http and 200 <= answer.status < 300
        if user and (probe.tls or reached):
            self.taken.setdefault(route, set()).add(user)


def _no_answer(ways: Iterable[Any]) -> str:
    return f"The proxy {join_words(sorted(set(ways)))} gave no answer, so whether it wants a login is not known."


def _why_not(snapshot: Snapshot, policy: Policy) -> str:
    if policy.probe_as != "user":
        return "; with ets6_network_probe_as user it is, where such a user is logged on"
    return f": {snapshot.errors.get('session', 'not one user whose proxy it is is logged on, or several are')}"


def offered(answer: HttpAnswer) -> set[str]:
    """Return the schemes of all Proxy-Authenticate headers, in lower case.

    One header may name several, with parameters.
    """
    schemes: set[str] = set()
    for name, value in answer.headers:
        if name.lower() != "proxy-authenticate":
            continue
        # RFC 9110, 11.6.1: a comma may stand in a quoted parameter, too.
        unquoted = re.sub(r'"(?:[^"\\]|\\.)*"?', "", value[:4096])
        for challenge in unquoted.split(","):
            scheme = re.match(
                r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,40})(?:\s+[^\s=]|\s*$)", challenge
            )
            if scheme:
                schemes.add(scheme[1].lower())
    return schemes
