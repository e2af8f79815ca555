# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot of an image whose hives are damaged: its own error, or a snapshot, and never anything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive
from ansible_collections.ets6.network.plugins.module_utils.hive_security import RESTRICTED
from ansible_collections.ets6.network.plugins.module_utils.image import Image
from ansible_collections.ets6.network.plugins.module_utils.image_source import (
    ImageError,
    Replacement,
)
from ansible_collections.ets6.network.plugins.modules import windows_image
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding, remedies
from ansible_collections.ets6.network.plugins.plugin_utils.operations import (
    as_registry_operations,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.lab import hive, image
from ansible_collections.ets6.network.tests.lab.pc import (
    INTERNET,
    MACHINE_INTERNET,
    MACHINE_INTERNET_32,
    USER,
    Pc,
    connection_blob,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import assess
from hypothesis import given, settings
from hypothesis import strategies as st


class Files:
    """An image that is in memory. Paths count letter by letter."""

    title = "made"
    data_volumes = ()

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    def read(self, path: str, most: int | None = None) -> bytes | None:
        content = self.files.get(path)
        return content if content is None or most is None else content[:most]

    def size(self, path: str) -> int | None:
        return len(self.files[path]) if path in self.files else None

    def has_folder(self, path: str) -> bool:
        return any(file.startswith(f"{path}/") for file in self.files)

    def refuse_unwritable(self, files: Iterable[str]) -> None: ...

    def replace(self, files: Mapping[str, Replacement]) -> None:
        self.files.update({path: one.after for path, one in files.items()})

    def close(self) -> None: ...


HIVES = {
    path: hive.build(keys, name=path.rpartition("/")[2])
    for path, keys in image.hives(Pc("pc")).items()
}
WINDOWS = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
ASKED: dict[str, Any] = controls.request(Policy())
SOUND = Image(Files(HIVES)).snapshot(ASKED)


def judged(files: Mapping[str, bytes]) -> dict[str, Any] | None:
    """Read and judge an image; None where it is refused."""
    try:
        found = Image(Files(files)).snapshot(ASKED)
    except ImageError:
        return None
    assert controls.Assessment(Snapshot.from_wire(json.loads(json.dumps(found))), Policy()).findings
    return found


@pytest.mark.parametrize(
    ("names", "read"), [(["proxyENABLE", "x"], ["ProxyEnable"]), (["x"], []), ([], ["ProxyEnable"])]
)
def test_only_the_named_values_of_a_key_are_read(names: list[str], read: list[str]) -> None:
    key = {"path": INTERNET, "values": names}
    keys = Image(Files(HIVES)).snapshot({**ASKED, "user_registry": [key]})["registry"]
    assert list(keys[rf"HKU\default\{INTERNET}"]["values"]) == read


def test_only_the_named_values_of_a_key_of_the_machine_are_read() -> None:
    key = {"path": WINDOWS, "values": ["editionID", "x"]}
    keys = Image(Files(HIVES)).snapshot({**ASKED, "registry": [key]})["registry"]
    assert list(keys[WINDOWS]["values"]) == ["EditionID"]


PLACES = [(path, at) for path, content in HIVES.items() for at in range(len(content))]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.integers(0, 7)), min_size=1, max_size=5))
def test_flipped_bits_in_the_hives_of_an_image_are_an_error_or_give_a_snapshot_that_can_be_judged(
    flips: list[tuple[tuple[str, int], int]],
) -> None:
    damaged = {path: bytearray(content) for path, content in HIVES.items()}
    for (path, at), bit in flips:
        damaged[path][at] ^= 1 << bit
    judged({path: bytes(content) for path, content in damaged.items()})


@pytest.mark.parametrize("path", sorted(HIVES))
def test_a_flipped_bit_in_the_head_of_a_hive_is_noticed_or_makes_no_difference(path: str) -> None:
    for at in (*range(0, 512, 5), 511, 512, 4095):
        damaged = bytearray(HIVES[path])
        damaged[at] ^= 1 << at % 8
        found = judged({**HIVES, path: bytes(damaged)})
        unharmed = found is not None and found["users"] == SOUND["users"]
        assert unharmed == (at >= 512), at
        assert not unharmed or found == SOUND


