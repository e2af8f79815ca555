#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: merge
short_description: Make one report of the reports of several runs
version_added: 1.0.0
description:
  - Job slices, sites, PCs and images are judged in runs of their own; this makes one report of theirs, with the same files as M(ets6.network.report) writes.
  - Of each host and control the newest finding counts, of the same second the worst. The order of the reports does not matter, nor does it
    whether one is given twice or was merged before.
  - 'What does not fit together is said as a conflict: a host that was judged differently, a control that is defined differently, several versions.'
  - Every report is checked against its own hashes first; where one cannot be used, nothing is merged, and the error names the file.
  - An exception that has ended since a report was written holds no longer in the merged one.
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
      - A report without any host always fails. Whether the hosts comply does not depend on this.
  reports:
    type: list
    elements: path
    default: []
    description:
      - Files, and folders of which every C(report.json) is taken, at any depth.
      - Variables whose names begin with C(ets6_report_) are taken too. They are artifacts of M(ets6.network.artifact), which AWX hands on to
        later jobs of a workflow.
  expected:
    type: list
    elements: str
    default: []
    description:
      - Hosts that must be in one of the reports. One that is in none is named, stands in the report as V(unknown), and does not comply.
  problem:
    type: str
    default: ''
    description: What is wrong with the run, as M(ets6.network.variables) says it. The report is written all the same, and the run fails for it.
  previous_report:
    type: path
    default: ''
    description: A C(report.json) to tell the changes since. Without it what earlier runs found, which is kept in the folder as C(previous.json).
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
