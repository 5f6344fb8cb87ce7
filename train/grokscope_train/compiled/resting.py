"""Units of the first layer that are at rest for good: what they add to a step is known without computing it.

The first layer sees the training images themselves, which never change. A ReLU unit that none of them lights has
no gradient, and neither have the weights above that read it; once the moments of all these have faded so far
that the parameters no longer move, and nothing shrinks them, it stays unlit for ever. Its products and updates
are left out from then on, but for its moments, which go on fading, and not a bit of the training depends on when
that begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope_train.compiled.elementwise import RELU, SGD
from grokscope_train.compiled.images import SparseImages

STEPS_BETWEEN = 5000  # searches, each of which costs tens of steps
MARGIN = 1e-6  # of Σ|w·x| + |b|: closer to being lit than this, a unit counts as awake
STILL = 0.1  # of the distance to the next number: a parameter that is moved by less keeps its value


def can_rest(plan: Any) -> bool:
    """Tell whether units can come to rest for good in such a training.

    Only ReLU has a gradient of exactly zero. Decay goes on moving what is not in use. Where the first moment's
    memory were the longer one, an update could grow again (β₁ᵗ / √β₂ᵗ).
    """
    fades = plan.optimizer == SGD or plan.beta1**2 < plan.beta2
    still = plan.weight_decay == 0 or bool(plan.frozen[0])
    return bool(plan.activation == RELU and len(plan.widths) > 2 and not plan.dense and fades and still)


def awake_units(plan: Any, images: SparseImages, work: Any, step: int) -> NDArray[np.uint32]:
    """Return the units of the first layer that are not at rest for good after `step` steps, ascending."""
    pixels, width = int(plan.widths[0]), int(plan.widths[1])
    weights = work.parameters[: pixels * width].reshape(width, pixels)
    bias = work.parameters[plan.bias_start[0] :][:width]
    candidates = np.flatnonzero(_are_still(plan, work, step))
    awake = np.ones(width, bool)
    awake[candidates] = _come_near(images, weights[candidates].T, bias[candidates])
    return np.flatnonzero(awake).astype(np.uint32)


def _are_still(plan: Any, work: Any, step: int) -> NDArray[np.bool_]:
    """Tell of which units a step without a gradient moves no parameter, nor any that reads them; bool [width]."""
    width, number = int(plan.widths[1]), max(step - plan.moments_since, 1)
    rate, unbias = plan.lr / (1 - plan.beta1**number), 1 / np.sqrt(1 - plan.beta2**number)
    still = np.ones(width, bool)
    places = [*plan.weight_start[:1], *plan.bias_start[:1], *plan.weight_start[1:2], *plan.bias_start[1:2]]
    frozen = [plan.frozen[0], plan.frozen[0], plan.frozen[1] or plan.weight_decay > 0]  # then nothing rests above
    for rests, start, end in zip(frozen, places[:-1], places[1:], strict=True):
        if rests or plan.optimizer == SGD:
            continue
        parameters, first, second = (
            flat[start:end].reshape(width, -1) for flat in (work.parameters, work.first, work.second)
        )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            update = rate * np.abs(first) / (np.sqrt(second) * unbias + plan.eps)
            moves = np.nan_to_num(update / np.spacing(np.abs(parameters)), nan=np.inf)
        still &= moves.max(axis=1) < STILL
    return still


def _come_near(images: SparseImages, weights: NDArray[Any], bias: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which units [pixels, units] any image lights, or would with sums rounded otherwise."""
    largest = (images @ np.abs(weights)).max(axis=0) + np.abs(bias)
    near: NDArray[np.bool_] = ~((images @ weights).max(axis=0) + bias < -MARGIN * largest)
    return near
