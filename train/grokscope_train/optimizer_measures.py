"""What the optimizer does at a checkpoint, from the state alone, so that a resumed run records the same.

Adam divides a smoothed gradient by the root of a smoothed square: m̂/(√v̂ + ε), the hats being the corrections of
Kingma & Ba (2015) for moments that began at zero. Where √v̂ falls below ε the division stops normalising; where
|m̂|/(√v̂ + ε) is near 1 every batch pushes the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grokscope_train.activations import ACTIVATIONS, activations
from grokscope_train.config import TrainConfig
from grokscope_train.losses import loss_gradient
from grokscope_train.network import Parameters

LARGEST_LOSS = "largest_batch_loss"
QUANTILES = (0.05, 0.5, 0.95)
Flat = NDArray[np.floating]
Array = NDArray[np.float64]


def names_of_optimizer_metrics(config: TrainConfig) -> tuple[str, ...]:
    """Name the metrics that tell what the optimizer does."""
    moments = () if config.optimizer == "sgd" else moment_metrics(config.depth)
    return (LARGEST_LOSS, *gradient_metrics(config.depth), *moments)


def gradient_metrics(depth: int) -> tuple[str, ...]:
    """Name the norms of the gradients of a network of `depth` layers."""
    return tuple(f"gradient_norm_fc{layer + 1}" for layer in range(depth))


def moment_metrics(depth: int) -> tuple[str, ...]:
    """Name the metrics of Adam's moments for a network of `depth` layers."""
    by_layer = [
        f"{measure}_q{round(100 * quantile):02d}_fc{layer + 1}"
        for layer in range(depth)
        for measure in ("root_second_moment", "relative_update")
        for quantile in QUANTILES
    ]
    return (*by_layer, "below_eps_share", "step_norm_ratio")


def measure_moments(
    matrices: Sequence[tuple[Flat, Flat, Flat]], config: TrainConfig, steps: int
) -> dict[str, float]:
    """Measure Adam's moments, given (parameters, first, second) of every layer and how many steps they are old.

    `below_eps_share` is the share of parameters with √v̂ < ε; `step_norm_ratio` the norm of the step that these
    moments make over that of the parameters. Every value is NaN before the first step.
    """
    names = moment_metrics(len(matrices))
    if steps < 1:
        return dict.fromkeys(names, float("nan"))
    values: list[float] = []
    below, count, step_square, square = 0, 0, 0.0, 0.0
    for parameters, first, second in matrices:
        root = np.sqrt(second / (1 - config.beta2**steps))
        update = first / (1 - config.beta1**steps) / (root + config.eps)
        values += [*np.quantile(root, QUANTILES), *np.quantile(np.abs(update), QUANTILES)]
        below, count = below + int(np.count_nonzero(root < config.eps)), count + root.size
        shrunk = config.weight_decay * parameters if config.optimizer == "adamw" else 0.0
        step_square += float(np.sum((config.lr * (update + shrunk)) ** 2))
        square += float(np.sum(parameters**2))
    values += [below / count, np.sqrt(step_square / square) if square else float("nan")]
    return dict(zip(names, map(float, values), strict=True))


def gradient_norms(
    parameters: Parameters, pixels: Array, targets: Array, activation: str, loss: str
) -> NDArray[np.float64]:
    """Return the Euclidean norm of every layer's gradient of the mean loss, bias included, float64 [depth].

    `pixels` [n, inputs] and one-hot `targets` [n, classes] are all training images.
    """
    layers = [(np.asarray(weight, np.float64), bias) for weight, bias in parameters.layers]
    (*hidden, delta), slopes = activations(np, layers, pixels, activation)
    inputs = [pixels, *hidden]
    loss_gradient(np, loss, delta, targets)
    norms = np.zeros(len(layers))
    for layer in range(len(layers) - 1, -1, -1):
        norms[layer] = np.sqrt(np.sum((delta.T @ inputs[layer]) ** 2) + np.sum(delta.sum(0) ** 2))
        if layer:
            delta = delta @ layers[layer][0]
            ACTIVATIONS[activation].backward(np, delta, inputs[layer], slopes[layer - 1])
    return norms
