# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What runs on the controller: all judgement, and everything it needs.

Internal to the collection, as module_utils is: both may change in any release.
"""
