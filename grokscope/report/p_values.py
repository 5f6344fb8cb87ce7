"""p-values of several runs in a few words: combined by Fisher's method, and how many of them reject."""

from __future__ import annotations

from collections.abc import Sequence

from grokscope.numbers import UNKNOWN, combined_probability, probability
from grokscope.spectra.combined import combined_p

REJECTED = 0.05


def p_words(values: Sequence[float], draws: int) -> str:
    """One p-value as it is; of several the combined one and how many lie below .05.

    `draws` is what stands behind each of them (0: a formula). One that is only known as a bound makes the combined
    one a bound.
    """
    if len(values) < 2:
        return probability(values[0], draws) if values else UNKNOWN
    rejecting = sum(value < REJECTED for value in values)
    words = combined_probability(combined_p(values), min(values), draws)
    return f"{words} ({rejecting} of {len(values)} < .05)"
