# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A PC that answers from Python: what windows_host documents, from the state that the PowerShell stand-ins use.

Tests put the same questions to both (tests/integration/windows_host_questions.py).
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
import re
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from tests.lab.pc import (
    INTERNET,
    INTERNET_POLICY,
    MACHINE_INTERNET,
    POLICY,
    PROFILE_LIST,
    RULES,
    Pc,
    winhttp_blob,
)

DENIED = "Requested registry access is not allowed."
TYPES = (
    "REG_SZ",
    "REG_EXPAND_SZ",
    "REG_MULTI_SZ",
    "REG_DWORD",
    "REG_QWORD",
    "REG_BINARY",
    "REG_NONE",
)
RESTRICTED = "D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)"
"""Full control for SYSTEM and Administrators, inherited by keys below; nothing is inherited from above."""
USER_SID = re.compile(r"S-1-(5-21|12-1)-[0-9-]+")


RECORD = r"HKLM\SOFTWARE\ets6.network changes"
BEGUN = "Begun"
"""Where the script writes that it began to change something."""


class PowerLossError(Exception):
    """The PC went off in the middle: nothing is answered."""


class OperationError(Exception):
    """An operation failed, as it would on Windows."""


def answer(pc: Pc, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what windows_host would, and change the PC's state as the operations ask."""
    states = _operate(
        pc, arguments.get("operations") or [], bool(arguments.get("_ansible_check_mode"))
    )
    packed = base64.b64encode(
        gzip.compress(json.dumps(_Reading(pc, arguments).snapshot()).encode())
    ).decode()
    return {
        "changed": any(state["state"] == "done" for state in states),
        "operations": states,
        "snapshot": packed,
    }


class _Reading:
    def __init__(self, pc: Pc, asked: Mapping[str, Any]) -> None:
        self.state, self.asked = pc.state, asked
        self.keys = {path.lower(): (path, key) for path, key in pc.state["registry"].items()}
        self.found: dict[str, Any] = {}
        self.errors: dict[str, str] = {}
        self.others: list[str] = []
        """Files that only values name."""

    def snapshot(self) -> dict[str, Any]:
        for key in self.asked.get("registry") or ():
            depth, only = int(key.get("depth", 0)), key.get("values") or ()
            self._read(key["path"], key["path"], depth, only)
        users = self._users()
        network = self.state.get("network")
        if network is None:
            self.errors["network"] = "Der Remoteprozeduraufruf ist fehlgeschlagen."
        windows = self.state["registry"][r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"]
        values = {name: value[1] for name, value in windows["values"].items()}
        files = self._files()
        access = self._access()
        return {
            "version": 1,
            "local_accounts": self._accounts(),
            "registry": self.found,
            "errors": self.errors,
            "host": {
                "name": self.state["host"]["name"],
                "os": f"10.0.{values['CurrentBuildNumber']}",
                "edition": values.get("EditionID", ""),
                "release": values.get("DisplayVersion", ""),
                "revision": str(values.get("UBR", "")),
                "powershell": "model",
                "time": self._time().strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "environment": dict(self.state["environment"]),
            "users": users,
            "files": files,
            "access": access,
            "network": network,
            "hosts_file": self._hosts(),
            "addresses": list(self.state["addresses"]),
            "services": dict(self.state["services"]),
            "firewall_products": [
                {
                    "name": product["name"],
                    "enabled": {1: True, 0: False}.get(product["product_state"] >> 12 & 15),
                }
                for product in self.state["firewall_products"] or ()
            ],
            **self._firewall_parts(),
            "probes": self._probes(users),
        }

    def _accounts(self) -> list[dict[str, Any]] | None:
        """Return the PC's own users and groups, where a firewall rule is for an account."""
        rules: list[str] = []
        for path, key in self.found.items():
            if path.lower().endswith("\\firewallrules"):
                rules += [str(data) for _type, data in key.get("values", {}).values()]
        pattern = re.compile(r"\|LUAuth[^=|]*=[^|]*;S-1-5-21-", re.IGNORECASE)
        if not any(map(pattern.search, rules)):
            return []
        if "cim:Win32_Account" in self.state["faults"]:
            self.errors["local_accounts"] = "Der RPC-Server ist nicht verfügbar."
            return None
        return [
            {"sid": account["sid"], "name": account["name"], "group": account["type"] != 1}
            for account in self.state["accounts"]
        ]

    def _firewall_parts(self) -> dict[str, Any]:
        """Return what the firewall's service and the network say of themselves."""
        parts: dict[str, Any] = {
            "registered_firewalls": self.state["registered_firewalls"],
            "networks": self.state["networks"],
            "firewall_service": None,
        }
        if self.state["registered_firewalls"] is None:
            self.errors["registered_firewalls"] = "Klasse nicht registriert"
        if "networks" in self.state["faults"]:
            parts["networks"] = None
            self.errors["networks"] = "Zugriff verweigert"
        if self.state.get("network") is None:
            self.errors["firewall_service"] = "Der Remoteprozeduraufruf ist fehlgeschlagen."
            return parts
        values = len(self.state["registry"].get(RULES, {"values": {}})["values"])
        rules = self.state["service_rules"]
        parts["firewall_service"] = {
            "rules": values if rules is None else rules,
            "values": values,
            "modify_state": self.state["modify_state"],
        }
        return parts

    def _read(self, path: str, source: str, depth: int, only: Sequence[str] = ()) -> None:
        error = self._path_error(path)
        if error:
            self.found[path] = {"state": "unreadable", "error": error}
            return
        prefix = source.lower() + "\\"
        known = self.keys.get(source.lower())
        below = list(
            dict.fromkeys(
                name[len(source) + 1 :].split("\\")[0]
                for lower, (name, _key) in self.keys.items()
                if lower.startswith(prefix)
            )
        )
        if known is None and not below:
            self.found[path] = {"state": "missing"}
            return
        key = known[1] if known else {"values": {}}
        if key.get("denied"):
            self.found[path] = {"state": "unreadable", "error": DENIED}
            return
        names = {name.lower() for name in only}
        values = {}
        for name, value in key["values"].items():
            if not names or name.lower() in names:
                values[name] = value
        self.found[path] = {"state": "present", "values": values, "keys": below}
        if depth > 0:
            for name in below:
                self._read(f"{path}\\{name}", f"{source}\\{name}", depth - 1)

    def _path_error(self, path: str) -> str:
        """Return why there can be no such path, or an empty string."""
        root, sid = [*path.split("\\"), ""][:2]
        if root not in ("HKLM", "HKU"):
            return f"{path}: the path must begin with HKLM or HKU"
        if (
            root == "HKU"
            and sid not in dict(profiles(self.state))
            and not hive(self.state, sid, "")
        ):
            return f"{sid}: there is no such profile"
        return ""

    def _users(self) -> list[dict[str, Any]]:
        users = []
        for sid, profile in profiles(self.state):
            name = "" if sid == "default" else profile.rpartition("\\")[2]
            here = any(user["sid"] == sid and user["logged_on"] for user in self.state["users"])
            user = {
                "sid": sid,
                "name": name,
                "profile": profile,
                "hive": "unavailable",
                "logged_on": here,
                "error": "",
            }
            root = hive(self.state, sid, profile)
            if not self.asked.get("user_registry"):
                user["error"] = "no key was requested"
            elif root is None:
                user["hive"] = "missing"
                user["error"] = f'Der Pfad "{profile}" kann nicht gefunden werden.'
            else:
                user["hive"] = "loaded" if root.startswith("HKU") else "file"
                for key in self.asked.get("user_registry") or ():
                    self._read(
                        rf"HKU\{sid}\{key['path']}",
                        rf"{root}\{key['path']}",
                        int(key.get("depth", 0)),
                        key.get("values") or (),
                    )
            users.append(user)
        return users

    def _files(self) -> list[dict[str, Any]]:
        wanted: dict[str, None] = {}
        for path in self.asked.get("files") or ():
            if path.startswith("*:\\"):
                wanted.update(dict.fromkeys(drive + path[2:] for drive in self.state["drives"]))
            else:
                wanted[expand(self.state, path)] = None
        requested = {path.lower() for path in wanted}
        names = [re.escape(name) for name in self.asked.get("named_files") or ()]
        if names:
            pattern = re.compile(
                rf'(?:^|[=|"])([^=|"]*\\(?:{"|".join(names)}))(?=$|[|"])', re.IGNORECASE
            )
            for place, key in self.found.items():
                if not place.startswith("HKLM\\"):
                    continue
                for kind, data in key.get("values", {}).values():
                    if kind in ("REG_SZ", "REG_EXPAND_SZ"):
                        paths = (expand(self.state, match) for match in pattern.findall(data))
                        wanted.update(
                            dict.fromkeys(path for path in paths if re.match(r"[A-Za-z]:\\", path))
                        )
        folded: dict[str, str] = {}
        for path in wanted:
            folded.setdefault(path.lower(), path)
        known = {path.lower(): file for path, file in self.state["files"].items()}
        found = []
        for lower, path in folded.items():
            file = known.get(lower)
            record = {
                "path": path,
                "state": "missing",
                "version": "",
                "size": 0,
                "error": "",
                "head": "",
            }
            if file is not None:
                record |= {
                    "state": "present",
                    "version": file["version"],
                    "size": file["size"],
                    "head": file.get("head", ""),
                }
                if lower not in requested:
                    self.others.append(path)
            found.append(record)
        return found

    def _access(self) -> dict[str, Any]:
        """Return owner, access rights and attributes of files that only values name, and of the folders above them."""
        known = {path.lower(): sddl for path, sddl in self.state["access"].items()}
        found: dict[str, Any] = {}
        for path in self.others:
            names = path.split("\\")
            for end in range(1, len(names) + 1):
                part = "\\".join(names[:end]) if end > 1 else f"{names[0]}\\"
                sddl = known.get(part.lower())
                attributes = 128 if end == len(names) else 144
                found[part] = {"sddl": sddl, "attributes": attributes}
                if sddl is None:
                    found[part] = {
                        "error": f"Es wurde versucht, einen nicht autorisierten Vorgang auszuführen: {part}"
                    }
        return found

    def _hosts(self) -> list[str] | None:
        """Return the lines of the hosts file that name a server to be probed."""
        if self.state.get("hosts") is None:
            self.errors["hosts_file"] = "Der Pfad kann nicht gefunden werden."
            return None
        names = {urlsplit(probe["url"]).hostname for probe in self.asked.get("probes") or ()}
        lines = []
        for line in self.state["hosts"]:
            words = line.partition("#")[0].split()
            if names.intersection(word.lower().rstrip(".") for word in words[1:]):
                lines.append(" ".join(words))
        return lines

    def _time(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self.state["clock"])

    def _probes(self, users: list[dict[str, Any]]) -> list[dict[str, Any]]:
        probes = [dict(probe) for probe in self.asked.get("probes") or ()]
        for probe in probes:
            if probe.get("proxies") is None:
                probe["proxies"] = guess_proxies(self.found, users, str(probe["url"]))
        found: list[dict[str, Any]] = prober(self.state["names"]).probe_all(
            [probe for probe in probes if probe["proxies"]],
            float(self.asked.get("probe_timeout") or 10),
        )
        return found


class Sockets:
    """Python's sockets with the names of a PC's state: no name service is asked."""

    ERRORS: ClassVar = {11001: socket.EAI_NONAME, 11002: socket.EAI_AGAIN, 11004: socket.EAI_NODATA}
    """What Windows' numbers of errors are here."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = {"localhost": ["127.0.0.1"], **names}

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)

    def getaddrinfo(self, host: str, *words: Any, **more: Any) -> list[Any]:
        """Return what the state says of a name: addresses, the number of an error, or ("hang") nothing for a while."""
        known = (
            [host]
            if re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", host)
            else self._names.get(host, 11001)
        )
        if known == "hang":
            time.sleep(15)
            return []
        if isinstance(known, int):
            raise socket.gaierror(self.ERRORS[known], "as the PC's state has it")
        return [entry for address in known for entry in socket.getaddrinfo(address, *words, **more)]


def prober(names: Mapping[str, Any]) -> Any:
    """Return the collection's prober, the one piece of its code that the lab runs; loaded from its file, without Ansible."""
    file = Path(__file__).resolve().parents[2] / "plugins" / "module_utils" / "probe.py"
    spec = importlib.util.spec_from_file_location("ets6_probe", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.socket = Sockets(names)  # type: ignore[attr-defined]
    return module


def profiles(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return SID and profile folder of every user, and the default profile."""
    registry = state["registry"]
    found = []
    for path, key in registry.items():
        parent, _slash, sid = path.rpartition("\\")
        if parent == PROFILE_LIST and USER_SID.fullmatch(sid):
            found.append((sid, expand(state, key["values"]["ProfileImagePath"][1])))
    return [*found, ("default", expand(state, registry[PROFILE_LIST]["values"]["Default"][1]))]


def hive(state: Mapping[str, Any], sid: str, profile: str) -> str | None:
    """Return where a user's keys stand: below HKU, or in the file; None where there is neither."""
    for root in (rf"HKU\{sid}", rf"FILE\{profile}\NTUSER.DAT"):
        if any(path.lower().startswith(root.lower() + "\\") for path in state["registry"]):
            return root
    return None


def expand(state: Mapping[str, Any], text: str) -> str:
    """Expand environment strings as Windows does; unknown ones stay."""
    known = {name.lower(): value for name, value in state["environment"].items()}
    return re.sub(r"%([^%]+)%", lambda match: str(known.get(match[1].lower(), match[0])), text)


def guess_proxies(
    registry: Mapping[str, Any], users: Sequence[Mapping[str, Any]], url: str
) -> list[str]:
    """Return the distinct proxies for a URL as windows_host guesses them, from what was read of a PC."""
    keys = {path.lower(): key.get("values", {}) for path, key in registry.items()}
    policy = keys.get(INTERNET_POLICY.lower(), {}).get("ProxySettingsPerUser")
    users = [user for user in users if user["hive"] in ("loaded", "file")]
    users = [user for user in users if user["sid"] != "default"] or users
    users = [user for user in users if user["logged_on"]] or users
    paths = [rf"HKU\{user['sid']}\{INTERNET}" for user in users]
    if policy is not None and policy[1] == 0:
        paths = [MACHINE_INTERNET]
    proxies = []
    for path in paths:
        blob = keys.get(rf"{path}\Connections".lower(), {}).get("DefaultConnectionSettings")
        try:
            flags, proxy, bypass = _settings(base64.b64decode(blob[1])) if blob else (0, "", "")
            if flags & 4:
                continue
            proxies.append(_select(proxy, bypass, url) if flags & 2 else "")
        except (ValueError, struct.error):
            continue
    return list(dict.fromkeys(proxies))


def _settings(raw: bytes) -> tuple[int, str, str]:
    """Return flags, proxies and bypass list of WinINET's blob."""
    (flags,) = struct.unpack_from("<I", raw, 8)
    (length,) = struct.unpack_from("<I", raw, 12)
    proxy = raw[16 : 16 + length].decode("latin-1")
    (more,) = struct.unpack_from("<I", raw, 16 + length)
    return flags, proxy, raw[20 + length : 20 + length + more].decode("latin-1")


def _select(proxy: str, bypass: str, url: str) -> str:
    """Return the proxy for a URL as .NET Framework reads both lists, "" for none.

    Source: .NET reference source, WebProxyDataBuilder and WebProxy.IsBypassed. Semicolons separate,
    and the scheme's own port does not count. Raises ValueError where .NET Framework cannot read the list.
    """
    parts = urlsplit(url)
    if _is_bypassed(parts, bypass):
        return ""
    proxy = proxy.strip()
    if "=" in proxy:
        named = {}
        for entry in filter(None, map(str.strip, proxy.split(";"))):
            scheme, server = re.split(r"\s*=\s*", entry)
            named[scheme.lower()] = server
        proxy = named.get(parts.scheme, "")
    if not proxy:
        return ""
    address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return f"{_bracketed(address.hostname)}:{address.port or 80}"


def _is_bypassed(parts: SplitResult, bypass: str) -> bool:
    host = _bracketed(parts.hostname)
    if host in ("localhost", "127.0.0.1", "[::1]"):
        return True
    default = {"http": 80, "https": 443}[parts.scheme]
    server = f"{parts.scheme}://{host}"
    if parts.port not in (None, default):
        server += f":{parts.port}"
    for entry in filter(None, map(str.strip, bypass.split(";"))):
        if entry.lower() == "<local>":
            if not re.search("[.:]", host):
                return True
            continue
        entry = re.sub(r"\*+", "*", entry)
        match = re.fullmatch(r"(.*://)?([^:]*)(:\d{1,5})?", entry)
        scheme, name, port = match.groups() if match else ("", entry, "")
        pattern = re.escape(scheme) if scheme else "(.*://)?"
        pattern += re.escape(name) + (port or r"(:\d{1,5})?")
        if re.fullmatch(pattern.replace(r"\*", ".*"), server, re.IGNORECASE):
            return True
    return False


def _bracketed(host: str | None) -> str:
    return f"[{host}]" if host and ":" in host else str(host)


def _operate(pc: Pc, steps: list[dict[str, Any]], check: bool) -> list[dict[str, str]]:
    states = [{"state": "not_done", "error": ""} for _step in steps]
    if check:
        return states
    if not steps:
        return states
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = [BEGUN, "REG_SZ", f"{now} {len(steps)}"]
    begin = {"do": "set_registry_values", "path": RECORD, "restrict": RECORD, "values": [record]}
    try:
        _perform(pc.state, begin)
    except OperationError as error:
        states[0] = {"state": "failed", "error": str(error)}
        steps = []
    _perform_all(pc, steps, states)
    if f"remove_registry_value:{BEGUN}" in pc.state["faults"]:
        states[-1]["error"] += f" {RECORD}, {BEGUN} could not be removed"
    else:
        _remove_record(pc.state["registry"])
    return states


def _remove_record(registry: dict[str, Any]) -> None:
    if RECORD not in registry:
        return
    registry[RECORD]["values"].pop(BEGUN, None)
    is_used = any(path.startswith(f"{RECORD}\\") for path in registry)
    if not registry[RECORD]["values"] and not is_used:
        del registry[RECORD]


def _perform_all(pc: Pc, steps: list[dict[str, Any]], states: list[dict[str, str]]) -> None:
    """Perform the steps, and note the state of each."""
    undo: list[tuple[int, str, dict[str, Any]]] = []
    failed: set[str] = set()
    for at, step in enumerate(steps):
        if step.get("unit") in failed:
            continue
        earlier = json.loads(json.dumps(pc.state["registry"]))
        try:
            _perform(pc.state, step)
            states[at]["state"] = "done"
            undo.append((at, step.get("unit", ""), earlier))
        except OperationError as error:
            pc.state["registry"] = earlier
            states[at] = {"state": "failed", "error": str(error)}
            unit = step.get("unit")
            if unit:
                failed.add(unit)
            belonging = [entry for entry in undo if unit and entry[1] == unit]
            if belonging:
                # The steps of a unit follow each other, so the first one's earlier state is the unit's.
                pc.state["registry"] = belonging[0][2]
                for index, _unit, _earlier in belonging:
                    states[index]["state"] = "restored"


def _perform(state: dict[str, Any], step: dict[str, Any]) -> None:
    registry, faults = state["registry"], state["faults"]
    do = step["do"]
    if do == "set_registry_values":
        path = _find_key(state, step["path"])
        for name, *value in step["values"]:
            if not value:
                if path in registry:
                    registry[path]["values"].pop(_find_value(registry[path]["values"], name), None)
                continue
            fault = faults.get(f"set_registry_value:{name}")
            if fault:
                raise OperationError(f"{fault} [IOException]")
            if value[0] not in TYPES:
                raise OperationError(f"{value[0]}: this type is not supported")
            for key in dict.fromkeys((step.get("restrict"), path)):
                if step.get("restrict"):
                    registry.setdefault(key, {"values": {}})["access"] = RESTRICTED
            values = registry.setdefault(path, {"values": {}})["values"]
            values[_find_value(values, name)] = value
    elif do == "set_winhttp_proxy":
        if "netsh" in faults:
            raise OperationError("netsh winhttp failed with exit code 1")
        for view, version in state["netsh"].items():
            key = rf"HKLM\{view}\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
            blob = winhttp_blob(step["server"], step["bypass"], version)
            registry.setdefault(key, {"values": {}})["values"]["WinHttpSettings"] = blob
    elif do == "set_firewall_rule":
        _set_rule(state, step["rule"])
    elif do == "remove_firewall_rule":
        values = registry[RULES]["values"]
        fault = faults.get(f"remove_firewall_rule:{step['id']}")
        if fault:
            raise OperationError(f"Zugriff verweigert [{fault},Remove-NetFirewallRule]")
        values.pop(_find_value(values, step["id"]), None)
    elif do == "allow_multicast_answers":
        key = {"Private": "StandardProfile"}.get(step["profile"], f"{step['profile']}Profile")
        values = registry.setdefault(rf"{POLICY}\{key}", {"values": {}})["values"]
        values["DisableUnicastResponsesToMulticastBroadcast"] = ["REG_DWORD", 0]
    else:
        raise OperationError(f"{do}: there is no such operation")


def _set_rule(state: dict[str, Any], rule: Mapping[str, Any]) -> None:
    fault = state["faults"].get(f"new_firewall_rule:{rule['id']}")
    if fault == "power loss":
        raise PowerLossError
    if fault:
        raise OperationError(f"Zugriff verweigert [{fault},New-NetFirewallRule]")
    version = state["registry"][POLICY]["values"]["PolicyVersion"][1] & 0xFF
    tokens = [
        f"v2.{version}",
        "Action=Allow",
        "Active=TRUE",
        f"Dir={'In' if rule['direction'] == 'Inbound' else 'Out'}",
    ]
    tokens.append(f"Protocol={6 if rule['protocol'] == 'TCP' else 17}")
    tokens += [
        f"Profile={name}" for name in ("Domain", "Private", "Public") if name in rule["profiles"]
    ]
    addresses = rule.get("remote_addresses", [])
    tokens += [f"RA4={address}" for address in addresses if ":" not in address]
    tokens += [f"RA6={address}" for address in addresses if ":" in address or address.isalpha()]
    tokens += [f"App={rule['program']}", f"Name={rule['display_name']}"]
    tokens += [f"Desc={rule['description']}"] if rule["description"] else []
    tokens += [f"EmbedCtxt={rule['group']}"] if rule["group"] else []
    values = state["registry"][RULES]["values"]
    known = _find_value(values, rule["id"])
    values.pop(known, None)
    values.pop(_find_value(values, f"{rule['id']}-new"), None)
    values[rule["id"]] = ["REG_SZ", "|".join([*tokens, ""])]


def _find_value(values: Mapping[str, Any], name: str) -> str:
    return next((known for known in values if known.lower() == name.lower()), name)


def _find_key(state: Mapping[str, Any], path: str) -> str:
    """Return the key as the state spells it; of a user whose hive is not loaded, in the file."""
    parts = path.split("\\", 2)
    if parts[0] == "HKU":
        profile = dict(profiles(state)).get(parts[1])
        root = None if profile is None else hive(state, parts[1], profile)
        if root is None:
            raise OperationError(f"{parts[1]}: there is no such profile")
        path = rf"{root}\{parts[2]}"
    return next((known for known in state["registry"] if known.lower() == path.lower()), path)
