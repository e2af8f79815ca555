# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The user's own controls: JMESPath over what was found on a PC and over the findings of the other controls.

JMESPath answers most mistakes with null, and null compares in ways that look like a pass. So it is read more strictly here:
only true and false count, all else leaves the control unknown with the reason; ``==`` and ``!=`` of the whole snapshot's
paths refuse a path that is not there and two kinds of data that can never be equal; ``<`` and its like take numbers only,
since Python's JMESPath compares '10' and '9' as text and the standard gives null.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath import exceptions, visitor
from jmespath import functions as standard

from .finding import Control, Finding, Severity, Status
from .formats.registry import fold
from .snapshot import Snapshot

REQUIRED = ("id", "title", "severity", "expression", "message")
ACCEPTED = (*REQUIRED, "rationale", "remedy", "applies_if", "require", "evidence", "samples")
EXPECTED = (Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE)
MAX_EVIDENCE = 4_000
MAX_REASON = 400


class Trouble(Exception):
    """An expression cannot be decided. The text says why."""


class Functions(standard.Functions):
    """JMESPath's functions, and a few that PCs call for. None reads a clock, a file or the network."""

    @standard.signature({"types": ["array", "object", "string", "null"]})
    def _func_count(self, value: Any) -> int:
        """Return the length, 0 of null."""
        return len(value or ())

    @standard.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_match(self, text: str, pattern: str) -> bool:
        """Return whether the regular expression matches the whole text, without regard to letter case."""
        try:
            return re.fullmatch(pattern, text, re.IGNORECASE) is not None
        except re.error as error:
            raise Trouble(f"match(): {pattern!r} is no regular expression: {error}") from None

    @standard.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_in_cidr(self, address: str, network: str) -> bool:
        """Return whether an IP address is in a network, 192.0.2.7 in 192.0.2.0/24."""
        try:
            return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise Trouble(f"in_cidr(): {error}") from None

    @standard.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_cmp(self, left: str, right: str) -> int:
        """Return -1, 0 or 1, as the version on the left is older, the same or newer: numbers between dots, 6.3 is 6.3.0."""
        numbers = []
        for text in (left, right):
            if not re.fullmatch(r"\d+(\.\d+)*", text):
                raise Trouble(f"version_cmp(): {text!r} is no version; numbers between dots are")
            numbers.append([int(part) for part in text.split(".")])
        for parts in numbers:
            while parts[-1:] == [0]:
                parts.pop()
        return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])

    @standard.signature({"types": ["object"]}, {"types": ["string"]}, {"types": ["string"]})
    def _func_value(self, registry: Mapping[str, Any], path: str, name: str) -> Any:
        r"""Return the data of a registry value, null where it is not there; case does not matter. A key that could not be read is an error."""
        for known, key in registry.items():
            if fold(known) == fold(path):
                if key["state"] == "unreadable":
                    raise Trouble(f"value(): {known} could not be read: {key['error']}")
                return next((data for spelled, data in key["values"].items() if spelled.lower() == name.lower()), None)
        raise Trouble(f"value(): {path} is not among the keys that are read of a PC")


class Interpreter(visitor.TreeInterpreter):
    """JMESPath's interpreter, which says where null or a wrong kind of data would decide."""

    def __init__(self, root: Any) -> None:
        super().__init__(visitor.Options(custom_functions=Functions()))
        self._root = root

    def visit_comparator(self, node: Any, value: Any) -> Any:
        """Compare; raise Trouble where the answer would say nothing of the PC."""
        sides = [self.visit(child, value) for child in node["children"]]
        if node["value"] not in ("eq", "ne"):
            for side in sides:
                if isinstance(side, bool) or not isinstance(side, (int, float)):
                    raise Trouble(
                        f"<, <=, > and >= compare numbers, but one side is {_shown(side)} (for versions use version_cmp)"
                    )
        elif value is self._root and not any(
            child == {"type": "literal", "value": None, "children": []} for child in node["children"]
        ):
            for child, side in zip(node["children"], sides, strict=True):
                if side is None:
                    raise Trouble(f"{_path(child)} is not there")
            if _kind(sides[0]) is not _kind(sides[1]):
                raise Trouble(f"{_shown(sides[0])} and {_shown(sides[1])} are not of one kind, so they can never be equal")
        decided: Any = {**node, "children": [{"type": "literal", "value": side, "children": []} for side in sides]}
        return super().visit_comparator(decided, value)

    def visit_not_expression(self, node: Any, value: Any) -> Any:
        """Negate; raise Trouble where there is nothing to negate."""
        if value is self._root and self.visit(node["children"][0], value) is None:
            raise Trouble(f"{_path(node['children'][0])} is not there")
        return super().visit_not_expression(node, value)


@dataclass(frozen=True)
class Expression:
    """A JMESPath expression that compiled."""

    text: str
    tree: Any

    def on(self, view: Any) -> Any:
        """Return its value. Raises Trouble with the reason where it has none."""
        try:
            return Interpreter(view).visit(self.tree, view)
        except Trouble:
            raise
        except RecursionError:
            raise Trouble("the data is nested too deep") from None
        except Exception as error:  # noqa: BLE001 - jmespath's functions raise whatever Python does
            raise Trouble(_cut(" ".join(str(error).split()) or type(error).__name__)) from None


