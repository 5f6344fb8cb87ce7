"""Plain measures of one weight matrix: norm, entropy and moments (the paper's equations 7 and 8, one layer)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK = 1 << 20
"""Entries that are looked at together, 8 MB in float64."""

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


def measure(weight: NDArray[np.generic]) -> Measures:
    """Measure a finite weight of any shape and real dtype. √Σ_l norm² over layers is the paper's l² norm.

    Block by block: of a large one no copy in float64 is made.
    """
    if weight.size <= BLOCK:
        weight = np.asarray(weight, dtype=np.float64)
    largest = max((float(np.abs(block).max()) for block in _blocks(weight)), default=0.0)
    if not weight.size:
        return Measures(0.0, 0.0, NAN, NAN, NAN, largest)
    unit = largest or 1.0  # keeps the squares of huge and of tiny entries in range
    mean = sum(float((block / unit).sum()) for block in _blocks(weight)) / weight.size
    powers = [_powers(block / unit - mean) for block in _blocks(weight)]
    variance, fourth = (math.fsum(parts) / weight.size for parts in zip(*powers, strict=True))
    return Measures(
        norm=unit * math.hypot(*(float(np.linalg.norm(block / unit)) for block in _blocks(weight))),
        abs_entropy=sum(absolute_entropy(np.abs(block)) for block in _blocks(weight)),
        mean=unit * mean,
        std=unit * math.sqrt(variance),
        kurtosis=fourth / variance**2 - 3 if variance > ROUNDING * mean**2 else NAN,
        max_abs=largest,
    )


def _powers(centred: Array) -> tuple[float, float]:
    """Σx² and Σx⁴."""
    square = centred**2
    return float(square.sum()), float(square @ square)


def _blocks(weight: NDArray[np.generic]) -> Iterator[Array]:
    """The entries [BLOCK or fewer], some rows at a time, in float64."""
    rows = weight.reshape(len(weight), -1) if weight.ndim > 1 else weight.reshape(1, -1)
    each = max(1, BLOCK // max(1, rows.shape[1]))
    for first in range(0, len(rows) if weight.size else 0, each):
        yield rows[first : first + each].astype(np.float64, copy=False).ravel()


def absolute_entropy(magnitudes: Array) -> float:
    """−Σ |w| log|w| of given |w| with natural logarithms, zeros counting 0; negative once most exceed 1."""
    return -float(magnitudes @ np.log(np.where(magnitudes > 0, magnitudes, 1.0)))


def stable_rank(esd: Array) -> float:
    """Σλ/λ_max = ‖W‖_F²/‖W‖₂², between 1 and the rank; NaN for a zero matrix."""
    return float(esd.sum() / esd[-1]) if len(esd) and esd[-1] > 0 else float("nan")
