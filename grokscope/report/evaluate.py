"""Detectors of the collapse scored on runs whose accuracies say when it came: pure functions of what was read.

A run is taken up to where its training accuracy leaves the level at which it counts as memorised: beyond, test
accuracy falls for another reason. Scores compare observed *anti-grokking* with *grokking*. A detector's alarm is
its own rule's where it has one; another is given the threshold that 5 % of the other runs' healthy checkpoints
pass, so that none is tuned on the run that it is tried on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis import Spectra
from grokscope.errors import UsageError
from grokscope.names import pasted
from grokscope.phases import Observed, Thresholds, observe
from grokscope.report.auroc import Classified, interval_over_runs, matched_pairs, pooled_pairs
from grokscope.report.detectors import COLLAPSED, HEALTHY, Reading, read_detectors

Array = NDArray[np.float64]
ALLOWED = 0.05  # share of the other runs' healthy checkpoints beyond a threshold that is not a detector's own
ACCURACIES = ("train_accuracy", "test_accuracy")
NAN = float("nan")


@dataclass(frozen=True)
class ScoredRun:
    """A run up to where it is cut: steps int64 [n], accuracies float64 [n], and a reading a detector.

    cut: the step at which training accuracy left the memorised level, None where it did not.
    """

    name: str
    steps: NDArray[np.int64]
    test_accuracy: Array
    observed: Observed
    readings: Mapping[str, Reading]
    cut: int | None = None

    def are(self, label: str) -> NDArray[np.bool_]:
        """Tell which checkpoints are observed to be in a phase, bool [n]."""
        return np.array([found == label for found in self.observed.labels], dtype=bool)

    def classified(self, detector: str) -> Classified:
        """Return a detector's score with the two classes that it is to tell apart."""
        score = self.readings[detector].score
        return Classified(self.steps, score, self.are(COLLAPSED), self.are(HEALTHY))


def read_run(spectra: Spectra, columns: Sequence[str] = (), thresholds: Thresholds | None = None) -> ScoredRun:
    """Read a run's accuracies and detectors, see `read_detectors`.

    Raises UsageError where none of its checkpoints is measured, or it has no accuracies, or embeddings alone.
    """
    run, count = spectra.run, len(spectra.done)
    metrics = run.metrics()
    if not spectra.done.any():
        raise UsageError(
            f"no checkpoint of {run.path} is measured yet; `grokscope analyze {pasted(run.path)}` first"
        )
    if missing := [name for name in ACCURACIES if not np.isfinite(metrics.get(name, np.empty(0))[:count]).any()]:
        raise UsageError(
            f"{run.path} has no {' and no '.join(missing)}, so that nothing is observed to score against"
        )
    train, test = (metrics[name][:count] for name in ACCURACIES)
    if all(layer.kind == "embedding" for layer in run.layers):
        raise UsageError(f"{run.path} has no layers but embeddings, which nothing is measured of to be scored")
    return scored_run(run.name, run.steps[:count], train, test, read_detectors(spectra, columns), thresholds)


def scored_run(
    name: str,
    steps: NDArray[np.int64],
    train_accuracy: Array,
    test_accuracy: Array,
    readings: Mapping[str, Reading],
    thresholds: Thresholds | None = None,
) -> ScoredRun:
    """Cut a run where its training accuracy, once memorised, is no longer, and label what is left."""
    limits = thresholds or Thresholds()
    end = _end(train_accuracy, limits.memorised)
    kept = {
        detector: Reading(reading.score[:end], None if reading.labels is None else reading.labels[:end])
        for detector, reading in readings.items()
    }
    observed = observe(train_accuracy[:end], test_accuracy[:end], limits)
    cut = int(steps[end]) if end < len(steps) else None
    return ScoredRun(name, steps[:end], test_accuracy[:end], observed, kept, cut)


def _end(train_accuracy: Array, memorised: float) -> int:
    """Return how many checkpoints there are before training accuracy is known to have left its level."""
    there = np.flatnonzero(train_accuracy >= memorised)
    if not len(there):
        return len(train_accuracy)
    left = np.flatnonzero(train_accuracy[there[0] :] < memorised)
    return int(there[0] + left[0]) if len(left) else len(train_accuracy)


@dataclass(frozen=True)
class RunScore:
    """What a detector makes of one run.

    auroc: within the run alone. found: alarms among its `collapsed` checkpoints. early: alarms before a collapse,
    or anywhere in a run that has none. Either is None where the detector says nothing of any of those checkpoints.
    alarm, fall: steps of the first alarm from the onset on and of the collapse, None where there is none. lead:
    how many checkpoints the alarm comes before the fall, NaN where one is missing. fallen: how far test accuracy
    was below its peak so far at the alarm.
    """

    run: str
    auroc: float
    collapsed: int
    found: int | None
    early: int | None
    alarm: int | None
    fall: int | None
    lead: float
    fallen: float


