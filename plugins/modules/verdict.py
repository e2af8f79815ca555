#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: verdict
short_description: Fail each host that does not comply
version_added: 1.0.0
description:
  - M(ets6.network.report) runs once, so that its failure is one host's. This task fails each host that is a reason for the run to fail, with one line.
  - It belongs in a play of its own after the report.
options:
  fail_on:
    type: list
    elements: str
    choices: [low, medium, high, expired, unreachable, never]
    default: [low, unreachable]
    description: What fails a host, as in M(ets6.network.report).
  reason:
    type: str
    default: ""
    description: Why the task fails, where that is not the host's findings but the run.
extends_documentation_fragment:
  - ets6.network.controller
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.report
"""

EXAMPLES = r"""
- name: Fail the PC if it does not comply
  ets6.network.verdict:
    fail_on: medium
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: Why the host fails the run; empty where it does not.
  returned: always
  type: str
"""
