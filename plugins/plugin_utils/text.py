# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Text for people: sentences, lists of words, and text from a host made safe to show.

A host can send any text, and every text ends up in terminals, logs and reports. Control characters,
characters that change the direction of writing, and lone surrogates are shown as escape sequences.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_RESOURCE = r"(?P<resource>@\{[^{}\s]*\})"
"""A text of an app package, as in the rules of Windows' firewall: it has the form of a query."""
_LOGIN = (
    r"(?P<login>(?<=://)[^/?#\s]*@|(?<![^\s\"=;,])[^\s\"=;,:@/\\{}|]+:[^\s\"=;,/\\{}|@]*@(?=\w))"
)
"""A login in a URL, or before a proxy without a scheme (``jane:password@proxy:8080``)."""
_QUERY = r"(?<=\?)\S+"
"""What follows the question mark of a URL; like a login it has carried passwords and tokens."""
_LOGINS = re.compile(f"{_RESOURCE}|{_LOGIN}")
_URL_SECRETS = re.compile(f"{_RESOURCE}|{_LOGIN}|{_QUERY}")


def sentence(text: str) -> str:
    """Return the text with a capital first letter. The rest may hold paths and ids and stays as it is."""
    return text[:1].upper() + text[1:]


def join_words(words: Iterable[object], last: str = "and") -> str:
    """Return the distinct words as a list in a sentence: ``a, b and c``, or ``none`` without any."""
    texts = list(dict.fromkeys(str(word) for word in words))
    if not texts:
        return "none"
    if len(texts) == 1:
        return texts[0]
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def first_words(words: Sequence[str], limit: int, separator: str = ", ") -> str:
    """Return the first words, and how many more there are: ``a, b and 3 more``."""
    text = separator.join(words[:limit])
    if len(words) > limit:
        text += f" and {len(words) - limit} more"
    return text


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 host``, ``3 hosts``. The plural defaults to singular + s."""
    if number == 1:
        return f"1 {singular}"
    return f"{number} {plural or singular + 's'}"


def suggestion(word: str, candidates: Iterable[str], prefix: str = "") -> str:
    """Return ``; did you mean X?`` for the most similar candidate; empty where none is similar."""
    matches = difflib.get_close_matches(word, list(candidates), 1)
    return f"; did you mean {prefix}{matches[0]}?" if matches else ""


def shorten(text: str, length: int) -> str:
    """Return the text, cut to a number of characters. The last one is then an ellipsis."""
    if len(text) <= length:
        return text
    return f"{text[: length - 1]}…"


def without_url_secrets(text: str, replacement: str = "…") -> str:
    """Return the text with the replacement for logins and queries of URLs and proxies in it."""
    is_url = "://" in text
    if not is_url and "@" not in text:
        return text

    def replaced(match: re.Match[str]) -> str:
        if match["resource"]:
            return match["resource"]
        return f"{replacement}@" if match["login"] else replacement

    return (_URL_SECRETS if is_url else _LOGINS).sub(replaced, text)


def printable(text: str) -> str:
    """Return the text with every character that is not printable as an escape sequence."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def one_line(text: str, length: int) -> str:
    """Return the text printable, on one line, with single blanks, cut to a number of characters."""
    return shorten(printable(" ".join(text.split())), length)


def printable_data(data: Any, length: int) -> Any:
    """Return JSON data in which every text, keys included, is printable and cut to a length."""
    if isinstance(data, str):
        return shorten(printable(data), length)
    if isinstance(data, Mapping):
        return {
            printable_data(key, length): printable_data(value, length)
            for key, value in data.items()
        }
    if isinstance(data, (list, tuple)):
        return [printable_data(item, length) for item in data]
    return data
