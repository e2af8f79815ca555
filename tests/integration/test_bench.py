# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The bench of images asks for what the module asks for today: it runs by hand only."""

from __future__ import annotations

from pathlib import Path

from bench import image as bench
from tests.integration.images import need_programs, pc
from tests.lab import image


def test_the_bench_verifies_and_prepares_an_image(tmp_path: Path) -> None:
    need_programs()
    folder = image.folder(pc(), tmp_path / "folder")
    wim = image.wim({"Windows": folder}, tmp_path / "wim")
    before = wim.read_bytes()
    assert bench.in_process(str(wim), "verify") > 0
    assert wim.read_bytes() == before
    assert bench.in_process(str(wim), "prepare") > 0
    assert wim.read_bytes() != before
