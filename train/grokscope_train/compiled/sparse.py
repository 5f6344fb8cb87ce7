"""Sums over what is not zero alone: images of handwriting are mostly zeros, and so, late in training, are units.

A ReLU unit that an image does not light has a value and a gradient of exactly zero there. `live_unit`,
`live_value` and `live_delta` of `Work` list the units that are lit, image by image in ascending order, each
layer's [batch, width] where its values lie; `live_count` [depth, batch] says how many there are. Conversely
`lit_image`, `lit_row`, `lit_value` and `lit_delta` list for units of one layer the images that light them.
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.jit import Array, compiled


@compiled
def add_scaled_rows(matrix: Array, column: int, rows: Array, scales: Array, first: int, last: int,
                    out: Array) -> None:  # fmt: skip
    """Add Σ scales[p] · matrix[rows[p], column:] over first ≤ p < last to `out`, eight or four at a time."""
    p = first
    while p + 8 <= last:
        m0, m1 = matrix[rows[p], column:], matrix[rows[p + 1], column:]
        m2, m3 = matrix[rows[p + 2], column:], matrix[rows[p + 3], column:]
        m4, m5 = matrix[rows[p + 4], column:], matrix[rows[p + 5], column:]
        m6, m7 = matrix[rows[p + 6], column:], matrix[rows[p + 7], column:]
        s0, s1, s2, s3 = scales[p], scales[p + 1], scales[p + 2], scales[p + 3]
        s4, s5, s6, s7 = scales[p + 4], scales[p + 5], scales[p + 6], scales[p + 7]
        for j in range(len(out)):
            out[j] += (
                s0 * m0[j] + s1 * m1[j] + s2 * m2[j] + s3 * m3[j]
                + s4 * m4[j] + s5 * m5[j] + s6 * m6[j] + s7 * m7[j]
            )  # fmt: skip
        p += 8
    while p + 4 <= last:
        m0, m1 = matrix[rows[p], column:], matrix[rows[p + 1], column:]
        m2, m3 = matrix[rows[p + 2], column:], matrix[rows[p + 3], column:]
        s0, s1, s2, s3 = scales[p], scales[p + 1], scales[p + 2], scales[p + 3]
        for j in range(len(out)):
            out[j] += s0 * m0[j] + s1 * m1[j] + s2 * m2[j] + s3 * m3[j]
        p += 4
    while p < last:
        row, scale = matrix[rows[p], column:], scales[p]
        for j in range(len(out)):
            out[j] += scale * row[j]
        p += 1


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
        add_scaled_rows(weight, 0, work.live_unit, work.live_value, begin, end, out[i])


@compiled
def carry_back_to_live(work: Any, layer: int, start: int, weight: Array, above: Array, listed: int, first: int,
                       last: int, below: Array) -> None:  # fmt: skip
    """Multiply deltas above [batch, out] by the transpose of weight [width, out], at the lit units alone.

    Units above that are lit are listed from place `listed` on; it is negative where all of them count.
    """
    for i in range(first, last):
        below[i].fill(0)
        begin, begin_above = start + i * below.shape[1], listed + i * above.shape[1]
        for p in range(begin, begin + work.live_count[layer, i]):
            row, delta = weight[work.live_unit[p]], above.dtype.type(0)
            if listed < 0:
                for j in range(len(row)):
                    delta += row[j] * above[i, j]
            else:
                for q in range(begin_above, begin_above + work.live_count[layer + 1, i]):
                    delta += row[work.live_unit[q]] * work.live_delta[q]
            below[i, work.live_unit[p]] = delta


@compiled
def list_deltas(work: Any, layer: int, start: int, deltas: Array, first: int, last: int) -> None:
    """List the deltas [batch, width] of the lit units beside them."""
    for i in range(first, last):
        begin = start + i * deltas.shape[1]
        for p in range(begin, begin + work.live_count[layer, i]):
            work.live_delta[p] = deltas[i, work.live_unit[p]]


@compiled
def list_lit_images(plan: Any, work: Any, layer: int, chosen: Array, first: int, last: int, thread: int) -> None:
    """List for units first ≤ u < last of a layer which of the batch's `chosen` images light them, and how."""
    width, counts = plan.widths[layer + 1], work.num_lit[thread]
    start = plan.unit_start[layer] * plan.batch
    images, rows = work.lit_image[thread], work.lit_row[thread]
    values, deltas = work.lit_value[thread], work.lit_delta[thread]
    counts[first:last].fill(0)
    for i in range(len(chosen)):
        begin = start + i * width
        for p in range(begin, begin + work.live_count[layer, i]):
            unit = work.live_unit[p]
            if first <= unit < last:
                n = counts[unit]
                images[unit, n], rows[unit, n] = chosen[i], i
                values[unit, n], deltas[unit, n] = work.live_value[p], work.live_delta[p]
                counts[unit] = n + 1
