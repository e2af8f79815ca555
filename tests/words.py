# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The turns of speech that this project does not use: ``python -m tests.words``, a part of make lint.

Texts are for administrators and auditors, most of whom read English as a second language. The list
holds private turns that reviewers have stumbled over, each with the plain words for it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKED = ("*.md", "*.py", "*.yml", "*.psm1", "*.ps1", "*.js", "*.sh", "*.txt", "Makefile", ".ci/*")
NOT_CHECKED = (
    "LICENSE",
    "tests/words.py",
    "changelogs/changelog.yaml",
)

TURNS = {
    r"stands? in (the|its|a) (place|finding)": "the finding names, replaces",
    r"(is|are|was|were) told": "is reported, is given",
    r"nobody|somebody": "name who it is (an administrator, a firewall), or use the passive",
    r"whom to (call|ask)": "whom to contact",
    r"of now": "active, current",
    r"mend(s|ed|ing)?": "correct, repair, fix",
    r"anew": "again",
    r"for ever": "forever, without end",
    r"(is|are) in step|not in step": "are consistent, are inconsistent",
    r"what is behind it": "could not be determined",
    r"own rules?": "managed rules",
    r"own controls?": "custom controls",
    r"(is|are) no (folders?|files?|director(y|ies)|versions?|rules?|texts?|JSON|lists?|proof|wildcards?)": "is not a, are not",
    r"(a|the) door of": "the action plugin",
    r"it is clear which": "the ... is certain",
    r"looked? wrongly": "misled",
    r"worthless": "without effect, not reliable",
    r"useless": "without effect",
    r"by itself alone": "alone",
    r"\bsaid of\b": "reported about",
    r"e\.g\.|i\.e\.": "for example, that is",
}
"""A regular expression for each turn, and what to write in its place."""


def checked_files() -> Iterator[Path]:
    """Return the project's text files, those not yet committed included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *CHECKED]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in sorted(set(listing.stdout.splitlines())):
        if name not in NOT_CHECKED and (ROOT / name).is_file():
            yield ROOT / name


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Return the line, the turn and the plain words for each turn in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, plain in TURNS.items():
            match = re.search(rf"(?<![\w.-])(?:{pattern})(?![\w-])", line, re.IGNORECASE)
            if match:
                yield number, match[0], plain


def main() -> int:
    """Print a line for each turn that was found."""
    count = 0
    for file in checked_files():
        for number, turn, plain in findings(file.read_text(encoding="utf-8")):
            print(f"{file.relative_to(ROOT)}:{number}: {turn!r}: write instead: {plain}")
            count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
