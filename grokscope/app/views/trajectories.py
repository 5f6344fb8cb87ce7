"""The trajectories view: every measure over the whole run, in as many small plots as fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from grokscope.analysis.timeline import Timeline
from grokscope.app.layer_names import telling
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.timeline import Cursors
from grokscope.app.plots.trajectory import Line, Panel, class_shares, trajectory
from grokscope.app.state import State
from grokscope.app.views.other_runs import others
from grokscope.figures.panels import SPARSITIES
from grokscope.names import safe_name
from grokscope.numbers import count, percent, probability

Array = NDArray[np.float64]

CLASSES = "classes"
SMALLEST = (36, 8)
MOST_LAYERS = 6


def panels(state: State) -> list[Panel | str]:
    """What the view shows, in order: whatever was recorded or analysed. `classes` stands for the shares of the
    predicted classes."""
    timeline, palette = state.timeline, state.palette
    accuracies = (
        Line("test", timeline.metric("test_accuracy"), palette.test),
        *_metric_of_others(state, "test_accuracy"),
        Line("train", timeline.metric("train_accuracy"), palette.train),
    )
    losses = (
        Line("test", timeline.metric("test_loss"), palette.test),
        *_metric_of_others(state, "test_loss"),
        Line("train", timeline.metric("train_loss"), palette.train),
    )
    found: list[Panel | str] = [
        Panel("accuracy", accuracies, limits=(-0.02, 1.04)),
        Panel("α", _layers(state, "alpha", ("alpha_low", "alpha_high")), references=(2.0,), y_log=True),
        Panel("traps", _layers(state, "num_traps", ("num_traps_min", "num_traps_max")), show=count),
        Panel("units that a bright image lights", _gates(state, "lit"), y_log=True, show=_share),
        Panel("KS p", _layers(state, "ks_p", joined=False), y_log=True, references=(0.05,), show=_p_values(state)),
        CLASSES,
        Panel("‖W‖ of all layers", (Line("l²", total_norm(timeline), palette.test), *others(state, total_norm))),
        Panel("σ_mp", _layers(state, "sigma_mp"), references=(1.0,)),
        Panel("entropy −Σ|w|log|w|", _layers(state, "abs_entropy")),
        Panel("sparsity", _sparsity(state), limits=(-0.02, 1.04)),
        Panel("circuit complexity", _circuit(state)),
        Panel("loss", losses, y_log=True),
        Panel("stable rank", _layers(state, "stable_rank"), y_log=True),
        Panel("chance that no unit is lit", _gates(state, "none_lit"), limits=(-0.02, 1.04)),
        Panel("units that still learn", _gates(state, "live_rows"), limits=(-0.02, 1.04), show=_share),
        Panel("bias / ‖w‖ of a unit", _gates(state, "bias_over_norm"), references=(0.0,)),
        Panel("mean weight of a unit, z", _gates(state, "row_mean_z"), references=(0.0,)),
        Panel("σ of the mean / σ of entries", _gates(state, "mean_spike"), y_log=True),
        Panel("units lit by a training image", _hidden(state, "units_lit"), y_log=True),
        Panel("units dead on the training images", _hidden(state, "dead_units"), show=count),
        Panel("on/off patterns of the training images", _hidden(state, "patterns"), show=count, y_log=True),
        Panel("class purity of the units", _hidden(state, "purity"), limits=(-0.02, 1.04)),
    ]
    found += _stored(state)
    return [panel for panel in found if _has_values(panel, timeline)] or found[:1]


CURVES = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "circuit_complexity")
SHOWN = (*CURVES, "circuit_complexity_sd", *SPARSITIES)
HIDDEN = ("units_lit", "dead_units", "patterns", "purity")
"""The metrics that have a panel of their own: of the run, and of each hidden layer."""


def _stored(state: State) -> list[Panel]:
    """A panel for every other metric that the run has."""
    shown = {*SHOWN, *(f"{measure}_{layer}" for measure in HIDDEN for layer in state.timeline.layers)}
    return [
        Panel(safe_name(name), (Line("", values, state.palette.test), *_metric_of_others(state, name)))
        for name, values in state.timeline.metrics.items()
        if name not in shown
    ]


def _has_values(panel: Panel | str, timeline: Timeline) -> bool:
    if isinstance(panel, str):
        return timeline.predictions is not None
    return any(np.isfinite(line.values).any() for line in panel.lines)


def total_norm(timeline: Timeline) -> Array:
    """√Σ‖W‖² over the layers, float64 [n]; NaN where a layer is not measured."""
    squares = [timeline.measure("norm", layer) ** 2 for layer in timeline.layers]
    return np.sqrt(np.sum(squares, axis=0)) if squares else np.full(len(timeline.steps), np.nan)


def grid(width: int, height: int, count: int) -> tuple[int, int]:
    """(columns, rows) of small plots that fit, at least one."""
    columns = max(1, min(4 if width >= 180 else 3, width // SMALLEST[0]))
    rows = max(1, min(-(-count // columns), height // SMALLEST[1]))
    return columns, rows


def draw_trajectories(state: State, width: int, height: int) -> Text:
    """The page of small plots that holds the chosen one."""
    return _page(state, width, height).text()


def _page(state: State, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height)
    if not len(state.timeline.steps):
        canvas.put_fitted(0, 1, width, "waiting for the first checkpoint", state.palette.muted)
        return canvas
    found = panels(state)
    columns, rows = grid(width, height, len(found))
    page = columns * rows
    chosen = state.pane % len(found)
    first = chosen // page * page
    shown = found[first : first + page]
    counter = f"{first + 1}–{first + len(shown)} of {len(found)}, tab" if len(found) > page else ""
    for place, panel in enumerate(shown):
        top, bottom = height * (place // columns) // rows, height * (place // columns + 1) // rows
        left, right = width * (place % columns) // columns, width * (place % columns + 1) // columns
        label = counter if place == len(shown) - 1 else ""
        focused = first + place == chosen
        drawn = _draw(state, panel, right - left - 1, bottom - top, focused=focused, x_label=label)
        canvas.paste(drawn, top, left)
    return canvas


def _draw(state: State, panel: Panel | str, width: int, height: int, *, focused: bool, x_label: str) -> Canvas:
    cursors = Cursors(state.index, state.mark)
    if isinstance(panel, str):
        return class_shares(
            state.timeline, cursors, width, height, state.palette, log=state.steps_log, focused=focused,
            x_label=x_label,
        )  # fmt: skip
    if state.values_log and panel.limits is None:
        panel = replace(panel, y_log=not panel.y_log)
    return trajectory(
        panel, state.timeline, cursors, width, height, state.palette, log=state.steps_log, focused=focused,
        others=state.others, x_label=x_label,
    )  # fmt: skip


def _layers(
    state: State, field: str, interval: tuple[str, str] | None = None, *, joined: bool = True
) -> tuple[Line, ...]:
    """A line a layer, the selected one first and with its interval, then the other run's; at most six layers,
    around the selected one."""
    timeline, palette = state.timeline, state.palette
    short = telling(timeline.layers)
    first = min(max(0, state.layer - MOST_LAYERS // 2), max(0, len(timeline.layers) - MOST_LAYERS))
    shown = range(first, min(first + MOST_LAYERS, len(timeline.layers)))
    lines = []
    for k in sorted(shown, key=lambda k: k != state.layer):
        layer = timeline.layers[k]
        low, high = (
            (timeline.measure(name, layer) for name in interval) if interval and k == state.layer else (None, None)
        )
        color = palette.layers[k % len(palette.layers)]
        lines.append(Line(short[k], timeline.measure(field, layer), color, low, high, joined=joined))
    beside = others(state, partial(_of_selected, state, field), joined=joined)
    return (*lines[:1], *beside, *lines[1:])


def _of_selected(state: State, field: str, other: Timeline) -> Array:
    """A measure of the selected layer in another run: of the layer of its name, else of the one at its place."""
    name = state.timeline.layers[state.layer]
    place = state.layer if name not in other.layers else other.layers.index(name)
    known = place < len(other.layers)
    return other.measure(field, other.layers[place]) if known else np.full(len(other.steps), np.nan)


def _share(value: float) -> str:
    """A share as a percentage."""
    return f"{percent(value)} %"


def _gates(state: State, field: str) -> tuple[Line, ...]:
    """A line for each layer whose gates mean something."""
    timeline, colors = state.timeline, state.palette.layers
    return tuple(
        Line(safe_name(layer), timeline.measure(field, layer), colors[k % len(colors)])
        for k, layer in enumerate(timeline.layers)
        if layer in timeline.gated
    )


def _hidden(state: State, measure: str) -> tuple[Line, ...]:
    """A line for each hidden layer of a measure that training recorded on its images."""
    timeline, colors = state.timeline, state.palette.layers
    found = ((k, layer, f"{measure}_{layer}") for k, layer in enumerate(timeline.layers))
    return tuple(
        Line(safe_name(layer), timeline.metric(name), colors[k % len(colors)])
        for k, layer, name in found
        if name in timeline.metrics
    )


def _p_values(state: State) -> Callable[[float], str]:
    """How p-values are written: with the bound that the draws at the cursor set."""
    spectrum = None if state.selected is None else state.selected.spectrum
    draws = 0 if spectrum is None else spectrum.null_draws
    return lambda p: probability(p, draws)


def _metric_of_others(state: State, name: str) -> tuple[Line, ...]:
    return others(state, lambda run: run.metric(name))


def _sparsity(state: State) -> tuple[Line, ...]:
    names = [name for name in SPARSITIES if name in state.timeline.metrics]  # pooled over layers
    colors = state.palette.layers
    return tuple(
        Line("<" + name.rsplit("_", 1)[1], state.timeline.metric(name), colors[k % len(colors)])
        for k, name in enumerate(names)
    )


def _circuit(state: State) -> tuple[Line, ...]:
    values = state.timeline.metric("circuit_complexity")
    spread = state.timeline.metric("circuit_complexity_sd")
    return (Line("KL", values, state.palette.test, values - spread, values + spread),)
