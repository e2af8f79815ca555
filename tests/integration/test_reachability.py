# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every outcome, learnt of real parts on loopback: real TLS with real hierarchies, real proxies, pages, and servers that are unwell."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.fleet import OUTAGE
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.outcomes import (
    ADVICE,
    Outcome,
)
from cryptography.hazmat.primitives import hashes

from tests.integration.debian import need
from tests.integration.street import Names, look, only, outcome, resolve_with
from tests.lab import fleet, obstacles
from tests.lab.certificates import Authority, certificate_of
from tests.lab.lab import Lab
from tests.lab.network import (
    DOCUMENTS,
    VENDOR,
    Handler,
    Network,
    Server,
    Vendor,
    proxy_handler,
    server_context,
)
from tests.lab.pc import Pc
from tests.lab.play import play
from tests.lab.script import find_pwsh
from tests.lab.squid import Squid
from tests.lab.tinyproxy import Tinyproxy

DOCUMENT = "http://update.knx.org/data/XML/project-23/knx_master.xml"


MASTER = DOCUMENTS["update.knx.org", "/data/XML/project-23/knx_master.xml"]


class Refusing(Handler):
    """A proxy that refuses everything."""

    def do_CONNECT(self) -> None:
        """Refuse."""
        self.close_connection = True
        self.answer(403, {"Connection": "close"})


class Home(Handler):
    """A server with a page for whoever asks in a browser, another one each time."""

    def do_GET(self) -> None:
        """Say that nothing is here."""
        page = f"<!DOCTYPE html><html><body>Nothing here at {time.monotonic_ns()}.</body></html>"
        self.answer(404, {"Content-Type": "text/html", "Server": "lab"}, page.encode())


class FailingPage(Handler):
    """A firewall whose block page comes with 503, as Palo Alto's does."""

    def do_GET(self) -> None:
        """Answer with the page."""
        page = obstacles.PAGE % (b"Blocked", b"Category: software updates")
        self.answer(503, {"Content-Type": "text/html"}, page)


class Empty(Handler):
    """A filter that answers everything by nothing, and calls that a success."""

    def do_GET(self) -> None:
        """Answer 204."""
        self.answer(204)


class Pixel(Handler):
    """A filter that answers everything by a picture of one pixel."""

    def do_GET(self) -> None:
        """Answer with it."""
        self.answer(200, {"Content-Type": "image/gif"}, b"GIF89a\x01\x00\x01\x00\x00\xff\x00,")


class WisprPortal(Handler):
    """A portal that says so to programs."""

    def do_GET(self) -> None:
        """Answer with a page that holds what WISPr asks for."""
        body = b"<html><!-- <WISPAccessGatewayParam/> --></html>"
        self.answer(200, {"Content-Type": "text/html"}, body)


class Dated(Vendor):
    """The vendor's server with its own time in the answer."""

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        """Send a whole answer with a date."""
        super().answer(status, {**(headers or {}), "Date": formatdate(usegmt=True)}, body)


class Master(Handler):
    """A server with the vendor's document at any path."""

    def do_GET(self) -> None:
        """Send it."""
        self.answer(200, {"Content-Type": "application/xml"}, MASTER)


def redirecting(target: str) -> type[Handler]:
    """Return a server that has moved."""

    class Moved(Handler):
        def do_GET(self) -> None:
            self.answer(301, {"Location": target})

    return Moved


def strict(connection: socket.socket) -> None:
    """Break off at the vendor's name, and refuse any other one by the alert unrecognized_name."""
    connection.recv(16, socket.MSG_PEEK)
    if b"update.knx.org" in connection.recv(65536):
        obstacles.break_off(connection)
    else:
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x70")


CUT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n"
    % (2 * len(MASTER))
) + MASTER
LINE_FEEDS = b"HTTP/1.1 200 OK\nContent-Type: application/xml\n\n" + MASTER


