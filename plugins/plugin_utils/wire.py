# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How replies of a host are read: every value by its type, or an error that says where it is.

A reply comes from a machine that may be hostile. Whoever reads it names the location in it
(``probes[2].http.status``) and gets the value or a SnapshotError.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .errors import ETS6Error
from .text import one_line

T = TypeVar("T")
C = TypeVar("C", list[Any], dict[str, Any])

NAMES = {dict: "an object", list: "a list", str: "a text", int: "a whole number", bool: "a flag"}
"""How errors call the types of JSON."""


MAX_TEXT = 64 * 1024
"""Characters of a text: no path and no name of Windows is longer."""
MAX_NAME = 16 * 1024
"""Characters of a name, which is that of a value of the registry at most."""
MAX_ERROR = 500
"""Characters of an error."""
MAX_ITEMS = 50_000
"""Entries of one list or object."""


class SnapshotError(ETS6Error):
    """The reply of a host cannot be read as a snapshot. The text says where and what.

    A location in it may be a name that the host made up: the text is printable, on one line and cut.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, MAX_ERROR))


def expect(kind: type[T], raw: Any, location: str) -> T:
    """Return a value that is of a type. Raises SnapshotError."""
    is_flag_for_number = kind is int and isinstance(raw, bool)
    if not isinstance(raw, kind) or is_flag_for_number:
        found = "null" if raw is None else NAMES.get(type(raw), type(raw).__name__)
        raise SnapshotError(f"{location}: expected {NAMES.get(kind, kind.__name__)}, found {found}")
    return raw


def optional(parse: Callable[[Any, str], T], raw: Any, location: str) -> T | None:
    """Return what is parsed, or None for null."""
    return None if raw is None else parse(raw, location)


def items(
    parse: Callable[[Any, str], T], raw: Any, location: str, most: int = MAX_ITEMS
) -> tuple[T, ...]:
    """Return a list with every item parsed. Raises SnapshotError."""
    parsed = []
    for index, item in enumerate(_counted(expect(list, raw, location), location, most)):
        parsed.append(parse(item, f"{location}[{index}]"))
    return tuple(parsed)


def items_of(
    parse: Callable[[Any, str], T], most: int = MAX_ITEMS
) -> Callable[[Any, str], tuple[T, ...]]:
    """Return the parser of a list, for optional and the like."""

    def parse_list(raw: Any, location: str) -> tuple[T, ...]:
        return items(parse, raw, location, most)

    return parse_list


def mapping(parse: Callable[[Any, str], T], raw: Any, location: str) -> dict[str, T]:
    """Return an object with every value parsed. Raises SnapshotError."""
    parsed = {}
    for name, value in _counted(expect(dict, raw, location), location, MAX_ITEMS).items():
        parsed[name_of(name, location)] = parse(value, f"{location}[{name}]")
    return parsed


def _counted(container: C, location: str, most: int) -> C:
    if len(container) > most:
        raise SnapshotError(f"{location}: {len(container)} entries; at most {most} are accepted")
    return container


def text(raw: Any, location: str, most: int = MAX_TEXT) -> str:
    """Return a text. Raises SnapshotError."""
    content = expect(str, raw, location)
    if len(content) > most:
        raise SnapshotError(f"{location}: {len(content)} characters; at most {most} are accepted")
    return content


def name_of(raw: Any, location: str) -> str:
    """Return a name, such as a key of an object. Raises SnapshotError."""
    return text(raw, f"a name in {location}", MAX_NAME)


def number(raw: Any, location: str) -> int:
    """Return a whole number. Raises SnapshotError."""
    return expect(int, raw, location)


def data(raw: Any, location: str) -> bytes:
    """Return the bytes of a base64 text. Raises SnapshotError."""
    try:
        return base64.b64decode(expect(str, raw, location), validate=True)
    except (binascii.Error, ValueError):
        raise SnapshotError(f"{location}: expected base64, found other text") from None


def is_deeper(raw: Any, levels: int) -> bool:
    """Return whether JSON data is nested deeper than a number of levels."""
    nested: list[Any] = [raw]
    for _level in range(levels):
        nested = list(_inner(nested))
    return any(isinstance(item, (dict, list)) for item in nested)


def _inner(containers: Iterable[Any]) -> Iterable[Any]:
    for container in containers:
        if isinstance(container, Mapping):
            yield from container.values()
        elif isinstance(container, list):
            yield from container
