# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probe endpoints from a POSIX host, stage by stage: the same contract as windows_host's probes, standard library only.

A probe is ``{name, url, address, proxies}``: address (``host:port``) is where to connect instead of asking the name service,
proxies lists "" (direct) or a proxy's ``host:port``. A result holds the stage that was reached, what went wrong there as a kind
that a program can tell apart, and the evidence: addresses, the proxy's answer, the presented certificates whatever their
validity, the HTTP answer.
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
NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a name is tried beside those that have not answered (RFC 8305, 5)."""
STAGE_SECONDS = {"dns": 8.0, "tcp": 5.0, "connect": 8.0, "tls": 8.0, "http": 8.0}
AGENT = "ets6.network-probe"
OVER = "the time was over"

KINDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ETIMEDOUT: "timeout",
}


def probe_all(probes: Sequence[Mapping[str, Any]], timeout: float) -> list[dict[str, Any]]:
    """Run every probe over each of its ways side by side and return a result for each, in order, within timeout seconds.

    A probe that is not done by then is reported as timed out at the stage that it had reached. Its thread is left behind as a
    daemon, since a name service cannot be interrupted: nobody waits for it, the end of the process neither.
    """
    deadline = time.monotonic() + timeout
    single = [Probe(probe, way, deadline) for probe in probes for way in probe.get("proxies", [""])]
    waiting: queue.SimpleQueue[Probe] = queue.SimpleQueue()
    for one in single:
        waiting.put(one)
    for _worker in range(min(AT_ONCE, len(single))):
        threading.Thread(target=_work, args=(waiting,), daemon=True).start()
    for one in single:
        one.done.wait(max(0.0, deadline - time.monotonic()))
    return [one.result() for one in single]


def _work(waiting: queue.SimpleQueue[Probe]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait().run()


class ProbeError(Exception):
    """A stage failed: kind is what a program can tell apart, code the system's number where it has one."""

    def __init__(self, kind: str, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.kind, self.code = kind, code


class Probe:
    """One endpoint over one way."""

    def __init__(self, probe: Mapping[str, Any], way: str, deadline: float) -> None:
        parts = urlsplit(str(probe["url"]))
        self._host = parts.hostname or ""
        # An address of IPv6 stands in brackets wherever a port may follow it.
        self._name = f"[{self._host}]" if ":" in self._host else self._host
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._address = str(probe.get("address") or "")
        self._way = way
        self._deadline = self._ends = deadline
        self._stage = "queue"
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.done = threading.Event()
        self._found: dict[str, Any] = {
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
        """Go through the stages; whatever goes wrong is the result, not an exception."""
        kind, text, code = "other", "the prober failed", None
        try:
            self._go()
            kind = ""
        except ProbeError as error:
            kind, text, code = error.kind, str(error), error.code
        except OSError as error:
            kind, text, code = _kind(error)
        except (UnicodeError, ValueError) as error:
            text = str(error)
        finally:
            if self._socket is not None:
                self._socket.close()
            if kind:
                self._keep(error={"kind": kind, "code": code, "text": text[:300]})
            else:
                self._enter("done")
            self.done.set()

    def result(self) -> dict[str, Any]:
        """Return what was found, in the form that windows_host documents. Of a probe that is not done, how far it came; it is given up."""
        with self._lock:
            found = dict(copy.deepcopy(self._found), stage=self._stage)
            if not self.done.is_set():
                found["error"] = {"kind": "timeout", "code": None, "text": OVER}
            if self._socket is not None:
                self._socket.close()
            return found

    def _keep(self, **found: Any) -> None:
        with self._lock:
            self._found.update(found)

    def _enter(self, stage: str) -> None:
        """Begin a stage, which has its own time within that of all probes."""
        with self._lock:
            self._stage = stage
        self._since = time.monotonic()
        self._ends = min(self._deadline, self._since + STAGE_SECONDS.get(stage, float("inf")))

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise ProbeError("timeout", OVER)
        return left

    def _timed(self) -> None:
        with self._lock:
            self._found["elapsed"][self._stage] = round((time.monotonic() - self._since) * 1000)

    def _go(self) -> None:
        self._left()
        server = f"{self._name}:{self._port}"
        name, _colon, port = (self._way or self._address or server).rpartition(":")
        stream: socket.socket = self._connect(name.strip("[]"), int(port))
        if self._way and self._tls:
            self._enter("connect")
            self._send(stream, f"CONNECT {server} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: {AGENT}\r\n\r\n")
            answer = self._read_answer(stream, cap=HEAD_CAP, with_body=False)
            self._keep(connect=answer)
            self._timed()
            if not 200 <= answer["status"] < 300:
                raise ProbeError("other", f"the proxy answered {answer['status']}", answer["status"])
        if self._tls:
            stream = self._handshake(stream)
        self._enter("http")
        path = f"http://{server}{self._path}" if self._way and not self._tls else self._path
        host = self._name if self._port == (443 if self._tls else 80) else server
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        self._send(stream, request)
        self._keep(http=self._read_answer(stream, cap=BODY_CAP, with_body=True))
        self._timed()

    def _connect(self, name: str, port: int) -> socket.socket:
        self._enter("dns")
        found = self._resolve(name, port)
        self._keep(addresses=list(dict.fromkeys(entry[4][0] for entry in found)))
        self._timed()
        self._enter("tcp")
        self._socket = self._first_of(found)
        self._timed()
        self._keep(address=self._socket.getpeername()[0], local=self._socket.getsockname()[0])
        return self._socket

    def _resolve(self, name: str, port: int) -> list[Any]:
        """Ask the name service, on a thread of its own: nothing ends its work, so where it takes too long it is left behind."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            found = answers.get(timeout=self._left())
        except queue.Empty:
            raise ProbeError("timeout", OVER) from None
        if isinstance(found, socket.gaierror):
            kind = "try_again" if found.errno == socket.EAI_AGAIN else "not_found"
            raise ProbeError(kind, str(found), found.errno)
        if isinstance(found, Exception):
            raise found
        return list(found)

    def _first_of(self, found: list[Any]) -> socket.socket:
        """Return a socket that is connected to the first address which answers.

        All are tried within the stage, each a moment after the one before it: one that nobody answers at costs that moment.
        """
        last = OSError("no address")
        opened: list[socket.socket] = []
        try:
            with selectors.DefaultSelector() as waiting:
                while found or waiting.get_map():
                    left = self._left()
                    if found:
                        family, kind, protocol, _name, address = found.pop(0)
                        self._keep(address=address[0])
                        try:
                            opened.append(socket.socket(family, kind, protocol))
                            opened[-1].setblocking(False)
                            _check(opened[-1].connect_ex(address))
                        except OSError as error:
                            last = error
                            continue
                        waiting.register(opened[-1], selectors.EVENT_WRITE)
                        left = min(left, NEXT_ADDRESS) if found else left
                    for key, _events in waiting.select(left):
                        waiting.unregister(key.fileobj)
                        one = next(one for one in opened if one is key.fileobj)
                        try:
                            _check(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                        except OSError as error:
                            last = error
                            continue
                        opened.remove(one)
                        return one
        finally:
            for one in opened:
                one.close()
        raise last

    def _handshake(self, plain: socket.socket) -> socket.socket:
        """Shake hands and keep the presented chain, whatever its validity: judging it is the controller's."""
        self._enter("tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain.settimeout(self._left())
        stream = context.wrap_socket(plain, server_hostname=self._host)
        self._socket = stream
        self._keep(
            tls={
                "protocol": (stream.version() or "").replace("TLSv1.", "Tls1"),
                "policy_errors": [],
                "presented": [base64.b64encode(der).decode("ascii") for der in _presented(stream)],
                "built": [],
                "chain_status": [],
            }
        )
        self._timed()
        return stream

    def _send(self, stream: socket.socket, request: str) -> None:
        stream.settimeout(self._left())
        stream.sendall(request.encode("ascii"))

    def _receive(self, stream: socket.socket) -> bytes:
        stream.settimeout(self._left())
        return stream.recv(16 * 1024)

    def _read_answer(self, stream: socket.socket, cap: int, with_body: bool) -> dict[str, Any]:
        """Read an HTTP answer: status, headers, and of the body what comes up to the cap and within the time."""
        raw, before = b"", 0
        while b"\r\n\r\n" not in raw[before:]:
            if len(raw) > HEAD_CAP:
                raise ProbeError("other", f"the answer's head is longer than {HEAD_CAP} bytes")
            more = self._receive(stream)
            if not more:
                raise ProbeError("closed", "the connection was closed before an answer")
            raw += more
            # Answers that announce another one are none (RFC 9110, 15.2).
            before = re.match(rb"(?:HTTP/\S+ 1[0-9]{2}[^\r]*(?:\r\n[^\r]+)*\r\n\r\n)*", raw).end()  # type: ignore[union-attr]
        head, _end, body = raw[before:].partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        match = re.match(r"HTTP/\S+ ([0-9]{3})(?: |$)", lines[0], re.IGNORECASE)
        if match is None:
            raise ProbeError("other", "the answer is not HTTP")
        status = int(match[1])
        headers = [[name.strip(), value.strip()] for name, colon, value in (line.partition(":") for line in lines[1:]) if colon]
        said = {name.lower(): value for name, value in headers}
        length = said.get("content-length", "")
        most = 0 if status in (204, 304) else min(cap, int(length)) if re.fullmatch("[0-9]{1,9}", length) else cap
        chunked = said.get("transfer-encoding", "").lower() == "chunked"
        while with_body and len(body) < most and not (chunked and body.endswith(b"0\r\n\r\n")):
            try:
                more = self._receive(stream)
            except (OSError, ProbeError):
                break  # what came so far is an answer
            if not more:
                break
            body += more
        return {"status": status, "headers": headers, "body": base64.b64encode(body[:most]).decode("ascii")}


def _check(state: int) -> None:
    if state not in (0, errno.EINPROGRESS):
        raise OSError(state, os.strerror(state))


def _presented(stream: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the server sent, leaf first. Python has a public call for it since 3.13."""
    public = getattr(stream, "get_unverified_chain", None)
    if public is not None:
        return [bytes(der) for der in public()]
    try:
        # 1 is ENCODING_PEM, 2 is ENCODING_DER in OpenSSL's binding.
        return [certificate.public_bytes(2) for certificate in stream._sslobj.get_unverified_chain()]  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        leaf = stream.getpeercert(binary_form=True)
        return [leaf] if leaf else []


def _kind(error: OSError) -> tuple[str, str, int | None]:
    """Tell errors apart by type and number, never by their texts, which are the system's."""
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "timeout", str(error), None
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "closed", str(error), None
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
            return "plain_http", reason, error.errno
        return "tls_alert" if "ALERT" in reason else "other", reason or str(error), error.errno
    return KINDS.get(error.errno or 0, "other"), str(error), error.errno
