"""Checkpoints are evenly spaced in log step, start at 0 and end at the last step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokscope.errors import UsageError
from grokscope.runfile import log_steps


def test_four_a_decade_are_the_powers_of_ten_and_their_quarter_decades() -> None:
    assert log_steps(1000, 4).tolist() == [0, 1, 2, 3, 6, 10, 18, 32, 56, 100, 178, 316, 562, 1000]


@given(last=st.integers(0, 10**7), per_decade=st.integers(1, 50))
def test_steps_ascend_from_zero_to_the_last(last: int, per_decade: int) -> None:
    steps = log_steps(last, per_decade)
    assert steps[0] == 0
    assert steps[-1] == last
    assert np.all(np.diff(steps) > 0)


@given(exponent=st.integers(3, 6), per_decade=st.integers(1, 20))
def test_a_late_decade_has_as_many_steps_as_asked(exponent: int, per_decade: int) -> None:
    steps = log_steps(10**7, per_decade)
    decade = (steps >= 10**exponent) & (steps < 10 ** (exponent + 1))
    assert decade.sum() == per_decade


def test_a_longer_run_begins_with_the_same_steps() -> None:
    short, long = log_steps(10**4, 20), log_steps(10**6, 20)
    assert np.array_equal(short, long[: len(short)])


def test_the_early_steps_can_be_left_out() -> None:
    assert log_steps(1000, 4, first=100).tolist() == [0, 100, 178, 316, 562, 1000]


@pytest.mark.parametrize(("last", "per_decade", "first"), [(-1, 10, 1), (10, 0, 1), (10, 1, 0)])
def test_nonsense_is_refused(last: int, per_decade: int, first: int) -> None:
    with pytest.raises(UsageError, match="give"):
        log_steps(last, per_decade, first)
