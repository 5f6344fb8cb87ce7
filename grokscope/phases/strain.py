"""How steep a network is for each gate that is still open.

Outputs change by no more than the product of the layers' largest singular values, its *steepness*, times what the
inputs change by. Where few gates are left open each one has to carry more, and the network is steep where it is
open at all. A unit that no input lights any more is closed as well: the share of lit units is that of all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.phases.evidence import Evidence


def strain(evidence: Evidence) -> NDArray[np.float64]:
    """Return by how many doublings a network is strained at every checkpoint, float64 [n]; NaN where not measured.

    Doublings of the steepness since the first checkpoint, and halvings of the share of all units of the first
    layer that an input lights, see `gates.Gates.lit`. NaN as well where the network's units are not known to be
    gates, or its outputs may grow for ever and steepness with them.
    """
    if evidence.no_gates or evidence.no_bound or not evidence.num_checkpoints:
        return np.full(evidence.num_checkpoints, np.nan)
    first = evidence.layers[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(steepness(evidence) - np.log2(first.live_rows * first.lit))


def steepness(evidence: Evidence) -> NDArray[np.float64]:
    """Return by how many doublings a network is steeper than at the first checkpoint, float64 [n]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.array([layer.norm / np.sqrt(layer.stable_rank) for layer in evidence.layers])
        doublings = np.log2(largest).sum(axis=0)
        return np.asarray(doublings - doublings[0])


def times(doublings: ArrayLike) -> NDArray[np.float64]:
    """Return how many times as large so many doublings make, float64; infinite beyond what it holds."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp2(doublings))
