# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which login a proxy wants, learnt by asking it: what it answered to the probes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..finding import Control, Finding, Severity, Status
from ..policy import Policy
from ..snapshot import Snapshot
from . import effective

CONTROL = Control(
    "proxy.login",
    "The proxy takes the PC user's own login, or none",
    Severity.HIGH,
    "ETS6 supports a proxy with a login only if the proxy's user is the PC's user: Windows hands that login over by Negotiate, Kerberos or NTLM.",
    "Have the proxy offer Negotiate, Kerberos or NTLM, or let the vendor's servers through without a login.",
)
NATIVE_SCHEMES = frozenset({"negotiate", "kerberos", "ntlm"})


def judge(snapshot: Snapshot, policy: Policy) -> Finding:
    """Judge what proxies answered to the probes: 407 names the schemes (RFC 9110, 15.5.8 and 11.7.1)."""
    ways = effective.ways(snapshot, policy.endpoints)
    used = {(name, way.way) for name, found in ways.items() for way in found if way.way}
    if not used:
        if any(way.way is None for found in ways.values() for way in found):
            return Finding(CONTROL, Status.UNKNOWN, "Which proxy ETS6 uses cannot be told, see proxy.effective.")
        return Finding(CONTROL, Status.NOT_APPLICABLE, "No endpoint is reached through a proxy.")
    if snapshot.offline:
        return Finding(CONTROL, Status.NOT_APPLICABLE, "An image reaches no proxy; ask a PC that was made from it.")
    # Probes over another way than ETS6's are those from before a change.
    proxied = [probe for probe in snapshot.probes or () if (probe["name"], probe["way"]) in used]
    if not proxied:
        return Finding(CONTROL, Status.UNKNOWN, f"The proxy {listed(way for _name, way in used)} was not asked.")
    heard = _Heard.of(proxied)
    evidence = {way: sorted(found) for way, found in sorted(heard.schemes.items())}
    if not heard.answered:
        return Finding(CONTROL, Status.UNKNOWN, _no_answer(probe["way"] for probe in proxied))
    if heard.refused:
        way, users = sorted(heard.refused.items())[0]
        return Finding(
            CONTROL,
            Status.FAIL,
            f"The proxy {way} does not take the Windows login of {listed(users)}, which is what ETS6 hands over. Have the proxy let that user through.",
            {**evidence, "refused": {way: sorted(users) for way, users in sorted(heard.refused.items())}},
        )
    unfit = {way: found for way, found in heard.schemes.items() if not found & NATIVE_SCHEMES}
    if unfit:
        way, found = sorted(unfit.items())[0]
        offers = ", ".join(sorted(found)) or "no scheme at all"
        return Finding(
            CONTROL,
            Status.FAIL,
            f"The proxy {way} asks for a login and offers {offers}; ETS6 can only hand over the PC user's own login, by Negotiate, Kerberos or NTLM. "
            "Have the proxy offer one of these, or let the vendor's servers through without a login.",
            evidence,
        )
    if unclear := heard.asked_by_user - heard.taken.keys():
        why = "it lets that user through no further than to itself"
        reason = f"Whether the proxy {listed(unclear)} takes the user's Windows login is not known: {why}."
        return Finding(CONTROL, Status.UNKNOWN, reason, evidence)
    if silent := {way for _name, way in used} - heard.answered:
        return Finding(CONTROL, Status.UNKNOWN, _no_answer(silent), evidence)
    if heard.schemes:
        offers = "; ".join(f"{way}: {', '.join(found)}" for way, found in evidence.items())
        return Finding(
            CONTROL,
            Status.PASS,
            f"The proxy asks for a login and offers what Windows can answer ({offers}). It works only if the proxy's user is the PC's user; "
            f"this connection has no such login, so that was not proven{_why_not(snapshot, policy)}.",
            evidence,
        )
    if heard.taken:
        return Finding(
            CONTROL,
            Status.PASS,
            f"The proxy {listed(heard.taken)} wants a login and takes the Windows login of {listed(set().union(*heard.taken.values()))}, "
            "which ETS6 hands over.",
            {"taken": {way: sorted(users) for way, users in sorted(heard.taken.items())}},
        )
    return Finding(CONTROL, Status.PASS, f"The proxy {listed(heard.answered)} asks for no login.")


@dataclass(frozen=True)
class _Heard:
    """What proxies answered, by way: the schemes of those that want a login, and which users' own login was taken or refused."""

    answered: set[str] = field(default_factory=set)
    asked_by_user: set[str] = field(default_factory=set)
    schemes: dict[str, set[str]] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)
    refused: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, probes: Iterable[Mapping[str, Any]]) -> _Heard:
        heard = cls()
        for probe in probes:
            way, user = str(probe["way"]), str(probe.get("user") or "")
            if user:
                heard.asked_by_user.add(way)
            for stage in ("connect", "http"):
                answer = probe.get(stage)
                if not isinstance(answer, Mapping) or not isinstance(answer.get("status"), int):
                    continue
                status = answer["status"]
                heard.answered.add(way)
                if status == 407:
                    heard.schemes.setdefault(way, set()).update(offered(answer.get("headers")))
                if user and status == 407:
                    heard.refused.setdefault(way, set()).add(user)
                elif user and (probe.get("tls") or (stage == "http" and 200 <= status < 300)):
                    heard.taken.setdefault(way, set()).add(user)
        return heard


def _no_answer(ways: Iterable[Any]) -> str:
    return f"The proxy {listed(ways)} gave no answer, so whether it wants a login is not known."


def _why_not(snapshot: Snapshot, policy: Policy) -> str:
    if policy.probe_as != "user":
        return "; with ets6_network_probe_as user it is, where such a user is logged on"
    return f": {snapshot.errors.get('session', 'not one user whose proxy it is is logged on, or several are')}"


def offered(headers: Any) -> set[str]:
    """Return the schemes of all Proxy-Authenticate headers, in lower case; one header may name several, with parameters."""
    found: set[str] = set()
    for header in headers if isinstance(headers, (list, tuple)) else ():
        if not (isinstance(header, (list, tuple)) and len(header) == 2 and all(isinstance(part, str) for part in header)):
            continue
        if header[0].lower() == "proxy-authenticate":
            # RFC 9110, 11.6.1: a comma may stand in a quoted parameter, too.
            unquoted = re.sub(r'"(?:[^"\\]|\\.)*"?', "", header[1][:4096])
            for challenge in unquoted.split(","):
                scheme = re.match(r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,40})(?:\s+[^\s=]|\s*$)", challenge)
                if scheme:
                    found.add(scheme[1].lower())
    return found


def listed(items: Iterable[Any]) -> str:
    """Return items as a list in a sentence, each once and in order."""
    return ", ".join(sorted({str(item) for item in items}))
