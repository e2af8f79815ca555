# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""JMESPath's interpreter and functions, stricter than the standard: see expression.

It is a module of its own since the packages jmespath and regex are needed only where there are
custom controls.
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from .errors import ExpressionError, UndecidedError
from .formats.registry import fold_path
from .text import shorten
from .wire import is_deeper

try:
    import jmespath
    import regex
    from jmespath import exceptions, visitor
    from jmespath import functions as standard
except ImportError as error:
    MISSING = str(error)
    """Why the packages are not there; empty where they are."""
else:
    MISSING = ""

Node = Any
"""A node of the tree that jmespath makes of an expression: type, children, and perhaps a value."""

NULL: Node = {"type": "literal", "value": None, "children": []}
"""The node of a null that is written in an expression."""
PATHS = ("subexpression", "index_expression")
SECONDS = 2.0
"""What one evaluation may take: the data is a PC's, perhaps hostile."""
MAX_SIZE = 2_000_000
"""Entries, and hundreds of characters, that a value may have: more than any snapshot has. An
expression such as ``[@,@]|[@,@]|…`` makes twice as many of them with each step."""
MAX_TEXT = 64 * 1024 * 1024
MAX_CONTEXT = 200
"""Characters of an expression that an error repeats on either side of its position."""
MAX_EXCERPT = 80
"""Characters of a value that a reason repeats."""


