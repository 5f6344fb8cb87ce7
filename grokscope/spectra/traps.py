"""Correlation traps of a randomised layer, each with the cause that explains it.

A permutation keeps nothing but the multiset of entries, so an eigenvalue outside the noise comes from a
shifted mean (a rank-one matrix of strength |mean|·√(NM)) or from a few large entries (each a rank-one matrix
of strength |w|). Such a spike of strength θ leaves the bulk when θ > σ(NM)^¼, at λ = (θ² + σ²N)(θ² + σ²M)/θ²
(Benaych-Georges and Nadakuditi, J. Multivar. Anal. 111, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import esd as spectrum
from grokscope.spectra.marchenko_pastur import edges
from grokscope.spectra.null import Null, edge_centre_and_scale
from grokscope.spectra.permutations import Permutations
from grokscope.spectra.randomised import Randomised

Array = NDArray[np.float64]

LARGE = 0.5
"""Entries beyond this share of the threshold σ(NM)^¼ count as large: several in one row add up to a trap."""

NAMED_SHARE = 0.25
"""A cause is named when it gives at least this share of what mean and large entries give to the trap."""

EXACT = 1e-7
"""By how much of the edge eigenvalues may be off when those beyond it are counted."""

MANY = 0.01
"""From this share of the entries on, clipping them is no small change."""

MAX_DESCRIBED = 64
MAX_ENTRIES = 8
MAX_LARGE = 256


@dataclass(frozen=True, slots=True)
class Trap:
    """One eigenvalue outside the noise, of the representative permutation.

    eigenvalue is λ, unnormalised; ratio is λ/λ₊; z is (λ/σ² − μ)/s and p the chance that noise reaches it.
    cause is "mean", "entries", "mean+entries" or "unexplained"; predicted is the λ that the cause alone would
    make (NaN if unexplained). entries are (row, column, value) in the layer as stored (flattened to two
    axes), strongest first. participation is 1/(n Σ v⁴) of the unit singular vector, left over rows and right
    over columns: 1 for an even one, 1/3 for a Gaussian one, 1/n for a single component.
    """

    eigenvalue: float
    ratio: float
    z: float
    p: float
    cause: str
    entries: tuple[tuple[int, int, float], ...]
    predicted: float
    participation_left: float
    participation_right: float


@dataclass(frozen=True, slots=True)
class _Structure:
    """What a permuted matrix holds beside noise: its mean, and its large entries.

    `large` are the flat places of all of them; rows, columns and excess over the mean are those of the 256
    largest.
    """

    mean: float
    large: NDArray[np.intp]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    excess: Array


def spike_eigenvalue(strength: float, num_rows: int, num_columns: int, sigma: float) -> float:
    """λ at which a rank-one part of this strength shows in noise of spread `sigma`; NaN below the threshold."""
    if not sigma > 0 or strength <= spike_threshold(num_rows, num_columns, sigma):
        return float("nan")
    square = (strength / sigma) ** 2
    return float(sigma**2 * (1 + num_rows / square) * (square + num_columns))


def spike_threshold(num_rows: int, num_columns: int, sigma: float) -> float:
    """σ(NM)^¼: the strength below which a rank-one part hides in the noise."""
    return float(sigma * (num_rows * num_columns) ** 0.25)


def participation_ratio(vector: Array) -> float:
    """1/(n Σ v⁴) of a unit vector [n], between 1/n and 1."""
    return float(1 / (len(vector) * np.sum(vector**4)))


def describe(shuffled: Permutations, result: Randomised, null: Null) -> tuple[Trap, ...]:
    """The traps of the representative permutation, largest first, at most 64 of them."""
    shown = result.representative
    count = min(shown.num_traps, MAX_DESCRIBED)
    if not count:
        return ()
    matrix, sigma = shuffled[result.index], shown.sigma
    gram = spectrum.gram(matrix) if shown.gram is None else shown.gram
    left, values, right = spectrum.top_singular_vectors(matrix, count, gram, shown.esd)
    structure = _structure(matrix, LARGE * spike_threshold(*_two(matrix.shape), sigma))
    from_mean, from_entries = _contributions(structure, left, right)
    rest = gram_without(structure.mean, structure.large, matrix, gram, EXACT * shown.edge)
    unexplained = spectrum.count_above(rest, shown.edge)
    causes = _causes(from_mean, from_entries.sum(axis=0), values, unexplained)
    predicted = iter(_predicted(structure, matrix.shape, sigma))
    origins = _original_positions(shuffled, result.index, structure)
    traps = []
    for number, eigenvalue in enumerate(shown.esd[: -count - 1 : -1]):
        cause = causes[number]
        ratio, z = _beside_noise(float(eigenvalue), _two(matrix.shape), sigma)
        traps.append(
            Trap(
                eigenvalue=float(eigenvalue),
                ratio=ratio,
                z=z,
                p=null.edge_p(z),
                cause=cause,
                entries=_strongest(from_entries[:, number], origins) if "entries" in cause else (),
                predicted=float("nan") if cause == "unexplained" else next(predicted, float("nan")),
                participation_left=participation_ratio(left[:, number]),
                participation_right=participation_ratio(right[:, number]),
            )
        )
    return tuple(traps)


def _beside_noise(eigenvalue: float, shape: tuple[int, int], sigma: float) -> tuple[float, float]:
    """(λ/λ₊, z) of an eigenvalue."""
    centre, scale = edge_centre_and_scale(*shape)
    return eigenvalue / edges(*shape, sigma)[1], (eigenvalue / sigma**2 - centre) / scale


def _structure(matrix: spectrum.Matrix, limit: float) -> _Structure:
    """The mean of the ordinary entries, and the large ones, which lie beyond `limit` from it."""
    total = float(matrix.sum(dtype=np.float64))
    places = _beyond(matrix, total / matrix.size, limit)
    values = matrix.ravel()[places].astype(np.float64)
    ordinary = matrix.size - len(places)
    mean = float((total - values.sum()) / ordinary) if ordinary else total / matrix.size
    places = places[np.argsort(-np.abs(values - mean), kind="stable")]
    named = places[:MAX_LARGE]
    rows, columns = np.divmod(named, matrix.shape[1])
    return _Structure(mean, places, rows, columns, matrix.ravel()[named].astype(np.float64) - mean)


def _beyond(matrix: spectrum.Matrix, centre: float, limit: float) -> NDArray[np.intp]:
    """The flat places of entries farther than `limit` from `centre`; some rows at a time, for large matrices."""
    columns = matrix.shape[1]
    each = max(1, spectrum.BLOCK // columns)
    blocks = ((start * columns, matrix[start : start + each]) for start in range(0, len(matrix), each))
    return np.concatenate([
        first + np.flatnonzero(np.abs(block.astype(np.float64, copy=False) - centre) > limit)
        for first, block in blocks
    ])  # fmt: skip


def _contributions(structure: _Structure, left: Array, right: Array) -> tuple[Array, Array]:
    """uᵀSv of each of k traps for both kinds of structure: from the mean [k], from each large entry [entries, k].

    They add up, with the noise's share, to the trap's singular value uᵀWv.
    """
    from_mean = structure.mean * left.sum(axis=0) * right.sum(axis=0)
    from_entries = structure.excess[:, None] * left[structure.rows] * right[structure.columns]
    return from_mean, from_entries


def gram_without(
    mean: float, places: NDArray[np.intp], matrix: spectrum.Matrix, gram: Array, tolerance: float
) -> Array:
    """The Gram matrix of a matrix with its mean subtracted and the entries at flat `places` clipped to it.

    From the matrix's own by the parts that change, a few columns; anew where rounding would exceed `tolerance` or
    many entries change.
    """
    if len(places) > MANY * matrix.size or gram.trace() * np.finfo(np.float64).eps > tolerance:
        centred = matrix.astype(np.float64)
        centred -= mean
        centred.ravel()[places] = 0.0
        return spectrum.gram(centred)
    from scipy.sparse import coo_array

    rows, columns = np.divmod(places, matrix.shape[1])
    beyond = matrix[rows, columns].astype(np.float64) - mean
    if matrix.shape[0] > matrix.shape[1]:
        matrix, rows, columns = matrix.T, columns, rows
    touched, columns = np.unique(columns, return_inverse=True)  # the columns of E that are not zero
    excess = coo_array((beyond, (rows, columns)), shape=(len(matrix), len(touched))).tocsr()
    taken = mean * matrix.shape[1]  # W − mean·11ᵀ − E, short side first, times its transpose
    cross = excess @ matrix.T[touched]
    cross += mean * (matrix.sum(axis=1, dtype=np.float64) - excess.sum(axis=1) - taken / 2)
    rest: Array = gram - cross
    rest -= cross.T
    square = (excess @ excess.T).tocoo()
    rest[square.row, square.col] += square.data
    return rest


def _causes(from_mean: Array, from_entries: Array, values: Array, unexplained: int) -> list[str]:
    """A name each; the `unexplained` traps are those with the least share from mean and large entries."""
    mean, entries = np.maximum(from_mean, 0.0), np.maximum(from_entries, 0.0)
    needed = NAMED_SHARE * (mean + entries)
    named = zip((mean > 0) & (mean >= needed), (entries > 0) & (entries >= needed), strict=True)
    names = {(True, False): "mean", (False, True): "entries", (True, True): "mean+entries"}
    causes = [names.get((bool(by_mean), bool(by_entries)), "unexplained") for by_mean, by_entries in named]
    for number in np.argsort((from_mean + from_entries) / values, kind="stable")[:unexplained]:
        causes[number] = "unexplained"
    return causes


def _predicted(structure: _Structure, shape: tuple[int, ...], sigma: float) -> list[float]:
    """λ of each spike that mean and large entries make together, descending.

    The structured part mean·11ᵀ + Σ excess·eᵢeⱼᵀ lives on the named rows and columns and on one even vector
    over the rest, so its singular values are those of a small matrix.
    """
    rows, row_of = np.unique(structure.rows, return_inverse=True)
    columns, column_of = np.unique(structure.columns, return_inverse=True)
    row_weights = np.append(np.ones(len(rows)), np.sqrt(shape[0] - len(rows)))
    column_weights = np.append(np.ones(len(columns)), np.sqrt(shape[1] - len(columns)))
    small = structure.mean * np.outer(row_weights, column_weights)
    small[row_of, column_of] += structure.excess
    strengths = np.linalg.svd(small, compute_uv=False)
    return [spike_eigenvalue(float(strength), *_two(shape), sigma) for strength in strengths]


def _two(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]


def _original_positions(shuffled: Permutations, index: int, structure: _Structure) -> list[tuple[int, int, float]]:
    """(row, column, value) in the layer as stored of each named large entry of a permutation."""
    if not len(structure.rows):
        return []
    columns = shuffled.matrix.shape[1]
    places = shuffled.order(index, structure.rows * columns + structure.columns)
    values = shuffled.matrix.ravel()[places]
    return [(int(p) // columns, int(p) % columns, float(v)) for p, v in zip(places, values, strict=True)]


def _strongest(parts: Array, origins: list[tuple[int, int, float]]) -> tuple[tuple[int, int, float], ...]:
    """The large entries that make a trap: those giving a tenth of what the strongest gives, eight at most."""
    order = np.argsort(-parts, kind="stable")[:MAX_ENTRIES]
    return tuple(origins[number] for number in order if parts[number] >= 0.1 * parts[order[0]])
