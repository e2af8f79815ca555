# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the parsers of variables share.

A parser takes what Ansible hands over, of any type, and returns the typed value. It raises
NotAcceptedError, whose text has the value (unless it may hold a login) and what is accepted; whoever
calls it puts the name of the variable in front.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils.names import fold
from ..errors import ETS6Error
from ..text import join_words, one_line, shorten

T = TypeVar("T")
S = TypeVar("S")

MAX_QUOTED = 200
"""Characters of a value that an error repeats."""
PREFIX = "ets6_network_"
"""What the names of the role's variables begin with."""


class NotAcceptedError(ETS6Error):
    """The value of a variable, or of a part of it, is not accepted.

    path leads to the part that is wrong: ``updates.url``, ``samples[0].expect``.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.problem = problem
        self.path = path

    def within(self, key: str) -> NotAcceptedError:
        """Return this error as one of the part that has this key or index (``[0]``)."""
        separator = "." if self.path and not self.path.startswith("[") else ""
        return NotAcceptedError(self.problem, f"{one_line(key, MAX_QUOTED)}{separator}{self.path}")


def not_accepted(value: Any, expected: str) -> NotAcceptedError:
    """Return the error for a value. One that may hold a login is not repeated."""
    return NotAcceptedError(f"{quoted(value)} is not accepted; {expected}")


def quoted(value: Any) -> str:
    """Return a value as an error repeats it: never one that may hold a login."""
    try:
        text = repr(value)
    except ValueError:
        # Python's own limit for the digits of a number.
        return "the value"
    return "the value" if "@" in text else shorten(text, MAX_QUOTED)


def choice(value: Any, accepted: Sequence[str]) -> str:
    """Return one of the accepted words, whatever its letter case."""
    if isinstance(value, str) and value.lower() in accepted:
        return value.lower()
    raise not_accepted(value, f"accepted are {', '.join(accepted)}")


def choice_of(accepted: Sequence[str]) -> Callable[[Any], str]:
    """Return the parser that takes one of these words."""

    def parse(value: Any) -> str:
        return choice(value, accepted)

    return parse


def flag(value: Any) -> bool:
    """Return a truth value; Ansible's words for it are accepted too."""
    try:
        return bool(boolean(value))
    except TypeError:
        raise not_accepted(value, "true or false is expected") from None


def dictionary(
    value: Any, keys: Sequence[str], expected: str, required: Sequence[str] = ()
) -> Mapping[Any, Any]:
    """Return a dictionary that has no other keys than these, and all that are required."""
    if not isinstance(value, Mapping):
        raise not_accepted(value, f"{expected} is expected")
    problems = []
    refused = sorted(quoted(str(key)) for key in value if key not in keys)
    if refused:
        problems.append(f"{_are(refused)} not accepted; accepted are {', '.join(keys)}")
    missing = [key for key in required if key not in value]
    if missing:
        problems.append(f"{_are(missing)} missing")
    if problems:
        raise NotAcceptedError("; ".join(problems))
    return value


def parse_each(entries: Iterable[tuple[str, S]], parse: Callable[[S], T]) -> list[T]:
    """Return every entry, parsed. Entries have their place (``entry 1``), which may be empty.

    Raises NotAcceptedError with what is wrong with all of them.
    """
    parsed = []
    errors = []
    for place, entry in entries:
        try:
            parsed.append(parse(entry))
        except NotAcceptedError as error:
            errors.append(error.within(place) if place else error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise NotAcceptedError("; ".join(map(str, errors)))
    return parsed


def parse_fields(
    fields: Mapping[Any, Any], parsers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """Return the fields that are there, each parsed by its parser.

    Raises NotAcceptedError with what is wrong with all of them.
    """
    keys = [key for key in parsers if key in fields]
    values = parse_each(((key, key) for key in keys), lambda key: parsers[key](fields[key]))
    return dict(zip(keys, values, strict=True))


def numbered(entries: Iterable[S]) -> Iterable[tuple[str, S]]:
    """Return entries with their places, for parse_each."""
    return ((f"entry {number}", entry) for number, entry in enumerate(entries, 1))


def list_of(
    parse_item: Callable[[Any], T], *, empty: bool, words: bool = False
) -> Callable[[Any], tuple[T, ...]]:
    """Return the parser of a list. Items that differ only in letter case count once, as in Windows.

    empty: whether the list may be empty. words: a text with commas is a list too, as ``-e`` hands
    it over.
    """

    def parse(value: Any) -> tuple[T, ...]:
        if words and isinstance(value, str):
            value = [word.strip() for word in value.split(",")]
        if not isinstance(value, (list, tuple)):
            raise not_accepted(value, "a list is expected")
        if not value and not empty:
            raise NotAcceptedError("the list is empty; at least one entry is needed")
        items: dict[str, T] = {}
        for item in parse_each((("", entry) for entry in value), parse_item):
            items.setdefault(fold(str(item)), item)
        return tuple(items.values())

    return parse


def words_of(value: Any, accepted: Iterable[str]) -> list[str]:
    """Return a list of accepted words. A text with commas is a list too, as ``-e`` hands it over."""
    words = value.split(",") if isinstance(value, str) else value
    choices = ", ".join(accepted)
    if not isinstance(words, (list, tuple)):
        raise not_accepted(value, f"a list is expected, of any of {choices}")
    texts = [str(word).strip() for word in words]
    refused = [quoted(text) for text in dict.fromkeys(texts) if text not in accepted]
    if refused:
        raise NotAcceptedError(f"{_are(refused)} not accepted; accepted are {choices}")
    return list(dict.fromkeys(texts))


def _are(words: Sequence[str]) -> str:
    """Return the words as the subject of a sentence, with its verb: ``a is``, ``a and b are``."""
    return f"{join_words(words)} {'is' if len(words) == 1 else 'are'}"


def is_port(text: str) -> bool:
    """Return whether a text is the number of a TCP port."""
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) < 65536
