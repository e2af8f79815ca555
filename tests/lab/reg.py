# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""``reg.exe query`` on a model PC, for verifiers that read over WinRM and share no code with the collection."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

ROOTS = {"HKLM": "HKEY_LOCAL_MACHINE", "HKU": "HKEY_USERS"}


def run(registry: Mapping[str, Any], line: str) -> tuple[bytes, bytes, int] | None:
    """Run a command line as Ansible's raw sends it. Return None where it is not ``reg.exe query "KEY"``.

    The answer has the form of Microsoft's documentation of reg query: key, then name, type and data, each after four blanks.
    """
    encoded = re.search(r"-EncodedCommand\s+(\S+)", line, re.IGNORECASE)
    command = base64.b64decode(encoded[1]).decode("utf-16-le") if encoded else line
    match = re.search(r'\breg\.exe query "([^"]+)"', command)
    if not match:
        return None
    key = match[1].lower()
    below = {_child(path, len(key)) for path in registry if path.lower().startswith(key + "\\")}
    path, found = next(
        ((path, found) for path, found in registry.items() if path.lower() == key), (match[1], None)
    )
    if found is None and not below:
        return (
            b"",
            b"ERROR: The system was unable to find the specified registry key or value.\r\n",
            1,
        )
    values = found["values"].items() if found else ()
    lines = [
        "",
        *([_full(path)] if values else []),
        *(f"    {name}    {kind}    {_shown(kind, data)}" for name, (kind, data) in values),
    ]
    return "\r\n".join([*lines, "", *map(_full, sorted(below)), ""]).encode(), b"", 0


def _child(path: str, length: int) -> str:
    """Return the key right below the one whose path has that length."""
    return path[:length] + "\\" + path[length + 1 :].split("\\")[0]


def _full(path: str) -> str:
    root, slash, below = path.partition("\\")
    return ROOTS[root.upper()] + slash + below


def _shown(kind: str, data: Any) -> str:
    if kind in ("REG_DWORD", "REG_QWORD"):
        return hex(data)
    if kind == "REG_MULTI_SZ":
        return r"\0".join(data)
    return (
        str(data) if kind in ("REG_SZ", "REG_EXPAND_SZ") else base64.b64decode(data).hex().upper()
    )
