"""Numbers through a run, with the phases behind them; several seeds as their mean and its spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from grokscope.figures.axis import Axis, Form, Scale, axis_over
from grokscope.figures.colors import UNDECIDED
from grokscope.figures.data import Band, Curve, Fact, Figure, HLine, Mark, Points
from grokscope.figures.history import History, broken, common_steps, on_axis, phase_spans, step_axis
from grokscope.names import safe_name
from grokscope.spectra import power_law
from grokscope.spectra.combined import combined_p
from grokscope.spectra.null import ALPHA_DRAWS

Array = NDArray[np.float64]
Column = Callable[[History], Array]

ACCURACY_LIMITS = (-0.02, 1.04)


@dataclass(frozen=True)
class Line:
    """One curve: its name, its role, and the column of a run that it shows.

    `low` and `high` give its interval, which `between` names; `joined` says whether the values are a curve or
    points; `combined` how those of several runs become one number, the mean by default; `doubt` which values of a
    run decide nothing; `draws` from how many draws each comes, where that bounds it.
    """

    name: str
    role: str
    values: Column
    low: Column | None = None
    high: Column | None = None
    between: str = "interval"
    joined: bool = True
    combined: Callable[[Array], Array] | None = None
    doubt: Callable[[History], NDArray[np.bool_]] | None = None
    draws: Column | None = None


@dataclass(frozen=True)
class Panel:
    """What one plot shows: lines in order of importance, its y axis in words, and what to compare with."""

    title: str
    y_label: str
    lines: tuple[Line, ...]
    scale: Scale = "linear"
    references: tuple[tuple[float, str], ...] = ()
    limits: tuple[float, float] | None = None
    unit: str = ""
    form: Form = "number"


def over_time(panel: Panel, runs: Sequence[History], x: Axis | None = None) -> Figure:
    """Draw a panel for one run, or for several of one experiment: their mean and one standard deviation around it.

    Several runs are compared at the steps that all of them have. `x` is the axis of steps, by default theirs.
    """
    x = x or step_axis(runs)
    every = [(line, *_drawn(line, runs, x)) for line in panel.lines]
    drawn = [(line, curve, band) for line, curve, band in every if np.isfinite(curve.y).any()]
    values = np.concatenate([np.empty(0), *(curve.y for _, curve, _ in drawn)])
    spreads = np.concatenate([np.empty(0), *(end for *_, band in drawn if band for end in (band.low, band.high))])
    if not drawn:
        return Figure(panel.title, x, Axis(panel.y_label, unit=panel.unit),
                      reason="nothing recorded or analysed yet")  # fmt: skip
    y = _value_axis(panel, np.concatenate([values, spreads]) if len(runs) > 1 else values)
    marks: list[Mark] = list(phase_spans(runs, x))
    marks += [HLine(at, label=label, role="reference") for at, label in panel.references]
    marks += [band for *_, band in drawn if band is not None]
    for line, curve, _ in reversed(drawn):
        marks += _joined(curve) if line.joined else [_points(curve)]
        if line.doubt is not None and len(runs) == 1:
            marks += _doubtful(line, runs[0], x)
    return Figure(panel.title, x, y, tuple(marks), _facts(runs, drawn))


def _drawn(line: Line, runs: Sequence[History], x: Axis) -> tuple[Curve, Band | None]:
    """A line's curve and its band: an interval of one run, or the spread of several."""
    if len(runs) == 1:
        at, values = on_axis(runs[0].steps, x), line.values(runs[0])
        curve = Curve(*broken(at, values, x), label=line.name, role=line.role)
        if line.low is None or line.high is None:
            return curve, None
        (ends, low), (_, high) = (broken(at, column(runs[0]), x) for column in (line.low, line.high))
        return curve, Band(ends, low, high, label=f"{line.between} of {line.name}".strip(), role=line.role)
    steps, table = at_common_steps(runs, line.values)
    at = on_axis(steps, x)
    if line.combined is not None:
        return Curve(*broken(at, line.combined(table), x), label=line.name, role=line.role), None
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1)
    (ends, low), (_, high) = (broken(at, end, x) for end in (mean - spread, mean + spread))
    band = Band(ends, low, high, label=f"± sd of {line.name}".strip(), role=line.role)
    return Curve(*broken(at, mean, x), label=line.name, role=line.role), band


def at_common_steps(runs: Sequence[History], column: Column) -> tuple[NDArray[np.int64], Array]:
    """The steps that all runs have, int64 [n], and the column of each there, float64 [runs, n]."""
    steps = common_steps(runs)
    rows = [column(run)[np.searchsorted(run.steps, steps)] for run in runs]
    return steps, np.array(rows, dtype=np.float64).reshape(len(runs), len(steps))


