"""Two-dimensional figures over time: layers × steps, a layer's spectrum × steps, predicted classes × steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grokscope.figures.axis import Axis, Form, axis_over
from grokscope.figures.data import Curve, Figure, Heatmap, Mark, Points
from grokscope.figures.histogram import num_bins
from grokscope.figures.history import History, broken, on_axis, step_axis, step_cells
from grokscope.names import safe_name

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

Array = NDArray[np.float64]

NOT_YET = "nothing recorded or analysed yet"
LOGARITHMIC = {"alpha", "norm", "stable_rank", "dominance", "ks_p"}
"""Measures whose ratios matter: their colours are logarithmic."""


WORDS = {
    "alpha": "α",
    "num_traps": "traps",
    "norm": "‖W‖",
    "ks_p": "KS p",
    "sigma_mp": "σ_mp",
    "stable_rank": "stable rank",
    "abs_entropy": "absolute entropy",
    "power_law_distance": "D",
    "num_tail": "tail",
    "entropy": "matrix entropy",
}
"""What measures are called in words; the others by the names of their columns."""


def form_of(field: str) -> Form:
    """How the values of a measure are spelled."""
    if field.startswith("num_"):
        return "count"
    return "p" if field in P_VALUES else "number"


P_VALUES = ("ks_p", "ks_p_naive", "ks_p_bulk", "alpha_p")


def heatmap(run: History, field: str = "alpha", x: Axis | None = None) -> Figure:
    """A measure of every layer at every checkpoint, the first layer on top."""
    title, x = f"{WORDS.get(field, field)} of layers × steps", x or step_axis([run])
    values = np.array([run.measure(field, layer) for layer in run.layers]).reshape(len(run.layers), len(run.steps))
    names = tuple(safe_name(layer) for layer in run.layers)
    y = Axis("layer", low=float(max(len(names), 1)), high=0.0)
    log = field in LOGARITHMIC
    if not _known(values, log).size:
        return Figure(title, x, y, reason=NOT_YET)
    return Figure(title, x, y, (_cells(x, run, np.arange(len(names) + 1.0), values, field, log, names),))


def classes(run: History, x: Axis | None = None) -> Figure:
    """The share of the test images that each label is predicted for."""
    title, x = "share of each predicted class", x or step_axis([run])
    if run.predictions is None or not len(run.predictions):
        return Figure(title, x, Axis("class"), reason="no predictions recorded")
    count = run.predictions.shape[1]
    y, names = Axis("class", low=float(count), high=0.0), tuple(map(str, range(count)))
    edges = np.arange(count + 1.0)
    return Figure(title, x, y, (_cells(x, run, edges, run.predictions.T, "share", False, names),))


def spectrogram(
    run: History, layer: str, spectra: Sequence[LayerSpectrum | None], x: Axis | None = None
) -> Figure:
    """A layer's spectrum at every checkpoint, `spectra` in order, with xmin, λ₊ and the traps over it.

    Colours are the share of eigenvalues per e-fold of λ.
    """
    title, x = f"spectrogram {safe_name(layer)}", x or step_axis([run])
    shown = [np.empty(0) if one is None else one.counted for one in spectra]
    sizes = [1 if one is None else max(1, len(one.esd)) for one in spectra]
    every = np.concatenate([np.empty(0), *shown])
    if not len(every):
        return Figure(title, x, Axis("λ, eigenvalue of WᵀW", "log", 0.1, 10.0), reason=NOT_YET)
    floor = max(values.max() for values in shown if len(values)) * 1e-6
    y = axis_over("λ, eigenvalue of WᵀW", every[every >= floor], scale="log", padding=0.02)
    bins = num_bins(max(len(values) for values in shown))
    edges = np.array([y.value(float(p)) for p in np.linspace(0, 1, bins + 1)])
    per_fold = float(np.log(edges[1] / edges[0]))
    values = np.array([np.histogram(one, edges)[0] for one in shown]).T / (np.array(sizes) * per_fold)
    values[:, [not len(one) for one in shown]] = np.nan
    cells = _cells(x, run, edges, values, "share of eigenvalues per e-fold of λ", False, ())
    at = on_axis(run.steps, x)
    marks: list[Mark] = [cells, *_lines(at, spectra, x)]
    return Figure(title, x, y, tuple(marks))


def _lines(at: Array, spectra: Sequence[LayerSpectrum | None], x: Axis) -> list[Mark]:
    nan = float("nan")
    xmin = np.array([nan if one is None else one.xmin for one in spectra])
    edge = np.array([nan if one is None else one.lambda_plus for one in spectra])
    marks: list[Mark] = [
        Curve(*broken(at, xmin, x), label="xmin", role="fit"),
        Curve(*broken(at, edge, x), label="λ₊", role="edge"),
    ]
    traps = [np.empty(0) if one is None else one.trap_eigenvalues for one in spectra]
    if any(map(len, traps)):
        where = np.repeat(at, [len(each) for each in traps])
        marks.append(Points(where, np.concatenate(traps), label="traps", role="trap"))
    return marks


def _cells(
    x: Axis, run: History, y_edges: Array, values: Array, label: str, log: bool, names: tuple[str, ...]
) -> Heatmap:
    known = _known(values, log)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    edges, shown = step_cells(run.steps, x)
    values = np.where(shown >= 0, values[:, shown], np.nan)
    return Heatmap(edges, y_edges, values, low, high, log, names, label=label, role="test")


def _known(values: Array, log: bool) -> Array:
    return np.asarray(values[np.isfinite(values) & ((values > 0) | (not log))])
