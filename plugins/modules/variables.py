#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: variables
short_description: Refuse a wrong variable of any host before any PC is touched
version_added: 1.0.0
description:
  - Reads the variables C(ets6_network_*) of all hosts that a run is about, those of later batches too, and fails with every problem found,
    and where the run is about no host at all.
  - Fails as well where none of the hosts can be connected to, since a Python package or a program of the connection is missing on the controller,
    or user or password are empty. Where that is so of some hosts only, M(ets6.network.policy) reports those as unreachable, and the others go on.
options:
  hosts:
    type: list
    elements: str
    required: true
    description: The hosts that the run is about.
  mode:
    type: str
    choices: [enforce, verify, remove, image, merge]
    default: enforce
    description: What the run is about. For V(merge) only the variables of the run count, and not those that say what is wanted of a PC.
  report_dir:
    type: raw
    required: true
    description: Where the reports are to go; that has to be possible before anything is changed.
extends_documentation_fragment:
  - ets6.network.controller
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.policy
"""

EXAMPLES = r"""
- name: Check the variables of every host before any PC is touched
  ets6.network.variables:
    hosts: "{{ ansible_play_hosts_all }}"
    report_dir: /srv/reports/ets6
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
run:
  description: What tells this run from others of the same C(ansible-playbook).
  returned: always
  type: str
problem:
  description: What is wrong, a line each; empty where there is only no host.
  returned: failure
  type: str
"""