class Street:
    """The lab's network, and everything that gets in the way of it, by name. Each has an address."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.network = network = Network(folder)
        stack.callback(network.stop)
        self._stack, self._folder = stack, folder
        self.young = Authority.root("Lab Young Root")
        issuing = network.public.intermediate("Lab Second CA")
        private = Authority.root("Company Root")
        names = list(VENDOR)
        poisons = [
            Authority.root("Company Proxy CA"),
            Authority.root("FortiGate CA of the Company"),
        ]
        with network.roots.open("ab") as roots:
            roots.writelines(poison.pem() for poison in poisons)
        unlisted = Authority.root("Lab Unlisted Public Root")
        scanner = Authority.root("Kaspersky Anti-Virus Personal Root Certificate")
        self.places = {
            "poisoned": self._tls(poisons[0], names),
            "poisoned_by_name": self._tls(poisons[1], names, logged=True),
            "unlisted": self._tls(unlisted, names, chain="whole", logged=True),
            "unlisted_below": self._tls(
                unlisted.intermediate("Lab Unlisted CA"), names, logged=True
            ),
            "without_names": self._tls(scanner, [], name="update.knx.org", chain="whole"),
            "odd_names": self._tls(issuing, ["_acme.knx.org", "update.knx.org"], logged=True),
            "today": self._tls(issuing, names, Dated, started=0, logged=True),
            "crossed": self._crossed(network.public),
            "crossed_first": self._crossed(network.public, dead_end_first=False),
            "gif": self._http(Pixel),
            "failing_page": self._http(FailingPage),
            "empty": self._http(Empty),
            "empty_tls": self._tls(issuing, names, Empty, logged=True),
            "wispr": self._http(WisprPortal),
            "moved": self._http(redirecting(f"http://{network.http.address}/moved")),
            "moved_document": self._http(redirecting(f"http://{self._http(Master)}/new")),
            "strict": self._listener(strict),
            "cut": self._listener(obstacles.saying(CUT)),
            "line_feeds": self._listener(obstacles.saying(LINE_FEEDS)),
            "unwell_tls": self._tls(issuing, names, obstacles.Unwell, logged=True),
            "vendor": network.https.address,
            "vendor_http": network.http.address,
            "closed": network.closed,
            "inspected": network.inspected.address,
            "expired": self._tls(issuing, names, started=100, logged=True),
            "early": self._tls(issuing, names, started=-2, logged=True),
            "other_name": self._tls(issuing, ["shop.example"], logged=True),
            "leaf_only": self._tls(issuing, names, chain="alone", logged=True),
            "unknown_issuer": self._tls(issuing, names, chain="alone", days=367),
            "named_inspector": self._tls(network.inspector, names, chain="alone"),
            "private": self._tls(private, names, chain="whole"),
            "portal_tls": self._tls(private, ["login.hotel.example"], chain="whole"),
            "portal": self._http(obstacles.Portal),
            "portal_511": self._http(obstacles.Network511),
            "block_page": self._http(obstacles.BlockPage),
            "forbidding": self._http(obstacles.Forbidding),
            "altering": self._http(obstacles.Altering),
            "unwell": self._http(obstacles.Unwell),
            "home": self._http(Home),
            "home_tls": self._tls(issuing, names, Home, logged=True),
            "refusing": self._http(Refusing),
            "proxy": network.proxy.address,
            "negotiate": network.negotiate_proxy.address,
            "basic": network.basic_proxy.address,
            "name_filter": self._listener(
                obstacles.name_filter(("update.knx.org",), network.https.address)
            ),
            "reset": self._listener(obstacles.reset),
            "silent": self._listener(obstacles.silent),
            "alert": self._listener(obstacles.saying(b"\x15\x03\x03\x00\x02\x02\x28")),
            "no_tls": self._listener(
                obstacles.saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            ),
            "garbage": self._listener(obstacles.saying(b"220 mail.example ESMTP\r\n\r\n")),
            "full": obstacles.dropping(stack),
        }

    def port(self, place: str) -> str:
        return self.places[place].rpartition(":")[2]

    def inspected_by(self, authority: Authority, chain: str) -> str:
        """Return a server with a certificate of an inspector."""
        return self._tls(authority, list(VENDOR), chain=chain)

    def _tls(
        self,
        authority: Authority,
        names: list[str],
        handler: type[Handler] = Vendor,
        **options: Any,
    ) -> str:
        file = authority.issue(
            self._folder / f"{len(list(self._folder.iterdir()))}.pem", names, **options
        )
        server = Server(handler, server_context(file))
        self._stack.callback(server.stop)
        return server.address

    def _crossed(self, public: Authority, dead_end_first: bool = True) -> str:
        """Return a server below a root that is signed twice, by itself (a dead end) and by a public one."""
        young = self.young
        crossed, _key = certificate_of(
            public, [], authority=True, name="Lab Young Root", key=young.key
        )
        chain = (young.certificate, crossed) if dead_end_first else (crossed, young.certificate)
        issuing = Authority(young.certificate, young.key, chain)
        return self._tls(issuing, list(VENDOR), logged=True)

    def _http(self, handler: type[Handler]) -> str:
        server = Server(handler)
        self._stack.callback(server.stop)
        return server.address

    def _listener(self, behave: Callable[[socket.socket], None]) -> str:
        listener = obstacles.Listener(behave)
        self._stack.callback(listener.stop)
        return listener.address


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with ExitStack() as stack:
        yield Street(tmp_path_factory.mktemp("street"), stack)


@dataclass(frozen=True)
class Scene:
    """Where a request ends, by which way, and what is reported about it."""

    place: str
    wanted: Outcome
    said: str
    tls: bool = True
    proxy: str = ""
    names: Names = field(default_factory=dict)
    ahead: timedelta = timedelta()
    short: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)


PORTAL = "login.hotel.example"
PRIVATE = {"root": "private", "verified": False}
HERE = {"update.knx.org": "127.0.0.1"}
SCENES = {
    "fine": Scene("vendor", Outcome.FINE, "is reached (HTTP 200)", evidence={"root": "public", "certificate_timestamps": 2, "weak_signs": []}),
    "fine_http": Scene("vendor_http", Outcome.FINE, "sends the vendor's document", tls=False),
    "no_such_name": Scene("", Outcome.NOT_RESOLVED, "there is no such name", names={"update.knx.org": socket.EAI_NONAME}),
    "no_name_server": Scene("", Outcome.NOT_RESOLVED, "no name server answered", names={"update.knx.org": socket.EAI_AGAIN}),
    "sinkholed": Scene("private", Outcome.SINKHOLED, "resolves to 127.0.0.1", names=HERE),
    "sinkholed_http": Scene("block_page", Outcome.SINKHOLED, "resolves to 127.0.0.1", tls=False, names=HERE),
    "sinkholed_and_refused": Scene("closed", Outcome.SINKHOLED, "resolves to 127.0.0.1", names=HERE),
    "own_way_to_the_vendor": Scene("vendor", Outcome.FINE, "is reached", names=HERE),
    "refused": Scene("closed", Outcome.REFUSED, "refuses the connection"),
    "dropped": Scene("full", Outcome.TIMED_OUT, "a firewall that drops the packets", short=True),
    "silent_tls": Scene("silent", Outcome.TIMED_OUT, "silent when TLS begins", short=True, evidence={"other_name_gets_further": False}),
    "silent_http": Scene("silent", Outcome.TIMED_OUT, "does not answer in time", tls=False, short=True),
    "reset_at_the_name": Scene("name_filter", Outcome.RESET_AT_NAME, "filters by server name", evidence={"other_name_gets_further": True}),
    "reset_always": Scene("reset", Outcome.RESET, "also under another name", evidence={"other_name_gets_further": False}),
    "reset_http": Scene("reset", Outcome.RESET, "closes the connection", tls=False),
    "no_tls": Scene("no_tls", Outcome.NO_TLS, "answers without TLS"),
    "alert": Scene("alert", Outcome.TLS_FAILED, "TLS alert"),
    "proxy_gone": Scene("", Outcome.PROXY_UNREACHABLE, "is not reached (refused)", proxy="closed"),
    "proxy_silent": Scene("", Outcome.PROXY_UNREACHABLE, "does not answer", proxy="silent", short=True),
    "proxy_no_proxy": Scene("", Outcome.PROXY_UNREACHABLE, "not HTTP", proxy="garbage"),
    "proxy_refuses": Scene("", Outcome.PROXY_REFUSES, "refuses ", proxy="refusing"),
    "proxy_login": Scene("", Outcome.PROXY_LOGIN, "wants a login (negotiate)", proxy="negotiate"),
    "proxy_login_http": Scene("", Outcome.PROXY_LOGIN, "wants a login (negotiate)", proxy="negotiate", tls=False),
    "proxy_unfit": Scene("", Outcome.PROXY_LOGIN_UNFIT, "wants a login (basic)", proxy="basic"),
    "proxied": Scene("", Outcome.FINE, "through the proxy", proxy="proxy"),
    "proxied_http": Scene("", Outcome.FINE, "sends the vendor's document", proxy="proxy", tls=False),
    "portal": Scene("portal", Outcome.SIGN_IN_OR_BLOCK, "to http://login.hotel.example/?from=here", tls=False),
    "portal_511": Scene("portal_511", Outcome.CAPTIVE_PORTAL, "sign-in page", tls=False),
    "portal_tls": Scene("portal_tls", Outcome.WRONG_NAME, "another server answers", evidence=PRIVATE),
    "block_page": Scene("block_page", Outcome.BLOCK_PAGE, "a web page instead of the vendor's document", tls=False),
    "forbidding": Scene("forbidding", Outcome.BLOCK_PAGE, "a page that refuses it (403)", tls=False),
    "altered": Scene("altering", Outcome.WRONG_CONTENT, "not the vendor's document", tls=False),
    "garbage": Scene("garbage", Outcome.WRONG_CONTENT, "not HTTP", tls=False),
    "server_error": Scene("unwell_tls", Outcome.SERVER_ERROR, "an error of its own (503)"),
    "private_address_with_the_document": Scene("vendor_http", Outcome.FINE, "sends the vendor's document", tls=False, names=HERE),
    "error_over_http": Scene("unwell", Outcome.ERROR_NOT_KNOWN, "nothing proves who sent it", tls=False),
    "block_page_503": Scene("failing_page", Outcome.ERROR_NOT_KNOWN, "a proxy or a filter", tls=False),
    "wispr": Scene("wispr", Outcome.CAPTIVE_PORTAL, "sign-in page", tls=False),
    "moved": Scene("moved", Outcome.SIGN_IN_OR_BLOCK, "to http://127.0.0.1:", tls=False),
    "moved_document": Scene("moved_document", Outcome.FINE, "which sends the vendor's document", tls=False),
    "strict_names": Scene("strict", Outcome.RESET, "may filter by server name", evidence={"other_name_gets_further": None}),
    "document_cut": Scene("cut", Outcome.RESET, "ends before its announced length", tls=False),
    "line_feeds": Scene("line_feeds", Outcome.FINE, "sends the vendor's document", tls=False),
    "poisoned_list": Scene("poisoned", Outcome.UNTRUSTED, "neither timestamps", evidence={"root": "public"}),
    "poisoned_by_name": Scene("poisoned_by_name", Outcome.UNTRUSTED, "the name of an inspector", evidence={"root": "public"}),
    "unlisted_root": Scene("unlisted", Outcome.UNTRUSTED, "a public authority that the list does not have", evidence={"root": "private"}),
    "unlisted_root_not_sent": Scene("unlisted_below", Outcome.UNTRUSTED, "a public authority that the list does not have", evidence={"root": "absent"}),
    "leaf_without_names": Scene("without_names", Outcome.INTERCEPTED, "Kaspersky is a virus scanner or filter on the PC", evidence={"product": "Kaspersky"}),
    "odd_names": Scene("odd_names", Outcome.FINE, "is reached"),
    "cross_signed": Scene("crossed", Outcome.FINE, "is reached", evidence={"root": "public", "verified": True}),
    "cross_signed_in_another_order": Scene("crossed_first", Outcome.FINE, "is reached", evidence={"root": "public", "verified": True}),
    "two_hours_behind": Scene("today", Outcome.WRONG_CLOCK, "by the server's answer it is", ahead=timedelta(hours=-2)),
    "intercepted": Scene("inspected", Outcome.INTERCEPTED, "of the Lab, Fortinet FortiGate", evidence={**PRIVATE, "product": "Fortinet FortiGate"}),
    "intercepted_by_unknown_product": Scene("private", Outcome.INTERCEPTED, "CN=Company Root", evidence={**PRIVATE, "product": None}),
    "intercepted_by_name": Scene("named_inspector", Outcome.INTERCEPTED, "has the name of an inspector", evidence={"root": "absent"}),
    "who_issued_it": Scene("unknown_issuer", Outcome.UNTRUSTED, "that does not prove it", evidence={"root": "absent", "certificate_timestamps": 0}),
    "incomplete": Scene("leaf_only", Outcome.INCOMPLETE, "does not send the certificate of its issuer", evidence={"root": "absent", "weak_signs": []}),
    "wrong_name": Scene("other_name", Outcome.WRONG_NAME, "for another name than update.knx.org", evidence={"root": "public", "name_matches": False}),
    "expired": Scene("expired", Outcome.EXPIRED, "expired", evidence={"root": "public", "expired": True, "verified": True}),
    "not_yet_valid": Scene("early", Outcome.EXPIRED, "not yet valid", evidence={"not_yet_valid": True}),
    "clock_ahead": Scene("vendor", Outcome.WRONG_CLOCK, "looks expired", ahead=timedelta(days=800)),
    "clock_behind": Scene("vendor", Outcome.WRONG_CLOCK, "looks not yet valid", ahead=timedelta(days=-800)),
    "interceptor_and_wrong_clock": Scene("inspected", Outcome.INTERCEPTED, "is intercepted", ahead=timedelta(days=800)),
}  # fmt: skip


def scene_endpoint(street: Street, scene: Scene) -> dict[str, str]:
    """Return the entry of ets6_network_endpoints that leads to a scene."""
    url = "https://update.knx.org" if scene.tls else DOCUMENT
    if scene.names and scene.place:
        return {"url": url.replace("knx.org", f"knx.org:{street.port(scene.place)}")}
    if scene.place:
        return {"url": url, "address": street.places[scene.place]}
    return {"url": url}


@pytest.mark.parametrize("name", SCENES)
def test_an_outcome_and_its_evidence(
    street: Street, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    scene = SCENES[name]
    resolve_with(monkeypatch, {PORTAL: socket.EAI_NONAME, **scene.names})
    proxy = (
        {"mode": "named", "server": street.places[scene.proxy]}
        if scene.proxy
        else {"mode": "direct"}
    )
    variables = {
        "endpoints": only(updates=scene_endpoint(street, scene)),
        "proxy": proxy,
        "public_roots": str(street.network.roots),
    }
    finding = look(1 if scene.short else 3, scene.ahead, **variables)["reach.updates"]
    assert (outcome(finding), scene.said in finding.reason) == (scene.wanted.value, True), (
        finding.reason
    )
    (way,) = finding.evidence["ways"]
    told = {**way, **way.get("tls", {})}
    assert {key: told.get(key) for key in scene.evidence} == scene.evidence
    if scene.wanted is Outcome.FINE:
        assert finding.status is Status.PASS
    else:
        assert finding.status in (Status.FAIL, Status.UNKNOWN)
        assert finding.reason.endswith(ADVICE[scene.wanted])


def test_every_outcome_has_a_scene_here_or_elsewhere() -> None:
    """What only Windows tells, its users' sessions among it, and what a real squid says, stands in other tests."""
    elsewhere = {
        Outcome.NOT_PROBED,
        Outcome.UNREADABLE,
        Outcome.UNREACHABLE,
        Outcome.NOT_TRUSTED_HERE,
        Outcome.PROXY_CANNOT,
        Outcome.PROXY_LOGIN_REFUSED,
        Outcome.HOSTS_FILE,
        Outcome.PAGE_NOT_KNOWN,
        Outcome.TLS_OFF,
    }
    assert {scene.wanted for scene in SCENES.values()} | elsewhere == set(Outcome)
    assert ADVICE.keys() == set(Outcome) - {Outcome.FINE}


