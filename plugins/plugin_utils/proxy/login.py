# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which login a proxy asks for, by what it answered to the probes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..probes import HttpAnswer, Probe
from ..text import join_words
from .context import ProxyContext

NATIVE_SCHEMES = frozenset({"negotiate", "kerberos", "ntlm"})
"""The schemes by which Windows gives a proxy the login of its user."""
LOGIN_REQUIRED = 407
MAX_HEADER = 4096

_SCHEME = re.compile(r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,40})(?:\s+[^\s=]|\s*$)")


def judge_login(context: ProxyContext) -> Judgement:
    """Judge what proxies answered to the probes: 407 names the schemes (RFC 9110, 15.5.8, 11.7.1)."""
    in_use = _proxies_in_use(context)
    if not in_use:
        return _judge_without_proxy(context)
    proxies = sorted({proxy for _name, proxy in in_use})
    # Probes over other routes are those from before a change.
    probes = [probe for probe in context.snapshot.probes or () if probe.key in in_use]
    if not probes:
        return unknown(f"The proxy {join_words(proxies)} was not asked.")
    answers = _ProxyAnswers.of_probes(probes)
    if not answers.answering:
        return _unanswered(probe.route for probe in probes)
    return _problem(answers, proxies) or _success(answers, context)


def offered(answer: HttpAnswer) -> set[str]:
    """Return the schemes of all Proxy-Authenticate headers, in lower case.

    One header may name several, with parameters.
    """
    schemes: set[str] = set()
    for name, value in answer.headers:
        if name.lower() != "proxy-authenticate":
            continue
        # RFC 9110, 11.6.1: a quoted parameter may contain a comma, too.
        unquoted = re.sub(r'"(?:[^"\\]|\\.)*"?', "", value[:MAX_HEADER])
        for challenge in unquoted.split(","):
            scheme = _SCHEME.match(challenge)
            if scheme:
                schemes.add(scheme[1].lower())
    return schemes


def _judge_without_proxy(context: ProxyContext) -> Judgement:
    for routes in context.routes.values():
        for route in routes:
            if route.proxy is None:
                judgement = unknown(
                    "Which proxy ETS6 uses could not be determined, see proxy.effective."
                )
                return judgement.follow("proxy.effective")
    return not_applicable("No endpoint is reached through a proxy.")


@dataclass(frozen=True)
class _ProxyAnswers:
    """What proxies answered.

    answering and asked_by_user are proxies. schemes are those of proxies that ask for a login; taken
    and refused the users whose own login was, by proxy.
    """

    answering: set[str] = field(default_factory=set)
    asked_by_user: set[str] = field(default_factory=set)
    schemes: dict[str, set[str]] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)
    refused: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of_probes(cls, probes: Iterable[Probe]) -> _ProxyAnswers:
        answers = cls()
        for probe in probes:
            if probe.user:
                answers.asked_by_user.add(probe.route)
            for answer in (probe.connect, probe.http):
                if answer is not None:
                    answers.answering.add(probe.route)
                    answers._add(probe, answer)
        return answers

    def _add(self, probe: Probe, answer: HttpAnswer) -> None:
        route, user = probe.route, probe.user
        if answer.status == LOGIN_REQUIRED:
            self.schemes.setdefault(route, set()).update(offered(answer))
            if user:
                self.refused.setdefault(route, set()).add(user)
            return
        reached = answer is probe.http and 200 <= answer.status < 300
        if user and (probe.tls or reached):
            self.taken.setdefault(route, set()).add(user)

    @property
    def evidence(self) -> dict[str, Any]:
        """The schemes by proxy."""
        return _sorted(self.schemes)


def _problem(answers: _ProxyAnswers, proxies: Iterable[str]) -> Judgement | None:
    """Return the judgement where a proxy refuses, cannot be used, or could not be judged."""
    if answers.refused:
        proxy, users = sorted(answers.refused.items())[0]
        names = join_words(sorted(users))
        judgement = failed(
            f"The proxy {proxy} does not take the Windows login of {names}, "
            "which is what ETS6 uses.",
            {**answers.evidence, "refused": _sorted(answers.refused)},
        )
        return judgement.advise(f"Have the proxy {proxy} let {names} through.")
    for proxy, schemes in answers.evidence.items():
        if NATIVE_SCHEMES.isdisjoint(schemes):
            judgement = failed(
                f"The proxy {proxy} asks for a login and offers "
                f"{', '.join(schemes) or 'no scheme at all'}; ETS6 can only use the PC user's own "
                "login, by Negotiate, Kerberos or NTLM.",
                answers.evidence,
            )
            return judgement.advise(
                f"Have the proxy {proxy} offer Negotiate, Kerberos or NTLM, or let the vendor's "
                "servers through without a login."
            )
    unclear = answers.asked_by_user - answers.taken.keys()
    if unclear:
        names = join_words(sorted(unclear))
        judgement = unknown(
            f"Whether the proxy {names} takes the user's Windows login could "
            "not be determined: that user reached no server behind it.",
            answers.evidence,
        )
        return judgement.advise(
            f"Let the proxy {names} reach the vendor's servers, and verify again."
        )
    silent = set(proxies) - answers.answering
    return _unanswered(silent, answers.evidence) if silent else None


def _success(answers: _ProxyAnswers, context: ProxyContext) -> Judgement:
    if answers.schemes:
        offers = []
        for proxy, schemes in answers.evidence.items():
            offers.append(f"{proxy}: {', '.join(schemes)}")
        return passed(
            "The proxy asks for a login and offers what Windows can answer "
            f"({'; '.join(offers)}). It works only if the proxy's user is the PC's user; this "
            f"connection has no such login, so that was not proven{_why_not_proven(context)}.",
            answers.evidence,
        )
    if answers.taken:
        users = sorted(set().union(*answers.taken.values()))
        return passed(
            f"The proxy {join_words(sorted(answers.taken))} asks for a login and takes the Windows "
            f"login of {join_words(users)}, which ETS6 uses.",
            {"taken": _sorted(answers.taken)},
        )
    return passed(f"The proxy {join_words(sorted(answers.answering))} asks for no login.")


def _proxies_in_use(context: ProxyContext) -> set[tuple[str, str]]:
    """Return the proxies of all routes, each with the name of its endpoint."""
    in_use: set[tuple[str, str]] = set()
    for name, routes in context.routes.items():
        for route in routes:
            if route.proxy:
                in_use.add((name, route.proxy))
    return in_use


def _unanswered(proxies: Iterable[str], evidence: Mapping[str, Any] | None = None) -> Judgement:
    names = join_words(sorted(set(proxies)))
    judgement = unknown(
        f"The proxy {names} gave no answer, so whether it asks for a login could not be determined.",
        evidence,
    )
    return judgement.advise(f"Let the PC connect to the proxy {names}, and verify again.")


def _why_not_proven(context: ProxyContext) -> str:
    if context.policy.probe_as != "user":
        return "; with ets6_network_probe_as user it is, where such a user is logged on"
    default = "none or several of the users who have this proxy are logged on"
    return f": {context.snapshot.errors.get('session', default)}"


def _sorted(sets: Mapping[str, Set[str]]) -> dict[str, list[str]]:
    return {key: sorted(values) for key, values in sorted(sets.items())}
