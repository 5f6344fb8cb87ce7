"""Sums over what is not zero alone: images of handwriting are mostly zeros, and so, late in training, are units.

A ReLU unit that an image does not light has a value and a gradient of exactly zero there. `live_unit`,
`live_value` and `live_delta` of `Work` list the units that are lit, image by image in ascending order, each
layer's [batch, width] where its values lie; `live_count` [depth, batch] says how many there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grokscope_train.compiled.jit import Array, compiled


@compiled
def add_scaled_rows(matrix: Array, rows: Array, scales: Array, first: int, last: int, out: Array) -> None:
    """Add Σ scales[p] · matrix[rows[p]] over first ≤ p < last to `out`, eight at a time."""
    p = first
    while p + 8 <= last:
        m0, m1, m2, m3 = matrix[rows[p]], matrix[rows[p + 1]], matrix[rows[p + 2]], matrix[rows[p + 3]]
        m4, m5, m6, m7 = matrix[rows[p + 4]], matrix[rows[p + 5]], matrix[rows[p + 6]], matrix[rows[p + 7]]
        s0, s1, s2, s3 = scales[p], scales[p + 1], scales[p + 2], scales[p + 3]
        s4, s5, s6, s7 = scales[p + 4], scales[p + 5], scales[p + 6], scales[p + 7]
        for j in range(len(out)):
            out[j] += (
                s0 * m0[j] + s1 * m1[j] + s2 * m2[j] + s3 * m3[j]
                + s4 * m4[j] + s5 * m5[j] + s6 * m6[j] + s7 * m7[j]
            )  # fmt: skip
        p += 8
    while p < last:
        row, scale = matrix[rows[p]], scales[p]
        for j in range(len(out)):
            out[j] += scale * row[j]
        p += 1


@compiled
def sort_by_batch(plan: Any, images: Any, work: Any, order: Array, thread: int) -> None:
    """List which rows of each batch of an epoch are nonzero at this thread's pixels, pixel by pixel."""
    pixels = range(plan.pixel_share[thread], plan.pixel_share[thread + 1])
    for k in pixels:
        work.filled[k] = images.pixel_start[k]
    for place in range(len(order)):
        row, batch = np.uint32(place % plan.batch), place // plan.batch
        if row == 0:
            for k in pixels:
                work.batch_start[k, batch] = work.filled[k]
        image = order[place]
        for p in range(images.share_start[image, thread], images.share_start[image, thread + 1]):
            k = images.pixel[p]
            end = work.filled[k]
            work.batch_row[end], work.batch_value[end] = row, images.value[p]
            work.filled[k] = end + np.uint32(1)
    for k in pixels:
        work.batch_start[k, batch + 1] = work.filled[k]


@compiled
def list_live(values: Array, first: int, last: int, start: int, work: Any, layer: int) -> None:
    """List the nonzero values (NaN included) in rows first ≤ i < last of a layer's [batch, width] units.

    `start` is where the layer begins in the lists.
    """
    width = values.shape[1]
    for i in range(first, last):
        begin = start + i * width
        end = begin
        for j in range(width):
            work.live_unit[end], work.live_value[end] = j, values[i, j]
            end += values[i, j] != 0
        work.live_count[layer, i] = end - begin


@compiled
def is_mostly_dead(counts: Array, first: int, last: int, width: int, limit: float) -> bool:
    """Tell whether at most `limit` of the units are lit by rows first ≤ i < last of a batch."""
    lit = 0
    for i in range(first, last):
        lit += counts[i]
    return lit <= limit * width * (last - first)


@compiled
def multiply_live(work: Any, layer: int, start: int, width: int, weight: Array, first: int, last: int,
                  out: Array) -> None:  # fmt: skip
    """Multiply the lit units of a layer by the weight [width, out] above it, for some rows of a batch."""
    for i in range(first, last):
        begin = start + i * width
        out[i].fill(0)
        end = begin + work.live_count[layer, i]
        add_scaled_rows(weight, work.live_unit, work.live_value, begin, end, out[i])


@compiled
def carry_back_to_live(work: Any, layer: int, start: int, weight: Array, above: Array, first: int, last: int,
                       below: Array) -> None:  # fmt: skip
    """Multiply deltas above [batch, out] by the transpose of weight [width, out], at the lit units alone."""
    for i in range(first, last):
        below[i].fill(0)
        begin = start + i * below.shape[1]
        for p in range(begin, begin + work.live_count[layer, i]):
            row, delta = weight[work.live_unit[p]], above.dtype.type(0)
            for j in range(len(row)):
                delta += row[j] * above[i, j]
            below[i, work.live_unit[p]] = delta


@compiled
def list_deltas(work: Any, layer: int, start: int, deltas: Array, first: int, last: int) -> None:
    """List the deltas [batch, width] of the lit units beside them."""
    for i in range(first, last):
        begin = start + i * deltas.shape[1]
        for p in range(begin, begin + work.live_count[layer, i]):
            work.live_delta[p] = deltas[i, work.live_unit[p]]


@compiled
def add_live_outer_products(work: Any, layer: int, start: int, width: int, deltas: Array, first: int, last: int,
                            gradient: Array) -> None:  # fmt: skip
    """Add Σ over images of value · deltas above to the rows first ≤ u < last of a gradient [width, out]."""
    for i in range(len(deltas)):
        begin = start + i * width
        for p in range(begin, begin + work.live_count[layer, i]):
            unit = work.live_unit[p]
            if first <= unit < last:
                row, value = gradient[unit], work.live_value[p]
                for j in range(len(row)):
                    row[j] += value * deltas[i, j]


@compiled
def add_live_pixels(work: Any, width: int, first: int, last: int, gradient: Array) -> None:
    """Add Σ value · deltas to one pixel's gradient [width], over its nonzeros first ≤ p < last in a batch."""
    units, deltas, counts = work.live_unit, work.live_delta, work.live_count[0]
    for p in range(first, last):
        value, row = work.batch_value[p], work.batch_row[p]
        begin = np.uint32(row * width)
        for q in range(begin, begin + np.uint32(counts[row])):
            gradient[units[q]] += value * deltas[q]
