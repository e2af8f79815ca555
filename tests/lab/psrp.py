# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PowerShell Remoting (MS-PSRP) over WS-Management: a PowerShell process for each shell that a client creates.

PSRP's messages are PowerShell's own: they go to the process and come back as they are, in the lines of its out-of-process protocol. The
endpoint only carries them between these lines and the requests of WS-Management. There are no model PCs here, since they would have to
speak PSRP themselves.
"""

from __future__ import annotations

import base64
import itertools
import re
import struct
import subprocess
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from tests.lab import faults, script
from tests.lab.pc import Pc
from tests.lab.soap import (
    OPERATION_TIMED_OUT,
    SECONDS_BEFORE_TIMEOUT_FAULT,
    SHELL,
    SHELL_NOT_FOUND,
    Request,
)

RESOURCE = "http://schemas.microsoft.com/powershell/"
"""What the resource of a PowerShell shell begins with; the configuration's name follows."""
CREATION = "{http://schemas.microsoft.com/powershell}creationXml"
REMOTING = Path(__file__).parent / "windows" / "remoting.ps1"
POOL = str(uuid.UUID(int=0))
"""The id of the runspace pool in the lines of the out-of-process protocol. Every other id is a pipeline's."""
PIPELINE_OUTPUT = 0x00041004
FRAGMENT = struct.Struct(">QQBI")
"""A fragment's header: the number of its object, its own, whether it begins and ends the object, its length (MS-PSRP 2.2.4)."""
START, END = 1, 2
MESSAGE_HEADER = 40
_ENDLESS = itertools.count(1_000_000)
"""Numbers of the objects that an endless output consists of."""
SECONDS = 60
"""How long an engine may take to acknowledge a line; its start is part of that for the first one."""


class EngineError(Exception):
    """The PowerShell process ended or did not answer in time. The text says which, and ends with what it printed as an error."""


class Engine:
    """A PowerShell process that runs pipelines on a PC's state."""

    def __init__(self, pc: Pc, dialect: str, folder: Path, saved: Callable[[], None]) -> None:
        """Start it. dialect is "5.1" or "7"; saved is called after the PC's state was read back. Raises FileNotFoundError without PowerShell."""
        self.pc, self._saved = pc, saved
        self._place = tempfile.TemporaryDirectory(
            dir=folder, prefix=f"{pc.name}-", ignore_cleanup_errors=True
        )
        place = Path(self._place.name)
        self._state, self._errors = place / "state.json", place / "stderr"
        pc.save(self._state)
        self._read_at = self._state.stat().st_mtime_ns
        self._changed = threading.Condition()
        self._asking, self._reading = threading.Lock(), threading.Lock()
        self._acknowledged: Counter[tuple[str, str]] = Counter()
        self._data: dict[str, list[str]] = {}
        self._ended = False
        self._unread = ""
        self.message = b""
        """What has come of a message that is not complete yet."""
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(script.need_pwsh()), "-NoProfile", "-NonInteractive", "-File", str(REMOTING)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=script.environment(pc, self._state, dialect, folder),
                cwd=place,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, where: str, data: str) -> None:
        """Hand over fragments in base64, and wait until they were taken.

        The engine takes lines on several threads: without the wait a pipeline's input may pass its beginning, and the pipeline hangs.
        """
        self._ask(
            "Data", where, f"<Data Stream='Default' PSGuid='{where}'>{''.join(data.split())}</Data>"
        )

    def command(self, pipeline: str, data: str) -> None:
        """Begin a pipeline with its first fragment."""
        self._ask("Command", pipeline, f"<Command PSGuid='{pipeline}' />")
        self.send(pipeline, data)

    def stop_pipeline(self, pipeline: str) -> None:
        """Stop a pipeline, or forget one that has ended."""
        for line in ("Signal", "Close"):
            self._ask(line, pipeline, f"<{line} PSGuid='{pipeline}' />")

    def take(self, where: str, seconds: float) -> list[str]:
        """Return the fragments of the pool or a pipeline that are not taken yet, in base64; none where none came in that time.

        Raises EngineError where none will come any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or where in self._data, seconds)
            data = self._data.pop(where, [])
            if not data and self._ended:
                raise self._failure("PowerShell has ended")
        if where != POOL:
            self._load()
        return data

    def close(self) -> None:
        """End the process, and read back what it left of the PC."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()
        self._load()
        self._place.cleanup()

    def _ask(self, what: str, where: str, line: str) -> None:
        answer = (f"{what}Ack", where)
        stream = self._process.stdin
        assert stream is not None
        with self._asking:
            wanted = self._acknowledged[answer] + 1
            try:
                stream.write(f"{line}\n".encode())
                stream.flush()
            except (OSError, ValueError):
                raise self._failure(f"PowerShell ended before {what}") from None
            with self._changed:
                self._changed.wait_for(
                    lambda: self._ended or self._acknowledged[answer] >= wanted, SECONDS
                )
                if self._acknowledged[answer] < wanted:
                    raise self._failure(f"PowerShell did not acknowledge {what}")

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            self._take_in(stream)
        except ElementTree.ParseError as error:
            # Killed in the middle of a line, or something in a pipeline wrote past PowerShell.
            self._unread = f" what it wrote is not the out-of-process protocol's ({error})."
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _take_in(self, stream: IO[bytes]) -> None:
        for line in stream:
            element = ElementTree.fromstring(line)
            where = element.get("PSGuid", "").lower()
            with self._changed:
                if element.tag == "Data":
                    self._data.setdefault(where, []).append(element.text or "")
                else:
                    self._acknowledged[element.tag, where] += 1
                self._changed.notify_all()

    def _load(self) -> None:
        """Take over the PC's state where the process has written another since it was last read."""
        with self._reading:
            written = self._state.stat().st_mtime_ns
            if written != self._read_at:
                self._read_at = written
                self.pc.load(self._state)
                self._saved()

    def _failure(self, what: str) -> EngineError:
        errors = (
            self._errors.read_text(encoding="utf-8", errors="replace")[-2000:]
            if self._errors.exists()
            else ""
        )
        return EngineError(f"{what}:{self._unread} {errors}")


