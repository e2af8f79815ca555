# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The body of an HTTP answer as a prober keeps it: raw, cut off at a cap, in base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any


def header(answer: Mapping[str, Any], name: str) -> str:
    """Return the first header of a name, without regard to letter case; empty where there is none."""
    return next((str(value) for key, value in answer.get("headers") or () if str(key).lower() == name.lower()), "")


def body_of(answer: Mapping[str, Any]) -> bytes:
    """Return the body, put together where it came in chunks (RFC 9112, 7.1); as far as it goes where it was cut off.

    Raises ValueError where it is not base64.
    """
    raw = base64.b64decode(answer.get("body") or "", validate=True)
    return _joined(raw) if header(answer, "transfer-encoding").lower().endswith("chunked") else raw


def _joined(raw: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        line, end, rest = raw.partition(b"\r\n")
        size = re.match(rb"[0-9A-Fa-f]{1,8}", line)
        if not end or not size or int(size[0], 16) == 0:
            return b"".join(parts)
        length = int(size[0], 16)
        parts.append(rest[:length])
        raw = rest[length + 2 :]
