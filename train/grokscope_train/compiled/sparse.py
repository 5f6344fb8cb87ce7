"""Sums over what is not zero alone: images of handwriting are mostly zeros, and so, late in training, are units.

A ReLU unit that an image does not light has a value and a gradient of exactly zero there. `live_unit`,
`live_value` and `live_delta` of `Work` list the units that are lit, image by image in ascending order, each
layer's [batch, width] where its values lie; `live_count` [depth, batch] says how many there are. Conversely
`lit_image`, `lit_row`, `lit_value` and `lit_delta` list for units of one layer the images that light them.
"""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import RELU
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.parts import units_of

SPARSE_ROWS = 0.35
"""The share of lit units up to which sums over their rows alone are faster than a product by BLAS."""

SPARSE_PRODUCT = 0.12
"""The same for products that jump from unit to unit."""


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
def keep_nonzero(row: Array, place: int, kept: Array, values: Array) -> int:
    """List the numbers of a row that are not zero (NaN included), with their places from `place` on; how many?"""
    found = 0
    for j in range(len(row)):
        kept[found], values[found] = place + j, row[j]
        found += row[j] != 0
    return found


@compiled
def is_sparse(plan: Any, work: Any, layer: int, first: int, last: int, limit: float) -> bool:
    """Tell whether rows first ≤ i < last of a batch light few of a hidden layer's units; only ReLUs rest at 0."""
    if plan.activation != RELU or layer == len(plan.widths) - 2:
        return False
    return is_few(work.live_count[layer, first:last].sum(), plan.widths[layer + 1] * (last - first), limit)


@compiled
def is_few(lit: int, everywhere: int, limit: float) -> bool:
    """Tell whether lit units are at most `limit` of all, in the one arithmetic that everybody has to use."""
    return bool(lit <= limit * everywhere)


@compiled
def list_live(plan: Any, work: Any, layer: int, units: Array, first: int, last: int) -> None:
    """List which of a layer's units [batch, width] rows first ≤ i < last light."""
    kept = units_of(plan, work.live_unit, layer, len(units))
    values = units_of(plan, work.live_value, layer, len(units))
    for i in range(first, last):
        work.live_count[layer, i] = keep_nonzero(units[i], 0, kept[i], values[i])


@compiled
def multiply_live(plan: Any, work: Any, layer: int, weight: Array, first: int, last: int, out: Array) -> None:
    """Multiply the lit units of a layer by the weight [width, out] above it, for rows first ≤ i < last."""
    units = units_of(plan, work.live_unit, layer, len(out))
    values = units_of(plan, work.live_value, layer, len(out))
    for i in range(first, last):
        out[i].fill(0)
        add_scaled_rows(weight, 0, units[i], values[i], 0, work.live_count[layer, i], out[i])


@compiled
def carry_back_to_live(plan: Any, work: Any, layer: int, weight: Array, above: Array, first: int, last: int,
                       below: Array) -> None:  # fmt: skip
    """Multiply deltas above [batch, out] by the transpose of weight [width, out], at a layer's lit units alone.

    Where the layer above is hidden, its lit units alone count.
    """
    units = units_of(plan, work.live_unit, layer, len(below))
    listed = layer + 1 < len(plan.widths) - 2
    lit = units_of(plan, work.live_unit, layer + 1 if listed else layer, len(below))
    deltas = units_of(plan, work.live_delta, layer + 1 if listed else layer, len(below))
    for i in range(first, last):
        below[i].fill(0)
        for unit in units[i, : work.live_count[layer, i]]:
            row, delta = weight[unit], above.dtype.type(0)
            if listed:
                for q in range(work.live_count[layer + 1, i]):
                    delta += row[lit[i, q]] * deltas[i, q]
            else:
                for j in range(len(row)):
                    delta += row[j] * above[i, j]
            below[i, unit] = delta


@compiled
def list_deltas(plan: Any, work: Any, layer: int, deltas: Array, first: int, last: int) -> None:
    """List the deltas [batch, width] of a layer's lit units beside them."""
    units = units_of(plan, work.live_unit, layer, len(deltas))
    listed = units_of(plan, work.live_delta, layer, len(deltas))
    for i in range(first, last):
        for p in range(work.live_count[layer, i]):
            listed[i, p] = deltas[i, units[i, p]]


@compiled
def list_lit_images(plan: Any, work: Any, layer: int, chosen: Array, first: int, last: int, thread: int) -> None:
    """List for units first ≤ u < last of a layer which of the batch's `chosen` images light them, and how."""
    units = units_of(plan, work.live_unit, layer, len(chosen))
    values = units_of(plan, work.live_value, layer, len(chosen))
    deltas = units_of(plan, work.live_delta, layer, len(chosen))
    counts = work.num_lit[thread]
    counts[first:last].fill(0)
    for i in range(len(chosen)):
        for p in range(work.live_count[layer, i]):
            unit = units[i, p]
            if first <= unit < last:
                n = counts[unit]
                work.lit_image[thread, unit, n], work.lit_row[thread, unit, n] = chosen[i], i
                work.lit_value[thread, unit, n], work.lit_delta[thread, unit, n] = values[i, p], deltas[i, p]
                counts[unit] = n + 1
