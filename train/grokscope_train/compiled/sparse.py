"""The first layer's sums over nonzero pixels alone: images of handwriting are mostly zeros."""

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
