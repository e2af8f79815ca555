# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether JSON data has the shape of schema.json: as much of JSON Schema as that uses, since no library for it is required.

additionalProperties is left aside: within a version fields may be added, and readers pass over them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
KNOWN = frozenset(
    {"$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items", "minimum", "pattern", "properties"}
    | {"format", "propertyNames", "required", "type", "$schema", "$id", "$defs", "title"}
)
"""The words that are understood or mean nothing here; a test holds schema.json to them."""


def problem(content: Any) -> str:
    """Return what is wrong with a report and where, such as ``hosts[3].status: 'green' is not accepted``; empty where nothing is."""
    return _problem(content, schema(), "")


@lru_cache
def schema() -> dict[str, Any]:
    """Return schema.json."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    return content


def _problem(content: Any, wanted: Mapping[str, Any], where: str) -> str:
    if "$ref" in wanted:
        return _problem(content, schema()["$defs"][wanted["$ref"].rpartition("/")[2]], where)
    if "anyOf" in wanted:
        problems = [_problem(content, one, where) for one in wanted["anyOf"]]
        return "" if "" in problems else problems[-1]
    kind = wanted.get("type")
    if kind and (not isinstance(content, KINDS[kind]) or (kind == "integer" and isinstance(content, bool))):
        return (
            f"{where or 'the whole'}: {_shown(content)} is not accepted; {'an' if kind[0] in 'aio' else 'a'} {kind} is expected"
        )
    accepted = wanted.get("enum", [wanted["const"]] if "const" in wanted else [content])
    if (
        (type(content), content) not in [(type(one), one) for one in accepted]  # True is no 1
        or ("pattern" in wanted and not re.search(wanted["pattern"], content))
        or ("format" in wanted and not _is(wanted["format"], content))
        or ("minimum" in wanted and content < wanted["minimum"])
    ):
        return f"{where}: {_shown(content)} is not accepted"
    if isinstance(content, dict):
        return _problem_within(content, wanted, where)
    if isinstance(content, list) and "items" in wanted:
        return next(filter(None, (_problem(item, wanted["items"], f"{where}[{at}]") for at, item in enumerate(content))), "")
    return ""


def _problem_within(content: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> str:
    lacking = [name for name in wanted.get("required", ()) if name not in content]
    if lacking:
        return f"{where}.{lacking[0]} is missing".lstrip(".")
    others = wanted.get("additionalProperties")
    parts = wanted.get("properties", {})
    for name, value in content.items():
        told = _problem(name, wanted.get("propertyNames", {}), f"{where}, a name")
        part = parts.get(name, others if isinstance(others, dict) else {})
        told = told or (_problem(value, part, f"{where}.{name}".lstrip(".")) if part else "")
        if told:
            return told
    return ""


def _is(form: str, text: str) -> bool:
    try:
        date.fromisoformat(text) if form == "date" else datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _shown(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:60]}…"
