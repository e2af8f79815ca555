# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the actions have in common that run on the controller and touch no host."""

from __future__ import annotations


class ModuleDocFragment:
    """Parts of their documentation."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Does the same in check mode, since it touches no host.
  diff_mode:
    support: none
    description: It changes nothing on any host.
  platform:
    support: full
    platforms: posix
    description: Where it acts.
  action:
    support: full
    description: Runs on the controller.
"""

    REPORT = r"""
options:
  report_dir:
    type: path
    default: ets6-report
    description: Folder for the files. It is made where it is missing.
  formats:
    type: list
    elements: str
    choices: [json, junit, html, markdown, sarif, csv, metrics, hdf]
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
  problem:
    type: str
    default: ''
    description: What is wrong with the run, as M(ets6.network.variables) says it. The report is written all the same, and the run fails for it.
  previous_report:
    type: path
    default: ''
    description: A C(report.json) to tell the changes since. Without it what earlier runs found, which is kept in the folder as C(previous.json).
"""
