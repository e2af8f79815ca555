# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The Python prober itself: how long it takes, and what it sends."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils import probe
from ansible_collections.ets6.network.plugins.modules import endpoint_probe

from tests.integration.street import look, only, outcome, resolve_with
from tests.lab import obstacles
from tests.lab.network import VENDOR, Handler, Network, Server, server_context

COUNT = 14
"""Endpoints: the vendor's six, and as many again as a user may add."""
SLOW = 1.0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def many(address: str) -> list[dict[str, Any]]:
    return [
        {"name": f"e{number}", "url": "http://update.knx.org/", "address": address, "proxies": [""]}
        for number in range(COUNT)
    ]


def test_all_endpoints_take_the_time_of_the_slowest(stack: ExitStack) -> None:
    def slow(connection: socket.socket) -> None:
        connection.recv(65536)
        time.sleep(SLOW)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = obstacles.Listener(slow)
    stack.callback(server.stop)
    since = time.monotonic()
    found = probe.probe_all(many(server.address), 10)
    took = time.monotonic() - since
    assert [one["http"]["status"] for one in found] == [200] * COUNT
    assert SLOW <= took < 2 * SLOW, took


@pytest.mark.parametrize("how", ["dropping", "silent", "dripping", "name service"])
def test_with_all_endpoints_dead_the_bound_holds(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    probes = many("")
    if how == "name service":
        over = threading.Event()
        stack.callback(over.set)

        def hang(*_words: Any, **_more: Any) -> list[Any]:
            over.wait(30)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", hang)
    elif how == "dropping":
        probes = many(obstacles.dropping(stack))
    else:

        def drip(connection: socket.socket) -> None:
            connection.recv(65536)
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 400:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

        server = obstacles.Listener(obstacles.silent if how == "silent" else drip)
        stack.callback(server.stop)
        probes = many(server.address)
    since = time.monotonic()
    found = probe.probe_all(probes, 1.5)
    took = time.monotonic() - since
    assert 1.4 <= took < 2.5, took
    stage = {"dropping": "tcp", "name service": "dns"}.get(how, "http")
    assert [(one["stage"], one["error"]["kind"]) for one in found] == [(stage, "timeout")] * COUNT


def test_a_stage_has_its_own_bound_within_that_of_all(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probe.STAGE_SECONDS, "http", 0.3)
    server = obstacles.Listener(obstacles.silent)
    stack.callback(server.stop)
    since = time.monotonic()
    found = probe.probe_all(many(server.address), 10)
    assert time.monotonic() - since < 3
    assert {(one["stage"], one["error"]["kind"]) for one in found} == {("http", "timeout")}


def test_the_name_service_has_its_own_bound_too(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probe.STAGE_SECONDS, "dns", 0.3)
    over = threading.Event()
    stack.callback(over.set)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: over.wait(30))
    since = time.monotonic()
    found = probe.probe_all(many(""), 10)
    assert time.monotonic() - since < 3
    assert {(one["stage"], one["error"]["kind"]) for one in found} == {("dns", "timeout")}


def test_a_name_service_that_hangs_does_not_keep_the_process_from_ending() -> None:
    script = (
        "import socket, time, sys; sys.path.insert(0, sys.argv[1]); import probe\n"
        "socket.getaddrinfo = lambda *a, **k: time.sleep(60)\n"
        "print(probe.probe_all([{'name': 'x', 'url': 'https://x.example'}], 1)[0]['error']['kind'])"
    )
    since = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(probe.__file__).parent)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == ["timeout"]
    assert time.monotonic() - since < 10


class Recorder:
    """Keeps everything that is sent to servers and proxies."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Recording(Handler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self.close_connection = True
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.connection.settimeout(0.2)
                try:
                    more = self.rfile.read(1)
                except OSError:
                    more = b""
                outer.requests.append((self.command, self.path, headers, more))
                status = 407 if self.command == "CONNECT" or "://" in self.path else 200
                self.answer(
                    status,
                    {
                        "Proxy-Authenticate": "Basic realm=x",
                        "Set-Cookie": "a=b",
                        "Connection": "close",
                    },
                )

        self.network = network = Network(folder)
        stack.callback(network.stop)
        file = network.public.intermediate("Lab Recording CA").issue(
            folder / "recorder.pem", list(VENDOR), logged=True
        )
        servers = [Server(Recording, server_context(file)), Server(Recording), Server(Recording)]
        for server in servers:
            stack.callback(server.stop)
        self.https, self.http, self.proxy = (server.address for server in servers)


@pytest.fixture
def recorder(stack: ExitStack, tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, stack)


def endpoints(recorder: Recorder, **more: Any) -> dict[str, Any]:
    """Return the vendor's endpoints where the recorder stands."""
    return {
        name: {
            **entry,
            "address": recorder.https
            if entry["address"] == recorder.network.https.address
            else recorder.http,
        }
        for name, entry in recorder.network.endpoints().items()
    } | more


