# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Pieces of HTML. Whatever comes from outside goes through text(), which escapes it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from ...text import printable
from .html_data import SYMBOLS


def text(content: str) -> str:
    """Return text as HTML: printable, and without markup."""
    return escape(printable(content))


def link(host: str, control: str = "") -> str:
    """Return a host's name as a link to its finding, or to all of its findings."""
    address = f"{quote(printable(host), safe='')}/{quote(printable(control), safe='')}"
    return f'<a href="#{address}">{text(host)}</a>'


def badge(status: str, word: str = "") -> str:
    """Return a status with its symbol and a word."""
    symbol, name = SYMBOLS[status]
    return f'<span class="s {status}">{symbol} {word or name}</span>'


def severity_badge(severity: str) -> str:
    """Return a severity."""
    return f'<span class="severity {severity}">{severity}</span>'


def time(moment: str) -> str:
    """Return a time or a day of the report."""
    readable = moment.replace("T", " ").replace("Z", " UTC")
    return f'<time datetime="{text(moment)}">{text(readable)}</time>'


def section(name: str, title: str, lines: Iterable[str]) -> list[str]:
    """Return a section with its heading. title is HTML."""
    return [
        f'<section id="{name}" aria-labelledby="{name}-title">',
        f'<h2 id="{name}-title">{title}</h2>',
        *lines,
        "</section>",
    ]


def table(heads: Iterable[str], rows: Iterable[str]) -> list[str]:
    """Return a table that scrolls by itself where it is wider than the page."""
    lines = ['<div class="wide"><table><thead><tr>']
    for head in heads:
        lines.append(f'<th scope="col">{head}')
    lines.append("</thead><tbody>")
    lines += rows
    lines.append("</tbody></table></div>")
    return lines


def row(head: str, cells: Iterable[str], style: str = "") -> str:
    """Return a table's row. head and cells are HTML, style is a class."""
    attribute = f' class="{style}"' if style else ""
    html = f'<tr{attribute}><th scope="row">{head}'
    for cell in cells:
        html += f"<td>{cell}"
    return html
