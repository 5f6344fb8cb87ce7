"""What a network is before its first step, against closed forms and the norm that a paper prints."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from grokscope.published import FOLLOW_UP, NORM_AT_START, SCALE_OF_ITS_NORM, SCALE_SAID
from grokscope.spectra.measures import absolute_entropy
from grokscope.verify.comparison import Comparison

SIZES = (784, 200, 200, 10)
PAPERS_SCALE = 8.0
SEED = 0
UNIFORM = "closed form of a uniform distribution"
DEVIATIONS = 4.0
"""A draw lies this many of its standard deviations from its expectation at most (1 in 16,000 does not)."""


def start() -> list[Comparison]:
    """The norm and the absolute entropies at ×8, and the norm at both scales that Appendix I may mean."""
    from grokscope_train.network import initial_parameters

    weights = initial_parameters(SIZES, PAPERS_SCALE, np.random.default_rng(SEED)).weights
    norm = math.sqrt(sum(float(np.sum(weight**2)) for weight in weights))
    found = [Comparison("‖W‖ of all layers, ×8", norm, *_norm(PAPERS_SCALE), UNIFORM)]
    for number, weight in enumerate(weights, 1):
        expected, tolerance = _entropy(weight.size, PAPERS_SCALE / math.sqrt(weight.shape[1]))
        ours = absolute_entropy(np.abs(weight.ravel()))
        found.append(Comparison(f"−Σ|w| log|w| of fc{number}, ×8", ours, expected, tolerance, UNIFORM))
    source = f"{FOLLOW_UP}, App. I"
    for scale in (SCALE_OF_ITS_NORM, SCALE_SAID):
        ours = norm * scale / PAPERS_SCALE
        said = scale == SCALE_SAID
        note = "the scale that its text names has another norm than it prints" if said else "the scale of its norm"
        allowed = None if said else _norm(scale)[1]
        found.append(Comparison(f"‖W‖ of all layers, ×{scale:g}", ours, NORM_AT_START, allowed, source, note))
    return found


def _norm(scale: float) -> tuple[float, float]:
    """The expected l² norm of all weights, uniform in ±b, from E w² = b²/3 and var w² = 4b⁴/45; its tolerance."""
    sizes = [(inputs * outputs, scale / math.sqrt(inputs)) for inputs, outputs in pairwise(SIZES)]
    square = sum(count * bound**2 / 3 for count, bound in sizes)
    deviation = math.sqrt(sum(count * 4 * bound**4 / 45 for count, bound in sizes))
    return math.sqrt(square), DEVIATIONS * deviation / (2 * math.sqrt(square))


def _entropy(count: int, bound: float) -> tuple[float, float]:
    """The expected −Σ|w| log|w| of `count` entries uniform in ±b, −b/2·(log b − ½) each, and its tolerance.

    E (x log x)² over [0, b] is b²/3·(log²b − ⅔ log b + 2/9).
    """
    log = math.log(bound)
    mean = -bound / 2 * (log - 0.5)
    variance = bound**2 / 3 * (log**2 - 2 * log / 3 + 2 / 9) - mean**2
    return count * mean, DEVIATIONS * math.sqrt(count * variance)
