"""How much a network could fit with weights of its size: two norms that bound it, multiplied.

A unit with a rectified activation can take a factor into its row and give it back from the next layer's column,
or a layer from the next one, and the network computes the same: no single layer's norm means anything by itself.
The product of the layers' norms and the norm of the paths from inputs to outputs stay as they are when a factor
moves between layers. Both bound the Rademacher complexity of the networks that have no more, the second one
knowing which weights meet: networks that give the same answers with less of either tend to generalise better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def capacity(weights: Sequence[Array], inputs: NDArray[np.bool_]) -> float:
    """Return the path norm times the product of the layers' Frobenius norms, of a chain of weights [out, in].

    `inputs` bool [in] are those that count: the first layer's other columns are left out. NaN where no path has
    a weight, or one is no number. Source of both norms: Neyshabur, Tomioka and Srebro, Norm-Based Capacity Control
    in Neural Networks (COLT 2015).
    """
    first, *others = weights
    counted = [first[:, inputs], *others]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        logs = [_log_path_norm(counted), *(np.log(np.linalg.norm(weight)) for weight in counted)]
        return float(np.exp(sum(logs)))


def _log_path_norm(weights: Sequence[Array]) -> float:
    """Return the logarithm of √Σ over paths of the product of the squared weights on the path.

    The largest sum is taken out at every layer, so that none gets too large or too small.
    """
    reached, log = np.ones(weights[0].shape[1]), 0.0
    for weight in weights:
        reached = weight**2 @ reached
        largest = float(reached.max(initial=0.0))
        reached, log = reached / largest, log + np.log(largest)
    return float(log + np.log(reached.sum())) / 2
