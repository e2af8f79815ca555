#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: merge
short_description: Merge the reports of several runs into one
version_added: 1.0.0
description:
  - Job slices, sites, PCs and images are judged in separate runs. This module merges their reports into one, with the files that M(ets6.network.report) writes.
  - For each host and control the newest finding counts, and of the same second the worst. The order of the reports does not matter. A report may be
    given twice, or have been merged before.
  - 'What does not fit together is reported as a conflict: a host that was judged differently, a control that is defined differently, several versions.'
  - Every report is checked against its own hashes first. If one cannot be used, nothing is merged, and both the error and the report name the file.
  - A waiver that has expired since a report was written no longer holds in the merged report.
options:
  reports:
    type: list
    elements: path
    default: []
    description:
      - The files to merge. Of a folder every C(report.json) is taken, at any depth.
      - Variables whose names begin with C(ets6_report_) are merged too. They are artifacts of M(ets6.network.artifact), which AWX hands on to
        later jobs of a workflow.
  expected:
    type: list
    elements: str
    default: []
    description:
      - Hosts that must be in one of the reports. A host that is in none of them is V(unknown) in the merged report, and does not comply.
extends_documentation_fragment:
  - ets6.network.controller
  - ets6.network.controller.report
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.report
  - module: ets6.network.artifact
"""

EXAMPLES = r"""
- name: Merge what the sites sent
  ets6.network.merge:
    reports: [/srv/reports/sites]
    expected: "{{ groups['all'] }}"
    report_dir: /srv/reports/all
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
closing_lines:
  description: What the report came to, in at most twelve lines, or why the run was refused. M(ets6.network.closing_lines) displays them.
  returned: always
  type: list
  elements: str
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
  returned: always
  type: list
  elements: str
conflicts:
  description: What the reports say differently, a sentence each.
  returned: always
  type: list
  elements: str
missing:
  description: Expected hosts that are in no report.
  returned: always
  type: list
  elements: str
"""
