"""Units of the first layer that are at rest for good: what they add to a step is known without computing it.

The first layer sees the training images themselves, which never change. A ReLU unit that none of them lights has
no gradient; once its moments have faded so far that its parameters no longer move, and nothing shrinks them, it
stays unlit for ever. Its products are left out from then on, and not a bit of the training depends on when that
begins. Its moments go on fading as before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope_train.compiled.elementwise import RELU, SGD
from grokscope_train.compiled.images import SparseImages
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.sparse import add_scaled_rows

STEPS_BETWEEN = 2000  # searches, each of which costs a few steps
WORTHWHILE = (
    0.75  # the share of units awake from which on nothing is left out: putting products in place has a cost
)
MARGIN = 1e-6  # of Σ|w·x| + |b|: closer to being lit than this, a unit counts as awake
STILL = 0.1  # of the distance to the next number: a parameter that is moved by less keeps its value


def can_rest(plan: Any) -> bool:
    """Tell whether units can come to rest for good in such a training.

    Only ReLU has a gradient of exactly zero. Decay goes on moving what is not in use. Where the first moment's
    memory were the longer one, an update could grow again (β₁ᵗ / √β₂ᵗ).
    """
    fades = plan.optimizer == SGD or plan.beta1**2 < plan.beta2
    return bool(plan.activation == RELU and len(plan.widths) > 2 and not plan.dense and fades) and (
        plan.weight_decay == 0 or bool(plan.frozen[0])
    )


def awake_units(plan: Any, images: Any, work: Any, step: int) -> NDArray[np.uint32]:
    """Return the units of the first layer that are not at rest for good after `step` steps, ascending."""
    pixels, width = int(plan.widths[0]), int(plan.widths[1])
    bias_start = int(plan.bias_start[0])

    def matrix(flat: Array) -> NDArray[Any]:
        """Return weights and, in the last row, biases [pixels + 1, width]; a bias follows its weight."""
        parameters: NDArray[Any] = flat[: bias_start + width].reshape(pixels + 1, width)
        return parameters

    parameters = matrix(work.parameters)
    still = np.ones(width, bool)
    if not plan.frozen[0] and plan.optimizer != SGD:
        still = _moves(plan, matrix(work.first), matrix(work.second), parameters, step).max(axis=0) < STILL
    candidates = np.flatnonzero(still)
    awake = np.ones(width, bool)
    if len(candidates):
        awake[candidates] = _comes_near(images, parameters[:, candidates])
    return np.flatnonzero(awake).astype(np.uint32)


def _moves(
    plan: Any, first: NDArray[Any], second: NDArray[Any], parameters: NDArray[Any], step: int
) -> NDArray[np.float64]:
    """Return by how much a step without a gradient moves each parameter, in distances to the next number."""
    number = max(step - plan.moments_since, 1)
    rate, unbias = plan.lr / (1 - plan.beta1**number), 1 / np.sqrt(1 - plan.beta2**number)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        update = rate * np.abs(first) / (np.sqrt(second) * unbias + plan.eps)
        moves: NDArray[np.float64] = np.nan_to_num(update / np.spacing(np.abs(parameters)), nan=np.inf)
    return moves


def _comes_near(images: Any, parameters: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which units [pixels + 1, units] any image lights, or would with sums rounded otherwise."""
    starts = np.append(images.share_start[:, 0], images.share_start[-1, -1])
    rows = SparseImages((len(images.targets), len(parameters) - 1), starts, images.pixel, images.value)
    weights, bias = parameters[:-1], parameters[-1]
    largest = (rows @ np.abs(weights)).max(axis=0) + np.abs(bias)
    near: NDArray[np.bool_] = ~((rows @ weights).max(axis=0) + bias < -MARGIN * largest)
    return near


@compiled
def read_awake(images: Any, work: Any, chosen: Array, first: int, last: int, threads: int, scratch: Array,
               out: Array) -> None:  # fmt: skip
    """Put the products of rows first ≤ i < last with the awake units' weights into out; −∞ for units at rest.

    `scratch` [batch, width] is overwritten.
    """
    count = work.num_awake[0]
    weight = work.awake_weight[: len(work.batch_start) * count].reshape(len(work.batch_start), count)
    for i in range(first, last):
        row = scratch[i, :count]
        row.fill(0)
        start, end = images.share_start[chosen[i], 0], images.share_start[chosen[i], threads]
        add_scaled_rows(weight, images.pixel, images.value, start, end, row)
        out[i].fill(-np.inf)
        for j in range(count):
            out[i, work.awake[j]] = row[j]


@compiled
def keep_awake(work: Any, pixel: int, row: Array) -> None:
    """Keep the awake units' weights of one pixel's row [width] together for `read_awake`."""
    count = work.num_awake[0]
    start = pixel * count
    for j in range(count):
        work.awake_weight[start + j] = row[work.awake[j]]
