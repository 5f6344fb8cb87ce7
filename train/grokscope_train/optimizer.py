"""The optimizers' update on flat numpy arrays: AdamW, Adam and SGD as PyTorch defines them.

PyTorch's own fused kernels do the same on its tensors; these serve the engine that works without PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


def numpy_optimizer(
    name: str, parameters: Flat, gradient: Flat, first: Flat, second: Flat, hyper: Hyperparameters
) -> Callable[[int], None]:
    """Bind the update of flat buffers; the returned function takes the step's number, from 1."""
    scratch = np.empty(min(CHUNK, len(parameters)), parameters.dtype)
    starts = range(0, len(parameters), CHUNK)
    flats = (parameters, gradient, first, second)
    chunks = [tuple(flat[start : start + CHUNK] for flat in flats) for start in starts]

    def update(step: int) -> None:
        for p, g, m, v in chunks:
            if name == "sgd":
                _sgd(p, g, scratch[: len(p)], hyper)
            else:
                _adam(p, g, m, v, scratch[: len(p)], hyper, step, decoupled=name == "adamw")

    return update


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
