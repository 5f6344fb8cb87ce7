"""Correlation traps of a randomised layer, each with the cause that explains it.

A permutation keeps nothing but the multiset of entries, so an eigenvalue outside the noise comes from a shifted mean
(a rank-one matrix of strength |mean|·√(NM)) or from a few large entries (each a rank-one matrix of strength |w|).
Such a spike of strength θ leaves the bulk when θ > σ(NM)^¼, at λ = (θ² + σ²N)(θ² + σ²M)/θ² (Benaych-Georges and
Nadakuditi, J. Multivar. Anal. 111, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import esd as spectrum
from grokscope.spectra.null import Null, edge_centre_and_scale

Array = NDArray[np.float64]

LARGE = 0.5
"""Entries beyond this share of the threshold σ(NM)^¼ count as large: several in one row add up to a trap."""

NAMED_SHARE = 0.25
"""A cause is named when it gives at least this share of what mean and large entries give to the trap."""

MAX_DESCRIBED = 64
MAX_ENTRIES = 8
MAX_LARGE = 256


@dataclass(frozen=True, slots=True)
class Trap:
    """One eigenvalue outside the noise, of the representative permutation.

    eigenvalue is λ, unnormalised; ratio is λ/λ₊; z is (λ/σ² − μ)/s and p the chance that noise reaches it. cause is
    "mean", "entries", "mean+entries" or "unexplained"; predicted is the λ that the cause alone would make (NaN if
    unexplained). entries are (row, column, value) in the layer as stored (flattened to two axes), strongest first.
    participation is 1/(n Σ v⁴) of the unit singular vector, left over rows and right over columns: 1 for an even one,
    1/3 for a Gaussian one, 1/n for a single component.
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
    """What a permuted matrix holds beside noise: its mean, and its large entries (row, column, excess over the mean)."""

    mean: float
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    excess: Array


def spike_eigenvalue(strength: float, num_rows: int, num_columns: int, sigma: float) -> float:
    """λ at which a rank-one part of the given strength shows in noise of spread `sigma`; NaN below the threshold."""
    if not sigma > 0 or strength <= spike_threshold(num_rows, num_columns, sigma):
        return float("nan")
    square = (strength / sigma) ** 2
    return float(sigma**2 * (1 + num_rows / square) * (square + num_columns))


def spike_threshold(num_rows: int, num_columns: int, sigma: float) -> float:
    """σ(NM)^¼: the strength below which a rank-one part hides in the noise."""
    return float(sigma * (num_rows * num_columns) ** 0.25)


def participation_ratio(vectors: Array) -> Array:
    """1/(n Σ v⁴) of unit vectors [n, k], one value each."""
    result: Array = 1 / (len(vectors) * np.sum(vectors**4, axis=0))
    return result


def describe(matrix: Array, permuted: Array, eigenvalues: Array, sigma: float, edge: float, null: Null) -> tuple[Trap, ...]:
    """The traps of one permutation, largest first, at most 64 of them.

    `eigenvalues` are those beyond `edge`, descending; `matrix` is the layer as stored and `permuted` its permutation.
    """
    count = min(len(eigenvalues), MAX_DESCRIBED)
    if not count:
        return ()
    left, values, right = spectrum.top_singular_vectors(permuted, count)
    limit = LARGE * spike_threshold(*matrix.shape, sigma)
    structure = _structure(permuted, limit)
    from_mean, from_entries = _contributions(structure, left, right)
    share = (from_mean + from_entries.sum(axis=0)) / values
    causes = _causes(from_mean, from_entries.sum(axis=0), share, _unexplained(permuted, limit, edge))
    predicted = iter(_predicted(structure, matrix.shape, sigma))
    origins = _original_positions(matrix, permuted, structure)
    centre, scale = edge_centre_and_scale(*matrix.shape)
    upper = sigma**2 * (np.sqrt(matrix.shape[0]) + np.sqrt(matrix.shape[1])) ** 2
    spread = zip(participation_ratio(left), participation_ratio(right), strict=True)
    traps = []
    for number, (participation_left, participation_right) in enumerate(spread):
        value, cause = float(eigenvalues[number]), causes[number]
        z = (value / sigma**2 - centre) / scale
        named = _strongest(from_entries[:, number], origins) if "entries" in cause else ()
        theory = float("nan") if cause == "unexplained" else next(predicted, float("nan"))
        traps.append(Trap(value, float(value / upper), float(z), null.edge_p(z), cause, named, theory,
                          float(participation_left), float(participation_right)))  # fmt: skip
    return tuple(traps)


