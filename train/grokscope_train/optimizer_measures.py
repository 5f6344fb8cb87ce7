"""What the optimizer does at a checkpoint, from its state alone, so that a resumed run records the same.

Adam divides a smoothed gradient by the root of a smoothed square: m̂/(√v̂ + ε), the hats being the corrections of
Kingma & Ba (2015) for moments that began at zero. Where √v̂ falls below ε the division stops normalising; where
|m̂|/(√v̂ + ε) is near 1 every batch pushes the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grokscope_train.optimizer import Hyperparameters

QUANTILES = (0.05, 0.5, 0.95)
Flat = NDArray[np.floating]


def moment_metrics(depth: int) -> tuple[str, ...]:
    """Name the metrics of Adam's moments for a network of `depth` layers."""
    by_layer = [
        f"{measure}_q{round(100 * quantile):02d}_fc{layer + 1}"
        for layer in range(depth)
        for measure in ("root_second_moment", "relative_update")
        for quantile in QUANTILES
    ]
    return (*by_layer, "below_eps_share", "step_norm_ratio")


def measure_moments(
    matrices: Sequence[tuple[Flat, Flat, Flat]], hyper: Hyperparameters, steps: int, decoupled: bool
) -> dict[str, float]:
    """Measure Adam's moments, given (parameters, first, second) of every layer and how many steps they are old.

    `below_eps_share` is the share of parameters with √v̂ < ε; `step_norm_ratio` the norm of the step that these
    moments make over that of the parameters. Every value is NaN before the first step.
    """
    names = moment_metrics(len(matrices))
    if steps < 1:
        return dict.fromkeys(names, float("nan"))
    values: list[float] = []
    below, count, step_square, square = 0, 0, 0.0, 0.0
    for parameters, first, second in matrices:
        root = np.sqrt(second / (1 - hyper.beta2**steps))
        update = first / (1 - hyper.beta1**steps) / (root + hyper.eps)
        values += [*np.quantile(root, QUANTILES), *np.quantile(np.abs(update), QUANTILES)]
        below, count = below + int(np.count_nonzero(root < hyper.eps)), count + root.size
        shrunk = hyper.weight_decay * parameters if decoupled else 0.0
        step_square += float(np.sum((hyper.lr * (update + shrunk)) ** 2))
        square += float(np.sum(parameters**2))
    values += [below / count, np.sqrt(step_square / square) if square else float("nan")]
    return dict(zip(names, map(float, values), strict=True))
