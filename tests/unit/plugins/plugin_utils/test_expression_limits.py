# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Expressions of custom controls that would take without end, or more than Python's stack: they are decided, or refused, at once."""

from __future__ import annotations

import time

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import jmespath_strict
from ansible_collections.ets6.network.plugins.plugin_utils.errors import (
    ExpressionError,
    UndecidedError,
)
from ansible_collections.ets6.network.plugins.plugin_utils.expression import compile_expression

VIEW = {"host": {"x": True, "name": "PC"}, "files": [{"path": "x", "size": 1}] * 100}


@pytest.mark.parametrize("number", [1, 2, 21, 22, 40])
def test_the_time_of_negations_does_not_double(number: int) -> None:
    since = time.monotonic()
    value = compile_expression("!" * number + "(host.x)", "here").decide(VIEW, "it")
    assert value is (number % 2 == 0)
    assert time.monotonic() - since < 1


@pytest.mark.parametrize(
    "text",
    [
        "!" * 5_000 + "host.x",
        "(" * 5_000 + "host.x" + ")" * 5_000,
        "host.x||" * 2_000 + "host.x",
        "a." * 2_000 + "b",
        "files[?size==`1`]|" * 500 + "[0]",
        "[" * 5_000,
        "not_null(" * 500 + "host.x" + ")" * 500,
    ],
)
def test_what_is_nested_too_deep_is_refused_in_words(text: str) -> None:
    since = time.monotonic()
    with pytest.raises((ExpressionError, UndecidedError)):
        compile_expression(text, "here").decide(VIEW, "it")
    assert time.monotonic() - since < 5


DOUBLING = {
    "lists": "|".join(["[@,@]"] * 90),
    "objects": "|".join(["{a: @, b: @}"] * 90),
    "texts": "host.name|" + "|".join(["join('',[@,@])"] * 90),
    "flat lists": "|".join(["[@,@][]"] * 60),
    "glue": "join(join('', files[].path), files[].path)|" * 3 + "join(@, [@, @, @])",
    "comparison": "|".join(["[@,@]"] * 90) + " == " + "|".join(["[@,@]"] * 90),
    "as a text": "|".join(["[@,@]"] * 90) + "|to_string(@)",
}


@pytest.mark.parametrize("name", DOUBLING)
def test_a_value_that_doubles_with_each_step_is_refused(name: str) -> None:
    since = time.monotonic()
    with pytest.raises((ExpressionError, UndecidedError)):
        compile_expression(DOUBLING[name], "here").evaluate(VIEW)
    assert time.monotonic() - since < 5


def test_an_evaluation_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jmespath_strict, "SECONDS", 0.2)
    view = {"files": [{"path": "x"}] * 100_000}
    expression = compile_expression(
        "files[*].[path, path, path, path] | [*][0] | [*] | [0]", "here"
    )
    since = time.monotonic()
    with pytest.raises(UndecidedError, match=r"more than 0\.2 seconds"):
        expression.evaluate(view)
    assert time.monotonic() - since < 3


@pytest.mark.parametrize(
    "text", ["x" * 300_000 + "]", "a || " + "(" * 100 + "b" * 300_000, 7 * "["]
)
def test_an_error_does_not_repeat_all_of_a_long_expression(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, "here")
    assert len(str(caught.value)) < 1_000
