# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The same variable stands in the role's defaults, its argument_specs, a module's documentation, the README and the code: they must agree."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.policy import (
    custom_controls,
    needed_traffic,
    run,
    waivers,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.parsing import PREFIX
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import PARSERS, Policy
from ansible_collections.ets6.network.plugins.plugin_utils.report import formats
from ansible_collections.ets6.network.plugins.plugin_utils.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "ets6_network"
SPECS: dict[str, Any] = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())[
    "argument_specs"
]["main"]["options"]
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
TASK: dict[str, Any] = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())[0][
    "ets6.network.policy"
]
OPTIONS: dict[str, Any] = yaml.safe_load(
    importlib.import_module("ansible_collections.ets6.network.plugins.modules.policy").DOCUMENTATION
)["options"]
OF_THE_PLAYBOOKS = {"hosts", "serial"}
"""Variables that the role does not see."""


def as_role(option: Any) -> Any:
    """Return a module option's documentation as a role's argument has it."""
    if isinstance(option, dict):
        named = {
            "options" if name == "suboptions" else name: as_role(value)
            for name, value in option.items()
        }
        return {name: value for name, value in named.items() if name != "required" or value}
    if isinstance(option, list):
        return [as_role(item) for item in option]
    if isinstance(option, str):
        return re.sub(r"O\((\w+)", rf"O({PREFIX}\1", option)
    return option


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_a_variable_of_the_policy_is_documented_alike_for_role_and_module(name: str) -> None:
    assert SPECS[PREFIX + name] == as_role(OPTIONS[name])


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("needed_traffic", needed_traffic.KEYS),
        ("controls", custom_controls.KEYS),
        ("waivers", waivers.KEYS),
    ],
)
def test_the_keys_of_an_entry_are_those_that_are_accepted(name: str, keys: tuple[str, ...]) -> None:
    assert set(OPTIONS[name]["suboptions"]) == set(keys)


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_the_role_hands_every_variable_on(name: str) -> None:
    assert f"{PREFIX}{name} }}}}" in TASK[name]


def test_specs_and_defaults_name_the_same_variables_with_the_same_defaults() -> None:
    assert SPECS.keys() == DEFAULTS.keys()
    for name, spec in SPECS.items():
        if "{{" not in str(DEFAULTS[name]):
            assert spec.get("default") == DEFAULTS[name], name


def test_every_variable_is_known_to_the_check_before_the_run() -> None:
    assert {name.removeprefix(PREFIX) for name in SPECS} | OF_THE_PLAYBOOKS == PARSERS.keys() | set(
        run.PARSERS
    )


def test_the_roles_defaults_are_the_policys() -> None:
    given = {name: DEFAULTS[PREFIX + name] for name in PARSERS}
    assert Policy.from_variables(given) == Policy()


def test_every_argument_is_described_and_every_choice_is_explained() -> None:
    for name, spec in SPECS.items():
        text = (
            " ".join(spec["description"])
            if isinstance(spec["description"], list)
            else spec["description"]
        )
        assert len(text) > 10, name
        assert (
            "choices" in spec
            or spec["type"] == "bool"
            or "For example " in text
            or "ten examples" in text
        ), name


def examples() -> dict[str, Any]:
    """Return the value that the description of each variable gives as an example."""
    found = {}
    for name, spec in SPECS.items():
        lines = (
            spec["description"] if isinstance(spec["description"], list) else [spec["description"]]
        )
        for example in re.findall(r"For example [CV]\((.*)\)", "\n".join(lines)):
            # In V() a backslash is written as two, and a bracket behind one.
            found[name] = yaml.safe_load(re.sub(r"\\(.)", r"\1", example))
    return found


@pytest.mark.parametrize("name", sorted(examples()))
def test_an_example_of_a_variable_is_accepted(name: str) -> None:
    short, value = name.removeprefix(PREFIX), examples()[name]
    if short in PARSERS:
        Policy.from_variables({short: value})
    elif short not in ("image", "previous_report"):  # whose files are not here
        run.PARSERS[short](value)


