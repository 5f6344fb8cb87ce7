"""What can be done to a network's weights before its training goes on: parameters in, others out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope_train.network import Parameters

OPEN_SHARE = 0.3  # of the training images that light a unit whose gate has been opened


def with_open_gates(parameters: Parameters, pixels: NDArray[np.float64]) -> Parameters:
    """Set each first-layer unit's bias so that it fires on OPEN_SHARE of the images [n, pixels]; weights stay."""
    sums = pixels @ np.asarray(parameters.weights[0], dtype=np.float64).T
    bias = -np.quantile(sums, 1.0 - OPEN_SHARE, axis=0)
    return Parameters(parameters.weights, [bias.astype(parameters.biases[0].dtype), *parameters.biases[1:]])


def without_means(parameters: Parameters) -> Parameters:
    """Subtract each layer's mean weight: the drift that makes a correlation trap by itself."""
    return Parameters([weight - weight.mean() for weight in parameters.weights], parameters.biases)


def without_traps(parameters: Parameters, number: int, step: int) -> tuple[Parameters, tuple[str, ...]]:
    """Take the rank-one part of correlation trap `number` out of every layer that has so many at `step`.

    Returns the names of these layers as well; a layer with fewer traps, or too small to have any, stays.
    """
    from grokscope.spectra import without_trap
    from grokscope.spectra.layer import why_not

    weights, changed = list(parameters.weights), []
    for place, weight in enumerate(weights):
        name = f"fc{place + 1}"
        if why_not(weight):
            continue
        stored = weight.astype(np.float32)  # the numbers that the analysis sees, and so its traps
        if number_of_traps(stored, name, step) >= number:
            weights[place] = (weight - (stored - without_trap(stored, name, number, step=step))).astype(
                weight.dtype
            )
            changed.append(name)
    return Parameters(weights, parameters.biases), tuple(changed)


def number_of_traps(weight: NDArray[np.floating], name: str, step: int) -> int:
    """Count the traps that the analysis finds in a layer's representative permutation."""
    from grokscope.spectra import analyze_layer

    return len(analyze_layer(weight, name, step=step).traps)
