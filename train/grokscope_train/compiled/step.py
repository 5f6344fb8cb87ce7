"""A training's state and data laid out for the compiled steps, and the threads that take them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grokscope_train.compiled import elementwise, kernels, resting
from grokscope_train.compiled.engine import CompiledEngine
from grokscope_train.compiled.gate import ABANDONED, GATE_LENGTH
from grokscope_train.compiled.images import SparseImages, is_sparse
from grokscope_train.compiled.jit import announce_compilation
from grokscope_train.compiled.product import gemm_address
from grokscope_train.network import step_operations
from grokscope_train.optimizer import Hyperparameters
from grokscope_train.order import epoch_order

CALL_OPERATIONS = 4e9  # a call computes for some hundredths of a second, and signals wait for it
ROW_OVERHEAD = 40  # what a pixel's row costs to update, in nonzeros
ACTIVATIONS = {
    "relu": elementwise.RELU,
    "tanh": elementwise.TANH,
    "gelu": elementwise.GELU,
    "sigmoid": elementwise.SIGMOID,
}
LOSSES = {"mse": elementwise.MSE, "cross-entropy": elementwise.CROSS_ENTROPY}
OPTIMIZERS = {"adamw": elementwise.ADAMW, "adam": elementwise.ADAM, "sgd": elementwise.SGD}
Array = NDArray[Any]


class Plan(NamedTuple):
    """What the steps need to know and never change."""

    gemm: int  # address of BLAS's product
    threads: int
    batch: int
    dense: bool
    activation: int
    loss: int
    optimizer: int
    lr: float
    beta1: float
    beta2: float
    eps: float
    tiny: float  # the least normal number of the dtype
    weight_decay: float
    moments_since: int  # the step at which the moments were zero
    frozen: Array  # [depth], bool: layers that rest
    widths: Array  # [depth + 1], from the pixels to the classes
    weight_start: Array  # [depth], where each layer's weight begins in the flat buffers
    bias_start: Array  # [depth]
    unit_start: Array  # [depth], where each layer's units begin in the buffers of units, times the batch size
    pixel_share: Array  # [threads + 1], the pixels whose weights a thread moves


class TrainingImages(NamedTuple):
    """The training images, as their nonzero pixels or, where those are many, as dense rows."""

    pixels: Array  # [n, pixels], or [0, 0] where the sparse form is used
    targets: Array  # [n, classes]
    pixel: Array  # [nonzeros], image by image, ascending
    value: Array  # [nonzeros]
    share_start: Array  # [n, threads + 1], where an image's nonzeros at each thread's pixels begin
    pixel_start: Array  # [pixels], number of nonzeros at the pixels before


class Work(NamedTuple):
    """What the steps write."""

    parameters: Array
    first: Array
    second: Array
    gradient: Array
    values: Array  # units of every layer, one after another [batch, width]
    slopes: Array
    deltas: Array
    live_unit: Array  # the units that each image of the batch lights, where its values lie (see `sparse`)
    live_value: Array
    live_delta: Array
    live_count: Array  # [depth, batch]
    awake: Array  # [width]: first come the units of the first layer that are not at rest for good (see `resting`)
    num_awake: Array  # [1]
    awake_weight: Array  # [pixels * width]: first comes their weight [pixels, num_awake]
    losses: Array  # [threads * LINE], each thread's part of the batch's loss
    largest_loss: Array  # [1], of a batch since it was last set to 0
    batch_pixels: Array  # [batch, pixels], or [0, 0]
    batch_start: Array  # [pixels, batches + 1], where each batch's nonzeros begin, pixel by pixel
    batch_row: Array  # [nonzeros]
    batch_value: Array  # [nonzeros]
    filled: Array  # [pixels]
    gate: Array


class CompiledLayout:
    """The order of parameters in the compiled steps' buffers.

    Weights are kept as [in, out], those of one pixel or unit together; each bias follows its weight.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        """Take the widths from the pixels to the classes."""
        self.sizes = sizes
        outputs = np.array(sizes[1:])
        ends = np.cumsum((np.array(sizes[:-1]) + 1) * outputs)
        self.length = int(ends[-1])
        self.bias_start = ends - outputs
        self.weight_start = np.append(0, ends[:-1])

    def matrices(self, flat: Array) -> list[Array]:
        """Return each layer's [out, in + 1] matrix, its bias the last column, copied from a flat buffer."""
        matrices = []
        for layer, (inputs, outputs) in enumerate(pairwise(self.sizes)):
            weight, bias = np.split(flat[self.weight_start[layer] :][: (inputs + 1) * outputs], [inputs * outputs])
            matrices.append(np.column_stack([weight.reshape(inputs, outputs).T, bias]))
        return matrices


