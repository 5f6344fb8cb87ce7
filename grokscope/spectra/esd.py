"""Eigenvalues of a layer: λ = σ(W)², unnormalised, from the Gram matrix where that is exact enough.

The Gram route (WᵀW, then a symmetric eigensolver) costs a third to a quarter of a singular value decomposition.
Its error is absolute: each λ is off by a few ε·λ_max (ε = 2.2·10⁻¹⁶), so that singular values below about 10⁻⁸ of
the largest are lost. Where the smallest eigenvalue is too close to that, the full decomposition is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Matrix = NDArray[np.float64] | NDArray[np.float32]

LARGE = 1 << 24
"""From this many entries on, a weight of single precision is kept so (64 MB), and its Gram matrix summed in double
precision from blocks."""

BLOCK, TILE = 1 << 21, 512
"""Entries of such a block, 16 MB in double precision, and rows of the Gram matrix that it adds to at a time."""

ACCURATE = 1e-10
"""λ_min/λ_max down to which the Gram route tells every eigenvalue from zero, the smallest to 10⁻⁵ of itself."""

BULK = 1e-13
"""λ_min·λ_median/λ_max² down to which the Gram route is exact enough for a randomised spectrum. Its error in λ,
3ε·λ_max, moves the Marchenko-Pastur law's distribution function by (2/π)·3ε·λ_max/√(λ λ₊) at λ: at most 10⁻⁹ at
λ_min, where the law has hardly begun and the KS distance, no less than 1/2M, is not attained."""


NARROW_PANELS, WIDE_PANELS, PANEL_SHARE = 8, 32, 48
"""Columns that the tridiagonal form takes at a time: M/48, within these bounds, is near the fastest at any M."""

KRYLOV, FEW = 400, 40
"""From this M on, M/40 singular vectors or fewer are found by Lanczos: at M = 2048 in a tenth of the time."""


def as_matrix(weight: NDArray[np.generic]) -> Matrix:
    """A weight [out, in, ...] as a matrix [out, in·...]; a convolution's kernel axes join its inputs.

    float64; of LARGE ones float32, where that holds them.
    """
    if weight.size >= LARGE and np.can_cast(weight.dtype, np.float32):
        return np.ascontiguousarray(weight, dtype=np.float32).reshape(weight.shape[0], -1)
    return np.ascontiguousarray(weight, dtype=np.float64).reshape(weight.shape[0], -1)


def sides(matrix: Matrix) -> tuple[int, int]:
    """(N, M): the longer and the shorter side."""
    rows, columns = matrix.shape
    return max(rows, columns), min(rows, columns)


def gram(matrix: Matrix) -> Array:
    """The M × M Gram matrix over the shorter side, in double precision; its eigenvalues are σ(W)²."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    if wide.dtype == np.float64:
        return np.asarray(wide @ wide.T)
    total = np.zeros((len(wide), len(wide)))
    width = max(1, BLOCK // len(wide))
    tiles = [slice(start, start + TILE) for start in range(0, len(wide), TILE)]
    for start in range(0, wide.shape[1], width):
        block = wide[:, start : start + width].astype(np.float64)
        for rows in tiles:
            total[rows, : rows.stop] += block[rows] @ block[: rows.stop].T
    for rows in tiles:
        total[: rows.start, rows] = total[rows, : rows.start].T
    return total


class Backend(Protocol):
    """Who does the dense algebra of a layer: this machine's LAPACK (`Lapack`), or a GPU for large ones.

    A Gram matrix stays the backend's own kind of array, on its own device; it must know .sum(0) and @.
    """

    def gram(self, matrix: Matrix) -> Any:
        """The M × M Gram matrix over the shorter side of a matrix, in double precision."""

    def gram_eigenvalues(self, gram_matrix: Any) -> Array:
        """All its eigenvalues, ascending, in this machine's memory."""

    def count_above(self, gram_matrix: Any, threshold: float) -> int:
        """How many of its eigenvalues exceed `threshold`."""


class Lapack:
    """The algebra by numpy's and scipy's LAPACK."""

    def gram(self, matrix: Matrix) -> Array:
        """See `Backend`."""
        return gram(matrix)

    def gram_eigenvalues(self, gram_matrix: Array) -> Array:
        """See `Backend`."""
        return symmetric_eigenvalues(gram_matrix)

    def count_above(self, gram_matrix: Array, threshold: float) -> int:
        """See `Backend`."""
        return count_above(gram_matrix, threshold)


LAPACK = Lapack()


def eigenvalues(matrix: Matrix, backend: Backend = LAPACK) -> Array:
    """The M eigenvalues λ = σ(W)² of a finite matrix [rows, columns], ascending, unnormalised.

    Where the smallest one is below ACCURATE of the largest, they are computed from the matrix itself. Raises
    numpy.linalg.LinAlgError where neither route converges.
    """
    values = backend.gram_eigenvalues(backend.gram(matrix))
    return values if values[0] > ACCURATE * values[-1] else _squared_singular_values(matrix)


def symmetric_eigenvalues(matrix: Array) -> Array:
    """All eigenvalues of a finite symmetric M × M matrix, ascending: tridiagonal first, then by the QL iteration.

    As numpy's eigvalsh, but with panels as narrow as small matrices like them, a tenth faster at M = 200. Raises
    numpy.linalg.LinAlgError.
    """
    from scipy.linalg import lapack

    size = len(matrix)
    if size == 1:
        return matrix.diagonal().copy()
    width = min(max(NARROW_PANELS, size // PANEL_SHARE), WIDE_PANELS)
    _, diagonal, beside, _, _ = lapack.dsytrd(matrix.T, lower=1, lwork=width * size)
    values, failed = lapack.dsterf(diagonal, beside, overwrite_d=1, overwrite_e=1)
    if failed:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")
    return np.asarray(values)


def bulk_eigenvalues(matrix: Callable[[], Matrix], gram_matrix: Any, backend: Backend = LAPACK) -> Array:
    """The M eigenvalues of a randomised matrix, as `eigenvalues`, where only their distribution is read.

    `matrix` makes it; it is asked only where its Gram matrix is not enough.
    """
    values = backend.gram_eigenvalues(gram_matrix)
    if values[0] * values[len(values) // 2] > BULK * values[-1] ** 2:
        return values
    return _squared_singular_values(matrix())


def _squared_singular_values(matrix: Matrix) -> Array:
    singular = np.linalg.svd(matrix.astype(np.float64, copy=False), compute_uv=False)
    return np.ascontiguousarray(singular[::-1] ** 2)


def count_above(gram_matrix: Array, threshold: float) -> int:
    """How many eigenvalues of a symmetric M × M matrix exceed `threshold`, without computing them.

    None where x·1 − G has a Cholesky decomposition. Else by Sylvester's law of inertia: L D Lᵀ of it has as many
    negative eigenvalues in D as G has above x. A 2 × 2 block of the Bunch-Kaufman D is indefinite and so holds one
    of each sign. An eighth and a third of the cost of tridiagonalising.
    """
    from scipy.linalg import lapack

    if not lapack.dpotrf(_from(threshold, gram_matrix), lower=1, clean=0, overwrite_a=1)[1]:
        return 0
    shifted = _from(threshold, gram_matrix)
    factor, pivots, _ = lapack.dsytrf(shifted, lower=1, lwork=64 * len(shifted), overwrite_a=1)
    in_pair = pivots < 0
    return int(np.count_nonzero(factor.diagonal()[~in_pair] < 0) + np.count_nonzero(in_pair) // 2)


def _from(threshold: float, matrix: Array) -> Array:
    """x·1 − G, columns first, as LAPACK likes them."""
    shifted = np.negative(matrix.T, order="F")
    shifted.ravel("K")[:: len(shifted) + 1] += threshold
    return shifted


def top_singular_vectors(
    matrix: Matrix, count: int, gram_matrix: Array | None = None, esd: Array | None = None
) -> tuple[Array, Array, Array]:
    """The `count` largest singular triples of a matrix [rows, columns]: left [rows, k], values [k], right
    [columns, k].

    Descending. From the eigenvectors of the Gram matrix, which is exact enough for directions outside the bulk.
    `esd`: its eigenvalues [M], ascending, where known; a large one is then not made tridiagonal once more.
    """
    known = gram(matrix) if gram_matrix is None else gram_matrix
    found = _by_lanczos(known, esd[-count:]) if esd is not None and count * FEW <= len(known) >= KRYLOV else None
    values, short = _by_tridiagonal_form(known, count) if found is None else found
    values, short = np.sqrt(np.maximum(values[::-1], 0.0)), short[:, ::-1]
    if matrix.shape[0] <= matrix.shape[1]:
        return short, values, (matrix.T @ short) / values
    return (matrix @ short) / values, values, short


def _by_tridiagonal_form(matrix: Array, count: int) -> tuple[Array, Array]:
    """The `count` largest eigenvalues [k] of a symmetric M × M matrix, ascending, and their vectors [M, k]."""
    from scipy.linalg import eigh

    size = len(matrix)
    values, vectors = eigh(matrix, subset_by_index=[size - count, size - 1])
    return values, vectors


def _by_lanczos(matrix: Array, expected: Array) -> tuple[Array, Array] | None:
    """The same to all digits, from products with the matrix; None where they are not the `expected` values [k]."""
    from scipy.sparse.linalg import ArpackError, eigsh

    start = np.random.default_rng(0).standard_normal(len(matrix))
    try:
        values, vectors = eigsh(matrix, len(expected), which="LA", v0=start)
    except ArpackError:
        return None
    return (values, vectors) if np.allclose(values, expected, rtol=1e-9, atol=0) else None