class Shells:
    """The PowerShell shells of all PCs, by their ids, which the clients choose."""

    def __init__(self, start: Callable[[str], Engine]) -> None:
        """start begins an engine for the PC of that name."""
        self._start = start
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def reply(self, pc: str, request: Request, fault: str) -> tuple[int, str]:
        """Return the HTTP status and the envelope for a request; what goes wrong in the engine is the fault's text.

        fault is what is wrong with what the PC prints.
        """
        try:
            return self._reply(pc, request, fault)
        except (EngineError, OSError) as error:
            return 500, request.fault(SHELL_NOT_FOUND, str(error))

    def stop(self) -> None:
        """End every engine; none is started after that."""
        with self._lock:
            self._stopped = True
            engines = list(self._engines.values())
            self._engines.clear()
        for engine in engines:
            engine.close()

    def _reply(self, pc: str, request: Request, fault: str) -> tuple[int, str]:
        if request.verb == "Create":
            return 200, request.reply(self._create(pc, request))
        shell = request.selector("ShellId").upper()
        if request.verb == "Delete":
            with self._lock:
                ending = self._engines.pop(shell, None)
            if ending:
                ending.close()
            return 200, request.reply()
        engine = self._engines.get(shell)
        if engine is None:
            return 500, request.fault(SHELL_NOT_FOUND, "there is no such shell")
        if request.verb == "Receive":
            return _receive(engine, request, fault)
        return 200, request.reply(_forward(engine, request))

    def _create(self, pc: str, request: Request) -> str:
        shell = request.element("Shell")
        name = shell.get("ShellId", "").upper()
        engine = self._start(pc)
        with self._lock:
            stopped = self._stopped
            if not stopped:
                self._engines[name] = engine
        if stopped:
            engine.close()
            raise EngineError("the lab is being stopped")
        engine.send(POOL, shell.findtext(CREATION, ""))
        selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{name}</w:Selector></w:SelectorSet>'
        created = f"<a:ReferenceParameters>{selectors}</a:ReferenceParameters>"
        return f"<x:ResourceCreated>{created}</x:ResourceCreated><rsp:Shell><rsp:ShellId>{name}</rsp:ShellId></rsp:Shell>"