@pytest.mark.parametrize(("url", "denied", "wanted"), [
    ("https://update.knx.org", "update.knx.org", Outcome.PROXY_REFUSES),
    (DOCUMENT, "update.knx.org", Outcome.PROXY_REFUSES),
    ("https://update.knx.org:{closed}", "", Outcome.PROXY_CANNOT),
    ("http://update.knx.org:{closed}", "", Outcome.PROXY_CANNOT),
    ("https://update.knx.org:{vendor}", "", Outcome.FINE),
])  # fmt: skip
def test_what_a_real_squid_says(street: Street, url: str, denied: str, wanted: Outcome) -> None:
    with Squid(need("squid", "squid"), denied=denied) as squid:
        proxy = {"mode": "named", "server": squid.address}
        url = url.format(closed=street.port("closed"), vendor=street.port("vendor"))
        finding = look(
            5,
            endpoints=only(updates={"url": url}),
            proxy=proxy,
            public_roots=str(street.network.roots),
        )["reach.updates"]
    assert outcome(finding) == wanted.value, finding.reason


@pytest.mark.parametrize(("url", "wanted"), [
    (DOCUMENT, Outcome.ERROR_NOT_KNOWN),
    ("https://update.knx.org", Outcome.PROXY_CANNOT),
])  # fmt: skip
def test_what_a_real_tinyproxy_says(street: Street, url: str, wanted: Outcome) -> None:
    """In place of a tunnel it is the proxy that answers; over HTTP that cannot be told."""
    with Tinyproxy(need("tinyproxy", "tinyproxy"), street.places["closed"]) as tinyproxy:
        proxy = {"mode": "named", "server": tinyproxy.address}
        roots = str(street.network.roots)
        findings = look(5, endpoints=only(updates={"url": url}), proxy=proxy, public_roots=roots)
    finding = findings["reach.updates"]
    assert outcome(finding) == wanted.value, finding.reason
    assert (wanted in OUTAGE) is (wanted is Outcome.PROXY_CANNOT)


