# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs that are killed while they write: what they leave is the old image or the new one, and the next run prepares it."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils import image_folder
from ansible_collections.ets6.network.plugins.module_utils.image_folder import UNFINISHED
from ansible_collections.ets6.network.plugins.module_utils.image_source import (
    ImageError,
    Lock,
    program,
)

from tests.integration.images import APPLY, SYSTEM, judged, need_programs, pc, sums
from tests.integration.module import (
    PROXY,
    RULE,
    RULE_ID,
    RULES,
    SOFTWARE_KEY,
    ask,
    in_child,
    snapshot,
    why,
)
from tests.lab import hive, image

STEPS = {
    "open",
    "os.chmod",
    "os.link",
    "os.remove",
    "os.rename",
    "shutil.copyfile",
    "subprocess.Popen",
}
"""Python's audit events at which a run is killed, just before each happens; of files that are opened, those for writing."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a small image of each kind."""
    need_programs()
    place = tmp_path_factory.mktemp("sound")
    folder = image.folder(pc(), place / "folder", fill)
    volume = image.volume(folder, place / "volume", 16)
    return {
        "folder": folder,
        "wim": image.wim({"Windows 11 Pro": folder}, place / "wim"),
        "vhdx": image.disk(volume, place / "vhdx", "vhdx"),
    }


def fill(keys: dict[str, image.Keys]) -> None:
    """Make a hive so large that programs take some time to write it."""
    keys[SYSTEM]["filler"] = {
        str(number): (hive.BINARY, random.Random(number).randbytes(16000)) for number in range(100)
    }


def prepare(path: Path) -> bool:
    """Change two hives."""
    return bool(ask(path, RULE, PROXY, restore=True)["changed"])


OLD, REFUSED, NEW = range(3)
"""What a run can leave: the image of before, one that is not judged, the prepared one."""


def state(path: Path) -> int:
    """Return what an image is; in both hives it has to be the same."""
    try:
        found = snapshot(path)["registry"]
    except ImageError:
        assert (path / UNFINISHED).exists(), "other kinds are replaced by one rename"
        assert "preparing this folder was interrupted" in why(path)
        return REFUSED
    rule, proxy = RULE_ID in found[RULES]["values"], found[SOFTWARE_KEY]["state"] == "present"
    assert rule == proxy, "one hive is new, the other is old"
    return NEW if rule else OLD


def at_step(number: int, steps: set[str], then: Callable[[], None]) -> None:
    """Have something done before the so-manyth of the steps that this process makes from its writing to an image on."""
    count = -1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "fcntl.flock" and arguments[1] == fcntl.LOCK_EX:
            count = 0
        elif (
            count >= 0
            and event in steps
            and (event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR))
        ):
            count += 1
            if count == number:
                then()

    sys.addaudithook(hook)


def killed_at(number: int, path: Path) -> Any:
    """Prepare an image in a process that is killed before its so-manyth step of writing. Return None where it came to that."""

    def work() -> bool:
        at_step(number, STEPS, lambda: os.kill(os.getpid(), signal.SIGKILL))
        return prepare(path)

    return in_child(work)


def fresh(sound: Path, to: Path) -> Path:
    """Put a copy of a sound image where there was one that was worked on."""
    shutil.rmtree(to.parent, ignore_errors=True)
    to.parent.mkdir()
    return Path(shutil.copytree(sound, to) if sound.is_dir() else shutil.copyfile(sound, to))


def the_next_run_works(path: Path, sound: Path, beside: list[str]) -> None:
    changed = state(path) != NEW
    assert path.is_dir() or not changed or path.read_bytes() == sound.read_bytes(), (
        "the old one is as it was, byte for byte"
    )
    assert prepare(path) == changed
    assert state(path) == NEW
    if changed:
        assert names(path) == beside, "the next run that writes clears away what was left"


def names(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path.parent)) for found in path.parent.rglob("*"))


@pytest.mark.parametrize("kind", ["folder", "wim", "vhdx"])
def test_a_run_that_is_killed_before_any_of_its_steps_leaves_the_old_image_or_the_new_one(
    kind: str, sound: dict[str, Path], tmp_path: Path
) -> None:
    path, outcomes = tmp_path / "place" / "image", []
    for number in range(1, 1000):
        fresh(sound[kind], path)
        beside = names(path)
        if killed_at(number, path):
            break
        outcomes.append(state(path))
        the_next_run_works(path, sound[kind], beside)
    assert len(outcomes) > 10
    assert outcomes == sorted(outcomes), "once it is the new one it stays that"
    assert (REFUSED in outcomes) == (kind == "folder")
    assert state(path) == NEW
    assert names(path) == beside


