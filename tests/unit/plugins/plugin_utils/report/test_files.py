# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Files that are the old one or the new one at any moment."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import files


def test_the_folder_is_made_and_the_file_is_readable_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    files.write({path: "über\n"})
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
        files.write({path: "new"})
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
    files.write({path: "new"})
    assert seen == ["old", "new"], "all is written before the name changes hands"


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OSError) as caught:
        files.write({tmp_path / "taken" / "report.json": "x"})
    assert caught.value.filename == str(tmp_path / "taken" / "report.json")


@pytest.mark.parametrize("dies_at", ["write", "rename"])
def test_a_run_that_is_killed_leaves_one_set_and_the_next_one_cleans_up(
    tmp_path: Path, dies_at: str
) -> None:
    names = [f"file-{number}" for number in range(4)]
    with files.locked(tmp_path):
        files.write({tmp_path / name: "old" for name in names})

    def killed() -> None:
        calls = iter(range(10))
        name, last = ("fsync", 2) if dies_at == "write" else ("replace", 0)
        real = getattr(os, name)

        def dies(*arguments: Any) -> None:
            if next(calls) == last:
                os._exit(9)
            real(*arguments)

        setattr(os, name, dies)
        with files.locked(tmp_path):
            files.write({tmp_path / name: "new" for name in names})

    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert process.exitcode == 9
    assert {(tmp_path / name).read_text() for name in names} == {"old"}
    assert list(tmp_path.glob(f"{files.TEMPORARY}*")), "it left something"
    with files.locked(tmp_path):
        assert sorted(one.name for one in tmp_path.iterdir()) == names


def test_a_second_run_waits_and_then_says_whom_for(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OSError, match="another run has been writing there"):  # noqa: SIM117
        with files.locked(tmp_path, 0.2):
            raise AssertionError
    os.close(handle)
    with files.locked(tmp_path, 0.2):
        pass


def test_only_a_regular_file_of_a_bounded_size_is_read(tmp_path: Path) -> None:
    secret, link, fifo = (tmp_path / name for name in ("secret", "link", "fifo"))
    secret.write_text("secret")
    link.symlink_to(secret)
    os.mkfifo(fifo)
    assert files.read(link, 100) == b"secret"
    since = time.monotonic()
    for path, said, follow in (
        (link, "it is a link", False),
        (fifo, "it is not a regular file", True),
        (tmp_path, "Is a directory|not a regular file", True),
        (Path("/dev/zero"), "it is not a regular file", True),
        (secret, "larger than 5 bytes", True),
    ):
        with pytest.raises(OSError, match=said):
            files.read(path, 5, follow=follow)
    assert time.monotonic() - since < 2