# ----- endpoints beside each other


def everything(
    street: Street, https: str = "vendor", http: str = "vendor_http", **others: str
) -> dict[str, Any]:
    """Return the vendor's endpoints at these places; others by endpoint."""
    table = street.network.endpoints()
    places = dict.fromkeys(("updates", "app_updates", "cloud_licensing"), https)
    places |= dict.fromkeys(("app_updates_http", "administrative_data", "online_catalog"), http)
    return {
        name: {**table[name], "address": street.places[place]}
        for name, place in {**places, **others}.items()
    }


def test_one_endpoint_that_fails_does_not_hide_the_others(street: Street) -> None:
    found = look(
        2,
        endpoints=everything(street, cloud_licensing="full", online_catalog="garbage"),
        public_roots=str(street.network.roots),
    )
    failed = {
        name
        for name, finding in found.items()
        if name.startswith("reach.") and finding.status is Status.FAIL
    }
    assert failed == {"reach.cloud_licensing", "reach.online_catalog"}


def test_the_same_inspector_everywhere_is_proof_once(street: Street) -> None:
    finding = look(
        endpoints=everything(street, "inspected"), public_roots=str(street.network.roots)
    )["reach.interception"]
    assert (finding.status, "Everywhere by the same issuer." in finding.reason) == (
        Status.FAIL,
        True,
    )
    assert finding.evidence["proof"].keys() == {"updates", "app_updates", "cloud_licensing"}
    assert not finding.evidence["strong"]
    assert len(finding.evidence["issuer_ids"]) == 1


