"""The network in one flat buffer: each layer's bias is the last column of its weight.

A column of ones beside every layer's input feeds the bias, so that one matrix product applies weight and bias,
and one gives both gradients. Pixels that are black in every training image have a gradient of exactly zero; their
columns of the first weight are left out of the buffer (see `black_pixels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any  # a numpy array or a torch tensor: the engine decides
VECTOR = 8  # numbers that a processor takes at once; loops over multiples of it are fastest


@dataclass(frozen=True)
class FlatLayout:
    """Where each layer's [out, in + 1] matrix lies in the flat buffer; `sizes` are the widths kept in it."""

    sizes: tuple[int, ...]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Shape of each layer's matrix, bias column included."""
        return [(outputs, inputs + 1) for inputs, outputs in pairwise(self.sizes)]

    @property
    def length(self) -> int:
        """Number of parameters."""
        return sum(rows * columns for rows, columns in self.shapes)

    def matrices(self, flat: Array) -> list[Array]:
        """Return each layer's matrix as a view into the flat buffer [length], or [seeds, length] for a stack."""
        views, start = [], 0
        for rows, columns in self.shapes:
            views.append(flat[..., start : start + rows * columns].reshape(*flat.shape[:-1], rows, columns))
            start += rows * columns
        return views


@dataclass(frozen=True)
class Parameters:
    """All weights [out, in] and biases [out] of a network, in order, as numpy arrays."""

    weights: Sequence[NDArray[np.floating[Any]]]
    biases: Sequence[NDArray[np.floating[Any]]]

    @property
    def layers(self) -> list[tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]]:
        """Each layer's weight with its bias."""
        return list(zip(self.weights, self.biases, strict=True))


def initial_parameters(sizes: tuple[int, ...], scale: float, generator: np.random.Generator) -> Parameters:
    """Draw PyTorch's default initialisation of linear layers, times `scale`; float64.

    Weights and biases of a layer are uniform in ±scale/√in (`torch.nn.Linear.reset_parameters`).
    """
    weights, biases = [], []
    for inputs, outputs in pairwise(sizes):
        bound = scale / np.sqrt(inputs)
        weights.append(generator.uniform(-bound, bound, (outputs, inputs)))
        biases.append(generator.uniform(-bound, bound, outputs))
    return Parameters(weights, biases)


def black_pixels(pixels: NDArray[np.float64], optimizer: str, weight_decay: float) -> NDArray[np.bool_]:
    """Tell which columns of the first weight can be left out of training, exactly; bool [pixels].

    A pixel that is 0 in every training image has a gradient of 0. Without weight decay no optimizer moves its
    weights; decoupled decay (AdamW) and SGD shrink them by 1 − lr·λ a step, which `decay` applies. Adam's decay
    is part of the gradient and is divided by its size, so there every column has to be trained.
    """
    if optimizer == "adam" and weight_decay > 0:
        return np.zeros(pixels.shape[1], dtype=bool)
    return np.asarray(~pixels.any(axis=0))


def decay(step: int, lr: float, weight_decay: float) -> float:
    """Factor by which untouched weights have shrunk after `step` steps of decoupled weight decay."""
    return float((1.0 - lr * weight_decay) ** step)


def step_operations(sizes: tuple[int, ...], batch: int) -> float:
    """Floating-point operations of a training step's matrix products.

    Forward, gradient and backward cost the same; the input needs no backward.
    """
    products = [inputs * outputs for inputs, outputs in pairwise(sizes)]
    return 2.0 * batch * (3 * sum(products) - products[0])


def pack(parameters: Parameters, black: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """Write parameters into one flat array, without the first layer's black columns."""
    matrices = [
        np.column_stack([weight, bias]) for weight, bias in zip(parameters.weights, parameters.biases, strict=True)
    ]
    matrices[0] = matrices[0][:, np.append(~black, True)]
    return np.concatenate([matrix.ravel() for matrix in matrices])


def unpack(
    flat: NDArray[np.floating[Any]],
    layout: FlatLayout,
    black: NDArray[np.bool_],
    black_columns: NDArray[np.floating[Any]],
) -> Parameters:
    """Rebuild all weights and biases from the flat buffer and the columns that were left out [out, n_black]."""
    matrices = layout.matrices(flat)
    first = np.empty((matrices[0].shape[0], len(black)), flat.dtype)
    first[:, ~black] = matrices[0][:, :-1]
    first[:, black] = black_columns
    weights = [first] + [matrix[:, :-1].copy() for matrix in matrices[1:]]
    return Parameters(weights, [matrix[:, -1].copy() for matrix in matrices])
