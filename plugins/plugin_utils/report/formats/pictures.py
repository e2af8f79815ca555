# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The pictures of report.html, as inline SVG: they need no script, and screen readers read them.

Colors come from the page's style sheet by classes, so that they follow light, dark and print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...text import count, join_words, sentence, shorten
from ..model import FindingRecord, HistoryRun
from .html_data import SYMBOLS
from .markup import text
from .stages import Stage, lines_of

BAR_WIDTH, BAR_HEIGHT = 300, 16
CHART_WIDTH, CHART_HEIGHT = 360, 90
CHART_LEFT, CHART_BOTTOM = 34, 16
"""Room for the numbers beside and below the chart."""
DAY, MINUTE = 10, 16
"""Letters of a time up to its day, and up to its minute."""
STAGE_HEIGHT = 40
STAGE_GAP = 22
LETTER = 6.7
"""The width of a letter in a stage, in pixels: a little more than that of the fixed-width font."""
MAX_LETTERS = 34
"""Letters of a stage; the whole text is in its title."""


def status_bar(counts: Mapping[str, int], of_what: str) -> str:
    """Return a bar with a part for each status of hosts."""
    total = sum(counts.values())
    parts = []
    words = []
    left = 0.0
    for status, (_symbol, word) in SYMBOLS.items():
        number = counts.get(status, 0)
        if number:
            width = BAR_WIDTH * number / total
            words.append(f"{number} {word}")
            parts.append(
                f'<rect class="bar {status}" x="{left:.1f}" y="0" width="{width:.1f}" '
                f'height="{BAR_HEIGHT}"><title>{number} {word}</title></rect>'
            )
            left += width
    label = f"{sentence(of_what)}: {join_words(words)}"
    return _svg(BAR_WIDTH, BAR_HEIGHT, label, parts)


def history_chart(history: Sequence[HistoryRun]) -> str:
    """Return the share of complying hosts over the last runs as a line."""
    points = []
    marks = []
    width, height = CHART_WIDTH - CHART_LEFT - 6, CHART_HEIGHT - CHART_BOTTOM - 6
    for index, run in enumerate(history):
        share = run["complying"] / run["hosts"] if run["hosts"] else 0
        x = CHART_LEFT + width * index / max(1, len(history) - 1)
        y = 6 + height * (1 - share)
        points.append(f"{x:.1f},{y:.1f}")
        title = f"{run['ended']}: {run['complying']} of {count(run['hosts'], 'host')}"
        marks.append(
            f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{text(title)}</title></circle>'
        )
    first, last = history[0], history[-1]
    letters = DAY if first["ended"][:DAY] != last["ended"][:DAY] else MINUTE
    ends = [run["ended"][:letters].replace("T", " ") for run in (first, last)]
    label = (
        f"Share of complying hosts over {count(len(history), 'run')}: {first['complying']} of "
        f"{first['hosts']} on {first['ended'][:10]}, {last['complying']} of {last['hosts']} on "
        f"{last['ended'][:10]}"
    )
    bottom = CHART_HEIGHT - CHART_BOTTOM
    parts = [
        f'<path class="axis" d="M{CHART_LEFT} 6V{bottom}H{CHART_WIDTH - 6}"/>',
        f'<text x="{CHART_LEFT - 4}" y="12" text-anchor="end">100%</text>',
        f'<text x="{CHART_LEFT - 4}" y="{bottom}" text-anchor="end">0%</text>',
        f'<text x="{CHART_LEFT}" y="{CHART_HEIGHT - 3}">{text(ends[0])}</text>',
        f'<text x="{CHART_WIDTH - 6}" y="{CHART_HEIGHT - 3}" text-anchor="end">'
        f"{text(ends[1])}</text>",
        f'<polyline class="line" points="{" ".join(points)}"/>',
        *marks,
    ]
    return _svg(CHART_WIDTH, CHART_HEIGHT, label, parts)


def finding_picture(finding: FindingRecord) -> str:
    """Return the way of a probe, or of a packet through the firewall; empty where there is none.

    Of several it is the worst.
    """
    found = lines_of(finding)
    return _stages(found.lines[0], found.title) if found.lines else ""


def _stages(stages: Sequence[Stage], what: str) -> str:
    """Return stages as boxes with arrows between them."""
    parts = []
    words = []
    left = 1.0
    for index, stage in enumerate(stages):
        content = shorten(stage.content, MAX_LETTERS)
        width = LETTER * max(len(content), len(stage.title), 4) + 14
        style = f"stage {stage.outcome}".rstrip()
        if index:
            middle = STAGE_HEIGHT / 2
            parts.append(
                f'<path class="arrow" d="M{left - STAGE_GAP + 2:.1f} {middle}h{STAGE_GAP - 6}'
                'm-5 -4l5 4l-5 4"/>'
            )
        parts.append(
            f'<g class="{style}"><title>{text(stage.content)}</title>'
            f'<rect x="{left:.1f}" y="1" width="{width:.1f}" height="{STAGE_HEIGHT - 2}" rx="4"/>'
            f'<text class="kind" x="{left + 7:.1f}" y="14">{text(stage.title)}</text>'
            f'<text x="{left + 7:.1f}" y="30">{text(content)}</text></g>'
        )
        words.append(f"{stage.title} {stage.content}".strip())
        left += width + STAGE_GAP
    label = f"{what}: {', then '.join(words)}"
    return f'<div class="wide">{_svg(left - STAGE_GAP + 1, STAGE_HEIGHT, label, parts)}</div>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{text(label)}" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}">{"".join(parts)}</svg>'
    )
