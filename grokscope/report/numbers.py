"""Numbers as reports print them: an en dash where not known, a bound where a p-value is one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

UNKNOWN = "–"
SIGNIFICANT = 4


def number_text(value: float | None, form: str) -> str:
    """Format a number; an en dash where it is not known."""
    return UNKNOWN if value is None or math.isnan(value) else format(value, form)


def p_text(value: float | None, draws: int) -> str:
    """Format a Monte-Carlo p-value, which cannot go below 1 / (draws + 1)."""
    if value is None or math.isnan(value):
        return UNKNOWN
    smallest = 1 / (draws + 1)
    return f"<{smallest:.2g}" if draws and value <= smallest * 1.0001 else f"{value:.3g}"


def mean_text(values: Sequence[float], *, whole: bool = False) -> str:
    """Format a number, or the mean ± standard deviation of several, both with the same decimals.

    Four significant digits, or none behind the point where the numbers are `whole`.
    """
    if not values:
        return UNKNOWN
    mean = float(np.mean(values))
    if len(values) == 1:
        return format(mean, ",.0f" if whole or 1e4 <= abs(mean) < 1e7 else ".4g")
    deviation = float(np.std(values, ddof=1))
    form = ",.0f" if whole else _common_form(max(abs(mean), deviation))
    return " ± ".join(_without_common_zeros([format(mean, form), format(deviation, form)]))


def _common_form(largest: float) -> str:
    """Return the format in which a number of the size of `largest` has four significant digits."""
    if largest and not 1e-3 <= largest < 1e7:
        return f".{SIGNIFICANT - 1}e"
    decimals = SIGNIFICANT - 1 - math.floor(math.log10(largest)) if largest else 0
    return f",.{max(decimals, 0)}f"


def _without_common_zeros(texts: list[str]) -> list[str]:
    """Drop the decimals that are zero in all of the texts."""
    while all("." in text and text[-1] in "0." for text in texts):
        texts = [text[:-1] for text in texts]
    return texts