def _forward(engine: Engine, request: Request) -> str:
    """Carry a request to the engine, and return the body of the answer."""
    if request.verb == "Command":
        name = request.element("CommandLine").get("CommandId", "")
        engine.command(_id(name), request.element("Arguments").text or "")
        return f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>"
    if request.verb == "Send":
        stream = request.element("Stream")
        engine.send(_id(stream.get("CommandId")), stream.text or "")
        return "<rsp:SendResponse/>"
    if request.verb == "Signal":
        engine.stop_pipeline(_id(request.element("Signal").get("CommandId")))
        return "<rsp:SignalResponse/>"
    raise EngineError(f"{request.verb} is not simulated")


def _receive(engine: Engine, request: Request, fault: str) -> tuple[int, str]:
    name = request.element("DesiredStream").get("CommandId")
    data = engine.take(_id(name), SECONDS_BEFORE_TIMEOUT_FAULT)
    if not data:
        return 500, request.fault(OPERATION_TIMED_OUT)
    if name and faults.is_of_output(fault):
        data = list(_spoil(engine, data, fault))
    whose = f' CommandId="{name}"' if name else ""
    streams = "".join(
        f'<rsp:Stream Name="stdout"{whose}>{fragments}</rsp:Stream>' for fragments in data
    )
    # A client of PSRP reads in the messages themselves whether a pipeline has ended.
    state = f'<rsp:CommandState{whose} State="{SHELL}/CommandState/Running"/>'
    return 200, request.reply(f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>")


def endless(request: Request) -> str:
    """Return a part of a pipeline's output that has no end: a message of one fragment (MS-PSRP 2.2.1, 2.2.4)."""
    name = request.element("DesiredStream").get("CommandId") or ""
    text = f"<S>{faults.CHUNK.decode()}</S>".encode()
    # Destination, type, the pool's id and the pipeline's, as the client reads them.
    message = struct.pack("<II", 1, PIPELINE_OUTPUT) + bytes(16) + uuid.UUID(name).bytes_le + text
    fragment = _fragment(next(_ENDLESS), message)
    stream = f'<rsp:Stream Name="stdout" CommandId="{name}">{fragment}</rsp:Stream>'
    state = f'<rsp:CommandState CommandId="{name}" State="{SHELL}/CommandState/Running"/>'
    return request.reply(f"<rsp:ReceiveResponse>{stream}{state}</rsp:ReceiveResponse>")


def _spoil(engine: Engine, data: Iterable[str], fault: str) -> Iterator[str]:
    """Return the fragments in base64 with what a PC with this fault prints, a fragment for each message that is complete."""
    for text in data:
        raw = base64.b64decode(text)
        while raw:
            number, _index, flags, length = FRAGMENT.unpack_from(raw)
            engine.message += raw[FRAGMENT.size : FRAGMENT.size + length]
            raw = raw[FRAGMENT.size + length :]
            if flags & END:
                yield _fragment(number, _spoilt(engine.message, fault))
                engine.message = b""


def _spoilt(message: bytes, fault: str) -> bytes:
    """Return a message. Where it is a text that the PC prints, it is what the fault makes of it."""
    _destination, kind = struct.unpack_from("<II", message)
    if kind != PIPELINE_OUTPUT:
        return message
    element = ElementTree.fromstring(message[MESSAGE_HEADER:].decode("utf-8-sig"))
    if element.tag != "S":
        return message
    printed = faults.spoil(fault, (element.text or "").encode()).decode(errors="replace")
    # Control characters are written by their number (MS-PSRP 2.2.5.3.2).
    element.text = re.sub(r"[\x00-\x1f]", lambda found: f"_x{ord(found[0]):04X}_", printed)
    return message[:MESSAGE_HEADER] + ElementTree.tostring(element)


def _fragment(number: int, message: bytes) -> str:
    """Return a message as one fragment, in base64."""
    header = FRAGMENT.pack(number, 0, START | END, len(message))
    return base64.b64encode(header + message).decode()


def _id(name: str | None) -> str:
    """Return an id as the engine writes it; the pool's where a request names no pipeline."""
    return str(uuid.UUID(name)) if name else POOL
