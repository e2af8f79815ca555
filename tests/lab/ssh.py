# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PCs behind OpenSSH: Debian's sshd on loopback, whose sessions the lab answers.

The lab accepts the connections and starts ``sshd -i`` for each, as systemd's socket units do: no daemon, no port but a free one,
nothing under /etc. sshd runs as the current user, who is the only one that it lets in. Each PC has a key of its own, and
the key's line in authorized_keys says which PC is meant.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import shlex
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.lab import faults, ssh_session
from tests.lab.wsman import Execute, wrapper_bytes

PRIVILEGE_SEPARATION = Path("/run/sshd")
"""Where root's sshd confines the part of it that talks to strangers. The package's service makes it when it starts."""
BYTES_OF_TCP_INFO = struct.Struct("@120xQQ")
"""tcpi_bytes_acked and tcpi_bytes_received in struct tcp_info (linux/tcp.h)."""
SECONDS_TO_LOG_IN = 20
SECONDS_TO_END = 5.0


@dataclass
class Traffic:
    """What one PC was sent: bench counts it. Bytes are TCP's, so encrypted and compressed as ssh does it."""

    connections: int = 0
    sessions: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    stdin: int = 0
    wrapper: int = 0


@dataclass
class Connection:
    """One TCP connection. Its PC is known from its first session on."""

    socket: socket.socket
    process: subprocess.Popen[bytes]
    pc: str = ""


Reply = tuple[bytes, bytes, int | None]
"""Standard output, standard error and exit code; no code where the command is to go on."""


