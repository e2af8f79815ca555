# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A WS-Management endpoint on loopback (MS-WSMV): what Ansible's winrm connection and pywinrm need of one.

Basic over HTTPS, NTLM with message encryption over HTTP. The user says which PC is meant, so that hundreds of PCs share a port.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import ssl
import struct
import tempfile
import threading
import traceback
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import spnego

from tests.lab.network import Handler, Server

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
OPERATION_TIMED_OUT = "2150858793"
ACCESS_DENIED = "5"
SECONDS_BEFORE_TIMEOUT_FAULT = 15
PASSWORD = "lab"
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
    """The two ports, and what is behind them. fault names what is wrong with a PC's WinRM: nothing, or one of Handler's."""

    def __init__(self, execute: Execute, faults: Mapping[str, str], users: list[str], certificate: Path) -> None:
        self.execute, self.faults = execute, faults
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
        os.environ.pop("NTLM_USER_FILE", None)
        self._folder.cleanup()


class Wsman(Handler):
    """One connection. With NTLM the connection is the login."""

    endpoint: Endpoint

    def setup(self) -> None:
        super().setup()
        self._login: Any = None
        self._user = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sent = len(body)
        authorization = self.headers.get("Authorization", "")
        if authorization.startswith("Basic "):
            user, _colon, password = base64.b64decode(authorization[6:]).decode().partition(":")
            if user not in self.endpoint.traffic or password != PASSWORD:
                return self.answer(401, {"WWW-Authenticate": 'Basic realm="WSMAN"'})
            self._user = user
        elif authorization.startswith(("Negotiate ", "NTLM ")):
            word, token = authorization.split(" ", 1)
            if not self._negotiate(word, token):
                return None
        elif not self._user:
            return self.answer(401, {"WWW-Authenticate": "Negotiate"})
        if not body:
            return self.answer(200, {"Content-Type": "application/soap+xml;charset=UTF-8"})
        encrypted = "multipart/encrypted" in self.headers.get("Content-Type", "")
        if encrypted:
            try:
                body = self._decrypt(body)
            except (spnego.exceptions.SpnegoError, struct.error, ValueError):
                return self.answer(400)
        traffic = self.endpoint.traffic[self._user]
        with self.endpoint.lock:
            traffic.requests += 1
            traffic.bytes_in += sent
        reply = self._reply(body, traffic)
        if reply is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(2)
            return None
        status, text = reply
        content = text.encode("utf-8")
        kind = "application/soap+xml;charset=UTF-8"
        if encrypted:
            kind, content = self._encrypt(content)
        with self.endpoint.lock:
            traffic.bytes_out += len(content)
        return self.answer(status, {"Content-Type": kind}, content)

    def _negotiate(self, word: str, token: str) -> bool:
        if self._login is None:
            self._login = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        try:
            out = self._login.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self._login = None
            self.answer(401, {"WWW-Authenticate": "Negotiate"})
            return False
        if not self._login.complete:
            self.answer(401, {"WWW-Authenticate": f"{word} {base64.b64encode(out or b'').decode()}"})
            return False
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
        body = head + struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data + b"--Encrypted Boundary--\r\n"
        return f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"', body

    def _reply(self, body: bytes, traffic: Traffic) -> tuple[int, str] | None:
        """Return status and envelope, or None where the connection is to break off."""
        envelope = ElementTree.fromstring(body)
        action = (envelope.findtext(f".//{{{ADDRESSING}}}Action") or "").strip()
        message = (envelope.findtext(f".//{{{ADDRESSING}}}MessageID") or "").strip()
        fault = self.endpoint.faults.get(self._user, "")
        verb = action.rpartition("/")[2]
        if fault == "denies access" and verb == "Create":
            return 500, _fault(message, ACCESS_DENIED)
        if fault == "drops the connection" and verb == "Receive":
            return None
        if verb == "Create":
            shell = str(uuid.uuid4()).upper()
            return 200, _envelope(message, action, f'<w:Selector Name="ShellId">{shell}</w:Selector>')
        if verb == "Command":
            return 200, _envelope(message, action, self._command(envelope, traffic))
        if verb == "Send":
            stream = envelope.find(f".//{{{SHELL}}}Stream")
            assert stream is not None
            command = self.endpoint.commands[stream.get("CommandId", "")]
            with self.endpoint.lock:
                traffic.sends += 1
            command.data.append(base64.b64decode(stream.text or ""))
            if stream.get("End", "").lower() == "true":
                self._start(command, traffic)
            return 200, _envelope(message, action, "")
        if verb == "Receive":
            return self._receive(envelope, message, action, fault)
        return 200, _envelope(message, action, "")

    def _command(self, envelope: ElementTree.Element, traffic: Traffic) -> str:
        words = [envelope.findtext(f".//{{{SHELL}}}Command") or ""]
        words += [item.text or "" for item in envelope.iterfind(f".//{{{SHELL}}}Arguments")]
        skip = envelope.find(f".//{{{WSMAN}}}Option[@Name='WINRS_CONSOLEMODE_STDIN']")
        command = Command(" ".join(words), self._user, skip is not None and (skip.text or "").upper() == "FALSE")
        name = str(uuid.uuid4()).upper()
        self.endpoint.commands[name] = command
        if not command.wants_input:
            self._start(command, traffic)
        return f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>"

    def _start(self, command: Command, traffic: Traffic) -> None:
        data = b"".join(command.data)
        with self.endpoint.lock:
            traffic.executions += 1
            traffic.stdin += len(data)
            traffic.wrapper += wrapper_bytes(data)
        command.outcome = self.endpoint.pool.submit(self._run, command, data)

    def _run(self, command: Command, data: bytes) -> tuple[bytes, bytes, int]:
        try:
            return self.endpoint.execute(command.pc, command.line, data)
        except Exception:  # noqa: BLE001 - a fault of the lab itself must be seen where the PC's answer would have been
            return b"", traceback.format_exc().encode(), 1

    def _receive(self, envelope: ElementTree.Element, message: str, action: str, fault: str) -> tuple[int, str]:
        wanted = envelope.find(f".//{{{SHELL}}}DesiredStream")
        assert wanted is not None
        name = wanted.get("CommandId", "")
        command = self.endpoint.commands[name]
        if command.outcome is None:
            return 500, _fault(message, OPERATION_TIMED_OUT)
        try:
            out, err, code = command.outcome.result(SECONDS_BEFORE_TIMEOUT_FAULT)
        except NotYet:
            return 500, _fault(message, OPERATION_TIMED_OUT)
        if fault == "prints rubbish":
            out = b"Wartungsarbeiten bis 18 Uhr \x07\r\n" + out[: len(out) // 2]
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
        return 200, _envelope(message, action, f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>")


def _envelope(message: str, action: str, body: str) -> str:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:x="{TRANSFER}"><s:Header>'
        f"<a:Action>{escape(action)}Response</a:Action><a:RelatesTo>{escape(message)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def _fault(message: str, code: str) -> str:
    detail = f'<f:WSManFault xmlns:f="{FAULT}" Code="{code}" Machine="lab"><f:Message>lab</f:Message></f:WSManFault>'
    fault = (
        f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">fault {code}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>'
    )
    return _envelope(message, f"{ADDRESSING}/fault", fault)


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
