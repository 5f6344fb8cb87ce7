"""Numbers as they are written on screen."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from grokscope.numbers import count, counted, json_value, probability


@pytest.mark.parametrize("draws", [1, 19, 99, 100, 200, 500, 999, 3999, 4000, 9999, 123_456, 1_000_000])
def test_a_p_value_that_is_a_bound_is_written_as_one_and_not_below_itself(draws: int) -> None:
    least = 1 / (draws + 1)
    text = probability(least, draws)
    assert text.startswith("<")
    assert least <= float(text[1:]) * (1 + 1e-9) <= 1.12 * least
    assert not probability(2 / (draws + 1), draws).startswith("<")


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.000"), (0.05, "0.050"), (0.001, "0.001"), (4e-4, "4e-4"), (3e-12, "3e-12"), (math.nan, "–")],
)
def test_p_values_by_a_formula(p: float, text: str) -> None:
    assert probability(p, 0) == text


@pytest.mark.parametrize(("value", "text"), [(2.0, "2"), (7.5, "7.5"), (math.nan, "–")])
def test_counts(value: float, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 traps"), (1, "1 trap"), (2, "2 traps"), (1234, "1,234 traps")]
)
def test_one_is_one_and_not_ones(number: int, text: str) -> None:
    assert counted(number, "trap") == text


def test_json_knows_no_nan_and_no_infinity_however_deep() -> None:
    values = {"a": [np.array([1.5, np.nan]), (np.float32(0.5), -math.inf)], "b": np.int64(3), "c": True}
    assert json.dumps(json_value(values)) == '{"a": [[1.5, null], [0.5, null]], "b": 3, "c": true}'
