"""The randomised layer: K seeded permutations of the entries, each with its own spectrum, sigma, edge and traps.

One of them is shown in pictures: the representative, which has the middle one of the K largest eigenvalues. An
order statistic, not a nearest value, because ties would be decided by a processor's rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import esd as spectrum
from grokscope.spectra import kolmogorov, marchenko_pastur
from grokscope.spectra.null import Null, edge_centre_and_scale
from grokscope.spectra.permutations import Permutations
from grokscope.spectra.threads import in_threads

Array = NDArray[np.float64]

SIGNIFICANCE = 1e-3
"""A trap is an eigenvalue that the largest one of pure noise exceeds with less than this probability."""

VANISHING = 1e-24
"""A bulk whose edge is below this share of the largest eigenvalue is a rounding error (ε², and a margin)."""

MOST_PERMUTATIONS, FEWEST_PERMUTATIONS = 20, 2
SELF_AVERAGING_SIDE = 200
"""K is 20 up to this M and falls with M^1.5 beyond, to no fewer than 2: the spectrum averages itself.

Noise spreads the mean of K distances by 0.32/(M√K): 3.6·10⁻⁴ at M = 200 with 20 permutations, 2.4·10⁻⁴ at M = 768
with 3. What gets coarser is the count of traps: its median is off by 1.25/√K of the spread over permutations.
"""

KEPT_BYTES = 1 << 28
"""Gram matrices of all permutations are kept up to this: that of the one shown is needed again for its traps."""

TIE = 1e-9
"""Largest eigenvalues that differ by less than this share are equal: which is larger depends on the processor."""


@dataclass(frozen=True, slots=True)
class Permuted:
    """One permutation: its eigenvalues `esd` [M], ascending, robust `sigma`, and `num_traps` beyond `edge`.

    sigma 0 means that most eigenvalues vanish (a very sparse layer): there is no bulk, and a count means nothing.
    gram is its Gram matrix, None where that is too large to keep.
    """

    esd: Array
    sigma: float
    edge: float
    num_traps: int
    gram: Array | None = None


@dataclass(frozen=True, slots=True)
class Randomised:
    """All K permutations, and which of them is the representative."""

    permutations: tuple[Permuted, ...]
    index: int

    @property
    def representative(self) -> Permuted:
        """The permutation to show."""
        return self.permutations[self.index]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Traps of each permutation [K]."""
        return np.array([permuted.num_traps for permuted in self.permutations])

    @property
    def has_bulk(self) -> bool:
        """Whether every permutation has one."""
        return all(permuted.sigma > 0 for permuted in self.permutations)


def num_permutations(short: int, asked: int | None) -> int:
    """K for a layer of shorter side M = `short`: what was asked for, at least 1, or the rule's."""
    if asked is not None:
        return max(asked, 1)
    falling = round(MOST_PERMUTATIONS * float(SELF_AVERAGING_SIDE / short) ** 1.5)
    return int(min(max(falling, FEWEST_PERMUTATIONS), MOST_PERMUTATIONS))


def randomise(
    shuffled: Permutations,
    count: int,
    null: Null,
    backend: spectrum.Backend = spectrum.LAPACK,
    threads: int = 1,
) -> Randomised:
    """Measure the first `count` permutations of a finite matrix, one Gram matrix each, on so many threads."""
    measure = partial(_permuted, shuffled, count, null, backend)
    permuted = in_threads(measure, range(count), threads)
    return Randomised(tuple(permuted), middle([one.esd[-1] for one in permuted]))


def _permuted(shuffled: Permutations, count: int, null: Null, backend: spectrum.Backend, index: int) -> Permuted:
    """Measure a permutation, one of `count`."""
    long, short = spectrum.sides(shuffled.matrix)
    gram = backend.gram(shuffled[index])
    esd = spectrum.bulk_eigenvalues(lambda: shuffled[index], gram, backend)
    kept = gram if isinstance(gram, np.ndarray) and count * gram.nbytes <= KEPT_BYTES else None
    return Permuted(esd, *bulk_edge(esd, long, short, null), kept)


