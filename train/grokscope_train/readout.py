"""A linear readout of given features, its ridge chosen by leaving out one image after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PENALTIES = np.logspace(-8, 4, 49)  # in units of the centred features' mean squared length
TINY = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Readout:
    """A linear map of features to classes: weight [classes, features], bias [classes].

    penalty: the ridge's λ. left_out_accuracy: the share of images, each left out of the fit in turn, whose class
    is the one that is read from them.
    """

    weight: Array
    bias: Array
    penalty: float
    left_out_accuracy: float


def fit_readout(features: Array, labels: NDArray[np.int64]) -> Readout:
    """Fit one-hot labels [n] to features [n, d] by ridge regression with a free intercept.

    λ minimises the squared error of left-out images over PENALTIES. With the SVD of the centred features,
    H = U S Vᵀ, the fit's leverages are h = 1/n + Σ U² S²/(S² + λ), and a left-out image's error is its residual
    over 1 − h. Source: Golub, Heath and Wahba, Technometrics 21 (1979), § 1 (Allen's PRESS).
    """
    targets = np.eye(int(labels.max()) + 1)[labels]
    mean, middle = features.mean(axis=0), targets.mean(axis=0)
    left, values, right = np.linalg.svd(features - mean, full_matrices=False)
    projected = left.T @ (targets - middle)
    unit = float(np.mean((features - mean) ** 2)) or 1.0

    def left_out(penalty: float) -> Array:
        """Return what each image is read as by a fit without it, [n, classes]."""
        shrunk = values**2 / (values**2 + penalty)
        fitted = middle + left @ (shrunk[:, None] * projected)
        leverage = 1 / len(labels) + (left**2) @ shrunk
        return np.asarray(targets - (targets - fitted) / np.maximum(1 - leverage, TINY)[:, None])

    penalties = PENALTIES * unit * len(labels)
    errors = [float(np.mean((targets - left_out(penalty)) ** 2)) for penalty in penalties]
    penalty = float(penalties[int(np.argmin(errors))])
    weight = (right.T @ ((values / (values**2 + penalty))[:, None] * projected)).T
    right_ones = np.argmax(left_out(penalty), axis=1) == labels
    return Readout(weight, middle - weight @ mean, penalty, float(right_ones.mean()))