def test_the_playbooks_refuse_such_a_folder_or_prepare_it(
    sound: dict[str, Path], tmp_path: Path
) -> None:
    path = interrupted(sound["folder"], tmp_path / "place" / "image")
    played = judged([path])
    (host,) = played.report["hosts"]
    assert (played.code, host["status"]) == (2, "unknown")
    assert "preparing this folder was interrupted" in host["reason"]
    rehearsed = judged([path], *APPLY, "--check")
    assert rehearsed.report["hosts"][0]["status"] == "unknown"
    prepared = judged([path], *APPLY)
    assert (prepared.code, prepared.report["hosts"][0]["status"]) == (0, "fixed")
    assert not (path / UNFINISHED).exists()


def interrupted(sound: Path, to: Path) -> Path:
    """Make a folder whose preparing was killed between two renames."""
    for number in range(1, 1000):
        fresh(sound, to)
        assert killed_at(number, to) is None, "it was never refused"
        if state(to) == REFUSED:
            return to
    raise AssertionError("it never ended")


def test_a_folder_between_two_states_is_refused_until_it_is_prepared(
    sound: dict[str, Path], tmp_path: Path
) -> None:
    path = interrupted(sound["folder"], tmp_path / "place" / "image")
    before = names(path)
    assert why(path, RULE, check=True) == why(path)
    assert "Run ets6.network.prepare_image on the folder again" in why(path)
    with pytest.raises(ImageError, match="was interrupted"):
        ask(path, RULE, check=True, restore=True)
    assert names(path) == before
    captured = image.wim({"Windows": path}, tmp_path / "wim")
    assert "make it again after that" in why(captured)
    restored = ask(path, restore=True)
    assert restored["changed"], "the old hives are back"
    assert restored["notes"] == [
        f"{path}: preparing it was interrupted earlier. The hives of before were restored."
    ]
    assert state(path) == OLD


@pytest.mark.parametrize("content", ["", "[" * 100000, "../secret", "/etc/passwd", "\0", "\udcff"])
def test_a_list_of_hives_that_is_none_changes_nothing(
    sound: dict[str, Path], tmp_path: Path, content: str
) -> None:
    path = interrupted(sound["folder"], tmp_path / "place" / "image")
    (path / UNFINISHED).write_bytes(os.fsencode(content))
    before = sums([path])
    assert "was not written by this collection: remove it" in refusal(path)
    assert sums([path]) == before


@pytest.mark.parametrize("what", ["link", "pipe"])
@pytest.mark.parametrize("name", [UNFINISHED, f"{SYSTEM}{image_folder.OLD}"])
def test_what_is_restored_are_regular_files(
    sound: dict[str, Path], tmp_path: Path, what: str, name: str
) -> None:
    path = interrupted(sound["folder"], tmp_path / "place" / "image")
    secret = tmp_path / "secret"
    secret.write_bytes(b"regf")
    (path / name).unlink()
    if what == "link":
        (path / name).symlink_to(secret)
    else:
        os.mkfifo(path / name)
    before = sums([path / SYSTEM])
    said = in_child(partial(refusal, path))
    assert said is not None, "it hung"
    assert "is a symbolic link" in said or "is not a regular file" in said
    assert sums([path / SYSTEM]) == before


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as raised:
        prepare(path)
    return str(raised.value)


@pytest.mark.parametrize("with_program", [True, False])
@pytest.mark.parametrize("kind", ["wim", "vhdx"])
def test_a_run_that_is_killed_while_any_of_its_programs_is_at_work_leaves_the_old_image_or_the_new_one(
    kind: str, with_program: bool, sound: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "place" / "image"
    for number in range(1, 1000):
        fresh(sound[kind], path)
        beside = names(path)
        if not killed_during(number, partial(prepare, path), with_program=with_program):
            break
        # At once: a program that the killed run had started may still be at work.
        the_next_run_works(path, sound[kind], beside)
    assert number > {"wim": 2, "vhdx": 4}[kind]


def killed_during(number: int, work: Callable[[], Any], *, with_program: bool) -> bool:
    """Do something in a process that is killed soon after its so-manyth program for writing begins, with that program or without.

    Return whether it came to that program.
    """

    def until_then() -> bool:
        begun = False

        def kill() -> None:
            os.kill(0 if with_program else os.getpid(), signal.SIGKILL)

        def begin() -> None:
            nonlocal begun
            begun = True
            threading.Timer(random.uniform(0, 0.4), kill).start()

        at_step(number, {"subprocess.Popen"}, begin)
        work()
        return begun

    return in_child(until_then) is not False


def test_a_program_that_outlives_its_run_keeps_the_next_one_waiting(tmp_path: Path) -> None:
    def work() -> None:
        Lock(str(tmp_path), exclusive=True)
        program(["sleep", "1"], "coreutils", "a test")

    killed_during(1, work, with_program=False)
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(folder, fcntl.LOCK_EX)
    os.close(folder)