@pytest.mark.parametrize("proxied", [False, True])
def test_nothing_is_sent_that_identifies_anybody(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxied: bool
) -> None:
    """Also where the surroundings hold logins, as curl or requests would send them."""
    resolve_with(monkeypatch, {})
    (tmp_path / ".netrc").write_text("default login ada password secret\n")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://ada:secret@{recorder.proxy}")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    proxy = {"mode": "named", "server": recorder.proxy} if proxied else {"mode": "direct"}
    look(5, endpoints=endpoints(recorder), proxy=proxy, public_roots=str(recorder.network.roots))
    assert len(recorder.requests) == 6, "one request an endpoint"
    for method, path, headers, body in recorder.requests:
        assert headers.pop("user-agent") == "ets6.network-probe"
        assert re.fullmatch(r"[a-z]+\.knx\.org(:\d+)?", headers.pop("host"))
        assert headers in (
            {"accept": "*/*", "connection": "close"},
            {} if method == "CONNECT" else None,
        )
        assert (method in ("GET", "CONNECT"), body) == (True, b"")
        assert "?" not in path
        assert "@" not in path
    assert {path for method, path, _headers, _body in recorder.requests if method == "CONNECT"} == (
        {"update.knx.org:443", "api.knx.org:443", "openapi.knx.org:443"} if proxied else set()
    )


def test_cloud_licensing_that_is_off_is_neither_probed_nor_required(recorder: Recorder) -> None:
    given = endpoints(recorder, cloud_licensing={"enabled": False})
    found = look(5, endpoints=given, public_roots=str(recorder.network.roots))
    assert "reach.cloud_licensing" not in found
    assert "openapi.knx.org" not in {
        headers["host"] for _method, _path, headers, _body in recorder.requests
    }
    assert len(recorder.requests) == 5
    rationales = " ".join(finding.control.rationale for finding in found.values())
    assert "cloud licensing ETS6 sends" not in rationales


def test_cloud_licensing_that_is_on_carries_the_vendors_notice(recorder: Recorder) -> None:
    finding = look(5, endpoints=endpoints(recorder), public_roots=str(recorder.network.roots))[
        "reach.cloud_licensing"
    ]
    notice = finding.control.rationale
    for told in ("login, computer and software information", "encrypted", "IP address", "one year"):
        assert told in notice


def test_a_name_that_is_cut_off_costs_a_second_request_and_no_more(
    stack: ExitStack, tmp_path: Path
) -> None:
    asked: list[bytes] = []

    def count(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        obstacles.break_off(connection)

    network = Network(tmp_path)
    stack.callback(network.stop)
    server = obstacles.Listener(count)
    stack.callback(server.stop)
    table = only(updates={"address": server.address})
    assert (
        outcome(look(5, endpoints=table, public_roots=str(network.roots))["reach.updates"])
        == "reset"
    )
    assert len(asked) == 2
    assert b"update.knx.org" in asked[0]
    assert b"knx" not in asked[1]


def test_only_lines_of_the_hosts_file_that_name_a_probed_server_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    monkeypatch.setattr(endpoint_probe, "HOSTS_FILE", hosts)
    probes = [{"url": "https://update.knx.org/a"}]
    assert endpoint_probe.hosts_lines(probes) is None
    hosts.write_text(
        "127.0.0.1 localhost\n0.0.0.0\tUPDATE.knx.org. # no\n#0.0.0.0 update.knx.org\n"
    )
    assert endpoint_probe.hosts_lines(probes) == ["0.0.0.0 update.knx.org."]
    assert endpoint_probe.snapshot([], ["0.0.0.0 update.knx.org."])["hosts_file"]


@pytest.mark.parametrize("reason", ["UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"])
def test_a_tls_version_that_is_switched_off_here_is_told_apart(reason: str) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    assert probe._classify(error).kind == "no_common_tls"
