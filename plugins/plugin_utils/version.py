# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The collection's version, as it stands in galaxy.yml; a test holds the two together."""

from __future__ import annotations

VERSION = "1.0.0"
