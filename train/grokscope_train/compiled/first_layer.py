"""The first layer's part of a step: its inputs are the training images, mostly zeros, and late its units rest.

Its weights lie unit by unit: an image is multiplied by those of the units alone that it can light (see `near`),
and a gradient is a sum over the images that light the unit. Units at rest for good are in neither loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grokscope_train.compiled.elementwise import fade, norm, update
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.near import add_at_units
from grokscope_train.compiled.parts import SPARSE_ROWS, is_sparse, share_of, units_of, weight_of
from grokscope_train.compiled.product import product
from grokscope_train.compiled.sparse import add_scaled_rows, list_lit_images
from grokscope_train.network import VECTOR


@compiled
def read_images(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int, out: Array) -> None:
    """Multiply rows first ≤ i < last of the batch of `chosen` images by the first weight into out[first:last].

    Units that an image cannot light get −∞.
    """
    if plan.dense:
        copy_images(images, work, chosen, first, last, 0, plan.widths[0])
        weight = weight_of(plan, work.parameters, 0)
        product(plan.gemm, work.batch_pixels[first:last], False, weight, True, out[first:last])
        return
    weight = weight_of(plan, work.parameters, 0)
    for i in range(first, last):
        out[i].fill(-np.inf)
        near, count = work.near_unit[chosen[i]], work.near_count[chosen[i]]
        add_at_units(images, chosen[i], weight, near, count, out[i])


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
    for unit in work.awake[: work.num_awake[0]]:
        move_unit(plan, work, factors, unit, first, last, gradient[unit, first:last], thread)


@compiled
def learn_lit(plan: Any, images: Any, work: Any, factors: Any, first: int, last: int, thread: int) -> None:
    """Move the weights of pixels first ≤ k < last by gradients that are sums over the images that light a unit."""
    gradient = weight_of(plan, work.gradient, 0)[0, first:last]  # one for all units stays in the nearest cache
    for unit in work.awake[: work.num_awake[0]]:
        lit, delta = work.lit_image[thread, unit], work.lit_delta[thread, unit]
        gradient.fill(0)
        add_scaled_rows(images.pixels, first, lit, delta, 0, work.num_lit[thread, unit], gradient)
        move_unit(plan, work, factors, unit, first, last, gradient, thread)


@compiled
def move_unit(plan: Any, work: Any, factors: Any, unit: int, first: int, last: int, gradient: Array,
              thread: int) -> None:  # fmt: skip
    """Move the weights of pixels first ≤ k < last of a unit by their gradient."""
    start = unit * plan.widths[0]
    p, q = start + first, start + last
    update(plan.optimizer, factors, gradient, work.parameters[p:q], work.first[p:q], work.second[p:q])
    work.way[thread, unit] += norm(gradient)


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
