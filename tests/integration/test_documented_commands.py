# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every command in the documents is run as it stands there, and ends with status 0: the lab's PCs and images comply.

A block that cannot be run says so in front of it, with the reason: ``<!-- not run by tests: needs Windows -->``. The blocks of a
section share a shell, as a reader has it. A YAML block that begins with the name of a file (``# ~/ets6/inventory.yml``) is that file.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json

from tests.integration import jenkinsfile
from tests.integration.debian import need
from tests.integration.documents import (
    CONSOLE,
    DOCUMENTS,
    ROOT,
    Block,
    blocks,
    commands,
    inline_commands,
    missing,
)
from tests.integration.images import need_programs
from tests.lab import fleet, image
from tests.lab.lab import Lab
from tests.lab.wsman import PASSWORD
from tests.unit.plugins.plugin_utils.report.samples import build, result

ALL = [block for document in DOCUMENTS for block in blocks(document)]
TYPED_ELSEWHERE = {"bash", "ps1", "powershell", "sh", "shell"}
"""Languages of what users type where no test can: blocks of theirs say why they are not run."""
NO_COMMANDS = {"groovy", "python", "text", "yaml"}
"""Languages of what is not typed as it is. The Python is a program that test_report_by_hand.py runs; what CI systems run, a test here."""
FIRST_PC = "pc-1.example.com"
"""The PC of the inventory that the README has under Start."""
PCS = ("pc-17", "pc-18", FIRST_PC)
IN_THE_CLONE = ("make ", "playbooks/")
"""What commands have in them that are for a clone of the repository."""
ENDED = "\x1e"
"""What the shell prints after each command, before its exit status."""


def sections() -> list[list[Block]]:
    """Return the blocks of every section that has some to be run, with the files among them."""
    kept = [block for block in ALL if block.language == CONSOLE or file_of(block)]
    runnable = [block for block in kept if not block.reason]
    return [
        list(group)
        for _key, group in groupby(runnable, key=lambda block: (block.document, block.section))
    ]


def file_of(block: Block) -> str:
    """Return the file that a YAML block is, as its first line says; empty where it is none."""
    first = block.text.partition("\n")[0]
    return first.removeprefix("# ") if block.language == "yaml" and first.startswith("# ~/") else ""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(
        lambda network: [fleet.compliant(name, network) for name in PCS], scripts=False
    ) as running:
        yield running


@pytest.fixture
def fresh(lab: Lab) -> Lab:
    """Return the lab with its PCs as they were at first."""
    for member in lab.members.values():
        state = copy.deepcopy(fleet.compliant(member.pc.name, lab.network).pc.state)
        member.pc.state.clear()
        member.pc.state.update(state)
    return lab


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which the collection is installed, as Start has it installed."""
    folder = tmp_path_factory.mktemp("home")
    clone(folder / "clone")
    script = (
        "ansible-galaxy collection build --output-path dist && "
        "ansible-galaxy collection install --offline -p ~/.ansible/collections dist/*.tar.gz"
    )
    done = shell(script, folder / "clone", environment(folder))
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def place(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that commands name: an inventory, reports, images."""
    folder = tmp_path_factory.mktemp("place")
    return furnish(folder, lab)


@pytest.fixture(scope="module")
def workshop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone after ``make setup``, with all that commands name."""
    folder = clone(tmp_path_factory.mktemp("workshop") / "clone")
    (folder / ".venv").symlink_to(sys.prefix)
    link = folder / ".ansible" / "collections" / "ansible_collections" / "ets6" / "network"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../..")
    return furnish(folder, lab)


def clone(into: Path) -> Path:
    """Copy what git knows of the checkout, and what it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)
    return into


def furnish(folder: Path, lab: Lab) -> Path:
    (folder / "inventory").symlink_to(lab.inventory)
    report = report_json.render(build(**{"pc-17": result("pass", "pass", "pass")}))
    (folder / "report.json").write_text(report, encoding="utf-8")
    for name, pcs in {
        "site north": PCS[:1],
        "site south": PCS[1:],
        "sites/north": PCS[:1],
        "sites/south": PCS[1:],
    }.items():
        (folder / name).mkdir(parents=True)
        report = report_json.render(build(**{pc: result("pass", "pass", "pass") for pc in pcs}))
        (folder / name / "report.json").write_text(report, encoding="utf-8")
    return folder


def add_images(folder: Path, lab: Lab) -> None:
    if not (folder / "install.wim").exists():
        content = image.folder(lab.members["pc-17"].pc, folder / "content")
        image.wim({"Windows 11": content, "Windows 11 Pro": content}, folder / "install.wim")
        (folder / "my images").mkdir()
        shutil.copy(folder / "install.wim", folder / "my images" / "install.wim")


