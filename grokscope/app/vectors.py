"""The direction of its inputs that a layer amplifies most, for the picture in the traps view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def leading_direction(weight: NDArray[np.floating]) -> Array:
    """The unit right singular vector v₁ of W [out, in], float64 [in]; its largest component is positive.

    By the eigenvectors of the smaller of WWᵀ and WᵀW. All NaN where W is not finite or zero.
    """
    matrix = np.array(weight, dtype=np.float64).reshape(weight.shape[0], -1)  # a copy, scaled in place below
    unknown = np.full(matrix.shape[1], np.nan)
    scale = max(matrix.max(initial=0.0), -matrix.min(initial=0.0))
    if not np.isfinite(scale) or scale == 0:
        return unknown
    matrix /= scale
    if matrix.shape[0] <= matrix.shape[1]:
        _, vectors = np.linalg.eigh(matrix @ matrix.T)
        direction = matrix.T @ vectors[:, -1]
    else:
        _, vectors = np.linalg.eigh(matrix.T @ matrix)
        direction = vectors[:, -1]
    direction = direction / np.linalg.norm(direction)
    sign = np.sign(direction[np.argmax(np.abs(direction))])
    return np.asarray(direction * sign, dtype=np.float64)