def _structure(matrix: Array, limit: float) -> _Structure:
    """The mean of the ordinary entries, and the large ones (the 256 largest where there are more)."""
    large = np.abs(matrix - matrix.mean()) > limit
    ordinary = matrix.size - np.count_nonzero(large)
    mean = float((matrix.sum() - matrix[large].sum()) / ordinary) if ordinary else float(matrix.mean())
    rows, columns = np.nonzero(large)
    excess = matrix[rows, columns] - mean
    order = np.argsort(-np.abs(excess), kind="stable")[:MAX_LARGE]
    return _Structure(mean, rows[order], columns[order], excess[order])


def _contributions(structure: _Structure, left: Array, right: Array) -> tuple[Array, Array]:
    """uᵀSv of each trap for the two kinds of structure: from the mean [k], from each large entry [entries, k].

    They add up, with the noise's share, to the trap's singular value uᵀWv.
    """
    from_mean = structure.mean * left.sum(axis=0) * right.sum(axis=0)
    from_entries = structure.excess[:, None] * left[structure.rows] * right[structure.columns]
    return from_mean, from_entries


def _unexplained(matrix: Array, limit: float, edge: float) -> int:
    """How many eigenvalues stay beyond the edge once the mean is subtracted and large entries are clipped to it."""
    centred = matrix - _structure(matrix, limit).mean
    centred[np.abs(matrix - matrix.mean()) > limit] = 0.0
    return spectrum.count_above(spectrum.gram(centred), edge)


def _causes(from_mean: Array, from_entries: Array, share: Array, unexplained: int) -> list[str]:
    """A name each; the `unexplained` traps are those with the least share from mean and large entries."""
    causes = []
    for mean, entries in zip(from_mean, from_entries, strict=True):
        total = max(mean, 0.0) + max(entries, 0.0)
        names = [name for name, part in (("mean", mean), ("entries", entries)) if total and part >= NAMED_SHARE * total]
        causes.append("+".join(names) or "unexplained")
    for number in np.argsort(share, kind="stable")[:unexplained]:
        causes[number] = "unexplained"
    return causes


def _predicted(structure: _Structure, shape: tuple[int, ...], sigma: float) -> list[float]:
    """λ of each spike that mean and large entries make together, descending.

    The structured part mean·11ᵀ + Σ excess·eᵢeⱼᵀ lives on the named rows and columns and on one even vector over the
    rest, so its singular values are those of a small matrix.
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


def _original_positions(matrix: Array, permuted: Array, structure: _Structure) -> list[tuple[int, int, float]]:
    """Where each large entry of the permutation lies in the layer as stored: matched by value, equals in any order."""
    values = permuted[structure.rows, structure.columns]
    order = np.argsort(matrix, axis=None, kind="stable") if len(values) > 64 else None
    positions, used = [], set()
    flat = matrix.ravel()
    for value in values:
        if order is not None:
            start = np.searchsorted(flat, value, sorter=order)
            candidates = order[start : start + len(values)]
        else:
            candidates = np.flatnonzero(flat == value)
        place = next(int(c) for c in candidates if int(c) not in used)
        used.add(place)
        positions.append((place // matrix.shape[1], place % matrix.shape[1], float(value)))
    return positions


def _strongest(parts: Array, origins: list[tuple[int, int, float]]) -> tuple[tuple[int, int, float], ...]:
    """The large entries that make a trap: those giving at least a tenth of what the strongest gives, eight at most."""
    order = np.argsort(-parts, kind="stable")[:MAX_ENTRIES]
    return tuple(origins[number] for number in order if parts[number] >= 0.1 * parts[order[0]])
