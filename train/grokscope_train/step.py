"""One training step, backward written by hand, on buffers that are allocated once.

With a column of ones beside every layer's input, h₀ = [x 1] and layer l computes z = h W ᵀ; backwards, δ being the
loss's gradient with respect to z, ∂W = δᵀ h and the layer below receives (δ W without the bias column) · f′(z).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grokscope_train.activations import ACTIVATIONS
from grokscope_train.engines import Engine
from grokscope_train.engines.base import Action
from grokscope_train.losses import loss_gradient
from grokscope_train.network import FlatLayout
from grokscope_train.optimizer import Hyperparameters

Array = Any


class Hidden(NamedTuple):
    """A hidden layer's buffers [batch, width] and the products that fill them."""

    forward: Action  # h ← (input below) Wᵀ
    values: Array
    slope: Array
    delta: Array
    backward: Action  # delta ← (delta above) W_above
    gradient: Action  # ∂W ← deltaᵀ (input below)


class BatchPass:
    """Gradient of the mean loss over one batch, for batches of one size."""

    def __init__(
        self, engine: Engine, weights: list[Array], gradients: list[Array], batch: int, activation: str, loss: str
    ) -> None:
        """Allocate the buffers and bind every product; `weights` and `gradients` are [out, in + 1] views."""
        self._engine, self._loss = engine, loss
        self._forward, self._backward = ACTIVATIONS[activation]
        inputs = [engine.array(np.ones((batch, weight.shape[1]))) for weight in weights]
        deltas = [engine.array(np.zeros((batch, weight.shape[0]))) for weight in weights]
        self.images, self.outputs = inputs[0], deltas[-1]
        self.targets = engine.array(np.zeros((batch, weights[-1].shape[0])))
        self._hidden = [
            Hidden(
                forward=engine.product(inputs[i], weights[i].T, inputs[i + 1][:, :-1]),
                values=inputs[i + 1][:, :-1],
                slope=engine.array(np.zeros((batch, weights[i].shape[0]))),
                delta=deltas[i],
                backward=engine.product(deltas[i + 1], weights[i + 1][:, :-1], deltas[i]),
                gradient=engine.product(deltas[i].T, inputs[i], gradients[i]),
            )
            for i in range(len(weights) - 1)
        ]
        self._output = engine.product(inputs[-1], weights[-1].T, deltas[-1])
        self._output_gradient = engine.product(deltas[-1].T, inputs[-1], gradients[-1])

    def __call__(self, images: Array, targets: Array, rows: Array) -> None:
        """Compute the gradients of the batch made of the given rows of images [n, in + 1] and targets."""
        xp = self._engine.xp
        self._engine.take(images, rows, self.images)
        self._engine.take(targets, rows, self.targets)
        for layer in self._hidden:
            layer.forward()
            self._forward(xp, layer.values, layer.slope)
        self._output()
        loss_gradient(xp, self._loss, self.outputs, self.targets)
        self._output_gradient()
        for layer in reversed(self._hidden):
            layer.backward()
            self._backward(xp, layer.delta, layer.values, layer.slope)
            layer.gradient()


class TrainingStep:
    """The state of training, and the step that moves it on.

    `flat`, `first` and `second` are the parameters and the optimizer's two moments, flat [layout.length].
    """

    def __init__(
        self,
        engine: Engine,
        layout: FlatLayout,
        pixels: NDArray[np.float64],
        targets: NDArray[np.float64],
        batch_size: int,
        activation: str,
        loss: str,
        optimizer: str,
        hyper: Hyperparameters,
    ) -> None:
        """Put training images [n, layout.sizes[0]] and one-hot targets [n, classes] where the engine computes."""
        self.engine, self.layout = engine, layout
        self.flat, self.first, self.second, self.gradient = (
            engine.array(np.zeros(layout.length)) for _ in range(4)
        )
        self._images = engine.array(np.column_stack([pixels, np.ones(len(pixels))]))
        self._targets = engine.array(targets)
        self.order = engine.array(np.arange(len(pixels)))
        self._batches = self._bind_batches(min(batch_size, len(pixels)), activation, loss)
        self._update = engine.optimizer(optimizer, self.flat, self.gradient, self.first, self.second, hyper)

    def _bind_batches(self, size: int, activation: str, loss: str) -> list[tuple[BatchPass, Array]]:
        """Pair each batch of an epoch with the pass for its size; the last may be smaller."""
        weights, gradients = self.layout.matrices(self.flat), self.layout.matrices(self.gradient)
        passes: dict[int, BatchPass] = {}
        batches = []
        for start in range(0, len(self.order), size):
            rows = self.order[start : start + size]
            if len(rows) not in passes:
                passes[len(rows)] = BatchPass(self.engine, weights, gradients, len(rows), activation, loss)
            batches.append((passes[len(rows)], rows))
        return batches

    @property
    def num_images(self) -> int:
        """Number of training images."""
        return len(self.order)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return len(self._batches)

    def shuffle(self, order: NDArray[np.int64]) -> None:
        """Set the order of the training images for the epoch to come."""
        self.order[...] = self.engine.array(order)

    def step(self, number: int) -> None:
        """Take training step `number`, counted from 1, on the batch of the current order that is due."""
        batch, rows = self._batches[(number - 1) % len(self._batches)]
        batch(self._images, self._targets, rows)
        self._update(number)

    def epoch(self) -> None:
        """Take every step of an epoch in the current order, counting steps where the engine computes."""
        for batch, rows in self._batches:
            batch(self._images, self._targets, rows)
            self._update(None)

    def set_count(self, steps: int) -> None:
        """Set the number of steps taken, from which `epoch` counts on."""
        self._update.set_count(steps)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the parameters and moments."""
        return {name: self.engine.to_numpy(getattr(self, name)).copy() for name in STATE}

    def load_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Set the parameters and moments."""
        for name in STATE:
            getattr(self, name)[...] = self.engine.array(state[name])


STATE = ("flat", "first", "second")