def environment(home: Path, path: Path = Path(sys.executable).parent) -> dict[str, str]:
    """Return the environment of a user with this home, whose programs are looked for in path first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "PYTHON", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{path}:/usr/bin:/bin:/usr/sbin:/sbin",
        "LC_ALL": "C.UTF-8",
    }


def shell(
    script: str, folder: Path, variables: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**variables, "PWD": str(folder)},
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def follow(
    section: list[Block], folder: Path, variables: Mapping[str, str], typed: str = ""
) -> str:
    """Type the commands of a section one after another. Return all that they printed; fail where one does or shows something else."""
    lines = []
    told = []
    for block in section:
        if file := file_of(block):
            lines.append(f"cat >{file} <<'END OF FILE'\n{block.text}END OF FILE")
            continue
        for command in commands(block):
            lines += [
                command.text,
                f"ended=$?; echo; echo '{ENDED}'$ended; [ $ended = 0 ] || exit $ended",
            ]
            told.append((block, command))
    done = shell("\n".join(lines), folder, variables, typed)
    parts = done.stdout.split(f"\n{ENDED}")
    for (block, command), printed, after in zip(told, parts, parts[1:], strict=False):
        status = after.partition("\n")[0]
        assert status == "0", f"{block.place}: {command.text} ended with {status}:\n{printed}"
        line = missing(command.shown, printed)
        assert not line, f"{block.place}: {command.text} did not print {line!r}, but:\n{printed}"
    assert len(parts) == len(told) + 1, done.stdout
    return done.stdout


def place_of(text: str, lab: Lab, place: Path, workshop: Path) -> Path:
    """Return the folder in which a reader types a command, with the images in it that it names."""
    folder = workshop if any(word in text for word in IN_THE_CLONE) else place
    if re.search(r"ets6\.network\.(\w+_)?image", text):
        need_programs()
        add_images(folder, lab)
    if "jq " in text:
        need("jq", "jq")
    return folder


def test_a_block_is_run_or_says_why_not() -> None:
    assert ALL
    for block in ALL:
        if block.language in TYPED_ELSEWHERE:
            assert block.reason, (
                f"{block.place}: write it as console, so that it is run, or say in front of it why it is not"
            )
        elif block.language == CONSOLE:
            assert commands(block), f"{block.place} has no command"
        else:
            assert block.language in NO_COMMANDS, (
                f"{block.place}: whether {block.language} is run is not known"
            )
            assert not block.reason, f"{block.place}: {block.language} is not run anyway"


def is_start(section: list[Block]) -> bool:
    return section[0].section == "Start"


@pytest.mark.parametrize(
    "section",
    [one for one in sections() if not is_start(one)],
    ids=lambda section: f"{section[0].document}-{section[0].section}",
)
def test_commands_do_what_the_documents_say(
    section: list[Block], fresh: Lab, home: Path, place: Path, workshop: Path
) -> None:
    folder = place_of("".join(block.text for block in section), fresh, place, workshop)
    follow(section, folder, environment(home))


@pytest.mark.parametrize("command", sorted({command for _document, command in inline_commands()}))
def test_commands_in_the_text_and_in_tables_work(
    command: str, fresh: Lab, home: Path, place: Path, workshop: Path
) -> None:
    done = shell(command, place_of(command, fresh, place, workshop), environment(home))
    assert done.returncode == 0, done.stdout


def test_the_start_is_what_a_newcomer_needs(fresh: Lab, tmp_path: Path) -> None:
    """Word for word, in a fresh clone and home, with a Python that has no package of ours."""
    (section,) = (one for one in sections() if is_start(one))
    # Python itself, and not the environment that the tests run in.
    variables = environment(tmp_path / "home", Path(sys.base_prefix) / "bin")
    variables["PIP_CACHE_DIR"] = os.environ.get(
        "PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")
    )
    need_index(tmp_path)
    host_variables(fresh, tmp_path / "home" / "ets6" / "host_vars")
    follow(section, clone(tmp_path / "clone"), variables, f"{PASSWORD}\n")
    report = json.loads(
        (tmp_path / "home" / "ets6" / "ets6-report" / "report.json").read_text(encoding="utf-8")
    )
    assert [(host["name"], host["status"]) for host in report["hosts"]] == [(FIRST_PC, "pass")]
    assert (tmp_path / "home" / "ets6" / "ets6-report" / "report.html").exists()


def need_index(folder: Path) -> None:
    """Skip where pip reaches no index; on CI it does."""
    wanted = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder / "index"),
        "certifi",
    ]
    done = subprocess.run(wanted, capture_output=True, text=True, check=False)
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"pip reaches no package index: {done.stderr.strip().splitlines()[-1]}")


def host_variables(lab: Lab, folder: Path) -> None:
    """Have the PC of the README's inventory be one of the lab: its address and user, and the lab's network."""
    folder.mkdir(parents=True)
    known: dict[str, Any] = yaml.safe_load(
        (lab.inventory / "host_vars" / f"{FIRST_PC}.yml").read_text(encoding="utf-8")
    )
    names = ("ansible_port", "ansible_user", "ets6_network_endpoints")
    variables = {
        "ansible_host": "127.0.0.1",
        "ets6_network_public_roots": str(lab.network.roots),
        **{name: known[name] for name in names},
    }
    (folder / f"{FIRST_PC}.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")


def test_what_ci_systems_are_told_to_run_works(
    fresh: Lab, home: Path, place: Path, tmp_path: Path
) -> None:
    scripts = []
    for block in blocks("docs/reports.md"):
        if block.language == "yaml":
            scripts += scripts_of(yaml.safe_load(block.text))
        elif block.language == "groovy":
            pipeline = jenkinsfile.parse(block.text)
            scripts += [step.texts[0] for step in pipeline.steps("sh")]
    assert len(scripts) == 5, "two of GitHub, one each of GitLab, Azure and Jenkins"
    variables = {**environment(home), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    for script in scripts:
        done = shell(script, place, variables)
        assert done.returncode == 0, done.stdout
    assert "all 3 hosts comply" in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (place / "ets6-report" / "junit.xml").exists()


CI_SYSTEMS = {
    "# GitHub:": "vendor.github-workflows",
    "# GitLab:": "vendor.gitlab-ci",
    "# Azure DevOps:": "vendor.azure-pipelines",
}
"""By how its example begins, the name under which check-jsonschema has the published schema of a CI system."""


@pytest.mark.parametrize(("start", "schema"), CI_SYSTEMS.items())
def test_what_ci_systems_are_given_is_what_they_take(
    start: str, schema: str, tmp_path: Path
) -> None:
    (block,) = (block for block in blocks("docs/reports.md") if block.text.startswith(start))
    assert validate(block.text, schema, tmp_path) == ""
    broken = {"script: ": "skript: ", "jobs:": "job:", "steps:": "step:"}
    wrong = block.text
    for right, other in broken.items():
        wrong = wrong.replace(right, other)
    assert "rror" in validate(wrong, schema, tmp_path)


def validate(text: str, schema: str, folder: Path) -> str:
    """Return what check-jsonschema says against a file; empty where it says nothing."""
    file = folder / "ci.yml"
    file.write_text(text, encoding="utf-8")
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [program, "--builtin-schema", schema, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_jenkins_file_is_one() -> None:
    """Parsed as Groovy, and held against Jenkins' sections; only a Jenkins could do more."""
    (text,) = (block.text for block in blocks("docs/reports.md") if block.language == "groovy")
    pipeline = jenkinsfile.parse(text)
    assert [section.name for section in pipeline.content] == ["agent", "stages", "post"]
    for name in ("sh", "junit", "archiveArtifacts"):
        (step,) = pipeline.steps(name)
        assert len(step.texts) == 1, name
    (always,) = pipeline.steps("always")
    assert {step.name for step in always.content} == {"junit", "archiveArtifacts"}


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("agent any", "agent any }", "not Groovy"),
        ("sh '", "sh ", "not Groovy"),
        ("agent any", "", "pipeline lacks ['agent']"),
        ("post {", "after {", "pipeline cannot hold ['after']"),
        ("always {", "ever {", "post cannot hold ['ever']"),
        ("steps {", "script {", "stage cannot hold ['script']"),
        ("stages {", "agent none\n  stages {", "holds a section twice"),
        ("pipeline {", "node {", "has a pipeline and nothing else"),
    ],
)
def test_a_jenkins_file_that_jenkins_would_refuse_is_noticed(
    right: str, wrong: str, told: str
) -> None:
    (text,) = (block.text for block in blocks("docs/reports.md") if block.language == "groovy")
    with pytest.raises(ValueError, match=re.escape(told)):
        jenkinsfile.parse(text.replace(right, wrong, 1))


