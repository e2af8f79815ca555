#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: closing_lines
short_description: Display the closing lines of a report
version_added: 1.0.0
description:
  - Displays the lines that M(ets6.network.report) or M(ets6.network.merge) returned as C(closing_lines) and that were registered as
    C(ets6_network_written).
  - It belongs after the tasks that may fail, M(ets6.network.report) and M(ets6.network.verdict), in an C(always), so that the lines come after
    Ansible's errors.
extends_documentation_fragment:
  - ets6.network.controller
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.report
  - module: ets6.network.verdict
"""

EXAMPLES = r"""
- name: Report and show what it came to
  run_once: true
  delegate_to: localhost
  block:
    - name: Report
      ets6.network.report:
      register: ets6_network_written
  always:
    - name: Show the closing lines
      ets6.network.closing_lines:
"""

RETURN = r"""
"""
