# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The definitions of the execution environment, as ansible-builder and bindep take them; building the image would need a registry."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.ets6.network.plugins.module_utils import hive_edit, image_disk, image_wim
from bindep.depends import Depends

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def introspected() -> dict[str, list[str]]:
    """Return the lines that ansible-builder finds in this checkout as it would in an image."""
    found: dict[str, list[str]] = yaml.safe_load(builder("introspect", ".ansible/collections"))
    return found


def builder(*words: str) -> str:
    command = [str(Path(sys.executable).with_name("ansible-builder")), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_image_can_be_built_from_its_definition(tmp_path: Path) -> None:
    builder(
        "create",
        "--file",
        "execution-environment.yml",
        "--context",
        str(tmp_path),
        "--output-filename",
        "Containerfile",
    )
    told = (tmp_path / "Containerfile").read_text(encoding="utf-8")
    for part in (
        'EE_BASE_IMAGE="almalinux:9"',
        "ansible-core>=2.19.0",
        "ansible-runner",
        "check_ansible",
        "install -y epel-release",
    ):
        assert part in told
    wanted = yaml.safe_load((tmp_path / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert [one["name"] for one in wanted["collections"]] == ["ets6.network"]
    extra = (tmp_path / "_build" / "bindep.txt").read_text(encoding="utf-8")
    collections = (ROOT / "bindep.txt").read_text(encoding="utf-8")
    assert packages(extra + collections, "rpm", "almalinux", "almalinux-9") == {
        "openssh-clients",
        "hivex-libs",
        "wimlib-utils",
        "ntfsprogs",
        "qemu-img",
    }


def test_any_image_with_the_collection_gets_the_python_packages_that_it_needs(
    introspected: dict[str, list[str]],
) -> None:
    names = {re.split(r"[=<>; ]", line)[0] for line in introspected["python"]}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = {re.split(r"[=<>; ]", line)[0] for line in lines if line and not line.startswith("#")}
    assert names == needed - {"ansible-core"}, "which the image has already"


def packages(text: str, *platforms: str) -> set[str]:
    """Return the packages that a bindep.txt names for a distribution."""
    rules = Depends(text).active_rules([f"platform:{name}" for name in platforms])
    return {rule[0] for rule in rules}


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        (("dpkg", "debian", "debian-12"), {"libhivex0", "wimtools", "ntfs-3g", "qemu-utils"}),
        (("dpkg", "ubuntu", "ubuntu-24"), {"libhivex0", "wimtools", "ntfs-3g", "qemu-utils"}),
        (("rpm", "fedora", "fedora-43"), {"hivex-libs", "wimlib-utils", "ntfsprogs", "qemu-img"}),
        (("rpm", "centos", "centos-9"), {"hivex-libs", "qemu-img"}),
        (("rpm", "rhel", "rhel-9"), set()),
    ],
)
def test_any_image_with_the_collection_gets_the_packages_of_its_distribution(
    introspected: dict[str, list[str]], platforms: tuple[str, ...], expected: set[str]
) -> None:
    lines = [re.sub(r"\s+# from collection .*$", "", line) for line in introspected["system"]]
    assert packages("\n".join(lines) + "\n", *platforms) == expected


def test_what_errors_and_documentation_call_missing_is_what_an_image_gets() -> None:
    debian = packages((ROOT / "bindep.txt").read_text(encoding="utf-8"), "dpkg", "debian")
    assert debian == {hive_edit.PACKAGE, image_wim.PACKAGE, *image_disk.PROGRAMS.values()}
    fedora = packages((ROOT / "bindep.txt").read_text(encoding="utf-8"), "rpm", "fedora")
    text = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")
    for name in debian | fedora:
        assert f"`{name}`" in text


def test_what_runs_in_the_image_is_what_the_collection_wants() -> None:
    image = yaml.safe_load((ROOT / "execution-environment.yml").read_text(encoding="utf-8"))
    core = image["dependencies"]["ansible_core"]["package_pip"].removeprefix("ansible-core")
    assert (
        core
        == yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))[
            "requires_ansible"
        ]
    )