@dataclass(frozen=True)
class OwnControl:
    """One own control: it passes where expression is true and fails with message where it is false."""

    control: Control
    expression: Expression
    message: str
    applies_if: Expression | None = None
    require: tuple[Expression, ...] = ()
    evidence: Expression | None = None

    def judge(self, view: Mapping[str, Any]) -> Finding:
        """Judge what was found."""
        shown: dict[str, Any] = {"expression": self.expression.text}
        try:
            if self.applies_if is not None and not _decide(self.applies_if, view, "applies_if"):
                return Finding(self.control, Status.NOT_APPLICABLE, "It does not apply here: applies_if is false.", shown)
            for path in self.require:
                if path.on(view) is None:
                    raise Trouble(f"{path.text} is required and not there{_why_not(path.text, view)}")
            if self.evidence is not None:
                shown["found"] = _bounded(self.evidence.on(view))
            good = _decide(self.expression, view, "the expression")
        except Trouble as trouble:
            return Finding(self.control, Status.UNKNOWN, f"It could not be decided: {trouble}.", shown)
        return Finding(
            self.control, Status.PASS if good else Status.FAIL, f"{self.control.title}." if good else self.message, shown
        )


def judge(controls: Sequence[OwnControl], snapshot: Snapshot, findings: Sequence[Finding]) -> list[Finding]:
    """Return a finding for each own control."""
    if not controls:
        return []
    seen = view(snapshot, findings)
    return [control.judge(seen) for control in controls]


