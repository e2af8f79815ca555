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
  report_dir:
    type: path
    default: ets6-report
    description: Folder for the files. It is made where it is missing.
  formats:
    type: list
    elements: str
    choices: [json, junit, html, markdown, sarif, csv]
    default: [json, junit, html]
    description: 'Which files are written: C(report.json), which is written in any case and which all others are made from,
      C(junit.xml), C(report.html), C(summary.md) for a CI job''s page, C(report.sarif) and C(report.csv).'
  fail_on:
    type: list
    elements: str
    choices: [low, medium, high, expired, unreachable, never]
    default: [low, unreachable]
    description:
      - 'What fails the run: V(low), V(medium) or V(high) the least severity of a failed or undecided control, V(expired) an exception that has ended,
        V(unreachable) a host that is away; V(never) nothing, and stands alone.'
      - A run that judges no host always fails. Whether the hosts comply does not depend on this.
  problem:
    type: str
    default: ''
    description: What is wrong with the run, as M(ets6.network.variables) says it. The report is written all the same, and the run fails for it.
  previous_report:
    type: path
    default: ''
    description: A C(report.json) to tell the changes since. Without it what earlier runs found, which is kept in the folder as C(previous.json).
  mode:
    type: str
    choices: [enforce, verify, remove, image]
    default: enforce
    description: What the play was about, for the report.
  hosts:
    type: list
    elements: str
    description: The hosts to report on. Without it, all hosts of the play.
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
"""
