# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_controls: custom controls in JMESPath.

How their expressions are read: expression.py.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import UndecidedError
from ..expression import Expression, compile_expression
from ..finding import Contact, Control, Finding, Severity, Status
from ..text import shorten
from .parsing import (
    NotAcceptedError,
    dictionary,
    not_accepted,
    numbered,
    parse_each,
    parse_fields,
)

REQUIRED = ("id", "title", "severity", "expression", "message")
TEXTS = (*REQUIRED, "rationale", "remedy", "contact")
KEYS = (*TEXTS, "applies_if", "require", "evidence", "samples")
SAMPLE_KEYS = ("data", "expect")
SEVERITIES = tuple(severity.value for severity in Severity)
EXPECTED_STATUSES = tuple(
    status.value for status in (Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE)
)
MAX_EVIDENCE = 4_000
"""Characters of JSON."""


@dataclass(frozen=True)
class CustomControl:
    """A control that passes where expression is true and fails with message where it is false."""

    control: Control
    expression: Expression
    message: str
    applies_if: Expression | None = None
    require: tuple[Expression, ...] = ()
    evidence: Expression | None = None

    def judge(self, view: Mapping[str, Any]) -> Finding:
        """Judge a host by the view of it: JSON data, see custom.view."""
        evidence: dict[str, Any] = {"expression": self.expression.text}
        try:
            if self.applies_if is not None and not self.applies_if.decide(view, "applies_if"):
                reason = "It does not apply to this host: applies_if is false."
                return Finding(self.control, Status.NOT_APPLICABLE, reason, evidence)
            self._check_required(view)
            if self.evidence is not None:
                evidence["found"] = _bounded(self.evidence.evaluate(view))
            is_met = self.expression.decide(view, "the expression")
        except UndecidedError as error:
            reason = f"It could not be determined: {error}."
            return Finding(self.control, Status.UNKNOWN, reason, evidence)
        if is_met:
            return Finding(self.control, Status.PASS, f"{self.control.title}.", evidence)
        return Finding(self.control, Status.FAIL, self.message, evidence)

    def _check_required(self, view: Mapping[str, Any]) -> None:
        for path in self.require:
            data = path.evaluate(view)
            if data is None or (data == [] and path.selects):
                raise UndecidedError(
                    f"{path.text} is required and not there{_section_error(path.text, view)}"
                )


def parse_custom_controls(value: Any) -> tuple[CustomControl, ...]:
    """Return the controls: every expression is compiled, every sample is tried.

    Raises NotAcceptedError with the problem of every control and where it is, an expression's with
    the position in it.
    """
    if not isinstance(value, (list, tuple)):
        raise not_accepted(value, "a list of controls is expected")
    controls: dict[str, CustomControl] = {}

    def parse(numbered_entry: tuple[str, Any]) -> None:
        where, entry = numbered_entry
        try:
            text = json.dumps(entry, sort_keys=True)
        except (TypeError, ValueError):
            raise NotAcceptedError(f"{where}: not plain data, such as JSON has") from None
        control = _parse_entry(text, where)
        control_id = control.control.id
        if control_id in controls:
            name = control_id.removeprefix("custom.")
            raise NotAcceptedError(f"{where}: there is a control {name} already")
        controls[control_id] = control

    parse_each((("", entry) for entry in numbered(value)), parse)
    return tuple(controls.values())


@functools.lru_cache(maxsize=1024)
def _parse_entry(text: str, where: str) -> CustomControl:
    """Return the control of one entry, given as JSON, which has no tags of ansible-core.

    Every host of a run has the same entries, so each is compiled and tried once.
    """
    entry = json.loads(text)
    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
        where = f"{where} ({entry['id']})"
    try:
        expected = f"a dictionary with {', '.join(REQUIRED)}"
        fields = dictionary(entry, KEYS, expected, REQUIRED)
        parse_fields(fields, {key: partial(_parse_text, key) for key in TEXTS})
        control = _compile(fields, _parse_control(fields), where)
        _try_samples(control, fields.get("samples", []))
    except NotAcceptedError as error:
        raise error.within(where) from None
    return control


