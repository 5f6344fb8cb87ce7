"""Plain measures of one weight matrix: norm, entropy and moments (the paper's equations 7 and 8, one layer)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK = 1 << 20
"""Entries at a time: what a large layer needs beside itself."""

ROUNDING = 1e-28
"""A variance below this share of the squared mean is rounding."""

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Measures:
    """norm (Frobenius), abs_entropy (nats, unnormalised), and the entries' mean, standard deviation, max |w| and
    excess kurtosis: 0 for a Gaussian, −2 for two values that are equally frequent, NaN for a constant."""

    norm: float
    abs_entropy: float
    mean: float
    std: float
    kurtosis: float
    max_abs: float


def measure(matrix: Array) -> Measures:
    """Measure a finite matrix of any shape. √Σ_l norm² over layers is the paper's l² norm."""
    entries = matrix.ravel()
    if not len(entries):
        return Measures(0.0, 0.0, NAN, NAN, NAN, 0.0)
    largest = max(float(entries.max()), -float(entries.min()))
    unit = largest or 1.0  # keeps the squares of huge and of tiny entries in range
    blocks = [entries[start : start + BLOCK] for start in range(0, len(entries), BLOCK)]
    mean = math.fsum(float((block / unit).sum()) for block in blocks) / len(entries)
    squares, fourths = (math.fsum(parts) for parts in zip(*(_powers(block / unit - mean) for block in blocks),
                                                          strict=True))  # fmt: skip
    variance = squares / len(entries)
    return Measures(
        norm=unit * math.sqrt(squares + len(entries) * mean**2),
        abs_entropy=math.fsum(absolute_entropy(np.abs(block)) for block in blocks),
        mean=unit * mean,
        std=unit * math.sqrt(variance),
        kurtosis=fourths / len(entries) / variance**2 - 3 if variance > ROUNDING * mean**2 else NAN,
        max_abs=largest,
    )


def _powers(centred: Array) -> tuple[float, float]:
    """Σx² and Σx⁴."""
    square = centred**2
    return float(square.sum()), float(square @ square)


def absolute_entropy(magnitudes: Array) -> float:
    """−Σ |w| log|w| of given |w| with natural logarithms, zeros counting 0; negative once most exceed 1."""
    return -float(magnitudes @ np.log(np.where(magnitudes > 0, magnitudes, 1.0)))


def stable_rank(esd: Array) -> float:
    """Σλ/λ_max = ‖W‖_F²/‖W‖₂², between 1 and the rank; NaN for a zero matrix."""
    return float(esd.sum() / esd[-1]) if len(esd) and esd[-1] > 0 else float("nan")
