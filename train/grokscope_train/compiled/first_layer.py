"""How the first layer learns: each thread moves its own units, and late in training those alone that do not rest.

A unit's gradient is a sum over the images that light it, and so its weights lie together here; for reading they
are copied, by pixel.
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import fade, update
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.parts import multiply_shares, share_of, units_of, weight_of
from grokscope_train.compiled.reading import reading_copy
from grokscope_train.compiled.sparse import SPARSE_ROWS, add_scaled_rows, is_sparse
from grokscope_train.network import VECTOR

PIXELS_AT_ONCE = 38 * VECTOR
"""Of a gradient: so much of a batch's images stays in the second cache."""


@compiled
def learn_first(plan: Any, images: Any, work: Any, factors: Any, chosen: Array, thread: int) -> None:
    """Move the weights of this thread's units by the gradient of the batch of `chosen` images."""
    gradient, listed = weight_of(plan, work.gradient, 0), is_sparse(plan, work, 0, 0, len(chosen), SPARSE_ROWS)
    if not listed:
        deltas, pixels = units_of(plan, work.deltas, 0, len(chosen)), work.batch_pixels[: len(chosen)]
        multiply_shares(plan, work, deltas, pixels, gradient, thread)
    for first in range(0, plan.widths[0], PIXELS_AT_ONCE):
        last = min(first + PIXELS_AT_ONCE, plan.widths[0])
        for place in range(work.first_place[thread], work.first_place[thread + 1], VECTOR):
            for p in range(place, min(place + VECTOR, work.first_place[thread + 1])):
                unit = work.awake[p]
                # where they are summed here, one for all units stays in the nearest cache
                stretch = gradient[work.first_unit[thread] if listed else unit, first:last]
                if listed:
                    sum_images(images, work, unit, first, thread, stretch)
                move_unit(plan, work, factors, unit, first, last, stretch)
            if not plan.dense:
                copy_for_reading(plan, work, place, first, last, thread)


@compiled
def sum_images(images: Any, work: Any, unit: int, first: int, thread: int, gradient: Array) -> None:
    """Sum the images that light a unit, times its deltas, from pixel `first` on."""
    gradient.fill(0)
    rows, deltas = work.lit_image[thread, unit], work.lit_delta[thread, unit]
    add_scaled_rows(images.pixels, first, rows, deltas, 0, work.num_lit[thread, unit], gradient)


@compiled
def move_unit(plan: Any, work: Any, factors: Any, unit: int, first: int, last: int, gradient: Array) -> None:
    """Move a unit's weights of pixels first ≤ k < last by their gradient."""
    p, q = unit * plan.widths[0] + first, unit * plan.widths[0] + last
    update(plan.optimizer, factors, gradient, work.parameters[p:q], work.first[p:q], work.second[p:q])


@compiled
def copy_for_reading(plan: Any, work: Any, place: int, first: int, last: int, thread: int) -> None:
    """Copy the weights of pixels first ≤ k < last of VECTOR of this thread's units, from `place` on, to be read.

    Where fewer are left, the last of them fills the padding.
    """
    reading, end = reading_copy(plan, work, thread), work.first_place[thread + 1]
    column = place - work.first_place[thread]
    w0, w1 = unit_weight(plan, work, place, end), unit_weight(plan, work, place + 1, end)
    w2, w3 = unit_weight(plan, work, place + 2, end), unit_weight(plan, work, place + 3, end)
    w4, w5 = unit_weight(plan, work, place + 4, end), unit_weight(plan, work, place + 5, end)
    w6, w7 = unit_weight(plan, work, place + 6, end), unit_weight(plan, work, place + 7, end)
    for k in range(first, last):
        row = reading[k, column:]
        row[0], row[1], row[2], row[3] = w0[k], w1[k], w2[k], w3[k]
        row[4], row[5], row[6], row[7] = w4[k], w5[k], w6[k], w7[k]


@compiled
def unit_weight(plan: Any, work: Any, place: int, end: int) -> Array:
    """Return the weights [pixels] of the awake unit at a place, or before the end."""
    start = work.awake[min(place, end - 1)] * plan.widths[0]
    return work.parameters[start : start + plan.widths[0]]


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
