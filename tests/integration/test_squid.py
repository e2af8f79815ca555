# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which proxy ETS6 uses and which login it wants, learnt of a real proxy: Debian's squid, and scripts served over HTTP.

The vendor's servers are the lab's. What is asked by the model PC's prober is asked again by the real PowerShell, through Ansible.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import spnego
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding, Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.probes import HttpAnswer
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import probe_plan
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

from tests.integration.debian import need
from tests.lab import fleet, model
from tests.lab.lab import Lab
from tests.lab.network import Handler, Network, Server
from tests.lab.pc import Pc
from tests.lab.play import play
from tests.lab.script import find_pwsh
from tests.lab.squid import Squid

LOGINS: dict[str, tuple[tuple[str, ...], Status, str]] = {
    "open": ((), Status.PASS, "asks for no login"),
    "basic": (("basic",), Status.FAIL, "offers basic;"),
    "digest": (("digest", "basic"), Status.FAIL, "offers basic, digest;"),
    "ntlm": (("ntlm", "basic"), Status.PASS, "works only if the proxy's user is the PC's user"),
    "negotiate": (("negotiate", "ntlm", "basic"), Status.PASS, "(%s: basic, negotiate, ntlm)"),
    "kerberos": (("negotiate",), Status.PASS, "(%s: negotiate)"),
}
"""Squid's schemes, and what is to be found of a PC whose proxy it is."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("network"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def squids() -> Iterator[dict[str, Squid]]:
    program = need("squid", "squid")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Squid(program, schemes))
            for name, (schemes, _status, _said) in LOGINS.items()
        }


class Documents(Server):
    """A web server with some documents; of any other it says 404."""

    def __init__(self, documents: dict[str, str]) -> None:
        class Documented(Handler):
            def do_GET(self) -> None:
                if self.path == "/moved.pac":
                    return self.answer(302, {"Location": "/proxy.pac"})
                found = documents.get(self.path)
                headers = {"Content-Type": "application/x-ns-proxy-autoconfig"}
                self.answer(404) if found is None else self.answer(200, headers, found.encode())

        super().__init__(Documented)


def endpoints(network: Network, direct: bool = False) -> dict[str, Any]:
    """Return the endpoints of the policy: two of the vendor's, at the ports where the lab has them.

    direct: with the lab's addresses, which count only where no proxy is asked.
    """
    table: dict[str, Any] = {
        name: {"enabled": False}
        for name in ("app_updates", "app_updates_http", "cloud_licensing", "online_catalog")
    }
    table["updates"] = {"url": f"https://update.knx.org:{network.https.port}"}
    table["administrative_data"] = {
        "url": f"http://update.knx.org:{network.http.port}/data/XML/project-23/knx_master.xml"
    }
    if direct:
        table["updates"]["address"] = network.https.address
        table["administrative_data"]["address"] = network.http.address
    return table


def observed(pc: Pc, **policy: Any) -> tuple[Snapshot, dict[str, Finding]]:
    """Ask a PC as the policy task does, round after round; return what it knows then, and the findings."""
    parsed = Policy.from_variables(policy)
    seen = Snapshot.unpack(model.answer(pc, controls.request(parsed))["snapshot"])
    for _round in range(probe_plan.ROUNDS):
        probes = probe_plan.missing_probes(ProxyContext(seen, parsed))
        if not probes:
            break
        seen = seen.with_probes(Snapshot.unpack(model.answer(pc, {"probes": probes})["snapshot"]))
    assert probe_plan.missing_probes(ProxyContext(seen, parsed)) == []
    return seen, {
        finding.control.id: finding for finding in controls.Assessment(seen, parsed).findings
    }


def status_of(answer: HttpAnswer | None) -> int:
    """Return the status of an answer that has to be there."""
    assert answer is not None
    return answer.status


def through(proxy: str) -> Pc:
    """Return a PC whose user has this proxy."""
    pc = Pc("pc", rule_count=0)
    pc.user_proxy(3, proxy)
    return pc


@pytest.mark.parametrize("login", LOGINS)
def test_the_login_that_squid_wants(squids: dict[str, Squid], network: Network, login: str) -> None:
    _schemes, status, said = LOGINS[login]
    squid = squids[login]
    seen, findings = observed(through(squid.address), endpoints=endpoints(network))
    found = findings["proxy.login"]
    assert (found.status, (said % squid.address if "%" in said else said) in found.reason) == (
        status,
        True,
    ), found.reason
    probes = {probe.name: probe for probe in seen.probes or () if probe.route == squid.address}
    reached = 200 if login == "open" else 407
    assert status_of(probes["updates"].connect) == reached
    assert status_of(probes["administrative_data"].http) == reached
    assert squid.saw(f"CONNECT update.knx.org:{network.https.port} {reached}")
    if login == "open":
        assert status_of(probes["updates"].http) == 200
        assert status_of(probes["administrative_data"].http) == 200


def test_a_login_that_windows_hands_over_opens_the_proxy(
    squids: dict[str, Squid], network: Network
) -> None:
    """What the finding promises of NTLM, done: squid's test helper takes any user who can do the handshake."""
    squid = squids["ntlm"]
    host, _colon, port = squid.address.rpartition(":")
    login = spnego.client(
        "knx", "any password", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    url = f"http://update.knx.org:{network.http.port}/"
    challenge, statuses = None, []
    for _message in range(2):
        token = login.step(challenge)
        assert token is not None
        connection.request(
            "GET", url, headers={"Proxy-Authorization": f"NTLM {base64.b64encode(token).decode()}"}
        )
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        challenge = base64.b64decode((answer.headers["Proxy-Authenticate"] or " ").split(" ")[1])
    connection.close()
    assert statuses == [407, 200]


SCRIPT = """function FindProxyForURL(url, host) {
    if (url.substring(0, 5) == "http:") return "DIRECT";
    if (isInNet(dnsResolve(host), "127.0.0.0", "255.0.0.0")) return "PROXY %s; DIRECT";
    return "PROXY unused.invalid:1";
}"""


@pytest.fixture
def scripted(squids: dict[str, Squid]) -> Iterator[Callable[[str], Pc]]:
    """Return a maker of PCs with a script of that name on a web server."""
    server = Documents(
        {
            "/proxy.pac": SCRIPT % squids["basic"].address,
            "/long.pac": SCRIPT % squids["basic"].address + "//" + "x" * 300_000,
            "/broken.pac": "function FindProxyForURL(",
        }
    )

    def make(name: str) -> Pc:
        pc = Pc("pc", rule_count=0)
        pc.user_proxy(5, "", "", f"http://{server.address}/{name}")
        return pc

    yield make
    server.stop()


def test_a_script_over_http_sends_each_endpoint_its_own_way(
    squids: dict[str, Squid], network: Network, scripted: Callable[[str], Pc]
) -> None:
    squid = squids["basic"]
    seen, findings = observed(scripted("proxy.pac"), endpoints=endpoints(network, direct=True))
    told = findings["proxy.effective"].evidence["ways"]
    assert {name: [way["way"] for way in found] for name, found in told.items()} == {
        "updates": [squid.address],
        "administrative_data": [""],
    }
    assert findings["proxy.effective"].status is Status.PASS
    assert findings["proxy.login"].status is Status.FAIL
    assert (
        f"The proxy {squid.address} asks for a login and offers basic"
        in findings["proxy.login"].reason
    )
    direct = next(one for one in seen.probes or () if one.key == ("administrative_data", ""))
    assert status_of(direct.http) == 200


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        (
            "gone.pac",
            Status.FAIL,
            "could not be fetched (HTTP 404), so Windows continues as if there were none",
        ),
        ("broken.pac", Status.FAIL, "fails (JSRuntimeError: SyntaxError"),
        ("moved.pac", Status.UNKNOWN, "was moved (HTTP 302)"),
    ],
)
def test_a_script_over_http_that_says_nothing(
    network: Network, scripted: Callable[[str], Pc], name: str, status: Status, said: str
) -> None:
    found = observed(scripted(name), endpoints=endpoints(network, direct=True))[1][
        "proxy.effective"
    ]
    assert (found.status, said in found.reason) == (status, True), found.reason