def _parse_text(key: str, value: Any) -> str:
    if not isinstance(value, str) or (key in REQUIRED and not value.strip()):
        raise not_accepted(value, "a text is expected")
    return value


def _parse_control(fields: Mapping[Any, Any]) -> Control:
    name = fields["id"]
    if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*", name) or name.startswith("custom."):
        expected = "lower-case letters, digits, _ and . are, without custom. before them"
        raise not_accepted(name, expected).within("id")
    if fields["severity"] not in SEVERITIES:
        expected = f"accepted are {', '.join(SEVERITIES)}"
        raise not_accepted(fields["severity"], expected).within("severity")
    if fields.get("contact", Contact.PC) not in list(Contact):
        raise not_accepted(fields["contact"], f"accepted are {', '.join(Contact)}").within(
            "contact"
        )
    title = fields["title"].rstrip(".")
    return Control(
        id=f"custom.{name}",
        title=title,
        headline=fields["message"],
        severity=Severity(fields["severity"]),
        rationale=fields.get("rationale", ""),
        remedy=fields.get("remedy", "") or f"Make sure that this holds: {title}.",
        contact=Contact(fields.get("contact", Contact.PC)),
    )


def _compile(fields: Mapping[Any, Any], control: Control, where: str) -> CustomControl:
    require = fields.get("require", [])
    if not isinstance(require, list):
        expected = "a list of paths that must exist is expected"
        raise not_accepted(require, expected).within("require")
    paths = []
    for index, path in enumerate(require):
        paths.append(compile_expression(path, f"{where}.require[{index}]"))
    return CustomControl(
        control,
        compile_expression(fields["expression"], f"{where}.expression"),
        fields["message"],
        _compile_optional(fields, "applies_if", where),
        tuple(paths),
        _compile_optional(fields, "evidence", where),
    )


def _compile_optional(fields: Mapping[Any, Any], key: str, where: str) -> Expression | None:
    text = fields.get(key)
    return None if text is None else compile_expression(text, f"{where}.{key}")


def _try_samples(control: CustomControl, samples: Any) -> None:
    """Judge the samples: each holds data as a control sees it, and the status that is expected."""
    if not isinstance(samples, list):
        expected = "a list of samples with data and expect is expected"
        raise not_accepted(samples, expected).within("samples")
    for index, sample in enumerate(samples):
        try:
            _try_sample(control, sample)
        except NotAcceptedError as error:
            raise error.within(f"[{index}]").within("samples") from None


def _try_sample(control: CustomControl, sample: Any) -> None:
    is_record = isinstance(sample, dict) and not set(sample) - set(SAMPLE_KEYS)
    if not is_record or not isinstance(sample.get("data"), dict):
        raise NotAcceptedError("a dictionary with data (a dictionary) and expect is expected")
    expected = sample.get("expect")
    if expected not in EXPECTED_STATUSES:
        accepted = f"accepted are {', '.join(EXPECTED_STATUSES)}"
        raise not_accepted(expected, accepted).within("expect")
    finding = control.judge(sample["data"])
    if finding.status != expected:
        raise NotAcceptedError(
            f"expected {expected}, but it is {finding.status.value}: {finding.reason}"
        )


def _section_error(path: str, view: Mapping[str, Any]) -> str:
    """Return why the section of a snapshot that a path begins with could not be read."""
    errors = view.get("errors")
    section = re.split(r"[.\[]", path.strip(), maxsplit=1)[0]
    error = errors.get(section) if isinstance(errors, Mapping) else None
    return f" ({error})" if isinstance(error, str) and error else ""


def _bounded(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= MAX_EVIDENCE else shorten(text, MAX_EVIDENCE + 1)