def view(snapshot: Snapshot, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what own controls see: the snapshot in the form that windows_host documents, and the findings by control.

    Values of the registry are their data alone, bytes in base64. findings hold control, status, reason and evidence.
    """
    keys = {path: snapshot.registry.key(path) for path in snapshot.registry}
    return {
        "host": dict(snapshot.host),
        "environment": dict(snapshot.environment),
        "registry": {
            path: {
                "state": key.state.value,
                "values": {name: value.to_wire()[1] for name, value in key.values.items()},
                "keys": list(key.subkeys),
                "error": key.error,
            }
            for path, key in keys.items()
        },
        "files": [
            {"path": file.path, "state": file.state.value, "version": file.version, "size": file.size, "error": file.error}
            for file in snapshot.files.values()
        ],
        "users": None
        if snapshot.users is None
        else [
            {"sid": user.sid, "name": user.name, "profile": user.profile, "hive": user.hive, "logged_on": user.logged_on}
            for user in snapshot.users
        ],
        "network": None if snapshot.network is None else list(snapshot.network),
        "services": None if snapshot.services is None else dict(snapshot.services),
        "firewall_products": None
        if snapshot.firewall_products is None
        else [{"name": product.name, "enabled": product.enabled} for product in snapshot.firewall_products],
        "probes": None if snapshot.probes is None else [dict(probe) for probe in snapshot.probes],
        "errors": dict(snapshot.errors),
        "offline": snapshot.offline,
        "findings": {
            finding.control.id: {
                "control": finding.control.id,
                "status": finding.status.value,
                "reason": finding.reason,
                "evidence": dict(finding.evidence),
            }
            for finding in findings
        },
    }


def parse(value: Any) -> tuple[OwnControl, ...]:
    """Read the variable ets6_network_controls: every expression is compiled, every sample is tried.

    Raises ValueError with the first problem and where it is, an expression's with the position in it.
    """
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{value!r} is not accepted; a list of controls is expected")
    controls: dict[str, OwnControl] = {}
    for number, entry in enumerate(value, 1):
        try:
            text = json.dumps(entry, sort_keys=True)
        except (TypeError, ValueError):
            raise ValueError(f"entry {number}: not plain data, such as JSON has") from None
        control = _parse(text, f"entry {number}")
        if control.control.id in controls:
            raise ValueError(f"entry {number}: there is a control {control.control.id.removeprefix('custom.')} already")
        controls[control.control.id] = control
    return tuple(controls.values())


@functools.lru_cache(maxsize=1024)
def _parse(text: str, where: str) -> OwnControl:
    """Read one entry; every host of a run has the same, so it is compiled and tried once. The text is JSON, which has no tags of ansible-core."""
    entry = json.loads(text)
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: {entry!r} is not accepted; a dictionary with {', '.join(REQUIRED)} is expected")
    if isinstance(entry.get("id"), str):
        where = f"{where} ({entry['id']})"
    unknown = sorted(set(entry) - set(ACCEPTED))
    if unknown:
        raise ValueError(f"{where}: {unknown[0]!r} is not accepted; accepted are {', '.join(ACCEPTED)}")
    for name in (*REQUIRED, "rationale", "remedy"):
        if not isinstance(entry.get(name, ""), str) or (name in REQUIRED and not entry.get(name, "").strip()):
            raise ValueError(f"{where}.{name}: {entry.get(name)!r} is not accepted; a text is expected")
    if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*", entry["id"]) or entry["id"].startswith("custom."):
        raise ValueError(
            f"{where}.id: {entry['id']!r} is not accepted; lower-case letters, digits, _ and . are, without custom. before them"
        )
    severities = [severity.value for severity in Severity]
    if entry["severity"] not in severities:
        raise ValueError(f"{where}.severity: {entry['severity']!r} is not accepted; accepted are {', '.join(severities)}")
    require = entry.get("require", [])
    if not isinstance(require, list):
        raise ValueError(f"{where}.require: {require!r} is not accepted; a list of paths that must exist is expected")
    own = OwnControl(
        Control(
            f"custom.{entry['id']}",
            entry["title"].rstrip("."),
            Severity(entry["severity"]),
            entry.get("rationale", ""),
            entry.get("remedy", ""),
        ),
        _compile(entry["expression"], f"{where}.expression"),
        entry["message"],
        None if entry.get("applies_if") is None else _compile(entry["applies_if"], f"{where}.applies_if"),
        tuple(_compile(path, f"{where}.require[{at}]") for at, path in enumerate(require)),
        None if entry.get("evidence") is None else _compile(entry["evidence"], f"{where}.evidence"),
    )
    _try(own, entry.get("samples", []), f"{where}.samples")
    return own


def _try(own: OwnControl, samples: Any, where: str) -> None:
    """Judge the samples: each holds data as a control sees it, and the status that is expected."""
    if not isinstance(samples, list):
        raise ValueError(f"{where}: {samples!r} is not accepted; a list of samples with data and expect is expected")
    expected = [status.value for status in EXPECTED]
    for at, sample in enumerate(samples):
        if not isinstance(sample, dict) or not isinstance(sample.get("data"), dict) or set(sample) - {"data", "expect"}:
            raise ValueError(f"{where}[{at}]: a dictionary with data (a dictionary) and expect is expected")
        if sample.get("expect") not in expected:
            raise ValueError(
                f"{where}[{at}].expect: {sample.get('expect')!r} is not accepted; accepted are {', '.join(expected)}"
            )
        found = own.judge(sample["data"])
        if found.status != sample["expect"]:
            raise ValueError(f"{where}[{at}]: expected {sample['expect']}, but it is {found.status.value}: {found.reason}")


def _compile(text: Any, where: str) -> Expression:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{where}: {text!r} is not accepted; a JMESPath expression is expected")
    try:
        tree = jmespath.compile(text).parsed
    except exceptions.IncompleteExpressionError:
        raise ValueError(f"{where}: it ends too early, at character {len(text) + 1}: {text}") from None
    except exceptions.LexerError as error:
        raise ValueError(
            f"{where}: {error.message} at character {error.lexer_position + 1}: {_pointed(text, error.lexer_position)}"
        ) from None
    except exceptions.ParseError as error:
        raise ValueError(
            f"{where}: {error.token_value!r} is not expected at character {error.lex_position + 1}: {_pointed(text, error.lex_position)}"
        ) from None
    except (exceptions.JMESPathError, RecursionError) as error:
        raise ValueError(f"{where}: {' '.join(str(error).split()) or 'nested too deep'}") from None
    for name, count in _calls(tree):
        known = Functions.FUNCTION_TABLE.get(name)
        found = re.search(rf"{re.escape(name)}\s*\(", text)
        at = found.start() if found else 0
        if known is None:
            raise ValueError(
                f"{where}: there is no function {name} at character {at + 1}: {_pointed(text, at)}; there are {', '.join(sorted(Functions.FUNCTION_TABLE))}"
            )
        wanted, where_in = known["signature"], f"at character {at + 1}: {_pointed(text, at)}"
        variadic = bool(wanted) and wanted[-1].get("variadic")
        if count < len(wanted) or (count > len(wanted) and not variadic):
            least = "at least " if variadic else ""
            raise ValueError(f"{where}: {name} takes {least}{len(wanted)} arguments and is given {count}, {where_in}")
    return Expression(text, tree)


def _calls(tree: Any) -> Iterator[tuple[str, int]]:
    """Return the functions that are called, with the number of their arguments."""
    if isinstance(tree, dict):
        if tree.get("type") == "function_expression":
            yield tree["value"], len(tree["children"])
        for child in tree.get("children", ()):
            yield from _calls(child)


def _decide(expression: Expression, view: Mapping[str, Any], what: str) -> bool:
    found = expression.on(view)
    if not isinstance(found, bool):
        raise Trouble(f"{what} gives {_shown(found)}; only true and false count")
    return found


def _why_not(path: str, view: Mapping[str, Any]) -> str:
    errors = view.get("errors")
    section = re.split(r"[.\[]", path.strip(), maxsplit=1)[0]
    why = errors.get(section) if isinstance(errors, Mapping) else None
    return f" ({why})" if isinstance(why, str) and why else ""


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


def _bounded(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= MAX_EVIDENCE else f"{text[:MAX_EVIDENCE]}…"


def _pointed(text: str, at: int) -> str:
    return f"{text[:at]}»{text[at:]}"


def _cut(text: str, length: int = MAX_REASON) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
