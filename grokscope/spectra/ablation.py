"""The layer without a trap: what would its accuracy be if the trap's rank-one part were taken out?

A trap lives in the permuted layer. Its rank-one part s·u·vᵀ is subtracted there, and the entries are put back
where they were, which is how the papers ablate traps. Every function takes the seed, step, name and permutations
that `analyze_layer` was given, and so finds the same representative permutation and the same traps.
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


def trap_vectors(
    weight: NDArray[np.generic],
    name: str,
    number: int = 1,
    *,
    step: int,
    seed: int = 0,
    permutations: int | None = None,
    null_draws: int = DRAWS,
) -> tuple[Array, float, Array]:
    """(left [rows], singular value, right [columns]) of trap `number`, 1 being the largest, in the permuted layer.

    Unit vectors. A mean makes both even, a large entry makes both peak at one place. Raises UsageError where the
    layer has fewer traps.
    """
    shuffled = Permutations(spectrum.as_matrix(weight), seed_key(seed, step, name))
    left, value, right, _ = _trap(shuffled, name, number, step, permutations, null_draws)
    return left, value, right


def trap_part(
    weight: NDArray[np.generic],
    name: str,
    number: int = 1,
    *,
    step: int,
    seed: int = 0,
    permutations: int | None = None,
    null_draws: int = DRAWS,
) -> Array:
    """The rank-one part of trap `number` with its entries at home again: float64, in the weight's shape.

    Raises UsageError where the layer has fewer traps.
    """
    shuffled = Permutations(spectrum.as_matrix(weight), seed_key(seed, step, name))
    left, value, right, index = _trap(shuffled, name, number, step, permutations, null_draws)
    home = np.empty(shuffled.matrix.size)
    home[shuffled.order(index)] = (value * np.outer(left, right)).ravel()
    return home.reshape(weight.shape)


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
    """The weight with trap `number` subtracted: float64, in its shape. Raises UsageError as `trap_part` does."""
    part = trap_part(weight, name, number, step=step, seed=seed, permutations=permutations, null_draws=null_draws)
    return np.asarray(weight, dtype=np.float64) - part


def _trap(
    shuffled: Permutations, name: str, number: int, step: int, permutations: int | None, null_draws: int
) -> tuple[Array, float, Array, int]:
    """Singular vectors and value of a trap, and the index of the permutation that it lives in."""
    null = null_for(*spectrum.sides(shuffled.matrix), null_draws)
    result = randomise(shuffled, num_permutations(min(shuffled.matrix.shape), permutations), null)
    shown = result.representative
    num_traps = shown.num_traps
    if not 1 <= number <= num_traps:
        raise UsageError(
            f"Layer {name} at step {step} has {counted(num_traps, 'trap')}, so there is no trap {number}; "
            "choose a number among those that are listed."
        )
    left, values, right = spectrum.top_singular_vectors(shuffled[result.index], number, shown.gram, shown.esd)
    return left[:, -1], float(values[-1]), right[:, -1], result.index
