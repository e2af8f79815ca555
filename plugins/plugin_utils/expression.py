# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""JMESPath as own controls are read: stricter than the standard.

JMESPath answers most mistakes with null, and null compares in ways that look like a pass. So it is read more strictly here:
only true and false count, all else leaves the control unknown with the reason; ``==``, ``!=`` and ``!``, but for those on each
entry of a list, refuse a path that is not there and two kinds of data that can never be equal; ``<`` and its like take numbers only,
since Python's JMESPath compares '10' and '9' as text and the standard gives null; and a name that nothing has of all that was
looked at is a mistake, also within filters, unless the expression says what is to be where it is missing.
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ETS6Error
from .formats.registry import fold

try:
    import jmespath
    import regex
    from jmespath import exceptions, visitor
    from jmespath import functions as standard
except ImportError as error:
    # Only who has own controls needs it.
    MISSING = str(error)
else:
    MISSING = ""

MAX_REASON = 400
NULL: Mapping[str, Any] = {"type": "literal", "value": None, "children": []}
"""How the compiled form of an expression has a null that was written out."""
SECONDS = 2.0
"""What all regular expressions of one evaluation may take together: the texts are a PC's, which may be hostile."""


class ExpressionError(ETS6Error):
    """An expression cannot be compiled. The text says where, and what is accepted."""


class UndecidedError(ETS6Error):
    """An expression cannot be decided. The text says why."""


