# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where ETS6's programs stand on a PC."""

from __future__ import annotations

import ntpath
from collections.abc import Iterable
from dataclasses import dataclass

from ..policy.variables import Policy
from ..snapshot import File, Snapshot, State
from .paths import Paths


@dataclass(frozen=True)
class Program:
    """One program on one PC.

    paths are the places that get rules, in a fixed order. aside are copies in folders that ordinary users can write to, which
    only an existing rule names: who may put a program there must not get a firewall rule for it. unreadable are the
    places that could not be looked at.
    """

    name: str
    paths: tuple[str, ...]
    aside: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Tell whether it is certain where the program is and is not."""
        return not self.unreadable


def find(snapshot: Snapshot, policy: Policy, paths: Paths) -> list[Program]:
    """Return where each wanted program stands: in the wanted folders, in their order, then where firewall rules name it."""
    return [_find_one(name, snapshot, policy, paths) for name in policy.programs]


def _find_one(name: str, snapshot: Snapshot, policy: Policy, paths: Paths) -> Program:
    files = [file for file in snapshot.files.values() if ntpath.basename(file.path).lower() == name.lower()]
    wanted = {id(file): place for file in files if (place := _wanted_folder(file.path, name, policy.paths, paths)) is not None}
    files.sort(key=lambda file: (wanted.get(id(file), len(policy.paths)), paths.canonical(file.path)))
    there: list[str] = []
    aside: list[str] = []
    for file in files:
        if file.state is not State.PRESENT or any(paths.same(file.path, other) for other in (*there, *aside)):
            continue
        open_to_users = id(file) not in wanted and _open_to_users(file.path, snapshot, paths)
        (aside if open_to_users else there).append(file.path)
    unreadable = _shown(files, State.UNREADABLE)
    if not files:
        # Nobody looked: taken for missing, it would cost the rules that are there.
        unreadable = (
            f"the PC's reply holds no file {name}, there or not ({snapshot.errors.get('files', 'no reason was given')})",
        )
    return Program(name, tuple(there), tuple(aside), unreadable)


def _shown(files: Iterable[File], state: State) -> tuple[str, ...]:
    return tuple(f"{file.path} ({file.error})" if file.error else file.path for file in files if file.state is state)


def _wanted_folder(path: str, name: str, folders: tuple[str, ...], paths: Paths) -> int | None:
    """Return which of the wanted folders a file stands in."""
    for at, folder in enumerate(folders):
        candidate = f"{folder.rstrip(chr(92))}\\{name}"
        if candidate.startswith("*:") and path[1:2] == ":":
            candidate = path[0] + candidate[1:]
        if paths.same(path, candidate):
            return at
    return None


def _open_to_users(path: str, snapshot: Snapshot, paths: Paths) -> bool:
    """Tell whether a file stands where ordinary users can put programs: another PC, profiles, ProgramData, temporary folders."""
    if not (path[1:3] == ":\\" and path[0].isalpha()):
        return True
    profiles = [user.profile for user in snapshot.users or () if user.profile]
    folders = [
        r"%SystemDrive%\Users",
        r"C:\Users",
        "%ProgramData%",
        "%PUBLIC%",
        r"%SystemRoot%\Temp",
        "%TEMP%",
        "%TMP%",
        *profiles,
    ]
    return any(paths.below(path, folder) for folder in folders)