if not MISSING:

    class Functions(standard.Functions):
        """JMESPath's functions, and a few more for PCs.

        None reads a file or the network, or has a clock in its answer.
        """

        def __init__(self) -> None:
            self.until = time.monotonic() + SECONDS

        def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
            """Call a function. Raises UndecidedError where one of JMESPath's fails on the data."""
            if f"_func_{function_name}" in vars(Functions):
                return super().call_function(function_name, resolved_args)
            try:
                return super().call_function(function_name, resolved_args)
            except (UndecidedError, exceptions.JMESPathError):
                # The first comes from a function of ours in an argument, such as that of sort_by.
                raise
            except Exception as error:  # noqa: BLE001 - jmespath's raise whatever Python does
                raise UndecidedError(f"{function_name}(): {error}") from None

        @standard.signature({"types": ["array", "object", "string", "null"]})
        def _func_count(self, value: Any) -> int:
            """Return the length, 0 of null."""
            return len(value or ())

        @standard.signature({"types": ["string"]}, {"types": ["array-string"]})
        def _func_join(self, glue: str, texts: list[str]) -> str:
            """Put texts together; raise UndecidedError where the result is too long."""
            if sum(map(len, texts)) + len(glue) * len(texts) > MAX_TEXT:
                raise UndecidedError(f"join() would give more than {MAX_TEXT} characters")
            return glue.join(texts)

        @standard.signature({"types": ["string"]}, {"types": ["string"]})
        def _func_match(self, text: str, pattern: str) -> bool:
            """Return whether a regular expression matches the whole text, whatever the letter case."""
            remaining = max(0.001, self.until - time.monotonic())
            try:
                match = regex.fullmatch(pattern, text, regex.IGNORECASE, timeout=remaining)
            except regex.error as error:
                raise UndecidedError(
                    f"match(): {pattern!r} is not a regular expression: {error}"
                ) from None
            except TimeoutError:
                raise UndecidedError(
                    f"match(): {pattern!r} takes too long; write it with fewer repetitions within each "
                    "other"
                ) from None
            return match is not None

        @standard.signature({"types": ["string"]}, {"types": ["string"]})
        def _func_in_cidr(self, address: str, network: str) -> bool:
            """Return whether an IP address is in a network: 192.0.2.7 in 192.0.2.0/24."""
            try:
                return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
            except ValueError as error:
                raise UndecidedError(f"in_cidr(): {error}") from None

        @standard.signature({"types": ["string"]}, {"types": ["string"]})
        def _func_version_cmp(self, left: str, right: str) -> int:
            """Return -1, 0 or 1, as the left version is older, the same or newer.

            A version is numbers between dots; 6.3 is 6.3.0.
            """
            left_numbers, right_numbers = _version(left), _version(right)
            return (left_numbers > right_numbers) - (left_numbers < right_numbers)

        @standard.signature({"types": ["object"]}, {"types": ["string"]}, {"types": ["string"]})
        def _func_value(self, registry: Mapping[str, Any], path: str, name: str) -> Any:
            """Return the data of a registry value, null where it is missing; letter case is ignored.

            A key that could not be read is an error.
            """
            keys = {fold_path(key_path): (key_path, key) for key_path, key in registry.items()}
            child = ""
            for ancestor in (path, *_parents(path)):
                if fold_path(ancestor) not in keys:
                    child = ancestor.rpartition("\\")[2]
                    continue
                key_path, key = keys[fold_path(ancestor)]
                if key["state"] == "unreadable":
                    raise UndecidedError(f"value(): {key_path} could not be read: {key['error']}")
                if not child:
                    return _value_of(key, name)
                subkeys = [fold_path(subkey) for subkey in key["keys"]]
                if key["state"] == "missing" or fold_path(child) not in subkeys:
                    return None
                break
            raise UndecidedError(f"value(): {path} is not among the keys that are read of a PC")

    class Interpreter(visitor.TreeInterpreter):
        """JMESPath's interpreter, which reports where null or a wrong type of data would decide."""

        def __init__(self) -> None:
            self._functions_here = Functions()
            super().__init__(visitor.Options(custom_functions=self._functions_here))
            self._projections = 0
            self._names: dict[str, bool] = {}

        def visit(self, node: Any, *arguments: Any, **options: Any) -> Any:
            """Return a node's value. Raises UndecidedError where all takes too long."""
            if time.monotonic() > self._functions_here.until:
                raise UndecidedError(f"it takes more than {SECONDS:g} seconds")
            return super().visit(node, *arguments, **options)

        def visit_multi_select_list(self, node: Any, value: Any) -> Any:
            """Make a list of several values."""
            return _bounded(super().visit_multi_select_list(node, value))

        def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
            """Make an object of several values."""
            return _bounded(super().visit_multi_select_dict(node, value))

        def visit_field(self, node: Any, value: Any) -> Any:
            """Return what has this name in an object; keep whether any object had it.

            Null has no names.
            """
            if value is not None:
                name = str(node["value"])
                exists = isinstance(value, dict) and name in value
                self._names[name] = self._names.get(name, False) or exists
            return super().visit_field(node, value)

        def unknown_name(self, optional: Collection[str]) -> str:
            """Return a name that no object had, except those that may be missing; empty without any."""
            for name, exists in self._names.items():
                if not exists and name not in optional:
                    return name
            return ""

        def visit_projection(self, node: Any, value: Any) -> Any:
            """Take each entry of a list."""
            return self._project(super().visit_projection, node, value)

        def visit_value_projection(self, node: Any, value: Any) -> Any:
            """Take each value of an object."""
            return self._project(super().visit_value_projection, node, value)

        def visit_filter_projection(self, node: Any, value: Any) -> Any:
            """Take the entries of a list that a condition holds for."""
            return self._project(super().visit_filter_projection, node, value)

        def _project(self, visit: Callable[[Any, Any], Any], node: Any, value: Any) -> Any:
            # Entries of a list differ: what one of them lacks is not a mistake.
            self._projections += 1
            try:
                return visit(node, value)
            finally:
                self._projections -= 1

        def visit_comparator(self, node: Any, value: Any) -> Any:
            """Compare; raise UndecidedError where the answer would say nothing about the PC."""
            sides = [self.visit(child, value) for child in node["children"]]
            if node["value"] not in ("eq", "ne"):
                _check_numbers(sides)
            elif not self._projections and NULL not in node["children"]:
                _check_comparable(node["children"], sides)
            literals = [{"type": "literal", "value": side, "children": []} for side in sides]
            compared: Any = {**node, "children": literals}
            return super().visit_comparator(compared, value)

        def visit_not_expression(self, node: Any, value: Any) -> Any:
            """Negate; raise UndecidedError where there is nothing to negate."""
            child = node["children"][0]
            # Asked once: asked twice at each level, the time would double with every "!".
            operand = self.visit(child, value)
            if operand is None and not self._projections:
                raise UndecidedError(f"{_path(child)} is not there")
            literal = {"type": "literal", "value": operand, "children": []}
            negated: Any = {**node, "children": [literal]}
            return super().visit_not_expression(negated, value)


MAX_DEPTH = 200
"""Levels of an expression's tree, of which each step of a path and each operator is two."""


def parse(text: str, place: str) -> Node:
    """Return the tree of an expression. Raises ExpressionError with the place and the position."""
    try:
        tree: Node = jmespath.compile(text).parsed
    except exceptions.IncompleteExpressionError:
        problem = f"it ends too early, {_position(text, len(text)).removesuffix('»')}"
    except exceptions.LexerError as error:
        problem = f"{error.message} {_position(text, error.lexer_position)}"
    except exceptions.ParseError as error:
        position = _position(text, error.lex_position)
        problem = f"{error.token_value!r} is not expected {position}"
    except (exceptions.JMESPathError, RecursionError) as error:
        problem = " ".join(str(error).split()) or "nested too deep"
    else:
        if is_deeper(tree, MAX_DEPTH):
            raise ExpressionError(
                f"{place}: nested too deep; at most {MAX_DEPTH} levels are accepted"
            )
        for name, count in _calls(tree):
            _check_call(name, count, text, place)
        return tree
    raise ExpressionError(f"{place}: {problem}")


