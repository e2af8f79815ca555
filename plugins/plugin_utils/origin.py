# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who ran what, from where, with which versions and variables: what an auditor asks for first."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.parsing.vault import VaultHelper
from ansible.release import __version__ as ansible_version

from .report.model import TIME, Run
from .text import without_url_secrets
from .version import VERSION

HIDDEN = "(left out)"

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|api_?key|private_?key", re.IGNORECASE
)


def now() -> str:
    """Return the time as reports have it."""
    return datetime.now(timezone.utc).strftime(TIME)


def run_record(
    mode: str, ended: str, arguments: Mapping[str, Any], variables: Mapping[str, Any]
) -> Run:
    """Return what is known of the run, without pending hosts and variables.

    arguments are those of ansible-playbook (``ansible.context.CLIARGS``), of which only those are
    taken that cannot hold a secret. variables are the task's, in which AWX leaves who started it.
    """
    user = variables.get("awx_user_name") or variables.get("tower_user_name") or _user()
    job = variables.get("awx_job_id") or variables.get("tower_job_id") or ""
    playbooks = [str(name) for name in arguments.get("args") or ()]
    return {
        "mode": mode,
        "ended": ended,
        "user": str(user),
        "controller": socket.gethostname(),
        "job": str(job),
        "playbook": " ".join(playbooks),
        "limit": str(arguments.get("subset") or ""),
        "collection": VERSION,
        "ansible": ansible_version,
        "python": platform.python_version(),
        "pending": [],
        "variables": {},
    }


def without_secrets(value: Any) -> Any:
    """Return variables as they may be in a report: plain JSON data without secrets.

    What came out of a vault, what has the name of a secret, and logins in URLs are left out.
    """
    if VaultHelper.get_ciphertext(value, with_tags=False) is not None:
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): _value_of(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    if isinstance(value, str):
        return without_url_secrets(str(value), HIDDEN)
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return str(value)


def _value_of(name: str, value: Any) -> Any:
    return HIDDEN if _SECRET_NAME.search(name) else without_secrets(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In an execution environment the process may run as a number that has no name.
        return f"uid {os.getuid()}"
