"""One training step, backward written by hand, on buffers that are allocated once.

With a column of ones beside every layer's input, h₀ = [x 1] and layer l computes z = h W ᵀ; backwards, δ being the
loss's gradient with respect to z, ∂W = δᵀ h and the layer below receives (δ W without the bias column) · f′(z).

Several seeds are trained at once as a stack: every array has one more axis, the seeds, in front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grokscope_train.activations import ACTIVATIONS
from grokscope_train.config import TrainConfig
from grokscope_train.losses import loss_gradient
from grokscope_train.network import FlatLayout

if TYPE_CHECKING:
    from grokscope_train.engines.torch_engine import Action, TorchEngine

Array = Any


class Hidden(NamedTuple):
    """A hidden layer's buffers [batch, width], or [seeds, batch, width], and the products that fill them."""

    forward: Action  # h ← (input below) Wᵀ
    values: Array
    slope: Array
    delta: Array
    backward: Action  # delta ← (delta above) W_above
    gradient: Action  # ∂W ← deltaᵀ (input below)


class BatchPass:
    """Gradient of the mean loss over one batch, for batches of one size."""

    def __init__(
        self,
        engine: TorchEngine,
        weights: list[Array],
        gradients: list[Array],
        batch: int,
        activation: str,
        loss: str,
        largest_loss: Array,
    ) -> None:
        """Allocate the buffers and bind every product.

        `weights` and `gradients` are [out, in + 1] views, `batch` the images of each seed. `largest_loss` is
        raised to the batch's loss where that is larger.
        """
        self._largest_loss = largest_loss
        self._engine, self._loss = engine, loss
        self._forward, self._backward = ACTIVATIONS[activation]
        stack = weights[0].shape[:-2]
        inputs = [engine.array(np.ones((*stack, batch, weight.shape[-1]))) for weight in weights]
        deltas = [engine.array(np.zeros((*stack, batch, weight.shape[-2]))) for weight in weights]
        self.images, self.outputs = inputs[0], deltas[-1]
        self.targets = engine.array(np.zeros(self.outputs.shape))
        self._taken = _rows(self.images), _rows(self.targets)
        self._hidden = [
            Hidden(
                forward=engine.product(inputs[i], _transposed(weights[i]), inputs[i + 1][..., :-1]),
                values=inputs[i + 1][..., :-1],
                slope=engine.array(np.zeros(deltas[i].shape)),
                delta=deltas[i],
                backward=engine.product(deltas[i + 1], weights[i + 1][..., :-1], deltas[i]),
                gradient=engine.product(_transposed(deltas[i]), inputs[i], gradients[i]),
            )
            for i in range(len(weights) - 1)
        ]
        self._output = engine.product(inputs[-1], _transposed(weights[-1]), deltas[-1])
        self._output_gradient = engine.product(_transposed(deltas[-1]), inputs[-1], gradients[-1])

    def __call__(self, images: Array, targets: Array, rows: Array) -> None:
        """Compute the gradients of the batch made of the given rows of images [n, in + 1] and targets.

        For a stack the rows are each seed's own, one seed after another.
        """
        xp = self._engine.xp
        self._engine.take(images, rows, self._taken[0])
        self._engine.take(targets, rows, self._taken[1])
        for layer in self._hidden:
            layer.forward()
            self._forward(xp, layer.values, layer.slope)
        self._output()
        loss = loss_gradient(xp, self._loss, self.outputs, self.targets)
        xp.maximum(self._largest_loss, loss.reshape(self._largest_loss.shape), out=self._largest_loss)
        self._output_gradient()
        for layer in reversed(self._hidden):
            layer.backward()
            self._backward(xp, layer.delta, layer.values, layer.slope)
            layer.gradient()


def _transposed(matrix: Array) -> Array:
    return matrix.swapaxes(-1, -2)


def _rows(array: Array) -> Array:
    """View a stack [seeds, n, width] as rows [seeds · n, width]."""
    return array.reshape(-1, array.shape[-1])


