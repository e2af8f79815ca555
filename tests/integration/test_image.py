# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The whole way of an image, from the playbook into the hives and back into a report, for every kind of image."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.images import (
    APPLY,
    LOCAL_RULES,
    PROXY,
    SOFTWARE,
    SYSTEM,
    TROUBLED,
    judged,
    need_programs,
    only,
    pc,
    sums,
    taken_out,
    values,
)
from tests.lab import image
from tests.lab.lab import Lab
from tests.lab.pc import WINHTTP_KEYS, Pc
from tests.lab.play import play, run

NOT_KNOWN_OFFLINE = {
    "firewall.active_profile",
    "firewall.in_charge",
    "firewall.service",
    "proxy.login",
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make images of all kinds. Their names are not those of their kinds."""
    need_programs()
    place = tmp_path_factory.mktemp("images")
    folder = image.folder(pc(), place / "folder.wim")
    volume = image.volume(folder, place / "volume.iso")
    return {
        "folder": folder,
        "wim": image.wim(
            {"Windows 11 Pro": folder, "Windows 11 Home": folder}, place / "several.vhdx"
        ),
        "esd": image.wim({"Windows 11 Pro": folder}, place / "one.raw", esd=True),
        "volume": volume,
        "raw": image.disk(volume, place / "mbr.qcow2", gpt=False),
        "vhd": image.disk(volume, place / "vhd.img", "vpc"),
        "vhdx": image.disk(volume, place / "vhdx.vhd", "vhdx"),
        "qcow2": image.disk(volume, place / "qcow2", "qcow2"),
    }


@pytest.fixture(scope="module")
def story(images: dict[str, Path]) -> dict[str, Any]:
    """Judge all images, predict, prepare, and prepare them again; with the hashes of all files in between."""
    paths = list(images.values())
    told: dict[str, Any] = {"untouched": sums(paths)}
    for name, words in (
        ("verified", PROXY),
        ("predicted", (*APPLY, *PROXY, "--check", "--diff")),
        ("applied", (*APPLY, *PROXY, "--diff")),
        ("again", (*APPLY, *PROXY, "--diff")),
    ):
        told[name] = judged(paths, *words)
        told[f"after {name}"] = sums(paths)
    return told


def test_an_image_is_only_read_unless_it_is_to_be_prepared(
    images: dict[str, Path], story: dict[str, Any]
) -> None:
    verified = story["verified"]
    assert verified.code == 2
    assert len(verified.statuses()) == len(images) + 1, "a WIM with two images is two hosts"
    assert set(verified.statuses().values()) == {"fail"}, verified.output
    assert story["after verified"] == story["untouched"]


def test_every_kind_of_image_gives_the_same_findings(story: dict[str, Any]) -> None:
    for name in ("verified", "predicted", "applied", "again"):
        told = {json.dumps(_findings(host), sort_keys=True) for host in story[name].report["hosts"]}
        assert len(told) == 1, name


def _findings(host: dict[str, Any]) -> Any:
    return {
        finding["control"]: (finding["status"], finding["reason"], finding["changed"])
        for finding in host["findings"]
    }


def test_what_an_image_cannot_say_is_not_applicable_with_the_reason(story: dict[str, Any]) -> None:
    found = {one["control"]: one for one in story["applied"].report["hosts"][0]["findings"]}
    offline = {name for name in found if name.startswith("reach.")} | NOT_KNOWN_OFFLINE
    assert {name for name, one in found.items() if one["status"] == "not_applicable"} == offline
    for name in offline:
        assert found[name]["reason"].startswith("An image "), name


def test_check_mode_predicts_and_changes_nothing(story: dict[str, Any]) -> None:
    predicted, applied = story["predicted"], story["applied"]
    assert set(predicted.statuses().values()) == {"would_fix"}
    assert story["after predicted"] == story["untouched"]
    assert predicted.diff() == applied.diff() != []
    before, after = _findings(predicted.report["hosts"][0]), _findings(applied.report["hosts"][0])
    for control, (status, _reason, changed) in before.items():
        assert after[control][0] == status.replace("would_fix", "fixed")
        assert after[control][2] == changed or status == "would_fix"


def test_preparing_makes_an_image_comply(story: dict[str, Any]) -> None:
    assert story["applied"].code == 0, story["applied"].output
    assert set(story["applied"].statuses().values()) == {"fixed"}
    assert story["after applied"].keys() == story["untouched"].keys(), (
        "something was left beside the images"
    )


def test_a_second_run_changes_nothing_byte_for_byte(story: dict[str, Any]) -> None:
    again = story["again"]
    assert (again.code, set(again.statuses().values())) == (0, {"pass"})
    assert story["after again"] == story["after applied"]
    assert not re.search(r"changed=[1-9]", again.output)
    assert again.diff() == []


@pytest.fixture(scope="module")
def live() -> tuple[Pc, set[str]]:
    """Return the same PC, made ready over WinRM, and the controls by which it was judged."""
    with Lab(only(TROUBLED), scripts=False) as lab:
        played = play(lab, "playbooks/ets6-network.yml", *PROXY)
        return lab.members[TROUBLED].pc, {
            finding["control"] for finding in played.host(TROUBLED)["findings"]
        }


@pytest.mark.parametrize("kind", ["folder", "wim", "esd", "volume", "raw", "vhd", "vhdx", "qcow2"])
def test_other_readers_find_in_every_kind_what_the_live_pc_has(
    kind: str, images: dict[str, Path], story: dict[str, Any], live: tuple[Pc, set[str]]
) -> None:
    assert story["applied"].code == 0
    wanted = image.hives(live[0])
    for index in ("1", "2") if kind == "wim" else ("1",):
        assert (
            values(taken_out(images[kind], kind, SYSTEM, index), LOCAL_RULES)
            == wanted[SYSTEM][LOCAL_RULES]
        )
        software = taken_out(images[kind], kind, SOFTWARE, index)
        for key in WINHTTP_KEYS:
            below = key.partition("SOFTWARE\\")[2]
            assert (
                values(software, below)["WinHttpSettings"]
                == wanted[SOFTWARE][below]["WinHttpSettings"]
            )


def test_an_image_is_judged_by_the_controls_of_a_live_pc(
    story: dict[str, Any], live: tuple[Pc, set[str]]
) -> None:
    offline = {finding["control"] for finding in story["applied"].report["hosts"][0]["findings"]}
    # Which endpoints there are is the policy's business, and the lab has its own.
    assert {name for name in offline if not name.startswith("reach.")} == {
        name for name in live[1] if not name.startswith("reach.")
    }
    assert "reach.interception" in offline & live[1]


def test_a_name_with_blanks_picks_its_image_or_the_run_is_refused(tmp_path: Path) -> None:
    """Ansible cuts a value of -e off at a blank: what is left of Windows 11 Pro here is the name of another image."""
    need_programs()
    folder, reports = tmp_path / "my images", tmp_path / "my reports"
    folder.mkdir()
    content = image.folder(pc("pc-already-right"), tmp_path / "content")
    image.wim(
        {"Windows": content, "Windows 11": content, "Windows 11 Pro": content},
        folder / "install.wim",
    )
    path = str(folder / "install.wim")

    for name, number in (("Windows 11", 2), ("Windows 11 Pro", 3)):
        given = json.dumps({"image": path, "image_index": name})
        picked = run(
            "playbooks/image.yml", "-i", "localhost,", "-e", given, reports=tmp_path / name
        )
        assert (picked.code, picked.statuses()) == (0, {f"{Path(path).name}#{number}": "pass"}), (
            picked.output
        )

    untouched = sums([folder / "install.wim"])
    shorter = tmp_path / "install.wim"
    shorter.symlink_to(path)
    for words in (
        ("-e", f"image={shorter}", "-e", "image_index=Windows 11 Pro"),
        ("-e", f"image={path}"),
        ("-e", f"image={shorter}", "-e", f"ets6_network_report_dir={reports}"),
    ):
        refused = run(
            "playbooks/image.yml", "-i", "localhost,", *APPLY, *words, reports=tmp_path / "refused"
        )
        assert refused.code == 2
        assert "Ansible ends a value at the first blank" in refused.output
        assert set(refused.statuses().values()) <= {"unknown"}, refused.output
    assert sums([folder / "install.wim"]) == untouched


def test_there_is_a_playbook_for_either(tmp_path: Path) -> None:
    """verify_image changes nothing, whatever a variable says; prepare_image prepares and judges again."""
    path = image.folder(pc(), tmp_path / "images/windows")
    before = sums([path])
    for name, words, code, status in (
        ("verify_image", APPLY, 2, "fail"),
        ("prepare_image", (), 0, "fixed"),
        ("verify_image", (), 0, "pass"),
    ):
        given = (*words, *PROXY, "-e", json.dumps({"image": [str(path)]}))
        reports = tmp_path / "report"
        played = run(f"playbooks/{name}.yml", "-i", "localhost,", *given, reports=reports)
        assert (played.code, set(played.statuses().values())) == (code, {status}), played.output
        assert (sums([path]) == before) == (status == "fail")
        closing = played.output.index("ets6.network: ")
        assert "[ERROR]" not in played.output[closing:]
        assert "=> " not in played.output[closing:]
