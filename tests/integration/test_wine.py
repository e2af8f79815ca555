# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxy's blobs as an independent reader sees them: Wine's winhttp, over what the remedies wrote into a PC's registry.

Wine reads the proxy and the bypass list of DefaultConnectionSettings and all of WinHttpSettings; of scripts and automatic
detection it reads nothing there, and its wininet reads the plain values instead, unlike Windows: so neither is asked.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    MINE,
    fix,
    values,
)

from tests.integration.debian import need
from tests.lab.pc import MACHINE_INTERNET, WINHTTP_KEYS, Pc

SOURCE = Path(__file__).with_name("winhttp_reader.c")
SECONDS = 120
HERE = "HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections"
MACHINE = WINHTTP_KEYS[0].replace("HKLM", "HKEY_LOCAL_MACHINE")
NO_PROXY, NAMED_PROXY = "1", "3"
"""WINHTTP_ACCESS_TYPE_NO_PROXY and WINHTTP_ACCESS_TYPE_NAMED_PROXY of winhttp.h."""


class Reader:
    """Wine with the reader compiled, and a registry of its own."""

    def __init__(self, folder: Path) -> None:
        self._wine = need("wine", "wine")
        regedit = need("wineboot", "wine")
        compiler = need("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64")
        self._folder = folder
        self._program = folder / "reader.exe"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "WINEPREFIX": str(folder / "prefix"),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # No question about Mono or Gecko, which would be fetched from the Internet.
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }
        subprocess.run(
            [compiler, "-o", self._program, SOURCE, "-lwinhttp"], check=True, timeout=SECONDS
        )
        self._run(regedit, "-i")

    def read(self, blobs: dict[str, dict[str, bytes]]) -> dict[str, str]:
        """Return what winhttp says of these values, given by key and name."""
        lines = ["REGEDIT4", ""]
        for key, found in blobs.items():
            lines += [f"[-{key}]", "", f"[{key}]"]
            lines += [f'"{name}"=hex:{raw.hex(",")}' for name, raw in found.items()] + [""]
        file = self._folder / "blobs.reg"
        file.write_text("\r\n".join(lines), encoding="ascii")
        self._run(self._wine, "regedit", str(file))
        told = self._run(self._wine, str(self._program))
        return dict(line.split("=", 1) for line in told.split("\n") if "=" in line)

    def stop(self) -> None:
        """End this registry's server, and only that."""
        self._run("wineserver", "-k")

    def _run(self, *command: str) -> str:
        # Files and no pipes: Wine's own processes live on for a while, and hold a pipe open.
        with (self._folder / "output").open("w+b") as output:
            done = subprocess.run(
                command,
                env=self._environment,
                stdout=output,
                stderr=output,
                timeout=SECONDS,
                check=False,
            )
            output.seek(0)
            told = output.read().decode("utf-8", errors="replace").replace("\r", "")
        assert done.returncode == 0, (command, done.returncode, told)
        return told


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(tmp_path_factory.mktemp("wine"))
    yield reader
    reader.stop()


def blobs(pc: Pc, wininet: str) -> dict[str, dict[str, bytes]]:
    """Return the blobs that stand in a PC's registry, WinINET's of one place in the place of Wine's user."""
    user = values(pc, wininet + r"\Connections")["DefaultConnectionSettings"][1]
    # Wine knows version 0x18 alone, which netsh writes for 32-bit programs.
    machine = values(pc, WINHTTP_KEYS[1])["WinHttpSettings"][1]
    return {
        HERE: {"DefaultConnectionSettings": base64.b64decode(user)},
        MACHINE: {"WinHttpSettings": base64.b64decode(machine)},
    }


@pytest.mark.parametrize("scope", ["machine", "users"])
@pytest.mark.parametrize(
    ("server", "bypass"),
    [
        ("proxy.example.com:3128", ["<local>", "*.example.com"]),
        ("http=a.example.com:80;https=b.example.com:8443", []),
        ("[2001:db8::1]:3128", ["10.*", "intranet:8080"]),
    ],
)
def test_a_named_proxy(wine: Reader, scope: str, server: str, bypass: list[str]) -> None:
    pc = Pc("pc")
    fix(pc, proxy={"mode": "named", "server": server, "bypass": bypass, "scope": scope})
    assert wine.read(blobs(pc, MACHINE_INTERNET if scope == "machine" else MINE)) == {
        "machine.access": NAMED_PROXY,
        "machine.proxy": server,
        "machine.bypass": ";".join(bypass),
        "user.proxy": server,
        "user.bypass": ";".join(bypass),
    }


DIRECT = {
    "machine.access": NO_PROXY,
    "machine.proxy": "",
    "machine.bypass": "",
    "user.proxy": "",
    "user.bypass": "",
}


def test_direct_after_a_named_proxy(wine: Reader) -> None:
    pc = Pc("pc")
    fix(pc, proxy={"mode": "named", "server": "old:1", "bypass": ["*.old"], "scope": "users"})
    named = wine.read(blobs(pc, MINE))
    fix(pc, proxy={"mode": "direct", "scope": "users"})
    assert wine.read(blobs(pc, MINE)) == DIRECT != named


@pytest.mark.parametrize(
    "wanted", [{"mode": "pac", "pac_url": "http://p.example.com/x.pac"}, {"mode": "autodetect"}]
)
def test_no_named_proxy_is_left_behind_a_script_or_detection(
    wine: Reader, wanted: dict[str, Any]
) -> None:
    pc = Pc("pc")
    fix(pc, proxy={"mode": "named", "server": "old:1", "scope": "users"})
    fix(pc, proxy={**wanted, "scope": "users"})
    found = wine.read(blobs(pc, MINE))
    assert (found["user.proxy"], found["user.bypass"]) == ("", "")


def test_removal_brings_back_what_winhttp_said_before(wine: Reader) -> None:
    pc = Pc("pc")
    pc.user_proxy(3, "before:1", "*.before")
    pc.winhttp_proxy("before:2", "<local>")
    before = wine.read(blobs(pc, MINE))
    fix(pc, proxy={"mode": "direct", "scope": "users"})
    assert wine.read(blobs(pc, MINE)) == DIRECT
    fix(pc, state="absent")
    assert wine.read(blobs(pc, MINE)) == before
    assert (before["user.proxy"], before["machine.proxy"], before["machine.bypass"]) == (
        "before:1",
        "before:2",
        "<local>",
    )
