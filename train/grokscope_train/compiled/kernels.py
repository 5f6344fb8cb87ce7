"""Training steps as machine code: every thread takes its share of each step, with no interpreter in between.

A step has two halves. First every thread carries its own rows of the batch forward and backward through the whole
network; then every thread sums and applies the gradient of its own rows of every weight, while they are in its
caches. Between the halves all wait at a gate, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import (
    activate,
    loss_gradient,
    multiply_by_derivative,
    step_factors,
    update,
)
from grokscope_train.compiled.gate import wait_for_all
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.product import product
from grokscope_train.compiled.sparse import add_scaled_rows, sort_by_batch


@compiled
def weight_of(plan: Any, flat: Array, layer: int) -> Array:
    """Return a layer's weight as it lies in a flat buffer: the first [in, out], every other [out, in]."""
    inputs, outputs = plan.widths[layer], plan.widths[layer + 1]
    matrix = flat[plan.weight_start[layer] : plan.weight_start[layer] + inputs * outputs]
    return matrix.reshape(inputs, outputs) if layer == 0 else matrix.reshape(outputs, inputs)


@compiled
def units_of(plan: Any, buffer: Array, layer: int, batch: int) -> Array:
    """Return the [batch, width] part of a buffer that belongs to a layer's outputs."""
    width = plan.widths[layer + 1]
    start = plan.unit_start[layer] * plan.batch
    return buffer[start : start + batch * width].reshape(batch, width)


@compiled
def bias_of(plan: Any, flat: Array, layer: int) -> Array:
    """Return a layer's bias [out] in a flat buffer."""
    return flat[plan.bias_start[layer] : plan.bias_start[layer] + plan.widths[layer + 1]]


@compiled
def read_images(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int, out: Array) -> None:
    """Multiply rows first ≤ i < last of the batch of `chosen` images by the first weight into out[first:last]."""
    weight = weight_of(plan, work.parameters, 0)
    if plan.dense:
        for i in range(first, last):
            for k in range(plan.widths[0]):
                work.batch_pixels[i, k] = images.pixels[chosen[i], k]
        product(plan.gemm, work.batch_pixels[first:last], False, weight, False, out[first:last])
        return
    for i in range(first, last):
        out[i].fill(0)
        start, end = images.share_start[chosen[i], 0], images.share_start[chosen[i], plan.threads]
        add_scaled_rows(weight, images.pixel, images.value, start, end, out[i])


@compiled
def propagate(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int) -> None:
    """Carry rows first ≤ i < last of a batch forward, and the loss's gradient back to every layer's outputs."""
    batch, output = len(chosen), len(plan.widths) - 2
    for layer in range(output + 1):
        buffer = work.deltas if layer == output else work.values
        units = units_of(plan, buffer, layer, batch)
        if layer == 0:
            read_images(plan, images, work, chosen, first, last, units)
        else:
            below = units_of(plan, work.values, layer - 1, batch)
            product(
                plan.gemm,
                below[first:last],
                False,
                weight_of(plan, work.parameters, layer),
                True,
                units[first:last],
            )
        bias = bias_of(plan, work.parameters, layer)
        if layer < output:
            slopes = units_of(plan, work.slopes, layer, batch)
            activate(plan.activation, units[first:last], bias, slopes[first:last])
        else:
            loss_gradient(plan.loss, units[first:last], bias, images.targets, chosen[first:last], batch)
    for layer in range(output, 0, -1):
        above, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.deltas, layer - 1, batch)
        product(
            plan.gemm, above[first:last], False, weight_of(plan, work.parameters, layer), False, below[first:last]
        )
        values, slopes = (
            units_of(plan, work.values, layer - 1, batch),
            units_of(plan, work.slopes, layer - 1, batch),
        )
        multiply_by_derivative(plan.activation, below[first:last], values[first:last], slopes[first:last])


@compiled
def update_stretch(plan: Any, work: Any, factors: Any, first: int, last: int) -> None:
    """Move parameters first ≤ p < last of the flat buffer by their gradient in it."""
    update(
        plan.optimizer, factors, work.gradient[first:last],
        work.parameters[first:last], work.first[first:last], work.second[first:last],
    )  # fmt: skip


@compiled
def learn_first(
    plan: Any, images: Any, work: Any, factors: Any, place: int, batch: int, first: int, last: int
) -> None:
    """Move the weights of pixels first ≤ k < last, in batch number `place` of the epoch."""
    deltas = units_of(plan, work.deltas, 0, batch)
    gradient, width = weight_of(plan, work.gradient, 0), deltas.shape[1]
    if plan.dense:
        product(plan.gemm, work.batch_pixels[:batch, first:last], True, deltas, False, gradient[first:last])
        update_stretch(plan, work, factors, first * width, last * width)
        return
    for k in range(first, last):
        gradient[k].fill(0)
        start, end = work.batch_start[k, place], work.batch_start[k, place + 1]
        add_scaled_rows(deltas, work.batch_row, work.batch_value, start, end, gradient[k])
        update_stretch(plan, work, factors, k * width, (k + 1) * width)


@compiled
def learn(plan: Any, images: Any, work: Any, factors: Any, place: int, batch: int, thread: int) -> None:
    """Move this thread's share of all parameters by the gradient of batch number `place` of the epoch."""
    learn_first(plan, images, work, factors, place, batch, plan.pixel_share[thread], plan.pixel_share[thread + 1])
    for layer in range(len(plan.widths) - 1):
        deltas, outputs = units_of(plan, work.deltas, layer, batch), plan.widths[layer + 1]
        first, last = outputs * thread // plan.threads, outputs * (thread + 1) // plan.threads
        if layer > 0:
            gradient, inputs = weight_of(plan, work.gradient, layer), plan.widths[layer]
            below = units_of(plan, work.values, layer - 1, batch)
            product(plan.gemm, deltas[:, first:last], True, below, False, gradient[first:last])
            start = plan.weight_start[layer]
            update_stretch(plan, work, factors, start + first * inputs, start + last * inputs)
        bias = bias_of(plan, work.gradient, layer)[first:last]
        bias.fill(0)
        for i in range(batch):
            for j in range(first, last):
                bias[j - first] += deltas[i, j]
        update_stretch(plan, work, factors, plan.bias_start[layer] + first, plan.bias_start[layer] + last)


@compiled
def take_steps(
    plan: Any, images: Any, work: Any, orders: Array, step: int, count: int, sort: bool, thread: int
) -> None:
    """Take `count` training steps after step number `step`, as one of `plan.threads` threads that all call this.

    `orders` [epochs, n] begins with the epoch of the first step; `sort` tells whether its batches are new to
    `images`. Returns when every thread is done.
    """
    num_images = orders.shape[1]
    batches = (num_images + plan.batch - 1) // plan.batch
    first_epoch = step // batches
    for number in range(step, step + count):
        order, place = orders[number // batches - first_epoch], number % batches
        if not plan.dense and (place == 0 or (sort and number == step)):
            sort_by_batch(plan, images, work, order, thread)
        chosen = order[place * plan.batch : min((place + 1) * plan.batch, num_images)]
        batch = len(chosen)
        first, last = batch * thread // plan.threads, batch * (thread + 1) // plan.threads
        propagate(plan, images, work, chosen, first, last)
        wait_for_all(work.gate, plan.threads)
        learn(plan, images, work, step_factors(plan, number + 1), place, batch, thread)
        wait_for_all(work.gate, plan.threads)
