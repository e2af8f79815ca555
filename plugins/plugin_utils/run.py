# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a run goes: the variables that are not the policy's but the playbooks' and the report's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from .report import document, ending, formats

CHECKED = "ets6_network_checked"
"""The variable in which the playbooks register the result of ets6.network.variables, whose run tells one run from another."""
ARTIFACT = "ets6_report_"
"""What the names of variables begin with in which AWX hands artifacts on."""


def current(variables: Mapping[str, Any]) -> str:
    """Return what tells this run from others of the same ansible-playbook; empty where no playbook of the collection has begun it."""
    checked = variables.get(CHECKED)
    return str(checked.get("run") or "") if isinstance(checked, Mapping) else ""


def fail_on(value: Any) -> list[str]:
    """Read ets6_network_fail_on; one word stands for a list of it. Raises ValueError."""
    wanted = _words(value, document.FAIL_ON)
    if not wanted:
        raise ValueError(f"the list is empty; accepted are {', '.join(document.FAIL_ON)}, and never for nothing at all")
    if "never" in wanted and len(wanted) > 1:
        raise ValueError("never stands alone; with others beside it, it is not clear what is meant")
    return wanted


def report_formats(value: Any) -> list[str]:
    """Read ets6_network_formats; one word stands for a list of it. Raises ValueError."""
    return _words(value, formats.ALL)


def _words(value: Any, accepted: Any) -> list[str]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise ValueError(f"{value!r} is not accepted; a list is expected, of any of {', '.join(accepted)}")
    words = [str(word).strip() for word in words]
    wrong = next((word for word in words if word not in accepted), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is not accepted; accepted are {', '.join(accepted)}")
    return list(dict.fromkeys(words))


def _flag(value: Any) -> bool:
    try:
        return bool(boolean(value))
    except TypeError:
        raise ValueError(f"{value!r} is not accepted; true or false is") from None


def _artifact(value: Any) -> str:
    if value != "" and (not isinstance(value, str) or not re.fullmatch(rf"{ARTIFACT}[A-Za-z0-9_]+", value)):
        raise ValueError(
            f"{value!r} is not accepted; expected is {ARTIFACT} and letters, digits or _, by which ets6.network.merge finds it"
        )
    return str(value)


def _pattern(value: Any) -> Any:
    """Accept what Ansible takes for a play's hosts: a pattern, or a list of patterns."""
    patterns = value if isinstance(value, (list, tuple)) else [value]
    if not patterns or not all(isinstance(one, str) and one.strip() for one in patterns):
        raise ValueError(
            f"{value!r} is not accepted; a pattern of hosts is expected, such as all:!localhost, or a list of patterns"
        )
    return value


def _image(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or set(value) - {"path", "index"} or (value and not str(value.get("path") or "")):
        raise ValueError(f"{value!r} is not accepted; a dictionary with path, and where wanted index, is expected")
    return value


def _previous_report(value: Any) -> str:
    if value and not Path(str(value)).is_file():
        raise ValueError(f"there is no file {value}")
    return str(value)


def _report_dir(value: Any) -> str:
    """Refuse a folder into which nothing could be written after the PCs were changed."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not accepted; a folder on the controller is expected")
    folder = Path(value).expanduser().absolute()
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    if not there.is_dir():
        raise ValueError(f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"nothing can be written into {there}")
    return value


def _serial(value: Any) -> Any:
    """Refuse what Ansible would refuse once it has begun: a batch is a number or a percentage of hosts, or there is a list of them."""
    for batch in value if isinstance(value, (list, tuple)) and value else [value]:
        if isinstance(batch, bool) or not re.fullmatch(r"[1-9][0-9]*|(?:100|[1-9][0-9]?)%", str(batch)):
            raise ValueError(
                f"{batch!r} is not accepted; a number of hosts such as 10, a percentage such as 20%, or a list of these is"
            )
    return value


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "apply": _flag,
    "artifact": _artifact,
    "fail_on": fail_on,
    "formats": report_formats,
    "hosts": _pattern,
    "image": _image,
    "previous_report": _previous_report,
    "report_dir": _report_dir,
    "serial": _serial,
}
"""A parser for each variable: returns the value, or raises ValueError saying what was found and what is accepted."""


def settle(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what the report is written by, and what is wrong with the run: a report is written whatever that is.

    A wrong fail_on or formats counts as if it had not been given.
    """
    settled, problems = dict(arguments), [arguments["problem"]] if arguments["problem"] else []
    for name in ("fail_on", "formats"):
        try:
            settled[name] = PARSERS[name](arguments[name])
        except ValueError as error:
            settled[name] = ending.ARGUMENTS[name]["default"]
            # The task ets6.network.variables has told it, where there was one.
            problems += [] if arguments["problem"] else [f"ets6_network_{name}: {error}"]
    return settled, problems
