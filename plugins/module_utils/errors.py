# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The base class of the errors that this collection raises on a target, for people to read.

What runs on a target cannot import plugin_utils, whose errors have a base of their own.
"""

from __future__ import annotations


class ModuleError(Exception):
    """A target could not be read or changed.

    The text is one or more sentences for an administrator: what is wrong, where (image, hive, key),
    and what to do.
    """