def test_an_inventory_in_which_nothing_was_changed_asks_for_the_defaults() -> None:
    inventory = ROOT / "inventory.example"
    loader = DataLoader()
    hosts = InventoryManager(loader, [str(inventory)])
    manager = VariableManager(loader, hosts)
    connections = {}
    for host in hosts.get_hosts():
        variables = manager.get_vars(host=host)
        wanted = {
            name.removeprefix(PREFIX): value
            for name, value in variables.items()
            if name.startswith(PREFIX)
        }
        assert Policy.from_variables(wanted) == Policy(), host.name
        assert not wanted.keys() & run.PARSERS.keys(), host.name
        connections[host.name.partition(".")[0]] = variables.get("ansible_connection")
    assert connections == {
        "pc-engineering-1": "winrm",
        "pc-engineering-2": "winrm",
        "pc-office-1": "psrp",
        "notebook-1": "ssh",
        "site-gateway": None,
    }


def test_what_the_inventory_suggests_is_accepted_once_it_is_uncommented() -> None:
    lines = (
        (ROOT / "inventory.example" / "group_vars" / "all.yml")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    suggested = [
        line.removeprefix("# ") for line in lines if re.match(r"# (ets6_network_\w+:|  )", line)
    ]
    wanted = {
        name.removeprefix(PREFIX): value
        for name, value in yaml.safe_load("\n".join(suggested)).items()
    }
    assert wanted.keys() == {"profiles", "proxy", "endpoints"}
    assert Policy.from_variables(wanted) != Policy()


def test_targets_of_make_and_paths_that_documents_name_exist() -> None:
    targets = set(
        re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        assert set(re.findall(r"(?:`|\$ )make (\w+)", text)) <= targets, document
        for path in re.findall(
            r"(?<![\w/])((?:tests|plugins|docs|playbooks|changelogs)/[\w./-]*\w)", text
        ):
            assert (ROOT / path).exists(), f"{document}: {path}"


def test_the_readme_lists_every_variable() -> None:
    listed = set(
        re.findall(
            rf"^\| `({PREFIX}\w+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert listed == set(SPECS) | {PREFIX + name for name in OF_THE_PLAYBOOKS}


def test_the_readme_names_every_status() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for status in Status:
        assert f"`{status.value}`" in text


def test_the_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == VERSION


def test_what_the_controller_needs_is_pinned_for_development() -> None:
    def names(file: str) -> set[str]:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        return {
            re.split(r"[=<>;\s]", line)[0] for line in lines if line and not line.startswith("#")
        }

    assert names("requirements.txt") <= names("requirements-dev.txt")


@pytest.mark.parametrize("file", ["README.md", "docs/custom-controls.md", "docs/reachability.md"])
def test_variables_in_examples_are_accepted(file: str) -> None:
    blocks = re.findall(
        r"```yaml\n(ets6_network_.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL
    )
    assert blocks
    for block in blocks:
        Policy.from_variables(
            {name.removeprefix(PREFIX): value for name, value in yaml.safe_load(block).items()}
        )


def test_links_between_documents_lead_somewhere() -> None:
    for document in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ):
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            path, _hash, anchor = link.partition("#")
            if "://" in path:
                continue
            target = document.parent / path if path else document
            assert target.exists(), f"{document.name}: {link}"
            if anchor:
                titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {
                    re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles
                }, f"{document.name}: {link}"


def test_every_playbook_and_every_report_is_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for playbook in (ROOT / "playbooks").glob("*.yml"):
        assert f"ets6.network.{playbook.stem}" in readme or f"playbooks/{playbook.name}" in readme
    reports = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    for name, form in formats.ALL.items():
        assert f"| `{form.FILE}` | `{name}`" in reports


EXAMPLES = {
    "GitHub": "vendor.github-workflows",
    "GitLab": "vendor.gitlab-ci",
    "Azure DevOps": "vendor.azure-pipelines",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_for_ci_are_what_the_services_accept(tmp_path: Path, name: str) -> None:
    text = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    (example,) = re.findall(rf"^```yaml\n# {name}: .*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    file = tmp_path / "example.yml"
    file.write_text(example, encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", EXAMPLES[name], file]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    # What they run is what tests/integration runs.
    assert "ansible-playbook -i inventory ets6.network.verify" in example
