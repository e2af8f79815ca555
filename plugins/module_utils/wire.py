# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A snapshot as it travels from a target to the controller."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any


def pack(snapshot: Mapping[str, Any]) -> str:
    """Return a snapshot as JSON, gzip, base64."""
    content = json.dumps(snapshot).encode("ascii")
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
