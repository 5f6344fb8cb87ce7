"""What all plots over time share: the steps that they show, and the checkpoint at a column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grokscope.app.plots.plot import Plot
from grokscope.app.state import State
from grokscope.figures import Axis, Figure


def zoomed(figure: Figure, state: State) -> Figure:
    """The figure over the steps that are zoomed in to; what lies outside stays in it."""
    if state.shown_steps is None:
        return figure
    low, high = state.shown_steps
    return replace(figure, x=replace(figure.x, low=low, high=high, start=""))


def shown_axis(state: State) -> Axis:
    """The axis of the steps that are zoomed in to."""
    axis, shown = state.step_axis, state.shown_steps
    return axis if shown is None else replace(axis, low=shown[0], high=shown[1], start="")


def x_of(state: State, index: int | None = None) -> float:
    """Where a checkpoint of the front run, by default that of the cursor, stands on the axis of steps."""
    return max(float(state.timeline.steps[state.index if index is None else index]), state.step_axis.low)


def nearest_to(state: State, plot: Plot, column: int) -> int:
    """The checkpoint nearest to a column of a plot over time."""
    at = plot.x.position(np.maximum(state.timeline.steps, state.step_axis.low))
    return int(np.argmin(np.abs(at - float(plot.x.position(plot.x_at(column))))))
