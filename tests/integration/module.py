# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Calls windows_image as its playbook does, without Ansible around it, and where wanted in a process of its own."""

from __future__ import annotations

import base64
import ctypes
import gzip
import importlib
import json
import os
import pickle
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils.image_source import ImageError
from ansible_collections.ets6.network.plugins.modules import windows_image

RULES = (
    r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
)
RULE_ID = "ETS6-ETS6N-TCP-In"
RULE = {
    "do": "set_registry_values",
    "path": RULES,
    "values": [[RULE_ID, "REG_SZ", "v2.30|Action=Allow|"]],
}
SOFTWARE_KEY = r"HKLM\SOFTWARE\ets6.network"
PROXY = {"do": "set_registry_values", "path": SOFTWARE_KEY, "values": [["proxy", "REG_SZ", "p:1"]]}
NO_TIME = 60


def ask(
    path: Path, *steps: dict[str, Any], index: str = "", check: bool = False, **more: Any
) -> dict[str, Any]:
    """Read a key of two hives of an image each, after operations where there are any. Raises ImageError, and nothing else."""
    options: dict[str, Any] = {"path": str(path), "index": index, "operations": list(steps)}
    options |= {"user_registry": [], "files": [], "named_files": [], "programs": []}
    options["restore"] = False
    options["registry"] = [{"path": RULES, "depth": 0}, {"path": SOFTWARE_KEY, "depth": 0}]
    options |= more
    with tempfile.TemporaryDirectory() as work:
        return windows_image.run(options, check, work)


def rules(path: Path, index: str = "") -> dict[str, Any]:
    """Return the firewall rules of an image as the module reads them."""
    return dict(snapshot(path, index)["registry"][RULES]["values"])


def snapshot(path: Path, index: str = "", **options: Any) -> dict[str, Any]:
    """Return the snapshot of an image. options: what else the module is asked for."""
    packed = ask(path, index=index, **options)["snapshot"]
    return dict(json.loads(gzip.decompress(base64.b64decode(packed))))


def why(path: Path, *steps: dict[str, Any], index: str = "", check: bool = False) -> str:
    """Return the sentence with which an image is refused, for reading or for the operations."""
    try:
        outcome = ask(path, *steps, index=index, check=check)["operations"]
    except ImageError as error:
        return str(error)
    assert outcome, "the image was not refused"
    assert outcome[0]["state"] == "failed", outcome
    return str(outcome[0]["error"])


def in_child(work: Callable[[], Any]) -> Any:
    """Run something in a process of its own and return what it returns; None where that process was killed."""
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        try:
            signal.alarm(NO_TIME)
            os.setpgid(0, 0)
            with os.fdopen(sender, "wb") as file:
                pickle.dump(_outcome(work), file)
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as file:
        told = file.read()
    os.waitpid(child, 0)
    if not told:
        return None
    result, failed = pickle.loads(told)
    assert not failed, failed
    return result


def _outcome(work: Callable[[], Any]) -> tuple[Any, str]:
    try:
        return work(), ""
    except BaseException as error:  # noqa: BLE001 (whatever it is, the parent has to fail with it)
        return None, repr(error)


def as_nobody(work: Callable[[], Any]) -> Any:
    """Run something without root's rights, for whom nothing is read-only."""

    # Without root's rights Python may not be able to read what it imports when it is first used.
    importlib.import_module("multiprocessing.popen_fork")

    def without_rights() -> Any:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        return work()

    return in_child(without_rights)


def with_small_disk(folder: Path, size: int, work: Callable[[], Any]) -> Any:
    """Run something in a process for which a folder is an empty disk of so many bytes. Skips where the system does not allow that."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts, new_user, private, recursive = 0x20000, 0x10000000, 1 << 18, 1 << 14

    def with_mount() -> Any:
        failed = (
            libc.unshare(new_mounts | (0 if os.geteuid() == 0 else new_user))
            or libc.mount(b"none", b"/", None, private | recursive, None)
            or libc.mount(b"none", bytes(folder), b"tmpfs", 0, f"size={size}".encode())
        )
        return "not allowed" if failed else work()

    result = in_child(with_mount)
    if result == "not allowed":
        pytest.skip("this system does not let a test mount anything")
    return result
