# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

r"""A Windows image as a snapshot in windows_host's form, and operations on it as changes of its hives.

Where Windows keeps what: the folders of programs in ``SOFTWARE\Microsoft\Windows\CurrentVersion``,
profiles in ``…\Windows NT\CurrentVersion\ProfileList``, the machine's environment in
``Session Manager\\Environment``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import hive, hive_edit, hive_log
from .hive import Hive, HiveError
from .hive_edit import Edit, EditError
from .image_files import Files, expand, paths_in_values
from .image_folder import UNFINISHED
from .image_registry import ControlSets, OfflineRegistry, OperationError, from_wire
from .image_source import CONFIG, ImageError, Replacement, Source
from .names import fold

NT = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
WINDOWS = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
PROFILES = f"{NT}\\ProfileList"
CONTROL = "HKLM\\SYSTEM\\CurrentControlSet\\Control"
ENVIRONMENT = f"{CONTROL}\\Session Manager\\Environment"
COMPUTER = f"{CONTROL}\\ComputerName\\ComputerName"
WINDOWS_PE = f"{CONTROL}\\MiniNT"
"""A key that only Windows PE has."""
FOLDERS = {
    "ProgramFiles": "ProgramFilesDir",
    "ProgramFiles(x86)": "ProgramFilesDir (x86)",
    "ProgramW6432": "ProgramW6432Dir",
    "CommonProgramFiles": "CommonFilesDir",
    "CommonProgramFiles(x86)": "CommonFilesDir (x86)",
}
"""Environment strings, and the values from which Windows makes them."""
PERSON = re.compile(r"S-1-(5-21|12-1)-[0-9-]+")
PROXY_VARIABLE = re.compile(r"(HTTP|HTTPS|ALL|NO)_PROXY", re.IGNORECASE)
DEFAULT_USER = "default"
OFFLINE = {
    "network": "an image is not connected to a network",
    "services": "an image runs no services",
    "firewall_products": "an image runs no Windows Security Center that could be queried",
    "probes": "an image reaches nothing",
}
TRANSACTION_LOGS = (
    (".TxR.0", ".TxR.1", ".TxR.2"),
    (".TMContainer00000000000000000001", ".TMContainer00000000000000000002"),
)
"""Ends of the names of the files that hold what the resource manager and the transaction manager of a
hive have logged, after its id."""
MAX_TRANSACTION_LOG = 64 * 1024 * 1024
HIBERNATED = (b"HIBR", b"hibr", b"RSTR", b"rstr")
AWAKE = (b"WAKE", b"wake", b"\0\0\0\0", b"")
"""First bytes of hiberfil.sys. The former are of a Windows that will resume (libhibr, format of
hiberfil.sys)."""
PENDING_UPDATE = "Windows/WinSxS/pending.xml"


@dataclass(frozen=True)
class LoadedHive:
    """A hive of the image: its path, the content of its file, and what it is with its logs."""

    path: str
    stored: bytes
    hive: Hive


class Image:
    """An open image. vouched: see image_files.Files. notes are sentences about what was left out."""

    def __init__(self, source: Source, vouched: Sequence[str] = ()) -> None:
        """Read the machine's hives. Raises ImageError where these cannot be judged."""
        self._source = source
        self.notes: list[str] = []
        self._refuse_unfinished()
        self._refuse_hibernated()
        self._hives: dict[str, LoadedHive] = {}
        self._is_64_bit = True
        try:
            for name in ("SYSTEM", "SOFTWARE"):
                self._load(f"HKLM\\{name}", f"{CONFIG}/{name}")
            self.control_sets = ControlSets(self._hives["HKLM\\SYSTEM"].hive)
            architecture = self._registry.text(ENVIRONMENT, "PROCESSOR_ARCHITECTURE") or ""
            self._is_64_bit = fold(architecture) != "X86"
            if self._registry.key(WINDOWS_PE) is not None:
                raise ImageError(
                    f"{source.title} is Windows PE, from which Windows is installed, and not an "
                    "installation of Windows."
                )
            self._environment = self._read_environment()
            self._files = Files(source, self._registry, self._environment, vouched)
        except HiveError as error:
            raise ImageError(f"{source.title}: {error}") from None
        self._users: list[dict[str, Any]] | None = None
        self._users_error = ""
        try:
            self._users = list(self._read_users())
        except HiveError as error:
            self._users_error = str(error)

    @property
    def _registry(self) -> OfflineRegistry:
        hives = {name: loaded.hive for name, loaded in self._hives.items()}
        return OfflineRegistry(hives, self.control_sets.current, is_64_bit=self._is_64_bit)

    def _refuse_unfinished(self) -> None:
        if self._source.read(UNFINISHED, 1) is not None:
            raise ImageError(
                f"{self._source.title}: preparing this folder was interrupted ({UNFINISHED} is in it), so "
                "some of its hives may be old and others new. Run ets6.network.prepare_image on the "
                "folder again, which restores the old ones first. If the image was made of the folder "
                "since then, make it again after that."
            )

    def _refuse_hibernated(self) -> None:
        head = self._source.read("hiberfil.sys", 4)
        if head is None or head in AWAKE:
            return
        problem = "its hiberfil.sys is in use"
        if head in HIBERNATED:
            problem = "Windows is hibernated in it (or was shut down with fast startup)"
        raise ImageError(
            f"{self._source.title}: {problem}, so its registry is not what is on the disk, and changes "
            "would be lost when it resumes. Only if the image was not generalized (Sysprep), start it, run "
            "powercfg /hibernate off, and shut it down fully. Otherwise make it again with sysprep "
            "/generalize /shutdown, which does not hibernate."
        )

    def _load(self, name: str, path: str) -> None:
        stored = self._source.read(path)
        if stored is None:
            raise HiveError(f"the hive {path} is missing, so the image is incomplete")
        logs: dict[str, bytes] = {}
        base = hive.BaseBlock.parse(stored, path)
        if base.dirty:
            self._refuse_transactions(base, path)
            for number in (1, 2):
                log = self._source.read(f"{path}.LOG{number}")
                if log is not None:
                    logs[f"{path}.LOG{number}"] = log
        self._hives[name] = LoadedHive(path, stored, hive_log.replay(stored, logs, path))

    def _refuse_transactions(self, base: hive.BaseBlock, path: str) -> None:
        """Refuse a dirty hive with logs of transactions, which only Windows can complete."""
        if not base.flags & hive.KTM_LOCKED:
            return
        for log in _transaction_logs(base, path):
            content = self._source.read(log, MAX_TRANSACTION_LOG) or b""
            if content.strip(b"\0"):
                raise HiveError(
                    f"{path} is dirty, and there may be pending transactions on it ({log}), which only "
                    f"Windows can complete. {hive_log.HOW_TO_CLEAN}"
                )

    def _read_environment(self) -> dict[str, str]:
        registry = self._registry
        root = registry.text(NT, "SystemRoot")
        if root is None or not re.match(r"[A-Za-z]:\\", root):
            raise HiveError(f"{CONFIG}/SOFTWARE does not say where Windows is ({NT}, SystemRoot)")
        environment = {"SystemRoot": root, "windir": root, "SystemDrive": root[:2]}
        for name, value in FOLDERS.items():
            folder = registry.text(WINDOWS, value)
            if folder is not None:
                environment[name] = folder
        for name, value in (("ProgramData", "ProgramData"), ("PUBLIC", "Public")):
            folder = registry.text(PROFILES, value)
            if folder is not None:
                environment[name] = expand(folder, environment)
        if "ProgramData" in environment:
            environment["ALLUSERSPROFILE"] = environment["ProgramData"]
        environment.update(_proxy_variables(registry))
        return environment

    def _read_users(self) -> Iterator[dict[str, Any]]:
        """Return users as windows_host does, and load their hives. Raises HiveError."""
        for sid, profile in self._profiles():
            folder = expand(profile, self._environment)
            name = "" if sid == DEFAULT_USER else folder.rpartition("\\")[2]
            user: dict[str, Any] = {"sid": sid, "name": name, "profile": folder}
            user |= {"hive": "unavailable", "logged_on": False, "error": ""}
            try:
                relative = self._files.relative(folder)
                if sid != DEFAULT_USER and self._source.has_folder(relative) is False:
                    self.notes.append(
                        f"{self._source.title}: the profile of user {sid} ({folder}) does not exist, "
                        "so nothing is judged for this user."
                    )
                    continue
                self._load(f"HKU\\{sid}", f"{relative}/NTUSER.DAT")
                user["hive"] = "file"
            except (HiveError, ImageError) as error:
                user["error"] = str(error)
            yield user

    def _profiles(self) -> Iterator[tuple[str, str]]:
        """Return SID and profile folder of every person, and of the default user."""
        registry = self._registry
        profiles = registry.key(PROFILES)
        if profiles is None:
            raise HiveError(f"{CONFIG}/SOFTWARE has no list of profiles ({PROFILES})")
        for key in profiles.subkeys():
            folder = registry.text(f"{PROFILES}\\{key.name}", "ProfileImagePath")
            if folder is not None and PERSON.fullmatch(key.name):
                yield key.name, folder
        folder = registry.text(PROFILES, "Default")
        if folder is not None:
            yield DEFAULT_USER, folder

    def snapshot(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the snapshot, in the form that windows_host documents.

        What an image cannot know is null, with the reason in errors.
        """
        keys = self._read_keys(request)
        errors = dict(OFFLINE)
        if self._users is None:
            errors["users"] = self._users_error
        paths = [*(request.get("files") or ())]
        paths += paths_in_values(request.get("named_files") or (), keys)
        files = self._files.look_up(paths)
        self.notes += self._files.notes
        return {
            "version": 1,
            "host": self._host(),
            "environment": self._environment,
            "registry": keys,
            "files": files,
            "users": self._users,
            **dict.fromkeys(OFFLINE),
            "errors": errors,
        }

    def _read_keys(self, request: Mapping[str, Any]) -> dict[str, Any]:
        registry = self._registry
        keys: dict[str, Any] = {}
        for key in request.get("registry") or ():
            registry.read(keys, key["path"], key.get("depth") or 0, key.get("values") or ())
        for name in self._hives:
            if name.startswith("HKU\\"):
                for key in request.get("user_registry") or ():
                    path, depth = f"{name}\\{key['path']}", key.get("depth") or 0
                    registry.read(keys, path, depth, key.get("values") or ())
        return keys

    def _host(self) -> dict[str, Any]:
        build = self._text(NT, "CurrentBuildNumber")
        return {
            "name": self._text(COMPUTER, "ComputerName"),
            "os": None if build is None else f"10.0.{build}",
            "edition": self._text(NT, "EditionID"),
            "release": self._text(NT, "DisplayVersion"),
            "control_sets": list(self.control_sets.all),
            "control_set": self.control_sets.current,
            "powershell": None,
            "time": None,
        }

    def _text(self, path: str, name: str) -> str | None:
        try:
            return self._registry.text(path, name)
        except HiveError:
            return None

    def apply(self, operations: Sequence[Mapping[str, Any]]) -> bool:
        """Carry out set_registry_values, all or none. Return whether that changed anything.

        The image has to be opened again to be read afterwards. Raises ImageError; nothing has
        changed then.
        """
        try:
            changed = self._changed(operations)
            replacements = {}
            for loaded, after in changed:
                replacements[loaded.path] = Replacement(loaded.stored, after.data)
            if replacements:
                self._source.replace(replacements)
        except ImageError as error:
            raise ImageError(f"{str(error).rstrip('.')}. Nothing was changed.") from None
        return bool(changed)

    def rehearse(self, operations: Sequence[Mapping[str, Any]]) -> bool:
        """Do in memory what apply would do, and refuse what it would refuse."""
        changed = self._changed(operations)
        hives = {loaded.path: after for loaded, after in changed}
        for name, loaded in self._hives.items():
            after = hives.get(loaded.path)
            if after is not None:
                self._hives[name] = LoadedHive(loaded.path, after.data, after)
        return bool(changed)

    def _changed(self, operations: Sequence[Mapping[str, Any]]) -> list[tuple[LoadedHive, Hive]]:
        """Return each hive that has to become different, and what it becomes. Raises ImageError."""
        title = self._source.title
        changed = []
        try:
            for name, edits in self._edits(operations).items():
                loaded = self._hives[name]
                after = hive_edit.edit(loaded.hive, edits, stored=loaded.stored)
                if after is not None:
                    changed.append((loaded, Hive(after, loaded.path)))
        except (EditError, HiveError, OperationError) as error:
            raise ImageError(f"{title}: {error}") from None
        except OSError as error:
            raise ImageError(
                f"{title}: a copy of the hive could not be made: {error.strerror} "
                f"({error.filename})."
            ) from None
        if changed:
            self._refuse_pending_update()
            self._source.refuse_unwritable([loaded.path for loaded, _after in changed])
        return changed

    def _edits(self, operations: Sequence[Mapping[str, Any]]) -> dict[str, list[Edit]]:
        """Return the changes of each hive. Raises OperationError."""
        registry = self._registry
        edits: dict[str, list[Edit]] = {}
        for operation in operations:
            action, values = operation.get("do"), operation.get("values")
            path = str(operation.get("path"))
            if action != "set_registry_values" or not isinstance(values, (list, tuple)):
                raise OperationError(
                    f"{action} is not possible on an image; set_registry_values is, with a list of "
                    "values"
                )
            location = registry.locate(path)
            if location is None:
                raise OperationError(f"{path} cannot be written: {self._why_no_hive(path)}")
            name, key_path = location
            above = registry.locate(str(operation.get("restrict", "")))
            restrict = above[1] if above is not None else ""
            for value in values:
                edits.setdefault(name, []).append(Edit(key_path, *from_wire(value), restrict))
        return edits

    def _why_no_hive(self, path: str) -> str:
        for user in self._users or ():
            if fold(path).startswith(fold(f"HKU\\{user['sid']}\\")):
                return str(user["error"])
        return "the image has no hive for it"

    def _refuse_pending_update(self) -> None:
        if self._source.read(PENDING_UPDATE, 1) is not None:
            raise ImageError(
                f"{self._source.title}: an update waits for the next start ({PENDING_UPDATE}) and will "
                "write to the registry then. Complete or revert it without starting the image (DISM "
                "/Image:FOLDER /Cleanup-Image /RevertPendingActions). Only if the image was not "
                "generalized (Sysprep), you can start it instead until the update is through, and shut "
                "it down fully."
            )


def _transaction_logs(base: hive.BaseBlock, path: str) -> Iterator[str]:
    folder, _slash, name = path.rpartition("/")
    prefix = f"{folder}/{name}"
    if folder == CONFIG:
        prefix = f"{CONFIG}/TxR/"
    for manager, ends in zip(base.transaction_logs, TRANSACTION_LOGS, strict=True):
        for end in ends:
            yield f"{prefix}{{{manager}}}{end}.regtrans-ms"


def _proxy_variables(registry: OfflineRegistry) -> dict[str, str]:
    """Return which variables of the machine's environment name a proxy."""
    variables: dict[str, str] = {}
    machine = registry.key(ENVIRONMENT)
    if machine is None:
        return variables
    for value in machine.values():
        if PROXY_VARIABLE.fullmatch(value.name):
            # That a proxy is named is enough: its address may hold a login.
            variables[value.name] = "set"
    return variables
