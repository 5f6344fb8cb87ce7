"""Plain measures of one weight matrix: norm, entropy and moments (the paper's equations 7 and 8, one layer)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """norm (Frobenius), abs_entropy (nats, unnormalised), and the entries' mean, standard deviation and max
    |w|."""

    norm: float
    abs_entropy: float
    mean: float
    std: float
    max_abs: float


def measure(matrix: Array) -> Measures:
    """Measure a finite matrix of any shape. √Σ_l norm² over layers is the paper's l² norm."""
    magnitudes = np.abs(matrix.ravel())
    largest = float(magnitudes.max(initial=0.0))
    unit = largest or 1.0  # keeps the squares of huge and of tiny entries in range
    scaled = matrix.ravel() / unit
    return Measures(
        norm=unit * float(np.linalg.norm(scaled)),
        abs_entropy=absolute_entropy(magnitudes),
        mean=unit * float(scaled.mean()) if scaled.size else float("nan"),
        std=unit * float(scaled.std()) if scaled.size else float("nan"),
        max_abs=largest,
    )


def absolute_entropy(magnitudes: Array) -> float:
    """−Σ |w| log|w| of given |w| with natural logarithms, zeros counting 0; negative once most exceed 1."""
    return -float(magnitudes @ np.log(np.where(magnitudes > 0, magnitudes, 1.0)))


def stable_rank(esd: Array) -> float:
    """Σλ/λ_max = ‖W‖_F²/‖W‖₂², between 1 and the rank; NaN for a zero matrix."""
    return float(esd.sum() / esd[-1]) if len(esd) and esd[-1] > 0 else float("nan")
