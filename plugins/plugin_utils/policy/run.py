# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variables of a run: those that are not the policy's but the playbooks' and the report's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..finding import SEVERITIES
from ..text import one_line
from .parsing import MAX_QUOTED, NotAcceptedError, dictionary, flag, not_accepted, words_of

CHECKED = "ets6_network_checked"
"""The variable in which the playbooks register the result of ets6.network.variables.

Its ``run`` tells one run from another.
"""
ARTIFACT = "ets6_report_"
"""What the names of variables begin with in which AWX hands artifacts on."""
NEVER = "never"
FAIL_ON = (*(severity.value for severity in SEVERITIES), "expired", "unreachable", NEVER)
"""What may fail a run.

An open finding of that severity or above, a waiver that has expired, a host that could not be
reached; or nothing.
"""
DEFAULT_FAIL_ON = ("low", "unreachable")
FORMATS = ("json", "junit", "html", "markdown", "sarif", "csv", "metrics", "hdf")
MAX_TIMEOUT = 86_400
"""Seconds that a PC may take: a day."""
DEFAULT_FORMATS = ("json", "junit", "html")


def current_run(variables: Mapping[str, Any]) -> str:
    """Return what tells this run from others of the same ansible-playbook.

    It is empty where no playbook of the collection has begun the run.
    """
    checked = variables.get(CHECKED)
    return str(checked.get("run") or "") if isinstance(checked, Mapping) else ""


def noted_run(variables: Mapping[str, Any]) -> str:
    """Return what tells this run from others in changes.jsonl.

    That is the process of ansible-playbook, of which the one that runs a task is a child, where no
    playbook of the collection has begun the run.
    """
    return current_run(variables) or f"process {os.getppid()}"


def parse_fail_on(value: Any) -> list[str]:
    """Read ets6_network_fail_on; a word is a list of one. Raises NotAcceptedError."""
    words = words_of(value, FAIL_ON)
    if not words:
        accepted = ", ".join(FAIL_ON)
        raise NotAcceptedError(f"the list is empty; accepted are {accepted} ({NEVER}: nothing)")
    if NEVER in words and len(words) > 1:
        raise NotAcceptedError(f"{NEVER} cannot be combined with other entries")
    return words


def parse_formats(value: Any) -> list[str]:
    """Read ets6_network_formats; a word is a list of one. Raises NotAcceptedError."""
    return words_of(value, FORMATS)


def _parse_artifact(value: Any) -> str:
    if value == "":
        return ""
    if isinstance(value, str) and re.fullmatch(rf"{ARTIFACT}[A-Za-z0-9_]+", value):
        return value
    raise not_accepted(
        value,
        f"expected is {ARTIFACT} and letters, digits or _, by which ets6.network.merge finds it",
    )


def _parse_pattern(value: Any) -> Any:
    """Accept what Ansible takes for a play's hosts: a pattern, or a list of patterns."""
    patterns = value if isinstance(value, (list, tuple)) else [value]
    if patterns and all(isinstance(pattern, str) and pattern.strip() for pattern in patterns):
        return value
    raise not_accepted(
        value, "a pattern of hosts is expected, such as all:!localhost, or a list of patterns"
    )


def expanded(path: Any) -> Path:
    """Return a path of the controller as Ansible expands one: ``~`` and ``$NAME``."""
    return Path(os.path.expanduser(os.path.expandvars(str(path))))


def _named(path: Any) -> str:
    return one_line(str(path), MAX_QUOTED)


def _parse_image(value: Any) -> Mapping[str, Any]:
    image = dictionary(value, ("path", "index"), "a dictionary with path and, where needed, index")
    if image and not str(image.get("path") or ""):
        raise not_accepted(value, "a dictionary with path and, where needed, index is expected")
    # An image is a file of the controller, on which this runs.
    if image and not os.path.exists(expanded(image["path"])):
        raise NotAcceptedError(
            f"{_named(image['path'])} does not exist; correct -e image=, in which a relative path "
            "begins at the directory where ansible-playbook was called"
        )
    return image


def _parse_image_programs(value: Any) -> list[str]:
    paths = value if isinstance(value, list) else [value]
    for path in paths:
        if not isinstance(path, str) or not re.fullmatch(
            r"(?:[A-Za-z]:|%[^%]+%)\\.+\.exe", path, re.I
        ):
            raise not_accepted(
                path,
                r"the Windows path of a program is expected, such as "
                r"C:\Program Files (x86)\ETS6\ETS6N.exe",
            )
    return paths


def _parse_previous_report(value: Any) -> str:
    if value and not os.path.isfile(expanded(value)):
        raise NotAcceptedError(f"the file {_named(value)} does not exist")
    return str(value)


def parse_report_dir(value: Any) -> str:
    """Refuse a folder into which nothing could be written after the PCs were changed."""
    if not isinstance(value, str) or not value.strip():
        raise not_accepted(value, "a folder on the controller is expected")
    folder = expanded(value).absolute()
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not existing.is_dir():
        raise NotAcceptedError(f"{existing} is not a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise NotAcceptedError(f"{existing} is not writable")
    return value


def _parse_serial(value: Any) -> Any:
    """Refuse what Ansible would refuse once it has begun."""
    batches = value if isinstance(value, (list, tuple)) and value else [value]
    for batch in batches:
        is_size = re.fullmatch(r"[1-9][0-9]*|(?:100|[1-9][0-9]?)%", str(batch))
        if isinstance(batch, bool) or not is_size:
            raise not_accepted(
                batch,
                "a number of hosts such as 10, a percentage such as 20%, or a list of these "
                "is expected",
            )
    return value


def _parse_timeout(value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    is_number_text = isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value)
    if (is_number or is_number_text) and 1 <= int(value) <= MAX_TIMEOUT:
        return int(value)
    raise not_accepted(value, f"a number of seconds from 1 to {MAX_TIMEOUT} is expected")


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "apply": flag,
    "artifact": _parse_artifact,
    "fail_on": parse_fail_on,
    "formats": parse_formats,
    "hosts": _parse_pattern,
    "image": _parse_image,
    "image_programs": _parse_image_programs,
    "previous_report": _parse_previous_report,
    "report_dir": parse_report_dir,
    "serial": _parse_serial,
    "timeout": _parse_timeout,
}
"""The parser of each variable. It returns the value or raises NotAcceptedError."""
