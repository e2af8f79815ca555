#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: report
short_description: Write the reports of all hosts of a play, and fail the run where they do not comply
version_added: 1.0.0
description:
  - The last task of a play, with C(run_once) and delegated to the controller. It gathers what M(ets6.network.policy) found on every host, also on those
    that could not be reached or judged.
  - With C(serial) it writes after each batch and fails after the last one only.
options:
  mode:
    type: str
    choices: [enforce, verify, remove, image]
    default: enforce
    description: What the play was about, for the report.
  hosts:
    type: list
    elements: str
    description: The hosts to report on. Without it, all hosts of the play.
  verdict_follows:
    type: bool
    default: false
    description:
      - Whether M(ets6.network.verdict) fails the hosts that do not comply, in a later play. This task then fails only where no host was judged, or the
        run itself was wrong.
extends_documentation_fragment:
  - ets6.network.controller
  - ets6.network.controller.report
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.policy
  - module: ets6.network.verdict
  - module: ets6.network.merge
"""

EXAMPLES = r"""
- name: Report
  ets6.network.report:
    report_dir: /srv/reports/ets6
    fail_on: medium
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
complies:
  description: Whether every host complies.
  returned: always
  type: bool
run_fails:
  description: Whether the task fails, also where the task's C(failed_when) says otherwise.
  returned: always
  type: bool
verdict:
  description: The verdict in words.
  returned: always
  type: str
hosts:
  description: The number of hosts by status.
  returned: always
  type: dict
files:
  description: The files that were written.
  returned: unless the run was refused and an earlier report stays
  type: list
  elements: str
closing_lines:
  description:
    - What the report came to, in at most twelve lines, or why the run was refused. M(ets6.network.closing_lines) displays them.
    - Empty while hosts of later batches (C(serial)) are not judged yet.
  returned: always
  type: list
  elements: str
"""
