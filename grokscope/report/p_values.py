"""p-values of several runs in a few words: combined by Fisher's method, and how many of them reject."""

from __future__ import annotations

from collections.abc import Sequence

from grokscope.numbers import UNKNOWN, probability
from grokscope.spectra.combined import combined_p

REJECTED = 0.05


def p_words(values: Sequence[float], draws: int) -> str:
    """One p-value as it is; of several the combined one and how many lie below .05.

    `draws` is what stands behind each of them (0: a formula). One that is only known as a bound makes the combined
    one a bound.
    """
    if len(values) < 2:
        return probability(values[0], draws) if values else UNKNOWN
    bound = draws > 0 and min(values) <= 1.0000001 / (draws + 1)
    rejecting = sum(value < REJECTED for value in values)
    words = probability(combined_p(values), 0)
    return f"{'≤' if bound and not words.startswith('<') else ''}{words} ({rejecting} of {len(values)} < .05)"
