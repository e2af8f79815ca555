# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probe endpoints from a POSIX host, stage by stage: windows_host's probes by the standard library.

A probe is ``{name, url, address, proxies}``. address (``host:port``) is where to connect instead of
asking the name service; proxies lists "" (direct) or a proxy's ``host:port``. A result holds the stage
that was reached, the error there as a word that a program can tell apart, and the evidence:
addresses, the proxy's answer, the presented certificates whatever their validity, the HTTP answer.
windows_host documents its form (return value ``snapshot``).
"""

from __future__ import annotations

import base64
import contextlib
import copy
import errno
import os
import queue
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

AT_ONCE = 16
HEAD_CAP = 16 * 1024
BODY_CAP = 64 * 1024
CHUNK = 16 * 1024
NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a name is tried beside those that have not answered (RFC
8305, 5)."""
STAGE_SECONDS = {"dns": 8.0, "tcp": 5.0, "connect": 8.0, "tls": 8.0, "http": 8.0}
AGENT = "ets6.network-probe"
OVER = "the time was over"
MAX_TEXT = 300
"""Characters of an error's text."""

ERRORS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ETIMEDOUT: "timeout",
}
NOT_TLS = frozenset({
    "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG",
})  # fmt: skip
"""OpenSSL's reasons where the other side does not speak TLS."""
NO_COMMON_TLS = frozenset({
    "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "VERSION_TOO_LOW",
})  # fmt: skip
"""OpenSSL's own reasons where the settings of this host leave nothing in common with the server."""
ENCODING_DER = 2
"""OpenSSL's binding in Python: 1 is PEM, 2 is DER."""

_HEAD_END = re.compile(rb"\n\r?\n")
"""The end of a head. Lines that end without a carriage return are accepted (RFC 9112, 2.2)."""
_INTERIM = re.compile(rb"HTTP/\S+ 1[0-9]{2}[^0-9]")


def probe_all(probes: Sequence[Mapping[str, Any]], timeout: float) -> list[dict[str, Any]]:
    """Run every probe over each of its ways side by side, within timeout seconds.

    Return a result for each, in order. A probe that is not done by then has timed out at the stage
    that it reached. Its thread is left behind as a daemon, since a name service cannot be
    interrupted: neither this function nor the end of the process waits for it.
    """
    deadline = time.monotonic() + timeout
    attempts: list[Probe] = []
    for probe in probes:
        attempts += [Probe(probe, way, deadline) for way in probe.get("proxies", [""])]
    waiting: queue.SimpleQueue[Probe] = queue.SimpleQueue()
    for attempt in attempts:
        waiting.put(attempt)
    for _worker in range(min(AT_ONCE, len(attempts))):
        threading.Thread(target=_work, args=(waiting,), daemon=True).start()
    for attempt in attempts:
        attempt.done.wait(max(0.0, deadline - time.monotonic()))
    return [attempt.result() for attempt in attempts]


