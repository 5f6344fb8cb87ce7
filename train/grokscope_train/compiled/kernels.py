"""Training steps as machine code: every thread takes its share of each step, with no interpreter in between.

A step has two halves. First every thread carries its own rows of the batch forward and backward through the whole
network; then every thread sums and applies the gradient of its own rows of every weight, while they are in its
caches. Between the halves all wait at a gate, and nowhere else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grokscope_train.compiled.elementwise import (
    RELU,
    activate,
    fade,
    loss_gradient,
    multiply_by_derivative,
    step_factors,
    update,
)
from grokscope_train.compiled.gate import wait_for_all
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.product import product
from grokscope_train.compiled.sparse import (
    add_live_outer_products,
    add_scaled_rows,
    carry_back_to_live,
    is_mostly_dead,
    list_deltas,
    list_lit_images,
    list_live,
    multiply_live,
)

LINE = 8
"""Numbers in a cache line: each thread's loss has a line of its own."""

SPARSE_ROWS = 0.35
"""The share of lit units up to which sums over their rows alone are faster than a product by BLAS."""

SPARSE_PRODUCT = 0.12
"""The same for products that jump from unit to unit."""

VECTOR = 8
"""Numbers that a processor takes at once: loops over multiples of it are fastest."""


@compiled
def weight_of(plan: Any, flat: Array, layer: int) -> Array:
    """Return a layer's weight as it lies in a flat buffer: [in, out], but of the first layer [out, in]."""
    inputs, outputs = plan.widths[layer], plan.widths[layer + 1]
    if layer == 0:
        inputs, outputs = outputs, inputs
    return flat[plan.weight_start[layer] : plan.weight_start[layer] + inputs * outputs].reshape(inputs, outputs)


@compiled
def share_of(count: int, thread: int, threads: int, multiple: int) -> Any:
    """Return which part first ≤ i < last of `count` things is a thread's; parts begin at multiples of a number."""
    first, last = count * thread // threads // multiple * multiple, count
    if thread + 1 < threads:
        last = count * (thread + 1) // threads // multiple * multiple
    return first, last


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
def awake_weight(plan: Any, work: Any) -> Array:
    """Return where the awake units' weights are kept a second time, to be read: [pixels, awake units and padding].

    Those of one pixel lie together, since an image is the sum of its pixels' rows.
    """
    stride = (work.num_awake[0] + VECTOR - 1) // VECTOR * VECTOR
    return work.awake_weight[: plan.widths[0] * stride].reshape(plan.widths[0], stride)


@compiled
def read_images(
    plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int, out: Array, thread: int
) -> None:
    """Multiply rows first ≤ i < last of the batch of `chosen` images by the first weight into out[first:last].

    Units at rest, which no image lights, get −∞.
    """
    if plan.dense:
        copy_images(images, work, chosen, first, last, 0, plan.widths[0])
        weight = weight_of(plan, work.parameters, 0)
        product(plan.gemm, work.batch_pixels[first:last], False, weight, True, out[first:last])
        return
    weight = awake_weight(plan, work)
    row = work.scratch[thread, : weight.shape[1]]
    for i in range(first, last):
        start, end = images.start[chosen[i]], images.start[chosen[i] + 1]
        row.fill(0)
        add_scaled_rows(weight, 0, images.pixel, images.value, start, end, row)
        out[i].fill(-np.inf)
        for j in range(work.num_awake[0]):
            out[i, work.awake[j]] = row[j]


@compiled
def copy_images(images: Any, work: Any, chosen: Array, first: int, last: int, begin: int, end: int) -> None:
    """Put pixels begin ≤ k < end of rows first ≤ i < last of the batch of `chosen` images together."""
    for i in range(first, last):
        work.batch_pixels[i, begin:end] = images.pixels[chosen[i], begin:end]


@compiled
def is_sparse(plan: Any, work: Any, layer: int, first: int, last: int, limit: float) -> bool:
    """Tell whether rows first ≤ i < last of a batch light few of a hidden layer's units; only ReLUs rest at 0."""
    if plan.activation != RELU or layer == len(plan.widths) - 2:
        return False
    return is_mostly_dead(work.live_count[layer], first, last, plan.widths[layer + 1], limit)


