# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which proxies ETS6 uses for a URL, by the settings of a PC: one table for everything that works that out.

The controller decides (plugins/plugin_utils/proxy). windows_host's Resolve-ETS6Proxy guesses, to save an
execution, and the lab's model answers as windows_host does. The expected proxies are those of .NET Framework
(reference source: WebProxyDataBuilder, WebProxy.IsBypassed, AutoWebProxyScriptEngine).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.pc import INTERNET, INTERNET_POLICY, PROFILE_LIST, USER, Pc

DIRECT = ""
HTTPS = "https://update.knx.org"
HTTP = "http://api.knx.org"
OTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"


@dataclass(frozen=True)
class Case:
    """A URL, how the PC is prepared, and the distinct proxies that ETS6 uses (DIRECT: none).

    No proxies: a script decides, or .NET Framework cannot read the settings. Then only the controller knows
    what to do.
    """

    name: str
    url: str
    pc: Callable[[Pc], None]
    proxies: tuple[str, ...]


def _named(proxy: str, bypass: str = "") -> Callable[[Pc], None]:
    return lambda pc: pc.user_proxy(3, proxy, bypass)


def _flags(flags: int, **texts: str) -> Callable[[Pc], None]:
    return lambda pc: pc.user_proxy(flags, **texts)


def _machine(pc: Pc) -> None:
    pc.user_proxy(3, "user:1")
    pc.machine_proxy("machine:2")


def _machine_without_policy(pc: Pc) -> None:
    pc.machine_proxy("machine:2")
    pc.set(INTERNET_POLICY, ProxySettingsPerUser=["REG_DWORD", 1])
    pc.user_proxy(3, "user:1")


def _no_blob(pc: Pc) -> None:
    pc.state["registry"][rf"HKU\{USER}\{INTERNET}\Connections"]["values"].clear()


def _two_users(first: bool, second: bool) -> Callable[[Pc], None]:
    """Prepare two users with a proxy each: which of them is logged on."""

    def prepare(pc: Pc) -> None:
        pc.user_proxy(3, "first:1")
        profile = r"C:\Users\other"
        pc.set(rf"{PROFILE_LIST}\{OTHER}", ProfileImagePath=["REG_SZ", profile])
        pc._wininet(rf"HKU\{OTHER}\{INTERNET}", 3, "second:2", "", "")
        pc.state["users"][0]["logged_on"] = first
        pc.state["users"].append({"sid": OTHER, "profile": profile, "logged_on": second})

    return prepare


CASES = (
    Case("no settings", HTTPS, _no_blob, (DIRECT,)),
    Case("direct only", HTTPS, _flags(1), (DIRECT,)),
    Case("a proxy that is switched off", HTTPS, _flags(1, proxy="proxy:8080"), (DIRECT,)),
    Case("a script", HTTPS, _flags(5, pac_url="http://127.0.0.1:5/proxy.pac"), ()),
    Case(
        "a script before a proxy",
        HTTPS,
        _flags(7, proxy="proxy:8080", pac_url="http://127.0.0.1:5/x"),
        (),
    ),
    Case("automatic detection only", HTTPS, _flags(9), (DIRECT,)),
    Case("one proxy", HTTPS, _named("proxy.example.com:8080"), ("proxy.example.com:8080",)),
    Case(
        "one proxy in capitals",
        HTTPS,
        _named("PROXY.Example.com:8080"),
        ("proxy.example.com:8080",),
    ),
    Case("one proxy with blanks around", HTTPS, _named("  proxy:8080 "), ("proxy:8080",)),
    Case("one proxy without a port", HTTPS, _named("proxy"), ("proxy:80",)),
    Case("one proxy as a URL", HTTPS, _named("http://proxy:3128/"), ("proxy:3128",)),
    Case(
        "one proxy by its IPv6 address",
        HTTPS,
        _named("[2001:db8::1]:8080"),
        ("[2001:db8::1]:8080",),
    ),
    Case("two proxies with a blank", HTTPS, _named("proxy:1 other:2"), ()),
    Case("a port that is none", HTTPS, _named("proxy:99999"), ()),
    Case("a list for https", HTTPS, _named("http=a:1;https=b:2"), ("b:2",)),
    Case("a list for http", HTTP, _named(" http = a:1 ; https=b:2; "), ("a:1",)),
    Case("a list in capitals", HTTPS, _named("HTTPS=B:2"), ("b:2",)),
    Case("a list without the protocol", HTTPS, _named("http=a:1;socks=s:3"), (DIRECT,)),
    Case("a list with the protocol twice", HTTPS, _named("https=a:1;https=b:2"), ("b:2",)),
    Case("a bypassed name", HTTPS, _named("proxy:8080", "update.knx.org"), (DIRECT,)),
    Case("a bypassed name in capitals", HTTPS, _named("proxy:8080", "UPDATE.KNX.ORG"), (DIRECT,)),
    Case("a bypass pattern", HTTPS, _named("proxy:8080", "x;*.knx.org"), (DIRECT,)),
    Case("a bypass pattern in the middle", HTTPS, _named("proxy:8080", "up*.org"), (DIRECT,)),
    Case("a bypassed part of a name", HTTPS, _named("proxy:8080", "knx.org"), ("proxy:8080",)),
    Case("a dot is no pattern", HTTPS, _named("proxy:8080", "update-knx.org"), ("proxy:8080",)),
    Case(
        "bypass with a blank between",
        HTTPS,
        _named("proxy:8080", "a update.knx.org"),
        ("proxy:8080",),
    ),
    Case("bypass by protocol", HTTPS, _named("proxy:8080", "https://*.knx.org"), (DIRECT,)),
    Case(
        "bypass for the other protocol",
        HTTPS,
        _named("proxy:8080", "http://*.knx.org"),
        ("proxy:8080",),
    ),
    Case(
        "bypass with the default port",
        HTTPS,
        _named("proxy:8080", "update.knx.org:443"),
        ("proxy:8080",),
    ),
    Case(
        "bypass with a port", "https://a.example:8443", _named("p:1", "a.example:8443"), (DIRECT,)
    ),
    Case(
        "bypass with another port",
        "https://a.example:8443",
        _named("p:1", "a.example:84"),
        ("p:1",),
    ),
    Case("bypass for any port", "https://a.example:8443", _named("p:1", "a.example"), (DIRECT,)),
    Case("local for a name with a dot", HTTPS, _named("proxy:8080", "<local>"), ("proxy:8080",)),
    Case(
        "local for a name without a dot", "http://intranet", _named("p:1", " <LOCAL> "), (DIRECT,)
    ),
    Case("local for an IPv6 address", "http://[2001:db8::1]", _named("p:1", "<local>"), ("p:1",)),
    Case("loopback by name", "http://localhost:8080", _named("p:1"), (DIRECT,)),
    Case("loopback by address", "http://127.0.0.1:8080", _named("p:1"), (DIRECT,)),
    Case("empty entries", HTTPS, _named("proxy:8080", ";; ;"), ("proxy:8080",)),
    Case("the machine's settings", HTTPS, _machine, ("machine:2",)),
    Case("the machine's settings without the policy", HTTPS, _machine_without_policy, ("user:1",)),
    Case("two users logged on", HTTPS, _two_users(True, True), ("first:1", "second:2")),
    Case("one of two users logged on", HTTPS, _two_users(False, True), ("second:2",)),
    Case("two users logged off", HTTPS, _two_users(False, False), ("first:1", "second:2")),
)
