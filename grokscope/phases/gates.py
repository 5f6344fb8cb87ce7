"""How open a layer's gates are: which of its units an input could light, told from weights and biases alone.

A unit with a rectified activation is a gate: it passes something on for the inputs that light it (pre-activation
above 0). As a network collapses its first layer's gates close: weights drift below zero until few inputs light
anything. Inputs are taken to lie between 0 (background) and 1; `to_unit_range` brings other ranges there.

Rows that no longer turn have no gradient (units that no training input lights), and columns that never turned
have none either (pixels that are dark in every training input); neither says anything about the inputs that matter,
so that they are left out. Turning needs earlier checkpoints: a single one has no measured gates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

Array = NDArray[np.float64]

REGIONS = 20  # independent bright regions of a fair-sized input; 5 to 40 order checkpoints alike
TURNED = 1e-3  # radians; well above what rounding to float32 turns, well below a step of training

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Gates:
    """One layer's gates at a checkpoint; floats, NaN where not measured.

    live_rows, turned_columns: shares of the rows that turned since the checkpoint before, and of the columns that
    turned since the first. lit: share of live units that an input of 20 independent regions, each dark or
    bright by a fair coin, lights (f20 in short). none_lit: the chance that an input of independent fair-coin
    pixels lights no unit at all (P0). row_mean_z: mean over live rows of Σw/(s√D), with s² the mean of w² in that
    row and D the turned columns: how many standard errors a row's mean is off zero. mean_spike: |mean|·√(NM)/σ of the whole matrix,
    its mean's singular value in units of its entries' σ. bias_over_norm: mean over live rows of b/‖w‖.
    """

    live_rows: float = NAN
    turned_columns: float = NAN
    lit: float = NAN
    none_lit: float = NAN
    row_mean_z: float = NAN
    mean_spike: float = NAN
    bias_over_norm: float = NAN


GATES = tuple(field.name for field in fields(Gates))


def measure_gates(weight: Array, bias: Array | None, earlier: Array | None, first: Array | None) -> Gates:
    """Measure the gates of a layer with weight [out, in] and bias [out] (None: no bias).

    `earlier` and `first` are the layer's weights at the checkpoint before and at the first one; without them, or
    where nothing turned, what hangs on them is NaN.
    """
    spike = mean_spike(weight)
    if earlier is None or first is None or not np.isfinite(weight).all():
        return Gates(mean_spike=spike)
    rows, columns = turned(weight, earlier), turned(weight.T, first.T)
    shares = Gates(float(rows.mean()), float(columns.mean()), mean_spike=spike)
    if not rows.any() or not columns.any():
        return shares
    live = weight[np.ix_(rows, columns)]
    offsets = np.zeros(len(live)) if bias is None else np.asarray(bias, dtype=np.float64)[rows]
    sums, norms = live.sum(axis=1), np.linalg.norm(live, axis=1)
    drift = sums / (norms * np.sqrt(live.shape[1]))
    return Gates(
        shares.live_rows,
        shares.turned_columns,
        lit=lit_share(live, offsets),
        none_lit=float(np.exp(log_ndtr(-(sums + 2 * offsets) / norms).sum())),
        row_mean_z=float(drift.mean() * np.sqrt(live.shape[1])),
        mean_spike=spike,
        bias_over_norm=float((offsets / norms).mean()),
    )


def lit_share(weight: Array, bias: Array, regions: int = REGIONS) -> float:
    """Return the expected share of units [out] that an input of `regions` independent fair-coin regions lights.

    With weight [out, D], pre-activations have mean ½Σw + b and standard deviation ½‖w‖√(D/regions).
    """
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
    return weight * (high - low), bias + low * weight.sum(axis=1)
