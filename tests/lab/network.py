# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The network around the PCs, on loopback: the vendor's servers, proxies, and an interceptor of TLS."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.lab.certificates import Authority

LOGIN = "bGFi"
"""What a session of the lab's user has for a proxy that wants a login."""
PUBLIC_ROOTS = "public-roots.pem"
"""The file in the lab's folder with the root that counts as public."""
VENDOR = ("update.knx.org", "api.knx.org", "openapi.knx.org", "onlinecatalog.knx.org")
DOCUMENTS = {
    ("update.knx.org", "/data/XML/project-23/knx_master.xml"): (
        b'<?xml version="1.0" encoding="utf-8"?>\n<KNX xmlns="http://knx.org/xml/project/23"><MasterData Version="1"/></KNX>\n'
    ),
    ("onlinecatalog.knx.org", "/Download/Manufacturers"): (
        b'<?xml version="1.0" encoding="utf-8"?>\n<ArrayOfUnsignedShort xmlns="http://schemas.microsoft.com/2003/10/Serialization/Arrays">'
        b"<unsignedShort>1</unsignedShort></ArrayOfUnsignedShort>\n"
    ),
}
"""The like of the vendor's public documents, by server and path."""


class Server(ThreadingHTTPServer):
    """A server on a free port of loopback."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.context = context
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a silent client keeps no other waiting."""
        request.settimeout(30)
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return
        with contextlib.suppress(OSError, ssl.SSLError):
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is part of the play."""

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """What all handlers of the lab share: HTTP/1.1, one write for an answer, no log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        """Send a whole answer in one write."""
        self.wfile.write(self.packet(status, headers, body))

    def packet(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> bytes:
        """Return a whole answer as it goes over the wire."""
        lines = [
            f"HTTP/1.1 {status} {self.responses.get(status, ('Unknown',))[0]}",
            f"Content-Length: {len(body)}",
        ]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Vendor(Handler):
    """The vendor's servers, told apart by the Host header."""

    def do_GET(self) -> None:
        """Answer as a server that is up; where the vendor has a public document, with the like of it."""
        host = self.headers.get("Host", "").partition(":")[0]
        body = DOCUMENTS.get((host, self.path), b'<?xml version="1.0"?>\n<ok/>\n')
        self.answer(200, {"Content-Type": "application/xml", "Server": "lab"}, body)


def proxy_handler(upstream: Callable[[str, int], str | None], login: str = "") -> type[Handler]:
    """Return a proxy's handler. upstream gives the address for a name and port; login is what Proxy-Authenticate offers."""

    class Proxy(Handler):
        def _refused(self) -> bool:
            taken = self.headers.get("Proxy-Authorization") == f"{login} {LOGIN}"
            if login and not taken:
                self.close_connection = True
                self.answer(
                    407, {"Proxy-Authenticate": login, "Connection": "close"}, b"login, please"
                )
            return bool(login) and not taken

        def do_CONNECT(self) -> None:
            if self._refused():
                return
            host, _colon, port = self.path.rpartition(":")
            address = upstream(host, int(port))
            self.close_connection = True
            if address is None:
                return self.answer(502, {"Connection": "close"})
            name, _colon, number = address.rpartition(":")
            try:
                far = socket.create_connection((name, int(number)), 5)
            except OSError:
                return self.answer(502, {"Connection": "close"})
            with far:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                relay(self.connection, far)

        def do_GET(self) -> None:
            if self._refused():
                return
            asked = urlsplit(self.path)
            address = upstream(asked.hostname or "", asked.port or 80)
            if address is None:
                return self.answer(502)
            far = http.client.HTTPConnection(address, timeout=5)
            try:
                far.request("GET", asked.path or "/", headers={"Host": asked.netloc})
                got = far.getresponse()
                self.answer(
                    got.status,
                    {"Content-Type": got.headers["Content-Type"], "Via": "1.1 lab"},
                    got.read(),
                )
            except OSError:
                self.answer(502)
            finally:
                far.close()

    return Proxy


def relay(near: socket.socket, far: socket.socket) -> None:
    """Carry bytes both ways until one side ends or both are silent for half a minute."""
    while True:
        readable, _w, _x = select.select([near, far], [], [], 30)
        for one in readable:
            data = one.recv(65536)
            if not data:
                return
            (far if one is near else near).sendall(data)
        if not readable:
            return


class Network:
    """Everything that listens, and the files that it needs in a folder."""

    def __init__(self, folder: Path) -> None:
        root = Authority.root("Lab Public Root")
        inspector = Authority.root("FortiGate CA of the Lab")
        self.public, self.inspector = root, inspector
        self.roots = folder / PUBLIC_ROOTS
        self.roots.write_bytes(root.pem())
        self.winrm_ca = folder / "winrm-ca.pem"
        company = Authority.root("Lab Company Root")
        self.winrm_ca.write_bytes(company.pem())
        self.winrm_pem = company.issue(folder / "winrm.pem", ["localhost"])
        names = list(VENDOR)
        self.https = Server(
            Vendor,
            server_context(
                root.intermediate("Lab Issuing CA").issue(folder / "vendor.pem", names, logged=True)
            ),
        )
        self.http = Server(Vendor)
        self.inspected = Server(
            Vendor, server_context(inspector.issue(folder / "inspected.pem", names, chain="whole"))
        )
        self.proxy = Server(proxy_handler(self._upstream))
        self.negotiate_proxy = Server(proxy_handler(self._upstream, "Negotiate"))
        self.basic_proxy = Server(proxy_handler(self._upstream, 'Basic realm="lab"'))
        # Bound and not listening: no answer comes from there, and no other program can take the port.
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))
        self.closed = f"127.0.0.1:{self._closed.getsockname()[1]}"
        self._servers = (
            self.https,
            self.http,
            self.inspected,
            self.proxy,
            self.negotiate_proxy,
            self.basic_proxy,
        )

    def _upstream(self, host: str, port: int) -> str | None:
        if host not in VENDOR:
            return None
        return self.https.address if port == 443 else self.http.address

    def endpoints(self, https: str = "", down: str = "") -> dict[str, dict[str, str]]:
        """Return ets6_network_endpoints with the lab's addresses; https replaces the vendor's TLS server, down names an endpoint that is not there."""
        secure = ("updates", "app_updates", "cloud_licensing")
        plain = ("app_updates_http", "administrative_data", "online_catalog")
        table = {name: {"address": https or self.https.address} for name in secure}
        table |= {name: {"address": self.http.address} for name in plain}
        if down:
            table[down] = {"address": self.closed}
        return table

    def stop(self) -> None:
        """Stop all servers."""
        self._closed.close()
        for server in self._servers:
            server.stop()


def server_context(pem: Path) -> ssl.SSLContext:
    """Return a TLS server's context for a file with certificates and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
