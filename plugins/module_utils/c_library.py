# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Libraries written in C, called by ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any


def load(name: str, functions: Mapping[str, tuple[Any, Any]]) -> Any:
    """Return a library whose functions are declared: what they return, and their parameters.

    Raises OSError where it is not installed.
    """
    library = ctypes.CDLL(name, use_errno=True)
    for function_name, (result, parameters) in functions.items():
        function = getattr(library, function_name)
        function.restype = result
        function.argtypes = parameters
    return library
