"""The optimizers' update on flat numpy arrays: AdamW, Adam and SGD as PyTorch defines them.

PyTorch's own fused kernels do the same on its tensors; these serve the engine that works without PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Flat = NDArray[np.floating[Any]]
CHUNK = 4096  # elements; five arrays of a chunk stay in the first-level caches


@dataclass(frozen=True)
class Hyperparameters:
    """Learning rate, decay rates of the two moments, eps and weight decay, as in torch.optim."""

    lr: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float


class Update(Protocol):
    """An optimizer bound to flat buffers."""

    def __call__(self, step: int | None) -> None:
        """Update at step `step`, counted from 1; None stands for one after the last, counted on the device."""

    def set_count(self, step: int) -> None:
        """Set the count that None goes on from."""


class NumpyUpdate:
    """The update of flat numpy arrays."""

    def __init__(
        self, name: str, parameters: Flat, gradient: Flat, first: Flat, second: Flat, hyper: Hyperparameters
    ) -> None:
        """Bind flat buffers of one length."""
        self._name, self._hyper, self._count = name, hyper, 0
        flats = (parameters, gradient, first, second, np.empty_like(parameters[:CHUNK]))
        starts = range(0, len(parameters), CHUNK)
        self._chunks = [
            (*(flat[start : start + CHUNK] for flat in flats[:4]), flats[4][: len(parameters) - start])
            for start in starts
        ]

    def __call__(self, step: int | None) -> None:
        """Update."""
        self._count = self._count + 1 if step is None else step
        for p, g, m, v, scratch in self._chunks:
            if self._name == "sgd":
                _sgd(p, g, scratch, self._hyper)
            else:
                _adam(p, g, m, v, scratch, self._hyper, self._count, decoupled=self._name == "adamw")

    def set_count(self, step: int) -> None:
        """Set the count that None goes on from."""
        self._count = step


def _sgd(p: Flat, g: Flat, scratch: Flat, hyper: Hyperparameters) -> None:
    if hyper.weight_decay:
        np.multiply(p, hyper.weight_decay, out=scratch)
        np.add(g, scratch, out=g)
    np.multiply(g, hyper.lr, out=scratch)
    np.subtract(p, scratch, out=p)


def _adam(
    p: Flat, g: Flat, m: Flat, v: Flat, scratch: Flat, hyper: Hyperparameters, step: int, decoupled: bool
) -> None:
    """Loshchilov & Hutter 2019, algorithm 2; with `decoupled` false, Kingma & Ba 2015, algorithm 1."""
    if hyper.weight_decay and decoupled:
        np.multiply(p, 1 - hyper.lr * hyper.weight_decay, out=p)
    elif hyper.weight_decay:
        np.multiply(p, hyper.weight_decay, out=scratch)
        np.add(g, scratch, out=g)
    np.subtract(g, m, out=scratch)
    np.multiply(scratch, 1 - hyper.beta1, out=scratch)
    np.add(m, scratch, out=m)
    np.multiply(v, hyper.beta2, out=v)
    np.multiply(g, g, out=scratch)
    np.multiply(scratch, 1 - hyper.beta2, out=scratch)
    np.add(v, scratch, out=v)
    np.sqrt(v, out=scratch)
    np.divide(scratch, (1 - hyper.beta2**step) ** 0.5, out=scratch)
    np.add(scratch, hyper.eps, out=scratch)
    np.divide(m, scratch, out=scratch)
    np.multiply(scratch, hyper.lr / (1 - hyper.beta1**step), out=scratch)
    np.subtract(p, scratch, out=p)