def scripts_of(data: Any) -> Iterator[str]:
    """Return the commands of GitHub's, GitLab's and Azure's jobs, at any depth."""
    if isinstance(data, list):
        for item in data:
            yield from scripts_of(item)
    elif isinstance(data, dict):
        for name, value in data.items():
            if name in ("run", "script"):
                yield value
            else:
                yield from scripts_of(value)


@pytest.mark.parametrize(
    "block",
    [block for block in ALL if block.language == "yaml"],
    ids=lambda block: block.place.replace("/", "-"),
)
def test_yaml_is_what_ansible_takes(block: Block, home: Path, tmp_path: Path) -> None:
    """A playbook can be read, an inventory has hosts; variables and custom controls are tried in test_documentation.py."""
    data = yaml.safe_load(block.text)
    file = tmp_path / "example.yml"
    file.write_text(block.text, encoding="utf-8")
    if isinstance(data, list) and "hosts" in data[0]:
        done = shell(
            f"ansible-playbook --syntax-check -i localhost, {file}", tmp_path, environment(home)
        )
        assert done.returncode == 0, done.stdout
    elif isinstance(data, dict) and all(
        isinstance(group, dict) and "hosts" in group for group in data.values()
    ):
        done = shell(f"ansible-inventory -i {file} --list", tmp_path, environment(home))
        known = json.loads(done.stdout)
        assert all(known[group]["hosts"] for group in data), done.stdout
    elif isinstance(data, list):
        assert all("run" in step or "uses" in step or "expression" in step for step in data), (
            f"{block.place}: what is it?"
        )
    else:
        is_pipeline = any(scripts_of(data))
        assert is_pipeline or all(name.startswith("ets6_network_") for name in data), (
            f"{block.place}: what is it?"
        )
