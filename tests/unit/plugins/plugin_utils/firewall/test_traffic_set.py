# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Boxes of traffic against sets of single points."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.traffic_set import (
    LOCAL_PORT,
    MAX_BOXES,
    REMOTE_PORT,
    Box,
    TooManyPartsError,
    intersect,
    merge_spans,
    subtract,
)
from hypothesis import given
from hypothesis import strategies as st

PORTS = 8
pairs = st.tuples(st.integers(0, PORTS - 1), st.integers(0, PORTS - 1)).map(
    lambda pair: (min(pair), max(pair))
)
spans = st.lists(pairs, min_size=1, max_size=3).map(merge_spans)
boxes = st.fixed_dictionaries(
    {},
    optional={
        LOCAL_PORT: spans,
        REMOTE_PORT: spans,
        "user": st.sampled_from([((0, 0),), ((1, 1),)]),
    },
)


def points(box: Box) -> set[tuple[int, int, int]]:
    def inside(dimension: str, value: int) -> bool:
        return dimension not in box or any(first <= value <= last for first, last in box[dimension])

    every = itertools.product(range(PORTS), range(PORTS), (0, 1))
    return {
        point
        for point in every
        if inside(LOCAL_PORT, point[0])
        and inside(REMOTE_PORT, point[1])
        and inside("user", point[2])
    }


@given(boxes, boxes)
def test_intersect(one: Box, other: Box) -> None:
    common = intersect(one, other)
    assert (points(common) if common is not None else set()) == points(one) & points(other)


@given(boxes, boxes)
def test_subtract_is_exact_and_its_parts_do_not_overlap(one: Box, other: Box) -> None:
    parts = [points(part) for part in subtract([one], other)]
    assert set().union(*parts) == points(one) - points(other)
    assert sum(map(len, parts)) == len(set().union(*parts))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple)))
def test_merge_spans_keeps_the_points_and_leaves_gaps(raw: list[tuple[int, int]]) -> None:
    result = merge_spans(raw)
    assert {n for first, last in result for n in range(first, last + 1)} == {
        n for first, last in raw for n in range(first, last + 1)
    }
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(result))


def test_there_is_a_bound() -> None:
    many: list[Box] = [{LOCAL_PORT: ((number, number),)} for number in range(MAX_BOXES)]
    assert len(subtract(many, {LOCAL_PORT: ((70000, 70000),)})) == MAX_BOXES
    with pytest.raises(TooManyPartsError):
        subtract(many, {"user": ((1, 1),), "computer": ((1, 1),)})
