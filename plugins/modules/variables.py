#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: variables
short_description: Refuse a wrong variable of any host before any PC is touched
version_added: 1.0.0
description:
  - Checks the variables C(ets6_network_*) of all hosts of a run, also those of later batches, and fails with every problem that it finds.
  - Fails if the run has no hosts.
  - Fails if none of the hosts can be connected to, because the controller lacks a Python package or a program of the connection, or because the user or
    the password is empty. If only some hosts are affected, M(ets6.network.policy) reports these as unreachable, and the others go on.
options:
  hosts:
    type: list
    elements: str
    required: true
    description: The hosts of the run.
  mode:
    type: str
    choices: [enforce, verify, remove, image, merge]
    default: enforce
    description: The playbook of the run. For V(merge) only the variables of the run are checked, and not those of the PCs.
  report_dir:
    type: raw
    required: true
    description:
      - The folder for the reports. It must be writable before anything is changed.
      - An earlier run's report is set aside there, and one that says that this run has not ended takes its place.
  formats:
    type: raw
    default: [json, junit, html]
    description: Which files that report has, as in M(ets6.network.report).
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
  description: Id of the run, which distinguishes it from others of the same C(ansible-playbook).
  returned: always
  type: str
problem:
  description: Every problem, one on each line. It is empty if the run has no hosts.
  returned: failure
  type: str
"""
