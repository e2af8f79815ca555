# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxy's controls. Their order is the order of what their remedies do."""

from __future__ import annotations

from collections.abc import Iterable

from ..declaration import Family, Judgement, passed, unknown
from ..finding import Contact, Severity
from ..policy.variables import Policy
from ..snapshot import Snapshot, State
from ..text import join_words
from . import switches
from .certainty import judge_certainty
from .context import ProxyContext
from .login import judge_login
from .records import MACHINE_RECORDS, USER_RECORDS
from .removal import winhttp_removed, wininet_removed
from .settings import (
    MACHINE,
    MACHINE_32,
    POLICY,
    POLICY_SETTINGS,
    SETTINGS,
    connections_key,
    user_key,
)
from .users import MISSING, name_of
from .winhttp import judge_winhttp
from .wininet import judge_wininet

FAMILY: Family[ProxyContext] = Family("proxy", Contact.PROXY)

ENVIRONMENT = "Environment"
"""A user's environment variables, below the user's root."""
VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


def request(_policy: Policy) -> dict[str, list[object]]:
    """Return what has to be read for the controls."""
    keys = [POLICY, MACHINE_RECORDS, *switches.KEYS]
    for path in (MACHINE, MACHINE_32):
        keys += [path, connections_key(path)]
    user_keys = [SETTINGS, connections_key(SETTINGS), POLICY_SETTINGS, USER_RECORDS]
    # Other variables of users may be secrets.
    environment_names = {"path": ENVIRONMENT, "values": sorted(VARIABLES)}
    return {
        "registry": [{"path": path} for path in keys],
        "user_registry": [*({"path": path} for path in user_keys), environment_names],
    }


@FAMILY.control(
    control_id="proxy.wininet",
    title="WinINET, which ETS6 uses, has the required proxy",
    headline="WinINET, which ETS6 uses, does not have the required proxy",
    severity=Severity.HIGH,
    contact=Contact.PC,
    rationale="ETS6 has no proxy setting of its own. It uses WinINET's, of the user or, where "
    "ProxySettingsPerUser is 0, of the machine.",
    remedy="Run ets6.network.enforce: it sets the proxy for the machine or for every user, as "
    "ets6_network_proxy says, both blobs and the plain values.",
    absent=wininet_removed,
)
def wininet(context: ProxyContext) -> Judgement:
    """Judge WinINET's settings, of the machine and of its users."""
    return judge_wininet(context)


@FAMILY.control(
    control_id="proxy.winhttp",
    title="WinHTTP, which services use, has the required proxy",
    headline="WinHTTP, which services use, does not have the required proxy",
    severity=Severity.MEDIUM,
    contact=Contact.PC,
    rationale="Services and Windows Update use WinHTTP's proxy, not WinINET's. ETS6 does not use "
    "it.",
    remedy="Run ets6.network.enforce: it sets WinHTTP's proxy with netsh, where the mode is named or "
    "direct.",
    absent=winhttp_removed,
)
def winhttp(context: ProxyContext) -> Judgement:
    """Judge WinHTTP's settings."""
    return judge_winhttp(context)


@FAMILY.control(
    control_id="proxy.effective",
    title="It is certain which proxy ETS6 uses",
    headline="It is not certain which proxy ETS6 uses",
    severity=Severity.MEDIUM,
    contact=Contact.PC,
    rationale="Where settings contradict each other, one user gets the proxy and the next one does "
    "not. Two files that override all of this are not read: system.net/defaultProxy in "
    "machine.config and in the .config file of ETS6.",
    remedy="Set ets6_network_proxy and run ets6.network.enforce, or correct the settings that "
    "contradict each other.",
)
def effective(context: ProxyContext) -> Judgement:
    """Judge whether it is certain which proxy ETS6 uses."""
    return judge_certainty(context)


@FAMILY.control(
    control_id="proxy.login",
    title="The proxy accepts the PC user's own login, or asks for none",
    headline="The proxy asks for a login that ETS6 cannot give",
    severity=Severity.HIGH,
    needs=("proxy.wininet",),
    rationale="ETS6 supports a proxy with a login only if the proxy's user is the PC's user: "
    "Windows gives the proxy that login by Negotiate, Kerberos or NTLM.",
    remedy="Have the proxy offer Negotiate, Kerberos or NTLM, or exempt the vendor's servers from "
    "the login.",
    image="An image does not reach a proxy. Check a PC that was deployed from it.",
)
def login(context: ProxyContext) -> Judgement:
    """Judge which login the proxies ask for."""
    return judge_login(context)


@FAMILY.control(
    control_id="proxy.environment",
    title="Environment variables that name a proxy are known",
    headline="Environment variables that name a proxy could not be read",
    severity=Severity.LOW,
    contact=Contact.PC,
    rationale="Programs on .NET 5 or newer use HTTP_PROXY and similar variables. ETS6 does not read "
    "them.",
    remedy="Correct what kept the variables from being read, then run ets6.network.verify again.",
)
def environment(context: ProxyContext) -> Judgement:
    """Report environment variables that name a proxy."""
    machine_variables = _proxy_variables(context.snapshot.environment)
    user_variables = _user_variables(context.snapshot)
    evidence = {"set": machine_variables, "set_by_users": user_variables}
    unread = _unread_variables(context.snapshot)
    if unread:
        return unknown(
            f"The environment variables of {join_words(unread)} were not read.", evidence
        )
    variables = list(machine_variables)
    for user in context.snapshot.users or ():
        names = user_variables.get(user.sid, ())
        variables += [f"{name} (of {name_of(user)})" for name in names]
    if not variables:
        return passed("No environment variable of the PC or its users names a proxy.", evidence)
    verb = "is" if len(variables) == 1 else "are"
    return passed(
        f"{join_words(variables)} {verb} set. ETS6, a .NET Framework program, does not read that; "
        "programs on .NET 5 or newer do, and before the PC's own settings.",
        evidence,
    )


def _unread_variables(snapshot: Snapshot) -> list[str]:
    """Return whose variables could not be read, in words."""
    unread = ["the PC"] if "environment" in snapshot.unread else []
    if snapshot.users is None:
        return [*unread, "its users"]
    for user in snapshot.users:
        key = snapshot.registry.key(user_key(user, ENVIRONMENT))
        if user.hive != MISSING and key.state is State.UNREADABLE:
            unread.append(name_of(user))
    return unread


def _user_variables(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return the names of each user's variables that name a proxy, by SID."""
    variables = {}
    for user in snapshot.users or ():
        names = _proxy_variables(snapshot.registry.key(user_key(user, ENVIRONMENT)).values)
        if names:
            variables[user.sid] = names
    return variables


def _proxy_variables(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.upper() in VARIABLES)
