# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reports that were written before, checked against schema.json and their own hashes."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any, cast

from ..errors import ETS6Error
from ..text import first_words
from . import files, validation
from .hashes import digest, seal
from .model import SCHEMA, Report

MAX_BYTES = 512 * 1024 * 1024
"""Bytes that a packed report may unpack to: some ten thousand hosts."""
MAX_NAMES = 5


class ReportError(ETS6Error):
    """A report cannot be used. The text says which one, and why."""


def read(path: Path, *, follow: bool = True) -> Report:
    """Return the report in a file. follow: whether the path may be a link. Raises ReportError."""
    try:
        text = files.read(path, MAX_BYTES, follow=follow).decode("utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ReportError(f"{path} is not a report: it is not UTF-8") from None
    return check(text, str(path))


def pack(report: Report) -> str:
    """Return a report as one text, the same for the same report: base64 of gzip of its JSON."""
    text = json.dumps(report, ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def unpack(packed: Any, name: str) -> Report:
    """Return a report that pack() made a text of. Raises ReportError."""
    if not isinstance(packed, str):
        raise ReportError(f"{name} is not a packed report: a text is expected")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(base64.b64decode(packed, validate=True), MAX_BYTES)
    except (ValueError, zlib.error) as error:
        raise ReportError(f"{name} is not a packed report: {error}") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ReportError(f"{name} is cut off, or larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(f"{name} is not a packed report: {error}") from None
    return check(text, name)


def check(text: str, name: str) -> Report:
    """Return the report of a text. name is what errors call it.

    Raises ReportError where the text is not a report, or does not match its hashes.
    """
    try:
        return _checked(json.loads(text), name)
    except ReportError:
        raise
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{name} is not a report: {error}") from None


def _checked(content: Any, name: str) -> Report:
    if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
        raise ReportError(f"{name} is not a report of ets6.network")
    if content["schema"] != SCHEMA:
        raise ReportError(
            f"{name} has version {content['schema']} of the schema, and version {SCHEMA} can be "
            "read"
        )
    # A lone surrogate, which JSON can hold and no file: UnicodeEncodeError is a ValueError.
    json.dumps(content, ensure_ascii=False).encode("utf-8")
    problem = validation.problem(content)
    if problem:
        raise ReportError(f"{name} is not a complete report: {problem}")
    report = cast(Report, content)
    _check_waived(report, name)
    _check_hashes(report, name)
    return report


def _check_waived(report: Report, name: str) -> None:
    """Raise ReportError where a finding is waived without a waiver."""
    for host in report["hosts"]:
        for finding in host["findings"]:
            if finding["status"] == "waived" and "waiver" not in finding:
                raise ReportError(
                    f"{name} was not written by this collection: {finding['control']} of "
                    f"{host['name']} is waived, and no waiver covers it"
                )


def _check_hashes(report: Report, name: str) -> None:
    """Raise ReportError where a hash is not that of what it covers."""
    altered = [host["name"] for host in report["hosts"] if digest(host) != host["sha256"]]
    if altered:
        raise ReportError(
            f"{name} was altered after it was written: what it says of "
            f"{first_words(altered, MAX_NAMES)} does not match its hash"
        )
    if seal(report)["sha256"] != report["sha256"]:
        raise ReportError(
            f"{name} was altered after it was written: its run, its controls, its list of hosts or "
            "its times do not match its hash"
        )
