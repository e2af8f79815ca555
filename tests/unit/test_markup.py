# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The markup in the documentation of modules, fragments and the role says what was meant.

A macro ends at its first closing bracket. ``C()`` and its like cannot hold one at all; ``V()``, ``O()`` and ``E()`` hold one,
and a backslash, behind a backslash. Neither is an error to antsibull-docs, since what is cut off is text as any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from antsibull_docs_parser import dom
from antsibull_docs_parser.parser import Context, parse

ROOT = Path(__file__).resolve().parents[2]
WITH_MARKUP = {"description", "short_description", "requirements", "notes", "returned"}
"""Keys whose strings may hold markup."""
WITHOUT_ESCAPES = {dom.PartType.CODE, dom.PartType.BOLD, dom.PartType.ITALIC}


def yaml_in_python(path: Path) -> Iterator[Any]:
    """Yield what the strings hold that a module or a fragment assigns to DOCUMENTATION and the like."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        name = node.targets[0]
        if isinstance(name, ast.Name) and name.id.isupper() and name.id != "EXAMPLES":
            yield yaml.safe_load(str(node.value.value))


def documentation() -> Iterator[tuple[str, Any]]:
    """Yield the path of each file with documentation, and that documentation."""
    for path in sorted((ROOT / "plugins").glob("*/*.py")):
        if path.parent.name in ("modules", "doc_fragments"):
            for document in yaml_in_python(path):
                yield path.name, document
    for path in sorted((ROOT / "plugins" / "modules").glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document.pop("EXAMPLES")
        yield path.name, document
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        yield path.name, yaml.safe_load(path.read_text(encoding="utf-8"))


def strings(value: Any) -> Iterator[str]:
    """Yield a value, or each of a list's."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def paragraphs(node: Any) -> Iterator[str]:
    """Yield every text with markup in some documentation."""
    if isinstance(node, list):
        for item in node:
            yield from paragraphs(item)
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        if name in WITH_MARKUP:
            yield from strings(value)
        if not isinstance(value, str):
            yield from paragraphs(value)


def faults(text: str) -> list[str]:
    """Return what is wrong with the markup of a paragraph."""
    problems = []
    between = ""
    for part in parse(text, Context(), errors="message", helpful_errors=True)[0]:
        if isinstance(part, dom.ErrorPart):
            problems.append(part.message)
        elif isinstance(part, dom.TextPart):
            between += part.text
        else:
            content = getattr(part, "text", "") or getattr(part, "value", "") or ""
            if content.count("(") != content.count(")"):
                problems.append(f"{content!r} is cut at a closing bracket")
            if part.type in WITHOUT_ESCAPES and "\\\\" in content:
                problems.append(f"{content!r} is shown with two backslashes")
    if between.count("(") != between.count(")"):
        problems.append("a bracket is missing between the macros")
    return problems


TEXTS = [(name, text) for name, document in documentation() for text in paragraphs(document)]


def test_all_the_documentation_is_read() -> None:
    names = {name for name, _text in TEXTS}
    modules = {
        path.name
        for path in (ROOT / "plugins" / "modules").iterdir()
        if path.suffix in (".py", ".yml")
    }
    assert names == modules | {"controller.py", "argument_specs.yml"}


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=[name for name, _text in TEXTS])
def test_no_macro_is_cut(name: str, text: str) -> None:
    assert faults(text) == [], f"{name}: {text}"


@pytest.mark.parametrize(
    "text",
    [
        r"Example, C(['%ProgramFiles(x86)%\ETS6']).",
        r"Example, V(['%ProgramFiles(x86)%\\ETS6']).",
        r"A leading C(*:\\) stands for every drive.",
        "An option O(paths is not closed.",
    ],
)
def test_a_macro_that_is_cut_is_found(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text", [r"V(['%ProgramFiles(x86\)%\\ETS6'])", "C(*:) and C([) (V(a), V(b))"]
)
def test_a_macro_that_is_whole_is_left_alone(text: str) -> None:
    assert faults(text) == []
