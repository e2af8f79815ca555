# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

r"""A Windows image as a snapshot in the form of windows_host's, and operations on it as changes of its hives.

Where Windows keeps what: the folders of programs in ``SOFTWARE\Microsoft\Windows\CurrentVersion``, profiles in
``…\Windows NT\CurrentVersion\ProfileList``, the machine's environment in ``Session Manager\\Environment``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import hive, hive_edit, hive_log
from .hive import Hive, HiveError
from .hive_edit import Edit, EditError
from .image_registry import ControlSets, Registry, WireError, from_wire
from .image_source import CONFIG, ImageError, Replacement, Source

NT = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
WINDOWS = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
PROFILES = NT + "\\ProfileList"
ENVIRONMENT = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
COMPUTER = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName"
FOLDERS = {
    "ProgramFiles": "ProgramFilesDir",
    "ProgramFiles(x86)": "ProgramFilesDir (x86)",
    "ProgramW6432": "ProgramW6432Dir",
    "CommonProgramFiles": "CommonFilesDir",
    "CommonProgramFiles(x86)": "CommonFilesDir (x86)",
}
"""Environment strings, and the values from which Windows makes them."""
PERSON = re.compile(r"S-1-(5-21|12-1)-[0-9-]+")
OFFLINE = {
    "network": "an image is in no network",
    "services": "an image runs no services",
    "firewall_products": "an image runs no Windows Security Center that could be asked",
    "probes": "an image reaches nothing",
}
TRANSACTION_LOGS = (".TxR.0", ".TxR.1", ".TxR.2"), (".TMContainer00000000000000000001", ".TMContainer00000000000000000002")
"""How the files are called that hold what the resource manager and the transaction manager of a hive have logged, after its id."""
HEAD_BYTES = 1024
"""So much of a program tells whether it is a 32-bit one."""
LARGEST_TRANSACTION_LOG = 64 * 1024 * 1024
HIBERNATED = (b"HIBR", b"hibr", b"RSTR", b"rstr")
AWAKE = (b"WAKE", b"wake", b"\0\0\0\0", b"")
"""How hiberfil.sys begins. The first ones are of a Windows that will go on where it stopped (libhibr, format of hiberfil.sys)."""


class MissingHiveError(HiveError):
    """The image has no such hive."""


@dataclass(frozen=True)
class Loaded:
    """A hive of the image: where it is, what the file held, and what it comes to with its logs."""

    path: str
    stored: bytes
    hive: Hive


class Image:
    """An open image."""

    def __init__(self, source: Source) -> None:
        """Read the machine's hives. Raises ImageError where they, and so anything at all, cannot be judged."""
        self._source = source
        self._refuse_hibernated()
        self._hives: dict[str, Loaded] = {}
        try:
            for name in ("SYSTEM", "SOFTWARE"):
                self._load(f"HKLM\\{name}", f"{CONFIG}/{name}")
            self.control_sets = ControlSets(self._hives["HKLM\\SYSTEM"].hive)
            self._environment = self._read_environment()
        except HiveError as error:
            raise ImageError(f"{source.title}: {error}") from None
        self._users = self._read_users()

    @property
    def _registry(self) -> Registry:
        return Registry({name: loaded.hive for name, loaded in self._hives.items()}, self.control_sets.current)

    def _refuse_hibernated(self) -> None:
        head = self._source.read("hiberfil.sys", 4)
        if head is None or head in AWAKE:
            return
        what = (
            "Windows is hibernated in it (or was shut down with fast startup)"
            if head in HIBERNATED
            else "its hiberfil.sys is in use"
        )
        raise ImageError(
            f"{self._source.title}: {what}, so its registry is not what is on the disk, and changes would be lost when it resumes. "
            "Start it, run powercfg /hibernate off, and shut it down fully."
        )

    def _load(self, name: str, path: str) -> None:
        stored = self._source.read(path)
        if stored is None:
            raise MissingHiveError(f"the hive {path} is missing, so the image is not whole")
        logs: dict[str, bytes] = {}
        base = hive.BaseBlock.parse(stored, path)
        if base.dirty:
            self._refuse_transactions(base, path)
            for number in (1, 2):
                log = self._source.read(f"{path}.LOG{number}")
                if log is not None:
                    logs[f"{path}.LOG{number}"] = log
        self._hives[name] = Loaded(path, stored, hive_log.replay(stored, logs, path))

    def _refuse_transactions(self, base: hive.BaseBlock, path: str) -> None:
        """Refuse a dirty hive with logs of transactions: Windows would complete from them what its other logs do not hold."""
        if not base.flags & hive.KTM_LOCKED:
            return
        folder, _slash, name = path.rpartition("/")
        before = f"{CONFIG}/TxR/" if folder == CONFIG else f"{folder}/{name}"
        for id_, ends in zip(base.transaction_logs, TRANSACTION_LOGS, strict=True):
            for end in ends:
                log = f"{before}{{{id_}}}{end}.regtrans-ms"
                if (self._source.read(log, LARGEST_TRANSACTION_LOG) or b"").strip(b"\0"):
                    raise HiveError(
                        f"{path} is dirty, and there may be pending transactions on it ({log}), which only Windows can complete. "
                        f"{hive_log.WHAT_TO_DO}"
                    )

    def _read_environment(self) -> dict[str, str]:
        registry = self._registry
        found: dict[str, str] = {}
        root = registry.text(NT, "SystemRoot")
        if root is None or not re.match(r"[A-Za-z]:\\", root):
            raise HiveError(f"{CONFIG}/SOFTWARE does not say where Windows is ({NT}, value SystemRoot)")
        found |= {"SystemRoot": root, "windir": root, "SystemDrive": root[:2]}
        for name, value in FOLDERS.items():
            folder = registry.text(WINDOWS, value)
            if folder is not None:
                found[name] = folder
        for name, value in (("ProgramData", "ProgramData"), ("PUBLIC", "Public")):
            folder = registry.text(PROFILES, value)
            if folder is not None:
                found[name] = _expand(folder, found)
        if "ProgramData" in found:
            found["ALLUSERSPROFILE"] = found["ProgramData"]
        machine = registry.key(ENVIRONMENT)
        for entry in machine.values() if machine is not None else ():
            # That a proxy is named is enough: its address may hold a login.
            if re.fullmatch(r"(HTTP|HTTPS|ALL|NO)_PROXY", entry.name, re.IGNORECASE):
                found[entry.name] = "set"
        return found

    def _read_users(self) -> list[dict[str, Any]] | HiveError:
        registry = self._registry
        users = []
        try:
            profiles = registry.key(PROFILES)
            if profiles is None:
                return HiveError(f"{CONFIG}/SOFTWARE has no list of profiles ({PROFILES})")
            people = [(key.name, registry.text(f"{PROFILES}\\{key.name}", "ProfileImagePath")) for key in profiles.subkeys()]
            people = [(sid, folder) for sid, folder in people if PERSON.fullmatch(sid)]
            people.append(("default", registry.text(PROFILES, "Default")))
        except HiveError as error:
            return error
        for sid, folder in people:
            if folder is None:
                continue
            folder = _expand(folder, self._environment)
            name = "" if sid == "default" else folder.rpartition("\\")[2]
            user = {"sid": sid, "name": name, "profile": folder, "hive": "unavailable", "logged_on": False, "error": ""}
            try:
                path = f"{self._inside(folder)}/NTUSER.DAT"
                self._load(f"HKU\\{sid}", path)
                user["hive"] = "file"
            except MissingHiveError as error:
                user["hive"] = "missing" if self._is_missing(path) else "unavailable"
                user["error"] = str(error)
            except (HiveError, ImageError) as error:
                user["error"] = str(error)
            users.append(user)
        return users

    def _is_missing(self, path: str) -> bool:
        """Return whether the image, which holds more than hives, has no such file."""
        try:
            return self._source.size(path) is None
        except ImageError:
            return False

    def _inside(self, path: str) -> str:
        """Return the path of a file of the Windows volume, relative to its root."""
        drive, rest = path[:2], path[2:]
        if drive.lower() != self._environment["SystemDrive"].lower() or not rest.startswith("\\"):
            raise ImageError(f"{path} is not on drive {self._environment['SystemDrive']}, which is all that the image holds")
        parts = [part for part in rest.split("\\") if part]
        if ".." in parts:
            raise ImageError(f"{path} goes up in the folders")
        return "/".join(parts)

    def snapshot(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the snapshot, in the form that windows_host documents; what an image cannot say is null, with the reason."""
        registry = self._registry
        keys: dict[str, Any] = {}
        for key in asked.get("registry") or ():
            registry.read(keys, key["path"], key.get("depth") or 0)
        users = self._users
        for user in () if isinstance(users, HiveError) else users:
            for key in (asked.get("user_registry") or ()) if user["hive"] == "file" else ():
                registry.read(keys, f"HKU\\{user['sid']}\\{key['path']}", key.get("depth") or 0)
        errors = dict(OFFLINE)
        if isinstance(users, HiveError):
            errors["users"] = str(users)
        return {
            "version": 1,
            "offline": True,
            "host": self._host(registry),
            "environment": self._environment,
            "registry": keys,
            "files": self._files(asked, keys),
            "users": None if isinstance(users, HiveError) else users,
            **dict.fromkeys(OFFLINE),
            "errors": errors,
        }

    def _host(self, registry: Registry) -> dict[str, Any]:
        def text(path: str, name: str) -> str | None:
            try:
                return registry.text(path, name)
            except HiveError:
                return None

        build = text(NT, "CurrentBuildNumber")
        return {
            "name": text(COMPUTER, "ComputerName"),
            "os": None if build is None else f"10.0.{build}",
            "control_sets": list(self.control_sets.all),
            "control_set": self.control_sets.current,
            "powershell": None,
            "time": None,
        }

    def _files(self, asked: Mapping[str, Any], keys: Mapping[str, Any]) -> list[dict[str, Any]]:
        drive = self._environment["SystemDrive"]
        paths = [
            drive + path[2:] if path.startswith("*:\\") else _expand(path, self._environment) for path in asked.get("files") or ()
        ]
        paths += [_expand(path, self._environment) for path in _named(asked.get("named_files") or (), keys)]
        wanted: dict[str, str] = {}
        for path in paths:
            # As for windows_host, the first spelling counts: what was asked for, not what some rule holds.
            wanted.setdefault(path.lower(), path)
        return [self._file(path) for path in wanted.values()]

    def _file(self, path: str) -> dict[str, Any]:
        file: dict[str, Any] = {"path": path, "state": "missing", "version": "", "size": 0, "error": "", "head": ""}
        try:
            if "%" in path:
                if "ProgramFiles" not in self._environment:
                    raise ImageError(f"{CONFIG}/SOFTWARE does not say where programs are ({WINDOWS}, value ProgramFilesDir)")
                # Windows leaves a string that it does not know as it is, and finds no such file.
                return file
            size = self._source.size(self._inside(path))
            if size is not None:
                file.update(state="present", size=size, head=self._head(self._inside(path)))
        except ImageError as error:
            file.update(state="unreadable", error=str(error))
        return file

    def _head(self, path: str) -> str:
        """Return the first bytes of a file as base64; nothing where they cannot be read."""
        try:
            return base64.b64encode(self._source.read(path, HEAD_BYTES) or b"").decode("ascii")
        except ImageError:
            return ""

    def apply(self, operations: Sequence[Mapping[str, Any]]) -> bool:
        """Carry out set_registry_values, all or none, and tell whether that changed anything.

        The image has to be opened anew for what it is after that. Raises ImageError; nothing has changed then.
        """
        try:
            changed = self._changed(operations)
            if changed:
                self._source.replace({one.path: Replacement(one.stored, after.data) for one, after in changed})
        except ImageError as error:
            raise ImageError(f"{str(error).rstrip('.')}. Nothing was changed.") from None
        return bool(changed)

    def rehearse(self, operations: Sequence[Mapping[str, Any]]) -> bool:
        """Do in memory what apply would do, for the snapshot that comes after it, and refuse what it would refuse."""
        changed = self._changed(operations)
        made = {one.path: after for one, after in changed}
        for name, one in self._hives.items():
            after = made.get(one.path)
            if after is not None:
                self._hives[name] = Loaded(one.path, after.data, after)
        return bool(changed)

    def _changed(self, operations: Sequence[Mapping[str, Any]]) -> list[tuple[Loaded, Hive]]:
        """Return each hive that has to become different, and what it has to become. Raises ImageError."""
        edits: dict[str, list[Edit]] = {}
        registry = self._registry
        for step in operations:
            try:
                name, wanted = self._edits(step, registry)
            except WireError as error:
                raise ImageError(f"{self._source.title}: {error}") from None
            edits.setdefault(name, []).extend(wanted)
        changed = []
        try:
            for name, of_hive in edits.items():
                loaded = self._hives[name]
                after = hive_edit.edit(loaded.hive, of_hive, stored=loaded.stored)
                if after is not None:
                    changed.append((loaded, Hive(after, loaded.path)))
        except (EditError, HiveError) as error:
            raise ImageError(f"{self._source.title}: {error}") from None
        except OSError as error:
            raise ImageError(
                f"{self._source.title}: a copy of the hive could not be made: {error.strerror} ({error.filename})."
            ) from None
        if changed:
            self._refuse_pending()
            self._source.refuse_unwritable([one.path for one, _after in changed])
        return changed

    def _edits(self, step: Mapping[str, Any], registry: Registry) -> tuple[str, list[Edit]]:
        """Return the hive that an operation is about, and what becomes of the values in it. Raises WireError."""
        action, path, values = step.get("do"), str(step.get("path")), step.get("values")
        if action != "set_registry_values" or not isinstance(values, (list, tuple)):
            raise WireError(f"{action} cannot be done to an image; set_registry_values can, with a list of values")
        place = registry.place(path)
        if place is None:
            users = () if isinstance(self._users, HiveError) else self._users
            why = next((user["error"] for user in users if path.lower().startswith(f"hku\\{user['sid']}\\".lower())), "")
            raise WireError(f"{path} cannot be written: {why or 'the image has no hive for it'}")
        return place[0], [Edit(place[1], *from_wire(value)) for value in values]

    def _refuse_pending(self) -> None:
        if self._source.read("Windows/WinSxS/pending.xml", 1) is not None:
            raise ImageError(
                f"{self._source.title}: an update waits for the next start (Windows/WinSxS/pending.xml) and will write to the registry "
                "then. Start the image once in Windows until it is through, and shut it down fully."
            )


def _expand(text: str, environment: Mapping[str, str]) -> str:
    known = {name.lower(): value for name, value in environment.items()}
    return re.sub(r"%([^%]+)%", lambda match: known.get(match[1].lower(), match[0]), text)


def _named(names: Sequence[str], keys: Mapping[str, Any]) -> list[str]:
    """Return every path that ends in one of the names and stands in a value that was read, as windows_host finds them."""
    if not names:
        return []
    either = "|".join(re.escape(name) for name in names)
    pattern = re.compile(rf'(?:^|[=|"])([^=|"]*\\(?:{either}))(?=$|[|"])', re.IGNORECASE)
    return [
        path
        for key in keys.values()
        for kind, data in key.get("values", {}).values()
        if kind in ("REG_SZ", "REG_EXPAND_SZ")
        for path in pattern.findall(data)
    ]
