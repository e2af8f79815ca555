# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The picture in CONTRIBUTING is what the imports say: none goes up, none round."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
FOLDERS = {"plugin_utils": "┄┄┄", "module_utils": "```"}
"""The folders that the picture shows, each with what its part of the picture ends with."""
USES_ANSIBLE = {"action", "origin", "policy/parsing", "report_action"}
"""Modules that import Ansible: the bases of the actions, its words for true and false, its vault."""
SHARED = {"module_utils.bounds: address_space", "module_utils.names: fold"}
"""What the controller's side takes from module_utils: pure helpers, so that there is one of each."""

if not (ROOT / "CONTRIBUTING.md").exists():
    pytest.skip("only in a checkout", allow_module_level=True)


def ranks(folder: str) -> dict[str, int]:
    """Return the rank of each module or package of a folder in the picture, 0 at the top."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = text[text.index(f"plugins/{folder}/") :].partition(FOLDERS[folder])[0]
    rank_of = {}
    for rank, line in enumerate(re.findall(r"^     [├└]─ (.*)$", picture, re.MULTILINE)):
        names = re.split(r"\s{2,}", line, maxsplit=1)[0]
        for name in names.split(" · "):
            rank_of[name.strip().rstrip("/")] = rank
    return rank_of


def modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    """Return each module of a folder by its path, without ``.py``."""
    for file in sorted((PLUGINS / folder).rglob("*.py")):
        if file.name != "__init__.py":
            name = file.relative_to(PLUGINS / folder).with_suffix("").as_posix()
            yield name, ast.parse(file.read_text(encoding="utf-8"))


def imports(folder: str, name: str, tree: ast.Module) -> Iterator[str]:
    """Return the modules of its folder that a module imports, those for types too."""
    package = name.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            path = [*base, *(node.module or "").split(".")] if node.module else base
            if path[:1] == ["module_utils"]:
                continue
            for alias in node.names:
                target = "/".join([*path, alias.name])
                is_module = (PLUGINS / folder / f"{target}.py").exists()
                yield target if is_module else "/".join(path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_is_in_the_picture(folder: str) -> None:
    roots = {name.split("/")[0] for name, _tree in modules(folder)} - {"version"}
    assert roots == set(ranks(folder))


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_import_goes_up(folder: str) -> None:
    rank = {**ranks(folder), "version": 1_000}
    upward = []
    for name, tree in modules(folder):
        importer = name.split("/")[0]
        for target in imports(folder, name, tree):
            imported = target.split("/")[0]
            if imported != importer and rank[imported] <= rank[importer]:
                upward.append(f"{name} imports {target}")
    assert upward == []


def test_of_what_runs_on_the_target_only_pure_helpers_are_shared() -> None:
    shared = set()
    for _name, tree in modules("plugin_utils"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("module_utils"):
                shared |= {f"{node.module}: {alias.name}" for alias in node.names}
    assert shared == SHARED


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_import_goes_round(folder: str) -> None:
    graph = {name: set(imports(folder, name, tree)) - {name} for name, tree in modules(folder)}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' → '.join([*path, name])}"
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            visit(target, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_ansible_is_imported_where_the_picture_says() -> None:
    importers = set()
    for name, tree in modules("plugin_utils"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            if any(imported.split(".")[0] == "ansible" for imported in names):
                importers.add(name)
    assert importers == USES_ANSIBLE
