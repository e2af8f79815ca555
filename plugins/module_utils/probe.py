# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probe endpoints from a POSIX host, stage by stage: the same contract as windows_host's probes, standard library only.

A probe is ``{name, url, address, ways}``: address (``host:port``) is where to connect instead of asking the name service,
ways lists "" (direct) or a proxy's ``host:port``. A result holds the stage that was reached, what went wrong there as a kind
that a program can tell apart, and the evidence: addresses, the proxy's answer, the presented certificates whatever their
validity, the HTTP answer.
"""

from __future__ import annotations

import base64
import errno
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

AT_ONCE = 16
HEAD_CAP = 16 * 1024
BODY_CAP = 64 * 1024
STAGE_SECONDS = {"tcp": 5.0, "connect": 8.0, "tls": 8.0, "http": 8.0}
AGENT = "ets6.network-probe"

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

    A probe that is not done by then is reported as timed out at the stage that it had reached.
    """
    deadline = time.monotonic() + timeout
    single = [Probe(probe, way, deadline) for probe in probes for way in probe.get("ways") or [""]]
    pool = ThreadPoolExecutor(max(1, min(AT_ONCE, len(single))))
    futures = [pool.submit(one.run) for one in single]
    wait(futures, max(0.0, deadline - time.monotonic()) + 0.2)
    results = []
    for one, future in zip(single, futures, strict=True):
        if not future.done():
            one.abandon()
        results.append(one.result())
    pool.shutdown(wait=False, cancel_futures=True)
    return results


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
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._address = str(probe.get("address") or "")
        self._way = way
        self._deadline = deadline
        self._stage = "dns"
        self._socket: socket.socket | None = None
        self._abandoned = False
        self._found: dict[str, Any] = {
            "name": probe["name"],
            "way": way,
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
        try:
            self._go()
            self._stage = "done"
        except ProbeError as error:
            self._fail(error.kind, str(error), error.code)
        except OSError as error:
            self._fail(*_kind(error))
        except (UnicodeError, ValueError) as error:
            self._fail("other", str(error), None)
        finally:
            if self._socket is not None:
                self._socket.close()

    def abandon(self) -> None:
        """Give up: the time for all probes is over."""
        self._abandoned = True
        self._found["error"] = {"kind": "timeout", "code": None, "text": "the time for all probes was over"}
        if self._socket is not None:
            self._socket.close()

    def result(self) -> dict[str, Any]:
        """Return what was found, in the form that windows_host documents."""
        return dict(self._found, stage=self._stage)

    def _fail(self, kind: str, text: str, code: int | None) -> None:
        if not self._abandoned:
            self._found["error"] = {"kind": kind, "code": code, "text": text[:300]}

    def _enter(self, stage: str) -> float:
        self._stage = stage
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ProbeError("timeout", "the time for all probes was over")
        seconds = min(left, STAGE_SECONDS.get(stage, left))
        if self._socket is not None:
            self._socket.settimeout(seconds)
        return seconds

    def _timed(self, stage: str, since: float) -> None:
        self._found["elapsed"][stage] = round((time.monotonic() - since) * 1000)

    def _go(self) -> None:
        target = self._way or self._address or f"{self._host}:{self._port}"
        name, _colon, port = target.rpartition(":")
        plain = self._connect(name.strip("[]"), int(port))
        stream: socket.socket = plain
        if self._way and self._tls:
            since = time.monotonic()
            self._enter("connect")
            authority = self._address if self._address and not self._way else f"{self._host}:{self._port}"
            plain.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {AGENT}\r\n\r\n".encode("ascii"))
            answer = self._read_answer(plain, body=HEAD_CAP, wait_for_end=False)
            self._found["connect"] = answer
            self._timed("connect", since)
            if not 200 <= answer["status"] < 300:
                raise ProbeError("other", f"the proxy answered {answer['status']}", answer["status"])
        if self._tls:
            stream = self._handshake(plain)
        since = time.monotonic()
        self._enter("http")
        url = f"http://{self._host}:{self._port}{self._path}" if self._way and not self._tls else self._path
        host = self._host if self._port in (80, 443) else f"{self._host}:{self._port}"
        stream.sendall(
            f"GET {url} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode(
                "ascii"
            )
        )
        self._found["http"] = self._read_answer(stream, body=BODY_CAP, wait_for_end=True)
        self._timed("http", since)

    def _connect(self, name: str, port: int) -> socket.socket:
        since = time.monotonic()
        self._enter("dns")
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            kind = "try_again" if error.errno == socket.EAI_AGAIN else "not_found"
            raise ProbeError(kind, str(error), error.errno) from None
        self._found["addresses"] = list(dict.fromkeys(entry[4][0] for entry in found))
        self._timed("dns", since)
        since = time.monotonic()
        last: OSError | None = None
        for family, kind_of_socket, protocol, _name, address in found:
            seconds = self._enter("tcp")
            self._found["address"] = address[0]
            self._socket = socket.socket(family, kind_of_socket, protocol)
            self._socket.settimeout(seconds)
            try:
                self._socket.connect(address)
                self._timed("tcp", since)
                self._found["local"] = self._socket.getsockname()[0]
                return self._socket
            except OSError as error:
                self._socket.close()
                last = error
        raise last or OSError("no address")

    def _handshake(self, plain: socket.socket) -> socket.socket:
        """Shake hands and keep the presented chain, whatever its validity: judging it is the controller's."""
        since = time.monotonic()
        self._enter("tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        stream = context.wrap_socket(plain, server_hostname=self._host)
        self._socket = stream
        self._found["tls"] = {
            "protocol": (stream.version() or "").replace("TLSv1.", "Tls1"),
            "policy_errors": [],
            "presented": [base64.b64encode(der).decode("ascii") for der in _presented(stream)],
            "built": [],
            "chain_status": [],
        }
        self._timed("tls", since)
        return stream

    def _read_answer(self, stream: socket.socket, body: int, wait_for_end: bool) -> dict[str, Any]:
        """Read an HTTP answer: status, headers, and of the body what comes up to the cap."""
        raw = b""
        while b"\r\n\r\n" not in raw:
            if len(raw) > HEAD_CAP:
                raise ProbeError("other", f"the answer's head is longer than {HEAD_CAP} bytes")
            more = self._receive(stream)
            if not more:
                raise ProbeError("closed", "the connection was closed before an answer")
            raw += more
        head, _end, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
            raise ProbeError("other", "the answer is not HTTP")
        headers = [[name.strip(), value.strip()] for name, colon, value in (line.partition(":") for line in lines[1:]) if colon]
        status = int(words[1])
        if wait_for_end or not 200 <= status < 300:
            length = next((int(value) for name, value in headers if name.lower() == "content-length" and value.isdecimal()), None)
            while len(rest) < min(body, body if length is None else length):
                try:
                    more = self._receive(stream)
                except OSError:
                    break
                if not more:
                    break
                rest += more
        return {"status": status, "headers": headers, "body": base64.b64encode(rest[:body]).decode("ascii")}

    def _receive(self, stream: socket.socket) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ProbeError("timeout", "the time for all probes was over")
        stream.settimeout(min(left, STAGE_SECONDS["http"]))
        return stream.recv(16 * 1024)


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
