# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where ETS6's programs are installed on a PC."""

from __future__ import annotations

import ntpath
from collections.abc import Sequence
from dataclasses import dataclass

from ..policy.variables import Policy
from ..snapshot import File, Snapshot, State
from .paths import Paths


@dataclass(frozen=True)
class Program:
    """One program on one PC.

    paths are the files that get rules, in a fixed order. ignored are copies that only an existing
    rule names, in folders that ordinary users may be able to write to: a user who can put a program
    there must not get a firewall rule for it. unreadable are the files that could not be looked up.
    """

    name: str
    paths: tuple[str, ...]
    ignored: tuple[str, ...]
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
    installed: list[str] = []
    ignored: list[str] = []
    for file in files:
        if file.state is not State.PRESENT or _is_listed(file.path, installed + ignored, paths):
            continue
        in_folder = ranks[file.path] < len(policy.paths)
        if in_folder or _is_protected(file.path, paths):
            installed.append(file.path)
        else:
            ignored.append(file.path)
    return Program(name, tuple(installed), tuple(ignored), _unreadable(name, files, snapshot))


def _is_listed(path: str, listed_paths: Sequence[str], paths: Paths) -> bool:
    return any(paths.same(path, listed_path) for listed_path in listed_paths)


def _unreadable(name: str, files: Sequence[File], snapshot: Snapshot) -> tuple[str, ...]:
    if not files:
        # Nothing was looked up. Taken for missing, it would cost the rules that exist.
        cause = snapshot.errors.get("files", "no reason was given")
        return (f"the PC's reply does not say whether a file {name} exists ({cause})",)
    unreadable = []
    for file in files:
        if file.state is State.UNREADABLE:
            unreadable.append(f"{file.path} ({file.error})" if file.error else file.path)
    return tuple(unreadable)


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
    r"""Return whether only administrators can put programs into a file's folder.

    Of others it is not known: below ``C:\``, for example, ordinary users can create folders.
    """
    return any(paths.below(path, folder) for folder in PROTECTED)
