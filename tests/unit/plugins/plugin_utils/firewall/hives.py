# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Firewall rules of real registry hives, where they stand beside the project (``../shared/hives``). None is kept here."""

from __future__ import annotations

import importlib
import io
import lzma
import os
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

FOLDER = Path(__file__).resolve().parents[6] / "shared" / "hives"
HIVES = ("win10-2004-clean", "win10-1709-dirty")
POLICY = r"Services\SharedAccess\Parameters\FirewallPolicy"


def _not_here(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def every_string(name: str) -> tuple[tuple[str, str, str], ...]:
    """Return key, value name and text of every firewall rule in any control set of a SYSTEM hive, service hardening included.

    Skips the test where the hive or its reader is not there; on CI it fails.
    """
    path = FOLDER / f"{name}.SYSTEM.xz"
    if not path.exists():
        _not_here(f"{path.name} is not beside the project")
    try:
        registry: Any = importlib.import_module("Registry.Registry")
    except ImportError:
        _not_here("python-registry is not installed")
    found: list[tuple[str, str, str]] = []

    def walk(key: Any, path: str) -> None:
        for value in key.values():
            if value.value_type() == registry.RegSZ:
                found.append((path, value.name(), value.value()))
        for subkey in key.subkeys():
            walk(subkey, f"{path}\\{subkey.name()}")

    root = registry.Registry(io.BytesIO(lzma.decompress(path.read_bytes()))).root()
    for key in root.subkeys():
        if key.name().startswith("ControlSet"):
            walk(key.find_key(POLICY), key.name())
    return tuple(found)


def local_rules(name: str) -> dict[str, str]:
    """Return the local rules of the current control set, which is the first one in these hives."""
    return {
        rule_id: text
        for key, rule_id, text in every_string(name)
        if key == r"ControlSet001\FirewallRules"
    }