@compiled
def propagate(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int, thread: int) -> float:
    """Carry rows first ≤ i < last of a batch forward, and the loss's gradient back to every layer's outputs.

    Returns their part of the batch's loss.
    """
    loss = 0.0
    batch, output = len(chosen), len(plan.widths) - 2
    for layer in range(output + 1):
        units = units_of(plan, work.deltas if layer == output else work.values, layer, batch)
        read_units(plan, images, work, chosen, layer, first, last, units, thread)
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
    plan: Any, images: Any, work: Any, chosen: Array, layer: int, first: int, last: int, units: Array, thread: int
) -> None:
    """Put the products of a layer's inputs with its weight into rows first ≤ i < last of `units` [batch, out]."""
    if layer == 0:
        read_images(plan, images, work, chosen, first, last, units, thread)
        return
    weight = weight_of(plan, work.parameters, layer)
    if is_sparse(plan, work, layer - 1, first, last, SPARSE_ROWS):
        start = plan.unit_start[layer - 1] * plan.batch
        multiply_live(work, layer - 1, start, len(weight), weight, first, last, units)
        return
    below = units_of(plan, work.values, layer - 1, len(chosen))
    product(plan.gemm, below[first:last], False, weight, False, units[first:last])


@compiled
def listed_above(plan: Any, layer: int) -> int:
    """Return where a layer's lit units begin in the lists, or −1 for the output, all of which counts."""
    return -1 if layer == len(plan.widths) - 2 else plan.unit_start[layer] * plan.batch


@compiled
def carry_back(plan: Any, work: Any, layer: int, batch: int, first: int, last: int) -> None:
    """Carry rows first ≤ i < last of a layer's deltas back to the layer below."""
    weight, start = weight_of(plan, work.parameters, layer), plan.unit_start[layer - 1] * plan.batch
    above, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.deltas, layer - 1, batch)
    if is_sparse(plan, work, layer - 1, first, last, SPARSE_PRODUCT):
        carry_back_to_live(work, layer - 1, start, weight, above, listed_above(plan, layer), first, last, below)
    else:
        product(plan.gemm, above[first:last], False, weight, True, below[first:last])
        values = units_of(plan, work.values, layer - 1, batch)
        slopes = units_of(plan, work.slopes, layer - 1, batch)
        multiply_by_derivative(plan.activation, below[first:last], values[first:last], slopes[first:last])
    if plan.activation == RELU:
        list_deltas(work, layer - 1, start, below, first, last)


@compiled
def update_stretch(plan: Any, work: Any, factors: Any, first: int, last: int) -> None:
    """Move parameters first ≤ p < last of the flat buffer by their gradient in it."""
    update(
        plan.optimizer, factors, work.gradient[first:last],
        work.parameters[first:last], work.first[first:last], work.second[first:last],
    )  # fmt: skip


@compiled
def learn_first(plan: Any, images: Any, work: Any, factors: Any, chosen: Array, thread: int) -> None:
    """Move the weights of this thread's pixels by the gradient of the batch of `chosen` images."""
    pixels, deltas = plan.widths[0], units_of(plan, work.deltas, 0, len(chosen))
    first, last = share_of(pixels, thread, plan.threads, VECTOR)
    if first == last:
        return
    if is_sparse(plan, work, 0, 0, len(chosen), SPARSE_ROWS):
        list_lit_images(work, chosen, plan.widths[1], thread)
        learn_lit(plan, images, work, factors, first, last, thread)
        return
    if not plan.dense:
        copy_images(images, work, chosen, 0, len(chosen), first, last)
    gradient = weight_of(plan, work.gradient, 0)
    product(plan.gemm, deltas, True, work.batch_pixels[: len(chosen), first:last], False, gradient[:, first:last])
    for place in range(work.num_awake[0]):
        move_unit(plan, work, factors, place, first, last, gradient[work.awake[place], first:last])


@compiled
def learn_lit(plan: Any, images: Any, work: Any, factors: Any, first: int, last: int, thread: int) -> None:
    """Move the weights of pixels first ≤ k < last by gradients that are sums over the images that light a unit."""
    gradient = weight_of(plan, work.gradient, 0)[0, first:last]  # one for all units stays in the nearest cache
    for place in range(work.num_awake[0]):
        unit = work.awake[place]
        lit, delta = work.lit_image[thread, unit], work.lit_delta[thread, unit]
        gradient.fill(0)
        add_scaled_rows(images.pixels, first, lit, delta, 0, work.num_lit[thread, unit], gradient)
        move_unit(plan, work, factors, place, first, last, gradient)


@compiled
def move_unit(plan: Any, work: Any, factors: Any, place: int, first: int, last: int, gradient: Array) -> None:
    """Move the weights of pixels first ≤ k < last of the awake unit at a place by their gradient."""
    start = work.awake[place] * plan.widths[0]
    p, q = start + first, start + last
    update(plan.optimizer, factors, gradient, work.parameters[p:q], work.first[p:q], work.second[p:q])
    if not plan.dense:
        reading = awake_weight(plan, work)
        for k in range(first, last):
            reading[k, place] = work.parameters[start + k]


