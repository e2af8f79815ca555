# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which login a proxy wants, learnt by asking it: what it answered to the probes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
    schemes: dict[str, set[str]] = {}
    answered = set()
    taken: dict[str, set[str]] = {}
    refused: dict[str, set[str]] = {}
    for probe in proxied:
        for stage in ("connect", "http"):
            answer = probe.get(stage)
            if isinstance(answer, Mapping) and isinstance(answer.get("status"), int):
                answered.add(str(probe["way"]))
                if probe.get("user") and answer["status"] == 407:
                    refused.setdefault(str(probe["way"]), set()).add(str(probe["user"]))
                elif probe.get("user") and (probe.get("tls") or (stage == "http" and 200 <= answer["status"] < 300)):
                    taken.setdefault(str(probe["way"]), set()).add(str(probe["user"]))
                if answer["status"] == 407:
                    schemes.setdefault(str(probe["way"]), set()).update(offered(answer.get("headers")))
    evidence = {way: sorted(found) for way, found in sorted(schemes.items())}
    if not answered:
        return Finding(
            CONTROL,
            Status.UNKNOWN,
            f"The proxy {listed(probe['way'] for probe in proxied)} gave no answer, so whether it wants a login is not known.",
        )
    if refused:
        way, users = sorted(refused.items())[0]
        return Finding(
            CONTROL,
            Status.FAIL,
            f"The proxy {way} does not take the Windows login of {listed(users)}, which is what ETS6 hands over. Have the proxy let that user through.",
            {**evidence, "refused": {way: sorted(users) for way, users in sorted(refused.items())}},
        )
    unclear = {str(probe["way"]) for probe in proxied if probe.get("user")} - set(taken)
    if unclear and not any(not found & NATIVE_SCHEMES for found in schemes.values()):
        why = "it lets that user through no further than to itself"
        return Finding(
            CONTROL,
            Status.UNKNOWN,
            f"Whether the proxy {listed(unclear)} takes the user's Windows login is not known: {why}.",
            evidence,
        )
    silent = {way for _name, way in used} - answered
    if silent and not any(not found & NATIVE_SCHEMES for found in schemes.values()):
        return Finding(
            CONTROL,
            Status.UNKNOWN,
            f"The proxy {listed(silent)} gave no answer, so whether it wants a login is not known.",
            evidence,
        )
    if taken and not schemes:
        users = {name for names in taken.values() for name in names}
        return Finding(
            CONTROL,
            Status.PASS,
            f"The proxy {listed(taken)} wants a login and takes the Windows login of {listed(users)}, which ETS6 hands over.",
            {"taken": {way: sorted(users) for way, users in sorted(taken.items())}},
        )
    if not schemes:
        return Finding(CONTROL, Status.PASS, f"The proxy {listed(answered)} asks for no login.")
    unfit = {way: found for way, found in schemes.items() if not found & NATIVE_SCHEMES}
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
    offers = "; ".join(f"{way}: {', '.join(sorted(found))}" for way, found in sorted(schemes.items()))
    return Finding(
        CONTROL,
        Status.PASS,
        f"The proxy asks for a login and offers what Windows can answer ({offers}). It works only if the proxy's user is the PC's user; "
        f"this connection has no such login, so that was not proven{_why_not(snapshot, policy)}.",
        evidence,
    )


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
