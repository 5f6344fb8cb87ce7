"""Training steps as machine code: every thread takes its share of each step, with no interpreter in between.

A step has three parts. Every thread multiplies the whole batch by its own units of the first layer (images with
few zeros are left to the second part); then it carries its own rows of the batch forward and backward through the
rest of the network; then it sums and applies the gradient of its own rows of every weight. All wait at a gate
before and after the second, and elsewhere only where BLAS multiplies while units rest (`multiply_shares`).
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import (
    RELU,
    activate,
    loss_gradient,
    multiply_by_derivative,
    step_factors,
)
from grokscope_train.compiled.first_layer import fade_resting, learn_first, rests_below
from grokscope_train.compiled.gate import wait_for_all
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.parts import (
    bias_of,
    multiply_shares,
    own_units,
    share_of,
    units_of,
    update_stretch,
    weight_of,
)
from grokscope_train.compiled.product import product
from grokscope_train.compiled.reading import gather_images, lists_first, multiply_images, read_images
from grokscope_train.compiled.sparse import (
    SPARSE_PRODUCT,
    SPARSE_ROWS,
    add_scaled_rows,
    carry_back_to_live,
    is_sparse,
    list_deltas,
    list_lit_images,
    list_live,
    multiply_live,
)

LINE = 8
"""Numbers in a cache line: each thread's loss has a line of its own."""


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
        if layer == 0 and lists_first(plan):
            continue
        bias = bias_of(plan, work.parameters, layer)
        if layer < output:
            slopes = units_of(plan, work.slopes, layer, batch)
            activate(plan.activation, units[first:last], bias, slopes[first:last])
            if plan.activation == RELU:
                list_live(plan, work, layer, units, first, last)
        else:
            loss = loss_gradient(plan.loss, units[first:last], bias, images.targets, chosen[first:last], batch)
    for layer in range(output, 0, -1):
        carry_back(plan, work, layer, batch, first, last)
    return loss


@compiled
def read_units(
    plan: Any, images: Any, work: Any, chosen: Array, layer: int, first: int, last: int, units: Array
) -> None:
    """Put the products of a layer's inputs with its weight into rows first ≤ i < last of `units` [batch, out].

    Where the first layer's lit units are listed, they are the units' values.
    """
    if layer == 0:
        if plan.dense:
            multiply_images(plan, images, work, chosen, first, last, units)
        else:
            gather_images(plan, images, work, chosen, first, last, units)
        return
    weight = weight_of(plan, work.parameters, layer)
    if is_sparse(plan, work, layer - 1, first, last, SPARSE_ROWS):
        multiply_live(plan, work, layer - 1, weight, first, last, units)
        return
    below = units_of(plan, work.values, layer - 1, len(chosen))
    product(plan.gemm, below[first:last], False, weight, False, units[first:last])


@compiled
def carry_back(plan: Any, work: Any, layer: int, batch: int, first: int, last: int) -> None:
    """Carry rows first ≤ i < last of a layer's deltas back to the layer below."""
    weight = weight_of(plan, work.parameters, layer)
    above, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.deltas, layer - 1, batch)
    if is_sparse(plan, work, layer - 1, first, last, SPARSE_PRODUCT):
        carry_back_to_live(plan, work, layer - 1, weight, above, first, last, below)
    else:
        product(plan.gemm, above[first:last], False, weight, True, below[first:last])
        values = units_of(plan, work.values, layer - 1, batch)
        slopes = units_of(plan, work.slopes, layer - 1, batch)
        multiply_by_derivative(plan.activation, below[first:last], values[first:last], slopes[first:last])
    if plan.activation == RELU:
        list_deltas(plan, work, layer - 1, below, first, last)


@compiled
def learn(plan: Any, images: Any, work: Any, factors: Any, chosen: Array, thread: int) -> None:
    """Move this thread's share of all parameters by the gradient of the batch of `chosen` images."""
    for layer in range(len(plan.widths) - 1):
        if layer > 0 and not plan.frozen[layer]:
            learn_above(plan, work, factors, layer, len(chosen), thread)
        first, last = own_units(plan, work, layer, thread)
        if is_sparse(plan, work, layer, 0, len(chosen), SPARSE_ROWS):
            list_lit_images(plan, work, layer, chosen, first, last, thread)  # for what is above, too
        if plan.frozen[layer]:
            continue
        if layer == 0:
            learn_first(plan, images, work, factors, chosen, thread)
        learn_bias(plan, work, factors, layer, len(chosen), thread)


@compiled
def learn_bias(plan: Any, work: Any, factors: Any, layer: int, batch: int, thread: int) -> None:
    """Move the biases of this thread's units of a layer."""
    first, last = own_units(plan, work, layer, thread)
    gradient, deltas = bias_of(plan, work.gradient, layer), units_of(plan, work.deltas, layer, batch)
    gradient[first:last].fill(0)
    if is_sparse(plan, work, layer, 0, batch, SPARSE_ROWS):
        for unit in range(first, last):
            for n in range(work.num_lit[thread, unit]):
                gradient[unit] += work.lit_delta[thread, unit, n]
    else:
        for i in range(batch):
            for unit in range(first, last):
                gradient[unit] += deltas[i, unit]
    start = plan.bias_start[layer]
    update_stretch(plan, work, factors, start + first, start + last)


@compiled
def learn_above(plan: Any, work: Any, factors: Any, layer: int, batch: int, thread: int) -> None:
    """Move this thread's rows of the weight [in, out] of a layer above the first."""
    deltas, below = units_of(plan, work.deltas, layer, batch), units_of(plan, work.values, layer - 1, batch)
    gradient, start = weight_of(plan, work.gradient, layer), plan.weight_start[layer]
    outputs = gradient.shape[1]
    first, last = own_units(plan, work, layer - 1, thread)
    if is_sparse(plan, work, layer - 1, 0, batch, SPARSE_ROWS):
        for unit in range(first, last):
            rows, values = work.lit_row[thread, unit], work.lit_value[thread, unit]
            gradient[unit].fill(0)
            add_scaled_rows(deltas, 0, rows, values, 0, work.num_lit[thread, unit], gradient[unit])
    else:
        multiply_shares(plan, work, below, deltas, gradient, thread)
    if not rests_below(plan, work, layer):
        update_stretch(plan, work, factors, start + first * outputs, start + last * outputs)
        return
    for unit in work.awake[work.first_place[thread] : work.first_place[thread + 1]]:
        update_stretch(plan, work, factors, start + unit * outputs, start + (unit + 1) * outputs)


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
        if not plan.dense:
            read_images(plan, images, work, chosen, thread)
        wait_for_all(work.gate, plan.threads)
        work.losses[thread * LINE] = propagate(plan, images, work, chosen, first, last)
        wait_for_all(work.gate, plan.threads)
        if thread == 0:
            loss = work.losses[::LINE].sum()
            # a loss that is not a number is larger than any other
            work.largest_loss[0] = work.largest_loss[0] if loss <= work.largest_loss[0] else loss
        learn(plan, images, work, step_factors(plan, number + 1 - plan.moments_since), chosen, thread)
    if work.num_awake[0] < plan.widths[1]:
        fade_resting(plan, work, step_factors(plan, step + count - plan.moments_since), count, thread)
