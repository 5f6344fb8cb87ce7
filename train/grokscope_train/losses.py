"""The two losses: their values per image, and their gradients with respect to the outputs, in place."""

from __future__ import annotations

from types import ModuleType
from typing import Any

Array = Any


def loss_value(xp: ModuleType, name: str, outputs: Array, targets: Array) -> float:
    """Mean loss of outputs [n, classes] against one-hot targets [n, classes].

    `mse` is the mean over images and outputs (torch.nn.MSELoss), `cross-entropy` the mean over images of
    −log softmax at the label (torch.nn.CrossEntropyLoss).
    """
    if name == "mse":
        difference = outputs - targets
        return float((difference * difference).mean())
    return float(-(log_softmax(xp, outputs) * targets).sum() / len(outputs))


def loss_gradient(xp: ModuleType, name: str, outputs: Array, targets: Array) -> Array:
    """Replace outputs [n, classes] by the gradient of the mean loss with respect to them, and return that loss.

    Of a stack [seeds, n, classes] each seed has a mean and a loss of its own.
    """
    images, classes = outputs.shape[-2:]
    if name == "mse":
        xp.subtract(outputs, targets, out=outputs)
        loss = (outputs * outputs).sum((-2, -1)) / (images * classes)
        xp.multiply(outputs, 2.0 / (images * classes), out=outputs)
        return loss
    logarithms = log_softmax(xp, outputs)
    xp.subtract(xp.exp(logarithms), targets, out=outputs)
    xp.multiply(outputs, 1.0 / images, out=outputs)
    return -(logarithms * targets).sum((-2, -1)) / images


def log_softmax(xp: ModuleType, outputs: Array) -> Array:
    """Logarithm of the softmax of each row, without overflow."""
    shifted = outputs - xp.amax(outputs, -1)[..., None]
    return shifted - xp.log(xp.exp(shifted).sum(-1))[..., None]
