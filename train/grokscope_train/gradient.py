"""The gradient of the mean training loss at a checkpoint, from the parameters alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope_train.activations import ACTIVATIONS
from grokscope_train.losses import loss_gradient
from grokscope_train.network import Parameters

Array = NDArray[np.float64]


def gradient_norms(
    parameters: Parameters, pixels: Array, targets: Array, activation: str, loss: str
) -> NDArray[np.float64]:
    """Return the Euclidean norm of every layer's gradient, bias included, float64 [depth].

    `pixels` [n, inputs] and one-hot `targets` [n, classes] are all training images.
    """
    forward, backward = ACTIVATIONS[activation]
    weights = [np.asarray(weight, np.float64) for weight in parameters.weights]
    inputs, slopes = [pixels], [pixels]
    for weight, bias in zip(weights[:-1], parameters.biases[:-1], strict=True):
        values = inputs[-1] @ weight.T + bias
        slope = np.empty_like(values)
        forward(np, values, slope)
        inputs.append(values)
        slopes.append(slope)
    delta = inputs[-1] @ weights[-1].T + parameters.biases[-1]
    loss_gradient(np, loss, delta, targets)
    norms = np.zeros(len(weights))
    for layer in range(len(weights) - 1, -1, -1):
        norms[layer] = np.sqrt(np.sum((delta.T @ inputs[layer]) ** 2) + np.sum(delta.sum(0) ** 2))
        if layer:
            delta = delta @ weights[layer]
            backward(np, delta, inputs[layer], slopes[layer])
    return norms
