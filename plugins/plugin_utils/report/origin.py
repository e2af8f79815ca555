# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who ran what, from where, with which versions and variables: the part of a report that an auditor asks for first."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
from collections.abc import Mapping
from typing import Any

from ansible.parsing.vault import VaultHelper
from ansible.release import __version__ as ansible_version

from ..version import VERSION
from .document import Json

TIME = "%Y-%m-%dT%H:%M:%SZ"
"""Times in a report are UTC, to the second."""
HIDDEN = "(left out)"

_SECRET_NAME = re.compile(r"pass(word|wd|phrase)|secret|token|credential|api_?key|private_?key", re.IGNORECASE)
_URL_LOGIN = re.compile(r"(?<=://)[^/?#\s]*@")
_URL_QUERY = re.compile(r"(?<=\?)\S+")
"""A login in a URL, and what follows its question mark: both have carried passwords and tokens."""


def run(mode: str, ended: str, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> Json:
    """Return what is known of the run.

    arguments are those of ansible-playbook (``ansible.context.CLIARGS``), of which only what cannot hold a secret is taken;
    variables are the task's, where AWX and its like leave who started the job.
    """
    return {
        "mode": mode,
        "ended": ended,
        "user": str(variables.get("awx_user_name") or variables.get("tower_user_name") or _user()),
        "controller": socket.gethostname(),
        "job": str(variables.get("awx_job_id") or variables.get("tower_job_id") or ""),
        "playbook": " ".join(str(name) for name in arguments.get("args") or ()),
        "limit": str(arguments.get("subset") or ""),
        "collection": VERSION,
        "ansible": ansible_version,
        "python": platform.python_version(),
    }


def shown(value: Any) -> Any:
    """Return variables as they may stand in a report: plain JSON data, without what came out of a vault, and without logins in URLs."""
    if VaultHelper.get_ciphertext(value, with_tags=False) is not None:
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if _SECRET_NAME.search(str(key)) else shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, str) and "://" in value:
        return _URL_QUERY.sub(HIDDEN, _URL_LOGIN.sub(f"{HIDDEN}@", str(value)))
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return str(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In an execution environment the process may run as a number that has no name.
        return f"uid {os.getuid()}"
