"""Training steps as machine code: every thread takes its share of each step, with no interpreter in between.

A step has two halves. First every thread carries its own rows of the batch forward and backward through the whole
network; then every thread sums and applies the gradient of its own rows of every weight, while they are in its
caches. Between the halves all wait at a gate, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import (
    RELU,
    activate,
    loss_gradient,
    multiply_by_derivative,
    step_factors,
    update,
)
from grokscope_train.compiled.gate import wait_for_all
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.product import product
from grokscope_train.compiled.resting import keep_awake, read_awake
from grokscope_train.compiled.sparse import (
    add_live_outer_products,
    add_live_pixels,
    add_scaled_rows,
    carry_back_to_live,
    is_mostly_dead,
    list_deltas,
    list_live,
    multiply_live,
    sort_by_batch,
)

LINE = 8
"""Numbers in a cache line: each thread's loss has a line of its own."""

SPARSE_PRODUCT = 0.12
"""The share of lit units up to which a product over them alone is faster than BLAS over all."""

SPARSE_PIXELS = 0.08
"""The same for the first layer's gradient, whose sums jump from unit to unit."""


@compiled
def weight_of(plan: Any, flat: Array, layer: int) -> Array:
    """Return a layer's weight as it lies in a flat buffer, [in, out]."""
    inputs, outputs = plan.widths[layer], plan.widths[layer + 1]
    return flat[plan.weight_start[layer] : plan.weight_start[layer] + inputs * outputs].reshape(inputs, outputs)


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
    if work.num_awake[0] < plan.widths[1]:
        scratch = units_of(plan, work.slopes, 0, len(chosen))  # ReLU has no use for it
        read_awake(images, work, chosen, first, last, plan.threads, scratch, out)
        return
    for i in range(first, last):
        out[i].fill(0)
        start, end = images.share_start[chosen[i], 0], images.share_start[chosen[i], plan.threads]
        add_scaled_rows(weight, images.pixel, images.value, start, end, out[i])


@compiled
def is_sparse(plan: Any, work: Any, layer: int, first: int, last: int, limit: float) -> bool:
    """Tell whether rows first ≤ i < last of a batch light few of a hidden layer's units; only ReLUs rest at 0."""
    if plan.activation != RELU or layer == len(plan.widths) - 2:
        return False
    return is_mostly_dead(work.live_count[layer], first, last, plan.widths[layer + 1], limit)


@compiled
def propagate(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int) -> float:
    """Carry rows first ≤ i < last of a batch forward, and the loss's gradient back to every layer's outputs.

    Returns their part of the batch's loss.
    """
    loss = 0.0
    batch, output = len(chosen), len(plan.widths) - 2
    for layer in range(output + 1):
        units = units_of(plan, work.deltas if layer == output else work.values, layer, batch)
        read_units(plan, images, work, chosen, layer, first, last, units)
        bias = bias_of(plan, work.parameters, layer)
        if layer < output:
            slopes = units_of(plan, work.slopes, layer, batch)
            activate(plan.activation, units[first:last], bias, slopes[first:last])
            if plan.activation == RELU:
                list_live(units, first, last, plan.unit_start[layer] * plan.batch, work, layer)
        else:
            loss = loss_gradient(plan.loss, units[first:last], bias, images.targets, chosen[first:last], batch)
    for layer in range(output, 0, -1):
        carry_back(plan, work, layer, batch, first, last)
    return loss


@compiled
def read_units(
    plan: Any, images: Any, work: Any, chosen: Array, layer: int, first: int, last: int, units: Array
) -> None:
    """Put the products of a layer's inputs with its weight into rows first ≤ i < last of `units` [batch, out]."""
    if layer == 0:
        read_images(plan, images, work, chosen, first, last, units)
        return
    weight = weight_of(plan, work.parameters, layer)
    if is_sparse(plan, work, layer - 1, first, last, SPARSE_PRODUCT):
        start = plan.unit_start[layer - 1] * plan.batch
        multiply_live(work, layer - 1, start, len(weight), weight, first, last, units)
        return
    below = units_of(plan, work.values, layer - 1, len(chosen))
    product(plan.gemm, below[first:last], False, weight, False, units[first:last])


