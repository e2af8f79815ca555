# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""All of the benches, one after the other: ``make bench``."""

from __future__ import annotations

import sys

from bench import executions, firewall, image


def main() -> int:
    """Run all; fail where one does."""
    return max(executions.main(), firewall.main(), image.main())


if __name__ == "__main__":
    sys.exit(main())
