"""What needs runs of ten million steps: the follow-up's extreme entries, and its run from a smaller scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from grokscope.errors import UsageError
from grokscope.published import (
    EXTREMES,
    FOLLOW_UP,
    PAPER_STEPS,
    SCALE_OF_ITS_NORM,
    SCALE_SAID,
    SCALED,
    ScaledPoint,
)
from grokscope.report.pictures import Source
from grokscope.verify.comparison import Comparison

EXTREME_SHARE = 0.5
"""Extremes of one run; no spread over seeds is printed, so they may be half as large again, or half as large."""
ACCURACY_TOLERANCE = 0.05


def extremes(run: Path) -> list[Comparison]:
    """The least and the largest entry of each layer at the run's last checkpoint."""
    source = Source.open(run)
    last = source.checkpoint_at(None)
    step, found = int(source.run.steps[last]), []
    note = "" if step >= PAPER_STEPS else f"this run ends at step {step:,}, theirs at {PAPER_STEPS:,}"
    for layer, printed in EXTREMES.items():
        weight = source.run.weight(last, source.layer(layer))
        for name, ours, theirs in zip(("least", "largest"), (weight.min(), weight.max()), printed, strict=True):
            tolerance = None if note else EXTREME_SHARE * abs(theirs)
            what = f"{name} entry of {layer} at step {step:,}"
            found.append(Comparison(what, float(ours), theirs, tolerance, f"{FOLLOW_UP}, App. G", note))
    return found


def scaled(run: Path) -> list[Comparison]:
    """Test accuracy, and α of both hidden layers, at three points: their first, the best, and the last.

    Their first point is ours where test accuracy first reaches theirs. α may lie as far off as the farther end of
    its own interval. Raises UsageError for a run from another scale than the two that theirs may be.
    """
    source = Source.open(run)
    scale = source.run.config.get("init_scale")
    if scale not in (SCALE_OF_ITS_NORM, SCALE_SAID):
        raise UsageError(
            f"{run} has an initial scale of {scale}; App. I's is {SCALE_OF_ITS_NORM:g} or {SCALE_SAID:g}"
        )
    accuracy = source.timeline.metric("test_accuracy")
    first = int(np.argmax(accuracy >= SCALED[0].test_accuracy))  # 0 where it never gets there
    found = []
    for index, point in zip((first, int(np.nanargmax(accuracy)), len(accuracy) - 1), SCALED, strict=True):
        found += _at(source, index, point)
    return found


def _at(source: Source, index: int, point: ScaledPoint) -> list[Comparison]:
    step, last = int(source.run.steps[index]), int(source.run.steps[-1])
    at = f"{point.name} point of ×{source.run.config['init_scale']:g} ({step:,})"
    note = f"this run ends at step {last:,}" if point.name == "last" and last < PAPER_STEPS else ""
    accuracy = float(source.timeline.metric("test_accuracy")[index])
    numbers = [("test accuracy", accuracy, point.test_accuracy, ACCURACY_TOLERANCE)]
    for layer, printed in zip(("fc1", "fc2"), point.alpha, strict=True):
        fit = source.spectrum(index, layer)
        numbers.append(
            (f"α of {layer}", fit.alpha, printed, max(fit.alpha - fit.alpha_low, fit.alpha_high - fit.alpha))
        )
    return [
        Comparison(f"{name}, {at}", ours, theirs, None if note else tolerance, f"{FOLLOW_UP}, App. I", note)
        for name, ours, theirs, tolerance in numbers
    ]
