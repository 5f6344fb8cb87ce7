"""The layer without a trap: what would its accuracy be if the trap's rank-one part were taken out?

A trap lives in the permuted layer. Its rank-one part s·u·vᵀ is subtracted there, and the entries are put back
where they were, which is how the papers ablate traps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.numbers import counted
from grokscope.spectra import esd as spectrum
from grokscope.spectra.null import DRAWS, null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.randomised import num_permutations, randomise

Array = NDArray[np.float64]


def without_trap(
    weight: NDArray[np.generic],
    name: str,
    number: int = 1,
    *,
    step: int,
    seed: int = 0,
    permutations: int | None = None,
    null_draws: int = DRAWS,
) -> Array:
    """The weight with trap `number` subtracted, 1 being the largest: float64, in its shape.

    Given the name, step, seed, permutations and draws that `analyze_layer` was given, it finds the same
    representative permutation and the same traps. Raises UsageError where the layer has fewer.
    """
    shuffled = Permutations(spectrum.as_matrix(weight), seed_key(seed, step, name))
    null = null_for(*spectrum.sides(shuffled.matrix), null_draws)
    result = randomise(shuffled, num_permutations(min(shuffled.matrix.shape), permutations), null)
    shown = result.representative
    if not 1 <= number <= shown.num_traps:
        raise UsageError(
            f"Layer {name} at step {step} has {counted(shown.num_traps, 'trap')}, so there is no trap {number}; "
            "traps are numbered from the largest, which is 1"
        )
    left, values, right = spectrum.top_singular_vectors(shuffled[result.index], number, shown.gram, shown.esd)
    part = np.empty(shuffled.matrix.size)
    part[shuffled.order(result.index)] = (values[-1] * np.outer(left[:, -1], right[:, -1])).ravel()
    return np.asarray(weight, dtype=np.float64) - part.reshape(weight.shape)
