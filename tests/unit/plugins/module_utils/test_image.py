# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot of an image whose hives are damaged: its own error, or a snapshot, and never anything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.module_utils.image import Image
from ansible_collections.ets6.network.plugins.module_utils.image_source import (
    ImageError,
    Replacement,
)
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.lab import hive, image
from ansible_collections.ets6.network.tests.lab.pc import Pc
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