def test_strong_evidence_is_told_from_proof(street: Street) -> None:
    found = look(
        endpoints=everything(street, "named_inspector", "altering"),
        public_roots=str(street.network.roots),
    )
    finding = found["reach.interception"]
    assert finding.status is Status.FAIL
    assert "strong evidence, and no proof" in finding.reason
    assert finding.evidence["proof"] == {}
    assert (
        finding.evidence["strong"]["updates"] == "an inspector's name: CN=FortiGate CA of the Lab"
    )
    assert finding.evidence["strong"]["online_catalog"] == "not the vendor's document"


def test_weak_signs_alone_are_no_verdict(street: Street) -> None:
    finding = look(
        endpoints=everything(street, "unknown_issuer"), public_roots=str(street.network.roots)
    )["reach.interception"]
    assert finding.status is Status.UNKNOWN
    assert "not proof of interception, nor of its absence" in finding.reason
    weak = finding.evidence["weak"]["updates"]
    assert weak[0].startswith("no embedded signed certificate timestamps")
    assert weak[-1].startswith("valid for 367 days")


def test_a_page_that_two_servers_share_is_the_vendors_of_neither(street: Street) -> None:
    found = look(
        endpoints=everything(street, http="block_page"), public_roots=str(street.network.roots)
    )
    finding = found["reach.app_updates_http"]
    assert outcome(finding) == "block_page"
    assert "the same as that of another server" in finding.reason


@pytest.mark.parametrize(("place", "over_tls", "wanted"), [
    ("block_page", "vendor", Outcome.PAGE_NOT_KNOWN),
    ("block_page", "home_tls", Outcome.PAGE_NOT_KNOWN),
    ("home", "vendor", Outcome.PAGE_NOT_KNOWN),
    ("home", "inspected", Outcome.PAGE_NOT_KNOWN),
    ("home", "home_tls", Outcome.FINE),
    ("vendor_http", "vendor", Outcome.FINE),
])  # fmt: skip
def test_a_page_where_programs_are_answered_is_the_vendors_where_tls_says_so(
    street: Street, place: str, over_tls: str, wanted: Outcome
) -> None:
    table = everything(street, app_updates_http=place, app_updates=over_tls)
    finding = look(endpoints=table, public_roots=str(street.network.roots))[
        "reach.app_updates_http"
    ]
    assert (outcome(finding), finding.status) == (
        wanted.value,
        Status.PASS if wanted is Outcome.FINE else Status.UNKNOWN,
    )
    assert ("the same over TLS" in finding.reason) == (
        over_tls == "home_tls" and wanted is Outcome.FINE
    )


def test_what_the_server_sends_over_genuine_tls_too_is_nobodys_page_in_its_place(
    street: Street,
) -> None:
    """The vendor takes a document away: all that is left is the server's page for what is not there."""
    table = everything(
        street, administrative_data="home", updates="home_tls", cloud_licensing="home_tls"
    )
    found = look(endpoints=table, public_roots=str(street.network.roots))
    gone = found["reach.administrative_data"]
    assert (outcome(gone), "so it is its own" in gone.reason) == ("wrong_content", True)
    others = ("reach.updates", "reach.cloud_licensing", "reach.interception")
    assert [found[name].status for name in others] == [Status.PASS] * 3


