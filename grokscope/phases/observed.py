"""The phases as the paper draws them, from accuracy: memorised, generalising, collapsed.

The rules look backwards only, so that a label given to a run that is still training stays as it is when more
checkpoints come; the one exception is a fall of test accuracy, which is told once it has lasted for `confirm`
checkpoints, then from its first one on, and is taken back by a recovery.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

NO_PHASE = "test accuracy is high, or has fallen, and the training set is not memorised"
"""Why a checkpoint with both accuracies is of no phase."""


@dataclass(frozen=True)
class Thresholds:
    """Where one phase ends and the next begins, in accuracy (fractions of 1).

    memorised: training accuracy from which the training set counts as learned, and below which as lost again.
    rise: how far test accuracy has to climb above its value at memorisation for generalisation to have begun.
    gap: a smaller distance of test to training accuracy at memorisation is generalisation without delay; as high a
    test accuracy before it is no pre-grokking any more.
    fall: how far below its peak test accuracy has to fall, and stay, for a collapse, training accuracy staying.
    confirm: how many checkpoints in a row a fall has to last, so that one loss spike is no collapse.
    """

    memorised: float = 0.99
    rise: float = 0.1
    gap: float = 0.2
    fall: float = 0.05
    confirm: int = 2


@dataclass(frozen=True)
class Observed:
    """The phase of every checkpoint, and the checkpoints at which something happened (None where it did not).

    `labels` are "pre-grokking", "grokking", "anti-grokking", "undecided" where test images are known without the
    training set's being memorised or are lost with it (NO_PHASE), or "unknown" where accuracies are missing.
    `memorised`, `onset`, `peak`, `collapse` (the first anti-grokking one) and `forgotten` (the first that has lost
    training images as well) are indices of checkpoints; `peak` is known from the onset on.
    """

    labels: tuple[str, ...]
    memorised: int | None = None
    onset: int | None = None
    peak: int | None = None
    collapse: int | None = None
    forgotten: int | None = None


def observe(train_accuracy: Curve, test_accuracy: Curve, thresholds: Thresholds | None = None) -> Observed:
    """Label every checkpoint from its accuracies.

    Both curves are float64 [n] over the checkpoints in order of their steps, fractions of 1, NaN where unknown.
    Source: phases as in "Grokking and Generalization Collapse: Insights from HTSR theory", thresholds ours.
    """
    limits = thresholds or Thresholds()
    known = np.isfinite(train_accuracy) & np.isfinite(test_accuracy)
    if not known.any():
        return Observed(("unknown",) * len(known))
    memorised = _first(known & (train_accuracy >= limits.memorised))
    onset = None if memorised is None else _onset(train_accuracy, test_accuracy, memorised, limits)
    peak = None if onset is None else onset + int(np.nanargmax(test_accuracy[onset:]))
    fall = None if onset is None else _fall(test_accuracy, onset, limits)
    labels = np.full(len(known), "pre-grokking", dtype=object)
    high = _first(test_accuracy[:memorised] >= limits.memorised - limits.gap)
    if high is not None:
        labels[high:] = "undecided"
    if onset is not None:
        labels[onset:] = "grokking"
    if fall is not None:
        labels[fall:] = np.where(train_accuracy[fall:] >= limits.memorised, "anti-grokking", "undecided")
    labels[~known] = "unknown"
    lost = labels == "undecided"
    lost[:onset] = False
    return Observed(tuple(labels), memorised, onset, peak, _first(labels == "anti-grokking"), _first(lost))


def _onset(train: Curve, test: Curve, memorised: int, limits: Thresholds) -> int | None:
    """Find where test accuracy leaves the level that it had when the training set was memorised."""
    if train[memorised] - test[memorised] <= limits.gap:
        return memorised
    risen = test >= test[memorised] + limits.rise
    risen[:memorised] = False
    return _first(risen)


def _fall(test: Curve, onset: int, limits: Thresholds) -> int | None:
    """Find where the last fall below the peak so far begins, if it lasts to the end of what is known."""
    known = np.flatnonzero(np.isfinite(test[onset:])) + onset
    values = test[known]
    below = values <= np.maximum.accumulate(values) - limits.fall
    lasting = int(np.argmin(below[::-1])) if not below.all() else len(below)
    return int(known[len(below) - lasting]) if lasting >= limits.confirm else None


def _first(condition: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(condition)) if condition.any() else None
