"""The layer without a trap: what would its accuracy be if the trap's rank-one part were taken out?

A trap lives in the permuted layer. Its rank-one part s·u·vᵀ is subtracted there, and the entries are put back
where they were, which is how the papers ablate traps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.spectra import esd as spectrum
from grokscope.spectra.null import DRAWS, null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.randomised import randomise

Array = NDArray[np.float64]


def trap_part(
    weight: NDArray[np.generic],
    name: str,
    number: int = 1,
    *,
    step: int,
    seed: int = 0,
    permutations: int = 20,
    null_draws: int = DRAWS,
) -> Array:
    """The rank-one part of trap `number` (1 is the largest), its entries at home again: float64, in weight's
    shape.

    Takes the same seed, step, name and permutations as `analyze_layer`, and so finds the same representative
    permutation and the same traps. Raises UsageError where the layer has fewer traps.
    """
    matrix = spectrum.as_matrix(weight)
    shuffled = Permutations(matrix, seed_key(seed, step, name))
    result = randomise(shuffled, max(permutations, 1), null_for(*spectrum.sides(matrix), null_draws))
    if not 1 <= number <= result.num_traps:
        raise UsageError(
            f"Layer {name} at step {step} has {result.num_traps} traps, so there is no trap {number}; "
            "choose a number among those that are listed."
        )
    left, values, right = spectrum.top_singular_vectors(shuffled[result.index], number)
    part = values[-1] * np.outer(left[:, -1], right[:, -1])
    home = np.empty(matrix.size)
    home[shuffled.order(result.index)] = part.ravel()
    return home.reshape(weight.shape)


def without_trap(
    weight: NDArray[np.generic],
    name: str,
    number: int = 1,
    *,
    step: int,
    seed: int = 0,
    permutations: int = 20,
    null_draws: int = DRAWS,
) -> Array:
    """The weight with trap `number` subtracted, float64 and in its shape; see `trap_part` for arguments and
    errors."""
    part = trap_part(weight, name, number, step=step, seed=seed, permutations=permutations, null_draws=null_draws)
    return np.asarray(weight, dtype=np.float64) - part
