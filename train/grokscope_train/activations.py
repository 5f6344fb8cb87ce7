"""Activations and their derivatives, in place, and the forward pass, for numpy arrays and torch tensors alike.

`forward(xp, values, slope)` replaces pre-activations by activations; `backward(xp, delta, values, slope)`
multiplies delta by the derivative there. `slope` is scratch of the same shape that lives from one to the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

Array = Any
SQRT_HALF = math.sqrt(0.5)
NORMAL_DENSITY = 1 / math.sqrt(2 * math.pi)


class Activation(NamedTuple):
    """An elementwise function with its derivative."""

    forward: Callable[[ModuleType, Array, Array], None]
    backward: Callable[[ModuleType, Array, Array, Array], None]


def _relu(xp: ModuleType, values: Array, slope: Array) -> None:
    xp.clip(values, 0, None, out=values)


def _relu_backward(xp: ModuleType, delta: Array, values: Array, slope: Array) -> None:
    if xp.__name__ == "torch":
        xp.ops.aten.threshold_backward(delta, values, 0, grad_input=delta)
        return
    xp.sign(values, out=slope)  # 1 where the neuron fires, 0 elsewhere
    xp.multiply(delta, slope, out=delta)


def _tanh(xp: ModuleType, values: Array, slope: Array) -> None:
    xp.tanh(values, out=values)


def _tanh_backward(xp: ModuleType, delta: Array, values: Array, slope: Array) -> None:
    xp.multiply(delta, values, out=slope)  # delta·(1 − h²) = delta − (delta·h)·h
    xp.multiply(slope, values, out=slope)
    xp.subtract(delta, slope, out=delta)


def _sigmoid(xp: ModuleType, values: Array, slope: Array) -> None:
    # 1/(1+e^-x) = (1 + tanh(x/2))/2, which overflows nowhere
    xp.multiply(values, 0.5, out=values)
    xp.tanh(values, out=values)
    xp.multiply(values, 0.5, out=values)
    xp.add(values, 0.5, out=values)


def _sigmoid_backward(xp: ModuleType, delta: Array, values: Array, slope: Array) -> None:
    xp.multiply(delta, values, out=delta)
    xp.multiply(delta, values, out=slope)
    xp.subtract(delta, slope, out=delta)


def _gelu(xp: ModuleType, values: Array, slope: Array) -> None:
    """x·Φ(x) and its derivative Φ(x) + x·φ(x), with the exact normal distribution."""
    cumulative = 0.5 + 0.5 * _erf(xp, values * SQRT_HALF)
    slope[...] = cumulative + values * xp.exp(-0.5 * values * values) * NORMAL_DENSITY
    xp.multiply(values, cumulative, out=values)


def _gelu_backward(xp: ModuleType, delta: Array, values: Array, slope: Array) -> None:
    xp.multiply(delta, slope, out=delta)


def _erf(xp: ModuleType, values: Array) -> Array:
    if xp.__name__ == "numpy":
        from scipy.special import erf

        return erf(values)
    return xp.erf(values)


ACTIVATIONS = {
    "relu": Activation(_relu, _relu_backward),
    "tanh": Activation(_tanh, _tanh_backward),
    "sigmoid": Activation(_sigmoid, _sigmoid_backward),
    "gelu": Activation(_gelu, _gelu_backward),
}


def activations(
    xp: ModuleType, layers: Sequence[tuple[Array, Array]], images: Array, activation: str
) -> tuple[list[Array], list[Array]]:
    """Return what every layer gives for images [n, in]: hidden activations [n, width], then outputs [n, classes].

    `layers` are weights [out, in] with their biases [out]. The slopes of the hidden layers come second.
    """
    values, found, slopes = images, [], []
    for number, (weight, bias) in enumerate(layers, start=1):
        values = values @ weight.T + bias
        found.append(values)
        if number < len(layers):
            slopes.append(xp.empty_like(values))
            ACTIVATIONS[activation].forward(xp, values, slopes[-1])
    return found, slopes
