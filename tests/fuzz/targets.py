# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is fuzzed: a parser, valid input for it, and the errors that it may raise.

Anything else that a parser raises, and a run that takes too long, is a finding.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ansible_collections.ets6.network.plugins.module_utils.errors import ModuleError
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive, check
from ansible_collections.ets6.network.plugins.module_utils.hive_log import replay
from ansible_collections.ets6.network.plugins.modules import windows_image
from ansible_collections.ets6.network.plugins.plugin_utils.errors import ETS6Error
from ansible_collections.ets6.network.plugins.plugin_utils.formats import (
    firewall_rule,
    winhttp,
    wininet,
)

from tests.lab import hive, image
from tests.lab.pc import Pc

ERRORS = (ModuleError, ETS6Error)


@dataclass(frozen=True)
class Target:
    """parse raises nothing but ERRORS; valid returns input that it accepts."""

    name: str
    parse: Callable[[bytes], object]
    valid: Callable[[], bytes]


def _hive(data: bytes) -> None:
    found = Hive(data, "fuzz")
    check(found)


def _log(data: bytes) -> None:
    check(replay(hive.dirtied(_small_hive()), {"LOG1": data}, "fuzz"))


@cache
def _small_hive() -> bytes:
    keys = {
        f"key {number}": {"x": hive.dword(number), "t": hive.sz("ü" * number)}
        for number in range(20)
    }
    return hive.build(keys, name="SYSTEM")


def _valid_log() -> bytes:
    before = _small_hive()
    after = hive.build({"other": {"x": hive.dword(1)}}, name="SYSTEM")
    return hive.log(before, [hive.entry(7, before, after)], 7)


def _image(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "image")
        Path(path).write_bytes(data)
        options = {"path": path, "index": "", "operations": [], "programs": []}
        options |= {"registry": [{"path": "HKLM\\SYSTEM\\Select", "depth": 1}]}
        options |= {"user_registry": [], "files": ["*:\\ETS6\\ETS6N.exe"], "named_files": []}
        windows_image.run(options, False, work)


@cache
def _disk(kind: str) -> bytes:
    """Return a small Windows image of a kind."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder = image.folder(Pc("fuzz"), place / "folder")
        if kind in ("wim", "esd"):
            return image.wim({"Windows": folder}, place / kind, esd=kind == "esd").read_bytes()
        volume = image.volume(folder, place / "volume", 8)
        if kind == "ntfs":
            return volume.read_bytes()
        return image.disk(volume, place / "disk", kind).read_bytes()


def _rule(data: bytes) -> None:
    firewall_rule.Rule.parse("fuzz", data.decode("utf-16-le", "replace"))


def _wininet(data: bytes) -> None:
    wininet.ConnectionSettings.parse(data)


def _winhttp(data: bytes) -> None:
    winhttp.WinHttpSettings.parse(data)


RULE = "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|App=C:\\ETS6\\ETS6N.exe|Name=ETS6|"
"""A valid rule (MS-GPFAS 2.2.2)."""

TARGETS = [
    Target("hive", _hive, _small_hive),
    Target("hive-log", _log, _valid_log),
    Target("wim", _image, lambda: _disk("wim")),
    Target("ntfs", _image, lambda: _disk("ntfs")),
    *(
        Target(kind, _image, lambda kind=kind: _disk(kind))
        for kind in ("qcow2", "vhdx", "vpc", "vmdk", "vdi")
    ),  # type: ignore[misc]
    Target("firewall-rule", _rule, lambda: RULE.encode("utf-16-le")),
    Target("wininet", _wininet, lambda: struct.pack("<IIIIII", 70, 1, 3, 0, 0, 0) + bytes(32)),
    Target("winhttp", _winhttp, lambda: struct.pack("<IIIII", 24, 0, 1, 0, 0) + bytes(4)),
]