def middle(values: Sequence[float]) -> int:
    """Where the value with rank (K − 1)//2 stands; those that differ by rounding alone rank as they stand."""
    order = np.argsort(values, kind="stable")
    ascending = np.asarray(values)[order]
    tied = np.diff(ascending, prepend=ascending[0]) <= TIE * np.abs(ascending)
    rank = np.cumsum(~tied)
    return int(order[np.lexsort((order, rank))[(len(order) - 1) // 2]])


def distances(result: Randomised, long: int, short: int, kurtosis: float) -> Array:
    """The KS distance of all eigenvalues of each permutation [K] to the Marchenko-Pastur law."""
    return kolmogorov.distances(np.stack([one.esd for one in result.permutations]), long, short, kurtosis)


def bulk_distances(result: Randomised, whole: Array, long: int, short: int, kurtosis: float, null: Null) -> Array:
    """The same [K] without each permutation's traps, as the distance that all M eigenvalues of noise would have.

    `whole` are the `distances` of all eigenvalues.
    """
    values, counts = whole.copy(), result.counts
    for count in np.unique(counts[counts > 0]).tolist():
        alike = np.flatnonzero(counts == count)
        bulks = np.stack([result.permutations[index].esd[:-count] for index in alike])
        beside = kolmogorov.distances(bulks, long - count, short - count, kurtosis)
        values[alike] = null.distances_as_if_whole(beside, count)
    return values


@lru_cache(maxsize=64)
def edge_of_noise(long: int, short: int, null: Null) -> float:
    """The eigenvalue that the largest one of long × short noise with sigma 1 exceeds with SIGNIFICANCE."""
    centre, scale = edge_centre_and_scale(long, short)
    return centre + null.edge_z(SIGNIFICANCE) * scale


def bulk_edge(esd: Array, long: int, short: int, null: Null) -> tuple[float, float, int]:
    """(robust sigma, edge, number of traps) of the ascending eigenvalues [M] of a randomised long × short matrix.

    sigma comes from the median of the eigenvalues within the edge; leaving traps out lowers it, and so the
    edge, which is repeated until no further eigenvalue leaves. At most half of the spectrum can be traps. sigma is
    0 where it then vanishes.
    """
    reach = edge_of_noise(long, short, null)
    num_traps = 0
    while True:
        sigma = marchenko_pastur.robust_sigma(esd, long, short, num_traps)
        edge = sigma**2 * reach
        if edge <= VANISHING * esd[-1]:
            return 0.0, float("nan"), 0
        outside = min(int(np.count_nonzero(esd > edge)), short // 2)
        if outside <= num_traps:
            return sigma, edge, num_traps
        num_traps = outside


def weightwatcher_count(shuffled: Permutations, result: Randomised) -> int:
    """Traps as WeightWatcher counts them; it pools five permutations below 100 eigenvalues and does not divide."""
    long, short = spectrum.sides(shuffled.matrix)
    if short >= 100:
        return count_by_weightwatchers_rule(result.representative.esd, long, short, result.representative.sigma)
    known = [one.esd for one in result.permutations[:5]]
    more = [spectrum.eigenvalues(shuffled[index]) for index in range(len(known), 5)]
    pool = np.concatenate([*known, *more])
    return count_by_weightwatchers_rule(pool, long, short, marchenko_pastur.robust_sigma(pool, long, short))


def count_by_weightwatchers_rule(esd: Array, long: int, short: int, sigma: float) -> int:
    """Traps by WeightWatcher 0.7.7's rule: λ > λ₊ + √(Q^-½ λ₊^⅔ M^-⅔), on eigenvalues rescaled to mean 1.

    `esd` may pool several permutations. With the robust sigma in place of its kernel-density fit; the square
    root, a slip, is kept: it is the rule in print.
    """
    scale = len(esd) / esd.sum()
    aspect = long / short
    upper = scale * sigma**2 * short * aspect * (1 + 1 / np.sqrt(aspect)) ** 2
    margin = np.sqrt(aspect**-0.5 * upper ** (2 / 3) * short ** (-2 / 3))
    return int(np.count_nonzero(scale * esd > upper + margin))