@dataclass(frozen=True)
class DetectorScore:
    """What a detector is worth on all runs, pooled and run by run.

    auroc, matched: over all pairs of checkpoints, and over pairs at equal steps; each with its 95 % interval over
    runs. known: scored checkpoints of `num_scored`. confusion: (observed, said) → checkpoints; of a detector
    without a rule of its own: its alarms, with 5 % allowed. alarms: whether it could raise any.
    """

    name: str
    auroc: float
    interval: tuple[float, float]
    matched: float
    matched_interval: tuple[float, float]
    known: int
    num_scored: int
    confusion: Mapping[tuple[str, str], int]
    own_rule: bool
    alarms: bool
    runs: tuple[RunScore, ...]

    @property
    def healthy(self) -> tuple[RunScore, ...]:
        """The runs without a collapse of which it says anything."""
        return tuple(run for run in self.runs if run.fall is None and run.early is not None)

    @property
    def collapsing(self) -> tuple[RunScore, ...]:
        """The runs with one."""
        return tuple(run for run in self.runs if run.fall is not None)

    @property
    def false_alarms(self) -> float:
        """Alarms a run without a collapse, NaN where there is none."""
        return sum(run.early or 0 for run in self.healthy) / len(self.healthy) if self.healthy else NAN

    @property
    def lead(self) -> float:
        """The median number of checkpoints from alarm to fall, over the runs that have both."""
        leads = [run.lead for run in self.runs if run.lead == run.lead]
        return float(np.median(leads)) if leads else NAN


def evaluate(runs: Sequence[ScoredRun], draws: int = 2000, seed: int = 0) -> list[DetectorScore]:
    """Score every detector that all runs have been read by, on all of them."""
    names = [name for name in runs[0].readings if all(name in run.readings for run in runs)] if runs else []
    return [_score(name, runs, draws, seed) for name in names]


def _score(name: str, runs: Sequence[ScoredRun], draws: int, seed: int) -> DetectorScore:
    classified = [run.classified(name) for run in runs]
    said = [_said(place, name, runs) for place in range(len(runs))]
    confusion: Counter[tuple[str, str]] = Counter()
    for run, labels in zip(runs, said, strict=True):
        confusion.update(zip(run.observed.labels, labels or (), strict=False))
    pooled, matched = pooled_pairs(classified), matched_pairs(classified)
    scored = [one.positive | one.negative for one in classified]
    known = sum(int((~np.isnan(one.score) & which).sum()) for one, which in zip(classified, scored, strict=True))
    ends = [interval_over_runs(pairs, draws, np.random.default_rng(seed)) for pairs in (pooled, matched)]
    return DetectorScore(
        name=name,
        auroc=pooled.auroc(),
        interval=ends[0],
        matched=matched.auroc(),
        matched_interval=ends[1],
        known=known,
        num_scored=sum(int(which.sum()) for which in scored),
        confusion=dict(confusion),
        own_rule=runs[0].readings[name].labels is not None,
        alarms=any(set(labels or ()) - {"unknown"} for labels in said),
        runs=tuple(_run_score(run, name, labels) for run, labels in zip(runs, said, strict=True)),
    )


def _said(place: int, name: str, runs: Sequence[ScoredRun]) -> tuple[str, ...] | None:
    """Return a detector's words for one run: its own, or by the threshold that the other runs give it."""
    reading = runs[place].readings[name]
    if reading.labels is not None:
        return reading.labels
    others = [run.classified(name) for other, run in enumerate(runs) if other != place]
    healthy = np.concatenate([np.empty(0), *(one.score[one.negative & ~np.isnan(one.score)] for one in others)])
    if not len(healthy):
        return None
    threshold = np.quantile(healthy, 1 - ALLOWED, method="higher")
    words = np.where(reading.score > threshold, COLLAPSED, HEALTHY)
    return tuple(np.where(np.isnan(reading.score), "unknown", words).tolist())


def _run_score(run: ScoredRun, name: str, said: tuple[str, ...] | None) -> RunScore:
    collapsed, fall = run.are(COLLAPSED), run.observed.collapse
    words = np.array(said or ["unknown"] * len(run.steps), dtype=object)
    before = np.arange(len(run.steps)) < (len(run.steps) if fall is None else fall)
    onset = run.observed.onset
    late = np.flatnonzero(words[onset:] == COLLAPSED) + onset if onset is not None else np.empty(0, np.int64)
    alarm = int(late[0]) if len(late) else None
    return RunScore(
        run=run.name,
        auroc=pooled_pairs([run.classified(name)]).auroc(),
        collapsed=int(collapsed.sum()),
        found=_alarms(words[collapsed]),
        early=_alarms(words[before]),
        alarm=None if alarm is None else int(run.steps[alarm]),
        fall=None if fall is None else int(run.steps[fall]),
        lead=NAN if alarm is None or fall is None else float(fall - alarm),
        fallen=NAN
        if alarm is None
        else float(np.nanmax(run.test_accuracy[onset : alarm + 1]) - run.test_accuracy[alarm]),
    )


def _alarms(words: NDArray[np.object_]) -> int | None:
    """Count the alarms in what is said of some checkpoints; None where nothing is."""
    return None if len(words) and (words == "unknown").all() else int((words == COLLAPSED).sum())
