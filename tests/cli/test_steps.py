"""Steps on the command line are read as people write them."""

from __future__ import annotations

import pytest

from grokscope.cli.common import steps_of
from grokscope.errors import UsageError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500000", 500_000),
        ("100k", 100_000),
        ("100_000", 100_000),
        ("1,000", 1000),
        ("1M", 1_000_000),
        ("1e5", 100_000),
        ("2.2e5", 220_000),
        ("0.1k", 100),
        ("123456789012345678", 123_456_789_012_345_678),
        ("-5", -5),
    ],
)
def test_whole_numbers_are_understood_however_they_are_written(text: str, number: int) -> None:
    assert steps_of("--steps")(text) == number


@pytest.mark.parametrize(
    "text", ["", "k", "x", "1.5", "1e-3", "0.0001k", "nan", "snan", "inf", "1e400", "1 000 k m"]
)
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--steps is .*; give a whole number such as 500000, 500k or 2\.2e5"):
        steps_of("--steps")(text)
