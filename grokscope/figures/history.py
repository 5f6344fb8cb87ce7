"""What a figure over time needs of a run: its checkpoints' steps, and columns of numbers over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grokscope.figures.axis import Axis, Scale
from grokscope.figures.data import Figure, Span
from grokscope.figures.median import median

Array = NDArray[np.float64]

ZERO = 0.5
"""Where step 0, the initialisation, stands on a logarithmic axis of which step 1 is a part."""

WIDE, VISIBLE = 6.0, 1 / 12
"""A gap between checkpoints: so many times their median distance on the axis, and such a part of the axis."""


class History(Protocol):
    """One run through time; every array has one entry a checkpoint, NaN where unknown."""

    @property
    def run(self) -> str:
        """The run's name."""

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps, ascending, int64 [n]."""

    @property
    def last_step(self) -> int:
        """The last step that is there or, where none is, planned."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers' names, in order."""

    @property
    def observed(self) -> Sequence[str]:
        """The phase of each checkpoint, from accuracies."""

    @property
    def predictions(self) -> Array | None:
        """The share of test images given each label, float64 [n, classes], or None."""

    @property
    def strain(self) -> Array:
        """How strained the network is, float64 [n]."""

    @property
    def strained(self) -> float:
        """From where on that tells a collapse; NaN where it does not tell one."""

    def metric(self, name: str) -> Array:
        """A recorded metric, float64 [n]."""

    def measure(self, name: str, layer: str) -> Array:
        """A measure of a layer, float64 [n]."""


def step_axis(histories: Sequence[History], *, scale: Scale = "log") -> Axis:
    """The axis of steps, from the first to the last that is recorded or planned; one step alone is in its middle.

    On a logarithmic one step 0 stands at the left end, a gap before the first step that follows.
    """
    firsts = [int(one.steps[0]) for one in histories if len(one.steps)] or [0]
    last = max(float(one.last_step) for one in histories)
    if last == min(firsts):
        return Axis("step", "linear", last - 0.5, last + 0.5, form="count")
    if scale == "linear":
        return Axis("step", scale, float(min(firsts)), max(last, min(firsts) + 1.0))
    if first := float(min(firsts)):
        return Axis("step", scale, first, max(last, first * 40))
    low = _before([one.steps[one.steps > 0] for one in histories], last)
    return Axis("step", scale, low, max(last, low * 40), start="0")


def _before(steps: Sequence[NDArray[np.int64]], last: float) -> float:
    """Where step 0 stands on a logarithmic axis: before the first of `steps` by what is seen as a gap."""
    first = min((int(one[0]) for one in steps if len(one)), default=1)
    apart = [float(median(np.append(np.diff(np.log10(one)), np.inf))) for one in steps if len(one) > 2]
    gap = max(WIDE * max(apart, default=0.0), VISIBLE / (1 - VISIBLE) * math.log10(max(last / first, 1.0)))
    return max(ZERO, first / 10 ** min(1.1 * gap, 300.0))


def on_axis(steps: NDArray[np.int64], axis: Axis) -> Array:
    """The steps as x values; step 0, which a logarithm can't show, stands at the axis's left end."""
    return np.maximum(steps, axis.low).astype(np.float64)


def _gaps(places: Array) -> NDArray[np.intp]:
    """After which checkpoints there is a gap, by their places on an axis."""
    distances = np.diff(places)
    if len(distances) < 2:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero((distances > WIDE * median(distances)) & (distances > VISIBLE))


def broken(at: Array, values: Array, axis: Axis) -> tuple[Array, Array]:
    """A curve's x and y, float64 [n] each, with a NaN in every gap between checkpoints: nothing is known there."""
    places = axis.position(at)
    wide = _gaps(places)
    between = [axis.value(float(places[k] + places[k + 1]) / 2) for k in wide.tolist()]
    return np.insert(at, wide + 1, between), np.insert(values, wide + 1, np.nan)


def common_steps(runs: Sequence[History]) -> NDArray[np.int64]:
    """The steps that all of the runs have, int64 [n]."""
    return reduce(np.intersect1d, (run.steps for run in runs))


def phase_spans(runs: Sequence[History], axis: Axis) -> tuple[Span, ...]:
    """The observed phases as stretches of the axis, each up to where the next begins; of several runs where all of
    them are in it."""
    steps = common_steps(runs)
    each = [[run.observed[k] for k in np.searchsorted(run.steps, steps)] for run in runs]
    phases = [found[0] if len(set(found)) == 1 else "" for found in zip(*each, strict=True)]
    at, spans = on_axis(steps, axis), []
    starts = [k for k, phase in enumerate(phases) if k == 0 or phase != phases[k - 1]]
    for start, stop in zip(starts, [*starts[1:], len(at) - 1], strict=False):
        if phase := phases[start]:
            spans.append(Span(float(at[start]), float(at[stop]), label=phase, role=phase))
    return tuple(spans)


def step_cells(steps: NDArray[np.int64], axis: Axis) -> tuple[Array, NDArray[np.intp]]:
    """Edges of cells around the steps, half-way to the neighbours on the axis, float64 [m + 1], and which
    checkpoint each shows, intp [m].

    A gap between checkpoints is a cell of its own, −1; beside it a checkpoint's cell is as wide as is usual.
    """
    at = axis.position(on_axis(steps, axis))
    if len(at) == 1:
        return np.array([axis.low, axis.high]), np.zeros(1, dtype=np.intp)
    wide, half = _gaps(at), float(median(np.diff(at))) / 2
    ends = np.concatenate([[at[0]], (at[1:] + at[:-1]) / 2, [at[-1]]])
    ends[wide + 1] = at[wide] + half
    ends = np.insert(ends, wide + 2, at[wide + 1] - half)
    shown = np.insert(np.arange(len(at)), wide + 1, -1)
    return np.array([axis.value(float(p)) for p in ends]), shown


def on_common_axes(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """The same figures, side by side: every axis covers what it covers in any of them."""
    shown = [figure for figure in figures if not figure.reason]
    if not shown:
        return tuple(figures)

    def common(axes: Sequence[Axis]) -> tuple[float, float]:
        return min(axis.low for axis in axes), max(axis.high for axis in axes)

    (x0, x1), (y0, y1) = common([figure.x for figure in shown]), common([figure.y for figure in shown])
    return tuple(
        replace(figure, x=replace(figure.x, low=x0, high=x1), y=replace(figure.y, low=y0, high=y1))
        if not figure.reason
        else figure
        for figure in figures
    )
