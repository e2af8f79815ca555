# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the documents tell people to type: their blocks, the commands in these, and the output that is shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))),
)
DOCUMENTS += tuple(
    str(file.relative_to(ROOT)) for file in sorted((ROOT / "roles").glob("*/README.md"))
)
CONSOLE = "console"
"""The language of blocks whose commands are run: lines that begin with ``$ ``, each followed by its output, if that is shown."""
NOT_RUN = re.compile(r"<!-- not run by tests: (\S.*) -->")
GAP = "…"
"""A line that stands for any lines of output."""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, and the reason why it is not run; empty where it is."""

    document: str
    section: str
    line: int
    language: str
    text: str
    reason: str

    @property
    def place(self) -> str:
        """Return where the block stands, for people."""
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command with the lines of output that the document shows below it."""

    text: str
    shown: tuple[str, ...]


def blocks(document: str, text: str | None = None) -> list[Block]:
    """Return all fenced blocks of a document; text is its own, where it is not to be read."""
    found: list[Block] = []
    section, reason, fence, content, start = "", "", "", [""], 0
    lines = (ROOT / document).read_text(encoding="utf-8") if text is None else text
    for number, line in enumerate(lines.splitlines(), 1):
        if fence:
            if line.strip() == "```":
                found.append(Block(document, section, start, fence, "".join(content), reason))
                fence, reason = "", ""
            else:
                content.append(f"{line}\n")
        elif line.lstrip().startswith("```"):
            fence, content, start = line.strip().removeprefix("```") or "none", [], number
        elif marked := NOT_RUN.fullmatch(line.strip()):
            reason = marked[1]
        elif line.strip():
            reason = ""
            section = line.removeprefix("## ") if line.startswith("## ") else section
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block. Raises ValueError for output before the first one."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if found and not _is_whole(found[-1].text):
            found[-1] = Command(f"{found[-1].text}\n{line}", ())
        elif line.startswith("$ "):
            found.append(Command(line.removeprefix("$ "), ()))
        elif found:
            found[-1] = Command(found[-1].text, (*found[-1].shown, line.rstrip()))
        else:
            raise ValueError(f"{block.place}: a console block begins with a command, after '$ '")
    return found


def _is_whole(command: str) -> bool:
    """Return whether a command ends with its last line: no quotation is open, and no backslash leads to a next line."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")


def inline_commands() -> Iterator[tuple[str, str]]:
    """Return Ansible's commands that stand in the text and in tables, with the document that has each."""
    for document in DOCUMENTS:
        text = re.sub(
            r"^```.*?^```$",
            "",
            (ROOT / document).read_text(encoding="utf-8"),
            flags=re.DOTALL | re.MULTILINE,
        )
        for command in re.findall(r"`(ansible(?:-\w+)? [^`]+)`", text):
            yield document, " ".join(command.split())


def missing(shown: tuple[str, ...], printed: str) -> str:
    """Return the first line that a document shows and a program did not print in that order; empty where there is none.

    More lines may have been printed in between, and durations and ports may be other ones.
    """
    lines = (line.rstrip() for line in printed.splitlines())
    for line in shown:
        pattern = re.sub(r"\d+\\\.\d+\\ s\b", r"\\d+\\.\\d+\\ s", re.escape(line))
        pattern = re.sub(r"(127\\\.0\\\.0\\\.1):\d+", r"\1:\\d+", pattern)
        if line != GAP and not any(re.fullmatch(pattern, candidate) for candidate in lines):
            return line
    return ""
