# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""windows_host as Ansible sends it: the command line and the standard input of its own wrapper, given to a PowerShell here."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.executor.powershell import module_manifest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar

from tests.lab import script
from tests.lab.pc import Pc

BUILDING = threading.Lock()
"""Ansible's loaders want one caller at a time."""
MODULES = {
    "windows_host": ("plugins/module_utils/_ETS6Host.psm1", "plugins/modules/windows_host.ps1"),
    "windows_session_probe": (
        "plugins/module_utils/_ETS6Session.psm1",
        "plugins/modules/windows_session_probe.ps1",
    ),
}
"""The modules for Windows, and the sources of each."""


_get_powershell_script = module_manifest._get_powershell_script


def _fitted(name: str) -> bytes:
    """Have Ansible's coverage run here: the engine is 7's in both dialects, and a host need not have a runspace."""
    source: bytes = _get_powershell_script(name)
    return source.replace(b"-lt '6.0'", b"-lt '1.0'").replace(
        b"$Host.Runspace.Debugger", b"[Runspace]::DefaultRunspace.Debugger"
    )


def sent(
    arguments: Mapping[str, Any], hits: Path | None = None, module: str = "windows_host"
) -> tuple[str, bytes]:
    """Return the command line and the standard input that Ansible sends for a module.

    With hits, its own coverage is on, and writes files that begin so.
    """
    loader, context, task = DataLoader(), PlayContext(), Task()
    task.check_mode = bool(arguments.get("_ansible_check_mode"))
    connection = connection_loader.get("ansible.builtin.winrm", context)
    connection._shell.set_options()
    executions: list[tuple[str, bytes]] = []

    def exec_command(cmd: str, in_data: bytes, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        executions.append((cmd, in_data))
        return 0, b"{}", b""

    connection.exec_command = exec_command
    action = action_loader.get(
        "ansible.builtin.normal",
        task=task,
        connection=connection,
        play_context=context,
        loader=loader,
        templar=Templar(loader),
        shared_loader_obj=None,
    )
    variables = {"_ansible_coverage_remote_output": str(hits)} if hits else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_manifest, "_get_powershell_script", _fitted)
        action._execute_module(
            module_name=f"ets6.network.{module}", module_args=dict(arguments), task_vars=variables
        )
    (execution,) = executions
    return execution


def ask(
    pc: Pc,
    dialect: str,
    arguments: Mapping[str, Any],
    folder: Path,
    hits: Path | None = None,
    module: str = "windows_host",
) -> dict[str, Any]:
    """Have a PC answer; what it changes is in its state afterwards. dialect is "5.1" or "7"."""
    with BUILDING:
        line, data = sent(arguments, hits, module)
    measured = script.ROOT / MODULES[module][0] if hits else None
    # The exit code is that of the last program that the module ran, and Ansible does not mind it.
    out, errors, _code = script.run(pc, line, data, dialect, folder, measured)
    text = out.decode()
    assert text.startswith("{"), text + errors.decode()
    reply: dict[str, Any] = json.loads(text)
    return reply


def covered(hits: Path) -> dict[str, dict[str, dict[int, int]]]:
    """Return, by PowerShell and by source, how often each line ran that Ansible's coverage counts."""
    found: dict[str, dict[str, dict[int, int]]] = {}
    for file in hits.parent.glob(f"{hits.name}=*"):
        version = re.search("=powershell-([^=]+)=", file.name)
        assert version is not None
        for path, lines in json.loads(file.read_text(encoding="utf-8")).items():
            counted = found.setdefault(version[1], {}).setdefault(Path(path).name, {})
            for line in lines:
                counted[line["Line"]] = counted.get(line["Line"], 0) + line["HitCount"]
    return found
