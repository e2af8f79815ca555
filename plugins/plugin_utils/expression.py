# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Expressions of custom controls: JMESPath, read more strictly than the standard.

JMESPath answers most mistakes with null, and null compares in ways that look like a pass. So only
true and false count; everything else leaves the control unknown with the reason. ``==``, ``!=`` and
``!``, except those on each entry of a list, refuse a path that is not there and two types of data
that can never be equal. ``<`` and the like take numbers only, since Python's JMESPath compares '10'
and '9' as text and the standard gives null. A name that no object has is a mistake, also within
filters, unless the expression says what to use where it is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ExpressionError, UndecidedError
from .text import one_line, shorten

if TYPE_CHECKING:
    from .jmespath_strict import Interpreter, Node

MAX_REASON = 400
"""Characters of a reason."""


@dataclass(frozen=True)
class Expression:
    """A JMESPath expression that compiled."""

    text: str
    tree: Node

    @property
    def selects(self) -> bool:
        """Whether it selects entries of a list, so that an empty list says that none is there."""
        return str(self.tree["type"]).endswith("projection")

    def evaluate(self, view: Any) -> Any:
        """Return its value. Raises UndecidedError with the reason where it has none."""
        from .jmespath_strict import Interpreter

        return self._visit(Interpreter(), view)

    def decide(self, view: Any, purpose: str) -> bool:
        """Return its value where that is true or false.

        Raises UndecidedError, whose text calls the expression by its purpose.
        """
        from .jmespath_strict import Interpreter, excerpt, optional_names

        interpreter = Interpreter()
        value = self._visit(interpreter, view)
        if not isinstance(value, bool):
            raise UndecidedError(f"{purpose} gives {excerpt(value)}; only true and false count")
        name = interpreter.unknown_name(frozenset(optional_names(self.tree)))
        if name:
            raise UndecidedError(
                f"nothing that {purpose} looks at has the name {name}; where it may be missing, "
                f"write {name} || 'something'"
            )
        return value

    def _visit(self, interpreter: Interpreter, view: Any) -> Any:
        try:
            return interpreter.visit(self.tree, view)
        except UndecidedError:
            raise
        except RecursionError:
            raise UndecidedError("the data is nested too deep") from None
        except ValueError as error:
            # jmespath's own errors, and Python's of a slice whose step is 0.
            raise UndecidedError(one_line(str(error), MAX_REASON)) from None


def compile_expression(text: Any, place: str) -> Expression:
    """Compile an expression. Raises ExpressionError with its place and the position in it."""
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(
            f"{place}: {shorten(repr(text), MAX_REASON)} is not accepted; a JMESPath expression is "
            "expected"
        )
    from .jmespath_strict import MISSING, parse

    if MISSING:
        raise ExpressionError(
            f"custom controls need a Python package on the controller: {MISSING} "
            "(pip install jmespath regex)"
        )
    return Expression(text, parse(text, place))
