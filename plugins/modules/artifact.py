#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: artifact
short_description: Hand the report on to the jobs that follow
version_added: 1.0.0
description:
  - Makes C(report.json) a custom statistic of the run, as M(ansible.builtin.set_stats) does; AWX and ansible-runner keep it as an artifact.
  - The playbook C(ets6.network.merge) makes one report of several such artifacts.
options:
  name:
    type: str
    required: true
    description: The artifact's name. Names that begin with C(ets6_report_) are found by M(ets6.network.merge).
  report_dir:
    type: path
    required: true
    description: Folder in which M(ets6.network.report) wrote C(report.json).
extends_documentation_fragment:
  - ets6.network.controller
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.report
  - module: ets6.network.merge
"""

EXAMPLES = r"""
- name: Hand the report on
  ets6.network.artifact:
    name: ets6_report_{{ awx_job_id }}
    report_dir: ets6-report
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
"""