def test_a_script_of_many_branches_is_fetched_as_a_whole(
    squids: dict[str, Squid], network: Network, scripted: Callable[[str], Pc]
) -> None:
    findings = observed(scripted("long.pac"), endpoints=endpoints(network, direct=True))[1]
    assert findings["proxy.effective"].status is Status.PASS
    (route,) = findings["proxy.effective"].evidence["ways"]["updates"]
    assert route["way"] == squids["basic"].address


def test_the_real_powershell_asks_squid_too(squids: dict[str, Squid], tmp_path: Path) -> None:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    names = {f"pc-{login}": login for login in ("open", "basic", "negotiate")}
    server: list[Documents] = []

    def build(network: Network) -> list[fleet.Member]:
        server.append(Documents({"/proxy.pac": SCRIPT % squids["digest"].address}))
        made = []
        for name in (*names, "pc-script"):
            pc = Pc(name, rule_count=0)
            pc.allow_all()
            if name == "pc-script":
                pc.user_proxy(5, "", "", f"http://{server[0].address}/proxy.pac")
            else:
                pc.user_proxy(3, squids[names[name]].address)
            variables = {"ets6_network_endpoints": endpoints(network, direct=name == "pc-script")}
            made.append(fleet.Member(pc, "", "", "", ("", ""), variables, dialect="5.1"))
        return made

    with Lab(build) as lab:
        try:
            played = play(lab, "playbooks/verify.yml", reports=tmp_path)
        finally:
            server[0].stop()
    for name, login in {**names, "pc-script": "digest"}.items():
        _schemes, status, _said = LOGINS[login]
        found = played.finding(name, "proxy.login")
        assert found["status"] == status.value, (name, found["reason"])
        assert squids[login].address in found["reason"]
    assert played.finding("pc-open", "proxy.effective")["status"] == "pass"