def test_ones_own_page_may_be_a_page_and_it_is_said_what_that_proves(street: Street) -> None:
    news = {"url": "http://www.knx.org/news", "address": street.places["block_page"]}
    finding = look(endpoints=only(news=news), public_roots=str(street.network.roots))["reach.news"]
    assert finding.status is Status.PASS
    assert finding.reason.endswith(
        "(HTTP 200). Over HTTP nothing proves that the answer is the server's own."
    )


def test_interception_passes_only_where_every_endpoint_over_tls_was_judged(street: Street) -> None:
    roots = str(street.network.roots)
    every = look(endpoints=everything(street), public_roots=roots)["reach.interception"]
    assert (every.status, every.evidence["not_judged"]) == (Status.PASS, [])
    some = look(endpoints=everything(street, updates="closed"), public_roots=roots)[
        "reach.interception"
    ]
    assert (some.status, some.evidence["not_judged"]) == (Status.UNKNOWN, ["updates"])
    assert some.reason == (
        "The certificates of app_updates and cloud_licensing lead to public roots. No TLS came about with updates, so nothing can be said "
        "about interception there."
    )
    none = look(endpoints=everything(street, https="closed"), public_roots=roots)[
        "reach.interception"
    ]
    assert (none.status, none.evidence["genuine"]) == (Status.UNKNOWN, [])
    plain = only(online_catalog={"address": street.places["vendor_http"]})
    assert (
        look(endpoints=plain, public_roots=roots)["reach.interception"].status
        is Status.NOT_APPLICABLE
    )
    plain = only(online_catalog={"address": street.places["altering"]})
    assert look(endpoints=plain, public_roots=roots)["reach.interception"].status is Status.UNKNOWN