def find_sshd() -> str | None:
    """Return the path of OpenSSH's server; None where there is none."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class SshServer:
    """OpenSSH on a free port, for PCs by their names.

    faults name what is wrong with a PC's connection, as README.md lists it. Raises FileNotFoundError where sshd is missing.
    """

    def __init__(
        self, execute: Execute, faults: Mapping[str, str], pcs: Iterable[str], folder: Path
    ) -> None:
        sshd = find_sshd()
        if sshd is None:
            raise FileNotFoundError("sshd is missing; it is in Debian's package openssh-server")
        self.execute, self.faults = execute, faults
        self.pcs = list(pcs)
        self.lock = threading.Lock()
        self._folder = folder
        self._open: dict[int, Connection] = {}
        self._traffic = {pc: Traffic() for pc in self.pcs}
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(mode=0o700)
        sessions = str(folder / "sessions")
        self._sessions = _Sessions(self, sessions)
        self._write_keys(sessions)
        self._command = [
            sshd,
            "-i",
            "-f",
            str(self._write_configuration()),
            "-E",
            str(folder / "sshd.log"),
        ]
        self._connections = _Connections(self)
        self.port = int(self._connections.server_address[1])
        self._write("known_hosts", f"[127.0.0.1]:{self.port} {self._host_key}\n")

    def stop(self) -> None:
        """Stop listening, end every connection and whatever sshd started."""
        self._connections.stop()
        with self.lock:
            connections = list(self._open.values())
        for connection in connections:
            _shut_down(connection.socket)
        for connection in connections:
            _end(connection.process)
        self._sessions.stop()

    @property
    def traffic(self) -> dict[str, Traffic]:
        """What each PC was sent so far."""
        with self.lock:
            counted = {pc: Traffic(**vars(traffic)) for pc, traffic in self._traffic.items()}
            for connection in self._open.values():
                if connection.pc:
                    _count(connection, counted[connection.pc])
        return counted

    def variables(self, pc: str) -> dict[str, Any]:
        """Return the connection variables of a PC.

        All PCs have the same address, port and user, by which Ansible tells the connections apart that it keeps open; so each
        has a folder of its own for them.
        """
        number = self.pcs.index(pc)
        options = {
            "UserKnownHostsFile": f'"{self._folder / "known_hosts"}"',
            "GlobalKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
        }
        words = ["-F", "none"]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        return {
            "ansible_shell_type": "powershell",
            "ansible_port": self.port,
            "ansible_user": pwd.getpwuid(os.geteuid()).pw_name,
            "ansible_ssh_private_key_file": str(self._folder / f"{pc}.key"),
            "ansible_ssh_common_args": shlex.join(words),
            "ansible_ssh_timeout": SECONDS_TO_LOG_IN,
            "ansible_control_path_dir": str(self._folder / str(number)),
        }

    def serve(self, client: socket.socket, port: int) -> None:
        """Have sshd serve a connection, until either side ends it."""
        process = subprocess.Popen(
            self._command,
            stdin=client.fileno(),
            stdout=client.fileno(),
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        connection = Connection(client, process)
        with self.lock:
            self._open[port] = connection
        process.wait()
        with self.lock:
            del self._open[port]
            if connection.pc:
                _count(connection, self._traffic[connection.pc])

    def answer(self, session: Mapping[str, Any], data: bytes) -> Iterator[Reply]:
        """Execute what a session wants, and yield what it is to print; nothing more once the connection broke off."""
        pc = session["pc"]
        with self.lock:
            connection = self._open[session["client_port"]]
            connection.pc = pc
        fault = faults.at(self.faults.get(pc, ""), self._traffic[pc].sessions + 1)
        if fault == "drops the command":
            _shut_down(connection.socket)
            return
        if fault == "falls asleep":
            os.killpg(connection.process.pid, signal.SIGSTOP)
        with self.lock:
            self._traffic[pc].sessions += 1
            self._traffic[pc].stdin += len(data)
            self._traffic[pc].wrapper += wrapper_bytes(data)
        out, err, code = self._run(pc, session["line"], data)
        while fault == faults.NEVER_ENDS and connection.process.poll() is None:
            time.sleep(0.1)
        while fault == faults.ENDLESS and connection.process.poll() is None:
            yield faults.CHUNK, b"", None
        if fault not in faults.BREAKS:
            yield out, err, code
            return
        before = _bytes(connection)[0]
        part = out[: int(len(out) * faults.BREAKS[fault])]
        if part:
            yield part, b"", None
            _wait(lambda: _bytes(connection)[0] > before)
        _shut_down(connection.socket)

    def _run(self, pc: str, line: str, data: bytes) -> tuple[bytes, bytes, int]:
        try:
            return self.execute(pc, line, data)
        except Exception:  # noqa: BLE001 - a fault of the lab itself must be seen where the PC's answer would have been
            return b"", traceback.format_exc().encode(), 1

    def _write_keys(self, sessions: str) -> None:
        lines = []
        for pc in self.pcs:
            key = Ed25519PrivateKey.generate()
            self._write(f"{pc}.key", _private(key))
            session = [sys.executable, "-I", "-S", ssh_session.__file__, sessions, pc]
            command = shlex.join(session).replace('"', r"\"")
            if self.faults.get(pc) != "denies access":
                lines.append(f'restrict,command="{command}" {_public(key)} {pc}\n')
        self._write("authorized_keys", "".join(lines))
        host = Ed25519PrivateKey.generate()
        self._write("host.key", _private(host))
        self._host_key = _public(host)

    def _write_configuration(self) -> Path:
        folder = self._folder
        lines = [
            f'HostKey "{folder}/host.key"',
            f'AuthorizedKeysFile "{folder}/authorized_keys"',
            "AuthenticationMethods publickey",
            "PermitRootLogin forced-commands-only",
            "UsePAM no",
            "StrictModes no",  # the keys are below a folder that everybody may write to, as /tmp is
            "PermitUserRC no",
            f"LoginGraceTime {SECONDS_TO_LOG_IN}",
        ]
        return self._write("sshd_config", "\n".join([*lines, ""]))

    def _write(self, name: str, content: str) -> Path:
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(content, encoding="utf-8")
        return file


class _Connections(socketserver.ThreadingTCPServer):
    """The port."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, server: SshServer) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self._server = server
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._server.serve(request, client_address[1])

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Sessions(socketserver.ThreadingUnixStreamServer):
    """Where ssh_session.py of every session turns to."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, server: SshServer, address: str) -> None:
        super().__init__(address, socketserver.BaseRequestHandler)
        self._server = server
        self._requests: set[socket.socket] = set()
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(ssh_session.SECONDS)
        self._requests.add(request)
        with request.makefile("rb") as stream:
            session, data = json.loads(stream.readline()), stream.read()
        for out, err, code in self._server.answer(session, data):
            reply = {
                "stdout": base64.b64encode(out).decode(),
                "stderr": base64.b64encode(err).decode(),
                "code": code,
            }
            request.sendall(json.dumps(reply).encode() + b"\n")

    def shutdown_request(self, request: Any) -> None:
        self._requests.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a session that ends early is part of the play."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for request in list(self._requests):
            _shut_down(request)


def _shut_down(connection: socket.socket) -> None:
    """Break a connection off under whoever has it open."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for sshd, which ends when its connection does, and kill what does not."""
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _bytes(connection: Connection) -> tuple[int, int]:
    """Return how many bytes the server sent that have arrived, and how many it received."""
    sent, received = BYTES_OF_TCP_INFO.unpack(
        connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_OF_TCP_INFO.size)
    )
    return int(sent), int(received)


def _count(connection: Connection, traffic: Traffic) -> None:
    """Add a connection and its bytes to its PC's."""
    sent, received = _bytes(connection)
    traffic.connections += 1
    traffic.bytes_in += received
    traffic.bytes_out += sent


def _wait(happened: Callable[[], bool]) -> None:
    """Wait until something happened, for some seconds at most."""
    until = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < until and not happened():
        time.sleep(0.01)


def _private(key: Ed25519PrivateKey) -> str:
    kind = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(
        serialization.Encoding.PEM, kind, serialization.NoEncryption()
    ).decode()


def _public(key: Ed25519PrivateKey) -> str:
    encoding, kind = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(encoding, kind).decode()
