"""What all plots over time share: the steps that they show, and the checkpoint at a column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grokscope.app.plots.plot import Plot
from grokscope.app.state import State
from grokscope.figures import Axis, Figure


def zoomed(figure: Figure, state: State) -> Figure:
    """The figure over the steps that are zoomed in to; what lies outside stays in it."""
    return replace(figure, x=_shown(figure.x, state))


def shown_axis(state: State) -> Axis:
    """The axis of the steps that are zoomed in to."""
    return _shown(state.step_axis, state)


def _shown(axis: Axis, state: State) -> Axis:
    if state.shown_steps is None:
        return axis
    low, high = state.shown_steps
    return replace(axis, low=low, high=high, start=axis.start if low < axis.low * (1 + 1e-9) else "")


def x_of(state: State, index: int | None = None) -> float:
    """Where a checkpoint of the front run, by default that of the cursor, stands on the axis of steps."""
    return max(float(state.timeline.steps[state.index if index is None else index]), state.step_axis.low)


def nearest_to(state: State, plot: Plot, column: int) -> int:
    """The checkpoint nearest to a column of a plot over time."""
    at = plot.x.position(np.maximum(state.timeline.steps, state.step_axis.low))
    return int(np.argmin(np.abs(at - float(plot.x.position(plot.x_at(column))))))
