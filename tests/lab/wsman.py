# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A WS-Management endpoint on loopback (MS-WSMV): what Ansible's connections winrm and psrp, pywinrm and pypsrp, need of one.

Basic over HTTPS, NTLM with message encryption over HTTP. The user says which PC is meant, so that hundreds of PCs share a port.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spnego

from tests.lab import faults, psrp
from tests.lab.network import Handler, Server
from tests.lab.soap import (
    ACCESS_DENIED,
    OPERATION_TIMED_OUT,
    SECONDS_BEFORE_TIMEOUT_FAULT,
    SHELL,
    WSMAN,
    Request,
)

PASSWORD = "lab-4711-password"
SECONDS_OF_SILENCE = 0.2
"""How long a command that never ends keeps its client waiting, each time."""
NTLM_ALONE = {
    "ntlm": spnego.NegotiateOptions.use_ntlm,
    "negotiate": spnego.NegotiateOptions.use_negotiate,
}
"""Options that keep pyspnego from looking for Kerberos."""
SOAP_XML = "application/soap+xml;charset=UTF-8"
MARK = re.compile(rb"\r?\n\x00{4}\r?\n")
"""What Ansible sends between its wrapper and the modules."""


@dataclass
class Traffic:
    """What one PC was sent: bench counts it."""

    requests: int = 0
    executions: int = 0
    sends: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    stdin: int = 0
    wrapper: int = 0


@dataclass
class Command:
    """A command in a shell, from the first byte of its input to the last of its output."""

    line: str
    pc: str
    wants_input: bool
    data: list[bytes] = field(default_factory=list)
    outcome: Future[tuple[bytes, bytes, int]] | None = None


Execute = Callable[[str, str, bytes], tuple[bytes, bytes, int]]
"""PC, command line and standard input to standard output, standard error and exit code."""


