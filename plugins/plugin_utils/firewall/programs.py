# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where ETS6's programs are installed on a PC."""

from __future__ import annotations

import ntpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...module_utils.names import fold
from ..policy.variables import Policy
from ..snapshot import File, Snapshot, State
from .paths import Paths
from .write_access import AccessJudge, WriteAccess, Writers

IN_IMAGES = WriteAccess(Writers.USERS, "ordinary users may be able to put programs there")
"""The access of a copy in an image, where it is not read."""


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
    finder = _Finder(name, snapshot, policy, paths)
    installed: list[str] = []
    ignored: dict[str, str] = {}
    unreadable: list[str] = []
    for file in finder.files:
        # Only what gets rules can be another name of the same file: a user may choose any name.
        if _is_listed(file.path, installed, paths):
            continue
        access = finder.access(file)
        problem = _problem(file, access)
        if access.writers is Writers.USERS:
            ignored[file.path] = access.reason
        elif problem:
            unreadable.append(problem)
        else:
            installed.append(file.path)
    return Program(name, tuple(installed), ignored, tuple(unreadable or finder.nothing_looked_up()))


class _Finder:
    """The files of one program, in their order, and who can replace them."""

    def __init__(self, name: str, snapshot: Snapshot, policy: Policy, paths: Paths) -> None:
        self._name = name
        self._snapshot = snapshot
        self._paths = paths
        error = snapshot.errors.get("access", "the PC did not report it")
        self._judge = AccessJudge(snapshot.access, error)
        self._looked_up = [
            file
            for file in snapshot.files.values()
            if fold(ntpath.basename(file.path)) == fold(name)
        ]
        self._elsewhere = len(policy.paths)
        self._ranks = {
            file.path: _folder_rank(file.path, name, policy.paths, paths)
            for file in self._looked_up
        }

    @property
    def files(self) -> list[File]:
        """The files that are there, those in the policy's folders first."""
        there = [file for file in self._looked_up if file.state is not State.MISSING]
        return sorted(
            there, key=lambda file: (self._ranks[file.path], self._paths.canonical(file.path))
        )

    def access(self, file: File) -> WriteAccess:
        """Return who can replace a file. In the policy's folders that is the policy's matter."""
        if self._ranks[file.path] < self._elsewhere or _is_protected(file.path, self._paths):
            return WriteAccess(Writers.ADMINISTRATORS)
        return IN_IMAGES if self._snapshot.offline else self._judge.judge(file.path)

    def nothing_looked_up(self) -> list[str]:
        """Return what is unreadable where no file was looked up.

        Taken for missing, it would cost the rules that exist.
        """
        if self._looked_up:
            return []
        cause = self._snapshot.errors.get("files", "no reason was given")
        return [f"the PC's reply does not say whether a file {self._name} exists ({cause})"]


def _problem(file: File, access: WriteAccess) -> str:
    """Return what is not known about a file; empty where everything is."""
    if file.state is State.UNREADABLE:
        return f"{file.path} ({file.error})" if file.error else file.path
    if access.writers is Writers.UNKNOWN:
        return (
            f"{file.path}, of which it is not known whether ordinary users can replace it "
            f"({access.reason})"
        )
    return ""


def _is_listed(path: str, listed_paths: Sequence[str], paths: Paths) -> bool:
    return any(paths.same(path, listed_path) for listed_path in listed_paths)


def _folder_rank(path: str, name: str, folders: Sequence[str], paths: Paths) -> int:
    """Return which of the policy's folders a file is in; their number where it is in none.

    A path that could have an 8.3 name in it is in none: a user can create a folder of such a name.
    """
    for rank, folder in enumerate(folders):
        candidate = ntpath.join(folder, name)
        if candidate.startswith("*:") and path[1:2] == ":":
            candidate = path[0] + candidate[1:]
        if paths.canonical(path) == paths.canonical(candidate):
            return rank
    return len(folders)


PROTECTED = ("%ProgramFiles%", "%ProgramFiles(x86)%")
"""Folders into which only administrators can put programs, as Windows makes them.

Windows may be on another drive than C, where users can create folders of these names.
"""


def _is_protected(path: str, paths: Paths) -> bool:
    r"""Return whether a file is in a folder into which only administrators can put programs.

    Of others Windows is asked: in ``C:\``, for example, ordinary users can create folders.
    """
    return any(paths.below(path, folder) for folder in PROTECTED)
