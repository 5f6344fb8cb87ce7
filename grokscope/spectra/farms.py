"""alpha without the bias of the aspect ratio: FARMS (Hu, Goel, Killiakov and Yang, ICML 2025, arXiv 2506.06280).

Noise of another N/M has another spectrum, and so another alpha. FARMS takes square submatrices of one side, pools
their eigenvalues, and estimates alpha by Hill's formula on the upper half of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra.esd import LAPACK, Backend, Matrix, eigenvalues

Array = NDArray[np.float64]

LARGEST_WINDOW = 256
"""The side of a window is the shorter side of the layer, up to this; larger layers are sampled."""

MOST_WINDOWS = 4
"""Windows along each axis: as many as cover it, up to this, at equal distances."""


def alpha_farms(
    matrix: Matrix, esd: Array | None = None, backend: Backend = LAPACK, vanishing: float = 0.0
) -> float:
    """1 + k/Σ log(λ_(n−i+1)/λ_(n−k)), i = 1 … k = n/2, over the pooled eigenvalues of square windows; NaN where
    fewer than half of them are above `vanishing`. `esd`: the matrix's own, where known, for a matrix that is one
    window."""
    if esd is not None and matrix.shape[0] == matrix.shape[1] <= LARGEST_WINDOW:
        return hill(esd, vanishing)
    spectra = [eigenvalues(np.ascontiguousarray(part, dtype=np.float64), backend) for part in windows(matrix)]
    return hill(np.sort(np.concatenate(spectra)), vanishing)


def hill(esd: Array, vanishing: float = 0.0) -> float:
    """The Hill estimate of alpha on the upper half of ascending eigenvalues [n]; k = n/2, rounded down."""
    k = len(esd) // 2
    threshold = esd[len(esd) - k - 1]
    if k == 0 or threshold <= vanishing:
        return float("nan")
    total = float(np.sum(np.log(esd[len(esd) - k :] / threshold)))
    return 1 + k / total if total > 0 else float("nan")


def windows(matrix: Matrix) -> list[Matrix]:
    """Square windows of one side, evenly spread over a matrix [rows, columns]."""
    side = min(*matrix.shape, LARGEST_WINDOW)
    rows, columns = (_starts(length, side) for length in matrix.shape)
    return [matrix[row : row + side, column : column + side] for row in rows for column in columns]


def _starts(length: int, side: int) -> NDArray[np.int64]:
    count = min(-(-length // side), MOST_WINDOWS)
    return np.linspace(0, length - side, count).round().astype(np.int64)
