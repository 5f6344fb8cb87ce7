"""What all plots over time share: the steps that they show, and the checkpoint at a column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grokscope.app.plots.plot import Plot
from grokscope.app.state import State
from grokscope.figures import Axis, Figure, step_axis
from grokscope.figures.history import ZERO


def zoomed(figure: Figure, state: State) -> Figure:
    """The figure over the steps that are zoomed in to; what lies outside stays in it."""
    if state.shown_steps is None:
        return figure
    low, high = state.shown_steps
    return replace(figure, x=replace(figure.x, low=low, high=high))


def shown_axis(state: State) -> Axis:
    """The axis of the steps that are zoomed in to."""
    axis = step_axis(state.runs, scale=state.steps_scale)
    return (
        axis if state.shown_steps is None else replace(axis, low=state.shown_steps[0], high=state.shown_steps[1])
    )


def x_of(state: State, axis: Axis, index: int | None = None) -> float:
    """Where a checkpoint of the front run, by default that of the cursor, stands on an axis of steps."""
    return max(float(state.timeline.steps[state.index if index is None else index]), zero(axis))


def zero(axis: Axis) -> float:
    """Where step 0 stands."""
    return ZERO if axis.log else 0.0


def nearest_to(state: State, plot: Plot, column: int) -> int:
    """The checkpoint nearest to a column of a plot over time."""
    at = plot.x.position(np.maximum(state.timeline.steps, zero(plot.x)))
    return int(np.argmin(np.abs(at - float(plot.x.position(plot.x_at(column))))))
