# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What tests of images share: the PC in them, the run of the playbook, and readers that the product does not use."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives

from tests.integration.debian import need
from tests.lab import image
from tests.lab.fleet import Member, members
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.pc import RULES, Pc
from tests.lab.play import Played, run

APPLY = ("-e", "ets6_network_apply=true")
PROXY = (
    "-e",
    json.dumps(
        {
            "ets6_network_proxy": {
                "mode": "named",
                "server": "proxy.example:8080",
                "scope": "machine",
            }
        }
    ),
)
SYSTEM, SOFTWARE = f"{image.CONFIG}/SYSTEM", f"{image.CONFIG}/SOFTWARE"
LOCAL_RULES = RULES.replace(r"HKLM\SYSTEM\CurrentControlSet", image.SET)


def need_programs() -> None:
    """Skip, and on CI fail, where a program is missing with which images are made or changed."""
    for program, package in {
        "wimlib-imagex": "wimtools",
        "ntfscp": "ntfs-3g",
        "qemu-io": "qemu-utils",
        "sfdisk": "fdisk",
    }.items():
        need(program, package)


TROUBLED = "pc-prompt-cancelled"
"""The lab's PC whose user cancelled Windows' prompts."""


def only(name: str) -> Callable[[Network], list[Member]]:
    """Return a builder of a lab with one of its PCs."""
    return lambda network: [member for member in members(network) if member.pc.name == name]


def pc(name: str = TROUBLED) -> Pc:
    """Return one of the lab's PCs, without the lab."""
    with Lab(only(name), scripts=False) as lab:
        return lab.members[name].pc


def judged(images: list[Path], *words: str) -> Played:
    """Run image.yml on images, with the reports beside the first of them."""
    arguments = json.dumps({"image": [str(path) for path in images]})
    return run(
        "playbooks/image.yml",
        "-i",
        "localhost,",
        "-e",
        arguments,
        *words,
        reports=images[0].parent / "report",
    )


def sums(paths: list[Path]) -> dict[str, str]:
    """Return the hash of every file of images, and of whatever lies beside them."""
    folders = {path.parent for path in paths}
    files = sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and "report" not in file.parts
    )
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def taken_out(path: Path, kind: str, name: str, index: str = "1") -> bytes:
    """Take a file out of an image with programs that the product does not read with (for a WIM: as wimlib shows it)."""
    if kind == "folder":
        return (path / name).read_bytes()
    if kind in ("wim", "esd"):
        return _printed("wimlib-imagex", "extract", path, index, f"/{name}", "--to-stdout")
    part = path.with_suffix(".part")
    opened: dict[str, Any] = {
        "driver": {"volume": "raw", "vhd": "vpc"}.get(kind, kind),
        "file": {"driver": "file", "filename": str(path)},
    }
    if kind != "volume":
        opened = {"driver": "raw", "offset": image.START, "file": opened}
    _printed("qemu-img", "convert", "-O", "raw", f"json:{json.dumps(opened)}", part)
    try:
        return _printed("ntfscat", part, name)
    finally:
        part.unlink()


def _printed(*command: str | Path) -> bytes:
    return subprocess.run([str(part) for part in command], capture_output=True, check=True).stdout


def values(hive: bytes, path: str) -> dict[str, tuple[int, bytes]]:
    """Return a key's values as python-registry reads them."""
    key = real_hives.second_reader(hive).open(path)
    return {value.name(): (value.value_type(), value.raw_data()) for value in key.values()}
