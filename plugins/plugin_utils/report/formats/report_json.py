# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.json: the report as it is."""

from __future__ import annotations

import json

from ..model import Report

FILE = "report.json"
MARK = '"schema": '


def render(report: Report) -> str:
    """Return the text of report.json."""
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"