class Endpoint:
    """The two ports, and what is behind them. faults say what is wrong with a PC's WinRM.

    That is nothing, or a fault of the table in README.md. What spoils a module's reply is Lab._execute's.
    """

    def __init__(
        self,
        execute: Execute,
        shells: psrp.Shells,
        faults: Mapping[str, str],
        users: list[str],
        certificate: Path,
    ) -> None:
        self.execute, self.shells, self.faults = execute, shells, faults
        self.traffic: dict[str, Traffic] = {user: Traffic() for user in users}
        self.commands: dict[str, Command] = {}
        self.pool = ThreadPoolExecutor(32)
        self.lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory()
        accounts = Path(self._folder.name) / "accounts"
        accounts.write_text("".join(f":{user}:{PASSWORD}\n" for user in users), encoding="utf-8")
        # pyspnego's NTLM acceptor knows no other way to be given accounts.
        os.environ["NTLM_USER_FILE"] = str(accounts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        handler = type("BoundWsman", (Wsman,), {"endpoint": self})
        self.http = Server(handler)
        self.https = Server(handler, context)

    def stop(self) -> None:
        """Stop listening and forget the accounts."""
        self.http.stop()
        self.https.stop()
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.shells.stop()
        os.environ.pop("NTLM_USER_FILE", None)
        self._folder.cleanup()


class Wsman(Handler):
    """One connection. With NTLM the connection is the login."""

    endpoint: Endpoint

    def setup(self) -> None:
        super().setup()
        self._login: Any = None
        self._last_token: dict[str, str] = {}
        self._user = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sent = len(body)
        if not self._log_in(self.headers.get("Authorization", "")):
            return
        if not body:
            self.wfile.write(self._packet(200, SOAP_XML, b""))
            return
        encrypted = "multipart/encrypted" in self.headers.get("Content-Type", "")
        if encrypted:
            try:
                body = self._decrypt(body)
            except (spnego.exceptions.SpnegoError, struct.error, ValueError):
                return self.answer(400)
        request = Request.parse(body)
        self._count(request, sent)
        self._serve(request, encrypted)

    def _log_in(self, authorization: str) -> bool:
        """Return whether the client is logged in; where it is not, it was answered."""
        if authorization.startswith("Basic "):
            user, _colon, password = base64.b64decode(authorization[6:]).decode().partition(":")
            if user not in self.endpoint.traffic or password != PASSWORD:
                self.answer(401, {"WWW-Authenticate": 'Basic realm="WSMAN"'})
                return False
            self._user = user
        elif authorization.startswith(("Negotiate ", "NTLM ")):
            return self._negotiate(*authorization.split(" ", 1))
        elif not self._user:
            self.answer(401, {"WWW-Authenticate": "Negotiate"})
            return False
        return True

    def _serve(self, request: Request, encrypted: bool) -> None:
        executions = self.endpoint.traffic[self._user].executions
        fault = faults.at(self.endpoint.faults.get(self._user, ""), executions)
        if fault == "drops the command" and request.verb == "Command":
            return self._hang_up()
        status, text = self._spoilt(request, fault) or self._reply(request, fault)
        if fault == faults.SERVER_ERROR and status == 200 and _brings_output(request):
            status, text = 500, "<html><body>Interner Serverfehler</body></html>"
        kind, content = SOAP_XML, text.encode("utf-8")
        if encrypted:
            kind, content = self._encrypt(content)
        with self.endpoint.lock:
            self.endpoint.traffic[self._user].bytes_out += len(content)
        packet = self._packet(status, kind, content)
        if fault in faults.BREAKS and status == 200 and _brings_output(request):
            return self._hang_up(packet[: int(len(packet) * faults.BREAKS[fault])])
        self.wfile.write(packet)
        return None

    def _spoilt(self, request: Request, fault: str) -> tuple[int, str] | None:
        """Return what goes out in place of a command's output, where the fault is one of that. The command runs none the less."""
        if not _brings_output(request):
            return None
        is_psrp = request.resource.startswith(psrp.RESOURCE)
        if fault == faults.NEVER_ENDS:
            time.sleep(SECONDS_OF_SILENCE)
            if is_psrp:
                # What the engine changed is read back together with its output.
                self._reply(request, fault)
            return 500, request.fault(OPERATION_TIMED_OUT)
        if fault == faults.ENDLESS:
            return 200, psrp.endless(request) if is_psrp else _endless(request)
        return None

    def _packet(self, status: int, kind: str, content: bytes) -> bytes:
        """Return an answer as it goes over the wire, with the login's last token where the client does not have it yet."""
        headers, self._last_token = {"Content-Type": kind, **self._last_token}, {}
        return self.packet(status, headers, content)

    def _hang_up(self, said: bytes = b"") -> None:
        """End the connection, after the beginning of an answer where one is given."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.write(said)
            self.connection.shutdown(socket.SHUT_RDWR)

    def _count(self, request: Request, sent: int) -> None:
        traffic = self.endpoint.traffic[self._user]
        with self.endpoint.lock:
            traffic.requests += 1
            traffic.bytes_in += sent
            if request.verb == "Command":
                traffic.executions += 1
            if request.verb == "Send":
                traffic.sends += 1
                traffic.stdin += len(base64.b64decode(request.element("Stream").text or ""))

    def _negotiate(self, word: str, token: str) -> bool:
        if self._login is None:
            # pypsrp wraps NTLM's tokens in those of SPNEGO, pywinrm does not.
            protocol = "ntlm" if base64.b64decode(token).startswith(b"NTLMSSP\0") else "negotiate"
            self._login = spnego.server(protocol=protocol, options=NTLM_ALONE[protocol])
        try:
            out = self._login.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self._login = None
            self.answer(401, {"WWW-Authenticate": "Negotiate"})
            return False
        answered = {"WWW-Authenticate": f"{word} {base64.b64encode(out or b'').decode()}"}
        if not self._login.complete:
            self.answer(401, answered)
            return False
        # With SPNEGO the client has to see the last token, which proves that none was exchanged on the way.
        self._last_token = answered if out else {}
        self._user = str(self._login.client_principal).rpartition("\\")[2]
        return True

    def _decrypt(self, body: bytes) -> bytes:
        """Take apart HTTP-SPNEGO-session-encrypted (MS-WSMV 2.2.9.1.1.2)."""
        mark = b"Content-Type: application/octet-stream\r\n"
        data = body[body.index(mark) + len(mark) : body.rindex(b"--Encrypted Boundary")]
        (length,) = struct.unpack_from("<i", data)
        return bytes(self._login.unwrap_winrm(data[4 : 4 + length], data[4 + length :]))

    def _encrypt(self, content: bytes) -> tuple[str, bytes]:
        sealed = self._login.wrap_winrm(content)
        protocol = "application/HTTP-SPNEGO-session-encrypted"
        head = (
            f"--Encrypted Boundary\r\n\tContent-Type: {protocol}\r\n"
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(content)}\r\n"
            "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        ).encode()
        body = (
            head
            + struct.pack("<i", len(sealed.header))
            + sealed.header
            + sealed.data
            + b"--Encrypted Boundary--\r\n"
        )
        return f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"', body

    def _reply(self, request: Request, fault: str) -> tuple[int, str]:
        """Return status and envelope."""
        if fault == "denies access" and request.verb == "Create":
            return 500, request.fault(ACCESS_DENIED)
        if request.resource.startswith(psrp.RESOURCE):
            return self.endpoint.shells.reply(self._user, request, fault)
        if request.verb == "Create":
            shell = str(uuid.uuid4()).upper()
            return 200, request.reply(f'<w:Selector Name="ShellId">{shell}</w:Selector>')
        if request.verb == "Command":
            return 200, request.reply(self._command(request))
        if request.verb == "Send":
            stream = request.element("Stream")
            command = self.endpoint.commands[stream.get("CommandId", "")]
            command.data.append(base64.b64decode(stream.text or ""))
            if stream.get("End", "").lower() == "true":
                self._start(command)
        if request.verb == "Receive":
            return self._receive(request)
        return 200, request.reply()

    def _command(self, request: Request) -> str:
        words = [request.envelope.findtext(f".//{{{SHELL}}}Command") or ""]
        words += [item.text or "" for item in request.envelope.iterfind(f".//{{{SHELL}}}Arguments")]
        skip = request.envelope.find(f".//{{{WSMAN}}}Option[@Name='WINRS_CONSOLEMODE_STDIN']")
        command = Command(
            " ".join(words), self._user, skip is not None and (skip.text or "").upper() == "FALSE"
        )
        name = str(uuid.uuid4()).upper()
        self.endpoint.commands[name] = command
        if not command.wants_input:
            self._start(command)
        return f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>"

    def _start(self, command: Command) -> None:
        data = b"".join(command.data)
        with self.endpoint.lock:
            self.endpoint.traffic[command.pc].wrapper += wrapper_bytes(data)
        command.outcome = self.endpoint.pool.submit(self._run, command, data)

    def _run(self, command: Command, data: bytes) -> tuple[bytes, bytes, int]:
        try:
            return self.endpoint.execute(command.pc, command.line, data)
        except Exception:  # noqa: BLE001 - a fault of the lab itself must be seen where the PC's answer would have been
            return b"", traceback.format_exc().encode(), 1

    def _receive(self, request: Request) -> tuple[int, str]:
        name = request.element("DesiredStream").get("CommandId", "")
        command = self.endpoint.commands.get(name)
        if command is None or command.outcome is None:
            return 500, request.fault(OPERATION_TIMED_OUT)
        try:
            out, err, code = command.outcome.result(SECONDS_BEFORE_TIMEOUT_FAULT)
        except NotYet:
            return 500, request.fault(OPERATION_TIMED_OUT)
        streams = "".join(
            f'<rsp:Stream Name="{stream}" CommandId="{name}">{base64.b64encode(data).decode()}</rsp:Stream>'
            for stream, data in (("stdout", out), ("stderr", err))
            if data
        )
        state = (
            f'<rsp:CommandState CommandId="{name}" State="{SHELL}/CommandState/Done">'
            f"<rsp:ExitCode>{code}</rsp:ExitCode></rsp:CommandState>"
        )
        self.endpoint.commands.pop(name)
        return 200, request.reply(f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>")


def _endless(request: Request) -> str:
    """Return a part of an output that has no end."""
    name = request.element("DesiredStream").get("CommandId", "")
    data = base64.b64encode(faults.CHUNK).decode()
    stream = f'<rsp:Stream Name="stdout" CommandId="{name}">{data}</rsp:Stream>'
    state = f'<rsp:CommandState CommandId="{name}" State="{SHELL}/CommandState/Running"/>'
    return request.reply(f"<rsp:ReceiveResponse>{stream}{state}</rsp:ReceiveResponse>")


def _brings_output(request: Request) -> bool:
    """Return whether a request is for a command's output, and not for what a shell as a whole says."""
    return request.verb == "Receive" and bool(request.element("DesiredStream").get("CommandId"))


def wrapper_bytes(data: bytes) -> int:
    """Return how much of the standard input that Ansible sends is its own wrapper, which differs from release to release."""
    parts = MARK.split(data)
    if len(parts) < 2:
        return len(data)
    script = json.loads(parts[-1])["scripts"]["module_wrapper.ps1"]
    return sum(map(len, parts[:-1])) + len(json.dumps(script))


def module_arguments(data: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return a module's name and arguments from the standard input that Ansible sends; None where it runs no module."""

    parts = MARK.split(data)
    if len(parts) < 2:
        return None
    payload = json.loads(parts[-1])
    last = payload["actions"][-1]["params"]
    for variable in last.get("Variables") or ():
        if variable.get("Name") == "complex_args":
            return str(last["Script"]), dict(variable["Value"])
    return None
