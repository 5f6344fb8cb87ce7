"""The first layer's part of a step: its inputs are the training images, mostly zeros, and late its units rest.

Its weights are read by pixel, since an image is the sum of its pixels' rows, and learn by unit, since a gradient
is a sum over the images that light the unit. They are kept both ways; units at rest for good are in neither loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grokscope_train.compiled.elementwise import fade, update
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.parts import SPARSE_ROWS, is_sparse, share_of, units_of, weight_of
from grokscope_train.compiled.product import product
from grokscope_train.compiled.sparse import add_scaled_rows, list_lit_images
from grokscope_train.network import VECTOR


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
def rests_below(plan: Any, work: Any, layer: int) -> bool:
    """Tell whether some units that a layer reads are at rest for good, and so the weights that read them."""
    return layer == 1 and work.num_awake[0] < plan.widths[1] and plan.weight_decay == 0
