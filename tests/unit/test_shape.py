# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""No comprehension has two loops or another one in it: what ruff has no rule for."""

from __future__ import annotations

import ast
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def is_nested(node: ast.AST) -> bool:
    """Return whether a node is a comprehension that takes two readings."""
    if not isinstance(node, COMPREHENSIONS):
        return False
    if len(node.generators) > 1:
        return True
    inner = (child for child in ast.walk(node) if child is not node)
    return any(isinstance(child, COMPREHENSIONS) for child in inner)


def test_the_check_sees_what_it_is_for() -> None:
    nested = [
        "[a for b in c for a in b]",
        "[[a for a in b] for b in c]",
        "{a: sum(x for x in a) for a in b}",
    ]
    for text in nested:
        assert any(is_nested(node) for node in ast.walk(ast.parse(text))), text
    assert not any(is_nested(node) for node in ast.walk(ast.parse("[a for a in b if a]")))


def test_no_comprehension_is_nested() -> None:
    places = []
    for file in sorted(PLUGINS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if is_nested(node):
                places.append(f"{file.relative_to(PLUGINS)}:{node.lineno}")
    assert places == []
