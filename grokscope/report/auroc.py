"""How well a score tells two classes of checkpoints apart, over several runs: AUROC, pooled or at matched steps.

The area under the ROC curve is the chance that a positive checkpoint scores above a negative one, ties counting
half (Mann and Whitney's U over the number of pairs). Checkpoints of one run depend on one another and runs do not:
the interval is a bootstrap over runs. Pairs are counted once for every two runs, and a resample only weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FEWEST = 3  # runs with either class: fewer say nothing of how much other runs would differ


@dataclass(frozen=True)
class Classified:
    """One run's checkpoints: steps int64 [n], ascending; score float64 [n], NaN where unknown; classes bool."""

    steps: NDArray[np.int64]
    score: Array
    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Pairs of a positive checkpoint of run r and a negative one of run s, float64 [runs, runs].

    won: in how many of them the positive one scores higher, ties counting half; all: how many there are.
    """

    won: Array
    all: Array

    def auroc(self) -> float:
        """Return the AUROC over all pairs, NaN where there is none."""
        return float(self.resampled(np.ones((1, len(self.all))))[0])

    def resampled(self, weights: Array) -> Array:
        """Return the AUROC of each resample in which run r counts weights[·, r] times, float64 [resamples]."""
        won, total = (np.einsum("br,rs,bs->b", weights, of, weights, optimize=True) for of in (self.won, self.all))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(won / total)


def pooled_pairs(runs: Sequence[Classified]) -> Pairs:
    """Count the pairs among all checkpoints of all runs."""
    known = [~np.isnan(run.score) for run in runs]
    positive = [run.score[there & run.positive] for run, there in zip(runs, known, strict=True)]
    negative = [np.sort(run.score[there & run.negative]) for run, there in zip(runs, known, strict=True)]
    won = [[_won(high, low) for low in negative] for high in positive]
    every = [[float(len(high) * len(low)) for low in negative] for high in positive]
    shape = len(runs), len(runs)
    return Pairs(np.array(won).reshape(shape), np.array(every).reshape(shape))


def matched_pairs(runs: Sequence[Classified]) -> Pairs:
    """Count the pairs of checkpoints at the same step alone, so that time by itself tells nothing."""
    steps = np.unique(np.concatenate([np.empty(0, np.int64), *(run.steps for run in runs)]))
    score = np.full((len(runs), len(steps)), np.nan)
    positive, negative = (np.zeros(score.shape, dtype=bool) for _ in range(2))
    for row, run in enumerate(runs):
        at = np.searchsorted(steps, run.steps)
        score[row, at], positive[row, at], negative[row, at] = run.score, run.positive, run.negative
    known = ~np.isnan(score)
    both = (positive & known)[:, None] & (negative & known)[None]
    above, level = score[:, None] > score[None], score[:, None] == score[None]
    return Pairs(((above + 0.5 * level) * both).sum(axis=2), both.sum(axis=2).astype(np.float64))


def _won(high: Array, low: Array) -> float:
    """Count the pairs in which a value of `high` is above one of `low` (sorted), ties counting half."""
    return float(sum(np.searchsorted(low, high, side=side).sum() for side in ("left", "right"))) / 2


def bootstrap(pairs: Pairs, draws: int, generator: np.random.Generator) -> Array:
    """Return the AUROC of resamples of the runs with replacement, float64 [draws], NaN where one has no pair.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), § 13.3 (percentile interval), with runs
    as the units that are drawn.
    """
    runs = len(pairs.all)
    if runs == 0:
        return np.full(draws, np.nan)
    return pairs.resampled(generator.multinomial(runs, np.full(runs, 1 / runs), size=draws).astype(np.float64))


def interval_over_runs(pairs: Pairs, draws: int, generator: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % interval of the AUROC, NaN where fewer than three runs have either class."""
    with_either = [int((pairs.all.sum(axis=axis) > 0).sum()) for axis in (0, 1)]
    if min(with_either) < FEWEST:
        return float("nan"), float("nan")
    return interval(bootstrap(pairs, draws, generator))


def interval(samples: Array) -> tuple[float, float]:
    """Return the central 95 % interval of the known samples, NaN where fewer than half of them are known."""
    known = samples[np.isfinite(samples)]
    if 2 * len(known) < len(samples) or not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
