"""What the trajectories view shows, in order: the figures' panels, and what only gates and images say."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.timeline import Timeline
from grokscope.app.layer_names import telling
from grokscope.app.state import State
from grokscope.app.views.other_runs import Other
from grokscope.figures import PANELS, History, Line, Panel
from grokscope.figures.axis import Form, Scale
from grokscope.figures.over_time import ACCURACY_LIMITS
from grokscope.figures.panels import SPARSITIES, of_metric
from grokscope.names import safe_name

Array = NDArray[np.float64]

CLASSES = "classes"
"""Stands for the shares of the predicted classes."""

MOST_LAYERS = 6
OF_LAYERS = ("alpha", "traps", "ks", "sigma_mp", "entropy", "stable_rank")
"""Panels with a line a layer: the selected one first."""

ORDER = (
    *(
        "accuracy",
        "alpha",
        "traps",
        "strain",
        "lit",
        "ks",
        CLASSES,
        "norm",
        "sigma_mp",
        "entropy",
        "sparsity",
        "circuit",
    ),
    *("loss", "stable_rank", "capacity", "none_lit", "live_rows", "bias_over_norm", "row_mean_z", "mean_spike"),
    *("units_lit", "dead_units", "patterns", "purity"),
)

Kind = tuple[str, Scale, tuple[float, float] | None, Form]
GATE_PANELS: dict[str, Kind] = {
    "lit": ("units that a bright image lights", "log", None, "percent"),
    "none_lit": ("chance that no unit is lit", "linear", ACCURACY_LIMITS, "number"),
    "live_rows": ("units that still learn", "linear", ACCURACY_LIMITS, "percent"),
    "bias_over_norm": ("bias / ‖w‖ of a unit", "linear", None, "number"),
    "row_mean_z": ("mean weight of a unit, z", "linear", None, "number"),
    "mean_spike": ("σ of the mean / σ of entries", "log", None, "number"),
}
"""Measures of the layers whose gates mean something."""

CAPACITY: Kind = ("capacity", "log", None, "number")

HIDDEN: dict[str, Kind] = {
    "units_lit": ("units lit by a training image", "log", None, "number"),
    "dead_units": ("units dead on the training images", "linear", None, "count"),
    "patterns": ("on/off patterns of the training images", "log", None, "count"),
    "purity": ("class purity of the units", "linear", ACCURACY_LIMITS, "number"),
}
"""Measures of the hidden layers that training recorded on its images."""

CURVES = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "circuit_complexity")
SHOWN = (*CURVES, "circuit_complexity_sd", *SPARSITIES)
"""The metrics of the run that the panels above show."""


def panels(state: State) -> list[Panel | str]:
    """Whatever was recorded or analysed; the accuracies where nothing was."""
    return _panels(state.timeline, state.layer)


@lru_cache(maxsize=4)
def _panels(run: Timeline, layer: int) -> list[Panel | str]:
    found = [*(panel_of(run, layer, name) for name in ORDER), *_stored(run)]
    return [panel for panel in found if _has_values(panel, run)] or found[:1]


def _stored(run: Timeline) -> list[Panel]:
    """A panel for every metric that no other one shows."""
    shown = {*SHOWN, *(f"{measure}_{layer}" for measure in HIDDEN for layer in run.layers)}
    return [of_metric(name) for name in run.metrics if name not in shown]


def panel_of(run: Timeline, layer: int, name: str) -> Panel | str:
    """A panel by its name, those of layers with the one of that number first."""
    if name == CLASSES:
        return CLASSES
    if name in OF_LAYERS:
        first, *rest = _shown_layers(run, layer)
        panel = PANELS[name](run, (first,)) if first else Panel(name, name, ())
        lines = (*panel.lines, *(PANELS[name](run, rest).lines if rest else ()))
        short = dict(zip(map(safe_name, run.layers), telling(run.layers), strict=True))
        return replace(panel, lines=tuple(replace(line, name=short.get(line.name, line.name)) for line in lines))
    if name in GATE_PANELS:
        columns = [(one, run.measure(name, one)) for one in run.layers if one in run.gated]
        return _panel(*GATE_PANELS[name], columns, run)
    if name == "capacity":
        return _panel(*CAPACITY, [(one, run.measure(name, one)) for one in run.layers[-1:] if run.gated], run)
    if name in HIDDEN:
        return _panel(*HIDDEN[name], [(one, run.metric(f"{name}_{one}")) for one in run.layers], run)
    return PANELS[name](run, ())


def _panel(
    title: str,
    scale: Scale,
    limits: tuple[float, float] | None,
    form: Form,
    columns: list[tuple[str, Array]],
    run: Timeline,
) -> Panel:
    lines = tuple(
        Line(safe_name(layer), f"layer{run.layers.index(layer)}", partial(_column, values))
        for layer, values in columns
        if np.isfinite(values).any()
    )
    unit = "%" if form == "percent" else ""
    return Panel(title, title, lines, scale, limits=limits, unit=unit, form=form)


def _column(values: Array, run: History) -> Array:
    """The numbers themselves, whatever the run."""
    return values


def kind_of(state: State) -> str:
    """The name by which `grokscope plot` draws the chosen panel, of a measure that layers have that of one."""
    run, found = state.timeline, panels(state)
    panel = found[state.pane % len(found)]
    if isinstance(panel, str):
        return panel
    titles = {_title(run, name): name for name in PANELS} | {GATE_PANELS[name][0]: name for name in GATE_PANELS}
    titles["capacity"] = "capacity"
    recorded = [(name, f"{name}_{layer}") for name in HIDDEN for layer in reversed(run.layers)]
    hidden = {HIDDEN[name][0]: metric for name, metric in recorded if metric in run.metrics}
    stored = {name: name for name in run.metrics}
    return {**stored, **hidden, **titles}[panel.title]


def of_other(panel: Panel, run: Timeline, layer: int, other: Other) -> Panel | None:
    """What a panel of a run shows of another: its first line alone, of the same layer; None where it has none."""
    names = [
        name for name in (*OF_LAYERS, "accuracy", "loss", "norm", "strain") if _title(run, name) == panel.title
    ]
    layers = _same_layer(run, layer, other.runs[0])
    if panel.title in other.runs[0].metrics:
        return replace(panel, lines=(replace(panel.lines[0], name=other.name, role=other.role),))
    if not names or (names[0] in OF_LAYERS and not layers):
        return None
    same = PANELS[names[0]](other.runs[0], layers if names[0] in OF_LAYERS else ())
    first, count = same.lines[0], len(other.runs)
    name = other.name if first.combined is None or count == 1 else f"{count} combined"
    line = replace(first, name=name, role=other.role, low=None, high=None)
    return replace(same, lines=(line,))


def _same_layer(run: Timeline, layer: int, other: Timeline) -> tuple[str, ...]:
    """The other run's layer of the same name, else the one at the same place."""
    name = run.layers[layer] if layer < len(run.layers) else ""
    return (name,) if name in other.layers else other.layers[layer : layer + 1]


def _title(run: Timeline, name: str) -> str:
    return PANELS[name](run, run.layers[:1]).title


def _shown_layers(run: Timeline, layer: int) -> list[str]:
    """At most six layers around one, that one first."""
    first = min(max(0, layer - MOST_LAYERS // 2), max(0, len(run.layers) - MOST_LAYERS))
    shown = range(first, min(first + MOST_LAYERS, len(run.layers)))
    return [run.layers[k] for k in sorted(shown, key=lambda k: k != layer)] or [""]


def _has_values(panel: Panel | str, run: Timeline) -> bool:
    if isinstance(panel, str):
        return run.predictions is not None and len(run.predictions) > 0
    return any(np.isfinite(line.values(run)).any() for line in panel.lines)
