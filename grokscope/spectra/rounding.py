"""What of a weight's spectrum is rounding, by the format that its entries were kept or computed in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra.esd import LAPACK, Backend, Matrix, eigenvalues, sides
from grokscope.spectra.power_law import VANISHING

Array = NDArray[np.float64]

COARSEST = 2 * 2.0**-7
"""`resolution` of bfloat16, the coarsest format that weights come in."""

STORED = {16: COARSEST, 13: 2 * 2.0**-10}
"""`resolution` by how many bits at the end of float32 are zero in every entry: bfloat16's and float16's."""


def resolution(array: NDArray[np.generic]) -> float:
    """The relative spread of singular values that rounding makes, by the coarsest format that holds all entries.

    Two units in the last place where they were only stored in it (bfloat16, float16), 64 where they were computed
    in it: an orthogonal matrix made by QR is off by 4 to 30.
    """
    with np.errstate(over="ignore"):
        single = np.asarray(array, dtype=np.float32)
    if not np.array_equal(single, array):
        return 64 * float(np.finfo(np.float64).eps)
    used = int(np.bitwise_or.reduce(single.view(np.uint32), axis=None))
    stored = (unit for bits, unit in STORED.items() if not used % (1 << bits))
    return next(stored, 64 * float(np.finfo(np.float32).eps))


def largest_zero(matrix: Matrix, esd: Array, backend: Backend = LAPACK) -> float:
    """The largest eigenvalue of a matrix, `esd` ascending, that is zero within rounding; 0 where none is.

    They are counted where rows and columns are brought to one length, which leaves the rank as it is: an entry's
    rounding is a share of it, and the small eigenvalues of rows that have decayed are no rounding.
    """
    relative = resolution(matrix)
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
    """The largest eigenvalue that errors of half the `relative` resolution in every entry make, or LAPACK's own.

    They are noise, whose largest singular value is ‖W‖(1/√N + 1/√M) of them.
    """
    long, short = sides(matrix)
    noise = relative / 2 * (long**-0.5 + short**-0.5)
    return float(max(noise**2 * esd.sum(), VANISHING * esd[-1]))


def _to_length_one(matrix: Matrix, axis: int) -> Matrix:
    """The matrix with its rows (axis 1) or columns (axis 0) scaled to length 1, those of zeros as they are."""
    lengths = np.linalg.norm(matrix, axis=axis, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1))