if not MISSING:

    class Functions(standard.Functions):
        """JMESPath's functions, and a few that PCs call for. None reads a file or the network, or has a clock in its answer."""

        def __init__(self) -> None:
            self._until = time.monotonic() + SECONDS

        @standard.signature({"types": ["array", "object", "string", "null"]})
        def _func_count(self, value: Any) -> int:
            """Return the length, 0 of null."""
            return len(value or ())

        @standard.signature({"types": ["string"]}, {"types": ["string"]})
        def _func_match(self, text: str, pattern: str) -> bool:
            """Return whether the regular expression matches the whole text, without regard to letter case."""
            try:
                left = max(0.001, self._until - time.monotonic())
                return regex.fullmatch(pattern, text, regex.IGNORECASE, timeout=left) is not None
            except regex.error as error:
                raise UndecidedError(f"match(): {pattern!r} is no regular expression: {error}") from None
            except TimeoutError:
                raise UndecidedError(f"match(): {pattern!r} takes too long; say it with fewer repetitions within each other") from None

        @standard.signature({"types": ["string"]}, {"types": ["string"]})
        def _func_in_cidr(self, address: str, network: str) -> bool:
            """Return whether an IP address is in a network, 192.0.2.7 in 192.0.2.0/24."""
            try:
                return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
            except ValueError as error:
                raise UndecidedError(f"in_cidr(): {error}") from None

        @standard.signature({"types": ["string"]}, {"types": ["string"]})
        def _func_version_cmp(self, left: str, right: str) -> int:
            """Return -1, 0 or 1, as the version on the left is older, the same or newer: numbers between dots, 6.3 is 6.3.0."""
            numbers = []
            for text in (left, right):
                if not re.fullmatch(r"\d+(\.\d+)*", text):
                    raise UndecidedError(f"version_cmp(): {text!r} is no version; numbers between dots are")
                numbers.append([int(part) for part in text.split(".")])
            for parts in numbers:
                while parts[-1:] == [0]:
                    parts.pop()
            return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])

        @standard.signature({"types": ["object"]}, {"types": ["string"]}, {"types": ["string"]})
        def _func_value(self, registry: Mapping[str, Any], path: str, name: str) -> Any:
            r"""Return the data of a registry value, null where it is not there; case does not matter. A key that could not be read is an error."""
            keys = {fold(known): (known, key) for known, key in registry.items()}
            below = ""
            for part in (path, *_above(path)):
                if fold(part) in keys:
                    known, key = keys[fold(part)]
                    if key["state"] == "unreadable":
                        raise UndecidedError(f"value(): {known} could not be read: {key['error']}")
                    if not below:
                        return next((data for spelled, data in key["values"].items() if spelled.lower() == name.lower()), None)
                    if key["state"] == "missing" or fold(below) not in map(fold, key["keys"]):
                        return None
                    break
                below = part.rpartition("\\")[2]
            raise UndecidedError(f"value(): {path} is not among the keys that are read of a PC")

    class Interpreter(visitor.TreeInterpreter):
        """JMESPath's interpreter, which says where null or a wrong kind of data would decide."""

        def __init__(self) -> None:
            super().__init__(visitor.Options(custom_functions=Functions()))
            self._each = 0
            self._asked: dict[str, bool] = {}

        def visit_field(self, node: Any, value: Any) -> Any:
            """Return what has this name in an object; keep whether anything had it. Of null nothing can be said."""
            if value is not None:
                name = str(node["value"])
                self._asked[name] = self._asked.get(name, False) or (isinstance(value, dict) and name in value)
            return super().visit_field(node, value)

        def never_found(self, optional: Collection[str]) -> str:
            """Return a name that was asked for and that nothing had, but for those that may be missing; empty where there is none."""
            return next((name for name, found in self._asked.items() if not found and name not in optional), "")

        def visit_projection(self, node: Any, value: Any) -> Any:
            """Take each entry of a list."""
            return self._of_each(super().visit_projection, node, value)

        def visit_value_projection(self, node: Any, value: Any) -> Any:
            """Take each value of an object."""
            return self._of_each(super().visit_value_projection, node, value)

        def visit_filter_projection(self, node: Any, value: Any) -> Any:
            """Take the entries of a list that a condition holds for."""
            return self._of_each(super().visit_filter_projection, node, value)

        def _of_each(self, visit: Callable[[Any, Any], Any], node: Any, value: Any) -> Any:
            # Entries of a list differ: what one of them lacks is no mistake.
            self._each += 1
            try:
                return visit(node, value)
            finally:
                self._each -= 1

        def visit_comparator(self, node: Any, value: Any) -> Any:
            """Compare; raise UndecidedError where the answer would say nothing of the PC."""
            sides = [self.visit(child, value) for child in node["children"]]
            if node["value"] not in ("eq", "ne"):
                for side in sides:
                    if isinstance(side, bool) or not isinstance(side, (int, float)):
                        raise UndecidedError(
                            f"<, <=, > and >= compare numbers, but one side is {_shown(side)} (for versions use version_cmp)"
                        )
            elif not self._each and not any(child == NULL for child in node["children"]):
                for child, side in zip(node["children"], sides, strict=True):
                    if side is None:
                        raise UndecidedError(f"{_path(child)} is not there")
                if _kind(sides[0]) is not _kind(sides[1]):
                    raise UndecidedError(f"{_shown(sides[0])} and {_shown(sides[1])} are not of one kind, so they can never be equal")
            decided: Any = {**node, "children": [{"type": "literal", "value": side, "children": []} for side in sides]}
            return super().visit_comparator(decided, value)

        def visit_not_expression(self, node: Any, value: Any) -> Any:
            """Negate; raise UndecidedError where there is nothing to negate."""
            if not self._each and self.visit(node["children"][0], value) is None:
                raise UndecidedError(f"{_path(node['children'][0])} is not there")
            return super().visit_not_expression(node, value)


@dataclass(frozen=True)
class Expression:
    """A JMESPath expression that compiled."""

    text: str
    tree: Any

    @property
    def picks(self) -> bool:
        """Whether it picks entries of a list, so that an empty one says that none is there."""
        return str(self.tree["type"]).endswith("projection")

    def on(self, view: Any) -> Any:
        """Return its value. Raises UndecidedError with the reason where it has none."""
        return self._visit(Interpreter(), view)

    def _visit(self, interpreter: Interpreter, view: Any) -> Any:
        try:
            return interpreter.visit(self.tree, view)
        except UndecidedError:
            raise
        except RecursionError:
            raise UndecidedError("the data is nested too deep") from None
        except Exception as error:  # noqa: BLE001 - jmespath's functions raise whatever Python does
            raise UndecidedError(_cut(" ".join(str(error).split()) or type(error).__name__)) from None

    def decide(self, view: Any, what: str) -> bool:
        """Return its value where that is true or false. Raises UndecidedError, which calls the expression by what it is for."""
        interpreter = Interpreter()
        found = self._visit(interpreter, view)
        if not isinstance(found, bool):
            raise UndecidedError(f"{what} gives {_shown(found)}; only true and false count")
        if name := interpreter.never_found(frozenset(_optional(self.tree))):
            raise UndecidedError(f"nothing that {what} looks at has the name {name}; where it may be missing, say {name} || 'something'")
        return found


