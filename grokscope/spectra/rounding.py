"""What of a weight's spectrum is rounding, by the format that its entries were kept or computed in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra.esd import LAPACK, Backend, Matrix, eigenvalues, sides
from grokscope.spectra.power_law import VANISHING

Array = NDArray[np.float64]

STORED = {16: 2.0**-7, 13: 2.0**-10}
"""The unit in the last place of bfloat16 and of float16, by how many bits at the end of float32 are then zero."""

COARSEST = 2 * STORED[16]
"""`resolution` of bfloat16, the coarsest format that weights come in."""


def resolution(array: NDArray[np.generic]) -> float:
    """The relative spread of singular values that rounding makes, by the coarsest format that holds all entries.

    Two units in the last place where they were only stored in it (bfloat16, float16), 64 where they were computed
    in it: an orthogonal matrix made by QR is off by 4 to 30.
    """
    unit = _unit(array)
    return unit * (2 if unit in STORED.values() else 64)


def errors(array: NDArray[np.generic]) -> float:
    """The relative error that rounding makes in an entry: up to a unit in the last place where it was only stored,
    4 where it was computed, as a sum of some hundred products."""
    unit = _unit(array)
    return unit * (1 if unit in STORED.values() else 4)


def _unit(array: NDArray[np.generic]) -> float:
    """The unit in the last place of the coarsest format that holds all entries."""
    with np.errstate(over="ignore"):
        single = np.asarray(array, dtype=np.float32)
    if not np.array_equal(single, array):
        return float(np.finfo(np.float64).eps)
    used = int(np.bitwise_or.reduce(single.view(np.uint32), axis=None))
    return next((unit for bits, unit in STORED.items() if not used % (1 << bits)), float(np.finfo(np.float32).eps))


def largest_zero(matrix: Matrix, esd: Array, backend: Backend = LAPACK) -> float:
    """The largest eigenvalue of a matrix, `esd` ascending, that is zero within rounding; 0 where none is.

    They are counted where rows and columns are brought to one length, which leaves the rank as it is: an entry's
    rounding is a share of it, and the small eigenvalues of rows that have decayed are no rounding.
    """
    relative = errors(matrix)
    if esd[0] > _largest_of_rounding(matrix, esd, relative):
        return 0.0
    balanced = _to_length_one(_to_length_one(matrix, 1), 0)
    found = eigenvalues(balanced, backend)
    count = max(
        np.count_nonzero(esd <= VANISHING * esd[-1]),
        np.count_nonzero(found <= _largest_of_rounding(balanced, found, relative)),
    )
    return max(0.0, float(esd[count - 1])) if count else 0.0


def _largest_of_rounding(matrix: Matrix, esd: Array, relative: float) -> float:
    """The largest eigenvalue that `relative` errors of the entries make, or LAPACK's own.

    They are noise, whose largest singular value is ‖W‖(1/√N + 1/√M) of them.
    """
    long, short = sides(matrix)
    noise = relative * (long**-0.5 + short**-0.5)
    return float(max(noise**2 * esd.sum(), VANISHING * esd[-1]))


def _to_length_one(matrix: Matrix, axis: int) -> Matrix:
    """The matrix with its rows (axis 1) or columns (axis 0) scaled to length 1, those of zeros as they are."""
    lengths = np.linalg.norm(matrix, axis=axis, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1))
