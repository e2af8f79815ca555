# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Questions to windows_host: the request, the PC, and what the answer must hold.

The PowerShell answers each in both dialects; the model too, where it knows that behaviour of Windows.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab import rules
from tests.lab.network import Network
from tests.lab.pc import (
    ACCESS,
    BELOW_C,
    FOLDER,
    INTERNET,
    INTERNET_POLICY,
    MACHINE_INTERNET,
    POLICY,
    PROFILE_LIST,
    PROTECTED,
    RULES,
    USER,
    WINHTTP_KEYS,
    Pc,
    connection_blob,
)

OTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"
THIRD = "S-1-12-1-1234567890-1234567890-1234567890-1234567890"
TEST = r"HKLM\SOFTWARE\Test"
VENDOR_URL = "https://update.knx.org"


@dataclass(frozen=True)
class Answer:
    """What a PC answered: the reply's own fields, the snapshot, and the state that the PC is in afterwards."""

    changed: bool
    operations: list[dict[str, str]]
    snapshot: dict[str, Any]
    state: dict[str, Any]

    def states(self) -> list[str]:
        return [one["state"] for one in self.operations]

    def paths(self, start: str) -> list[str]:
        """Return the keys in the PC's state afterwards whose path begins so."""
        return [path for path in self.state["registry"] if path.startswith(start)]

    def key(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.snapshot["registry"][path]
        return found

    def user(self, sid: str) -> dict[str, Any]:
        return next(user for user in self.snapshot["users"] if user["sid"] == sid)

    def probe(self, name: str) -> dict[str, Any]:
        return next(probe for probe in self.snapshot["probes"] if probe["name"] == name)


@dataclass(frozen=True)
class Question:
    """A request to a PC. pc prepares the PC; check asserts what the answer must hold.

    model: the model knows this behaviour too, and must give the same answer.
    """

    asked: Mapping[str, Any] | Callable[[Network, Mapping[str, str]], Mapping[str, Any]]
    check: Callable[[Answer], None]
    pc: Callable[[Pc], None] = lambda pc: None
    model: bool = True


QUESTIONS: dict[str, Question] = {}


def question(**more: Any) -> Callable[[Callable[[Answer], None]], Callable[[Answer], None]]:
    """Register a check as a question, under the name of its function."""

    def register(check: Callable[[Answer], None]) -> Callable[[Answer], None]:
        QUESTIONS[check.__name__] = Question(check=check, **more)
        return check

    return register


# ----- reading

VALUES: dict[str, list[Any]] = {
    "": ["REG_SZ", "the default value"],
    "Keys": ["REG_SZ", "a name that a dictionary of .NET has, too"],
    "Count": ["REG_DWORD", 0xFFFFFFFF],
    "Größe 😀": ["REG_SZ", 'quotes " and \\ and \t and \u2028'],
    "empty": ["REG_SZ", ""],
    "place": ["REG_EXPAND_SZ", r"%ProgramFiles%\ETS6\ETS6N.exe"],
    "many": ["REG_MULTI_SZ", ["one", "", "three"]],
    "none of many": ["REG_MULTI_SZ", []],
    "long": ["REG_QWORD", 2**64 - 1],
    "bytes": ["REG_BINARY", base64.b64encode(bytes(range(256))).decode()],
    "no bytes": ["REG_BINARY", ""],
    "nothing": ["REG_NONE", base64.b64encode(b"x").decode()],
}


def _many_values(pc: Pc) -> None:
    pc.set(TEST, **VALUES)
    pc.set(rf"{TEST}\below\deep\deeper", level=["REG_DWORD", 3])
    pc.set(rf"{TEST}\empty")
    pc.set(rf"{TEST}\secret", value=["REG_SZ", "x"])
    pc.state["registry"][rf"{TEST}\secret"]["denied"] = True
    # The sorting weights of some systems make these two the same.
    pc.set(TEST, **{"ﬁle": ["REG_DWORD", 1], "file": ["REG_DWORD", 2]})


@question(
    pc=_many_values,
    asked={
        "registry": [
            {"path": TEST, "depth": 2},
            {"path": r"HKLM\SOFTWARE\NotThere", "depth": 3},
            {"path": r"HKXX\nothing"},
            {"path": r"HKU\S-1-5-21-9-9-9-9\Software"},
        ]
    },
)
def values_of_every_type_and_keys_in_every_state(answer: Answer) -> None:
    read = answer.key(TEST)
    assert {name: read["values"].get(name) for name in VALUES} == VALUES
    assert read["values"]["ﬁle"] != read["values"]["file"]
    assert answer.key(rf"{TEST}\secret") == {
        "state": "unreadable",
        "error": "Requested registry access is not allowed.",
    }
    assert answer.key(rf"{TEST}\empty") == {"state": "present", "values": {}, "keys": []}
    assert answer.key(r"HKLM\SOFTWARE\NotThere") == {"state": "missing"}
    assert (
        answer.key(r"HKXX\nothing")["error"]
        == r"HKXX\nothing: the path must begin with HKLM or HKU"
    )
    assert (
        answer.key(r"HKU\S-1-5-21-9-9-9-9\Software")["error"]
        == "S-1-5-21-9-9-9-9: there is no such profile"
    )
    assert rf"{TEST}\below\deep" in answer.snapshot["registry"]
    assert rf"{TEST}\below\deep\deeper" not in answer.snapshot["registry"]
    assert answer.state["registry"][TEST]["values"]["Count"] == ["REG_DWORD", 0xFFFFFFFF]


def _odd_values(pc: Pc) -> None:
    pc.set(
        TEST,
        long=["REG_DWORD", base64.b64encode(b"\x01\x02\x03\x04\x05").decode()],
        link=["REG_LINK", base64.b64encode(b"x").decode()],
    )


@question(
    pc=_odd_values,
    asked={"registry": [{"path": TEST}, {"path": "HKU"}, {"path": "HKLM", "depth": 0}]},
    model=False,
)
def values_that_do_not_fit_their_type(answer: Answer) -> None:
    """.NET gives a REG_DWORD that is too long as bytes, and a value of an unknown type as nothing."""
    assert answer.key(TEST)["values"] == {
        "long": ["REG_UNKNOWN", "AQIDBAU="],
        "link": ["REG_UNKNOWN", ""],
    }
    assert USER in answer.key("HKU")["keys"]
    assert "SOFTWARE" in answer.key("HKLM")["keys"]


def _files(pc: Pc) -> None:
    pc.state["files"][r"D:\ETS6\ETS6N.exe"] = {"version": "6.2.0.0", "size": 7}
    pc.set(
        TEST,
        rule=["REG_SZ", rf"v2.30|Action=Block|App={FOLDER}\ets6n.EXE|Name=x|"],
        command=["REG_EXPAND_SZ", r'"%ProgramFiles%\Old\ETS6N.exe" /start'],
        far=["REG_SZ", r"App=\\server\share\ETS6N.exe|"],
        no_text=["REG_DWORD", 1],
    )


@question(
    pc=_files,
    asked={
        "registry": [{"path": TEST}, {"path": r"HKLM\SOFTWARE\NotThere"}],
        "files": [rf"%ProgramFiles(x86)%\ETS6\{name}" for name in ("ETS6N.exe", "ETS6C.exe")]
        + [r"*:\ETS6\ETS6N.exe", r"Z:\ETS6N.exe"],
        "named_files": ["ETS6N.exe"],
    },
)
def files_asked_for_and_files_that_values_name(answer: Answer) -> None:
    files = {file["path"]: (file["state"], file["version"]) for file in answer.snapshot["files"]}
    assert files == {
        rf"{FOLDER}\ETS6N.exe": ("present", "6.3.1.0"),
        rf"{FOLDER}\ETS6C.exe": ("present", "6.3.1.0"),
        r"C:\ETS6\ETS6N.exe": ("missing", ""),
        r"D:\ETS6\ETS6N.exe": ("present", "6.2.0.0"),
        r"Z:\ETS6N.exe": ("missing", ""),
        r"C:\Program Files\Old\ETS6N.exe": ("missing", ""),
    }


def _odd_files(pc: Pc) -> None:
    pc.state["files"][r"C:\denied\ETS6N.exe"] = {"denied": True}
    pc.state["files"][r"C:\folder\ETS6N.exe"] = {"folder": True}


@question(
    pc=_odd_files, asked={"files": [r"C:\denied\ETS6N.exe", r"C:\folder\ETS6N.exe"]}, model=False
)
def a_file_that_cannot_be_read_and_a_folder_of_its_name(answer: Answer) -> None:
    denied, folder = answer.snapshot["files"]
    assert (denied["state"], folder["state"]) == ("unreadable", "missing")
    assert "verweigert" in denied["error"]


TOOLS = r"C:\Tools\ETS6\ETS6N.exe"
EVIL = r"C:\evil\ETS6N.exe"


def _files_of_rules(pc: Pc) -> None:
    for number, path in enumerate((TOOLS, EVIL, r"D:\gone\ETS6N.exe", rf"{FOLDER}\ETS6N.exe")):
        pc.set(TEST, **{str(number): ["REG_SZ", f"v2.30|Action=Block|App={path}|Name=x|"]})
        if "gone" not in path:
            pc.state["files"][path] = {"version": "6.3.1.0", "size": 7}
    pc.protect(TOOLS)
    pc.state["access"][r"C:\evil"] = BELOW_C


@question(
    pc=_files_of_rules,
    asked={
        "registry": [{"path": TEST}],
        "files": [r"%ProgramFiles(x86)%\ETS6\ETS6N.exe"],
        "named_files": ["ETS6N.exe"],
    },
)
def who_may_write_to_files_that_only_values_name(answer: Answer) -> None:
    access = answer.snapshot["access"]
    folder = {"sddl": PROTECTED, "attributes": 144}
    assert access == {
        "C:\\": {"sddl": ACCESS["C:\\"], "attributes": 144},
        r"C:\Tools": folder,
        r"C:\Tools\ETS6": folder,
        TOOLS: {"sddl": PROTECTED, "attributes": 128},
        r"C:\evil": {"sddl": BELOW_C, "attributes": 144},
        EVIL: {"error": access[EVIL]["error"]},
    }


def _files_of_users(pc: Pc) -> None:
    named = r"|C:\Program Files\x/../../Users/knx\ETS6N.exe|C:\evil\ETS6N.exe"
    pc.user_proxy(3, "proxy:8080", "<local>")
    pc.set(rf"HKU\{USER}\{INTERNET}", ProxyOverride=["REG_SZ", named])


@question(
    pc=_files_of_users,
    asked={"user_registry": [{"path": INTERNET}], "named_files": ["ETS6N.exe"]},
)
def no_file_is_looked_for_because_a_user_names_it(answer: Answer) -> None:
    assert "evil" in str(answer.snapshot["registry"])
    assert answer.snapshot["files"] == []


def _many_files_of_rules(pc: Pc) -> None:
    for number in range(40):
        path = rf"C:\Users\{number}" + r"\x" * 30 + r"\ETS6N.exe"
        pc.set(TEST, **{str(number): ["REG_SZ", f"App={path}|"]})
        pc.state["files"][path] = {"version": "6.3.1.0", "size": 7}


@question(
    pc=_many_files_of_rules,
    asked={"registry": [{"path": TEST}], "named_files": ["ETS6N.exe"]},
    model=False,
)
def access_is_reported_of_a_thousand_files_and_folders(answer: Answer) -> None:
    assert len(answer.snapshot["files"]) == 40
    assert len(answer.snapshot["access"]) == 1000


def _link_in_a_path(where: str) -> Callable[[Pc], None]:
    def build(pc: Pc) -> None:
        _files_of_rules(pc)
        pc.state["faults"][f"link:{where}"] = "a link"

    return build


def _is_not_followed(answer: Answer, link: str) -> None:
    """A link could lead to a pipe, which never answers."""
    files = {file["path"]: file for file in answer.snapshot["files"]}
    assert files[EVIL]["state"] == "unreadable"
    assert files[EVIL]["error"] == f"{link} is a link"
    assert files[TOOLS]["state"] == "present"


@question(
    pc=_link_in_a_path(r"C:\evil"),
    asked={"registry": [{"path": TEST}], "named_files": ["ETS6N.exe"]},
    model=False,
)
def a_link_above_a_file_that_a_rule_names_is_not_followed(answer: Answer) -> None:
    _is_not_followed(answer, r"C:\evil")
    assert answer.snapshot["access"][r"C:\evil"] == {"sddl": BELOW_C, "attributes": 0x410}


@question(
    pc=_link_in_a_path(EVIL),
    asked={"registry": [{"path": TEST}], "named_files": ["ETS6N.exe"]},
    model=False,
)
def a_link_that_a_rule_names_is_not_followed(answer: Answer) -> None:
    _is_not_followed(answer, EVIL)


@question(
    pc=_link_in_a_path(r"C:\evil"),
    asked={"files": [EVIL]},
    model=False,
)
def a_link_in_a_requested_path_is_the_administrators(answer: Answer) -> None:
    assert [file["state"] for file in answer.snapshot["files"]] == ["present"]


# ----- users


def _users(pc: Pc) -> None:
    pc.set(
        rf"{PROFILE_LIST}\{OTHER}", ProfileImagePath=["REG_EXPAND_SZ", r"%SystemDrive%\Users\other"]
    )
    pc.set(rf"FILE\C:\Users\other\NTUSER.DAT\{INTERNET}", ProxyEnable=["REG_DWORD", 1])
    pc.set(rf"{PROFILE_LIST}\{THIRD}", ProfileImagePath=["REG_SZ", r"C:\Users\gone"])
    pc.set(r"HKU\.DEFAULT\Software", x=["REG_DWORD", 1])
    pc.set(r"HKU\S-1-5-18\Software", x=["REG_DWORD", 1])


@question(pc=_users, asked={"user_registry": [{"path": INTERNET, "depth": 1}]})
def every_user_who_could_run_ets6(answer: Answer) -> None:
    hives = {
        user["sid"]: (user["name"], user["hive"], user["logged_on"])
        for user in answer.snapshot["users"]
    }
    assert hives == {
        USER: ("knx", "loaded", True),
        OTHER: ("other", "file", False),
        THIRD: ("gone", "missing", False),
        "default": ("", "file", False),
    }
    assert answer.key(rf"HKU\{OTHER}\{INTERNET}")["values"] == {"ProxyEnable": ["REG_DWORD", 1]}
    assert answer.paths(r"HKU\ETS6-") == []


def _kiosk(pc: Pc) -> None:
    pc.state["users"][0]["shell"] = "kiosk.exe"


@question(pc=_kiosk, asked={"user_registry": [{"path": INTERNET}]})
def a_user_without_explorer_is_logged_on(answer: Answer) -> None:
    assert answer.user(USER)["logged_on"]


def _addresses(pc: Pc) -> None:
    pc.state["addresses"] = ["192.0.2.7", "10.1.2.3", "2001:db8::7"]


@question(pc=_addresses, asked={})
def the_pcs_own_addresses_are_read(answer: Answer) -> None:
    assert answer.snapshot["addresses"] == ["192.0.2.7", "10.1.2.3", "2001:db8::7"]


def _program_heads(pc: Pc) -> None:
    pc.state["files"][r"C:\other\ETS6N.exe"] = {"version": "6.3.1.0", "size": 2, "head": "TVo="}


@question(
    pc=_program_heads,
    asked={"files": [r"C:\other\ETS6N.exe", r"%ProgramFiles(x86)%\ETS6\ETS6N.exe"]},
)
def the_first_bytes_of_a_program_are_read(answer: Answer) -> None:
    first, second = answer.snapshot["files"]
    # The second one is in use.
    assert (first["head"], second["head"], second["state"]) == ("TVo=", "", "present")


def _left_over(pc: Pc) -> None:
    _users(pc)
    # Process 1 runs, and is no PowerShell; 999999 does not run.
    for name, folder in (
        ("ETS6-1-S-1-5-21-1-1-1-1", "first"),
        ("ETS6-999999-S-1-5-21-1-1-1-2", "second"),
    ):
        pc.set(rf"HKU\{name}\Software", x=["REG_DWORD", 1])
        pc.state.setdefault("mounts", {})[rf"HKU\{name}"] = rf"FILE\C:\Users\{folder}\NTUSER.DAT"


@question(pc=_left_over, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def hives_that_a_killed_run_left_loaded_are_unloaded(answer: Answer) -> None:
    assert not answer.state["mounts"]
    assert r"FILE\C:\Users\second\NTUSER.DAT\Software" in answer.state["registry"]


def _stuck(pc: Pc) -> None:
    _users(pc)
    pc.state["faults"]["reg_unload"] = "Zugriff verweigert"


@question(pc=_stuck, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def a_hive_that_is_still_loaded_is_reported(answer: Answer) -> None:
    assert (
        "is still loaded, since reg unload failed with exit code 1. Its user cannot log on"
        in answer.user(OTHER)["error"]
    )


@question(
    pc=_stuck,
    asked={
        "operations": [
            {
                "do": "set_registry_values",
                "path": r"HKU\default\Software",
                "values": [["x", "REG_SZ", "y"]],
            }
        ]
    },
    model=False,
)
def a_hive_that_is_still_loaded_after_a_change_is_reported(answer: Answer) -> None:
    assert answer.states() == ["done"]
    assert "is still loaded" in answer.snapshot["errors"]["hives"]


def _refused_hive(pc: Pc) -> None:
    _users(pc)
    pc.state["faults"]["reg_load"] = "Zugriff verweigert"


@question(pc=_refused_hive, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def a_hive_that_cannot_be_loaded_is_reported(answer: Answer) -> None:
    other = answer.user(OTHER)
    assert (other["hive"], other["error"]) == (
        "unavailable",
        r"reg load of C:\Users\other\NTUSER.DAT failed with exit code 1",
    )


def _link_to_a_hive(pc: Pc) -> None:
    _users(pc)
    pc.state["faults"][r"link:C:\Users\other\NTUSER.DAT"] = "a link"


@question(pc=_link_to_a_hive, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def a_link_in_place_of_a_hive_is_not_followed(answer: Answer) -> None:
    other = answer.user(OTHER)
    assert (other["hive"], other["error"]) == (
        "unavailable",
        r"C:\Users\other\NTUSER.DAT is a link",
    )


def _link_to_a_profile(pc: Pc) -> None:
    _users(pc)
    pc.state["faults"][r"link:C:\Users\other"] = "a link"


@question(pc=_link_to_a_profile, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def a_link_in_place_of_a_profile_is_not_followed(answer: Answer) -> None:
    other = answer.user(OTHER)
    assert (other["hive"], other["error"]) == ("unavailable", r"C:\Users\other is a link")


def _large_hive(pc: Pc) -> None:
    _users(pc)
    pc.state["hive_sizes"] = {r"C:\Users\other\NTUSER.DAT": 256 * 1024 * 1024 + 1}


@question(pc=_large_hive, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def a_large_hive_is_not_loaded(answer: Answer) -> None:
    other = answer.user(OTHER)
    assert (other["hive"], other["error"]) == (
        "unavailable",
        r"C:\Users\other\NTUSER.DAT is larger than 256 MB",
    )
    assert answer.user("default")["hive"] == "file"


def _many_users(pc: Pc) -> None:
    for number in range(201):
        sid = f"S-1-5-21-1-2-3-{2000 + number}"
        pc.set(rf"{PROFILE_LIST}\{sid}", ProfileImagePath=["REG_SZ", rf"C:\Users\{number}"])
        pc.set(rf"FILE\C:\Users\{number}\NTUSER.DAT\Environment", TEMP=["REG_SZ", "x"])
    # To load so many here takes a while.
    pc.state["faults"]["reg_load"] = "Zugriff verweigert"


@question(
    pc=_many_users, asked={"user_registry": [{"path": "Environment", "depth": 0}]}, model=False
)
def the_hives_of_two_hundred_users_are_loaded(answer: Answer) -> None:
    errors = [user["error"] for user in answer.snapshot["users"] if user["hive"] == "unavailable"]
    assert len(errors) == 202
    assert {"reg load of" in error for error in errors[:200]} == {True}
    assert set(errors[200:]) == {"no more than 200 hives are loaded"}
    assert answer.user("default")["error"] == errors[-1]
    assert r"HKU\default\Environment" not in answer.snapshot["registry"]


def _reg_does_not_start(pc: Pc) -> None:
    _users(pc)
    pc.state["faults"]["start:reg.exe"] = "AppLocker"


@question(pc=_reg_does_not_start, asked={"user_registry": [{"path": INTERNET}]}, model=False)
def a_program_that_is_not_started_has_failed(answer: Answer) -> None:
    other = answer.user(OTHER)
    assert other["hive"] == "unavailable"
    assert "NTUSER.DAT failed with exit code none: AppLocker" in other["error"]


def _environment_of_users(pc: Pc) -> None:
    pc.set(
        rf"HKU\{USER}\Environment",
        https_Proxy=["REG_SZ", "http://proxy:8080"],
        API_KEY=["REG_SZ", "a secret"],
        **{"N" * 300: ["REG_SZ", "x"]},
    )
    pc.set(TEST, a=["REG_SZ", "x"], b=["REG_SZ", "y"])


@question(
    pc=_environment_of_users,
    asked={
        "registry": [{"path": TEST, "values": ["B"]}],
        "user_registry": [{"path": "Environment", "values": ["HTTPS_PROXY", "NO_PROXY"]}],
    },
)
def only_the_named_values_of_a_key_are_read(answer: Answer) -> None:
    assert list(answer.key(TEST)["values"]) == ["b"]
    values = answer.key(rf"HKU\{USER}\Environment")["values"]
    assert values == {"https_Proxy": ["REG_SZ", "http://proxy:8080"]}
    assert "a secret" not in str(answer.snapshot)


def _full_keys(pc: Pc) -> None:
    pc.user_proxy(3, "p" * 64 * 1024)
    key = pc.state["registry"][rf"HKU\{USER}\{INTERNET}"]["values"]
    key["v" * 16383] = ["REG_SZ", "x" * 100_000]
    key["many"] = ["REG_MULTI_SZ", ["y" * 1000] * 100]
    pc.set(rf"HKU\{USER}\Full", **{f"v{number}": ["REG_SZ", ""] for number in range(8200)})
    pc.set(rf"HKU\{USER}\Long", one=["REG_SZ", "x" * 600_000], two=["REG_SZ", "x"])
    for number in range(2100):
        pc.set(rf"HKU\{USER}\Wide\{number}")
    pc.set(TEST, long=["REG_SZ", "x" * 600_000])


@question(
    pc=_full_keys,
    asked={
        "registry": [{"path": TEST}],
        "user_registry": [{"path": path} for path in (INTERNET, "Full", "Long", "Wide")],
    },
    model=False,
)
def what_a_user_fills_a_key_with_costs_this_key(answer: Answer) -> None:
    states = {path: key["state"] for path, key in answer.snapshot["registry"].items()}
    user = rf"HKU\{USER}"
    assert states[rf"{user}\{INTERNET}"] == "present"
    for name in ("Full", "Long", "Wide"):
        assert states[rf"{user}\{name}"] == "unreadable"
        assert answer.key(rf"{user}\{name}")["error"] == "the key holds too much"
    assert states[TEST] == "present"


def _unreadable_profile(pc: Pc) -> None:
    _users(pc)
    pc.state["registry"][rf"{PROFILE_LIST}\{OTHER}"]["denied"] = True
    pc.state["faults"][f"owner:{USER}"] = "ended"


@question(
    pc=_unreadable_profile,
    asked={"user_registry": [{"path": INTERNET}], "registry": [{"path": rf"HKU\{OTHER}\x"}]},
    model=False,
)
def a_profile_whose_folder_cannot_be_read_is_reported(answer: Answer) -> None:
    other = answer.user(OTHER)
    wanted = f"{OTHER}: the path of the profile cannot be read"
    assert (
        other["error"],
        answer.key(rf"HKU\{OTHER}\x")["error"],
        answer.user(USER)["logged_on"],
    ) == (wanted, wanted, False)


def _vanishing(pc: Pc) -> None:
    pc.state["registry"][rf"HKU\{OTHER}"] = {"values": {}, "gone": True}


@question(pc=_vanishing, asked={"registry": [{"path": rf"HKU\{OTHER}\Software"}]}, model=False)
def keys_of_a_hive_that_is_unloaded_meanwhile_are_unreadable(answer: Answer) -> None:
    assert (
        answer.key(rf"HKU\{OTHER}\Software")["error"] == f"the hive of {OTHER} is no longer loaded"
    )


# ----- the PC itself


def _bare(pc: Pc) -> None:
    pc.state["network"] = None
    pc.state["services"] = {}
    pc.state["firewall_products"] = None
    pc.state["registered_firewalls"] = None
    pc.state["faults"]["networks"] = "HRESULT 0x80070005"
    pc.state["environment"] |= {
        "HTTPS_PROXY": "http://user:secret@proxy:8080",
        "PRIVATE": "a secret",
    }
    pc.state["faults"]["cim:Win32_LogicalDisk"] = "broken"
    pc.state["registry"][r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"]["values"].clear()
    pc.state["registry"][PROFILE_LIST]["denied"] = True


@question(pc=_bare, asked={"files": [r"*:\ETS6N.exe"]}, model=False)
def what_cannot_be_read_is_null_with_the_reason(answer: Answer) -> None:
    found = answer.snapshot
    assert (found["network"], found["users"], found["files"], found["services"]) == (
        None,
        None,
        [],
        {},
    )
    assert found["errors"].keys() == {
        "network",
        "users",
        "files",
        "registered_firewalls",
        "networks",
        "firewall_service",
    }
    assert found["firewall_products"] == []
    assert found["environment"]["HTTPS_PROXY"] == "set"
    assert "PRIVATE" not in found["environment"]
    assert found["host"]["os"] == "10.0."


def _products(pc: Pc) -> None:
    pc.state["network"] = ["domain", "public"]
    pc.state["services"] = {"MpsSvc": "Stopped", "BFE": "Running"}
    pc.state["firewall_products"] = [
        {"name": "Other Firewall", "product_state": 0x51000},
        {"name": "Switched off", "product_state": 0x50000},
        {"name": "Unknown", "product_state": 0x52000},
    ]
    pc.state["registered_firewalls"] = [{"name": "Other Firewall", "categories": [0, 2]}]
    pc.state["networks"] = [
        {"interface": "Ethernet", "index": 5, "name": "lab.example", "category": "domain"},
        {
            "interface": "Ethernet 2",
            "index": 9,
            "name": "Nicht identifiziert",
            "category": "public",
        },
    ]
    pc.state["service_rules"] = 3
    pc.state["modify_state"] = 1


@question(pc=_products, asked={})
def profiles_services_and_other_firewalls(answer: Answer) -> None:
    found = answer.snapshot
    assert found["network"] == ["domain", "public"]
    assert found["services"] == {"MpsSvc": "Stopped", "BFE": "Running"}
    assert [product["enabled"] for product in found["firewall_products"]] == [True, False, None]
    assert found["registered_firewalls"] == [{"name": "Other Firewall", "categories": [0, 2]}]
    assert [network["category"] for network in found["networks"]] == ["domain", "public"]
    assert found["networks"][1]["name"] == "Nicht identifiziert"
    values = len(answer.state["registry"][RULES]["values"])
    assert found["firewall_service"] == {"rules": 3, "values": values, "modify_state": 1}


SANDBOX = "S-1-5-21-7-7-7-1005"
FOR_SANDBOX = (
    f"v2.33|Action=Block|Active=TRUE|Dir=Out|Name=Sandbox|LUAuth=O:LSD:(A;;CC;;;{SANDBOX})|"
)


def _rule_for_an_account(pc: Pc) -> None:
    pc.rule(("{5E3C}", FOR_SANDBOX))
    pc.state["accounts"].append({"sid": SANDBOX, "name": "Sandbox", "type": 1})


@question(pc=_rule_for_an_account, asked={"registry": [{"path": RULES, "depth": 0}]})
def accounts_of_the_pc_where_a_rule_is_for_one(answer: Answer) -> None:
    accounts = {account["name"]: account["group"] for account in answer.snapshot["local_accounts"]}
    assert accounts == {"knx": False, "Administratoren": True, "Sandbox": False}


@question(asked={"registry": [{"path": RULES, "depth": 0}]})
def no_accounts_where_no_rule_is_for_one(answer: Answer) -> None:
    assert answer.snapshot["local_accounts"] == []


def _accounts_fail(pc: Pc) -> None:
    _rule_for_an_account(pc)
    pc.state["faults"]["cim:Win32_Account"] = "HRESULT 0x800706ba"


@question(pc=_accounts_fail, asked={"registry": [{"path": RULES, "depth": 0}]})
def accounts_that_cannot_be_read(answer: Answer) -> None:
    assert answer.snapshot["local_accounts"] is None
    assert "local_accounts" in answer.snapshot["errors"]


def _no_security_center(pc: Pc) -> None:
    pc.state["faults"]["cim:FirewallProduct"] = "HRESULT 0x80070005"


@question(pc=_no_security_center, asked={}, model=False)
def a_security_center_that_refuses_is_an_error(answer: Answer) -> None:
    assert answer.snapshot["firewall_products"] is None
    assert answer.snapshot["errors"]["firewall_products"]


# ----- operations


def value(path: str, name: str, kind: str = "", data: Any = None, unit: str = "") -> dict[str, Any]:
    return {
        "do": "set_registry_values",
        "path": path,
        "values": [[name, kind, data] if kind else [name]],
        "unit": unit,
    }


def rule(number: int = 1, **changes: Any) -> dict[str, Any]:
    wanted = {
        "id": f"ets6.network-{number}",
        "display_name": "ETS6N (TCP-In)",
        "description": "made by a test",
        "group": "ets6.network",
        "program": rf"{FOLDER}\ETS6N.exe",
        "direction": "Inbound",
        "protocol": "TCP",
        "profiles": ["Private", "Domain"],
    }
    return {"do": "set_firewall_rule", "rule": wanted | changes}


def _every_user(pc: Pc) -> None:
    _users(pc)
    pc.set(TEST, Old=["REG_SZ", "goes"], same=["REG_DWORD", 1])


@question(
    pc=_every_user,
    asked={
        "operations": [
            *(
                value(TEST + r"\new\newer", name, *wire)
                for name, wire in VALUES.items()
                if wire[1] not in ("", [])
            ),
            value(TEST, "OLD"),
            value(TEST, "not there"),
            value(TEST + r"\not there", "x"),
            value(rf"HKU\{USER}\{INTERNET}", "ProxyEnable", "REG_DWORD", 0),
            value(rf"HKU\{OTHER}\{INTERNET}", "ProxyEnable", "REG_DWORD", 0),
            value(
                rf"HKU\default\{INTERNET}\Connections", "SavedLegacySettings", *connection_blob(1)
            ),
        ],
        "registry": [{"path": TEST, "depth": 2}],
        "user_registry": [{"path": INTERNET, "depth": 1}],
    },
)
def values_are_written_and_removed_for_every_user_and_read_back(answer: Answer) -> None:
    written = answer.key(TEST + r"\new\newer")["values"]
    assert set(answer.states()) == {"done"}
    assert answer.changed
    assert written == {name: value for name, value in VALUES.items() if value[1] not in ("", [])}
    assert answer.key(TEST)["values"].keys() == {"same"}
    assert TEST + r"\not there" not in answer.state["registry"]
    assert answer.key(rf"HKU\{OTHER}\{INTERNET}")["values"]["ProxyEnable"] == ["REG_DWORD", 0]
    assert rf"FILE\C:\Users\Default\NTUSER.DAT\{INTERNET}\Connections" in answer.state["registry"]


@question(
    pc=_every_user, asked={"_ansible_check_mode": True, "operations": [value(TEST, "Old"), rule()]}
)
def check_mode_carries_nothing_out(answer: Answer) -> None:
    assert answer.states() == ["not_done", "not_done"]
    assert not answer.changed
    assert "Old" in answer.state["registry"][TEST]["values"]


def _fails_in_a_unit(pc: Pc) -> None:
    _every_user(pc)
    pc.state["faults"]["set_registry_value:broken"] = "Zugriff verweigert"


@question(
    pc=_fails_in_a_unit,
    asked={
        "operations": [
            value(TEST, "kept", "REG_SZ", "x", unit="first"),
            value(TEST, "Old", unit="second"),
            value(TEST, "same", "REG_SZ", "other", unit="second"),
            value(TEST + r"\made\for it", "x", "REG_SZ", "y", unit="second"),
            value(TEST, "broken", "REG_SZ", "x", unit="second"),
            value(TEST, "never", "REG_SZ", "x", unit="second"),
            value(TEST, "later", "REG_SZ", "x"),
        ]
    },
)
def a_unit_is_restored_as_a_whole_after_a_failure(answer: Answer) -> None:
    states = ["done", "restored", "restored", "restored", "failed", "not_done", "done"]
    assert answer.states() == states
    assert answer.state["registry"][TEST]["values"] == {
        "Old": ["REG_SZ", "goes"],
        "same": ["REG_DWORD", 1],
        "kept": ["REG_SZ", "x"],
        "later": ["REG_SZ", "x"],
    }
    assert answer.paths(TEST + r"\made") == []
    assert answer.operations[4]["error"].startswith("Zugriff verweigert")


@question(
    pc=_fails_in_a_unit,
    asked={
        "operations": [
            {
                "do": "set_registry_values",
                "path": TEST,
                "values": [
                    ["Old"],
                    ["same", "REG_SZ", "other"],
                    ["broken", "REG_SZ", "x"],
                    ["new", "REG_SZ", "x"],
                ],
            }
        ]
    },
)
def of_one_key_all_values_are_written_or_none(answer: Answer) -> None:
    assert answer.states() == ["failed"]
    assert answer.state["registry"][TEST]["values"] == {
        "Old": ["REG_SZ", "goes"],
        "same": ["REG_DWORD", 1],
    }
    assert not answer.changed


RECORD = r"HKLM\SOFTWARE\ets6.network changes"
"""Where windows_host writes that it began to change something, until it has ended."""


def _was_interrupted(pc: Pc) -> None:
    _every_user(pc)
    pc.set(RECORD, Begun=["REG_SZ", "2026-11-27T08:00:00Z 3"])


@question(
    pc=_was_interrupted,
    asked={"registry": [{"path": RECORD}], "operations": [value(TEST, "later", "REG_SZ", "x")]},
)
def no_record_is_left_of_changes_that_came_to_their_end(answer: Answer) -> None:
    assert answer.states() == ["done"]
    assert answer.key(RECORD)["state"] == "missing"
    assert answer.paths(RECORD) == []


def _takes_no_record(pc: Pc) -> None:
    _every_user(pc)
    pc.state["faults"]["set_registry_value:Begun"] = "Zugriff verweigert"


@question(
    pc=_takes_no_record,
    asked={"operations": [value(TEST, "later", "REG_SZ", "x"), value(TEST, "Old")]},
)
def without_a_record_nothing_is_begun(answer: Answer) -> None:
    assert answer.states() == ["failed", "not_done"]
    assert "Zugriff verweigert" in answer.operations[0]["error"]
    assert "Old" in answer.state["registry"][TEST]["values"]
    assert not answer.changed


def _keeps_the_record(pc: Pc) -> None:
    _every_user(pc)
    pc.state["faults"]["remove_registry_value:Begun"] = "noch in Benutzung"


@question(
    pc=_keeps_the_record,
    asked={"operations": [value(TEST, "later", "REG_SZ", "x"), value(TEST, "Old")]},
)
def a_record_that_cannot_be_removed_is_said(answer: Answer) -> None:
    assert answer.states() == ["done", "done"]
    assert rf"{RECORD}, Begun could not be removed" in answer.operations[-1]["error"]
    assert answer.state["registry"][RECORD]["values"]["Begun"][1].endswith(" 2")


def _logs_the_record(pc: Pc) -> None:
    pc.state["log"] = []


@question(
    pc=_logs_the_record, asked={"operations": [value(TEST, "later", "REG_SZ", "x")]}, model=False
)
def the_record_is_only_for_the_system_and_administrators(answer: Answer) -> None:
    assert [line for line in answer.state["log"] if RECORD in line] == [
        f"create {RECORD}",
        f"access {RECORD}",
        f"access {RECORD}",
        f"value {RECORD} Begun",
    ]


def _netsh_does_not_start(pc: Pc) -> None:
    pc.state["faults"]["start:netsh.exe"] = "Der Dateiname oder die Erweiterung ist zu lang"


@question(
    pc=_netsh_does_not_start,
    asked={
        "operations": [
            {"do": "set_winhttp_proxy", "server": "p" * 64 * 1024, "bypass": "", "unit": "x"},
            value(TEST, "later", "REG_SZ", "x"),
        ]
    },
    model=False,
)
def a_proxy_that_is_too_long_for_netsh_costs_only_itself(answer: Answer) -> None:
    assert answer.states() == ["failed", "done"]
    assert "exit code none: Der Dateiname" in answer.operations[0]["error"]


RECORDS = r"HKLM\SOFTWARE\ets6.network\Proxy"
RESTRICTED = {
    **value(RECORDS, "winhttp", "REG_SZ", "secret"),
    "restrict": r"HKLM\SOFTWARE\ets6.network",
}


def _log(answer: Answer) -> list[str]:
    """Return what was done to keys, but for the record of it."""
    return [line for line in answer.state["log"] if RECORD not in line]


def _logged(pc: Pc) -> None:
    pc.state["log"] = []


@question(asked={"operations": [RESTRICTED, RESTRICTED]})
def a_restricted_key_is_only_for_the_system_and_administrators(answer: Answer) -> None:
    assert answer.states() == ["done", "done"]
    for path in (RESTRICTED["restrict"], RECORDS):
        key = answer.state["registry"][path]
        assert key["access"] == "D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)"
    assert key["values"] == {"winhttp": ["REG_SZ", "secret"]}


@question(pc=_logged, asked={"operations": [RESTRICTED]}, model=False)
def a_restricted_key_is_never_open_to_others(answer: Answer) -> None:
    above = RESTRICTED["restrict"]
    assert _log(answer) == [
        f"create {above}",
        f"access {above}",
        f"create {RECORDS}",
        f"access {RECORDS}",
        f"value {RECORDS} winhttp",
    ]


def _open_to_everybody(pc: Pc) -> None:
    pc.set(RECORDS, machine=["REG_SZ", "old"])
    _logged(pc)


@question(pc=_open_to_everybody, asked={"operations": [RESTRICTED]}, model=False)
def a_key_that_is_there_is_restricted_before_anything_is_written(answer: Answer) -> None:
    above = RESTRICTED["restrict"]
    assert _log(answer) == [
        f"access {above}",
        f"access {RECORDS}",
        f"value {RECORDS} winhttp",
    ]


def _no_access_control(pc: Pc) -> None:
    pc.state["faults"] = {"set_access": "Zugriff verweigert"}
    _logged(pc)


@question(pc=_no_access_control, asked={"operations": [RESTRICTED]}, model=False)
def what_cannot_be_restricted_is_not_written(answer: Answer) -> None:
    assert answer.states() == ["failed"]
    assert "Zugriff verweigert" in answer.operations[0]["error"]
    assert not any(line.startswith("value") for line in _log(answer))
    assert answer.paths(r"HKLM\SOFTWARE\ets6.network") == []


def _cannot_go_back(pc: Pc) -> None:
    _fails_in_a_unit(pc)
    pc.state["faults"]["remove_registry_value:fresh"] = "noch in Benutzung"


@question(
    pc=_cannot_go_back,
    asked={
        "operations": [
            value(TEST, "fresh", "REG_SZ", "x", unit="one"),
            value(TEST + r"\made", "broken", "REG_SZ", "x", unit="one"),
        ]
    },
    model=False,
)
def what_cannot_be_restored_is_reported(answer: Answer) -> None:
    wanted = rf"{TEST}, fresh could not be restored: noch in Benutzung"
    assert answer.states() == ["done", "failed"]
    assert wanted in answer.operations[0]["error"]
    assert TEST + r"\made" not in answer.state["registry"]


def _twice_and_stuck(pc: Pc) -> None:
    pc.set(TEST, x=["REG_SZ", "old"])
    pc.state["faults"]["set_registry_value:broken"] = "Zugriff verweigert"
    pc.state["faults"]["netsh"] = r"SOFTWARE\WOW6432Node"
    pc.state["registry"][WINHTTP_KEYS[0]]["values"].clear()
    pc.state["faults"]["remove_registry_value:WinHttpSettings"] = "noch in Benutzung"


@question(
    pc=_twice_and_stuck,
    asked={
        "operations": [
            {
                "do": "set_winhttp_proxy",
                "server": "proxy:8080",
                "bypass": "<local>;*.example",
                "unit": "x",
            }
        ]
    },
    model=False,
)
def a_half_written_winhttp_proxy_that_stays_is_reported(answer: Answer) -> None:
    assert answer.states() == ["failed"]
    assert "WinHttpSettings could not be restored" in answer.operations[0]["error"]


@question(
    asked={
        "operations": [
            {"do": "set_winhttp_proxy", "server": "proxy:8080", "bypass": "<local>;*.example"},
            {"do": "set_winhttp_proxy", "server": "other:8080", "bypass": ""},
        ],
        "registry": [{"path": path} for path in WINHTTP_KEYS],
    }
)
def winhttps_proxy_is_set_by_netsh(answer: Answer) -> None:
    first, second = (
        base64.b64decode(answer.key(path)["values"]["WinHttpSettings"][1]) for path in WINHTTP_KEYS
    )
    assert answer.states() == ["done", "done"]
    assert (first[0], second[0]) == (0x28, 0x18)
    assert first[1:] == second[1:]
    assert b"other:8080" in first


def _old_netsh(pc: Pc) -> None:
    pc.state["netsh"] = {"SOFTWARE": 0x18}
    for key in WINHTTP_KEYS:
        del pc.state["registry"][key]["values"]["WinHttpSettings"]


@question(
    pc=_old_netsh,
    asked={
        "operations": [{"do": "set_winhttp_proxy", "server": "other:8080", "bypass": ""}],
        "registry": [{"path": path} for path in WINHTTP_KEYS],
    },
)
def another_netsh_writes_other_keys_and_versions(answer: Answer) -> None:
    first, second = (answer.key(path)["values"].get("WinHttpSettings") for path in WINHTTP_KEYS)
    assert first is not None
    assert base64.b64decode(first[1])[0] == 0x18
    assert second is None


@question(
    asked={
        "operations": [{"do": "set_winhttp_proxy", "server": "", "bypass": ""}],
        "registry": [{"path": WINHTTP_KEYS[0]}],
    },
    pc=lambda pc: pc.winhttp_proxy("proxy:8080"),
)
def winhttps_proxy_is_removed_by_netsh(answer: Answer) -> None:
    assert (
        base64.b64decode(answer.key(WINHTTP_KEYS[0])["values"]["WinHttpSettings"][1])[8:12]
        == b"\1\0\0\0"
    )


def _netsh_half(pc: Pc) -> None:
    pc.state["faults"]["netsh"] = r"SOFTWARE\WOW6432Node"
    del pc.state["registry"][WINHTTP_KEYS[0]]


@question(
    pc=_netsh_half,
    asked={
        "operations": [{"do": "set_winhttp_proxy", "server": "proxy:8080", "bypass": ""}],
        "registry": [{"path": WINHTTP_KEYS[0]}],
    },
    model=False,
)
def netsh_that_stops_half_way_is_restored(answer: Answer) -> None:
    assert answer.states() == ["failed"]
    assert answer.operations[0]["error"].startswith(
        "netsh winhttp set proxy failed with exit code 1"
    )
    assert answer.key(WINHTTP_KEYS[0]).get("values", {}) == {}


def _rules(pc: Pc) -> None:
    pc.set(POLICY, PolicyVersion=["REG_DWORD", 0x021F])
    pc.rule(("ets6.network-1", "v2.31|Action=Block|Active=FALSE|Dir=In|Name=an old one|"))
    pc.rule(
        ("ets6.network-1-new", "v2.31|Action=Allow|Active=TRUE|Dir=In|Name=left by a killed run|")
    )
    pc.rule(
        ("TCP Query User{A[1]}C:\\x*.exe", "v2.31|Action=Block|Active=TRUE|Dir=In|Name=prompt|")
    )
    pc.rule(
        ("TCP Query User{A1}C:\\xy.exe", "v2.31|Action=Block|Active=TRUE|Dir=In|Name=must stay|")
    )
    pc.rule(("odd `[?]", "v2.31|Action=Block|Active=TRUE|Dir=In|Name=made of patterns|"))
    pc.allow_all()


@question(
    pc=_rules,
    asked={
        "operations": [
            rule(1),
            rule(
                2,
                protocol="UDP",
                direction="Outbound",
                remote_addresses=["LocalSubnet", "10.0.0.0/8", "fe80::/10"],
            ),
            {"do": "remove_firewall_rule", "id": "tcp query user{A[1]}C:\\x*.exe"},
            {"do": "remove_firewall_rule", "id": "not there"},
            {"do": "remove_firewall_rule", "id": "odd `[?]"},
            {"do": "allow_multicast_answers", "profile": "Private"},
        ],
        "registry": [{"path": POLICY, "depth": 1}],
    },
)
def rules_are_created_replaced_and_removed_by_id(answer: Answer) -> None:
    values = answer.key(RULES)["values"]
    wanted = (
        rf"App={FOLDER}\ETS6N.exe|Name=ETS6N (TCP-In)|Desc=made by a test|EmbedCtxt=ets6.network|"
    )
    assert set(answer.states()) == {"done"}
    assert (
        values["ets6.network-1"][1]
        == f"v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|{wanted}"
    )
    assert (
        "RA4=LocalSubnet|RA4=10.0.0.0/8|RA6=LocalSubnet|RA6=fe80::/10"
        in values["ets6.network-2"][1]
    )
    assert "ets6.network-1-new" not in values
    assert [name for name in values if name.startswith("TCP Query User{A[1]}")] == []
    assert "TCP Query User{A1}C:\\xy.exe" in values
    assert answer.key(rf"{POLICY}\StandardProfile")["values"][
        "DisableUnicastResponsesToMulticastBroadcast"
    ] == ["REG_DWORD", 0]


def _not_known_to_the_service(pc: Pc) -> None:
    _rules(pc)
    pc.state["faults"]["remove_firewall_rule:odd `[?]"] = "CmdletizationQuery_NotFound_InstanceID"


@question(
    pc=_not_known_to_the_service,
    asked={"operations": [{"do": "remove_firewall_rule", "id": "odd `[?]"}, rule(3)]},
)
def a_rule_that_the_service_does_not_know_is_an_error_with_its_id(answer: Answer) -> None:
    assert answer.states() == ["failed", "done"]
    assert "CmdletizationQuery_NotFound_InstanceID" in answer.operations[0]["error"]


def _refused_rule(where: str) -> Callable[[Pc], None]:
    def build(pc: Pc) -> None:
        _rules(pc)
        pc.state["faults"][where] = "Windows System Error 5"

    return build


def _old_rule_stays(answer: Answer) -> None:
    values = answer.state["registry"][RULES]["values"]
    assert answer.states() == ["failed", "done"]
    assert "ets6.network-2" in values
    assert answer.operations[0]["error"].startswith("Zugriff verweigert [Windows System Error 5,")
    assert values["ets6.network-1"][1].endswith("Name=an old one|")
    assert "ets6.network-1-new" not in values


@question(
    pc=_refused_rule("new_firewall_rule:ets6.network-1-new"),
    asked={"operations": [rule(), rule(2)]},
    model=False,
)
def a_rule_that_windows_refuses_costs_nothing(answer: Answer) -> None:
    _old_rule_stays(answer)


@question(
    pc=_refused_rule("remove_firewall_rule:ets6.network-1"),
    asked={"operations": [rule(), rule(2)]},
    model=False,
)
def a_rule_that_cannot_be_replaced_stays_as_it_was(answer: Answer) -> None:
    _old_rule_stays(answer)


@question(asked={"operations": [{"do": "remove_firewall_rule", "id": ""}]}, model=False)
def without_an_id_no_rule_is_removed(answer: Answer) -> None:
    assert answer.operations[0] == {"state": "failed", "error": "the rule to remove has no id"}


@question(asked={"operations": [{"do": "format_disk"}]})
def an_unknown_operation_is_refused(answer: Answer) -> None:
    assert answer.operations == [
        {"state": "failed", "error": "format_disk: there is no such operation"}
    ]


@question(asked={"operations": [value(TEST, "x", "REG_LINK", "y")]})
def a_type_that_is_not_written_is_refused(answer: Answer) -> None:
    assert answer.operations == [
        {"state": "failed", "error": "REG_LINK: this type is not supported"}
    ]


# ----- ways out


def way(url: str = VENDOR_URL, name: str = "") -> dict[str, Any]:
    """Return a probe that leaves its proxies to the PC. Its address is closed; only the proxies matter."""
    return {"name": name or url, "url": url, "address": "127.0.0.1:1"}


WINDING = {
    "registry": [{"path": INTERNET_POLICY}, {"path": MACHINE_INTERNET, "depth": 1}],
    "user_registry": [{"path": INTERNET, "depth": 1}],
    "probes": [
        way(), way("http://update.knx.org"), way("http://intranet/"), way("https://api.knx.org:8443/x?y"), way("http://api.knx.org"),
        way("http://cdn.example"), way("https://cdn.example:443"),
    ],
}  # fmt: skip
BYPASS = "<local>; update.knx.org:443;https://*.example;;nonsense://[;API.knx.org:8443; api.knx.org elsewhere.example"


def _named(pc: Pc) -> None:
    pc.user_proxy(3, " http = 127.0.0.1:2;https=HTTP://127.0.0.1:3/; ;ftp=127.0.0.1", BYPASS)


@question(pc=_named, asked=WINDING)
def a_proxy_for_each_protocol_and_a_bypass_list(answer: Answer) -> None:
    assert {probe["name"]: probe["proxy"] for probe in answer.snapshot["probes"]} == {
        VENDOR_URL: "127.0.0.1:3",
        "http://update.knx.org": "127.0.0.1:2",
        "http://intranet/": "",
        "https://api.knx.org:8443/x?y": "",
        "http://api.knx.org": "127.0.0.1:2",
        "http://cdn.example": "127.0.0.1:2",
        "https://cdn.example:443": "",
    }


@question(pc=lambda pc: pc.user_proxy(3, "socks=127.0.0.1:2", ""), asked=WINDING)
def a_list_that_names_no_proxy_for_a_protocol_means_directly(answer: Answer) -> None:
    assert {probe["proxy"] for probe in answer.snapshot["probes"]} == {""}


@question(pc=lambda pc: pc.user_proxy(3, "127.0.0.1:2 127.0.0.1:3", ""), asked=WINDING, model=False)
def a_list_that_net_framework_does_not_read_gives_no_way(answer: Answer) -> None:
    assert answer.snapshot["probes"] == []
    assert not answer.snapshot["errors"]


@question(pc=lambda pc: pc.user_proxy(3, "127.0.0.1", ""), asked=WINDING)
def one_proxy_for_everything_has_port_80(answer: Answer) -> None:
    assert {probe["proxy"] for probe in answer.snapshot["probes"]} == {"127.0.0.1:80"}


@question(pc=lambda pc: pc.machine_proxy("127.0.0.1:4"), asked=WINDING)
def the_machines_proxy_counts_for_every_user(answer: Answer) -> None:
    assert {probe["proxy"] for probe in answer.snapshot["probes"]} == {"127.0.0.1:4"}


@question(pc=lambda pc: pc.user_proxy(4, pac_url="http://127.0.0.1:5/proxy.pac"), asked=WINDING)
def scripts_are_left_to_the_controller(answer: Answer) -> None:
    assert answer.snapshot["probes"] == []


def _long_lists(pc: Pc) -> None:
    entries = [f"*{number}*.example" for number in range(4000)]
    stars = "*" * 60 + "k"
    pc.user_proxy(3, "127.0.0.1:2", ";".join([stars, *entries, "*update*knx*org"]))


@question(pc=_long_lists, asked=WINDING, model=False)
def a_long_bypass_list_is_left_to_the_controller(answer: Answer) -> None:
    """A user can set it: each entry would take a search, for each probe."""
    assert answer.snapshot["probes"] == []
    assert not answer.snapshot["errors"]


@question(
    pc=lambda pc: pc.user_proxy(3, "127.0.0.1:2", "*" * 60 + "k;" + "*" * 60 + "knx*org"),
    asked=WINDING,
)
def stars_in_a_row_are_one(answer: Answer) -> None:
    """.NET Framework would try them in every combination."""
    proxies = {probe["name"]: probe["proxy"] for probe in answer.snapshot["probes"]}
    assert proxies[VENDOR_URL] == ""
    assert proxies["http://cdn.example"] == "127.0.0.1:2"


def _broken_blob(pc: Pc) -> None:
    pc.set(rf"HKU\{USER}\{INTERNET}\Connections", DefaultConnectionSettings=["REG_BINARY", "AAAA"])


@question(pc=_broken_blob, asked=WINDING, model=False)
def a_broken_blob_gives_no_way(answer: Answer) -> None:
    assert answer.snapshot["probes"] == []
    assert not answer.snapshot["errors"]


# ----- probes


def _names(**names: Any) -> Callable[[Pc], None]:
    def build(pc: Pc) -> None:
        pc.state["names"] = names

    return build


def probe(name: str, url: str, *proxies: str, address: str | None = None) -> dict[str, Any]:
    return {"name": name, "url": url, "address": address, "proxies": list(proxies) or [""]}


def _probes(network: Network, odd: Mapping[str, str]) -> Mapping[str, Any]:
    port = network.https.port
    servers = [
        probe(f"{scheme} {name}", f"{scheme}://update.knx.org/a?b", address=odd[name])
        for name in sorted(odd)
        if name != "silent"
        for scheme in ("http", "https")
    ]
    return {
        "probe_timeout": 20,
        "probes": [
            *servers,
            probe("fine", VENDOR_URL, address=network.https.address),
            probe(
                "fine http",
                "http://update.knx.org/data/XML/project-23/knx_master.xml",
                address=network.http.address,
            ),
            probe("inspected", VENDOR_URL, address=network.inspected.address),
            probe("no such name", "https://nowhere.example"),
            probe("no name server", "https://later.example"),
            probe("no address", "https://empty.example"),
            probe("two addresses", f"https://two.example:{port}"),
            probe("refused", VENDOR_URL, address=network.closed),
            probe(
                "two ways",
                VENDOR_URL,
                network.proxy.address,
                network.negotiate_proxy.address,
                network.closed,
            ),
            probe(
                "two ways http",
                "http://update.knx.org/",
                network.proxy.address,
                network.basic_proxy.address,
            ),
            probe("not a proxy", VENDOR_URL, odd["garbage"], odd["long head"]),
        ],
    }


@question(
    pc=_names(
        **{
            "nowhere.example": 11001,
            "later.example": 11002,
            "empty.example": 11004,
            "two.example": ["::1", "127.0.0.1"],
        }
    ),
    asked=_probes,
)
def servers_of_all_kinds(answer: Answer) -> None:
    kinds = {
        found["name"]: found["error"] and found["error"]["kind"]
        for found in answer.snapshot["probes"]
        if not found["proxy"]
    }
    wanted = {
        "fine": None,
        "fine http": None,
        "inspected": None,
        "no such name": "not_found",
        "no name server": "try_again",
        "no address": "not_found",
        "two addresses": None,
        "refused": "refused",
        "http reset": "reset",
        "http closing": "closed",
        "http garbage": "other",
        "https garbage": "plain_http",
        "https alert": "tls_alert",
        "http cut": None,
        "http chunked": None,
        "http no content": None,
        "http long head": "other",
    }
    two = [
        found["connect"]["status"]
        for found in answer.snapshot["probes"]
        if found["name"] == "two ways" and found["connect"]
    ]
    assert {name: kinds[name] for name in wanted} == wanted
    assert two == [200, 407]
    assert answer.probe("http early hints")["http"]["headers"] == [["Content-Length", "4"]]
    assert base64.b64decode(answer.probe("http cut")["http"]["body"]) == b"half"
    assert base64.b64decode(answer.probe("http in parts")["http"]["body"]) == b"four five"
    assert base64.b64decode(answer.probe("http chunked")["http"]["body"]).endswith(b"0\r\n\r\n")
    assert base64.b64decode(answer.probe("http chunked late")["http"]["body"]).endswith(
        b"0\r\n\r\n"
    )
    assert answer.probe("two addresses")["address"] == "127.0.0.1"
    assert len(answer.probe("inspected")["tls"]["presented"]) == 2


def _literal(network: Network, odd: Mapping[str, str]) -> Mapping[str, Any]:
    proxy = odd["repeating"]
    return {
        "probe_timeout": 20,
        "probes": [
            probe("direct", "http://[2001:db8::1]:8080/a", address=proxy),
            probe("direct 80", "http://[2001:db8::1]/a", address=proxy),
            probe("proxy", "http://[2001:db8::1]/a", proxy),
            probe("tunnel", "https://[2001:db8::1]:8443/a", proxy),
            probe("tls", "https://[2001:db8::1]/a", address=network.https.address),
            probe("itself", f"http://[::1]:{network.closed.rpartition(':')[2]}/a"),
        ],
    }


@question(asked=_literal)
def an_address_of_ipv6_stands_in_brackets(answer: Answer) -> None:
    asked = {
        one["name"]: (one["connect"] or one["http"])["headers"][0][1]
        for one in answer.snapshot["probes"]
        if one["name"] not in ("tls", "itself")
    }
    itself = answer.probe("itself")
    assert asked == {
        "direct": "GET /a HTTP/1.1 | Host: [2001:db8::1]:8080",
        "direct 80": "GET /a HTTP/1.1 | Host: [2001:db8::1]",
        "proxy": "GET http://[2001:db8::1]:80/a HTTP/1.1 | Host: [2001:db8::1]",
        "tunnel": "CONNECT [2001:db8::1]:8443 HTTP/1.1 | Host: [2001:db8::1]:8443",
    }
    assert answer.probe("tls")["error"] is None
    assert (itself["stage"], itself["address"], itself["addresses"]) == ("tcp", "::1", ["::1"])


@question(
    pc=_names(**{"hanging.example": "hang"}),
    asked=lambda network, odd: {
        "probe_timeout": 8,
        "probes": [
            probe("hanging", "https://hanging.example"),
            probe("silent", "https://update.knx.org", address=odd["silent"]),
            probe("silent http", "http://update.knx.org", address=odd["silent"]),
            probe("fine", VENDOR_URL, address=network.https.address),
        ],
    },
)
def servers_that_keep_quiet_are_cut_off(answer: Answer) -> None:
    told = {
        one["name"]: (one["stage"], one["error"] and one["error"]["kind"])
        for one in answer.snapshot["probes"]
    }
    assert told == {
        "hanging": ("dns", "timeout"),
        "silent": ("tls", "timeout"),
        "silent http": ("http", "timeout"),
        "fine": ("done", None),
    }


@question(
    pc=_names(**{
        "dead-first.example": ["127.0.0.2", "::1", "127.0.0.1"],
        "dead.example": ["127.0.0.2"],
        "refusing.example": ["::1", "127.0.0.3"],
    }),
    asked=lambda network, odd: {
        "probe_timeout": 8,
        "probes": [probe(name, f"https://{name}.example:{odd['dropping'].rpartition(':')[2]}") for name in ("dead-first", "dead", "refusing")],
    },
)  # fmt: skip
def an_address_without_an_answer_costs_a_moment(answer: Answer) -> None:
    told = {
        one["name"]: (one["stage"], one["address"], one["error"] and one["error"]["kind"])
        for one in answer.snapshot["probes"]
    }
    assert told == {
        "dead-first": ("tls", "127.0.0.1", "closed"),
        "dead": ("tcp", "127.0.0.2", "timeout"),
        "refusing": ("tcp", "127.0.0.3", "refused"),
    }
    assert 250 <= answer.probe("dead-first")["elapsed"]["tcp"] < 3000


@question(
    asked=lambda network, odd: {
        "probe_timeout": 12,
        "probes": [
            probe("silent", VENDOR_URL, odd["silent"]),
            probe("silent http", "http://update.knx.org", odd["silent"]),
        ],
    },
)
def a_stage_has_a_time_of_its_own(answer: Answer) -> None:
    told = [(one["stage"], one["error"]["kind"]) for one in answer.snapshot["probes"]]
    assert told == [("connect", "timeout"), ("http", "timeout")]


# ----- what is refused as a whole: the question, and what the message says of it

REFUSED: dict[str, tuple[Mapping[str, Any], str]] = {
    "an unknown option": (
        {"registri": []},
        "windows_host has no option registri. It has registry, user_registry, ",
    ),
    "a key without a path": (
        {"registry": [{"depth": 1}]},
        "registry: each entry needs a path.",
    ),
    "a key that is a text": (
        {"user_registry": ["Software"]},
        "user_registry: each entry needs a path.",
    ),
}


def seeded(name: str) -> Pc:
    """Return the PC that a question is for."""
    pc = Pc("pc-asked", rule_count=3)
    pc.rule(rules.ordinary(1, name).popitem())
    return pc
