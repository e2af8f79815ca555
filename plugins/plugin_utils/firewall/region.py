# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sets of traffic, exactly: which part of what ETS6 needs a rule is for.

A box restricts some dimensions; a dimension that it does not name is free. Addresses and ports are spans of numbers. Any
other condition (a user, an interface, ``LocalSubnet``) is a dimension of its own with two places, 1 where it holds and 0
where not: what only the PC can decide stays open instead of being rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..formats.firewall_address import ALL_V4, ALL_V6, Span

REMOTE, LOCAL = "remote address", "local address"
REMOTE_PORT, LOCAL_PORT = "remote port", "local port"
INTERFACE_TYPE = "interface type"
INTERFACE_TYPES = {"lan": 1, "wireless": 2, "remoteaccess": 3}
"""Numbers on the dimension INTERFACE_TYPE; 0 is every other type, such as mobile broadband."""

Spans = tuple[Span, ...]
"""Sorted, apart from each other."""
Box = Mapping[str, Spans]

HOLDS: Spans = ((1, 1),)
MAX_BOXES = 512
"""More parts than this are told apart for nobody: rules that split traffic so much are taken as not to be judged."""

_ADDRESSES: Spans = ((ALL_V4[0], ALL_V6[1]),)
_PORTS: Spans = ((0, 65535),)
_UNIVERSE = {REMOTE: _ADDRESSES, LOCAL: _ADDRESSES, REMOTE_PORT: _PORTS, LOCAL_PORT: _PORTS, INTERFACE_TYPE: ((0, 3),)}
_EITHER: Spans = ((0, 1),)


class TooManyParts(Exception):
    """The traffic falls into more than MAX_BOXES parts."""


def merged(spans: Iterable[Span]) -> Spans:
    """Return spans sorted, with those that touch put together."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)


def both(one: Box, other: Box) -> Box | None:
    """Return what two boxes have in common, None where that is nothing."""
    result = dict(one)
    for dimension, spans in other.items():
        common = _common(result[dimension], spans) if dimension in result else spans
        if not common:
            return None
        result[dimension] = common
    return result


def minus(boxes: Sequence[Box], taken: Box) -> list[Box]:
    """Return boxes without what another one holds. Raises TooManyParts."""
    result = [part for box in boxes for part in _without(box, taken)]
    if len(result) > MAX_BOXES:
        raise TooManyParts
    return result


def _without(box: Box, taken: Box) -> list[Box]:
    parts: list[Box] = []
    rest = dict(box)
    for dimension, spans in taken.items():
        own = rest.get(dimension) or _UNIVERSE.get(dimension, _EITHER)
        inside = _common(own, spans)
        if not inside:
            return [box]
        outside = _difference(own, spans)
        if outside:
            parts.append({**rest, dimension: outside})
        rest[dimension] = inside
    return parts


def _common(one: Spans, other: Spans) -> Spans:
    result: list[Span] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start <= end:
            result.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(result)


def _difference(one: Spans, other: Spans) -> Spans:
    result: list[Span] = []
    for start, end in one:
        for first, last in other:
            if last < start:
                continue
            if first > end:
                break
            if first > start:
                result.append((start, first - 1))
            start = last + 1
        if start <= end:
            result.append((start, end))
    return tuple(result)