@compiled
def add_rows(rows: Array, column: int, total: Array) -> None:
    """Put the sum of rows [n, column:] into `total`."""
    total.fill(0)
    for i in range(len(rows)):
        row = rows[i, column:]
        for j in range(len(total)):
            total[j] += row[j]


@compiled
def learn(plan: Any, images: Any, work: Any, factors: Any, chosen: Array, thread: int) -> None:
    """Move this thread's share of all parameters by the gradient of the batch of `chosen` images."""
    for layer in range(len(plan.widths) - 1):
        if plan.frozen[layer]:
            continue
        if layer == 0:
            learn_first(plan, images, work, factors, chosen, thread)
        else:
            learn_above(plan, work, factors, layer, len(chosen), thread)
        deltas = units_of(plan, work.deltas, layer, len(chosen))
        first, last = share_of(plan.widths[layer + 1], thread, plan.threads, 1)
        add_rows(deltas, first, bias_of(plan, work.gradient, layer)[first:last])
        update_stretch(plan, work, factors, plan.bias_start[layer] + first, plan.bias_start[layer] + last)


@compiled
def learn_above(plan: Any, work: Any, factors: Any, layer: int, batch: int, thread: int) -> None:
    """Move this thread's rows of the weight [in, out] of a layer above the first."""
    deltas, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.values, layer - 1, batch)
    gradient, start = weight_of(plan, work.gradient, layer), plan.unit_start[layer - 1] * plan.batch
    inputs, outputs = gradient.shape
    first, last = share_of(inputs, thread, plan.threads, 1)
    if is_sparse(plan, work, layer - 1, 0, batch, SPARSE_PRODUCT):
        gradient[first:last].fill(0)
        listed = listed_above(plan, layer)
        add_live_outer_products(work, layer - 1, start, inputs, deltas, listed, first, last, gradient)
    else:
        product(plan.gemm, below[:, first:last], True, deltas, False, gradient[first:last])
    start = plan.weight_start[layer]
    if not rests_below(plan, work, layer):
        update_stretch(plan, work, factors, start + first * outputs, start + last * outputs)
        return
    for unit in work.awake[: work.num_awake[0]]:
        if first <= unit < last:
            update_stretch(plan, work, factors, start + unit * outputs, start + (unit + 1) * outputs)


@compiled
def rests_below(plan: Any, work: Any, layer: int) -> bool:
    """Tell whether some units that a layer reads are at rest for good, and so the weights that read them."""
    return layer == 1 and work.num_awake[0] < plan.widths[1] and plan.weight_decay == 0


@compiled
def fade_resting(plan: Any, work: Any, factors: Any, count: int, thread: int) -> None:
    """Let the moments of weights at rest fade as in `count` steps, of this thread's pixels and of its units."""
    pixels, start, outputs = plan.widths[0], plan.weight_start[1], plan.widths[2]
    first, last = share_of(pixels, thread, plan.threads, VECTOR)
    for place in range(work.num_awake[0], plan.widths[1]):
        unit = work.awake[place]
        if not plan.frozen[0]:
            p, q = unit * pixels + first, unit * pixels + last
            fade(plan.optimizer, factors, count, work.first[p:q], work.second[p:q])
        if rests_below(plan, work, 1) and not plan.frozen[1] and place % plan.threads == thread:
            p, q = start + unit * outputs, start + (unit + 1) * outputs
            fade(plan.optimizer, factors, count, work.first[p:q], work.second[p:q])


@compiled
def take_steps(plan: Any, images: Any, work: Any, orders: Array, step: int, count: int, thread: int) -> None:
    """Take `count` training steps after step number `step`, as one of `plan.threads` threads that all call this.

    `orders` [epochs, n] begins with the epoch of the first step. Returns when every thread is done.
    """
    num_images = orders.shape[1]
    batches = (num_images + plan.batch - 1) // plan.batch
    first_epoch = step // batches
    for number in range(step, step + count):
        order, place = orders[number // batches - first_epoch], number % batches
        chosen = order[place * plan.batch : min((place + 1) * plan.batch, num_images)]
        first, last = share_of(len(chosen), thread, plan.threads, 1)
        work.losses[thread * LINE] = propagate(plan, images, work, chosen, first, last, thread)
        wait_for_all(work.gate, plan.threads)
        if thread == 0:
            loss = work.losses[::LINE].sum()
            # a loss that is not a number is larger than any other
            work.largest_loss[0] = work.largest_loss[0] if loss <= work.largest_loss[0] else loss
        learn(plan, images, work, step_factors(plan, number + 1 - plan.moments_since), chosen, thread)
        wait_for_all(work.gate, plan.threads)
    if work.num_awake[0] < plan.widths[1]:
        fade_resting(plan, work, step_factors(plan, step + count - plan.moments_since), count, thread)