@pytest.mark.parametrize("path", sorted(HIVES))
def test_a_hive_that_was_cut_off_is_noticed_wherever_it_ends(path: str) -> None:
    for size in range(0, len(HIVES[path]), len(HIVES[path]) // 40):
        found = judged({**HIVES, path: HIVES[path][:size]})
        assert found is None or found["users"] != SOUND["users"], size


def keys_of(content: bytes) -> dict[str, dict[str, tuple[int, bytes]]]:
    """Return the keys of a hive that hold values, with these."""
    found = {}
    pending = [(Hive(content, "made").root, "")]
    while pending:
        key, path = pending.pop()
        values = {value.name: (value.type, value.data) for value in key.values()}
        if values:
            found[path] = values
        pending += [(subkey, rf"{path}\{subkey.name}") for subkey in key.subkeys()]
    return found


def settle(files: Files, **policy: Any) -> None:
    """Change the proxy of an image as a policy asks, and check that this suffices."""
    asked = Policy.from_variables(policy)

    def findings() -> tuple[Snapshot, list[Finding]]:
        seen = Snapshot.from_wire(json.loads(json.dumps(Image(files).snapshot(ASKED))))
        return seen, assess(seen, asked, "proxy")

    seen, judged_before = findings()
    steps = [step for change in remedies(judged_before) for step in change.operations]
    Image(files).apply(as_registry_operations(steps, seen.registry))
    assert remedies(findings()[1]) == []


SOFTWARE = f"{image.CONFIG}/SOFTWARE"
OWN_RECORDS = r"ets6.network\Proxy"
MODES: list[dict[str, Any]] = [
    {"mode": "direct"},
    {"mode": "autodetect"},
    {"mode": "named", "server": "new:1", "bypass": ["<local>"]},
    {"mode": "pac", "pac_url": "http://new/x.pac"},
]
EARLIER_BLOBS: dict[str, Any] = {
    "nothing": None,
    "a login": None,
    "five bytes": ["REG_BINARY", "RgAAAAA="],
    "a script": connection_blob(13, "old:1", "", "http://old/x.pac", 9, 0x3C),
}


def earlier_pc(state: str) -> Pc:
    """Return a PC whose user, default profile, and both views of the machine have an earlier state."""
    machine = Pc("pc", rule_count=0)
    places = [rf"HKU\{USER}\{INTERNET}", rf"FILE\C:\Users\Default\NTUSER.DAT\{INTERNET}"]
    for place in (*places, MACHINE_INTERNET, MACHINE_INTERNET_32):
        machine.set(place + r"\Connections")
        blobs = machine.state["registry"][place + r"\Connections"]["values"]
        for name in ("DefaultConnectionSettings", "SavedLegacySettings"):
            blobs.pop(name, None)
            if EARLIER_BLOBS[state] is not None:
                blobs[name] = EARLIER_BLOBS[state]
        if state == "a login":
            server = f"{'knx' if place in places else 'machine'}:s3cret@old:1"
            machine._wininet(place, 3, server, "", "")
    if state == "a login":
        machine.winhttp_proxy("machine:s3cret@old:1")
    return machine


@pytest.mark.parametrize("state", EARLIER_BLOBS)
@pytest.mark.parametrize("scope", ["machine", "users"])
@pytest.mark.parametrize("setting", MODES, ids=lambda setting: setting["mode"])
def test_an_image_gets_back_what_it_had_and_nobody_else_reads_the_record(
    setting: dict[str, Any], scope: str, state: str
) -> None:
    files = Files(
        {
            path: hive.build(keys, name=path.rpartition("/")[2])
            for path, keys in image.hives(earlier_pc(state)).items()
        }
    )
    before = {path: keys_of(content) for path, content in files.files.items()}
    settle(files, proxy={**setting, "scope": scope})
    software = Hive(files.files[SOFTWARE], SOFTWARE)
    record = software.find(OWN_RECORDS)
    if record is not None:
        assert record.security == RESTRICTED
        above = software.find("ets6.network")
        assert above is not None
        assert above.security == RESTRICTED
        names = {value.name for value in record.values()}
        assert names <= {"machine", "machine32", "policy", "winhttp"}
    assert record is not None or scope == "users"
    assert "knx:s3cret" not in readable(keys_of(files.files[SOFTWARE])), "it is the user's"
    settle(files, state="absent")
    assert {path: keys_of(content) for path, content in files.files.items()} == before


def test_the_log_of_the_controller_has_no_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ansible logs the arguments of a module; an operation may hold the login of a proxy."""
    record = {"do": "set_registry_values", "path": "HKLM", "values": [["x", "REG_SZ", "s3cret"]]}
    arguments = {"path": str(tmp_path / "nothing"), "operations": [record]}
    wire = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", wire)
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    logged: list[str] = []
    monkeypatch.setattr(
        basic.AnsibleModule, "log", lambda _module, text, **_more: logged.append(str(text))
    )
    with pytest.raises(SystemExit):
        windows_image.main()
    assert "s3cret" not in "".join(logged)


def readable(keys: Mapping[str, Any]) -> str:
    """Return what a hive's values say, in either of the two encodings of texts."""
    texts = []
    for values in keys.values():
        for _kind, data in values.values():
            texts += [data.decode("latin-1"), data.decode("utf-16-le", "replace")]
    return "\n".join(texts)