def optional_names(tree: Any) -> Iterator[str]:
    """Return the names that an expression expects to be missing.

    They are before ``||``, compared with null, or given to not_null().
    """
    if not isinstance(tree, dict):
        return
    children = tree.get("children", [])
    node_type, value = tree.get("type"), tree.get("value")
    if node_type == "or_expression":
        yield from _names(children[0])
    is_not_null = node_type == "function_expression" and value == "not_null"
    compares_null = node_type == "comparator" and NULL in children
    for child in children:
        if is_not_null or compares_null:
            yield from _names(child)
        yield from optional_names(child)


def excerpt(value: Any) -> str:
    """Return a value as a reason repeats it."""
    if value is None:
        return "null (nothing is there)"
    return shorten(json.dumps(value, ensure_ascii=False, default=str), MAX_EXCERPT)


def _bounded(value: Any) -> Any:
    """Return a value. Raises UndecidedError where it is too large once it is written out."""
    size = 0
    containers = [value]
    while containers:
        container = containers.pop()
        entries = container.values() if isinstance(container, dict) else container
        for entry in entries or ():
            size += 1 + (len(entry) // 100 if isinstance(entry, str) else 0)
            if isinstance(entry, (dict, list)):
                containers.append(entry)
        if size > MAX_SIZE:
            raise UndecidedError(f"it makes a value of more than {MAX_SIZE} entries")
    return value


def _version(text: str) -> list[int]:
    """Return the numbers of a version, without zeros at the end."""
    if not re.fullmatch(r"\d+(\.\d+)*", text):
        raise UndecidedError(
            f"version_cmp(): {text!r} is not a version; expected are numbers and dots"
        )
    numbers = [int(part) for part in text.split(".")]
    while numbers[-1:] == [0]:
        numbers.pop()
    return numbers


def _value_of(key: Mapping[str, Any], name: str) -> Any:
    for spelling, data in key["values"].items():
        if spelling.lower() == name.lower():
            return data
    return None


def _parents(path: str) -> Iterator[str]:
    """Return the keys above a registry key, the nearest first."""
    while "\\" in path:
        path = path.rpartition("\\")[0]
        yield path


def _check_numbers(sides: list[Any]) -> None:
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, (int, float)):
            raise UndecidedError(
                f"<, <=, > and >= compare numbers, but one side is {excerpt(side)} "
                "(for versions use version_cmp)"
            )


def _check_comparable(nodes: list[Node], sides: list[Any]) -> None:
    for node, side in zip(nodes, sides, strict=True):
        if side is None:
            raise UndecidedError(f"{_path(node)} is not there")
    left, right = sides
    if _type_of(left) is not _type_of(right):
        raise UndecidedError(
            f"{excerpt(left)} and {excerpt(right)} are of different types, so they can never be equal"
        )


def _type_of(value: Any) -> type:
    """Return the type of JSON data; whole numbers and others are one type."""
    for json_type in (bool, str, list, dict):
        if isinstance(value, json_type):
            return json_type
    return float


def _calls(tree: Any) -> Iterator[tuple[str, int]]:
    """Return the functions that are called, with the number of their arguments."""
    if not isinstance(tree, dict):
        return
    if tree.get("type") == "function_expression":
        yield tree["value"], len(tree["children"])
    for child in tree.get("children", ()):
        yield from _calls(child)


def _check_call(name: str, count: int, text: str, place: str) -> None:
    """Raise ExpressionError where there is no such function, or with another number of arguments."""
    call = re.search(rf"{re.escape(name)}\s*\(", text)
    position = _position(text, call.start() if call else 0)
    function = Functions.FUNCTION_TABLE.get(name)
    if function is None:
        names = ", ".join(sorted(Functions.FUNCTION_TABLE))
        raise ExpressionError(f"{place}: there is no function {name} {position}; there are {names}")
    signature = function["signature"]
    variadic = bool(signature) and bool(signature[-1].get("variadic"))
    too_many = count > len(signature) and not variadic
    if count < len(signature) or too_many:
        least = "at least " if variadic else ""
        raise ExpressionError(
            f"{place}: {name} takes {least}{len(signature)} arguments and is given {count}, {position}"
        )


def _names(tree: Node) -> Iterator[str]:
    """Return the names that make up a path; nothing of another expression."""
    if tree["type"] == "field":
        yield str(tree["value"])
    elif tree["type"] in PATHS:
        for child in tree["children"]:
            yield from _names(child)


def _path(node: Node) -> str:
    """Return the path that a part of an expression names, as far as it can be written."""
    if node["type"] == "field":
        name = str(node["value"])
        return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)
    if node["type"] in PATHS:
        path = ""
        for child in node["children"]:
            path += f"[{child['value']}]" if child["type"] == "index" else f".{_path(child)}"
        return path.removeprefix(".")
    if node["type"] == "function_expression":
        return f"{node['value']}()"
    return "one side"


def _position(text: str, index: int) -> str:
    before, after = text[max(0, index - MAX_CONTEXT) : index], text[index : index + MAX_CONTEXT]
    return f"at character {index + 1}: {before}»{after}"
