# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with a PC's connection, and with what it prints: tests/lab/README.md lists it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

BREAKS = {"drops the answer": 0.0, "drops half-way": 0.5}
"""Faults that end the connection when a command's output is due, and how much of that answer goes out before."""
NEVER_ENDS = "never ends"
ENDLESS = "prints without end"
SERVER_ERROR = "answers 500"
SECOND = "second: "
"""What a fault begins with that the first execution of a run does not have: the one that reads, before anything is changed."""
CHUNK = b"Bitte warten ... " * 8_000
"""What an endless PC prints again and again."""
ODD = "\x1b[31mrot\x07\r\nok: [pc-other]\u202e"
"""A text that no terminal should get: escape sequences, a line of its own, a change of direction."""


def at(fault: str, executions: int) -> str:
    """Return what is wrong with an execution, by the number of those that the PC was sent so far."""
    if not fault.startswith(SECOND):
        return fault
    return fault.removeprefix(SECOND) if executions > 1 else ""


def is_of_output(fault: str) -> bool:
    """Return whether spoil() makes something else of what a PC with this fault prints."""
    beginnings = (
        "prints rubbish",
        "cuts the answer",
        "answers nothing",
        "rubbish in ",
        "leaves out ",
    )
    return fault.startswith(beginnings)


def spoil(fault: str, out: bytes) -> bytes:
    """Return what a PC with this fault prints in place of a module's reply."""
    if fault == "prints rubbish":
        return b"Wartungsarbeiten bis 18 Uhr \x07\r\n" + out[: len(out) // 2]
    if fault == "cuts the answer":
        return out[: len(out) // 2]
    if fault == "answers nothing":
        return b""
    if fault.startswith("rubbish in "):
        return _odd_part(fault.removeprefix("rubbish in "), out)
    if fault.startswith("leaves out "):
        return _odd_part(fault.removeprefix("leaves out "), out, leave_out=True)
    return out


def _odd_part(part: str, out: bytes, *, leave_out: bool = False) -> bytes:
    reply = json.loads(out)
    if part in reply:
        reply[part] = [ODD]
        return json.dumps(reply).encode()
    content = json.loads(gzip.decompress(base64.b64decode(reply["snapshot"])))
    content[part] = None if leave_out else _odd(content.get(part))
    reply["snapshot"] = base64.b64encode(gzip.compress(json.dumps(content).encode())).decode()
    return json.dumps(reply).encode()


def _odd(value: Any) -> Any:
    """Return something of another type, with an odd text in it."""
    return {ODD: [ODD]} if isinstance(value, list) else [ODD, {ODD: None}]
