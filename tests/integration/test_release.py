# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The repository's address, which galaxy.yml says; what .ci/release builds, and what it refuses."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GALAXY: dict[str, Any] = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
REPOSITORY: str = GALAXY["repository"]
"""The only place that says where the repository is."""
OF_THE_PAST = {"CHANGELOG.rst", "changelogs/changelog.yaml"}
"""Files that say what was so at their time."""


def files() -> Iterator[tuple[str, str]]:
    """Yield path and text of each file of the project."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        path = ROOT / name
        if path.is_file() and name not in OF_THE_PAST:
            yield name, path.read_bytes().decode("utf-8", "replace")


def other_addresses(text: str, repository: str) -> list[str]:
    """Return the addresses in a text that are on the repository's host and not in the repository."""
    host = re.escape(urlsplit(repository).netloc)
    addresses = re.findall(rf"https?://{host}[^\s\"'<>)\]`]*", text)
    whole = [address.rstrip(".,;:") for address in addresses]
    return [address for address in whole if not f"{address}/".startswith(f"{repository}/")]


def test_every_address_follows_from_the_one_in_galaxy_yml() -> None:
    wrong = {name: found for name, text in files() if (found := other_addresses(text, REPOSITORY))}
    assert not wrong, f"galaxy.yml says that the repository is {REPOSITORY}"
    assert GALAXY["issues"] == f"{REPOSITORY}/issues"
    assert GALAXY["homepage"] == GALAXY["documentation"] == REPOSITORY


def test_another_address_is_found() -> None:
    moved = "https://example.org/jane/ets6"
    text = "See https://example.org/ets6/network/issues, https://example.org/jane/ets6, https://example.org/jane/ets6/issues."
    assert other_addresses(text, moved) == ["https://example.org/ets6/network/issues"]


def test_only_files_name_the_address_that_cannot_have_a_relative_link() -> None:
    naming = {name for name, text in files() if REPOSITORY in text}
    assert naming == {
        "galaxy.yml",
        ".github/ISSUE_TEMPLATE/config.yml",
        "plugins/plugin_utils/report/schema.json",
    }


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what a release is checked by, without what is new since the last one."""
    for name in (".ci", "changelogs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("galaxy.yml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for fragment in (tmp_path / "changelogs" / "fragments").glob("*.yml"):
        fragment.unlink()
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def release(folder: Path, version: str, address: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [".ci/release", version, address], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_release_is_built_whose_version_and_address_are_right(copy: Path) -> None:
    result = release(copy, GALAXY["version"], REPOSITORY)
    assert result.returncode == 0, result.stderr
    assert (copy / "dist" / f"ets6-network-{GALAXY['version']}.tar.gz").exists()


def test_a_release_is_refused_with_everything_that_is_wrong(copy: Path) -> None:
    (copy / "changelogs" / "fragments" / "new.yml").write_text(
        "---\nbugfixes:\n  - New.\n", encoding="utf-8"
    )
    result = release(copy, "9.9.9", "https://example.org/elsewhere")
    assert result.returncode == 1
    for problem in (
        f"has version {GALAXY['version']}",
        f"has repository {REPOSITORY}",
        "has no release 9.9.9",
        "new.yml",
    ):
        assert problem in result.stderr
    assert not (copy / "dist").exists()
