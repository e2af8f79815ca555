# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sphinx's settings for make docs, which is to work without a network: so no inventories of other documentations are loaded."""

from pathlib import Path

import yaml

GALAXY = yaml.safe_load((Path(__file__).parents[2] / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
author = GALAXY["authors"][0]
version = release = GALAXY["version"]
html_title = f"{project} {version}"
html_theme = "sphinx_ansible_theme"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_use_index = False
extensions = ["sphinx_antsibull_ext"]
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True
# What antsibull-docs points to in Ansible's own documentation.
nitpick_ignore_regex = [
    ("std:ref", r"ansible_collections\.ansible\.builtin\..*"),
    ("std:ref", "action_plugins|ansible_configuration_settings|common_return_values"),
]
