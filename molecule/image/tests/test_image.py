# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is in the images after the playbook: taken out by wimlib and ntfs-3g, read by python-registry."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from Registry.Registry import Registry

FOLDER = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / ".lab" / "image"
IMAGES = FOLDER / "images"
SYSTEM = "Windows/System32/config/SYSTEM"
RULES = r"ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
MIB = 1024 * 1024


def printed(*command: str | Path) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


def taken_out(kind: str, into: Path) -> bytes:
    """Return the SYSTEM hive of an image."""
    if kind == "folder":
        return (IMAGES / kind / SYSTEM).read_bytes()
    if kind == "wim":
        return printed("wimlib-imagex", "extract", IMAGES / kind, "1", f"/{SYSTEM}", "--to-stdout")
    disk, volume = into / "disk", into / "volume"
    printed("qemu-img", "convert", "-O", "raw", IMAGES / kind, disk)
    volume.write_bytes(disk.read_bytes()[MIB:-MIB])
    return printed("ntfscat", volume, SYSTEM)


@pytest.mark.parametrize("kind", ["folder", "wim", "qcow2"])
def test_the_four_rules_stand_and_nothing_blocks(kind: str, tmp_path: Path) -> None:
    key = Registry(io.BytesIO(taken_out(kind, tmp_path))).open(RULES)
    rules = {value.name(): value.value() for value in key.values()}
    ours = {
        f"ETS6-{program}-{protocol}-In"
        for program in ("ETS6N", "ETS6C")
        for protocol in ("TCP", "UDP")
    }
    assert ours <= rules.keys()
    for name in ours:
        assert "|Action=Allow|Active=TRUE|Dir=In|" in rules[name]
    for_ets = [
        text
        for text in rules.values()
        if "ets6n.exe|" in text.lower() or "ets6c.exe|" in text.lower()
    ]
    assert not any("|Action=Block|" in text for text in for_ets)
    assert len(rules) - len(for_ets) == 450


@pytest.mark.parametrize(("report", "status"), [("before", "fail"), ("after", "pass")])
def test_the_reports_say_what_was_and_what_is(report: str, status: str) -> None:
    hosts: list[dict[str, Any]] = json.loads(
        (FOLDER / report / "report.json").read_text(encoding="utf-8")
    )["hosts"]
    assert {Path(host["name"]).name: host["status"] for host in hosts} == {
        "folder": status,
        "wim#1": status,
        "qcow2": status,
    }
    assert not any(finding["changed"] for host in hosts for finding in host["findings"])
