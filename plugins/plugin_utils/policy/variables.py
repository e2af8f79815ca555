# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is wanted of a PC: the role's variables, parsed and typed, or refused with every problem at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ETS6Error
from ..text import suggestion
from .addresses import parse_remote_address
from .custom_controls import CustomControl, parse_custom_controls
from .endpoints import VENDOR_ENDPOINTS, Endpoint, parse_endpoints
from .needed_traffic import NeededTraffic, parse_needed_traffic
from .parsing import PREFIX, choice_of, list_of, not_accepted
from .proxy import ProxySetting, parse_proxy
from .waivers import Waiver, parse_waivers

STATES = ("present", "absent")
PROFILES = ("domain", "private", "public")
OUTBOUND = ("auto", "always", "never")
BLOCKS = ("prompt", "all", "none")
PROBE_AS = ("connection", "user")
MULTICAST_ANSWERS = ("unmanaged", "allow")

DEFAULT_PROGRAMS = ("ETS6N.exe", "ETS6C.exe")
DEFAULT_PATHS = (r"%ProgramFiles(x86)%\ETS6", r"%ProgramFiles%\ETS6")
MAX_PROBE_TIMEOUT = 60
"""Seconds."""


class PolicyError(ETS6Error):
    """One or more variables are wrong.

    problems has a line for each: the variable, its value, and what is accepted.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Policy:
    """What a PC is to be like. Field names are the role's variables without their prefix."""

    state: str = "present"
    programs: tuple[str, ...] = DEFAULT_PROGRAMS
    paths: tuple[str, ...] = DEFAULT_PATHS
    profiles: tuple[str, ...] = ("domain", "private")
    remote_addresses: tuple[str, ...] = ()
    needed_traffic: tuple[NeededTraffic, ...] = ()
    outbound: str = "auto"
    blocks: str = "prompt"
    multicast_answers: str = "unmanaged"
    proxy: ProxySetting = field(default_factory=ProxySetting)
    endpoints: tuple[Endpoint, ...] = VENDOR_ENDPOINTS
    probe_as: str = "connection"
    probe_timeout: int = 10
    public_roots: str = ""
    controls: tuple[CustomControl, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @classmethod
    def from_variables(cls, variables: Mapping[str, Any]) -> Policy:
        """Return the policy of variables, named without their prefix. A missing one has its default.

        Raises PolicyError with every problem.
        """
        problems: list[str] = []
        fields: dict[str, Any] = {}
        for name, value in variables.items():
            parse = PARSERS.get(name)
            if parse is None:
                hint = suggestion(name, PARSERS, PREFIX)
                problems.append(f"{PREFIX}{name}: there is no such variable{hint}")
                continue
            try:
                fields[name] = parse(value)
            except ETS6Error as error:
                problems.append(f"{PREFIX}{name}: {error}")
        if problems:
            raise PolicyError(problems)
        return cls(**fields)


def _parse_program(value: Any) -> str:
    pattern = r"[^\\/:*?\"<>|\x00-\x1f]+\.exe"
    if isinstance(value, str) and re.fullmatch(pattern, value, re.IGNORECASE):
        return value
    raise not_accepted(
        value,
        "a file name that ends in .exe is expected, such as ETS6N.exe "
        f"(folders go into {PREFIX}paths)",
    )


def _parse_folder(value: Any) -> str:
    root = r"(?:[A-Za-z*]:\\|%[^%|\\]+%(?:\\|$))"
    if isinstance(value, str) and re.fullmatch(rf"{root}[^/:*?\"<>|\x00-\x1f]*", value):
        is_drive = len(value) <= len("C:\\")
        return value if is_drive else value.rstrip("\\")
    raise not_accepted(
        value,
        r"an absolute Windows folder is expected, such as C:\Program Files (x86)\ETS6 or "
        r"%ProgramFiles%\ETS6 (*:\ is every fixed drive)",
    )


def _parse_timeout(value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if is_number and 1 <= number <= MAX_PROBE_TIMEOUT:
        return int(number)
    raise not_accepted(value, f"whole seconds from 1 to {MAX_PROBE_TIMEOUT} are expected")


def _parse_path(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise not_accepted(value, "the path of a file on the controller is expected")


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "state": choice_of(STATES),
    "programs": list_of(_parse_program, empty=False, words=True),
    "paths": list_of(_parse_folder, empty=False),
    "profiles": list_of(choice_of(PROFILES), empty=False, words=True),
    "remote_addresses": list_of(parse_remote_address, empty=True),
    "needed_traffic": parse_needed_traffic,
    "outbound": choice_of(OUTBOUND),
    "blocks": choice_of(BLOCKS),
    "multicast_answers": choice_of(MULTICAST_ANSWERS),
    "proxy": parse_proxy,
    "endpoints": parse_endpoints,
    "probe_as": choice_of(PROBE_AS),
    "probe_timeout": _parse_timeout,
    "public_roots": _parse_path,
    "controls": parse_custom_controls,
    "waivers": parse_waivers,
}
"""The parser of each variable. It returns the field's value or raises NotAcceptedError."""
