"""Which units of the first layer an image can light: the sums of the others need not be known.

The first layer sees the same training images for ever, and its weights go a very short way in a step. What a unit
gets from an image has changed since it was last known by at most the way that the unit's weights and bias have
gone, times the image's size (Cauchy–Schwarz). As long as none has gone farther than its skin, an image lights none
but those that were lit or so near to it. They are listed, image by image, as neighbours are in molecular dynamics
(Verlet 1967). A ReLU gives 0 for all others, so not a bit of the training depends on when lists are made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grokscope_train.compiled.elementwise import RELU, norm
from grokscope_train.compiled.gate import wait_for_all
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.parts import bias_of, share_of, weight_of

LASTS = 64  # steps that lists are kept at most
SPARE = 2  # times as far as the units would go in as many steps: some go by leaps
WORN = 0.99  # of the skin: the rest is for rounding


@compiled
def renew_lists(plan: Any, images: Any, work: Any, step: int, thread: int) -> None:
    """List anew which units are near to being lit by which image, where some unit may have come too far."""
    if not are_worn(plan, work, thread) and step < work.listed_until[0]:
        return
    steps = LASTS - max(work.listed_until[0] - step, 0)
    list_near(plan, images, work, SPARE * LASTS / max(steps, 1), thread)
    wait_for_all(work.gate, plan.threads)
    work.way[thread].fill(0)
    work.listed_until[0] = step + LASTS


@compiled
def are_worn(plan: Any, work: Any, thread: int) -> bool:
    """Tell whether some unit has gone almost as far as its skin."""
    worn = False
    for unit in range(plan.widths[1]):
        worn |= not way_of(plan, work, unit) <= WORN * work.skin[thread, unit]  # as where it is not a number
    return worn


@compiled
def way_of(plan: Any, work: Any, unit: int) -> float:
    """Return how far a unit has gone at most since the lists were made."""
    way = 0.0
    for thread in range(plan.threads):
        way += work.way[thread, unit]
    return way


@compiled
def list_near(plan: Any, images: Any, work: Any, farther: float, thread: int) -> None:
    """List the units within a skin of being lit by each of this thread's images.

    The skins are the ways since the last time, `farther` times.
    """
    weight, bias = weight_of(plan, work.parameters, 0), bias_of(plan, work.parameters, 0)
    awake, skin = work.awake[: work.num_awake[0]], work.skin[thread]
    sums, reach = work.scratch[thread, 0], work.scratch[thread, 1]
    mean = work.way.sum() / plan.widths[1]
    all_count = plan.activation != RELU or len(plan.widths) == 2
    for unit in range(plan.widths[1]):
        skin[unit] = np.inf if all_count else farther * (way_of(plan, work, unit) + mean)
        reach[unit] = skin[unit] + plan.rounding * (norm(weight[unit]) + abs(bias[unit]))
    first, last = share_of(len(images.start) - 1, thread, plan.threads, 1)
    for image in range(first, last):
        add_at_units(images, image, weight, awake, len(awake), sums)
        count = 0
        for unit in awake:
            work.near_unit[image, count] = unit
            count += not sums[unit] + bias[unit] + images.size[image] * reach[unit] < 0
        work.near_count[image] = count


@compiled
def add_at_units(images: Any, image: int, weight: Array, units: Array, count: int, sums: Array) -> None:
    """Put an image's products with rows of weight [units, pixels] into `sums`, for the first `count` of `units`.

    Four units are taken at a time, each in two sums, and always in the same order, whatever is beside it.
    """
    start, end, zero = images.start[image], images.start[image + 1], sums.dtype.type(0)
    for place in range(0, count, 4):
        u0, u1 = units[place], units[min(place + 1, count - 1)]
        u2, u3 = units[min(place + 2, count - 1)], units[min(place + 3, count - 1)]
        w0, w1, w2, w3 = weight[u0], weight[u1], weight[u2], weight[u3]
        a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
        p = start
        while p + 2 <= end:
            j, k, s, t = images.pixel[p], images.pixel[p + 1], images.value[p], images.value[p + 1]
            a0, a1, a2, a3 = a0 + s * w0[j], a1 + s * w1[j], a2 + s * w2[j], a3 + s * w3[j]
            b0, b1, b2, b3 = b0 + t * w0[k], b1 + t * w1[k], b2 + t * w2[k], b3 + t * w3[k]
            p += 2
        if p < end:
            j, s = images.pixel[p], images.value[p]
            a0, a1, a2, a3 = a0 + s * w0[j], a1 + s * w1[j], a2 + s * w2[j], a3 + s * w3[j]
        sums[u0], sums[u1], sums[u2], sums[u3] = a0 + b0, a1 + b1, a2 + b2, a3 + b3
