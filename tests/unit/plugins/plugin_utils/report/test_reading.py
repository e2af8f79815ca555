# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reports that are read again: whole, of this version, and as they were written."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import reading
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json

from .samples import AWAY, HOSTILE, build, result

REPORT = build(
    pc=result("fail", "pass", "pass"), away=AWAY, **{HOSTILE: result("pass", "pass", "pass")}
)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(report_json.render(REPORT), encoding="utf-8")
    assert reading.read(path) == REPORT
    assert reading.unpack(reading.pack(REPORT), "artifact") == REPORT
    assert reading.pack(REPORT) == reading.pack(json.loads(report_json.render(REPORT))), (
        "the same report is the same text"
    )


def altered(**change: Any) -> str:
    return json.dumps({**REPORT, **change})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not a report"),
        ("[]", "is not a report of ets6.network"),
        ("{}", "is not a report of ets6.network"),
        ("[" * 100_000, "is not a report"),
        (altered(run={**REPORT["run"], "user": "\ud800"}), "is not a report"),
        (altered(run={**REPORT["run"], "variables": json.loads("[" * 600 + "]" * 600)}), "slice-1"),
        (altered(schema=2), "has version 2 of the schema, and version 1 can be read"),
        (altered(hosts=[]), "altered after it was written: its run"),
        (altered(run={**REPORT["run"], "user": "eve"}), "altered after it was written: its run"),
        (
            altered(hosts=[{**one, "status": "pass", "reason": ""} for one in REPORT["hosts"]]),
            "what it says of away, pc does not",
        ),
        (altered(hosts=[{"name": "x"}]), "is not a complete report"),
        (altered(hosts=None), "is not a complete report"),
    ],
)
def test_what_cannot_be_trusted_is_refused_and_named(text: str, told: str) -> None:
    with pytest.raises(reading.ReportError, match=r"^slice-1 ") as caught:
        reading.check(text, "slice-1")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "packed", ["", "!", base64.b64encode(b"no gzip").decode(), reading.pack(REPORT)[:-40]]
)
def test_an_artifact_that_is_broken_is_refused(packed: str) -> None:
    with pytest.raises(reading.ReportError, match=r"^artifact "):
        reading.unpack(packed, "artifact")


def test_an_artifact_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    with pytest.raises(reading.ReportError, match="larger than 1000 bytes"):
        reading.unpack(base64.b64encode(gzip.compress(b" " * 1_000_000)).decode(), "artifact")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(reading.ReportError, match=r"none\.json cannot be read: No such file"):
        reading.read(tmp_path / "none.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(reading.ReportError, match="not UTF-8"):
        reading.read(tmp_path / "binary")
