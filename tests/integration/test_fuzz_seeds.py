# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What fuzzing found once stays found: every kept input, and the valid one of each target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.cases import SEEDS, Case, run
from tests.fuzz.targets import TARGETS
from tests.integration.images import need_programs


@pytest.mark.parametrize("name", [target.name for target in TARGETS])
def test_the_valid_input_of_a_target_is_accepted(name: str) -> None:
    need_programs()
    (target,) = [target for target in TARGETS if target.name == name]
    target.parse(target.valid())


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.json")), ids=lambda path: path.stem)
def test_a_kept_input_is_parsed_or_refused(path: Path) -> None:
    need_programs()
    assert run(Case.kept(path)) == ""