class CompiledSteps:
    """The state of a training, and its steps; what `TrainingStep` and `Epochs` do, faster, on a CPU.

    `flat`, `first` and `second` are the parameters and the optimizer's two moments, in the order of `layout`.
    """

    def __init__(
        self,
        engine: CompiledEngine,
        sizes: tuple[int, ...],
        pixels: NDArray[np.float64],
        targets: NDArray[np.float64],
        *,
        seed: int,
        batch_size: int,
        activation: str,
        loss: str,
        optimizer: str,
        hyper: Hyperparameters,
        moments_since: int = 0,
        frozen: Sequence[bool] = (),
    ) -> None:
        """Take training images [n, sizes[0]] and one-hot targets [n, classes] of the run that has this seed."""
        self.engine, self.layout = engine, CompiledLayout(sizes)
        self.done, self._seed, self._sorted_epoch = 0, seed, -1
        self._next_search = 0  # for units at rest
        self._num_images, batch = len(pixels), min(batch_size, len(pixels))
        self.steps_per_epoch = -(-len(pixels) // batch)
        self._plan = Plan(
            gemm=gemm_address(engine.dtype.name),
            threads=engine.threads,
            batch=batch,
            dense=not is_sparse(pixels),
            activation=ACTIVATIONS[activation],
            loss=LOSSES[loss],
            optimizer=OPTIMIZERS[optimizer],
            lr=float(hyper.lr),
            beta1=float(hyper.beta1),
            beta2=float(hyper.beta2),
            eps=float(hyper.eps),
            tiny=float(np.finfo(engine.dtype).tiny),
            weight_decay=float(hyper.weight_decay),
            moments_since=moments_since,
            frozen=np.array(frozen or [False] * (len(sizes) - 1)),
            widths=np.array(sizes),
            weight_start=self.layout.weight_start,
            bias_start=self.layout.bias_start,
            unit_start=np.append(0, np.cumsum(sizes[1:-1], dtype=np.int64)),
            pixel_share=pixel_shares(pixels, engine.threads),
        )
        self._images = self._lay_out(pixels, targets)
        self._work = self._allocate()
        self.flat, self.first, self.second = self._work.parameters, self._work.first, self._work.second
        self.largest_loss = self._work.largest_loss
        self._can_rest = resting.can_rest(self._plan)
        self._compile()

    def _compile(self) -> None:
        """Compile before threads wait for one another, by a call that takes no step."""
        announce_compilation()
        kernels.take_steps(self._plan, self._images, self._work, np.zeros((1, 1), np.int64), 0, 0, False, 0)

    def _lay_out(self, pixels: NDArray[np.float64], targets: NDArray[np.float64]) -> TrainingImages:
        nonzeros = SparseImages.of(pixels, self.engine.dtype)
        places = np.repeat(np.arange(self._num_images), np.diff(nonzeros.start)) * pixels.shape[1] + nonzeros.pixel
        bounds = np.arange(self._num_images)[:, None] * pixels.shape[1] + self._plan.pixel_share
        return TrainingImages(
            pixels=np.ascontiguousarray(pixels, self.engine.dtype) if self._plan.dense else self._zeros(0, 0),
            targets=np.ascontiguousarray(targets, self.engine.dtype),
            pixel=nonzeros.pixel,
            value=nonzeros.value,
            share_start=np.searchsorted(places, bounds).astype(np.uint32),
            pixel_start=np.append(0, np.cumsum(np.count_nonzero(pixels, axis=0))[:-1]).astype(np.uint32),
        )

    def _allocate(self) -> Work:
        pixels, units = self.layout.sizes[0], sum(self.layout.sizes[1:]) * self._plan.batch
        nonzeros = len(self._images.pixel)
        return Work(
            parameters=self._zeros(self.layout.length),
            first=self._zeros(self.layout.length),
            second=self._zeros(self.layout.length),
            gradient=self._zeros(self.layout.length),
            values=self._zeros(units),
            slopes=self._zeros(units),
            deltas=self._zeros(units),
            live_unit=np.zeros(units, np.uint32),
            live_value=self._zeros(units),
            live_delta=self._zeros(units),
            live_count=np.zeros((len(self.layout.sizes) - 1, self._plan.batch), np.int64),
            awake=np.arange(self.layout.sizes[1], dtype=np.uint32),
            num_awake=np.full(1, self.layout.sizes[1]),
            awake_weight=self._zeros(pixels * self.layout.sizes[1]),
            losses=np.zeros(self._plan.threads * kernels.LINE),
            largest_loss=np.zeros(1),
            batch_pixels=self._zeros(self._plan.batch, pixels) if self._plan.dense else self._zeros(0, 0),
            batch_start=np.zeros((pixels, self.steps_per_epoch + 1), np.uint32),
            batch_row=np.zeros(nonzeros, np.uint32),
            batch_value=self._zeros(nonzeros),
            filled=np.zeros(pixels, np.uint32),
            gate=np.zeros(GATE_LENGTH, np.int64),
        )

    def _zeros(self, *shape: int) -> Array:
        return self.engine.array(np.zeros(shape))

    def advance(self, limit: int) -> None:
        """Take training steps for some hundredths of a second, not beyond step `limit`."""
        operations = step_operations(self.layout.sizes, self._plan.batch)
        count = min(limit - self.done, max(int(CALL_OPERATIONS / operations), 1))
        first, last = self.done // self.steps_per_epoch, (self.done + count - 1) // self.steps_per_epoch
        orders = np.stack([epoch_order(self._seed, e, self._num_images) for e in range(first, last + 1)])
        is_new = first != self._sorted_epoch
        if self._can_rest and self.done >= self._next_search:
            awake = resting.awake_units(self._plan, self._images, self._work, self.done)
            if len(awake) <= resting.WORTHWHILE * self.layout.sizes[1]:
                self._let_rest(awake)
            self._next_search = self.done + resting.STEPS_BETWEEN
        arguments = (self._plan, self._images, self._work, orders, self.done, count, is_new)
        try:
            self.engine.on_all_threads(lambda thread: kernels.take_steps(*arguments, thread))
        except BaseException:
            self._work.gate[ABANDONED] = 1  # nobody may wait for a thread that never comes
            raise
        self.done, self._sorted_epoch = self.done + count, last

    def _let_rest(self, awake: Array) -> None:
        """Leave the products of all other units of the first layer out of the steps."""
        pixels, width = self.layout.sizes[:2]
        weight = self._work.parameters[: pixels * width].reshape(pixels, width)
        self._work.num_awake[0] = len(awake)
        self._work.awake[: len(awake)] = awake
        self._work.awake_weight[: pixels * len(awake)] = weight[:, awake].ravel()

    def seek(self, step: int) -> None:
        """Go on as if `step` steps had been taken, from whatever `flat`, `first` and `second` hold now."""
        self.done, self._next_search = step, step
        self._let_rest(np.arange(self.layout.sizes[1], dtype=np.uint32))


def pixel_shares(pixels: NDArray[np.float64], threads: int) -> Array:
    """Split the pixels into one stretch a thread, of equal cost; int64 [threads + 1]."""
    cost = np.cumsum(np.count_nonzero(pixels, axis=0) + ROW_OVERHEAD)
    shares: Array = np.searchsorted(cost, cost[-1] * np.arange(threads + 1) / threads)
    shares[-1] = pixels.shape[1]
    return shares.astype(np.int64)
