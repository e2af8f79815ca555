# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Fuzzes every target in turn: ``python -m tests.fuzz [MINUTES] [TARGET …]``.

A finding is kept in seeds/ as what is different from the target's valid input; make test runs it from then on. Of several with the
same error at the same place the first is kept.
"""

from __future__ import annotations

import sys
import time

from tests.fuzz.cases import Case, run
from tests.fuzz.targets import TARGETS


def main(minutes: float, names: list[str]) -> int:
    """Fuzz for some minutes, each target for the same time. Return 1 where there was a finding."""
    targets = [target for target in TARGETS if not names or target.name in names]
    found = 0
    for target in targets:
        until = time.monotonic() + minutes * 60 / len(targets)
        count = 0
        problems = set()
        while time.monotonic() < until:
            case = Case.random(target)
            problem = run(case)
            count += 1
            place = problem.partition(": ")[0]
            if problem and place not in problems:
                problems.add(place)
                found += 1
                print(f"{target.name}: {problem}; kept as {case.keep()}")
        print(f"{target.name}: {count} inputs")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0, sys.argv[2:]))
