"""How the first layer reads images, mostly zeros: each thread multiplies all of them by units of its own.

Nobody else touches those units' weights: what cores do not share they need not hand to one another. What the
threads have read lies apart from all that the rest of a step uses, so that one may read on while another learns.
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import RELU
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.parts import bias_of, weight_of
from grokscope_train.compiled.product import product
from grokscope_train.compiled.sparse import (
    SPARSE_PRODUCT,
    SPARSE_ROWS,
    add_scaled_rows,
    is_few,
    is_sparse,
    keep_nonzero,
)
from grokscope_train.network import VECTOR


@compiled
def reading_copy(plan: Any, work: Any, thread: int) -> Array:
    """Return where the weights of a thread's awake units are kept a second time: [pixels, units and padding].

    Those of one pixel lie together, since an image is the sum of its pixels' rows.
    """
    first, last = work.first_place[thread], work.first_place[thread + 1]
    stride = (last - first + VECTOR - 1) // VECTOR * VECTOR
    start = plan.widths[0] * (first + VECTOR * thread)
    return work.reading[start : start + plan.widths[0] * stride].reshape(plan.widths[0], stride)


@compiled
def lists_first(plan: Any) -> bool:
    """Tell whether it is listed which units of the first layer an image lights, as soon as it is read."""
    return plan.activation == RELU and len(plan.widths) > 2 and not plan.dense


@compiled
def read_images(plan: Any, images: Any, work: Any, chosen: Array, thread: int) -> None:
    """Keep what this thread's units make of each of the `chosen` images.

    These are, by place among the awake units, the values that are not zero, or all products, of outputs and
    without ReLUs.
    """
    weight, bias = reading_copy(plan, work, thread), bias_of(plan, work.parameters, 0)
    place, end = work.first_place[thread], work.first_place[thread + 1]
    row, zero = work.scratch[thread, 0, : weight.shape[1]], work.scratch.dtype.type(0)
    own_bias, listed = work.scratch[thread, 1], lists_first(plan)
    for j in range(end - place):
        own_bias[j] = bias[work.awake[place + j]]
    for i in range(len(chosen)):
        start, stop = images.start[chosen[i]], images.start[chosen[i] + 1]
        row.fill(0)
        add_scaled_rows(weight, 0, images.pixel, images.value, start, stop, row)
        kept, values = work.part_place[i, place:], work.part_value[i, place:]
        if listed:
            for j in range(len(row)):
                row[j] = max(row[j] + own_bias[j], zero)
            work.part_count[thread, i] = keep_nonzero(row[: end - place], place, kept, values)
        else:
            for j in range(end - place):
                kept[j], values[j] = place + j, row[j]
            work.part_count[thread, i] = end - place


@compiled
def gather_images(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int, units: Array) -> None:
    """Put together what all threads have read of rows first ≤ i < last of a batch: the lists of lit units.

    Where products by BLAS follow, `units` [batch, width] and the images themselves are filled as well.
    """
    width, lit = plan.widths[1], work.part_count[:, : len(chosen)].sum()
    listed, everywhere = lists_first(plan), width * len(chosen)
    for i in range(first, last):
        join_lists(plan, work, i, i * width)
    if not (listed and is_few(lit, everywhere, SPARSE_ROWS)):
        copy_images(images, work, chosen, first, last)
    few_here = is_sparse(plan, work, 0, first, last, SPARSE_PRODUCT)
    if listed and is_few(lit, everywhere, SPARSE_PRODUCT) and few_here:
        return
    for i in range(first, last):
        units[i].fill(0)
        for p in range(i * width, i * width + work.live_count[0, i]):
            units[i, work.live_unit[p]] = work.live_value[p]


@compiled
def join_lists(plan: Any, work: Any, i: int, begin: int) -> None:
    """List from `begin` on what all threads have kept of image i, unit by unit."""
    end = begin
    for thread in range(plan.threads):
        place = work.first_place[thread]
        for p in range(place, place + work.part_count[thread, i]):
            work.live_unit[end], work.live_value[end] = work.awake[work.part_place[i, p]], work.part_value[i, p]
            end += 1
    work.live_count[0, i] = end - begin


@compiled
def multiply_images(plan: Any, images: Any, work: Any, chosen: Array, first: int, last: int, units: Array) -> None:
    """Multiply rows first ≤ i < last of a batch of `chosen` images with few zeros by the first weight."""
    copy_images(images, work, chosen, first, last)
    weight = weight_of(plan, work.parameters, 0)
    product(plan.gemm, work.batch_pixels[first:last], False, weight, True, units[first:last])


@compiled
def copy_images(images: Any, work: Any, chosen: Array, first: int, last: int) -> None:
    """Put rows first ≤ i < last of the batch of `chosen` images together."""
    for i in range(first, last):
        work.batch_pixels[i] = images.pixels[chosen[i]]
