"""How open a layer's gates are: which of its units an input could light, told from weights and biases alone.

A unit with a rectified activation is a gate: it passes something on for the inputs that light it (pre-activation
above 0). As a network collapses its first layer's gates close: weights drift below zero until few inputs light
anything. Inputs are taken to lie between 0 (background) and 1; `to_unit_range` brings other ranges there.

Rows that no longer turn have no gradient (units that no training input lights), and columns that never turned
have none either (pixels that are dark in every training input). Neither says anything about inputs that matter:
both are left out. Turning needs earlier checkpoints: a single one has no measured gates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REGIONS = 2.5  # times √D: independent regions among D pixels; such inputs light about as many units as images do
TURNED = 1e-3  # radians; well above what rounding to float32 turns, well below a step of training

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Gates:
    """One layer's gates at a checkpoint; floats, NaN where not measured.

    live_rows, turned_columns: shares of the rows that turned since the checkpoint before, and of the columns that
    turned since the first. lit: share of live units that a fair-sized input lights, one of 2.5·√D independent
    regions among the D turned columns, each dark or bright by a fair coin. none_lit: the chance that an input of
    independent fair-coin pixels lights no unit at all (P0). row_mean_z: mean over live rows of Σw/‖w‖, by how many
    standard errors a row's mean is off zero. mean_spike: |mean|·√(NM)/σ of the whole matrix, its mean's singular
    value in units of its entries' σ. bias_over_norm: mean over live rows of b/‖w‖. scale: √(in · mean w²) of the
    whole matrix, the size of a pre-activation for inputs of size 1: PyTorch's default initialisation has 1/√3,
    LeCun's 1, He's √2.
    """

    live_rows: float = NAN
    turned_columns: float = NAN
    lit: float = NAN
    none_lit: float = NAN
    row_mean_z: float = NAN
    mean_spike: float = NAN
    bias_over_norm: float = NAN
    scale: float = NAN


GATES = tuple(field.name for field in fields(Gates))


def measure_gates(weight: Array, bias: Array, earlier: Array | None, first: Array | None) -> Gates:
    """Measure the gates of a layer with weight [out, in] and bias [out], for inputs in [0, 1].

    `earlier` and `first` are the layer's weights at the checkpoint before and at the first one; without them, or
    where nothing turned, what hangs on them is NaN.
    """
    from scipy.special import log_ndtr  # here, for the app draws gates and imports no scipy

    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        return Gates()
    whole = Gates(mean_spike=mean_spike(weight), scale=float(np.sqrt(weight.shape[1] * np.mean(weight**2))))
    if earlier is None or first is None:
        return whole
    rows, columns = turned(weight, earlier), turned(weight.T, first.T)
    whole = replace(whole, live_rows=float(rows.mean()), turned_columns=float(columns.mean()))
    if not rows.any() or not columns.any():
        return whole
    live = weight[np.ix_(rows, columns)]
    offsets, sums, norms = bias[rows], live.sum(axis=1), np.linalg.norm(live, axis=1)
    return replace(
        whole,
        lit=lit_share(live, offsets, REGIONS * np.sqrt(live.shape[1])),
        none_lit=float(np.exp(log_ndtr(-(sums + 2 * offsets) / norms).sum())),
        row_mean_z=float((sums / norms).mean()),
        bias_over_norm=float((offsets / norms).mean()),
    )


def lit_share(weight: Array, bias: Array, regions: float) -> float:
    """Return the expected share of units [out] that an input of `regions` independent fair-coin regions lights.

    With weight [out, D], pre-activations have mean ½Σw + b and standard deviation ½‖w‖√(D/regions).
    """
    from scipy.special import ndtr

    scale = np.linalg.norm(weight, axis=1) * np.sqrt(weight.shape[1] / regions)
    return float(ndtr((weight.sum(axis=1) + 2 * bias) / scale).mean())


def turned(vectors: Array, before: Array) -> NDArray[np.bool_]:
    """Tell which rows point elsewhere than before, by more than TURNED radians; bool [rows]."""
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(before, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.einsum("ij,ij->i", vectors, before) / norms
    return np.asarray(1 - cosines > TURNED**2 / 2)


def mean_spike(weight: Array) -> float:
    """Return |mean|·√(NM)/σ of the entries; beyond (NM)^¼ the mean makes an eigenvalue of its own."""
    deviation = float(weight.std())
    return float(abs(weight.mean()) * np.sqrt(weight.size) / deviation) if deviation > 0 else NAN


def to_unit_range(weight: Array, bias: Array, low: float, high: float) -> tuple[Array, Array]:
    """Return weight and bias that do to inputs in [0, 1] what the given ones do to inputs in [low, high]."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is not measured
        return weight * (high - low), bias + low * weight.sum(axis=1)