@compiled
def carry_back(plan: Any, work: Any, layer: int, batch: int, first: int, last: int) -> None:
    """Carry rows first ≤ i < last of a layer's deltas back to the layer below."""
    weight, start = weight_of(plan, work.parameters, layer), plan.unit_start[layer - 1] * plan.batch
    above, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.deltas, layer - 1, batch)
    if is_sparse(plan, work, layer - 1, first, last, SPARSE_PRODUCT):
        carry_back_to_live(work, layer - 1, start, weight, above, first, last, below)
    else:
        product(plan.gemm, above[first:last], False, weight, True, below[first:last])
        values = units_of(plan, work.values, layer - 1, batch)
        slopes = units_of(plan, work.slopes, layer - 1, batch)
        multiply_by_derivative(plan.activation, below[first:last], values[first:last], slopes[first:last])
    if layer == 1 and plan.activation == RELU:
        list_deltas(work, 0, start, below, first, last)


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
    sparse = is_sparse(plan, work, 0, 0, batch, SPARSE_PIXELS)
    weight, some_rest = weight_of(plan, work.parameters, 0), work.num_awake[0] < width
    if first == last:
        return
    row = gradient[first]  # of one pixel after another, so that it stays in the nearest cache
    for k in range(first, last):
        row.fill(0)
        start, end = work.batch_start[k, place], work.batch_start[k, place + 1]
        if sparse:
            add_live_pixels(work, width, start, end, row)
        else:
            add_scaled_rows(deltas, work.batch_row, work.batch_value, start, end, row)
        p, q = k * width, (k + 1) * width
        update(plan.optimizer, factors, row, work.parameters[p:q], work.first[p:q], work.second[p:q])
        if some_rest:
            keep_awake(work, k, weight[k])


@compiled
def add_rows(rows: Array, total: Array) -> None:
    """Put the sum of rows [n, width] into `total` [width]."""
    total.fill(0)
    for i in range(len(rows)):
        row = rows[i]
        for j in range(len(total)):
            total[j] += row[j]


@compiled
def learn(plan: Any, images: Any, work: Any, factors: Any, place: int, batch: int, thread: int) -> None:
    """Move this thread's share of all parameters by the gradient of batch number `place` of the epoch."""
    for layer in range(len(plan.widths) - 1):
        if plan.frozen[layer]:
            continue
        if layer == 0:
            first, last = plan.pixel_share[thread], plan.pixel_share[thread + 1]
            learn_first(plan, images, work, factors, place, batch, first, last)
        else:
            learn_above(plan, work, factors, layer, batch, thread)
        deltas, outputs = units_of(plan, work.deltas, layer, batch), plan.widths[layer + 1]
        first, last = outputs * thread // plan.threads, outputs * (thread + 1) // plan.threads
        add_rows(deltas[:, first:last], bias_of(plan, work.gradient, layer)[first:last])
        update_stretch(plan, work, factors, plan.bias_start[layer] + first, plan.bias_start[layer] + last)


@compiled
def learn_above(plan: Any, work: Any, factors: Any, layer: int, batch: int, thread: int) -> None:
    """Move this thread's rows of the weight [in, out] of a layer above the first."""
    deltas, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.values, layer - 1, batch)
    gradient = weight_of(plan, work.gradient, layer)
    inputs, outputs = gradient.shape
    first, last = inputs * thread // plan.threads, inputs * (thread + 1) // plan.threads
    if is_sparse(plan, work, layer - 1, 0, batch, SPARSE_PRODUCT):
        gradient[first:last].fill(0)
        start = plan.unit_start[layer - 1] * plan.batch
        add_live_outer_products(work, layer - 1, start, inputs, deltas, first, last, gradient)
    else:
        product(plan.gemm, below[:, first:last], True, deltas, False, gradient[first:last])
    start = plan.weight_start[layer]
    update_stretch(plan, work, factors, start + first * outputs, start + last * outputs)


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
        work.losses[thread * LINE] = propagate(plan, images, work, chosen, first, last)
        wait_for_all(work.gate, plan.threads)
        if thread == 0:
            loss = work.losses[::LINE].sum()
            # a loss that is not a number is larger than any other
            work.largest_loss[0] = work.largest_loss[0] if loss <= work.largest_loss[0] else loss
        learn(plan, images, work, step_factors(plan, number + 1 - plan.moments_since), place, batch, thread)
        wait_for_all(work.gate, plan.threads)