def compile_expression(text: Any, where: str) -> Expression:
    """Compile an expression. Raises ValueError with where it stands and the position in it."""
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(f"{where}: {text!r} is not accepted; a JMESPath expression is expected")
    if MISSING:
        raise ExpressionError(f"custom controls need a Python package on the controller: {MISSING} (pip install jmespath regex)")
    try:
        tree = jmespath.compile(text).parsed
    except exceptions.IncompleteExpressionError:
        raise ExpressionError(f"{where}: it ends too early, at character {len(text) + 1}: {text}") from None
    except exceptions.LexerError as error:
        raise ExpressionError(
            f"{where}: {error.message} at character {error.lexer_position + 1}: {_pointed(text, error.lexer_position)}"
        ) from None
    except exceptions.ParseError as error:
        raise ExpressionError(
            f"{where}: {error.token_value!r} is not expected at character {error.lex_position + 1}: {_pointed(text, error.lex_position)}"
        ) from None
    except (exceptions.JMESPathError, RecursionError) as error:
        raise ExpressionError(f"{where}: {' '.join(str(error).split()) or 'nested too deep'}") from None
    for name, count in _calls(tree):
        known = Functions.FUNCTION_TABLE.get(name)
        found = re.search(rf"{re.escape(name)}\s*\(", text)
        at = found.start() if found else 0
        if known is None:
            raise ExpressionError(
                f"{where}: there is no function {name} at character {at + 1}: {_pointed(text, at)}; "
                f"there are {', '.join(sorted(Functions.FUNCTION_TABLE))}"
            )
        wanted, where_in = known["signature"], f"at character {at + 1}: {_pointed(text, at)}"
        variadic = bool(wanted) and wanted[-1].get("variadic")
        if count < len(wanted) or (count > len(wanted) and not variadic):
            least = "at least " if variadic else ""
            raise ExpressionError(f"{where}: {name} takes {least}{len(wanted)} arguments and is given {count}, {where_in}")
    return Expression(text, tree)


def _calls(tree: Any) -> Iterator[tuple[str, int]]:
    """Return the functions that are called, with the number of their arguments."""
    if isinstance(tree, dict):
        if tree.get("type") == "function_expression":
            yield tree["value"], len(tree["children"])
        for child in tree.get("children", ()):
            yield from _calls(child)


def _optional(tree: Any) -> Iterator[str]:
    """Return the names that an expression expects to be missing: before ``||``, compared with null, or given to not_null()."""
    if not isinstance(tree, dict):
        return
    children = tree.get("children", [])
    kind, said = tree.get("type"), tree.get("value")
    if kind == "or_expression":
        yield from _names(children[0])
    elif (kind == "function_expression" and said == "not_null") or (
        kind == "comparator" and any(child == NULL for child in children)
    ):
        for child in children:
            yield from _names(child)
    for child in children:
        yield from _optional(child)


def _names(tree: Any) -> Iterator[str]:
    """Return the names that make up a path; nothing of what is no path."""
    if tree["type"] == "field":
        yield str(tree["value"])
    elif tree["type"] in ("subexpression", "index_expression"):
        for child in tree["children"]:
            yield from _names(child)


def _above(path: str) -> Iterator[str]:
    """Return the keys above a registry key, the nearest first."""
    while "\\" in path:
        path = path.rpartition("\\")[0]
        yield path


def _path(node: Mapping[str, Any]) -> str:
    """Return the path that a part of an expression names, as well as it can be said."""
    if node["type"] == "field":
        name = str(node["value"])
        return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)
    if node["type"] in ("subexpression", "index_expression"):
        return "".join(
            f"[{child['value']}]" if child["type"] == "index" else f".{_path(child)}" for child in node["children"]
        ).removeprefix(".")
    return f"{node['value']}()" if node["type"] == "function_expression" else "one side"


def _kind(value: Any) -> type:
    if isinstance(value, bool):
        return bool
    return next((kind for kind in (str, list, dict) if isinstance(value, kind)), float)


def _shown(value: Any) -> str:
    return "null (nothing is there)" if value is None else _cut(json.dumps(value, ensure_ascii=False, default=str), 80)


def _pointed(text: str, at: int) -> str:
    return f"{text[:at]}»{text[at:]}"


def _cut(text: str, length: int = MAX_REASON) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