def _joined(curve: Curve) -> list[Mark]:
    """The curve, and as points those of its values that have no neighbour to be joined with."""
    known = np.isfinite(curve.y)
    padded = np.concatenate([[False], known, [False]])
    lone = known & ~(padded[:-2] | padded[2:])
    marks: list[Mark] = [curve]
    if lone.any():
        marks.append(Points(curve.x[lone], curve.y[lone], label=curve.label, role=curve.role))
    return marks


def _doubtful(line: Line, run: History, x: Axis) -> list[Mark]:
    """Points over the values that decide nothing, in an ink of their own."""
    assert line.doubt is not None
    values = line.values(run)
    shown = line.doubt(run) & np.isfinite(values)
    at = on_axis(run.steps, x)[shown]
    return [Points(at, values[shown], label="undecided", role=UNDECIDED + line.role)] if shown.any() else []


def _points(curve: Curve) -> Points:
    known = np.isfinite(curve.y)
    return Points(curve.x[known], curve.y[known], label=curve.label, role=curve.role)


def _value_axis(panel: Panel, values: Array) -> Axis:
    if panel.limits is not None:
        return Axis(panel.y_label, panel.scale, *panel.limits, panel.unit, panel.form)
    at = tuple(value for value, _ in panel.references)
    axis = axis_over(panel.y_label, values, scale=panel.scale, padding=0.06, include=at, unit=panel.unit)
    return replace(axis, form=panel.form)


def _facts(runs: Sequence[History], drawn: Sequence[tuple[Line, Curve, Band | None]]) -> tuple[Fact, ...]:
    if len(runs) == 1:
        return ()
    how = "combined" if any(line.combined for line, *_ in drawn) else "mean ± sd"
    steps = len(common_steps(runs))
    return (Fact(f"{how} of {len(runs)} runs at the {steps} steps that all have; phases where all agree"),)


def combined(table: Array) -> Array:
    """One p-value a step of p-values [runs, n], by Fisher's method."""
    return np.array([combined_p(column) for column in table.T.tolist()])


def by_layer(
    run: History, field: str, *, interval: tuple[str, str] | None = None, between: str = "interval",
    layers: Sequence[str] = (), joined: bool = True, combine: Callable[[Array], Array] | None = None,
) -> tuple[Line, ...]:  # fmt: skip
    """A line a layer (of `layers`, all by default) of a measure; the interval where there is one line only."""
    chosen = tuple(layers) or run.layers
    low, high = interval if interval and len(chosen) == 1 else (None, None)
    return tuple(
        Line(
            safe_name(layer),
            f"layer{run.layers.index(layer)}",
            _measure(field, layer),
            _measure(low, layer) if low else None,
            _measure(high, layer) if high else None,
            between,
            joined,
            combine,
            doubt=partial(_undecided, layer) if field == "alpha" else None,
            draws=partial(draws_behind, field, layer),
        )
        for layer in chosen
    )


DRAWS_AT_MOST = {"ks_p": math.inf, "ks_p_bulk": math.inf, "alpha_p": ALPHA_DRAWS}


def draws_behind(field: str, layer: str, run: History) -> Array:
    """How many Monte-Carlo draws a layer's p-value comes from, float64 [n]; 0 for what is by a formula."""
    return np.minimum(np.nan_to_num(run.measure("null_draws", layer)), DRAWS_AT_MOST.get(field, 0))


def _measure(field: str, layer: str) -> Column:
    return lambda run: run.measure(field, layer)


def _undecided(layer: str, run: History) -> NDArray[np.bool_]:
    """Where alpha's verdict is undecided or that noise has such an alpha, too."""
    names = ("alpha", "alpha_low", "alpha_high", "num_tail", "alpha_p")
    rows = zip(*(run.measure(name, layer).tolist() for name in names), strict=True)
    return np.array([_verdict(*row) in power_law.UNDECIDED for row in rows], dtype=np.bool_)


def _verdict(alpha: float, low: float, high: float, tail: float, p: float) -> str:
    if not np.isfinite(tail):
        return "not measured"
    return power_law.judge(power_law.PowerLawFit(alpha=alpha, low=low, high=high, num_tail=int(tail)), p)[0]


def metric(name: str) -> Column:
    """The column of a recorded metric."""
    return lambda run: run.metric(name)


def total_norm(run: History) -> Array:
    """√Σ‖W‖² over the layers, float64 [n]; NaN where a layer is not measured."""
    squares = [run.measure("norm", layer) ** 2 for layer in run.layers]
    return np.sqrt(np.sum(squares, axis=0)) if squares else np.full(len(run.steps), np.nan)