class TrainingStep:
    """The state of training, and the step that moves it on.

    `flat`, `first` and `second` are the parameters and the optimizer's two moments, flat [layout.length], or
    [seeds, layout.length] for a stack.
    """

    def __init__(
        self,
        engine: TorchEngine,
        layout: FlatLayout,
        pixels: NDArray[np.float64],
        targets: NDArray[np.float64],
        config: TrainConfig,
    ) -> None:
        """Put training images [n, layout.sizes[0]] and one-hot targets [n, classes] where the engine computes.

        For a stack both have the seeds in front, and no layer can be frozen.
        """
        self.engine, self.layout, self._moments_since = engine, layout, config.moments_since
        *stack, self.num_images, _ = pixels.shape
        self.num_seeds = math.prod(stack)
        self.flat, self.first, self.second, self.gradient = (
            engine.array(np.zeros((*stack, layout.length))) for _ in range(4)
        )
        self.largest_loss = engine.array(np.zeros(stack or [1]))
        self._images = _rows(engine.array(np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], -1)))
        self._targets = _rows(engine.array(targets))
        self._batch_size = min(config.batch_size, self.num_images)
        self.rows = engine.array(self.epoch_rows(np.tile(np.arange(self.num_images), (self.num_seeds, 1))))
        self._batches = self._bind_batches(config.activation, config.loss)
        p, gradient, m, v = (array.reshape(-1) for array in (self.flat, self.gradient, self.first, self.second))
        self._updates = [
            engine.update(config, p[part], gradient[part], m[part], v[part])
            for part in (moving_stretches(layout, config.frozen) if any(config.frozen) else [slice(None)])
        ]

    def _bind_batches(self, activation: str, loss: str) -> list[tuple[BatchPass, Array]]:
        """Pair each batch of an epoch with the pass for its size; the last may be smaller."""
        weights, gradients = self.layout.matrices(self.flat), self.layout.matrices(self.gradient)
        passes: dict[int, BatchPass] = {}
        batches = []
        for start in range(0, self.num_images, self._batch_size):
            size = min(self._batch_size, self.num_images - start)
            if size not in passes:
                largest = self.largest_loss
                passes[size] = BatchPass(self.engine, weights, gradients, size, activation, loss, largest)
            rows = self.rows[self.num_seeds * start : self.num_seeds * (start + size)]
            batches.append((passes[size], rows))
        return batches

    def epoch_rows(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of an epoch's images in the order of their use: batch by batch, seed by seed.

        `orders` [..., num_seeds, num_images] are the seeds' own; the result is [..., num_seeds · num_images].
        """
        rows = orders + self.num_images * np.arange(self.num_seeds)[:, None]
        batches = [
            rows[..., start : start + self._batch_size].reshape(*orders.shape[:-2], -1)
            for start in range(0, self.num_images, self._batch_size)
        ]
        return np.concatenate(batches, axis=-1)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return len(self._batches)

    def shuffle(self, order: NDArray[np.int64]) -> None:
        """Set the order of the training images for the epoch to come, [num_images] or [num_seeds, num_images]."""
        orders = order.reshape(self.num_seeds, self.num_images)
        self.rows[...] = self.engine.array(self.epoch_rows(orders))

    def step(self, number: int) -> None:
        """Take training step `number`, counted from 1, on the batch of the current order that is due."""
        batch, rows = self._batches[(number - 1) % len(self._batches)]
        batch(self._images, self._targets, rows)
        self._update(number - self._moments_since)

    def _update(self, number: int | None) -> None:
        for update in self._updates:
            update(number)

    def epoch(self) -> None:
        """Take every step of an epoch in the current order, counting steps where the engine computes."""
        for batch, rows in self._batches:
            batch(self._images, self._targets, rows)
            self._update(None)

    def set_count(self, steps: int) -> None:
        """Set the number of steps taken, from which `epoch` counts on."""
        for update in self._updates:
            update.set_count(steps - self._moments_since)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the parameters and moments, of the whole stack."""
        return {name: self.engine.to_numpy(getattr(self, name)).copy() for name in STATE}

    def load_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Set the parameters and moments."""
        for name in STATE:
            getattr(self, name)[...] = self.engine.array(state[name])


def moving_stretches(layout: FlatLayout, frozen: Sequence[bool]) -> list[slice]:
    """Return where the layers that are not frozen lie in the flat buffer."""
    ends = np.cumsum([rows * columns for rows, columns in layout.shapes])
    starts = np.append(0, ends[:-1])
    return [slice(*ends) for *ends, rests in zip(starts, ends, frozen, strict=True) if not rests]


STATE = ("flat", "first", "second")
