#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: variables
short_description: Refuse a wrong variable of any host before any PC is touched
version_added: 1.0.0
description:
  - Reads the variables C(ets6_network_*) of all hosts of the play, those of later batches too, and fails with every problem found.
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would be changed, without a change.
  diff_mode:
    support: none
    description: Returns what has changed, or would be, rule by rule and field by field.
  platform:
    support: full
    platforms: posix
    description: Where it acts.
  action:
    support: full
    description: Runs on the controller.
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.policy
"""

EXAMPLES = r"""
- name: Check the variables of every host before any PC is touched
  ets6.network.variables:
  run_once: true
  any_errors_fatal: true
  delegate_to: localhost
"""

RETURN = r"""
"""
