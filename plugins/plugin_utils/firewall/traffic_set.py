# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sets of traffic, exactly: which part of what ETS6 needs a rule is for.

A box restricts some dimensions; a dimension that it does not name is free. Addresses and ports are
spans of numbers. Any other condition (a user, an interface, ``LocalSubnet``) is a dimension of its
own with two values, 1 where it holds and 0 where it does not. So what only the PC can decide stays
open instead of being rounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from ..formats.firewall_address import ALL_V4, ALL_V6, V6_START, Span

REMOTE, LOCAL = "remote address", "local address"
ADDRESS = (REMOTE, LOCAL)
"""How the names of all dimensions of an address begin, those of keywords such as LocalSubnet too."""
ACCOUNT = "account"
"""The accounts that may run ETS6, by their numbers (accounts.Accounts)."""
IPSEC = "IPsec"
"""Whether IPsec authenticates the traffic: it does not where the other end is a KNX device."""
REMOTE_PORT, LOCAL_PORT = "remote port", "local port"
INTERFACE_TYPE = "interface type"
INTERFACE_TYPES = {"lan": 1, "wireless": 2, "remoteaccess": 3}
"""Numbers on the dimension INTERFACE_TYPE; 0 is any other type, such as mobile broadband."""

Spans = tuple[Span, ...]
"""Sorted, with gaps between them; only the last IPv4 and the first IPv6 address may touch."""
Box = Mapping[str, Spans]

HOLDS: Spans = ((1, 1),)
MAX_BOXES = 512
MAX_SPANS = 200_000
"""Rules that split the traffic into more parts, or more spans of addresses, are not judged."""

_ADDRESSES: Spans = ((ALL_V4[0], ALL_V6[1]),)
_PORTS: Spans = ((0, 65535),)
_UNIVERSE = {
    REMOTE: _ADDRESSES,
    LOCAL: _ADDRESSES,
    REMOTE_PORT: _PORTS,
    LOCAL_PORT: _PORTS,
    INTERFACE_TYPE: ((0, 3),),
}
_EITHER: Spans = ((0, 1),)


class TooManyPartsError(Exception):
    """The traffic falls into more than MAX_BOXES parts, or into more than MAX_SPANS spans."""


def merge_spans(spans: Iterable[Span]) -> Spans:
    """Return spans sorted, with those that touch put together.

    Spans of IPv4 and IPv6 stay apart.
    """
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + 1 and _same_family(start, merged[-1][1]):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _same_family(first: int, second: int) -> bool:
    return (first < V6_START) == (second < V6_START)


def intersect(first: Box, second: Box) -> Box | None:
    """Return what two boxes have in common, None where that is nothing."""
    box = dict(first)
    for dimension, spans in second.items():
        common = spans
        if dimension in box:
            common = _intersect_spans(box[dimension], spans)
        if not common:
            return None
        box[dimension] = common
    return box


def intersect_all(first: Iterable[Box], second: Sequence[Box]) -> list[Box]:
    """Return what two sets of boxes have in common."""
    boxes = []
    for first_box in first:
        for second_box in second:
            box = intersect(first_box, second_box)
            if box is not None:
                boxes.append(box)
    return boxes


def subtract(boxes: Sequence[Box], removed: Box) -> list[Box]:
    """Return boxes without what another box holds. Raises TooManyPartsError."""
    remainder: list[Box] = []
    for box in boxes:
        remainder += _subtract(box, removed)
    if len(remainder) > MAX_BOXES or sum(map(_size, remainder)) > MAX_SPANS:
        raise TooManyPartsError
    return remainder


def is_covered(boxes: Sequence[Box], covering: Iterable[Box]) -> bool:
    """Return whether other boxes hold all of the boxes. Raises TooManyPartsError."""
    rest = boxes
    for box in covering:
        rest = subtract(rest, box)
    return not rest


def without_conditions(boxes: Iterable[Box], beginnings: tuple[str, ...]) -> list[Box]:
    """Return boxes that do not restrict the dimensions whose names begin so."""
    return [_without(box, beginnings) for box in boxes]


def _without(box: Box, beginnings: tuple[str, ...]) -> Box:
    return {name: spans for name, spans in box.items() if not name.startswith(beginnings)}


def _size(box: Box) -> int:
    return sum(map(len, box.values()))


def _subtract(box: Box, removed: Box) -> list[Box]:
    parts: list[Box] = []
    inner = dict(box)
    for dimension, spans in removed.items():
        current = inner.get(dimension) or _UNIVERSE.get(dimension, _EITHER)
        inside = _intersect_spans(current, spans)
        if not inside:
            return [box]
        outside = _subtract_spans(current, spans)
        if outside:
            parts.append({**inner, dimension: outside})
        inner[dimension] = inside
    return parts


def _intersect_spans(first: Spans, second: Spans) -> Spans:
    if len(first) > len(second):
        first, second = second, first
    common: list[Span] = []
    position = 0
    for start, end in first:
        position = bisect_left(second, start, lo=position, key=_last)
        while position < len(second) and second[position][0] <= end:
            common.append((max(start, second[position][0]), min(end, second[position][1])))
            if second[position][1] > end:
                break
            position += 1
    return tuple(common)


def _subtract_spans(spans: Spans, removed: Spans) -> Spans:
    remainder: list[Span] = []
    position = 0
    for start, end in spans:
        position = bisect_left(removed, start, lo=position, key=_last)
        while position < len(removed) and removed[position][0] <= end:
            first, last = removed[position]
            if first > start:
                remainder.append((start, first - 1))
            start = last + 1
            if last > end:
                break
            position += 1
        if start <= end:
            remainder.append((start, end))
    return tuple(remainder)


def _last(numbers: Span) -> int:
    return numbers[1]
