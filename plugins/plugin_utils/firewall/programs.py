# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where ETS6's programs are installed on a PC."""

from __future__ import annotations

import ntpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..policy.variables import Policy
from ..snapshot import Snapshot, State
from .paths import Paths
from .write_access import AccessJudge, WriteAccess, Writers

IN_IMAGES = WriteAccess(Writers.USERS, "ordinary users may be able to put programs there")
"""What is said of a copy in an image, of which the access is not read."""


@dataclass(frozen=True)
class Program:
    """One program on one PC.

    paths are the files that get rules, in a fixed order. ignored are copies that only an existing
    rule names and that ordinary users can replace, each with the reason: a user who can put a
    program there must not get a firewall rule for it. unreadable are the files that could not be
    looked up, or of which it is not known who can replace them.
    """

    name: str
    paths: tuple[str, ...]
    ignored: Mapping[str, str]
    unreadable: tuple[str, ...]


def find_programs(snapshot: Snapshot, policy: Policy, paths: Paths) -> list[Program]:
    """Return the files of each program of the policy.

    Those in the policy's folders come first, in the order of the folders, then those that firewall
    rules name.
    """
    return [_find_program(name, snapshot, policy, paths) for name in policy.programs]


def _find_program(name: str, snapshot: Snapshot, policy: Policy, paths: Paths) -> Program:
    files = [
        file
        for file in snapshot.files.values()
        if ntpath.basename(file.path).lower() == name.lower()
    ]
    ranks = {file.path: _folder_rank(file.path, name, policy.paths, paths) for file in files}
    files.sort(key=lambda file: (ranks[file.path], paths.canonical(file.path)))
    judge = AccessJudge(snapshot.access, snapshot.errors.get("access", "the PC did not report it"))
    installed: list[str] = []
    ignored: dict[str, str] = {}
    unreadable = _nothing_looked_up(name, snapshot) if not files else []
    for file in files:
        if file.state is State.MISSING or _is_listed(file.path, [*installed, *ignored], paths):
            continue
        in_folder = ranks[file.path] < len(policy.paths)
        access = WriteAccess(Writers.ADMINISTRATORS)
        if not in_folder and not _is_protected(file.path, paths):
            access = IN_IMAGES if snapshot.offline else judge.judge(file.path)
        if access.writers is Writers.USERS:
            ignored[file.path] = access.reason
        elif file.state is State.UNREADABLE:
            unreadable.append(_with_cause(file.path, file.error))
        elif access.writers is Writers.UNKNOWN:
            unreadable.append(
                f"{file.path}, of which it is not known whether ordinary users can replace it "
                f"({access.reason})"
            )
        else:
            installed.append(file.path)
    return Program(name, tuple(installed), ignored, tuple(unreadable))


def _with_cause(path: str, error: str) -> str:
    return f"{path} ({error})" if error else path


def _is_listed(path: str, listed_paths: Sequence[str], paths: Paths) -> bool:
    return any(paths.same(path, listed_path) for listed_path in listed_paths)


def _nothing_looked_up(name: str, snapshot: Snapshot) -> list[str]:
    """Return what is said of a program of which no file was looked up.

    Taken for missing, it would cost the rules that exist.
    """
    cause = snapshot.errors.get("files", "no reason was given")
    return [f"the PC's reply does not say whether a file {name} exists ({cause})"]


def _folder_rank(path: str, name: str, folders: Sequence[str], paths: Paths) -> int:
    """Return which of the policy's folders a file is in; their number where it is in none."""
    for rank, folder in enumerate(folders):
        candidate = ntpath.join(folder, name)
        if candidate.startswith("*:") and path[1:2] == ":":
            candidate = path[0] + candidate[1:]
        if paths.same(path, candidate):
            return rank
    return len(folders)


PROTECTED = (
    "%ProgramFiles%",
    "%ProgramFiles(x86)%",
    r"C:\Program Files",
    r"C:\Program Files (x86)",
)
"""Folders into which only administrators can put programs, as Windows makes them."""


def _is_protected(path: str, paths: Paths) -> bool:
    r"""Return whether a file is in a folder into which only administrators can put programs.

    Of others Windows is asked: in ``C:\``, for example, ordinary users can create folders.
    """
    return any(paths.below(path, folder) for folder in PROTECTED)
