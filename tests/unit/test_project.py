# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What people meet who find, use or join the project: what it has, and where that is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "SECURITY.md",
        "CODE_OF_CONDUCT.md",
        ".github/pull_request_template.md",
        "roles/ets6_network/README.md",
    ],
)
def test_links_lead_to_a_file(name: str) -> None:
    document = ROOT / name
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (document.parent / link.partition("#")[0]).exists(), link


def contents() -> dict[str, Path]:
    """Return what the collection has for its users: the name that they type, and the file that documents it."""
    found: dict[str, Path] = {}
    for path in (ROOT / "playbooks").glob("*.yml"):
        if re.fullmatch(r"\w+", path.stem):  # ets6-network.yml has no name, only a path
            found[f"ets6.network.{path.stem}"] = path
    for path in (ROOT / "roles").iterdir():
        found[f"ets6.network.{path.name}"] = path / "README.md"
    for kind in sorted((ROOT / "plugins").iterdir()):
        if kind.name in ("action", "doc_fragments", "module_utils", "plugin_utils"):
            continue  # an action has a module of the same name; the rest is for the collection itself
        for path in kind.iterdir():
            if path.suffix in (".py", ".yml") and path.stem != "__init__":
                found[f"ets6.network.{path.stem} ({kind.name})"] = path
    return found


def test_the_readme_links_to_everything_that_is_included() -> None:
    section = README.partition("\n## Included content\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \[`([\w.]+)`\]\(([^)]+)\) \| \S.* \|$", section, re.MULTILINE)
    listed = sorted((name, link) for name, link in rows)
    expected = sorted(
        (name.partition(" ")[0], str(path.relative_to(ROOT))) for name, path in contents().items()
    )
    assert listed == expected


def test_the_readme_names_what_every_supported_release_of_ansible_core_needs() -> None:
    oldest = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))[
        "requires_ansible"
    ]
    section = README.partition("\n## Requirements\n")[2].partition("\n## ")[0]
    assert oldest.removeprefix(">=").removesuffix(".0") in section


@pytest.mark.parametrize(
    "name",
    ["windows_host.yml", "windows_session_probe.yml", "windows_image.py", "endpoint_probe.py"],
)
def test_a_module_that_runs_on_a_target_says_that_it_is_internal(name: str) -> None:
    text = (ROOT / "plugins" / "modules" / name).read_text(encoding="utf-8")
    assert re.search(r"(This module|It) is internal\b", text)
    assert re.search(r"options may change in any\s+release", text)
