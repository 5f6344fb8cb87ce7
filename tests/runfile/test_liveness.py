"""A training run is told to be running, stalled, finished, interrupted, crashed or static."""

from __future__ import annotations

import math

import pytest

from grokscope.runfile.liveness import STATE_CODES, liveness


@pytest.mark.parametrize(
    ("code", "locked", "age", "state"),
    [
        ("running", True, 2, "running"),
        ("running", True, 600, "stalled"),
        ("running", False, 2, "crashed"),
        ("interrupted", False, 9000, "interrupted"),
        ("interrupted", True, 2, "running"),
        ("finished", False, 9000, "finished"),
        ("none", False, 0, "static"),
        ("none", True, 0, "running"),
    ],
)
def test_state(code: str, locked: bool, age: float, state: str) -> None:
    assert liveness((100, 1000, 50, STATE_CODES[code]), locked, 600, 1000 + age).state == state


@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_heartbeat_that_is_no_number_says_nothing(place: int, value: float) -> None:
    beat = [100.0, 1000.0, 50.0, float(STATE_CODES["running"])]
    beat[place] = value
    step, at, rate, code = beat
    assert liveness((step, at, rate, code), True, 600, 1002).state == "running"
    assert liveness((step, at, rate, code), False, 600, 1002).state == "static"


def test_the_time_left_is_the_steps_left_over_the_rate() -> None:
    now = liveness((100, 1000, 50, STATE_CODES["running"]), True, 600, 1002)
    assert now.eta_seconds == 10
    assert now.seconds_since == 2
    assert math.isnan(liveness((100, 1000, 50, STATE_CODES["running"]), False, 600, 1002).eta_seconds)
