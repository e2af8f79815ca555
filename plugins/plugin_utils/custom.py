# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The user's own controls: JMESPath over what was found on a PC and over the findings of the other controls.

How their expressions are read: expression.py.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .expression import Expression, Trouble, compile_expression
from .finding import Control, Finding, Severity, Status
from .snapshot import Snapshot

REQUIRED = ("id", "title", "severity", "expression", "message")
ACCEPTED = (*REQUIRED, "rationale", "remedy", "applies_if", "require", "evidence", "samples")
EXPECTED = (Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE)
MAX_EVIDENCE = 4_000


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
            if self.applies_if is not None and not self.applies_if.decide(view, "applies_if"):
                return Finding(self.control, Status.NOT_APPLICABLE, "It does not apply here: applies_if is false.", shown)
            for path in self.require:
                found = path.on(view)
                if found is None or (found == [] and path.picks):
                    raise Trouble(f"{path.text} is required and not there{_why_not(path.text, view)}")
            if self.evidence is not None:
                shown["found"] = _bounded(self.evidence.on(view))
            good = self.expression.decide(view, "the expression")
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
        compile_expression(entry["expression"], f"{where}.expression"),
        entry["message"],
        None if entry.get("applies_if") is None else compile_expression(entry["applies_if"], f"{where}.applies_if"),
        tuple(compile_expression(path, f"{where}.require[{at}]") for at, path in enumerate(require)),
        None if entry.get("evidence") is None else compile_expression(entry["evidence"], f"{where}.evidence"),
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


def _why_not(path: str, view: Mapping[str, Any]) -> str:
    errors = view.get("errors")
    section = re.split(r"[.\[]", path.strip(), maxsplit=1)[0]
    why = errors.get(section) if isinstance(errors, Mapping) else None
    return f" ({why})" if isinstance(why, str) and why else ""


def _bounded(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= MAX_EVIDENCE else f"{text[:MAX_EVIDENCE]}…"
