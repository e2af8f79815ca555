# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.csv: a row for each finding, for spreadsheets (RFC 4180).

A cell that a spreadsheet would read as a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from ...text import printable
from ..causes import contact_of, remedy_of
from ..hosts import all_hosts, change_lines
from ..model import OPEN, ControlRecord, FindingRecord, Host, Report

FILE = "report.csv"
HEADERS = (
    "host",
    "groups",
    "control",
    "title",
    "severity",
    "status",
    "reason",
    "changes",
    "remedy",
    "waived_until",
    "owner",
    "judged_at",
    "contact",
    "caused_by",
)
MARK = ",".join(HEADERS)
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def render(report: Report) -> str:
    """Return the text of report.csv. A host without findings has one row: none is missing."""
    controls = {control["id"]: control for control in report["controls"]}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADERS)
    for host in all_hosts(report):
        for finding in host["findings"] or [_placeholder(host)]:
            row = _row(host, finding, controls)
            writer.writerow([_cell(row.get(header, "")) for header in HEADERS])
    return text.getvalue()


def _placeholder(host: Host) -> FindingRecord:
    return {
        "control": "",
        "status": host["status"],
        "reason": host["reason"],
        "evidence": {},
        "changed": False,
        "changes": [],
    }


def _row(
    host: Host, finding: FindingRecord, controls: Mapping[str, ControlRecord]
) -> dict[str, str]:
    row = {
        "host": host["name"],
        "groups": " ".join(host["groups"]),
        "control": finding["control"],
        "status": finding["status"],
        "reason": finding["reason"],
        "changes": "; ".join(change_lines(finding)),
        "judged_at": finding.get("at", host["at"]),
    }
    control = controls.get(finding["control"])
    if control:
        row["title"] = control["title"]
        row["severity"] = control["severity"]
    row["remedy"] = remedy_of(finding, control)
    if finding["status"] in OPEN:
        row["contact"] = contact_of(finding)
        row["caused_by"] = finding.get("caused_by", "")
    waiver = finding.get("waiver")
    if waiver:
        row["waived_until"] = waiver["expires"]
        row["owner"] = waiver["owner"]
    return row


def _cell(text: str) -> str:
    # Some countries' spreadsheets separate at ; or a tab, after which another cell begins.
    text = re.sub(r"([;\t]\s*)(?=[=+\-@＝＋－＠])", r"\1'", printable(text))
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
