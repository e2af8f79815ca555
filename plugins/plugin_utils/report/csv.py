# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.csv: a row a finding, for spreadsheets, as RFC 4180 has it.

A cell that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import re

from .document import Json, everybody
from .words import changes, visible

FILE = "report.csv"
HEADS = (
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
)
MARK = ",".join(HEADS)
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def render(document: Json) -> str:
    """Return the text of report.csv; a host without any finding has one row, so that none is missing."""
    controls = {control["id"]: control for control in document["controls"]}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADS)
    for host in everybody(document):
        for finding in host["findings"] or [{"control": "", "status": host["status"], "reason": host["reason"], "changes": []}]:
            control, waiver = controls.get(finding["control"], {}), finding.get("waiver") or {}
            cells = [host["name"], " ".join(host["groups"]), finding["control"], control.get("title", "")]
            cells += [control.get("severity", ""), finding["status"], finding["reason"], "; ".join(changes(finding))]
            cells += [
                control.get("remedy", ""),
                waiver.get("expires", ""),
                waiver.get("owner", ""),
                finding.get("at", host["at"]),
            ]
            writer.writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(text: str) -> str:
    # Where ; or a tab separates, as in some countries' spreadsheets, a cell begins behind it.
    text = re.sub(r"([;\t]\s*)(?=[=+\-@＝＋－＠])", r"\1'", visible(text))
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