def test_a_sign_in_page_is_named_where_other_endpoints_fail_behind_it(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_with(monkeypatch, {PORTAL: socket.EAI_NONAME})
    found = look(
        endpoints=everything(street, "portal_tls", "portal"), public_roots=str(street.network.roots)
    )
    assert outcome(found["reach.online_catalog"]) == "sign_in_or_block_page"
    assert "see its finding first" in found["reach.updates"].reason
    assert found["reach.interception"].status is Status.UNKNOWN
    assert found["reach.interception"].evidence["another_server"] == [
        "app_updates",
        "cloud_licensing",
        "updates",
    ]


# ----- the same seen by a Windows PC


@dataclass(frozen=True)
class Seat:
    """A PC with names, a clock and a proxy of its own, and the outcomes of its endpoints."""

    endpoints: dict[str, Any]
    wanted: dict[str, Outcome]
    names: Names = field(default_factory=dict)
    ahead: timedelta = timedelta()
    proxy: str = ""
    registry: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    def member(self, name: str, dialect: str, roots: Path) -> fleet.Member:
        """Return it as a PC of the lab."""
        pc = Pc(name, rule_count=0)
        pc.allow_all()
        for path, values in self.registry.items():
            pc.set(path, **values)
        if self.proxy:
            pc.user_proxy(3, self.proxy)
        pc.state["clock"] = int(self.ahead.total_seconds())
        for host, answer in self.names.items():
            known = WINSOCK[answer] if isinstance(answer, int) else [answer]
            pc.state["names"][host] = known
        variables = {
            "ets6_network_probe_timeout": 60,
            "ets6_network_endpoints": self.endpoints,
            "ets6_network_public_roots": str(roots),
        }
        return fleet.Member(pc, "", "", "", ("", ""), variables, dialect=dialect)


WINSOCK = {socket.EAI_NONAME: 11001, socket.EAI_AGAIN: 11002}
DIALECTS = {"pc-5-1": "5.1", "pc-7": "7", "pc-model": ""}


Setting = tuple[timedelta, tuple[tuple[str, str | int], ...], bool]


def setting_of(scene: Scene) -> Setting:
    """Return what a PC has to have for a scene: a clock, names, and whether an address is a sinkhole."""
    return scene.ahead, tuple(scene.names.items()), scene.wanted is Outcome.SINKHOLED


SETTINGS = dict.fromkeys(setting_of(scene) for scene in SCENES.values() if not scene.proxy)


def play_from(street: Street, seat: Seat, reports: Path) -> None:
    """Look by PowerShell in both dialects and by the Python prober, and compare."""
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    roots = street.network.roots

    def build(_network: Network) -> list[fleet.Member]:
        return [seat.member(name, dialect, roots) for name, dialect in DIALECTS.items()]

    with Lab(build) as lab:
        # Windows knows roots that the list does not have.
        lab.network.roots.write_bytes(roots.read_bytes() + street.young.pem())
        played = play(lab, "playbooks/verify.yml", reports=reports)
    wanted = {f"reach.{endpoint}": outcome.value for endpoint, outcome in seat.wanted.items()}
    for name in DIALECTS:
        found = {
            one["control"]: one["evidence"]["outcome"]
            for one in played.host(name)["findings"]
            if "outcome" in one["evidence"]
        }
        assert found == wanted, name


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_real_powershell_comes_to_the_same_outcomes(
    street: Street, tmp_path: Path, setting: Setting
) -> None:
    """In both dialects, and beside it a PC that answers by the Python prober. Each scene is an endpoint."""
    scenes = {
        name: scene
        for name, scene in SCENES.items()
        if not scene.proxy and setting_of(scene) == setting
    }
    ahead, names, _is_sunk = setting
    table = only(**{name: scene_endpoint(street, scene) for name, scene in scenes.items()})
    wanted = {name: scene.wanted for name, scene in scenes.items()}
    play_from(street, Seat(table, wanted, dict(names), ahead), tmp_path)


def neighbours(street: Street, http: str, wanted: Outcome, document: Outcome) -> Seat:
    """Return a PC whose endpoints over HTTP are all answered by one place."""
    outcomes = dict.fromkeys(("updates", "app_updates", "cloud_licensing"), Outcome.FINE)
    outcomes |= dict.fromkeys(("administrative_data", "online_catalog"), document)
    return Seat(everything(street, http=http), {**outcomes, "app_updates_http": wanted})


def fake_addresses(street: Street) -> Seat:
    """Return a PC whose resolver leads all names to addresses where no public server is."""
    https, http = street.port("vendor"), street.port("vendor_http")
    table = {
        "app_updates": {"url": f"https://api.knx.org:{https}"},
        "app_updates_http": {"url": f"http://api.knx.org:{http}"},
        "administrative_data": {"url": DOCUMENT.replace("knx.org", f"knx.org:{http}")},
    }
    names = dict.fromkeys(("api.knx.org", "update.knx.org"), "127.0.0.1")
    return Seat(only(**table), dict.fromkeys(table, Outcome.FINE), names)


@pytest.mark.parametrize("filter_of_all", ["empty", "gif"])
def test_the_real_powershell_compares_neighbours(
    street: Street, tmp_path: Path, filter_of_all: str
) -> None:
    seat = neighbours(street, filter_of_all, Outcome.PAGE_NOT_KNOWN, Outcome.WRONG_CONTENT)
    play_from(street, seat, tmp_path)


def test_the_real_powershell_believes_tls_and_not_the_address(
    street: Street, tmp_path: Path
) -> None:
    play_from(street, fake_addresses(street), tmp_path)


def test_the_real_powershell_hears_a_real_tinyproxy(street: Street, tmp_path: Path) -> None:
    """It answers a bare 500 where it does not resolve or reach a server, tunnel or not.

    Windows asks no proxy for a loopback address, and 0.0.0.0 leads there as well.
    """
    with Tinyproxy(need("tinyproxy", "tinyproxy")) as tinyproxy:
        server = f"0.0.0.0:{street.port('closed')}"
        table = only(tunnel={"url": f"https://{server}"}, request={"url": f"http://{server}/"})
        wanted = dict.fromkeys(("tunnel", "request"), Outcome.ERROR_NOT_KNOWN)
        play_from(street, Seat(table, wanted, proxy=tinyproxy.address), tmp_path)


SCHANNEL = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols"
STORES = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"


@pytest.mark.parametrize(("version", "wanted"), [
    ("TLS 1.2", Outcome.TLS_OFF),
    ("TLS 1.3", Outcome.TLS_FAILED),
])  # fmt: skip
def test_the_real_powershell_tells_what_a_pc_switches_off_from_a_firewall(
    street: Street, tmp_path: Path, version: str, wanted: Outcome
) -> None:
    """An alert is explained by TLS 1.2 that is off, and not by TLS 1.3."""
    table = only(updates={"address": street.places["alert"]})
    off = {rf"{SCHANNEL}\{version}\Client": {"Enabled": ["REG_DWORD", 0]}}
    play_from(street, Seat(table, {"updates": wanted}, registry=off), tmp_path)


@pytest.mark.parametrize(("store", "wanted"), [
    ("AuthRoot", Outcome.FINE),
    ("ROOT", Outcome.UNTRUSTED),
])  # fmt: skip
def test_the_real_powershell_tells_where_a_root_stands(
    street: Street, tmp_path: Path, store: str, wanted: Outcome
) -> None:
    """The list says that the root is public, and the PC that only its administrators installed it."""
    root = street.network.public.certificate.fingerprint(hashes.SHA1()).hex().upper()
    stores = {rf"{STORES}\AuthRoot\Certificates\{'0' * 40}": {}}
    stores[rf"{STORES}\{store}\Certificates\{root}"] = {}
    table = only(updates={"address": street.places["vendor"]})
    play_from(street, Seat(table, {"updates": wanted}, registry=stores), tmp_path)


def scanner_of_each_pc() -> list[tuple[Authority, str]]:
    """Return the authorities of three PCs whose scanner makes a key of its own on each."""
    return [(Authority.root("Avast Web/Mail Shield Root"), "whole") for _pc in DIALECTS]


def cloud_service() -> list[tuple[Authority, str]]:
    """Return the authorities that three PCs see of a service with short-lived intermediates."""
    above = Authority.root("Zscaler Root CA").intermediate("Zscaler Intermediate Root CA")
    return [(above.intermediate("Zscaler (t)", days=14, started=3), "usual") for _pc in DIALECTS]


@pytest.mark.parametrize(("inspectors", "same", "words"), [
    (scanner_of_each_pc, 0, "virus scanner or filter on the PC, which may have a key of its own"),
    (cloud_service, 2, "and not of a single PC"),
])  # fmt: skip
def test_a_fleet_is_compared_by_keys_and_by_the_kind_of_product(
    street: Street,
    tmp_path: Path,
    inspectors: Callable[[], list[tuple[Authority, str]]],
    same: int,
    words: str,
) -> None:
    """By PowerShell in both dialects, and by the model."""
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    places = []
    for authority, chain in inspectors():
        places.append(street.inspected_by(authority, chain))
    roots = street.network.roots

    def build(_network: Network) -> list[fleet.Member]:
        members = []
        for place, (name, dialect) in zip(places, DIALECTS.items(), strict=True):
            table = only(updates={"address": place})
            members.append(Seat(table, {}).member(name, dialect, roots))
        return members

    with Lab(build) as lab:
        played = play(lab, "playbooks/verify.yml", reports=tmp_path)
    for name in DIALECTS:
        finding = played.finding(name, "reach.interception")
        assert finding["status"] == "fail", name
        assert len(finding["evidence"]["elsewhere"]["same_issuer"]) == same, name
        assert words in finding["reason"], name


class Gone(Handler):
    """The vendor's server after a document was taken away."""

    def do_GET(self) -> None:
        """Say so."""
        page = b"<!DOCTYPE html><html><body>There is no such document here.</body></html>"
        self.answer(404, {"Content-Type": "text/html"}, page)


def test_what_the_vendor_took_away_is_seen_from_everywhere_and_no_filter_is_blamed(
    street: Street, tmp_path: Path
) -> None:
    """By PowerShell in both dialects: one PC goes directly, the other through a proxy."""
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    roots = street.network.roots
    with ExitStack() as stack:
        gone = Server(Gone)
        stack.callback(gone.stop)
        proxy = Server(proxy_handler(lambda _host, _port: gone.address))
        stack.callback(proxy.stop)

        def build(_network: Network) -> list[fleet.Member]:
            direct = Seat(only(administrative_data={"address": gone.address}), {})
            proxied = Seat(only(administrative_data={}), {}, proxy=proxy.address)
            return [direct.member("pc-5-1", "5.1", roots), proxied.member("pc-7", "7", roots)]

        with Lab(build) as lab:
            played = play(lab, "playbooks/verify.yml", reports=tmp_path)
    for name in ("pc-5-1", "pc-7"):
        finding = played.finding(name, "reach.administrative_data")
        assert finding["evidence"]["outcome"] == "page_not_known", finding["reason"]
        assert "The same answer from 2 vantage points, so it is not this host" in finding["reason"]
        assert "the vendor may have moved it" in finding["reason"]
        interception = played.finding(name, "reach.interception")
        assert interception["evidence"]["strong"] == {}


def test_the_same_empty_answer_for_every_name_is_not_the_vendors(street: Street) -> None:
    """A filter that answers everything by nothing is found by the document that does not come."""
    roots = str(street.network.roots)
    findings = look(endpoints=everything(street, http="empty"), public_roots=roots)
    assert outcome(findings["reach.online_catalog"]) == "wrong_content"
    finding = findings["reach.app_updates_http"]
    assert (outcome(finding), finding.status) == ("page_not_known", Status.UNKNOWN)
    assert "the same answer as that to administrative_data" in finding.reason


def test_an_answer_that_is_empty_over_tls_too_is_the_servers(street: Street) -> None:
    roots = str(street.network.roots)
    table = everything(street, http="empty", app_updates="empty_tls")
    findings = look(endpoints=table, public_roots=roots)
    assert outcome(findings["reach.app_updates_http"]) == "fine"


def test_the_route_is_one_line_for_a_network_team(street: Street) -> None:
    roots = str(street.network.roots)
    findings = look(endpoints=everything(street, "inspected", updates="reset"), public_roots=roots)
    (intercepted,) = findings["reach.app_updates"].evidence["ways"]
    assert intercepted["line"] == (
        "api.knx.org:443 → 127.0.0.1 → Tls13 by CN=FortiGate CA of the Lab, Fortinet FortiGate → "
        "HTTP 200"
    )
    (reset,) = findings["reach.updates"].evidence["ways"]
    assert reset["line"] == "update.knx.org:443 → 127.0.0.1 → failed at tls: reset"


def test_the_list_of_roots_is_named_with_its_hash(street: Street) -> None:
    roots = street.network.roots
    finding = look(endpoints=everything(street), public_roots=str(roots))["reach.interception"]
    evidence = finding.evidence["roots"]
    assert evidence["path"] == str(roots)
    assert evidence["sha256"] == hashlib.sha256(roots.read_bytes()).hexdigest()


def test_a_line_in_one_pcs_hosts_file_is_named_and_its_neighbour_is_fine(tmp_path: Path) -> None:
    """By PowerShell in both dialects, and by the model; no other line of the file leaves the PC."""
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")

    def build(network: Network) -> list[fleet.Member]:
        port = network.closed.rpartition(":")[2]
        url = f"https://update.knx.org:{port}"
        members = []
        for name, dialect in (("pc-5-1", "5.1"), ("pc-7", "7"), ("pc-model", "")):
            pc = Pc(name, rule_count=0)
            pc.allow_all()
            pc.state["names"] = {"update.knx.org": ["127.0.0.1"]}
            pc.state["hosts"] = [
                "# ours",
                "127.0.0.1\tUpdate.KNX.org # once",
                "10.0.0.1 secret.example",
            ]
            table = only(updates={"url": url})
            variables = {"ets6_network_endpoints": table, "ets6_network_probe_timeout": 30}
            members.append(fleet.Member(pc, "", "", "", ("", ""), variables, dialect=dialect))
        return members

    with Lab(build) as lab:
        played = play(lab, "playbooks/verify.yml", reports=tmp_path)
    for name in ("pc-5-1", "pc-7", "pc-model"):
        finding = played.finding(name, "reach.updates")
        assert finding["evidence"]["outcome"] == "hosts_file", (name, finding)
        reason = "The hosts file of this PC leads update.knx.org to 127.0.0.1, where it is not."
        assert finding["reason"].startswith(reason)
        assert finding["reason"].endswith(ADVICE[Outcome.HOSTS_FILE])
    assert "secret.example" not in (tmp_path / "report.json").read_text()