def _work(waiting: queue.SimpleQueue[Probe]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait().run()


class ProbeFailure(Exception):
    """A stage failed. kind is for programs, code the system's number where there is one."""

    def __init__(self, kind: str, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.code = code


class Probe:
    """One endpoint over one way."""

    def __init__(self, probe: Mapping[str, Any], way: str, deadline: float) -> None:
        parts = urlsplit(str(probe["url"]))
        self._host = parts.hostname or ""
        # An address of IPv6 is in brackets wherever a port may follow it.
        self._name = f"[{self._host}]" if ":" in self._host else self._host
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._address = str(probe.get("address") or "")
        self._body_cap = int(probe.get("max_body") or BODY_CAP)
        self._way = way
        self._deadline = self._ends = deadline
        self._stage = "queue"
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.done = threading.Event()
        self._result: dict[str, Any] = {
            "name": probe["name"],
            "proxy": way,
            "error": None,
            "addresses": [],
            "address": None,
            "local": None,
            "elapsed": {},
            "connect": None,
            "tls": None,
            "http": None,
        }

    def run(self) -> None:
        """Go through the stages. A failure is the result, not an exception."""
        failure: ProbeFailure | None = ProbeFailure("other", "the prober failed")
        try:
            self._go()
            failure = None
        except ProbeFailure as error:
            failure = error
        except OSError as error:
            failure = _classify(error)
        except ValueError as error:
            failure = ProbeFailure("other", str(error))
        finally:
            self._close()
            if failure is None:
                self._enter("done")
            else:
                self._keep_error(failure)
            self.done.set()

    def result(self) -> dict[str, Any]:
        """Return the result. A probe that is not done is given up, and its result is how far it came."""
        with self._lock:
            result = dict(copy.deepcopy(self._result), stage=self._stage)
            if not self.done.is_set():
                result["error"] = {"kind": "timeout", "code": None, "text": OVER}
            self._close()
            return result

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _keep(self, **fields: Any) -> None:
        with self._lock:
            self._result.update(fields)

    def _keep_error(self, error: ProbeFailure) -> None:
        text = str(error)[:MAX_TEXT]
        self._keep(error={"kind": error.kind, "code": error.code, "text": text})

    def _enter(self, stage: str) -> None:
        """Begin a stage, which has its own time within that of all probes."""
        with self._lock:
            self._stage = stage
        self._since = time.monotonic()
        self._ends = min(self._deadline, self._since + STAGE_SECONDS.get(stage, float("inf")))

    def _seconds(self) -> float:
        """Return the time that is left for the stage. Raises ProbeFailure where that is none."""
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise ProbeFailure("timeout", OVER)
        return seconds

    def _save_elapsed(self) -> None:
        with self._lock:
            elapsed = time.monotonic() - self._since
            self._result["elapsed"][self._stage] = round(elapsed * 1000)

    def _go(self) -> None:
        self._seconds()
        server = f"{self._name}:{self._port}"
        target = self._way or self._address or server
        name, _colon, port = target.rpartition(":")
        stream: socket.socket = self._connect(name.strip("[]"), int(port))
        if self._way and self._tls:
            self._open_tunnel(stream, server)
        if self._tls:
            stream = self._handshake(stream)
        self._enter("http")
        self._send(stream, self._request(server))
        self._keep(http=self._read_answer(stream))
        self._save_elapsed()

    def _request(self, server: str) -> str:
        is_default_port = self._port == (443 if self._tls else 80)
        path = self._path
        if self._way and not self._tls:
            path = f"http://{server}{path}"
        return _head(
            f"GET {path} HTTP/1.1",
            f"Host: {self._name if is_default_port else server}",
            f"User-Agent: {AGENT}",
            "Accept: */*",
            "Connection: close",
        )

    def _open_tunnel(self, stream: socket.socket, server: str) -> None:
        self._enter("connect")
        request = _head(f"CONNECT {server} HTTP/1.1", f"Host: {server}", f"User-Agent: {AGENT}")
        self._send(stream, request)
        head, _body = self._read_head(stream)
        answer = {**head, "body": ""}
        self._keep(connect=answer)
        self._save_elapsed()
        status = head["status"]
        if not 200 <= status < 300:
            raise ProbeFailure("other", f"the proxy answered {status}", status)

    def _connect(self, name: str, port: int) -> socket.socket:
        self._enter("dns")
        candidates = self._resolve(name, port)
        addresses = [candidate[4][0] for candidate in candidates]
        self._keep(addresses=list(dict.fromkeys(addresses)))
        self._save_elapsed()
        self._enter("tcp")
        self._socket = self._connect_first(candidates)
        self._save_elapsed()
        self._keep(address=self._socket.getpeername()[0], local=self._socket.getsockname()[0])
        return self._socket

    def _resolve(self, name: str, port: int) -> list[Any]:
        """Ask the name service, on a thread of its own, which is left behind where it takes too long."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def resolve() -> None:
            try:
                answers.put(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        threading.Thread(target=resolve, daemon=True).start()
        try:
            answer = answers.get(timeout=self._seconds())
        except queue.Empty:
            raise ProbeFailure("timeout", OVER) from None
        if isinstance(answer, socket.gaierror):
            kind = "try_again" if answer.errno == socket.EAI_AGAIN else "not_found"
            raise ProbeFailure(kind, str(answer), answer.errno)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def _connect_first(self, candidates: list[Any]) -> socket.socket:
        """Return a socket that is connected to the first address which answers.

        All are tried within the stage, each a moment after the one before it, so that an address
        without an answer costs no more than that moment.
        """
        race = _Race(candidates)
        try:
            while race.is_open:
                seconds = self._seconds()
                address = race.start_next()
                if address:
                    self._keep(address=address)
                connected = race.wait(seconds)
                if connected is not None:
                    return connected
        finally:
            race.close()
        raise race.error

    def _handshake(self, plain: socket.socket) -> socket.socket:
        """Shake hands and keep the presented chain, whatever its validity: the controller judges it."""
        self._enter("tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain.settimeout(self._seconds())
        stream = context.wrap_socket(plain, server_hostname=self._host)
        self._socket = stream
        self._keep(
            tls={
                "protocol": (stream.version() or "").replace("TLSv1.", "Tls1"),
                "policy_errors": [],
                "presented": [_text(der) for der in _presented(stream)],
                "built": [],
                "chain_status": [],
            }
        )
        self._save_elapsed()
        return stream

    def _send(self, stream: socket.socket, request: str) -> None:
        stream.settimeout(self._seconds())
        stream.sendall(request.encode("ascii"))

    def _receive(self, stream: socket.socket) -> bytes:
        stream.settimeout(self._seconds())
        return stream.recv(CHUNK)

    def _read_head(self, stream: socket.socket) -> tuple[dict[str, Any], bytes]:
        """Return status and headers of an answer, and what came of its body with them."""
        raw = b""
        while True:
            end = _HEAD_END.search(raw)
            if end is not None and _INTERIM.match(raw):
                # Answers that announce another one are none (RFC 9110, 15.2).
                raw = raw[end.end() :]
                continue
            if end is not None:
                return _parse_head(raw[: end.end()]), raw[end.end() :]
            if len(raw) > HEAD_CAP:
                raise ProbeFailure("other", f"the answer's head is longer than {HEAD_CAP} bytes")
            chunk = self._receive(stream)
            if not chunk:
                raise ProbeFailure("closed", "the connection was closed before an answer")
            raw += chunk

    def _read_answer(self, stream: socket.socket) -> dict[str, Any]:
        """Return an HTTP answer, with what comes of its body up to the cap and within the time."""
        answer, body = self._read_head(stream)
        length, is_chunked = _body_length(answer, self._body_cap)
        while len(body) < length and not (is_chunked and body.endswith(b"0\r\n\r\n")):
            try:
                chunk = self._receive(stream)
            except (OSError, ProbeFailure):
                break  # what came so far is an answer
            if not chunk:
                break
            body += chunk
        return {**answer, "body": _text(body[:length])}


class _Race:
    """Connections to the addresses of a name, of which the first one that is open wins."""

    def __init__(self, candidates: list[Any]) -> None:
        self.error = OSError("no address")
        self._candidates = candidates
        self._sockets: list[socket.socket] = []
        self._waiting = selectors.DefaultSelector()

    @property
    def is_open(self) -> bool:
        """Whether there is an address left that may answer."""
        return bool(self._candidates or self._waiting.get_map())

    def start_next(self) -> str:
        """Begin to connect to the next address, and return it; empty where there is none."""
        if not self._candidates:
            return ""
        family, kind, protocol, _name, address = self._candidates.pop(0)
        try:
            connection = socket.socket(family, kind, protocol)
            self._sockets.append(connection)
            connection.setblocking(False)
            _raise_failure(connection.connect_ex(address))
        except OSError as error:
            self.error = error
        else:
            self._waiting.register(connection, selectors.EVENT_WRITE)
        return str(address[0])

    def wait(self, seconds: float) -> socket.socket | None:
        """Return the first socket that is connected, None where the next address is to be tried."""
        if self._candidates:
            seconds = min(seconds, NEXT_ADDRESS)
        if not self._waiting.get_map():
            return None
        ready = {key.fd for key, _events in self._waiting.select(seconds)}
        for connection in list(self._sockets):
            if connection.fileno() not in ready:
                continue
            self._waiting.unregister(connection)
            try:
                _raise_failure(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            except OSError as error:
                self.error = error
                continue
            self._sockets.remove(connection)
            return connection
        return None

    def close(self) -> None:
        """Close every socket that did not win."""
        self._waiting.close()
        for connection in self._sockets:
            connection.close()


def _raise_failure(state: int) -> None:
    if state not in (0, errno.EINPROGRESS):
        raise OSError(state, os.strerror(state))


def _head(*lines: str) -> str:
    return "\r\n".join([*lines, "", ""])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _parse_head(head: bytes) -> dict[str, Any]:
    """Return status and headers. Raises ProbeFailure where it is not HTTP."""
    lines = head.decode("latin-1").rstrip("\r\n").split("\n")
    match = re.match(r"HTTP/\S+ ([0-9]{3})(?: |\r?$)", lines[0], re.IGNORECASE)
    if match is None:
        raise ProbeFailure("other", "the answer is not HTTP")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.append([name.strip(), value.strip()])
    return {"status": int(match[1]), "headers": headers}


def _body_length(answer: Mapping[str, Any], cap: int) -> tuple[int, bool]:
    """Return the most bytes that a body may have, and whether it comes in chunks."""
    headers = {name.lower(): value for name, value in answer["headers"]}
    is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    announced = headers.get("content-length", "")
    if answer["status"] in (204, 304):
        return 0, is_chunked
    if re.fullmatch("[0-9]{1,9}", announced):
        return min(cap, int(announced)), is_chunked
    return cap, is_chunked


def _presented(stream: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the server sent, its own first.

    Python has a public call for that since 3.13. Before, CPython has a private one; without it only
    the server's own certificate is seen.
    """
    public = getattr(stream, "get_unverified_chain", None)
    if public is not None:
        return [bytes(der) for der in public()]
    private = getattr(getattr(stream, "_sslobj", None), "get_unverified_chain", None)
    if private is not None:
        return [certificate.public_bytes(ENCODING_DER) for certificate in private()]
    leaf = stream.getpeercert(binary_form=True)
    return [leaf] if leaf else []


def _classify(error: OSError) -> ProbeFailure:
    """Return the error by its type and number, never by its text, which is the system's."""
    text = str(error)
    if isinstance(error, TimeoutError):
        return ProbeFailure("timeout", text)
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return ProbeFailure("closed", text)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        kind = "tls_alert" if "ALERT" in reason else "other"
        if reason in NOT_TLS:
            kind = "plain_http"
        if reason in NO_COMMON_TLS:
            kind = "no_common_tls"
        return ProbeFailure(kind, reason or text, error.errno)
    return ProbeFailure(ERRORS.get(error.errno or 0, "other"), text, error.errno)
