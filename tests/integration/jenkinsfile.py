# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Declarative Jenkinsfiles: parsed as Groovy 3, and held against the sections that Jenkins knows.

Jenkins' own validator runs in Jenkins alone. The rules here are those of the chapter Pipeline Syntax
of Jenkins' handbook: which sections and conditions there are, and which of them are required.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from groovy_parser.parser import parse_groovy_content
from lark import Token, Tree
from lark.exceptions import LarkError

STATEMENTS = ("script_statement", "block_statement")
SECTIONS = {
    "pipeline": {
        "agent",
        "environment",
        "libraries",
        "options",
        "parameters",
        "post",
        "stages",
        "tools",
        "triggers",
    },
    "stages": {"stage"},
    "stage": {
        "agent",
        "environment",
        "input",
        "matrix",
        "options",
        "parallel",
        "post",
        "stages",
        "steps",
        "tools",
        "when",
    },
    "post": {
        "aborted",
        "always",
        "changed",
        "cleanup",
        "failure",
        "fixed",
        "regression",
        "success",
        "unstable",
        "unsuccessful",
    },
}
"""What a section may hold. Others hold steps."""
REQUIRED = {"pipeline": ("agent", "stages"), "stages": ("stage",)}
WORK = ("steps", "stages", "parallel", "matrix")
"""A stage has one of these."""


@dataclass(frozen=True)
class Section:
    """A statement: its first word, its texts, and what its block holds."""

    name: str
    texts: tuple[str, ...]
    content: tuple[Section, ...] = ()

    def steps(self, name: str) -> Iterator[Section]:
        """Yield the steps of a name, at any depth."""
        for section in self.content:
            if section.name == name:
                yield section
            yield from section.steps(name)


def parse(text: str) -> Section:
    """Return the pipeline of a Jenkinsfile.

    Raises ValueError where it is not Groovy, or not a declarative pipeline.
    """
    try:
        sections = _sections(parse_groovy_content(text))
    except LarkError as error:
        raise ValueError(f"It is not Groovy: {error}") from error
    if [section.name for section in sections] != ["pipeline"]:
        raise ValueError("A declarative Jenkinsfile has a pipeline and nothing else.")
    _check(sections[0])
    return sections[0]


def _sections(tree: Tree[Token]) -> tuple[Section, ...]:
    """Return the statements in a tree that are in no other statement of it."""
    sections: list[Section] = []
    for child in tree.children:
        if isinstance(child, Tree):
            sections += [_section(child)] if child.data in STATEMENTS else _sections(child)
    return tuple(sections)


def _section(statement: Tree[Token]) -> Section:
    tokens = tuple(_tokens(statement))
    words = [text for kind, text in tokens if kind == "identifier"]
    texts = [text for kind, text in tokens if kind == "string_literal"]
    content: tuple[Section, ...] = ()
    for child in statement.children:
        if isinstance(child, Tree):
            content += _sections(child)
    return Section(words[0] if words else "", tuple(texts), content)


def _tokens(tree: Tree[Token]) -> Iterator[tuple[str, str]]:
    """Yield names and texts of a statement, and not those in its block, with their kind."""
    for child in tree.children:
        if isinstance(child, Tree):
            if child.data not in STATEMENTS:
                yield from _tokens(child)
        else:
            yield str(tree.data), child.value[1]


def _check(section: Section) -> None:
    """Raise ValueError where a section, or one in it, is not as Jenkins takes it."""
    names = [one.name for one in section.content]
    allowed = SECTIONS.get(section.name)
    if allowed is None:
        return
    _check_names(section.name, names, allowed)
    if section.name == "stage" and len(set(names) & set(WORK)) != 1:
        raise ValueError(f"stage {section.texts} has no work, or several kinds of it")
    if section.name == "stage" and len(section.texts) != 1:
        raise ValueError(f"stage {section.texts} has one name")
    for one in section.content:
        _check(one)


def _check_names(section: str, names: Sequence[str], allowed: set[str]) -> None:
    unknown = set(names) - allowed
    if unknown:
        raise ValueError(f"{section} cannot hold {sorted(unknown)}")
    missing = set(REQUIRED.get(section, ())) - set(names)
    if missing:
        raise ValueError(f"{section} lacks {sorted(missing)}")
    if section != "stages" and len(names) != len(set(names)):
        raise ValueError(f"{section} holds a section twice")
