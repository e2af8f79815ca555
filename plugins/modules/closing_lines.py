#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: closing_lines
short_description: Display the closing lines of a report
version_added: 1.0.0
description:
  - Displays the lines that M(ets6.network.report) returned as C(closing_lines) and that were registered as
    C(ets6_network_written).
  - It belongs after M(ets6.network.verdict), which fails hosts, so that the lines come after Ansible's errors.
extends_documentation_fragment:
  - ets6.network.controller
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.report
  - module: ets6.network.verdict
"""

EXAMPLES = r"""
- name: Show the closing lines
  ets6.network.closing_lines:
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
"""
