# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The definitions of the execution environment, as ansible-builder takes them; building the image itself would need a registry."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def builder(*words: str) -> str:
    command = [str(Path(sys.executable).with_name("ansible-builder")), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_image_can_be_built_from_its_definition(tmp_path: Path) -> None:
    builder("create", "--file", "execution-environment.yml", "--context", str(tmp_path), "--output-filename", "Containerfile")
    told = (tmp_path / "Containerfile").read_text(encoding="utf-8")
    for part in ('EE_BASE_IMAGE="almalinux:10"', "ansible-core>=2.19.0", "ansible-runner", "check_ansible"):
        assert part in told
    wanted = yaml.safe_load((tmp_path / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert [one["name"] for one in wanted["collections"]] == ["ets6.network"]
    assert "openssh-clients" in (tmp_path / "_build" / "bindep.txt").read_text(encoding="utf-8")


def test_any_image_with_the_collection_gets_the_python_packages_that_it_needs() -> None:
    found = yaml.safe_load(builder("introspect", ".ansible/collections"))
    names = {re.split(r"[=<>; ]", line)[0] for line in found["python"]}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = {re.split(r"[=<>; ]", line)[0] for line in lines if line and not line.startswith("#")}
    assert names == needed - {"ansible-core"}, "which the image has already"


def test_what_runs_in_the_image_is_what_the_collection_wants() -> None:
    image = yaml.safe_load((ROOT / "execution-environment.yml").read_text(encoding="utf-8"))
    core = image["dependencies"]["ansible_core"]["package_pip"].removeprefix("ansible-core")
    assert core == yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
