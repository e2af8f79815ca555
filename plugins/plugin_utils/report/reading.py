# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reports that were written before: read, and checked against their own hashes."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from ..errors import ETS6Error
from . import shape
from .document import SCHEMA, Json, digest, seal
from .json import FILE
from .words import first

MAX_BYTES = 512 * 1024 * 1024
"""The most that a packed report may unpack to: some ten thousand hosts."""
MOST_NAMES = 5


class ReportError(ETS6Error):
    """A report cannot be used. The text says which, and why."""


def read(path: Path) -> Json:
    """Return the report in a file. Raises ReportError."""
    try:
        return check(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ReportError(f"{path} is no report: it is not UTF-8") from None


def find(path: Path) -> list[Path]:
    """Return the files that a path means: of a folder every report.json in it, at any depth, and one at least."""
    if not path.is_dir():
        return [path]
    return sorted(path.rglob(FILE)) or [path / FILE]


def pack(report: Json) -> str:
    """Return a report as one short text: base64 of gzip of its JSON, the same for the same report."""
    return base64.b64encode(gzip.compress(json.dumps(report, ensure_ascii=False).encode(), mtime=0)).decode("ascii")


def unpack(packed: Any, name: str) -> Json:
    """Return a report that pack() made a text of. Raises ReportError."""
    if not isinstance(packed, str):
        raise ReportError(f"{name} is no packed report: a text is expected")
    try:
        unpacker = zlib.decompressobj(wbits=31)
        content = unpacker.decompress(base64.b64decode(packed, validate=True), MAX_BYTES)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise ReportError(f"{name} is cut off, or larger than {MAX_BYTES} bytes")
        return check(content.decode("utf-8"), name)
    except (ValueError, zlib.error) as error:
        if isinstance(error, ReportError):
            raise
        raise ReportError(f"{name} is no packed report: {error}") from None


def check(text: str, name: str) -> Json:
    """Return the report of a text, which is called name in errors. Raises ReportError where it is none, or its hashes do not match."""
    try:
        return _checked(json.loads(text), name)
    except ReportError:
        raise
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{name} is no report: {error}") from None


def _checked(report: Any, name: str) -> Json:
    if not isinstance(report, dict) or not isinstance(report.get("schema"), int):
        raise ReportError(f"{name} is no report of ets6.network")
    if report["schema"] != SCHEMA:
        raise ReportError(f"{name} has version {report['schema']} of the schema, and version {SCHEMA} can be read")
    wrong = shape.problem(report)
    if wrong:
        raise ReportError(f"{name} is no whole report: {wrong}")
    forged = [host["name"] for host in report["hosts"] if digest(host) != host["sha256"]]
    if forged:
        raise ReportError(
            f"{name} was altered after it was written: what it says of {first(forged, MOST_NAMES)} does not match its hash"
        )
    if seal(report)["sha256"] != report["sha256"]:
        raise ReportError(
            f"{name} was altered after it was written: its run, its controls or its list of hosts do not match its hash"
        )
    return dict(report)
