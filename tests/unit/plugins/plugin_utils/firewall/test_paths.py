# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Two spellings, one file."""

from __future__ import annotations

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.paths import Paths
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    ENVIRONMENT,
    N,
)


@pytest.mark.parametrize(
    "other",
    [
        N,
        N.upper(),
        N.lower(),
        r"%ProgramFiles(x86)%\ETS6\ETS6N.exe",
        r"%PROGRAMFILES(X86)%\ets6\ETS6N.exe",
        r"%SystemDrive%\Program Files (x86)\ETS6\ETS6N.exe",
        r"C:\PROGRA~2\ETS6\ETS6N.EXE",
        r"C:\progra~2\ets6\ets6n.exe",
        r"C:\Program Files (x86)\\ETS6\.\ETS6N.exe",
        r"\\?\C:\Program Files (x86)\ETS6\ETS6N.exe",
        f" {N} ",
    ],
)
def test_the_same_file(other: str) -> None:
    paths = Paths(ENVIRONMENT)
    assert paths.same(N, other)
    assert paths.same(other, N)


@pytest.mark.parametrize(
    "other",
    [
        "",
        "System",
        r"C:/Program Files (x86)/ETS6/ETS6N.exe",
        f'"{N}"',
        r"C:\Program Files\ETS6\ETS6N.exe",
        r"C:\PROGRA~1\ETS6\ETS6N.EXE",
        r"%ProgramFiles%\ETS6\ETS6N.exe",
        r"%LOCALAPPDATA%\ETS6\ETS6N.exe",
        r"D:\Program Files (x86)\ETS6\ETS6N.exe",
        r"C:\Program Files (x86)\ETS6\ETS6C.exe",
        r"C:\Program Files (x86)\ETS6\ETS6N.exe.bak",
        r"C:\PROGRA~2\ETS5\ETS6N.EXE",
        r"C:\PROGRA~2\ETS6N.EXE",
    ],
)
def test_another_file(other: str) -> None:
    assert not Paths(ENVIRONMENT).same(N, other)


@pytest.mark.parametrize(
    ("short", "name", "same"),
    [
        ("ENGINE~1", "Engineering Tools", True),
        ("ENGINE~4", "Engineering Tools", True),
        ("EN1A2B~1", "Engineering Tools", True),
        ("KNXTOO~1.0", "KNX Tools.0", True),
        ("KNXTOO~1", "KNX Tools.0", False),
        ("MY_TOO~1", "My+Tools", True),
        ("ENGINE~1", "Engines", True),
        ("ENGINE~1", "Motors", False),
        ("ENGI~1", "Engineering Tools", False),
    ],
)
def test_short_names(short: str, name: str, same: bool) -> None:
    assert Paths(ENVIRONMENT).same(f"D:\\{short}\\ETS6N.exe", f"D:\\{name}\\ETS6N.exe") is same


def test_a_32_bit_reader_does_not_mislead() -> None:
    paths = Paths({**ENVIRONMENT, "ProgramFiles": r"C:\Program Files (x86)"})
    assert paths.same(r"%ProgramFiles%\ETS6\ETS6N.exe", r"C:\Program Files\ETS6\ETS6N.exe")


def test_below_is_not_a_common_beginning() -> None:
    paths = Paths(ENVIRONMENT)
    assert paths.below(r"C:\USERS\ann\ETS6N.exe", r"%SystemDrive%\Users")
    assert not paths.below(r"C:\Users2\ETS6N.exe", r"C:\Users")
