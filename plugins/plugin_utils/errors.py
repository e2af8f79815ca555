# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The base class of every error that this collection raises for people to read."""

from __future__ import annotations


class ETS6Error(ValueError):
    """Bad input: a variable, a file, or what a host sent.

    The text is one or more sentences for an administrator. It says what is wrong and where (variable,
    key, file), and what is accepted or what to do. It never contains a secret.
    """


class ExpressionError(ETS6Error):
    """An expression of a custom control cannot be compiled. The text says where."""


class UndecidedError(ETS6Error):
    """An expression of a custom control has no answer for a host. The text says why."""
