# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the documentation of the modules that run on the controller has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The parts: attributes of all, and the options of report and merge."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Can run in check mode, and then does the same, since it changes no host.
  diff_mode:
    support: none
    description: Changes no host.
  platform:
    support: full
    platforms: posix
    description: The platform of the controller.
  action:
    support: full
    description: Runs on the controller.
"""

    REPORT = r"""
options:
  report_dir:
    type: path
    default: ets6-report
    description: The folder for the files. It is created if it does not exist.
  formats:
    type: list
    elements: str
    choices: [json, junit, html, markdown, sarif, csv, metrics, hdf]
    default: [json, junit, html]
    description: 'Which files are written: C(report.json), which is always written and from which all others are made,
      C(junit.xml), C(report.html), C(summary.md) for a CI job''s page, C(report.sarif), C(report.csv), C(ets6_network.prom) for the
      textfile collector of node_exporter, and C(report.hdf.json) in the Heimdall Data Format.'
  fail_on:
    type: list
    elements: str
    choices: [low, medium, high, expired, unreachable, never]
    default: [low, unreachable]
    description:
      - 'What fails the run: V(low), V(medium) or V(high), the least severity of a failed or unknown control; V(expired), a waiver that has expired;
        V(unreachable), a host that could not be reached; V(never), nothing, which cannot be combined.'
      - A report without hosts always fails. Whether the hosts comply does not depend on this option.
  problem:
    type: str
    default: ''
    description:
      - What is wrong with the run, as M(ets6.network.variables) returned it. The run fails.
      - The report of an earlier run that judged hosts stays, apart from the files that CI and monitoring read.
  previous_report:
    type: path
    default: ''
    description: A C(report.json) to compare with. The default is the result of earlier runs, which is kept in the folder as C(previous.json).
"""
