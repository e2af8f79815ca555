# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Images with the hives of real machines in them: judged whole, prepared where they are clean, and left alone where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.tests.unit.plugins.module_utils import real_hives

from tests.integration.images import (
    APPLY,
    LOCAL_RULES,
    SYSTEM,
    judged,
    need_programs,
    pc,
    sums,
    taken_out,
    values,
)
from tests.lab import hive, image

USER = "Users/knx/NTUSER.DAT"
USERS_PROXY = (
    "-e",
    json.dumps(
        {"ets6_network_proxy": {"mode": "named", "server": "proxy.example:8080", "scope": "users"}}
    ),
)


def folder(into: Path, hives: dict[str, str]) -> Path:
    """Make an image with real hives, and their logs, in place of some made ones."""
    image.folder(pc(), into)
    for place, name in hives.items():
        (into / place).write_bytes(real_hives.content(name))
        if name in real_hives.DIRTY:
            for log, content in real_hives.logs(name).items():
                (into / f"{place}{log.removeprefix(name)}").write_bytes(content)
    return into


@pytest.mark.parametrize("kind", ["folder", "wim", "vhdx"])
def test_a_real_clean_image_is_prepared_and_nothing_else_in_it_changes(
    kind: str, tmp_path: Path
) -> None:
    need_programs()
    path = folder(
        tmp_path / "folder", {SYSTEM: "win10-2004-clean.SYSTEM", USER: "win10-clean.NTUSER.DAT"}
    )
    if kind == "wim":
        path = image.wim({"Windows 10": path}, tmp_path / "image")
    elif kind == "vhdx":
        path = image.disk(image.volume(path, tmp_path / "volume", 160), tmp_path / "image", "vhdx")
    before = taken_out(path, kind, SYSTEM)
    assert before == real_hives.content("win10-2004-clean.SYSTEM")
    applied = judged([path], *APPLY, *USERS_PROXY)
    (host,) = applied.report["hosts"]
    assert (applied.code, host["status"]) == (0, "fixed"), applied.output

    rules, old = values(taken_out(path, kind, SYSTEM), LOCAL_RULES), values(before, LOCAL_RULES)
    added = {name: rules.pop(name) for name in list(rules) if name.startswith("ETS6-")}
    assert rules == old
    assert len(added) == 4
    for _type, text in added.values():
        assert text.decode("utf-16-le").startswith("v2.30|"), "the rule version of the image"
    connections = values(
        taken_out(path, kind, USER),
        r"Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
    )
    assert b"proxy.example:8080" in connections["DefaultConnectionSettings"][1]

    prepared = sums([path])
    again = judged([path], *APPLY, *USERS_PROXY)
    assert (again.code, again.report["hosts"][0]["status"]) == (0, "pass"), again.output
    assert sums([path]) == prepared


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dirty") / "folder"
    return folder(path, {SYSTEM: "win10-1709-dirty.SYSTEM", USER: "win10-dirty.NTUSER.DAT"})


def test_real_dirty_hives_are_judged_as_their_logs_make_them(dirty: Path) -> None:
    before = sums([dirty])
    verified = judged([dirty])
    (host,) = verified.report["hosts"]
    found = {finding["control"]: finding for finding in host["findings"]}
    assert host["status"] == "fail"
    assert found["firewall.malformed_rules"]["reason"] == "All 443 rules can be read."
    assert found["proxy.effective"]["reason"].startswith("ETS6 uses automatic detection (knx).")
    assert sums([dirty]) == before


@pytest.mark.parametrize("words", [APPLY, (*APPLY, "--check")])
def test_real_dirty_hives_are_not_written(dirty: Path, words: tuple[str, ...]) -> None:
    before = sums([dirty])
    refused = judged([dirty], *words)
    (host,) = refused.report["hosts"]
    assert (refused.code, host["status"]) == (2, "fail")
    assert "SYSTEM is dirty: writing it would lose what its logs hold. " in host["reason"]
    assert not any(finding["changed"] for finding in host["findings"])
    assert sums([dirty]) == before


def test_what_only_a_log_holds_counts(tmp_path: Path) -> None:
    stale = image.folder(pc(), tmp_path / "folder")
    ready = image.folder(pc("pc-already-right"), tmp_path / "other")
    before, after = ((folder / SYSTEM).read_bytes() for folder in (stale, ready))
    (stale / SYSTEM).write_bytes(hive.dirtied(before))
    (stale / f"{SYSTEM}.LOG1").write_bytes(hive.log(before, [hive.entry(7, before, after)], 7))
    assert judged([stale]).code == 0


def test_a_dirty_hive_without_its_logs_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "folder", {SYSTEM: "win10-1709-dirty.SYSTEM"})
    for number in (1, 2):
        (path / f"{SYSTEM}.LOG{number}").unlink()
    (host,) = judged([path]).report["hosts"]
    assert host["status"] == "unknown"
    told: set[Any] = {finding["reason"] for finding in host["findings"]}
    assert any(
        "SYSTEM is dirty and its logs (.LOG1, .LOG2) are not beside it" in reason for reason in told
    ), told
