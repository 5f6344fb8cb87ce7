"""A training's state and data laid out for the compiled steps, and the threads that take them."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grokscope_train.compiled import elementwise, kernels, resting
from grokscope_train.compiled.engine import CompiledEngine
from grokscope_train.compiled.gate import ABANDONED, GATE_LENGTH
from grokscope_train.compiled.images import SparseImages, is_sparse
from grokscope_train.compiled.jit import compiled_once
from grokscope_train.compiled.product import gemm_address
from grokscope_train.compiled.reading import reading_copy
from grokscope_train.config import TrainConfig
from grokscope_train.network import VECTOR
from grokscope_train.order import epoch_order

CALL_SECONDS = 0.03  # that a call computes for, about; signals wait for it
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


class TrainingImages(NamedTuple):
    """The training images, as dense rows and as their nonzero pixels."""

    pixels: Array  # [n, pixels]
    targets: Array  # [n, classes]
    start: Array  # [n + 1], where each image's nonzeros begin
    pixel: Array  # [nonzeros], image by image, ascending
    value: Array  # [nonzeros]


class Work(NamedTuple):
    """What the steps write."""

    parameters: Array
    first: Array
    second: Array
    gradient: Array
    values: Array  # units of every layer, one after another [batch, width]
    slopes: Array
    deltas: Array
    part_place: Array  # [batch, width]: awake units that each image lights, thread by thread (see `reading`)
    part_value: Array  # [batch, width]
    part_count: Array  # [threads, batch]
    live_unit: Array  # the units that each image of the batch lights, where its values lie (see `sparse`)
    live_value: Array
    live_delta: Array
    live_count: Array  # [depth, batch]
    lit_image: Array  # [threads, width, batch]: which images light each of a thread's units of a layer
    lit_row: Array  # [threads, width, batch]: their rows in the batch
    lit_value: Array  # [threads, width, batch]
    lit_delta: Array  # [threads, width, batch]
    num_lit: Array  # [threads, width]
    awake: Array  # [width]: the first layer's units, those that are at rest for good last (see `resting`)
    num_awake: Array  # [1]
    first_place: Array  # [threads + 1]: which of the awake units are each thread's
    first_unit: Array  # [threads + 1]: which of all units
    reading: Array  # the awake units' weights by pixel, thread by thread
    scratch: Array  # [threads, 2, width and padding]: an image's products, and biases
    losses: Array  # [threads * LINE], each thread's part of the batch's loss
    largest_loss: Array  # [1], of a batch since it was last set to 0
    batch_pixels: Array  # [batch, pixels]
    gate: Array


class CompiledLayout:
    """The order of parameters in the compiled steps' buffers.

    The first weight is kept as [out, in], the others as [in, out]: what rests together lies together. Each bias
    follows its weight.
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
            weight = weight.reshape(inputs, outputs).T if layer else weight.reshape(outputs, inputs)
            matrices.append(np.column_stack([weight, bias]))
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
        config: TrainConfig,
    ) -> None:
        """Take training images [n, sizes[0]] and one-hot targets [n, classes] of the run of this configuration."""
        self.engine, self.layout = engine, CompiledLayout(sizes)
        self.done, self._seed = 0, config.seed
        self._next_search = 0  # for units at rest
        self._steps_a_call = 1
        self._num_images, batch = len(pixels), min(config.batch_size, len(pixels))
        self.steps_per_epoch = -(-len(pixels) // batch)
        self._plan = Plan(
            gemm=gemm_address(engine.dtype.name),
            threads=engine.threads,
            batch=batch,
            dense=not is_sparse(pixels),
            activation=ACTIVATIONS[config.activation],
            loss=LOSSES[config.loss],
            optimizer=OPTIMIZERS[config.optimizer],
            lr=float(config.lr),
            beta1=float(config.beta1),
            beta2=float(config.beta2),
            eps=float(config.eps),
            tiny=float(np.finfo(engine.dtype).tiny),
            weight_decay=float(config.weight_decay),
            moments_since=config.moments_since,
            frozen=np.array(config.frozen),
            widths=np.array(sizes),
            weight_start=self.layout.weight_start,
            bias_start=self.layout.bias_start,
            unit_start=np.append(0, np.cumsum(sizes[1:-1], dtype=np.int64)),
        )
        self._nonzeros = SparseImages.of(pixels, engine.dtype)
        self._images = TrainingImages(
            pixels=engine.array(pixels),
            targets=engine.array(targets),
            start=self._nonzeros.start,
            pixel=self._nonzeros.pixel,
            value=self._nonzeros.value,
        )
        self._work = self._allocate()
        self.flat, self.first, self.second = self._work.parameters, self._work.first, self._work.second
        self.largest_loss = self._work.largest_loss
        self._can_rest = resting.can_rest(self._plan)
        self._compile()

    def _compile(self) -> None:
        """Compile before threads wait for one another, by a call that takes no step."""
        with compiled_once(self.engine.dtype.name):
            kernels.take_steps(self._plan, self._images, self._work, np.zeros((1, 1), np.int64), 0, 0, 0)

    def _allocate(self) -> Work:
        (pixels, width), batch, threads = self.layout.sizes[:2], self._plan.batch, self._plan.threads
        units, padded = sum(self.layout.sizes[1:]) * batch, width + VECTOR
        return Work(
            parameters=self._zeros(self.layout.length),
            first=self._zeros(self.layout.length),
            second=self._zeros(self.layout.length),
            gradient=self._zeros(self.layout.length),
            values=self._zeros(units),
            slopes=self._zeros(units),
            deltas=self._zeros(units),
            part_place=np.zeros((batch, width), np.uint32),
            part_value=self._zeros(batch, width),
            part_count=np.zeros((threads, batch), np.int64),
            live_unit=np.zeros(units, np.uint32),
            live_value=self._zeros(units),
            live_delta=self._zeros(units),
            live_count=np.zeros((len(self.layout.sizes) - 1, batch), np.int64),
            lit_image=np.zeros((threads, width, batch), np.uint32),
            lit_row=np.zeros((threads, width, batch), np.uint32),
            lit_value=self._zeros(threads, width, batch),
            lit_delta=self._zeros(threads, width, batch),
            num_lit=np.zeros((threads, width), np.int64),
            awake=np.arange(width, dtype=np.uint32),
            num_awake=np.full(1, width),
            first_place=np.zeros(threads + 1, np.int64),
            first_unit=np.zeros(threads + 1, np.int64),
            reading=self._zeros(pixels * (width + threads * VECTOR)),
            scratch=self._zeros(threads, 2, padded),
            losses=np.zeros(threads * kernels.LINE),
            largest_loss=np.zeros(1),
            batch_pixels=self._zeros(batch, pixels),
            gate=np.zeros(GATE_LENGTH, np.int64),
        )

    def _zeros(self, *shape: int) -> Array:
        return self.engine.array(np.zeros(shape))

    def advance(self, limit: int) -> None:
        """Take training steps for some hundredths of a second, not beyond step `limit`."""
        count, started = min(limit - self.done, self._steps_a_call), time.perf_counter()
        first, last = self.done // self.steps_per_epoch, (self.done + count - 1) // self.steps_per_epoch
        orders = np.stack([epoch_order(self._seed, e, self._num_images) for e in range(first, last + 1)])
        if self.done >= self._next_search:
            self._lay_out_first()
            self._next_search = self.done + resting.STEPS_BETWEEN
        arguments = (self._plan, self._images, self._work, orders, self.done, count)
        try:
            self.engine.on_all_threads(lambda thread: kernels.take_steps(*arguments, thread))
        except BaseException:
            self._work.gate[ABANDONED] = 1  # nobody may wait for a thread that never comes
            raise
        self.done += count
        fitting = count * CALL_SECONDS / max(time.perf_counter() - started, 1e-6)
        self._steps_a_call = max(min(int(fitting), 2 * self._steps_a_call), 1)

    def _lay_out_first(self) -> None:
        """Lay the first layer out for reading, without the units that are at rest by now."""
        pixels, width = self.layout.sizes[:2]
        awake: Array = np.arange(width)
        if self._can_rest:
            awake = resting.awake_units(self._plan, self._nonzeros, self._work, self.done)
        work, threads = self._work, self._plan.threads
        work.num_awake[0] = len(awake)
        work.awake[:] = np.append(awake, np.setdiff1d(np.arange(width), awake))
        work.first_place[:] = len(awake) * np.arange(threads + 1) // threads
        work.first_unit[:] = np.append(awake, width)[work.first_place]
        work.first_unit[0] = 0
        weight = work.parameters[: pixels * width].reshape(width, pixels)
        for thread in range(threads):
            reading, units = reading_copy(self._plan, work, thread), awake[slice(*work.first_place[thread:][:2])]
            reading[:, : len(units)], reading[:, len(units) :] = weight[units].T, 0

    def seek(self, step: int) -> None:
        """Go on as if `step` steps had been taken, from whatever `flat`, `first` and `second` hold now."""
        self.done, self._next_search = step, step
