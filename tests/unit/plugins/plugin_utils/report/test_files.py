# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Files that are the old one or the new one at any moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import files


def test_the_folder_is_made_and_the_file_is_readable_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    files.write(path, "über\n")
    assert path.read_bytes() == "über\n".encode()
    (tmp_path / "other").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_what_goes_wrong_half_way_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        files.write(path, "new")
    assert caught.value.filename == str(path), "the error names the file that the user knows"
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    seen: list[str] = []
    replace = os.replace

    def watched(source: str, target: Path) -> None:
        seen.append(path.read_text())
        seen.append(Path(source).read_text())
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    files.write(path, "new")
    assert seen == ["old", "new"], "all is written before the name changes hands"


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OSError) as caught:
        files.write(tmp_path / "taken" / "report.json", "x")
    assert caught.value.filename == str(tmp_path / "taken" / "report.json")
