# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report: one document, and one module for each format of it.

``model`` has its types and ``document`` builds it; ``waivers``, ``drift``, ``merging`` and
``unreachable`` work on documents; ``formats`` and ``terminal`` write them. ``reading`` checks
reports that were written before. Only ``files``, ``reading`` and ``previous`` touch the file system.
Nothing here needs Ansible.
"""
